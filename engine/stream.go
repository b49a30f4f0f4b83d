package engine

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A rawStream is the exchange on a stream that the engine frames itself.
type rawStream struct {
	s    *quic.Stream
	body *streamBody // nil as long as nothing but the head was there
}

func (x *rawStream) id() uint64 { return uint64(x.s.StreamID()) }

func (x *rawStream) tryWrite(p *part) error {
	e := frameEncoders.Get().(*frameEncoder)
	run := e.encode(p, true)
	var err error
	if len(run) > 0 {
		err = x.s.TryWriteAll(run)
	}
	frameEncoders.Put(e)
	if err == nil && p.end {
		err = x.close()
	}
	return err
}

// writePiece is how much of a body goes to QUIC between two reports of progress. Where one ends, quic-go sends a packet that is not full and
// waits for the next.
const writePiece = 256 << 10

func (x *rawStream) write(p *part, stall time.Duration, progress func(n int)) error {
	e := frameEncoders.Get().(*frameEncoder)
	run := e.encode(p, false)
	var err error
	if len(run) > 0 {
		err = x.push(run, stall)
	}
	frameEncoders.Put(e)
	for b := p.body.Bytes; err == nil && len(b) > 0; {
		n := min(len(b), writePiece)
		err = x.push(b[:n], stall)
		if err == nil {
			progress(n)
		}
		b = b[n:]
	}
	if err == nil && p.hasTrailers {
		e := frameEncoders.Get().(*frameEncoder)
		err = x.push(e.trailers(e.run[:0], p.trailers), stall)
		frameEncoders.Put(e)
	}
	x.s.SetWriteDeadline(time.Time{}) // tryWrite minds it too
	if err == nil && p.end {
		err = x.close()
	}
	return err
}

// push writes all of b unless for as long as stall not a byte of it is taken.
func (x *rawStream) push(b []byte, stall time.Duration) error {
	for {
		x.s.SetWriteDeadline(time.Now().Add(stall))
		n, err := x.s.Write(b)
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		b = b[n:]
	}
}

// close ends the response. quic-go reports a stream that the peer has stopped meanwhile only in words, the cause says which code.
func (x *rawStream) close() error {
	err := x.s.Close()
	if err == nil {
		return nil
	}
	if cause := context.Cause(x.s.Context()); cause != nil {
		return cause
	}
	return err
}

func (x *rawStream) wait(timeout time.Duration) error { return x.body.wait(timeout) }

func (x *rawStream) onEnd(f func()) { x.s.SetReceiveFinalSizeCallback(func(int64) { f() }) }

func (x *rawStream) read(p []byte) (int, error) { return x.body.read(p) }

func (x *rawStream) trailers() []byte {
	if x.body == nil {
		return nil
	}
	return x.body.trailers
}

func (x *rawStream) watch(f func(cause error)) func() bool {
	ctx := x.s.Context()
	return context.AfterFunc(ctx, func() {
		sink.Guard("abort", func() {
			if cause := context.Cause(ctx); !errors.Is(cause, quic.ErrStreamClosed) {
				f(cause)
			}
		})
	})
}

func (x *rawStream) stop(code http3.ErrCode) { x.s.CancelRead(quic.StreamErrorCode(code)) }

func (x *rawStream) abort(code http3.ErrCode) {
	x.s.CancelRead(quic.StreamErrorCode(code))
	x.s.CancelWrite(quic.StreamErrorCode(code))
}

// A frameEncoder makes frames of the parts of a response. One goroutine uses it at a time.
type frameEncoder struct {
	fields *wire.FieldEncoder
	run    []byte
	extra  []byte
}

var frameEncoders = sync.Pool{New: func() any { return &frameEncoder{fields: wire.NewFieldEncoder(), run: make([]byte, 0, 2<<10)} }}

// headRoom is kept free in front of a field section for its frame's type and length: the length is known only afterwards.
const headRoom = 9

// encode makes the frames of p up to its body, or, with body, all of them, as one run of bytes that is valid until the next call.
func (e *frameEncoder) encode(p *part, body bool) []byte {
	const largestKept = 64 << 10
	if cap(e.run) > largestKept {
		e.run = make([]byte, 0, 2<<10)
	}
	var room [headRoom]byte
	start := headRoom
	run := append(e.run[:0], room[:]...)
	if p.head {
		run = e.fields.AppendResponse(run, p.status, p.headers, p.length, p.date)
		var head [wire.MaxFrameHead]byte
		h := wire.AppendFrameHead(head[:0], wire.FrameHeaders, uint64(len(run)-headRoom))
		start = headRoom - len(h)
		copy(run[start:], h)
	}
	if n := len(p.body.Bytes); n > 0 {
		run = wire.AppendFrameHead(run, wire.FrameData, uint64(n))
		if body {
			run = append(run, p.body.Bytes...)
		}
	}
	if body && p.hasTrailers {
		run = e.trailers(run, p.trailers)
	}
	e.run = run
	return run[start:]
}

