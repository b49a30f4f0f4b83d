package engine

import (
	"errors"

	"github.com/quic-go/quic-go/http3"
)

// errShort: the buffer does not hold the fields. The call can be repeated with a larger one; fieldLimits.packedMax always does.
var errShort = errors.New("the buffer is too small for the fields")

// A fieldError says what is wrong with a field section and what its sender gets for it.
type fieldError struct {
	// Code is the error that the stream, or for Connection the whole connection, ends with.
	Code       http3.ErrCode
	Connection bool
	// Status, if not 0, is a response that the peer gets instead of the stream error; its body, if any, is not wanted.
	Status int
	Reason string
}

func (e *fieldError) Error() string { return e.Reason }

// malformed is a message that RFC 9114, 4.1.2 calls so.
func malformed(reason string) *fieldError {
	return &fieldError{Code: http3.ErrCodeMessageError, Reason: reason}
}

// refused is a request that is answered, though it is not handled.
func refused(status int, reason string) *fieldError {
	return &fieldError{Code: http3.ErrCodeMessageError, Status: status, Reason: reason}
}

// All that can be wrong, made once: a peer that sends rubbish costs no allocation.
var (
	errDecompression = &fieldError{Code: http3.ErrCodeQPACKDecompressionFailed, Connection: true, Reason: "field section: not QPACK, or with a dynamic table that was never allowed"}
	errHuffman       = &fieldError{Code: http3.ErrCodeQPACKDecompressionFailed, Connection: true, Reason: "field section: invalid Huffman code"}

	errManyFields = refused(431, "too many fields")
	errLongName   = refused(431, "field name too long")
	errLongValue  = refused(431, "field value too long")
	errLargeList  = refused(431, "header fields too large")
	errValueBytes = refused(400, "field value with a control character")
	errPathBytes  = refused(400, ":path with a character that no path has")

	errNameBytes          = malformed("field name that is no lower-case token")
	errPseudoLate         = malformed("pseudo-field behind a regular one")
	errPseudoTwice        = malformed("pseudo-field given twice")
	errPseudoUnknown      = malformed("pseudo-field that requests do not have")
	errPseudoTrailer      = malformed("pseudo-field in trailers")
	errConnectionSpecific = malformed("connection-specific field")
	errTE                 = malformed("te with another value than trailers")
	errContentLength      = malformed("content-length that is no number")
	errContentLengths     = malformed("contradicting content-length fields")
	errHosts              = malformed("more than one host field")
	errHostMismatch       = malformed(":authority and host differ")
	errNoMethod           = malformed(":method is missing")
	errMethod             = malformed(":method that is no token")
	errNoScheme           = malformed(":scheme is missing")
	errScheme             = malformed(":scheme that is none")
	errNoPath             = malformed(":path is missing or empty")
	errPath               = malformed(":path that does not begin with a slash")
	errNoAuthority        = malformed(":authority or host is missing or empty")
	errAuthority          = malformed(":authority with userinfo, or with a character or port that it cannot have")
	errConnect            = malformed("CONNECT with :scheme or :path")
	errProtocol           = malformed(":protocol that is no token, or without CONNECT")
)
