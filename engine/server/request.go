package server

import (
	"errors"
	"os"
	"sync"
	"time"

	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/datagram"
	"zigh3/engine/link"
	"zigh3/engine/message"
	"zigh3/engine/sink"
)

// A Request is one request and its response, from the REQUEST event to STREAM_CLOSED. Sink.Issue gets it as the object of a handle
// of KindRequest. Its exported methods never block, may be called by one goroutine at a time (the reactor), and do nothing once the
// request has ended.
//
// A request that is answered within milliseconds has no goroutine, no timer and no watch on its stream, and its memory is used
// again. That is safe only as long as nobody else holds it: whoever takes a request out of its connection's list shares its node.
type Request struct {
	link.Node
	c        *conn
	x        message.Framed
	flow     *datagram.Flow // nil: its route takes no datagrams
	handle   sink.Handle
	userData uint64
	isHead   bool // HEAD: the response's body is not sent

	mu       sync.Mutex
	begun    bool // a response was begun
	closing  bool // its end was given
	status   uint32
	forgot   bool // the consumer wants no terminal event
	ended    bool // how it ends is decided: nothing is written any more
	finished bool // terminate was called
	result   message.Outcome
	running  int // goroutines of its own: reader, writer
	bodyDone bool
	out      message.Outbox
	body     *body // nil: there is none, or it came with the request
	share    share // of the server's budget of buffered bodies
	unwatch  func() bool
	timer    *time.Timer
	part     message.Part // work space of Send
	event    sink.Event   // of terminate
}

var requests = sync.Pool{New: func() any { return new(Request) }}

func newRequest(c *conn) *Request {
	r := requests.Get().(*Request)
	r.c = c
	r.out.Init(r, &r.x, c.s.options.WriteTimeout)
	return r
}

// recycle gives back a request that nobody else holds.
func (r *Request) recycle() {
	out := r.out
	out.Reset()
	*r = Request{out: out}
	requests.Put(r)
}

// undelivered gives up a request that the consumer never heard of.
func (r *Request) undelivered() {
	if r.flow != nil {
		r.flow.Close()
	}
}

// openFlow gives the request its datagrams.
func (r *Request) openFlow(route uint32) {
	r.MarkShared()
	head := sink.Event{Type: sink.EventH3Datagram, Parent: r.c.Parent, Conn: r.c.Handle, Status: route}
	r.flow = r.c.datagrams.Open(r.x.ID(), head, r.commit)
}

// commit publishes an event about the request's datagrams unless it has ended.
func (r *Request) commit(rec sink.Record, ev *sink.Event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	ev.Object, ev.UserData = r.handle, r.userData
	r.c.Sink.Commit(rec, ev)
	return true
}

// SendDatagram queues a datagram of the request; data is valid during the call. What has waited for longer than maxAge is dropped; 0
// is no limit.
func (r *Request) SendDatagram(data []byte, maxAge time.Duration) {
	if r.flow != nil {
		r.flow.Send(data, maxAge)
	}
}

// DatagramOversized counts a datagram that was refused because it is larger than the limit.
func (r *Request) DatagramOversized() { r.c.Stats.Add(sink.StatDatagramsTooLarge, 1) }

// Lock implements message.Sender.
func (r *Request) Lock() { r.mu.Lock() }

// Unlock implements message.Sender. Whoever leaves last after the end was decided emits it.
func (r *Request) Unlock() {
	last := r.ended && r.running == 0 && !r.finished
	if last {
		r.finished = true
	}
	forgot := r.forgot // an answer may come just now
	r.mu.Unlock()
	if last {
		r.terminate(forgot)
	}
}

// conclude decides how the request ends; the first decision stays. r.mu is held.
func (r *Request) conclude(o message.Outcome) {
	if r.ended {
		return
	}
	r.ended, r.result = true, o
	r.out.Drop()
	if r.unwatch != nil {
		r.unwatch()
	}
	if r.timer != nil {
		r.timer.Stop()
	}
	if !r.bodyDone {
		r.bodyDone = true
		r.x.Stop(http3.ErrCodeNoError)
	}
	if r.body != nil {
		r.body.in.Quit()
	}
	r.share.give()
	if r.flow != nil {
		r.flow.Close()
	}
}

// fail ends the request early: the peer is told with code, the consumer with o. r.mu is held.
func (r *Request) fail(o message.Outcome, code http3.ErrCode) {
	if r.ended {
		return
	}
	r.x.Abort(code)
	r.bodyDone = true
	if r.begun {
		r.c.Stats.Add(sink.StatResponsesCut, 1)
	}
	r.conclude(o)
	switch {
	case o.Code == sink.ErrReset:
		r.c.Stats.Add(sink.StatRequestsReset, 1)
	case o.Code == sink.ErrTimeout:
		r.c.Stats.Add(sink.StatTimeouts, 1)
	}
}

// broken ends the request for an error of its stream. r.mu is held.
func (r *Request) broken(err error) {
	if r.ended {
		return
	}
	o := message.OutcomeOf(err)
	answered := r.closing
	r.fail(o, http3.ErrCodeRequestCanceled)
	if o.Code == sink.ErrReset && !answered {
		r.c.BrokenOff()
	}
}