func (e *frameEncoder) trailers(dst, packed []byte) []byte {
	if len(packed) == 0 {
		return dst
	}
	e.extra = e.fields.AppendTrailers(e.extra[:0], packed)
	dst = wire.AppendFrameHead(dst, wire.FrameHeaders, uint64(len(e.extra)))
	return append(dst, e.extra...)
}

// maxUnknown is how many bytes of frames that mean nothing to us a request may carry.
const maxUnknown = 64 << 10

// A streamBody reads a request from a stream where it does not lie complete: first its header block, then its body and trailers.
type streamBody struct {
	s    *quic.Stream
	lim  *wire.FieldLimits
	scan wire.FrameScanner

	one      [1]byte
	unknown  uint64
	section  []byte // of the trailers, as far as it is there
	trailers []byte
	trailed  bool
	err      error // what ended it
}

var errUnexpectedFrame = func(t uint64, where string) error {
	return &wire.ConnectionError{Code: http3.ErrCodeFrameUnexpected, Reason: "frame of type 0x" + hex(t) + " " + where}
}

func hex(v uint64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	i := len(b)
	for {
		i--
		b[i] = digits[v&15]
		if v >>= 4; v == 0 {
			return string(b[i:])
		}
	}
}

// readHead reads up to the end of the first HEADERS frame and not a byte further. tooLong says that its block is longer than limit,
// and was not read.
func (b *streamBody) readHead(limit int) (block []byte, tooLong bool, err error) {
	for {
		typ, length, err := b.readFrameHead()
		if err != nil {
			return nil, false, err
		}
		switch {
		case typ == wire.FrameHeaders && length > uint64(limit):
			return nil, true, nil
		case typ == wire.FrameHeaders:
			block, err = b.readBlock(int(length))
			return block, false, err
		case typ == wire.FrameData, knownFrame(typ):
			return nil, false, errUnexpectedFrame(typ, "before HEADERS")
		}
		if err := b.skipped(length); err != nil {
			return nil, false, err
		}
		if _, err := io.CopyN(io.Discard, b.s, int64(length)); err != nil {
			return nil, false, truncated(err)
		}
	}
}

// readFrameHead reads byte by byte, since what is behind the head may not be consumed here.
func (b *streamBody) readFrameHead() (typ, length uint64, err error) {
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
func (b *streamBody) readBlock(length int) ([]byte, error) {
	block := make([]byte, 0, min(length, 1<<10))
	for len(block) < length {
		if len(block) == cap(block) {
			grown := make([]byte, len(block), min(length, 2*cap(block)))
			copy(grown, block)
			block = grown
		}
		n, err := b.s.Read(block[len(block):cap(block)])
		block = block[:len(block)+n]
		if err != nil && (err != io.EOF || len(block) < length) {
			return nil, truncated(err)
		}
	}
	return block, nil
}

func (b *streamBody) skipped(n uint64) error {
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

// knownFrame reports whether a frame type has a meaning that does not belong on a request stream.
func knownFrame(t uint64) bool {
	return t == wire.FrameSettings || t == wire.FrameGoAway || t == wire.FrameCancelPush || t == wire.FramePushPromise || t == wire.FrameMaxPushID || wire.ReservedFrame(t)
}

func (b *streamBody) wait(timeout time.Duration) error {
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

// read moves the payloads of DATA frames together at the front of p.
func (b *streamBody) read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.s.Read(p)
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

func (b *streamBody) frame(payload []byte, first, last bool, p []byte, filled *int) error {
	switch t := b.scan.Typ; {
	case t == wire.FrameData:
		if b.trailed {
			return errUnexpectedFrame(t, "after trailers")
		}
		*filled += copy(p[*filled:], payload)
	case t == wire.FrameHeaders:
		if first {
			if b.trailed {
				return errUnexpectedFrame(t, "after trailers")
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
	case knownFrame(t):
		return errUnexpectedFrame(t, "on a request stream")
	case first:
		return b.skipped(b.scan.Left + uint64(len(payload)))
	}
	return nil
}

func (b *streamBody) decodeTrailers() error {
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
