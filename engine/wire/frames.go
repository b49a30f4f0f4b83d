package wire

import (
	"strconv"

	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// Frame types of RFC 9114, 7.2.
const (
	FrameData        = 0x0
	FrameHeaders     = 0x1
	FrameCancelPush  = 0x3
	FrameSettings    = 0x4
	FramePushPromise = 0x5
	FrameGoAway      = 0x7
	FrameMaxPushID   = 0xd
)

// UnexpectedFrame is a frame where none of its type may be (RFC 9114, 7.2).
func UnexpectedFrame(t uint64, where string) error {
	return &ConnectionError{http3.ErrCodeFrameUnexpected, "frame of type 0x" + Hex(t) + " " + where}
}

// KnownFrame reports whether a frame type has a meaning that does not belong on a request stream.
func KnownFrame(t uint64) bool {
	switch t {
	case FrameSettings, FrameGoAway, FrameCancelPush, FramePushPromise, FrameMaxPushID, FramePriorityUpdateRequest, FramePriorityUpdatePush:
		return true
	}
	return ReservedFrame(t)
}

// Hex is a number as frame types and settings are written, without its 0x.
func Hex(v uint64) string { return strconv.FormatUint(v, 16) }

// ReservedFrame reports whether a frame type is one of HTTP/2 that HTTP/3 forbids (RFC 9114, 7.2.8).
func ReservedFrame(t uint64) bool { return t == 0x2 || t == 0x6 || t == 0x8 || t == 0x9 }

// MaxFrameHead is the longest that type and length of a frame can be.
const MaxFrameHead = 16

// AppendFrameHead appends what a frame begins with: its type, and the length of its payload.
func AppendFrameHead(b []byte, typ, length uint64) []byte {
	return quicvarint.Append(quicvarint.Append(b, typ), length)
}

// A StreamError is a breach of the protocol, or a refusal, that ends one request's stream.
type StreamError struct {
	Code   http3.ErrCode
	Reason string
}

// Error implements error.
func (e *StreamError) Error() string { return e.Reason }

// A FrameScanner cuts a stream that arrives in pieces of any size into frames, without buffering more than a frame's head.
type FrameScanner struct {
	head    [MaxFrameHead]byte
	headLen int
	Typ     uint64
	Left    uint64 // of the payload
	open    bool   // inside a frame: its payload, or at its very end
}

// Next looks at p. It returns a part of a frame's payload and what of p is behind it. first says that a frame begins here, last
// that this is all of its payload (also of an empty one). ok is false when p ended before a frame's head was complete.
func (f *FrameScanner) Next(p []byte) (payload, rest []byte, first, last, ok bool) {
	if !f.open {
		for {
			if n := f.parseHead(); n {
				break
			}
			if len(p) == 0 {
				return nil, nil, false, false, false
			}
			f.head[f.headLen] = p[0]
			f.headLen++
			p = p[1:]
		}
		f.headLen, f.open, first = 0, true, true
	}
	n := uint64(len(p))
	if n >= f.Left {
		n, f.open, last = f.Left, false, true
	}
	f.Left -= n
	return p[:n], p[n:], first, last, true
}

func (f *FrameScanner) parseHead() bool {
	typ, n, err := quicvarint.Parse(f.head[:f.headLen])
	if err != nil {
		return false
	}
	left, _, err := quicvarint.Parse(f.head[n:f.headLen])
	if err != nil {
		return false
	}
	f.Typ, f.Left = typ, left
	return true
}

// Between reports whether the stream may end here: no frame has begun.
func (f *FrameScanner) Between() bool { return !f.open && f.headLen == 0 }
