package engine

import (
	"sync"
	"time"

	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/sink"
)

// A Request is one request and its response, from the REQUEST event to STREAM_CLOSED. Sink.Issue gets it as the object of a handle
// of KindRequest. Its exported methods never block, may be called by one goroutine at a time (the reactor), and do nothing once the
// request has ended.
//
// A request that is answered within milliseconds has no goroutine, no timer and no watch on its stream, and its memory is used
// again. That is safe only as long as nobody else holds it: whoever takes a request out of its connection's list sets shared.
type Request struct {
	c         *conn
	x         exchange
	raw       rawStream    // what x is on the first kind of connection
	h3        h3Stream     // and on the second
	datagrams *h3Datagrams // nil: its route takes none
	handle    sink.Handle
	userData  uint64
	isHead    bool // HEAD: the response's body is not sent

	// Under c.mu.
	next, prev *Request
	tick       uint32 // of the sweep, when it was delivered
	shared     bool   // others than the reactor know it

	mu       sync.Mutex
	begun    bool // a response was begun
	closing  bool // its end was given
	status   uint32
	forgot   bool // the consumer wants no terminal event
	ended    bool // how it ends is decided: nothing is written any more
	finished bool // terminate was called
	result   outcome
	running  int // goroutines of its own: reader, writer
	bodyDone bool
	inline   int // bytes that went out without waiting
	queue    []part
	writing  bool // the writer runs
	reader   *bodyReader
	unwatch  func() bool
	timer    *time.Timer
	out      part       // work space of Send
	event    sink.Event // of terminate
}

var requests = sync.Pool{New: func() any { return new(Request) }}

func newRequest(c *conn) *Request {
	r := requests.Get().(*Request)
	r.c = c
	return r
}

// recycle gives back a request that nobody else holds.
func (r *Request) recycle() {
	queue := r.queue[:0]
	*r = Request{queue: queue}
	requests.Put(r)
}

// unlock ends a critical section. Whoever leaves last after the end was decided emits it.
func (r *Request) unlock() {
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
func (r *Request) conclude(o outcome) {
	if r.ended {
		return
	}
	r.ended, r.result = true, o
	for i := range r.queue {
		r.queue[i].body.Release()
		r.queue[i] = part{}
	}
	r.queue = r.queue[:0]
	if r.unwatch != nil {
		r.unwatch()
	}
	if r.timer != nil {
		r.timer.Stop()
	}
	if !r.bodyDone {
		r.bodyDone = true
		r.x.stop(http3.ErrCodeNoError)
	}
	if r.reader != nil {
		r.reader.quit()
	}
	if r.datagrams != nil {
		r.datagrams.close()
	}
}

// fail ends the request early: the peer is told with code, the consumer with o. r.mu is held.
func (r *Request) fail(o outcome, code http3.ErrCode) {
	if r.ended {
		return
	}
	r.x.abort(code)
	r.bodyDone = true
	if r.begun {
		r.c.stats.Add(sink.StatResponsesCut, 1)
	}
	r.conclude(o)
	switch {
	case o.code == sink.ErrReset:
		r.c.stats.Add(sink.StatRequestsReset, 1)
	case o.code == sink.ErrTimeout:
		r.c.stats.Add(sink.StatTimeouts, 1)
	}
}

// broken ends the request for an error of its stream. r.mu is held.
func (r *Request) broken(err error) {
	if r.ended {
		return
	}
	o := outcomeOf(err)
	r.fail(o, http3.ErrCodeRequestCanceled)
	if o.code == sink.ErrReset {
		r.c.gaveUp()
	}
}

// terminate emits the last event. The handle is stale before the consumer can see it, and the connection forgets the request only
// afterwards, so that its own end comes later.
func (r *Request) terminate(forgot bool) {
	c := r.c
	if forgot {
		c.sink.Release(r.handle)
	} else {
		r.event = sink.Event{Type: sink.EventStreamClosed, Flags: r.result.flags, Object: r.handle, Parent: c.s.handle, Conn: c.handle,
			UserData: r.userData, Code: r.result.code, Status: r.status, Aux: r.result.aux}
		rec, _ := c.sink.Reserve(sink.Terminal, 0, nil)
		if c.sink.Release(r.handle) {
			c.sink.Commit(rec, &r.event)
		} else {
			c.sink.Abort(rec) // its answer that forgets it came too late, and is on its way to nobody
		}
	}
	c.stats.Sub(sink.StatRequestsActive)
	if c.remove(r) {
		r.recycle()
	}
}

// aborted is told by the watch on the stream.
func (r *Request) aborted(cause error) {
	r.mu.Lock()
	r.broken(cause)
	r.unlock()
}

// timedOut ends a request whose response was not begun in time.
func (r *Request) timedOut() {
	r.mu.Lock()
	r.expire(504)
	r.unlock()
}

// expire answers a request that took too long with status, if it can still be answered. r.mu is held.
func (r *Request) expire(status int) {
	if r.ended {
		return
	}
	o := outcome{code: sink.ErrTimeout, flags: sink.FlagAborted}
	if !r.begun {
		p := part{head: true, status: status, length: 0, date: r.c.s.options.Date, end: true}
		if r.isHead {
			p.length = -1
		}
		if r.x.tryWrite(&p) == nil {
			r.status = uint32(status)
			r.c.stats.Add(sink.StatTimeouts, 1)
			r.conclude(o)
			return
		}
	}
	r.fail(o, http3.ErrCodeRequestCanceled)
}

// cut ends the request because its connection or its server has.
func (r *Request) cut(o outcome) {
	r.mu.Lock()
	r.fail(o, http3.ErrCodeRequestCanceled)
	r.unlock()
}

// promote sets up what only a request needs that lasts. It is called once, by the sweep.
func (r *Request) promote() {
	r.mu.Lock()
	if !r.ended {
		r.unwatch = r.x.watch(r.aborted)
		if d := r.c.s.options.RequestTimeout; d > 0 && !r.begun {
			r.timer = time.AfterFunc(d, func() { sink.Guard("request timeout", r.timedOut) })
		}
	}
	r.unlock()
}

// Reset gives the request up in both directions, with an HTTP/3 error code for the peer.
func (r *Request) Reset(code uint64) {
	r.mu.Lock()
	r.fail(outcome{code: sink.ErrCancelled, flags: sink.FlagAborted}, http3.ErrCode(code))
	r.unlock()
}

// Stop tells the peer that no more of the request's body is wanted. The response can still be given.
func (r *Request) Stop() {
	r.mu.Lock()
	if !r.bodyDone {
		r.bodyDone = true
		r.x.stop(http3.ErrCodeNoError)
		if r.reader != nil {
			r.reader.quit()
		}
	}
	r.unlock()
}

// Live calls f unless the request has ended; until f returns it does not end, and its handle is nobody else's.
func (r *Request) Live(f func()) {
	r.mu.Lock()
	if !r.ended {
		f()
	}
	r.unlock()
}

// Consumed says that the consumer has dealt with n bytes of the body.
func (r *Request) Consumed(n uint64) {
	r.mu.Lock()
	if r.reader != nil {
		r.reader.credit(n)
	}
	r.unlock()
}
