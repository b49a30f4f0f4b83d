package server

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/message"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A body is that of a request which was not complete at once. The goroutine of the request's stream delivers it.
type body struct {
	r        *Request
	in       message.Inbox
	buffered bool  // the route wants bodies whole, needs no credit and has a limit
	expected int64 // content-length, -1 if none was given
	total    uint64
	extra    []byte // gathered, but too much for the REQUEST event

	// Of a buffered one.
	limit  uint64        // bytes that it can have
	taken  int64         // of the server's budget, for what is read next
	whole  bool          // all of it was read: it takes no more of the budget
	ended  chan struct{} // closed once the peer's side has ended
	ending sync.Once
}

func newBody(r *Request, expected int64, buffered bool) *body {
	b := &body{r: r, expected: expected, buffered: buffered}
	o := r.c.s.options
	if !buffered {
		b.in.Init(&r.mu, &r.x, o.ReceiveWindow, o.BodyTimeout)
		r.x.OnEnd(b.in.Ended)
		return b
	}
	b.limit, b.ended = uint64(o.MaxRequestBodySize), make(chan struct{})
	if expected >= 0 {
		b.limit = min(b.limit, uint64(expected))
	}
	r.c.s.bodies.open(&r.share, r.c, int64(b.limit))
	b.in.Init(&r.mu, b, 0, o.BodyTimeout)
	r.x.OnEnd(func() { b.ending.Do(func() { close(b.ended) }) })
	return b
}

// run delivers the body behind the REQUEST event.
func (b *body) run() {
	r := b.r
	err := b.deliver()
	r.mu.Lock()
	if !b.in.Gone() {
		b.settle(err)
	}
	r.running--
	r.Unlock()
}

func (b *body) deliver() error {
	if n := len(b.extra); n > 0 {
		extra := b.extra
		b.extra = nil
		if !b.emit(&sink.Event{Type: sink.EventBody, DataLen: uint32(n), Aux: b.total - uint64(n)}, nil, extra) {
			return message.ErrUnwanted
		}
	}
	return b.in.Run(b.give)
}

// give takes body bytes that have come, and delivers them.
func (b *body) give(data []byte, end bool) error {
	if err := b.check(len(data), end); err != nil {
		return err
	}
	if len(data) > 0 && !b.emit(&sink.Event{Type: sink.EventBody, DataLen: uint32(len(data)), Aux: b.total - uint64(len(data))}, nil, data) {
		return message.ErrUnwanted
	}
	return nil
}

// check counts n more bytes and holds them against content-length and limits.
func (b *body) check(n int, end bool) error {
	c := b.r.c
	b.total += uint64(n)
	c.Stats.Add(sink.StatBodyBytesIn, uint64(n))
	c.Account()
	switch {
	case b.expected >= 0 && b.total > uint64(b.expected), end && b.expected >= 0 && b.total < uint64(b.expected):
		return errBodyLength
	case b.buffered && b.total > uint64(c.s.options.MaxRequestBodySize):
		return errBodyTooLarge
	}
	return nil
}

var (
	errBodyTooLarge = errors.New("the body is larger than the limit")
	errBodyLate     = errors.New("the body did not come in time")
	errNoRoom       = errors.New("there is no room for more buffered bodies")
)

// Wait implements message.Source for a buffered body: it waits for bytes, and then for room in the server's budget, so that nothing is read
// that there is no room for.
func (b *body) Wait(timeout time.Duration) error {
	if err := b.arrive(timeout); err != nil || b.whole {
		return err
	}
	b.taken = int64(min(message.LargestPiece, b.limit-b.total))
	wait := b.r.share.take(b.taken)
	if wait == nil {
		return nil
	}
	timer := time.NewTimer(b.r.c.s.options.BodyTimeout)
	defer timer.Stop()
	for ended := b.ended; ; {
		var err error
		select {
		case <-wait:
			return b.admitted()
		case <-timer.C:
			err = errNoRoom
		case <-b.in.Done():
			err = message.ErrUnwanted
		case <-b.r.c.Done:
			err = context.Cause(b.r.c.QUIC.Context())
		case <-ended:
			ended = nil
			if err = b.r.x.Wait(0); err == nil { // that was no reset: the bytes that are there still count
				continue
			}
		}
		if b.r.share.withdraw() {
			return err
		}
		return b.admitted()
	}
}

// admitted says what the wait for room has come to.
func (b *body) admitted() error {
	if !b.r.share.came() {
		return errNoRoom
	}
	return nil
}

// stalled is how long a body that has begun may get nothing before it is held against others of its connection, which wait for room.
const stalled = time.Second

