package message

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/wire"
)

// maxUnknown is how many bytes of frames that mean nothing to us a request may carry.
const maxUnknown = 64 << 10

// A FrameReader reads a message from a stream where it does not lie complete: first its header block, then its body and trailers. One
// goroutine uses it.
type FrameReader struct {
	s    *quic.Stream
	lim  *wire.FieldLimits // of trailers
	scan wire.FrameScanner

	one      [1]byte
	begun    bool // the first frame's head was read
	response bool // of a server's
	dataOnly bool // no trailers: a CONNECT stream has none (RFC 9114, 4.4)
	unknown  uint64
	section  []byte // of the trailers, as far as it is there
	trailers []byte
	trailed  bool
	err      error // what ended it

	taken int64        // bytes of the stream that were read, with the head
	final atomic.Int64 // one more than there are of them; 0: not known yet
}

// ReadHead reads up to the end of the next HEADERS frame and not a byte further. tooLong says that its block is longer than limit, and was
// not read. Of a response it is called again behind an informational head.
func (b *FrameReader) ReadHead(limit int) (block []byte, tooLong bool, err error) {
	for {
		typ, length, err := b.readFrameHead()
		if err != nil {
			return nil, false, err
		}
		first := !b.begun
		b.begun = true
		switch {
		case typ == wire.StreamTypeBidi && first && !b.response:
			return nil, false, SessionStream(length)
		case typ == wire.FrameHeaders && length > uint64(limit):
			return nil, true, nil
		case typ == wire.FrameHeaders:
			block, err = b.readBlock(int(length))
			return block, false, err
		case typ == wire.StreamTypeBidi:
			return nil, false, wire.ErrLateStreamHeader
		case typ == wire.FrameData, wire.KnownFrame(typ):
			return nil, false, b.unexpected(typ, "before HEADERS")
		}
		if err := b.skipped(length); err != nil {
			return nil, false, err
		}
		n, err := io.CopyN(io.Discard, b.s, int64(length))
		b.taken += n
		if err != nil {
			return nil, false, truncated(err)
		}
	}
}

// A SessionStream is not a failure of a stream's but what it is: one of the session on the stream with this id. All that was read of it is
// its header.
type SessionStream uint64

func (s SessionStream) Error() string { return "a stream of a session" }

// readFrameHead reads byte by byte, since what is behind the head may not be consumed here.
func (b *FrameReader) readFrameHead() (typ, length uint64, err error) {
	var head [wire.MaxFrameHead]byte
	for n := 0; ; {
		if _, err := io.ReadFull(b.s, b.one[:]); err != nil {
			if err == io.EOF && n == 0 {
				return 0, 0, &wire.StreamError{Code: http3.ErrCodeRequestIncomplete, Reason: "the stream ended before a header block"}
			}
			return 0, 0, truncated(err)
		}
		head[n] = b.one[0]
		n++
		b.taken++
		t, w, err := quicvarint.Parse(head[:n])
		if err != nil {
			continue
		}
		if l, _, err := quicvarint.Parse(head[w:n]); err == nil {
			return t, l, nil
		}
	}
}

// readBlock grows with what arrives: a peer that announces much and sends little holds little.
func (b *FrameReader) readBlock(length int) ([]byte, error) {
	block := make([]byte, 0, min(length, 1<<10))
	for len(block) < length {
		if len(block) == cap(block) {
			grown := make([]byte, len(block), min(length, 2*cap(block)))
			copy(grown, block)
			block = grown
		}
		n, err := b.s.Read(block[len(block):cap(block)])
		block = block[:len(block)+n]
		b.taken += int64(n)
		if err != nil && (err != io.EOF || len(block) < length) {
			return nil, truncated(err)
		}
		b.err = err // the stream's end came with the block: nothing is to be waited for behind it
	}
	return block, nil
}

func (b *FrameReader) skipped(n uint64) error {
	if b.unknown += n + 2; b.unknown > maxUnknown {
		return &wire.ConnectionError{Code: http3.ErrCodeExcessiveLoad, Reason: "too many frames of unknown types"}
	}
	return nil
}

