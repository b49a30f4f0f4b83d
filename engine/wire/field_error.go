package wire

import (
	"errors"

	"github.com/quic-go/quic-go/http3"
)

// ErrShort: the buffer does not hold the fields. The call can be repeated with a larger one; FieldLimits.PackedMax always does.
var ErrShort = errors.New("the buffer is too small for the fields")

// A FieldError says what is wrong with a field section and what its sender gets for it.
type FieldError struct {
	// Code is the error that the stream, or for Connection the whole connection, ends with.
	Code       http3.ErrCode
	Connection bool
	// Status, if not 0, is a response that the peer gets instead of the stream error; its body, if any, is not wanted.
	Status int
	Reason string
}

// Error implements error.
func (e *FieldError) Error() string { return e.Reason }

// malformed is a message that RFC 9114, 4.1.2 calls so.
func malformed(reason string) *FieldError {
	return &FieldError{Code: http3.ErrCodeMessageError, Reason: reason}
}

// refused is a request that is answered, though it is not handled.
func refused(status int, reason string) *FieldError {
	return &FieldError{Code: http3.ErrCodeMessageError, Status: status, Reason: reason}
}

// All that can be wrong, made once: a peer that sends rubbish costs no allocation.
var (
	ErrDecompression = &FieldError{Code: http3.ErrCodeQPACKDecompressionFailed, Connection: true, Reason: "field section: not QPACK, or with a dynamic table that was never allowed"}
	ErrHuffman       = &FieldError{Code: http3.ErrCodeQPACKDecompressionFailed, Connection: true, Reason: "field section: invalid Huffman code"}

	ErrManyFields = refused(431, "too many fields")
	ErrLongName   = refused(431, "field name too long")
	ErrLongValue  = refused(431, "field value too long")
	ErrLargeList  = refused(431, "header fields too large")
	ErrValueBytes = refused(400, "field value with a control character")
	ErrPathBytes  = refused(400, ":path with a character that no path has")

	ErrNameBytes          = malformed("field name that is no lower-case token")
	ErrPseudoLate         = malformed("pseudo-field behind a regular one")
	ErrPseudoTwice        = malformed("pseudo-field given twice")
	ErrPseudoUnknown      = malformed("pseudo-field that requests do not have")
	ErrPseudoOfRequest    = malformed("pseudo-field that responses do not have")
	ErrNoStatus           = malformed(":status is missing")
	ErrStatus             = malformed(":status that is no number of three digits")
	ErrUpgrade            = malformed(":status 101, which HTTP/3 does not have")
	errPseudoTrailer      = malformed("pseudo-field in trailers")
	ErrConnectionSpecific = malformed("connection-specific field")
	ErrTE                 = malformed("te with another value than trailers")
	ErrContentLength      = malformed("content-length that is no number")
	ErrContentLengths     = malformed("contradicting content-length fields")
	ErrHosts              = malformed("more than one host field")
	ErrHostMismatch       = malformed(":authority and host differ")
	ErrNoMethod           = malformed(":method is missing")
	ErrMethod             = malformed(":method that is no token")
	ErrNoScheme           = malformed(":scheme is missing")
	ErrScheme             = malformed(":scheme that is none")
	ErrNoPath             = malformed(":path is missing or empty")
	ErrPath               = malformed(":path that does not begin with a slash")
	ErrNoAuthority        = malformed(":authority or host is missing or empty")
	ErrAuthority          = malformed(":authority with userinfo, or with a character or port that it cannot have")
	ErrConnect            = malformed("CONNECT with :scheme or :path")
	ErrProtocol           = malformed(":protocol that is no token, or without CONNECT")
)