// arrive waits for bytes of the peer's.
func (b *body) arrive(timeout time.Duration) error {
	for {
		step := min(stalled, timeout)
		timeout -= step
		if err := b.r.x.Wait(step); timeout == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		b.r.share.unblock()
	}
}

// Read implements message.Source for a buffered body: it reads as much as there is room for.
func (b *body) Read(p []byte) (int, error) {
	room := uint64(b.taken)
	if room == b.limit-b.total {
		room += wire.MaxFrameHead // before the last bytes; and beyond them, where the body is too long
	}
	n, err := b.r.x.Read(p[:min(uint64(len(p)), room)])
	b.r.share.put(max(0, b.taken-int64(n)))
	b.taken = 0
	b.whole = err == io.EOF
	if b.whole || b.total+uint64(n) >= b.limit {
		b.r.share.complete()
	}
	return n, err
}

// emit delivers an event about the body, unless nobody wants it any more.
func (b *body) emit(ev *sink.Event, meta, data []byte) bool {
	r := b.r
	rec, ok := r.c.Sink.Reserve(sink.Bulk, sink.PayloadSize(len(meta), len(data)), b.in.Done())
	if !ok {
		return false
	}
	copy(rec.Payload, meta)
	copy(rec.Payload[sink.DataOffset(len(meta)):], data)
	r.mu.Lock()
	wanted := !b.in.Gone()
	if wanted && ev.Type == sink.EventBody && !b.buffered {
		b.in.Delivered(len(data))
	}
	if wanted && ev.Type == sink.EventBodyEnd {
		r.bodyDone = true
	}
	r.mu.Unlock()
	if !wanted {
		r.c.Sink.Abort(rec)
		return false
	}
	ev.Object, ev.Parent, ev.Conn, ev.UserData = r.handle, r.c.Parent, r.c.Handle, r.userData
	r.c.Sink.Commit(rec, ev)
	return true
}

// settle does what the end of the body calls for. r.mu is held, and given up in between where an event is emitted.
func (b *body) settle(err error) {
	r := b.r
	if err == io.EOF {
		trailers := r.x.Trailers()
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
	switch {
	case errors.As(err, &breach):
		r.c.Breach(breach.Code, breach.Reason)
		r.fail(protocolBroken, breach.Code)
	case errors.As(err, &fields):
		if fields.Connection {
			r.c.Breach(fields.Code, fields.Reason)
		}
		r.invalid(fields.Code)
	case errors.As(err, &stream):
		r.invalid(stream.Code)
	case errors.Is(err, errBodyTooLarge):
		r.tooMuch(413, sink.ErrTooLarge)
	case errors.Is(err, errNoRoom):
		r.tooMuch(503, sink.ErrLimit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		r.expire(408)
	default:
		r.broken(err)
	}
}

var protocolBroken = message.Outcome{Code: sink.ErrProtocol, Flags: sink.FlagAborted | sink.FlagRemote}

// invalid ends a request that its peer has broken after it was delivered. That costs the peer as little as a reset. r.mu is held.
func (r *Request) invalid(code http3.ErrCode) {
	if r.ended {
		return
	}
	answered := r.closing
	r.c.Stats.Add(sink.StatRequestsInvalid, 1)
	r.fail(protocolBroken, code)
	if !answered {
		r.c.BrokenOff()
	}
}

// tooMuch ends a request whose body grew over a limit after it was delivered: its own, or that of all bodies. r.mu is held.
func (r *Request) tooMuch(status int, code sink.Code) {
	o := message.Outcome{Code: code, Flags: sink.FlagAborted}
	if !r.answerInstead(status, o) {
		r.fail(o, http3.ErrCodeRequestCanceled)
	}
}

// gather collects a body that is to be delivered with its request, as far as one event holds. It stops where the body ends (io.EOF) or where
// there is more of it (nil), and keeps the first bytes of that for run. What is held grows with what comes.
func (b *body) gather() (first []byte, err error) {
	for err == nil && len(b.extra) == 0 {
		if err = b.Wait(b.in.Timeout()); err == nil {
			first, err = b.gatherSome(first)
		}
	}
	return first, err
}

func (b *body) gatherSome(first []byte) ([]byte, error) {
	room := message.LargestPiece - len(first)
	if room == 0 {
		more := make([]byte, 512)
		n, err := b.Read(more)
		b.extra = more[:n]
		return first, b.gathered(n, err)
	}
	piece := message.GetPiece()
	n, err := b.Read(piece[:room])
	first = append(first, piece[:n]...)
	message.PutPiece(piece)
	return first, b.gathered(n, err)
}

// gathered checks what was read.
func (b *body) gathered(n int, err error) error {
	if err != nil && err != io.EOF {
		return err
	}
	if cerr := b.check(n, err == io.EOF); cerr != nil {
		return cerr
	}
	return err
}
