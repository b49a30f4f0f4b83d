package client

import (
	"errors"
	"os"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/datagram"
	"zigh3/engine/link"
	"zigh3/engine/message"
	"zigh3/engine/sink"
)

// A try is one sending of a fetch: on one stream of one connection, once it has them. The fetch's lock guards it. One that the fetch has
// left behind, for another, tells nothing any more.
type try struct {
	link.Node
	f *Fetch
	c *conn // nil: it waits
	x message.Framed

	flow     *datagram.Flow // nil: it has no datagrams
	out      message.Outbox
	in       message.Inbox // once the response has a goroutine of its own
	reading  reading
	early    bool // it went out as early data
	begun    bool // the head was put
	sent     bool // our side is over: all of it is with QUIC, or the server wants no more
	received bool // the server's side is over, and the consumer knows it
	unwatch  func() bool
}

func (tr *try) init(f *Fetch) *try {
	tr.f = f
	tr.MarkShared()
	tr.out.Init(tr, tr, f.client.options.WriteTimeout)
	return tr
}

// current reports whether the try still counts. f.mu is held.
func (tr *try) current() bool { return tr.f.try == tr && !tr.f.ended }

// begin sends what there is, and has the response read. f.mu is held; the try is on its connection.
func (tr *try) begin() {
	f := tr.f
	if f.flows {
		tr.flow = tr.c.datagrams.Open(tr.x.ID(), sink.Event{Type: sink.EventH3Datagram, Parent: f.client.handle, Conn: tr.c.Handle}, tr.commit)
		tr.flow.Announce(f.handle)
		tr.flow.Start()
	}
	if !tr.begun {
		tr.put(nil)
	} else {
		tr.out.Kick()
	}
	if tr.current() {
		f.running++
		tr.c.expect(tr)
	}
}

// put sends a part, behind the head. f.mu is held.
func (tr *try) put(p *message.Part) {
	if !tr.begun {
		tr.begun = true
		tr.out.Put(tr.f.headPart())
	}
	if p != nil && !tr.Over() {
		tr.out.Put(p)
	} else if p != nil {
		p.Body.Release()
	}
}

// over ends what the try does. f.mu is held.
func (tr *try) over() {
	tr.out.Drop()
	if tr.unwatch != nil {
		tr.unwatch()
	}
	if tr.flow != nil {
		tr.flow.Close()
	}
	if tr.in.Done() != nil {
		tr.in.Quit()
	}
	if tr.c != nil && tr.c.forgo(tr) {
		tr.f.running--
	}
}

// commit publishes an event about the fetch's datagrams unless it has ended.
func (tr *try) commit(rec sink.Record, ev *sink.Event) bool {
	f := tr.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if !tr.current() {
		return false
	}
	f.client.sink.Commit(rec, f.complete(ev, tr.c))
	return true
}

// rejected is told that the server has not looked at the request, and will not: it is sent elsewhere, or ends.
func (tr *try) rejected(code uint64) {
	f := tr.f
	f.mu.Lock()
	tr.refused(code)
	f.unlock()
}

// refused is rejected with f.mu held.
func (tr *try) refused(code uint64) {
	f := tr.f
	if !tr.current() {
		return
	}
	if !f.mayRetry() {
		f.failed(message.Outcome{Code: sink.ErrRejected, Flags: sink.FlagAborted | sink.FlagRemote, Aux: code, Text: "the server has turned the request away unprocessed"},
			http3.ErrCodeRequestCanceled)
		return
	}
	tr.x.Abort(http3.ErrCodeRequestCanceled)
	f.left, f.again = tr, true
	f.queueLimit = time.Now().Add(f.client.options.QueueTimeout)
	f.try = new(try).init(f)
	tr.over()
}

// stopped is told that the server wants no more of the request. Its response comes all the same (RFC 9114, 4.1). f.mu is held.
func (tr *try) stopped(stop *quic.StreamError) {
	f := tr.f
	if tr.sent || !tr.current() {
		return
	}
	tr.sent = true
	n := tr.out.Drop()
	if !f.streamed {
		tr.finish()
		return
	}
	sink := f.client.sink
	if n > 0 {
		sink.Drained(f.handle, n)
	}
	tr.tellStopped(uint64(stop.ErrorCode))
	tr.finish()
}

