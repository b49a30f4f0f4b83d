package client

import (
	"errors"
	"os"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/link"
	"zigh3/engine/message"
	"zigh3/engine/sink"
)

// An exchange is one try of a fetch: on one stream of one connection, once it has them. The fetch's lock guards it. One that the fetch has
// left behind, for another, tells nothing any more.
type exchange struct {
	link.Node
	f *Fetch
	c *conn // nil: it waits
	x message.Framed

	out      message.Outbox
	in       message.Inbox
	begun    bool // the head was put
	sent     bool // our side is over: all of it is with QUIC, or the server wants no more
	received bool // the server's side is over, and the consumer knows it
	unwatch  func() bool
}

func newExchange(f *Fetch) *exchange {
	ex := &exchange{f: f}
	ex.MarkShared()
	ex.out.Init(ex, ex, f.client.options.WriteTimeout)
	return ex
}

// current reports whether the exchange still counts. f.mu is held.
func (ex *exchange) current() bool { return ex.f.ex == ex && !ex.f.ended }

// begin sends what there is, and has the response read. f.mu is held; the exchange is on its connection.
func (ex *exchange) begin() {
	f := ex.f
	window := f.client.options.ReceiveWindow
	if f.collect > 0 {
		window = 0
	}
	ex.in.Init(&f.mu, &ex.x, window, f.client.options.BodyTimeout)
	ex.x.OnEnd(ex.in.Ended)
	f.running++
	ex.c.Spawn("response", ex.read)
	if !ex.begun {
		ex.put(nil)
		return
	}
	ex.out.Kick()
}

// put sends a part, behind the head. f.mu is held.
func (ex *exchange) put(p *message.Part) {
	if !ex.begun {
		ex.begun = true
		head := ex.f.headPart()
		ex.out.Put(&head)
	}
	if p != nil && !ex.Over() {
		ex.out.Put(p)
	} else if p != nil {
		p.Body.Release()
	}
}

// over ends what the exchange does. f.mu is held.
func (ex *exchange) over() {
	ex.out.Drop()
	if ex.unwatch != nil {
		ex.unwatch()
	}
	if ex.c != nil && ex.in.Done() != nil {
		ex.in.Quit()
	}
}

// rejected is told that the server has not looked at the request, and will not: it is sent elsewhere, or ends.
func (ex *exchange) rejected(code uint64) {
	f := ex.f
	f.mu.Lock()
	ex.refused(code)
	f.unlock()
}

// refused is rejected with f.mu held.
func (ex *exchange) refused(code uint64) {
	f := ex.f
	if !ex.current() {
		return
	}
	if !f.mayRetry() {
		f.failed(message.Outcome{Code: sink.ErrRejected, Flags: sink.FlagAborted | sink.FlagRemote, Aux: code, Text: "the server has turned the request away unprocessed"},
			http3.ErrCodeRequestCanceled)
		return
	}
	ex.x.Abort(http3.ErrCodeRequestCanceled)
	f.left, f.again = ex, true
	f.queueLimit = time.Now().Add(f.client.options.QueueTimeout)
	f.ex = newExchange(f)
	ex.over()
}

// stopped is told that the server wants no more of the request. Its response comes all the same (RFC 9114, 4.1). f.mu is held.
func (ex *exchange) stopped(stop *quic.StreamError) {
	f := ex.f
	if ex.sent || !ex.current() {
		return
	}
	ex.sent = true
	n := ex.out.Drop()
	if !f.streamed {
		ex.finish()
		return
	}
	sink := f.client.sink
	if n > 0 {
		sink.Drained(f.handle, n)
	}
	ex.tellStopped(uint64(stop.ErrorCode))
	ex.finish()
}

// tellStopped emits STREAM_STOPPED. f.mu is held.
func (ex *exchange) tellStopped(code uint64) {
	f := ex.f
	f.heard = true
	rec, _ := f.client.sink.Reserve(sink.Terminal, 0, nil)
	f.client.sink.Commit(rec, f.event(&sink.Event{Type: sink.EventStreamStopped, Flags: sink.FlagRemote, Aux: code}, ex.c))
}