// truncated turns an end in the middle of a frame into what RFC 9114, 7.1 makes of it.
func truncated(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return &wire.ConnectionError{Code: http3.ErrCodeFrameError, Reason: "the stream ended inside a frame"}
	}
	return err
}

// Ended reports whether the stream has ended with what was read of it: there is nothing more. It needs no time: where the end has come it is
// seen, also if that was not with the last bytes. Framed.OnEnd was called.
func (b *FrameReader) Ended() bool {
	if b.err == nil && b.final.Load() == b.taken+1 {
		_, b.err = b.s.Read(b.one[:]) // which waits for nothing: it is the end, or a reset
	}
	return b.err == io.EOF
}

// Wait waits for something to read, which may be the end; 0 is no limit of time.
func (b *FrameReader) Wait(timeout time.Duration) error {
	if b.err != nil {
		return nil // read will tell
	}
	if timeout > 0 {
		b.s.SetReadDeadline(time.Now().Add(timeout))
	}
	_, err := b.s.Peek(b.one[:])
	if timeout > 0 {
		b.s.SetReadDeadline(time.Time{})
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// Read moves the payloads of DATA frames together at the front of p.
func (b *FrameReader) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.s.Read(p)
	b.taken += int64(n)
	filled := 0
	for in := p[:n]; len(in) > 0; {
		payload, rest, first, last, ok := b.scan.Next(in)
		in = rest
		if !ok {
			break
		}
		if ferr := b.frame(payload, first, last, p, &filled); ferr != nil {
			b.err = ferr
			return filled, ferr
		}
	}
	switch {
	case err == nil:
		return filled, nil
	case err != io.EOF:
	case !b.scan.Between():
		err = &wire.ConnectionError{Code: http3.ErrCodeFrameError, Reason: "the stream ended inside a frame"}
	}
	b.err = err
	return filled, err
}

func (b *FrameReader) frame(payload []byte, first, last bool, p []byte, filled *int) error {
	switch t := b.scan.Typ; {
	case t == wire.FrameData:
		if b.trailed {
			return wire.UnexpectedFrame(t, "after trailers")
		}
		*filled += copy(p[*filled:], payload)
	case t == wire.FrameHeaders:
		if first {
			if b.trailed {
				return wire.UnexpectedFrame(t, "after trailers")
			}
			if b.dataOnly {
				return wire.UnexpectedFrame(t, "on a CONNECT stream")
			}
			b.trailed = true
			if b.scan.Left+uint64(len(payload)) > uint64(b.lim.Total) {
				return &wire.StreamError{Code: http3.ErrCodeExcessiveLoad, Reason: "trailers are too long"}
			}
		}
		b.section = append(b.section, payload...)
		if last {
			return b.decodeTrailers()
		}
	case t == wire.StreamTypeBidi:
		return wire.ErrLateStreamHeader
	case wire.KnownFrame(t):
		return b.unexpected(t, "on a request stream")
	case first:
		return b.skipped(b.scan.Left + uint64(len(payload)))
	}
	return nil
}

// unexpected is a frame that may not stand there. A server's promise of a push is worse: none was allowed (RFC 9114, 7.2.5).
func (b *FrameReader) unexpected(t uint64, where string) error {
	if b.response && t == wire.FramePushPromise {
		return &wire.ConnectionError{Code: http3.ErrCodeIDError, Reason: "PUSH_PROMISE though no push was allowed"}
	}
	return wire.UnexpectedFrame(t, where)
}

func (b *FrameReader) decodeTrailers() error {
	for size := 512 + 4*len(b.section); ; size *= 2 {
		dst := make([]byte, size)
		n, err := wire.DecodeTrailers(dst, b.section, b.lim)
		if err == wire.ErrShort {
			continue
		}
		b.section = nil
		if err != nil {
			return err
		}
		b.trailers = dst[:n]
		return nil
	}
}

// DataOnly says that nothing but DATA frames may follow: the head that was read is that of a CONNECT stream.
func (b *FrameReader) DataOnly() { b.dataOnly = true }

// Between reports whether the stream may end here: no frame has begun.
func (b *FrameReader) Between() bool { return b.scan.Between() }
