package client

import (
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/link"
	"zigh3/engine/message"
	"zigh3/engine/sink"
)

// A ConnectRequest is which origin a connection is wanted to. What it points to is valid during the call that takes it.
type ConnectRequest struct {
	Authority string // host, and port if it is not 443, as they stand in the URL
	UserData  uint64
}

// A Connecting is the wish for a connection, from the call to CONNECT_DONE. Its exported methods never block, may be called by one goroutine at a
// time (the reactor), and do nothing once it has ended.
type Connecting struct {
	link.Node
	waiter
	client   *Client
	handle   sink.Handle
	userData uint64

	mu    sync.Mutex
	tries int // connections that were there, and were gone
	ended bool
	timer *time.Timer // nil: it has not waited
}

// Connect sees to it that there is a connection to an origin, for fetches that come later, and binds the wish to h, a handle that the consumer's
// side has given out. Its one event is CONNECT_DONE: with the connection, which may have been there before, or the reason why there is none. What
// keeps the connection is what keeps any other: after idle_connection_ms without a fetch it is closed.
func (c *Client) Connect(h sink.Handle, r *ConnectRequest) {
	w := &Connecting{client: c, handle: h, userData: r.UserData}
	w.taker = w
	w.MarkShared()
	if !c.sink.IssueFor(h, w) {
		return
	}
	var err error
	if w.key, err = originOf(r.Authority); err != nil {
		w.finish(nil, refusal(err), false)
		return
	}
	if !c.pool.enter() {
		w.finish(nil, errShutdown, false)
		return
	}
	c.pool.wish(&w.waiter)
}

// send implements taker: there is a connection. The event is among those that the connection's end comes behind.
func (w *Connecting) send(c *conn, _ *quic.Stream) {
	w.mu.Lock()
	if w.ended {
		w.mu.Unlock()
		return
	}
	if c.Add(&w.Node, w) {
		w.end()
		w.mu.Unlock()
		w.finish(c, message.Outcome{}, true)
		return
	}
	w.tries++
	again := w.tries < mostTries
	w.mu.Unlock()
	if again {
		w.client.pool.wish(&w.waiter)
		return
	}
	w.fail(errGoneAtOnce)
}

// fail implements taker.
func (w *Connecting) fail(o message.Outcome) {
	w.mu.Lock()
	ended := w.ended
	w.end()
	w.mu.Unlock()
	if !ended {
		w.finish(nil, o, true)
	}
}

// end decides that it ends. w.mu is held.
func (w *Connecting) end() {
	w.ended = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

// waits implements taker.
func (w *Connecting) waits() {
	w.mu.Lock()
	ended := w.ended
	if !ended && w.timer == nil {
		w.timer = time.AfterFunc(w.client.options.QueueTimeout, func() { sink.Guard("connect timeout", func() { w.fail(errPoolTimeout) }) })
	}
	w.mu.Unlock()
	if ended {
		w.client.pool.gone(&w.waiter)
	}
}

// Cancel gives the wish up. A connection that is being made for it alone comes to be all the same, and is kept as any other.
func (w *Connecting) Cancel() {
	w.fail(message.Outcome{Code: sink.ErrCancelled, Flags: sink.FlagAborted})
}

// finish emits the one event.
func (w *Connecting) finish(on *conn, o message.Outcome, counted bool) {
	c := w.client
	c.pool.gone(&w.waiter)
	ev := sink.Event{Type: sink.EventConnectDone, Flags: o.Flags, Object: w.handle, Parent: c.handle, UserData: w.userData, Code: o.Code, Aux: o.Aux}
	if on != nil {
		ev.Conn = on.Handle
	}
	text := o.Text[:min(len(o.Text), 1<<10)]
	ev.DataLen = uint32(len(text))
	rec, _ := c.sink.Reserve(sink.Terminal, len(text), nil)
	copy(rec.Payload, text)
	if c.sink.Release(w.handle) {
		c.sink.Commit(rec, &ev)
	} else {
		c.sink.Abort(rec)
	}
	if on != nil {
		on.Remove(&w.Node)
	}
	if counted {
		c.pool.leave()
	}
}

// Cut implements link.Item: the event is on its way.
func (w *Connecting) Cut(message.Outcome) {}

// Promote implements link.Item.
func (w *Connecting) Promote() {}