// finish ends the fetch in the regular way once both sides have ended. f.mu is held.
func (ex *exchange) finish() {
	if ex.sent && ex.received && ex.current() {
		ex.f.conclude(message.Outcome{})
	}
}

// broken ends the fetch for an error of its stream. f.mu is held.
func (ex *exchange) broken(err error) {
	if !ex.current() {
		return
	}
	var stream *quic.StreamError
	if errors.As(err, &stream) && stream.Remote && stream.ErrorCode == quic.StreamErrorCode(http3.ErrCodeRequestRejected) {
		ex.refused(uint64(stream.ErrorCode))
		return
	}
	ex.f.failed(message.OutcomeOf(err), http3.ErrCodeRequestCanceled)
}

// Cut implements link.Item.
func (ex *exchange) Cut(o message.Outcome) {
	f := ex.f
	f.mu.Lock()
	if ex.current() {
		o.Flags |= sink.FlagAborted
		f.failed(o, http3.ErrCodeRequestCanceled)
	}
	f.unlock()
}

// Promote implements link.Item: what lasts gets a watch for a server that wants no more of the request, and its time limits.
func (ex *exchange) Promote() {
	f := ex.f
	f.mu.Lock()
	if ex.current() {
		if !ex.sent {
			ex.unwatch = ex.x.Watch(ex.cannotSend)
		}
		f.arm()
	}
	f.unlock()
}

// cannotSend is told by the watch.
func (ex *exchange) cannotSend(cause error) {
	f := ex.f
	f.mu.Lock()
	ex.Failed(cause)
	f.unlock()
}

// TryWrite implements message.Line.
func (ex *exchange) TryWrite(p *message.Part) error {
	if ex.c == nil {
		return quic.ErrWouldBlock
	}
	return ex.x.TryWrite(p)
}

// Write implements message.Line. Only a writer calls it, and there is one only on a stream.
func (ex *exchange) Write(p *message.Part, stall time.Duration, progress func(n int)) error {
	return ex.x.Write(p, stall, progress)
}

// Lock implements message.Sender.
func (ex *exchange) Lock() { ex.f.mu.Lock() }

// Unlock implements message.Sender.
func (ex *exchange) Unlock() { ex.f.unlock() }

// Begin implements message.Sender: there is nobody to write as long as there is no stream.
func (ex *exchange) Begin(name string, run func()) bool {
	if ex.c == nil {
		return false
	}
	ex.f.running++
	ex.c.Spawn(name, run)
	return true
}

// Leave implements message.Sender.
func (ex *exchange) Leave() { ex.f.running-- }

// Left implements message.Sender.
func (ex *exchange) Left(p *message.Part, n int) {
	ex.c.Account()
	ex.c.Stats.Add(sink.StatBodyBytesOut, uint64(n))
	if p.Counted {
		ex.f.client.sink.Drained(ex.f.handle, n)
	}
}

// Atomic implements message.Sender.
func (ex *exchange) Atomic(int, error) {}

// Flushed implements message.Sender.
func (ex *exchange) Flushed() {
	ex.sent = true
	ex.finish()
}

// Failed implements message.Sender.
func (ex *exchange) Failed(err error) {
	var stop *quic.StreamError
	switch {
	case !ex.current():
	case errors.Is(err, os.ErrDeadlineExceeded) && ex.received:
		ex.x.S.CancelWrite(quic.StreamErrorCode(http3.ErrCodeNoError)) // the response is there, and nobody reads the request
		ex.sent = true
		ex.finish()
	case errors.Is(err, os.ErrDeadlineExceeded):
		ex.f.failed(message.Outcome{Code: sink.ErrTimeout, Flags: sink.FlagAborted, Text: "the server has taken nothing for write_timeout_ms"}, http3.ErrCodeRequestCanceled)
	case errors.As(err, &stop) && stop.Remote:
		ex.stopped(stop)
	default:
		ex.broken(err)
	}
}

// Rested implements message.Sender.
func (ex *exchange) Rested() {}

// Over implements message.Sender.
func (ex *exchange) Over() bool { return ex.sent || !ex.current() }
