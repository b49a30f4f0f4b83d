package engine

import (
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// Frame types of RFC 9114, 7.2.
const (
	frameData        = 0x0
	frameHeaders     = 0x1
	frameCancelPush  = 0x3
	frameSettings    = 0x4
	framePushPromise = 0x5
	frameGoAway      = 0x7
	frameMaxPushID   = 0xd
)

// reservedFrame reports whether a frame type is one of HTTP/2 that HTTP/3 forbids (RFC 9114, 7.2.8).
func reservedFrame(t uint64) bool { return t == 0x2 || t == 0x6 || t == 0x8 || t == 0x9 }

// maxFrameHead is the longest that type and length of a frame can be.
const maxFrameHead = 16

func appendFrameHead(b []byte, typ, length uint64) []byte {
	return quicvarint.Append(quicvarint.Append(b, typ), length)
}

// A connError is a breach of the protocol that ends the connection.
type connError struct {
	code http3.ErrCode
	text string
}

func (e *connError) Error() string { return e.text }

// A streamError is a breach of the protocol, or a refusal, that ends one request's stream.
type streamError struct {
	code http3.ErrCode
	text string
}

func (e *streamError) Error() string { return e.text }

// A frameScanner cuts a stream that arrives in pieces of any size into frames, without buffering more than a frame's head.
type frameScanner struct {
	head    [maxFrameHead]byte
	headLen int
	typ     uint64
	left    uint64 // of the payload
	open    bool   // inside a frame: its payload, or at its very end
}

// next looks at p. It returns a part of a frame's payload and what of p is behind it. first says that a frame begins here, last
// that this is all of its payload (also of an empty one). ok is false when p ended before a frame's head was complete.
func (f *frameScanner) next(p []byte) (payload, rest []byte, first, last, ok bool) {
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
	if n >= f.left {
		n, f.open, last = f.left, false, true
	}
	f.left -= n
	return p[:n], p[n:], first, last, true
}

func (f *frameScanner) parseHead() bool {
	typ, n, err := quicvarint.Parse(f.head[:f.headLen])
	if err != nil {
		return false
	}
	left, _, err := quicvarint.Parse(f.head[n:f.headLen])
	if err != nil {
		return false
	}
	f.typ, f.left = typ, left
	return true
}

// between reports whether the stream may end here: no frame has begun.
func (f *frameScanner) between() bool { return !f.open && f.headLen == 0 }