// tellStopped emits STREAM_STOPPED. f.mu is held.
func (tr *try) tellStopped(code uint64) {
	f := tr.f
	f.heard = true
	rec, _ := f.client.sink.Reserve(sink.Terminal, 0, nil)
	f.client.sink.Commit(rec, f.complete(&sink.Event{Type: sink.EventStreamStopped, Flags: sink.FlagRemote, Aux: code}, tr.c))
}

// finish ends the fetch in the regular way once both sides have ended. f.mu is held.
func (tr *try) finish() {
	if tr.sent && tr.received && tr.current() {
		tr.f.conclude(message.Outcome{})
	}
}

// broken ends the fetch for an error of its stream. f.mu is held.
func (tr *try) broken(err error) {
	if !tr.current() {
		return
	}
	var stream *quic.StreamError
	if errors.As(err, &stream) && stream.Remote && stream.ErrorCode == quic.StreamErrorCode(http3.ErrCodeRequestRejected) {
		tr.refused(uint64(stream.ErrorCode))
		return
	}
	if tr.resend(err) {
		return
	}
	o := message.OutcomeOf(err)
	if tr.c.turnedAway(err) {
		o = tr.f.turnedAway()
	}
	tr.f.failed(o, http3.ErrCodeRequestCanceled)
}

// Cut implements link.Item.
func (tr *try) Cut(o message.Outcome) {
	f := tr.f
	f.mu.Lock()
	if tr.current() && !tr.resend(nil) {
		if tr.c.turnedAway(nil) {
			o = f.turnedAway()
		}
		o.Flags |= sink.FlagAborted
		f.failed(o, http3.ErrCodeRequestCanceled)
	}
	f.unlock()
}

// Promote implements link.Item: what lasts gets a watch for a server that wants no more of the request, and its time limits.
func (tr *try) Promote() {
	f := tr.f
	f.mu.Lock()
	if tr.current() {
		if !tr.sent {
			tr.unwatch = tr.x.Watch(tr.cannotSend)
		}
		f.arm()
	}
	f.unlock()
}

// cannotSend is told by the watch.
func (tr *try) cannotSend(cause error) {
	f := tr.f
	f.mu.Lock()
	tr.Failed(cause)
	f.unlock()
}

// TryWrite implements message.Line.
func (tr *try) TryWrite(p *message.Part) error {
	if tr.c == nil {
		return quic.ErrWouldBlock
	}
	return tr.x.TryWrite(p)
}

// Write implements message.Line. Only a writer calls it, and there is one only on a stream.
func (tr *try) Write(p *message.Part, stall time.Duration, progress func(n int)) error {
	return tr.x.Write(p, stall, progress)
}

// Lock implements message.Sender.
func (tr *try) Lock() { tr.f.mu.Lock() }

// Unlock implements message.Sender.
func (tr *try) Unlock() { tr.f.unlock() }

// Begin implements message.Sender: there is nobody to write as long as there is no stream.
func (tr *try) Begin(name string, run func()) bool {
	if tr.c == nil {
		return false
	}
	tr.f.running++
	tr.c.Spawn(name, run)
	return true
}

// Leave implements message.Sender.
func (tr *try) Leave() { tr.f.running-- }

// Left implements message.Sender.
func (tr *try) Left(p *message.Part, n int) {
	tr.c.Account()
	tr.c.Stats.Add(sink.StatBodyBytesOut, uint64(n))
	if p.Counted {
		tr.f.client.sink.Drained(tr.f.handle, n)
	}
}

// Atomic implements message.Sender.
func (tr *try) Atomic(int, error) {}

// Flushed implements message.Sender.
func (tr *try) Flushed() {
	tr.sent = true
	tr.finish()
}

// Failed implements message.Sender.
func (tr *try) Failed(err error) {
	var stop *quic.StreamError
	switch {
	case !tr.current():
	case errors.Is(err, os.ErrDeadlineExceeded) && tr.received:
		tr.x.S.CancelWrite(quic.StreamErrorCode(http3.ErrCodeNoError)) // the response is there, and nobody reads the request
		tr.sent = true
		tr.finish()
	case errors.Is(err, os.ErrDeadlineExceeded):
		tr.f.failed(message.Outcome{Code: sink.ErrTimeout, Flags: sink.FlagAborted, Text: "the server has taken nothing for write_timeout_ms"}, http3.ErrCodeRequestCanceled)
	case errors.As(err, &stop) && stop.Remote:
		tr.stopped(stop)
	default:
		tr.broken(err)
	}
}

// Rested implements message.Sender.
func (tr *try) Rested() {}

// Over implements message.Sender.
func (tr *try) Over() bool { return tr.sent || !tr.current() }
