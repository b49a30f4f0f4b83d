package wire

import (
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// maxQuarterStreamID is that of the last stream that a client can open.
const maxQuarterStreamID = 1<<60 - 1

// MaxDatagramHeader is the longest that the header of an HTTP datagram can be.
const MaxDatagramHeader = 8

var (
	errCutDatagram = &ConnectionError{http3.ErrCodeDatagramError, "a datagram that ends inside its quarter stream id"}
	errQuarterID   = &ConnectionError{http3.ErrCodeDatagramError, "a quarter stream id that no stream can have"}
)

// AppendDatagramHeader appends what an HTTP datagram begins with (RFC 9297, 2.1). stream is the id of its request's stream.
func AppendDatagramHeader(dst []byte, stream uint64) []byte { return quicvarint.Append(dst, stream/4) }

// DatagramHeaderLen is how many bytes AppendDatagramHeader appends.
func DatagramHeaderLen(stream uint64) int { return quicvarint.Len(stream / 4) }

// ParseDatagram cuts an HTTP datagram into the id of its request's stream and its payload, a view. Its failures are *ConnectionError.
func ParseDatagram(p []byte) (stream uint64, payload []byte, err error) {
	id, n, err := quicvarint.Parse(p)
	if err != nil {
		return 0, nil, errCutDatagram
	}
	if id > maxQuarterStreamID {
		return 0, nil, errQuarterID
	}
	return 4 * id, p[n:], nil
}
