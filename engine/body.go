package engine

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// largestBody is the most that one event carries of a body.
const largestBody = 64 << 10

// bodyBuffers hold what lies between QUIC and a record. A reader has one only while there is something to read.
var bodyBuffers = sync.Pool{New: func() any { return new([largestBody]byte) }}

// A bodyReader delivers the body of a request that was not complete at once. It runs on the goroutine of the request's stream.
type bodyReader struct {
	r        *Request
	buffered bool  // the route wants bodies whole, needs no credit and has a limit
	expected int64 // content-length, -1 if none was given
	total    uint64
	extra    []byte // gathered, but too much for the REQUEST event

	done  chan struct{} // closed once nobody wants the body any more
	wake  chan struct{} // there is credit, or the peer's side has ended
	ended atomic.Bool   // the peer's side has ended, by its end or by a reset

	// Under r.mu.
	gone      bool   // done is closed
	delivered uint64 // in BODY events
	consumed  uint64
}

func newBodyReader(r *Request, expected int64, buffered bool) *bodyReader {
	return &bodyReader{r: r, expected: expected, buffered: buffered, done: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// quit ends the reader. r.mu is held.
func (b *bodyReader) quit() {
	if !b.gone {
		b.gone = true
		close(b.done)
	}
}

// credit says that n more bytes were consumed. r.mu is held.
func (b *bodyReader) credit(n uint64) {
	b.consumed = min(b.consumed+n, b.delivered)
	b.nudge()
}

func (b *bodyReader) nudge() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// run delivers the body behind the REQUEST event.
func (b *bodyReader) run() {
	b.r.x.onEnd(func() {
		b.ended.Store(true)
		b.nudge()
	})
	err := b.deliver()
	b.r.mu.Lock()
	if !b.gone {
		b.settle(err)
	}
	b.r.running--
	b.r.unlock()
}

func (b *bodyReader) deliver() error {
	if n := len(b.extra); n > 0 {
		if !b.emit(&sink.Event{Type: sink.EventBody, DataLen: uint32(n), Aux: largestBody}, nil, b.extra) {
			return errNobodyWants
		}
		b.extra = nil
	}
	for {
		room, err := b.room()
		if err != nil {
			return err
		}
		if err := b.r.x.wait(b.r.c.s.options.BodyTimeout); err != nil {
			return err
		}
		buf := bodyBuffers.Get().(*[largestBody]byte)
		n, err := b.read(buf[:room])
		if n > 0 && (err == nil || err == io.EOF) {
			if !b.emit(&sink.Event{Type: sink.EventBody, DataLen: uint32(n), Aux: b.total - uint64(n)}, nil, buf[:n]) {
				err = errNobodyWants
			}
		}
		bodyBuffers.Put(buf)
		if err != nil {
			return err
		}
	}
}

var errNobodyWants = errors.New("the body is not wanted any more")

// read takes body bytes and holds them against content-length and limit.
func (b *bodyReader) read(p []byte) (int, error) {
	n, err := b.r.x.read(p)
	b.total += uint64(n)
	b.r.c.stats.Add(sink.StatBodyBytesIn, uint64(n))
	b.r.c.account()
	switch {
	case err != nil && err != io.EOF:
	case b.expected >= 0 && b.total > uint64(b.expected), err == io.EOF && b.expected >= 0 && b.total < uint64(b.expected):
		err = &wire.StreamError{Code: http3.ErrCodeMessageError, Reason: "the body is not as long as content-length says"}
	case b.buffered && b.total > uint64(b.r.c.s.options.MaxRequestBodySize):
		err = errBodyTooLarge
	}
	return n, err
}

var errBodyTooLarge = errors.New("the body is larger than the limit")

// room waits until the consumer may be given more, and says how much.
func (b *bodyReader) room() (int, error) {
	window := uint64(b.r.c.s.options.ReceiveWindow)
	for {
		b.r.mu.Lock()
		waiting := b.delivered - b.consumed
		gone := b.gone
		b.r.mu.Unlock()
		switch {
		case gone:
			return 0, errNobodyWants
		case b.buffered:
			return largestBody, nil
		case waiting < window:
			return int(min(window-waiting, largestBody)), nil
		}
		if b.ended.Load() {
			// The stream is not read now: a reset shows only to those who look.
			if err := b.r.x.wait(0); err != nil {
				return 0, err
			}
		}
		select {
		case <-b.wake:
		case <-b.done:
			return 0, errNobodyWants
		}
	}
}

// emit delivers an event about the body, unless nobody wants it any more.
func (b *bodyReader) emit(ev *sink.Event, meta, data []byte) bool {
	r := b.r
	rec, ok := r.c.sink.Reserve(sink.Bulk, sink.PayloadSize(len(meta), len(data)), b.done)
	if !ok {
		return false
	}
	copy(rec.Payload, meta)
	copy(rec.Payload[sink.DataOffset(len(meta)):], data)
	r.mu.Lock()
	wanted := !b.gone
	if wanted && ev.Type == sink.EventBody && !b.buffered {
		b.delivered += uint64(len(data))
	}
	if wanted && ev.Type == sink.EventBodyEnd {
		r.bodyDone = true
	}
	r.mu.Unlock()
	if !wanted {
		r.c.sink.Abort(rec)
		return false
	}
	ev.Object, ev.Parent, ev.Conn, ev.UserData = r.handle, r.c.s.handle, r.c.handle, r.userData
	r.c.sink.Commit(rec, ev)
	return true
}

// settle does what the end of the body calls for. r.mu is held, and given up in between where an event is emitted.
func (b *bodyReader) settle(err error) {
	r := b.r
	if err == io.EOF {
		trailers := r.x.trailers()
		r.mu.Unlock()
		b.emit(&sink.Event{Type: sink.EventBodyEnd, Aux: b.total, MetaLen: uint32(len(trailers))}, trailers, nil)
		r.mu.Lock()
		return
	}
	var (
		breach *wire.ConnectionError
		fields *wire.FieldError
		stream *wire.StreamError
	)
	protocol := outcome{code: sink.ErrProtocol, flags: sink.FlagAborted | sink.FlagRemote}
	switch {
	case errors.As(err, &breach):
		r.c.breach(breach.Code, breach.Reason)
		r.fail(protocol, breach.Code)
	case errors.As(err, &fields):
		if fields.Connection {
			r.c.breach(fields.Code, fields.Reason)
		}
		r.malformed(protocol, fields.Code)
	case errors.As(err, &stream):
		r.malformed(protocol, stream.Code)
	case errors.Is(err, errBodyTooLarge):
		r.tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		r.expire(408)
	default:
		r.broken(err)
	}
}

// malformed ends a request that was delivered before it showed that it is none. r.mu is held.
func (r *Request) malformed(o outcome, code http3.ErrCode) {
	if r.ended {
		return
	}
	r.c.stats.Add(sink.StatRequestsInvalid, 1)
	r.fail(o, code)
	r.c.gaveUp()
}

// tooLarge ends a request whose body grew over the limit after it was delivered. r.mu is held.
func (r *Request) tooLarge() {
	o := outcome{code: sink.ErrTooLarge, flags: sink.FlagAborted}
	if !r.begun && !r.ended {
		p := part{head: true, status: 413, length: 0, date: r.c.s.options.Date, end: true}
		if r.x.tryWrite(&p) == nil {
			r.status = 413
			r.conclude(o)
			return
		}
	}
	r.fail(o, http3.ErrCodeRequestCanceled)
}

// gather collects a body that is to be delivered with its request. It stops where the body ends (io.EOF) or where there is more of it
// than into holds (nil), and keeps the first bytes of that for run.
func (b *bodyReader) gather(into []byte) (n int, err error) {
	for err == nil && n < len(into) {
		var m int
		m, err = b.gatherSome(into[n:])
		n += m
	}
	for err == nil && len(b.extra) == 0 {
		more := make([]byte, 512)
		n, err := b.gatherSome(more)
		if n > 0 || err != nil {
			b.extra = more[:n]
			return len(into), err
		}
	}
	return n, err
}

func (b *bodyReader) gatherSome(p []byte) (int, error) {
	if err := b.r.x.wait(b.r.c.s.options.BodyTimeout); err != nil {
		return 0, err
	}
	return b.read(p)
}
