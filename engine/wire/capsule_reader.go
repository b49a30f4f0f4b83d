package wire

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// A Capsule is one that a peer sent.
type Capsule struct {
	Type   uint64
	Value  uint64 // of one of flow control
	Code   uint32 // of CLOSE
	Reason []byte // of CLOSE: UTF-8, a view
}

// What is wrong with capsules, made once. RFC 9297, 3.3 has them treated as a malformed message.
var (
	errCapsuleCut      = &CapsuleError{http3.ErrCodeMessageError, "the CONNECT stream ends inside a capsule"}
	errCapsuleShort    = &CapsuleError{http3.ErrCodeMessageError, "a capsule that is too short for what it says"}
	errCapsuleTrailing = &CapsuleError{http3.ErrCodeMessageError, "a capsule with bytes behind what it says"}
	errCapsuleHTTP2    = &CapsuleError{http3.ErrCodeMessageError, "a capsule for flow control of streams, which HTTP/3 has of its own"}
	errCloseLong       = &CapsuleError{http3.ErrCodeMessageError, "a CLOSE capsule with a reason of more than 1024 bytes"}
	errCloseUTF8       = &CapsuleError{http3.ErrCodeMessageError, "a CLOSE capsule with a reason that is no UTF-8"}
	errBehindClose     = &CapsuleError{http3.ErrCodeMessageError, "data behind a CLOSE capsule"}
	errManyStreams     = &CapsuleError{ErrCodeFlowControl, "a capsule with a number of streams that there cannot be"}
)

// A CapsuleReader takes capsules out of what comes on a session's CONNECT stream, in pieces of any size. Of a capsule that is not
// complete it keeps what it needs, at most a CLOSE capsule; of one that means nothing here it keeps nothing, however long it is.
// Dialect.Capsules makes one; the zero value takes CLOSE and DRAIN only.
type CapsuleReader struct {
	flowControl bool // its capsules count
	noHTTP2     bool // the capsules of HTTP/2 are forbidden

	head    [16]byte // type and length, as far as they have come
	headLen int

	inside bool // a capsule
	typ    uint64
	left   uint64 // of its payload

	// What has come of the payload of a capsule that means something.
	reason  []byte  // of CLOSE, with its code; nothing where it comes in one piece
	number  [8]byte // of flow control
	numbers int     // bytes of it

	closed bool  // CLOSE has come
	err    error // that ended it
}

// Feed takes the next bytes and calls f for each capsule that they complete and that means something; flow control's do so only where
// it is on. Views in the capsule are good until f returns. Feed stops at the first thing that is wrong, a *CapsuleError, or at an
// error of f's, and says the same from then on.
func (r *CapsuleReader) Feed(p []byte, f func(c Capsule) error) error {
	for r.err == nil && len(p) > 0 {
		p = r.step(p, f)
	}
	return r.err
}

// AtBoundary reports whether the stream may end here: no capsule has begun, or all of them are complete.
func (r *CapsuleReader) AtBoundary() bool { return !r.inside && r.headLen == 0 }

// End takes the end of the stream. It fails where that cuts a capsule, or where something was wrong before.
func (r *CapsuleReader) End() error {
	if r.err == nil && !r.AtBoundary() {
		r.err = errCapsuleCut
	}
	return r.err
}

// step takes a head, or a part of it, and of the payload behind it what p has. It returns the rest.
func (r *CapsuleReader) step(p []byte, f func(c Capsule) error) []byte {
	if r.closed {
		r.err = errBehindClose
		return nil
	}
	if !r.inside {
		if p = r.begin(p); !r.inside || r.err != nil {
			return p
		}
	}
	n := min(r.left, uint64(len(p)))
	piece, rest := p[:n], p[n:]
	r.left -= n
	r.inside = r.left > 0
	switch {
	case !r.counts(r.typ):
	case r.typ == CapsuleClose:
		r.err = r.takeClose(piece, f)
	case r.typ == CapsuleDrain:
		r.err = f(Capsule{Type: r.typ})
	default:
		r.err = r.takeNumber(piece, f)
	}
	return rest
}

// begin takes a head, or a part of it.
func (r *CapsuleReader) begin(p []byte) []byte {
	if r.headLen == 0 {
		if n := r.parseHead(p); n > 0 {
			return p[n:]
		}
	}
	for len(p) > 0 {
		r.head[r.headLen] = p[0]
		r.headLen++
		p = p[1:]
		if r.parseHead(r.head[:r.headLen]) > 0 {
			r.headLen = 0
			return p
		}
	}
	return nil
}

// parseHead returns the length of the head that p begins with, 0 if it is not complete.
func (r *CapsuleReader) parseHead(p []byte) int {
	typ, n, err := quicvarint.Parse(p)
	if err != nil {
		return 0
	}
	length, m, err := quicvarint.Parse(p[n:])
	if err != nil {
		return 0
	}
	r.typ, r.left, r.inside = typ, length, true
	r.err = r.checkHead()
	return n + m
}

// checkHead looks for what is wrong already, so that nothing is kept of what cannot become right.
func (r *CapsuleReader) checkHead() error {
	switch {
	case r.noHTTP2 && (r.typ == capsuleMaxStreamData || r.typ == capsuleStreamDataBlocked):
		return errCapsuleHTTP2
	case !r.counts(r.typ):
	case r.typ == CapsuleDrain:
		if r.left > 0 {
			return errCapsuleTrailing
		}
	case r.typ == CapsuleClose:
		if r.left < closeCodeLen {
			return errCapsuleShort
		}
		if r.left > closeCodeLen+MaxCloseReason {
			return errCloseLong
		}
	case r.left > uint64(len(r.number)):
		return errCapsuleTrailing
	}
	return nil
}

// counts reports whether a capsule of this type means something here.
func (r *CapsuleReader) counts(typ uint64) bool {
	switch typ {
	case CapsuleClose, CapsuleDrain:
		return true
	case CapsuleMaxData, CapsuleMaxStreamsBidi, CapsuleMaxStreamsUni, CapsuleDataBlocked, CapsuleStreamsBlockedBidi, CapsuleStreamsBlockedUni:
		return r.flowControl
	}
	return false
}

// takeClose takes a part of a CLOSE capsule, the last one if the capsule is not open any more.
func (r *CapsuleReader) takeClose(piece []byte, f func(c Capsule) error) error {
	if r.inside || len(r.reason) > 0 {
		r.reason = append(r.reason, piece...)
		piece = r.reason
	}
	if r.inside {
		return nil
	}
	r.closed, r.reason = true, nil
	if !utf8.Valid(piece[closeCodeLen:]) {
		return errCloseUTF8
	}
	return f(Capsule{Type: CapsuleClose, Code: binary.BigEndian.Uint32(piece), Reason: piece[closeCodeLen:]})
}

// takeNumber takes a part of a capsule of flow control, the last one if the capsule is not open any more.
func (r *CapsuleReader) takeNumber(piece []byte, f func(c Capsule) error) error {
	r.numbers += copy(r.number[r.numbers:], piece)
	if r.inside {
		return nil
	}
	payload := r.number[:r.numbers]
	r.numbers = 0
	value, n, err := quicvarint.Parse(payload)
	switch {
	case err != nil:
		return errCapsuleShort
	case n != len(payload):
		return errCapsuleTrailing
	case value > MaxStreams && r.typ != CapsuleMaxData && r.typ != CapsuleDataBlocked:
		return errManyStreams
	}
	return f(Capsule{Type: r.typ, Value: value})
}