// terminate emits the last event. The handle is stale before the consumer can see it, and the connection forgets the request only
// afterwards, so that its own end comes later.
func (r *Request) terminate(forgot bool) {
	c := r.c
	if forgot {
		c.Sink.Release(r.handle)
	} else {
		r.event = sink.Event{Type: sink.EventStreamClosed, Flags: r.result.Flags, Object: r.handle, Parent: c.Parent, Conn: c.Handle,
			UserData: r.userData, Code: r.result.Code, Status: r.status, Aux: r.result.Aux}
		rec, _ := c.Sink.Reserve(sink.Terminal, 0, nil)
		if c.Sink.Release(r.handle) {
			c.Sink.Commit(rec, &r.event)
		} else {
			c.Sink.Abort(rec) // its answer that forgets it came too late, and is on its way to nobody
		}
	}
	c.Stats.Sub(sink.StatRequestsActive)
	if c.Remove(&r.Node) {
		r.recycle()
	}
}

// aborted is told by the watch on the stream.
func (r *Request) aborted(cause error) {
	r.mu.Lock()
	r.broken(cause)
	r.Unlock()
}

// timedOut ends a request whose response was not begun in time.
func (r *Request) timedOut() {
	r.mu.Lock()
	if !r.begun { // just when its time was up
		r.expire(504)
	}
	r.Unlock()
}

// expire answers a request that took too long with status, if it can still be answered. r.mu is held.
func (r *Request) expire(status int) {
	if r.ended {
		return
	}
	o := message.Outcome{Code: sink.ErrTimeout, Flags: sink.FlagAborted}
	if r.answerInstead(status, o) {
		r.c.Stats.Add(sink.StatTimeouts, 1)
		return
	}
	r.fail(o, http3.ErrCodeRequestCanceled)
}

// answerInstead ends a request with an answer of the engine's, if its response has not begun. r.mu is held.
func (r *Request) answerInstead(status int, o message.Outcome) bool {
	if r.begun || r.ended {
		return false
	}
	p := message.Part{Head: true, Status: status, Length: 0, Date: r.c.s.options.Date, End: true}
	if r.isHead {
		p.Length = -1
	}
	if r.x.TryWrite(&p) != nil {
		return false
	}
	r.status = uint32(status)
	r.conclude(o)
	return true
}

// Cut implements link.Item.
func (r *Request) Cut(o message.Outcome) {
	r.mu.Lock()
	r.fail(o, http3.ErrCodeRequestCanceled)
	r.Unlock()
}

// Promote implements link.Item.
func (r *Request) Promote() {
	r.mu.Lock()
	if !r.ended {
		r.unwatch = r.x.Watch(r.aborted)
		if d := r.c.s.options.RequestTimeout; d > 0 && !r.begun {
			r.timer = time.AfterFunc(d, func() { sink.Guard("request timeout", r.timedOut) })
		}
	}
	r.Unlock()
}

// Begin implements message.Sender.
func (r *Request) Begin(name string, f func()) bool {
	r.running++
	r.c.Share(&r.Node)
	go sink.Guard(name, f)
	return true
}

// Leave implements message.Sender.
func (r *Request) Leave() { r.running-- }

// Left implements message.Sender.
func (r *Request) Left(p *message.Part, n int) {
	r.c.Account() // the sweeper looks only after connections on which requests come and go
	r.c.Stats.Add(sink.StatBodyBytesOut, uint64(n))
	if p.Counted {
		r.c.Sink.Drained(r.handle, n)
	}
}

// Atomic implements message.Sender.
func (r *Request) Atomic(int, error) {}

// Flushed implements message.Sender.
func (r *Request) Flushed() { r.conclude(message.Outcome{}) }

// Failed implements message.Sender.
func (r *Request) Failed(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		r.fail(message.Outcome{Code: sink.ErrTimeout, Flags: sink.FlagAborted}, http3.ErrCodeRequestCanceled)
		return
	}
	r.broken(err)
}

// Rested implements message.Sender.
func (r *Request) Rested() {}

// Over implements message.Sender.
func (r *Request) Over() bool { return r.ended }

// Reset gives the request up in both directions, with an HTTP/3 error code for the peer.
func (r *Request) Reset(code uint64) {
	r.mu.Lock()
	r.fail(message.Outcome{Code: sink.ErrCancelled, Flags: sink.FlagAborted}, http3.ErrCode(code))
	r.Unlock()
}

// Stop tells the peer that no more of the request's body is wanted. The response can still be given.
func (r *Request) Stop() {
	r.mu.Lock()
	r.unwanted()
	r.Unlock()
}

// unwanted stops the request's body where it has not ended. r.mu is held.
func (r *Request) unwanted() {
	if r.bodyDone {
		return
	}
	r.bodyDone = true
	r.x.Stop(http3.ErrCodeNoError)
	if r.body != nil {
		r.body.in.Quit()
	}
}

// Live calls f unless the request has ended; until f returns it does not end, and its handle is nobody else's.
func (r *Request) Live(f func()) {
	r.mu.Lock()
	if !r.ended {
		f()
	}
	r.Unlock()
}

// Consumed says that the consumer has dealt with n bytes of the body.
func (r *Request) Consumed(n uint64) {
	r.mu.Lock()
	if r.body != nil {
		r.body.in.Consumed(n)
	}
	r.Unlock()
}
