package client

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/message"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A Fetch is a request and its response, from the call to FETCH_DONE. Its exported methods never block, may be called by one goroutine at a
// time (the reactor), and do nothing once it has ended.
type Fetch struct {
	client   *Client
	handle   sink.Handle
	userData uint64
	waiter
	head        []byte // packed
	headSize    int    // as RFC 9114, 4.2.2 counts
	isHead      bool   // HEAD: the response has no body
	measured    bool   // POST, PUT, PATCH: content-length says also that there is no body (RFC 9110, 8.6)
	flows       bool   // it has datagrams
	streamed    bool   // the body is written in parts: it cannot be sent a second time
	safe        bool   // it does no harm that comes twice, and is all there
	body        *kept  // the body, or its begin; nil: none
	priority    wire.Priority
	hasPriority bool
	collect     uint64 // the most bytes of the response's body, which need no credit; 0: by credit

	// When it is given up; zero: never.
	queueLimit    time.Time // as long as it waits
	responseLimit time.Time // until the response's head
	requestLimit  time.Time

	mu       sync.Mutex
	try      *try // the one that counts
	tries    int  // streams that it was sent on
	closing  bool // the end of the body was given
	heard    bool // the consumer knows something of a response
	answered bool // its head
	status   uint32
	left     *try // given up: the pool is to hear of it
	again    bool // to be submitted again
	ended    bool // how it ends is decided
	finished bool // terminate was called
	result   message.Outcome
	running  int // that have to do with its tries: goroutines, and the wait for a response
	timer    *time.Timer

	// Memory of what nearly every fetch needs once.
	first try
	part  message.Part
	event sink.Event
}

// mostTries is how often a fetch is sent: each time a server has said that it did not look at it.
const mostTries = 4

var (
	errShutdown    = message.Outcome{Code: sink.ErrShutdown, Flags: sink.FlagAborted, Text: "the client was closed"}
	errQueueFull   = message.Outcome{Code: sink.ErrQueueFull, Flags: sink.FlagAborted, Text: "max_queued fetches wait already"}
	errLargeHead   = message.Outcome{Code: sink.ErrTooLarge, Flags: sink.FlagAborted, Text: "the server does not take header fields of this size"}
	errPoolTimeout = message.Outcome{Code: sink.ErrPoolTimeout, Flags: sink.FlagAborted, Text: "no connection or stream was free in queue_timeout_ms"}
	errGoneAtOnce  = message.Outcome{Code: sink.ErrClosed, Flags: sink.FlagAborted | sink.FlagRemote, Text: "connections end as soon as they are there"}
)

// refusal is how a fetch ends that err, an *Error, keeps from being sent.
func refusal(err error) message.Outcome {
	o := message.Outcome{Code: sink.ErrInternal, Flags: sink.FlagAborted, Text: err.Error()}
	if e, ok := err.(*sink.Error); ok {
		o.Code = e.Code
	}
	return o
}

// Fetch sends a request and binds its Fetch to h, a handle that the consumer's side has given out. Whatever happens is told by events of h, the
// last of which is FETCH_DONE.
func (c *Client) Fetch(h sink.Handle, r *Request) {
	f := &Fetch{client: c, handle: h, userData: r.UserData, isHead: r.Method == "HEAD", streamed: !r.End, flows: r.Datagrams, collect: uint64(max(r.Collect, 0)),
		measured: r.Method == "POST" || r.Method == "PUT" || r.Method == "PATCH"}
	f.try, f.taker = f.first.init(f), f
	f.safe = r.safe()
	f.early = c.options.EarlyData && f.safe
	if !c.sink.IssueFor(h, f) {
		r.Body.Release()
		return
	}
	c.stats.Add(sink.StatRequestsTotal, 1)
	c.stats.Add(sink.StatRequestsActive, 1)
	taken := c.pool.enter()
	var err error
	if f.key, err = originOf(r.Authority); err == nil {
		f.head, f.headSize, err = r.head()
		f.priority, f.hasPriority = r.priority()
	}
	o := errShutdown
	switch {
	case err != nil:
		o = refusal(err)
	case taken:
		now := time.Now()
		f.queueLimit = now.Add(c.options.QueueTimeout)
		f.responseLimit = limit(now, r.ResponseTimeout, c.options.ResponseTimeout)
		f.requestLimit = limit(now, r.RequestTimeout, c.options.RequestTimeout)
		f.closing = r.End
		if len(r.Body.Bytes) > 0 {
			f.body = keep(r.Body)
		} else {
			r.Body.Release()
		}
		c.pool.submit(&f.waiter)
		return
	}
	r.Body.Release()
	f.mu.Lock()
	f.failed(o, http3.ErrCodeRequestCanceled)
	f.finished = true
	f.mu.Unlock()
	f.terminate(taken)
}

// limit is when a fetch that begins now is given up, by what it says itself or else by the client's option.
func limit(now time.Time, own, option time.Duration) time.Time {
	if own == 0 {
		own = option
	}
	if own <= 0 {
		return time.Time{}
	}
	return now.Add(own)
}

// A kept is a chunk that may be sent more than once. It goes back to its owner when the fetch, and all that send it, are done with it.
type kept struct {
	chunk sink.Chunk
	users atomic.Int32
}

func keep(c sink.Chunk) *kept {
	c.Keep()
	k := &kept{chunk: c}
	k.users.Store(1)
	return k
}

// use gives the bytes to one more.
func (k *kept) use() sink.Chunk {
	k.users.Add(1)
	return sink.Chunk{Bytes: k.chunk.Bytes, Owner: k}
}

// Release implements sink.ChunkOwner.
func (k *kept) Release([]byte) {
	if k.users.Add(-1) == 0 {
		k.chunk.Release()
	}
}

// unlock does what had to wait for that; whoever leaves last after the end was decided emits it.
func (f *Fetch) unlock() {
	p := &f.client.pool
	left, again := f.left, f.again
	f.left, f.again = nil, false
	last := f.ended && f.running == 0 && !f.finished
	if last {
		f.finished = true
	}
	f.mu.Unlock()
	if left != nil {
		if left.early {
			f.early = false // whatever it is that the connection is still to learn
			f.client.stats.Add(sink.ClientStatFetchesEarlyRefused, 1)
			if left.c.early.Load() {
				p.notEarly(left.c.origin)
			}
		}
		left.c.Remove(&left.Node)
		p.release(left.c)
	}
	switch {
	case last:
		f.terminate(true)
	case again:
		f.client.stats.Add(sink.ClientStatFetchesRetried, 1)
		p.submit(&f.waiter)
	}
}

// conclude decides how the fetch ends; the first decision stays. f.mu is held.
func (f *Fetch) conclude(o message.Outcome) {
	if f.ended {
		return
	}
	f.ended, f.result = true, o
	if f.timer != nil {
		f.timer.Stop()
	}
	f.try.over()
	f.dropBody()
	f.again = false
}

// dropBody gives the body up: it will not be sent once more.
func (f *Fetch) dropBody() {
	if f.body != nil {
		f.body.Release(nil)
		f.body = nil
	}
}

// failed ends the fetch early: the server is told with code, the consumer with o. f.mu is held.
func (f *Fetch) failed(o message.Outcome, code http3.ErrCode) {
	if f.ended {
		return
	}
	stats := f.client.stats
	if f.try.c != nil {
		f.try.x.Abort(code)
		if f.answered {
			stats.Add(sink.StatResponsesCut, 1)
		}
	}
	f.conclude(o)
	stats.Add(sink.ClientStatFetchesFailed, 1)
	switch o.Code {
	case sink.ErrReset:
		stats.Add(sink.StatRequestsReset, 1)
	case sink.ErrRejected:
		stats.Add(sink.StatRequestsRejected, 1)
	case sink.ErrTimeout, sink.ErrPoolTimeout, sink.ErrConnectTimeout:
		stats.Add(sink.StatTimeouts, 1)
	case sink.ErrTruncated, sink.ErrProtocol, sink.ErrTooLarge:
		stats.Add(sink.StatRequestsInvalid, 1)
	}
}

// fail ends the fetch early, from anywhere.
func (f *Fetch) fail(o message.Outcome) {
	f.mu.Lock()
	f.failed(o, http3.ErrCodeRequestCanceled)
	f.unlock()
}

// terminate emits the last event. The handle is stale before the consumer can see it, and the connection forgets the try only
// afterwards, so that its own end comes later.
func (f *Fetch) terminate(counted bool) {
	c := f.client
	c.pool.gone(&f.waiter)
	var conn *conn
	ev := &f.event
	*ev = sink.Event{Type: sink.EventFetchDone, Flags: f.result.Flags, Object: f.handle, Parent: c.handle, UserData: f.userData, Code: f.result.Code,
		Status: f.status, Aux: f.result.Aux}
	if conn = f.try.c; conn != nil {
		ev.Conn = conn.Handle
	}
	text := f.result.Text[:min(len(f.result.Text), 1<<10)]
	ev.DataLen = uint32(len(text))
	rec, _ := c.sink.Reserve(sink.Terminal, len(text), nil)
	copy(rec.Payload, text)
	c.stats.Sub(sink.StatRequestsActive) // whoever sees the event finds it counted
	if c.sink.Release(f.handle) {
		c.sink.Commit(rec, ev)
	} else {
		c.sink.Abort(rec)
	}
	if conn != nil {
		conn.Remove(&f.try.Node)
		c.pool.release(conn)
	}
	if counted {
		c.pool.leave()
	}
}

// send takes the fetch to a stream, unless it has ended.
func (f *Fetch) send(c *conn, s *quic.Stream) {
	f.mu.Lock()
	tr := f.try
	if f.ended {
		f.mu.Unlock()
		discard(s)
		c.client.pool.release(c)
		return
	}
	f.tries++
	tr.x = message.Framed{S: s}
	if !c.Add(&tr.Node, tr) {
		discard(s)
		f.mu.Unlock()
		c.client.pool.release(c)
		if f.tries < mostTries {
			c.client.pool.submit(&f.waiter)
		} else {
			f.fail(errGoneAtOnce)
		}
		return
	}
	tr.c = c
	if tr.early = c.early.Load(); tr.early {
		f.client.stats.Add(sink.ClientStatFetchesEarly, 1)
	}
	tr.prioritize(s)
	if f.timer != nil {
		f.timer.Stop() // what is left of it, the sweep sees to
	}
	settings := c.Settings()
	switch {
	case tr.x.ID() >= c.goAway.Load():
		tr.refused(uint64(http3.ErrCodeRequestRejected))
	case settings != nil && uint64(f.headSize) > settings.MaxFieldSectionSize():
		f.failed(errLargeHead, http3.ErrCodeRequestCanceled)
	default:
		tr.begin()
	}
	f.unlock()
}

// waits sets the time limit of a fetch that waits. One that has ended just before it was queued does not wait.
func (f *Fetch) waits() {
	f.mu.Lock()
	f.arm()
	ended := f.ended
	f.unlock()
	if ended {
		f.client.pool.gone(&f.waiter)
	}
}

// arm sets the timer to the first of the time limits that still count. f.mu is held.
func (f *Fetch) arm() {
	if f.ended {
		return
	}
	limit := f.requestLimit
	sooner := func(t time.Time) {
		if !t.IsZero() && (limit.IsZero() || t.Before(limit)) {
			limit = t
		}
	}
	if !f.answered {
		sooner(f.responseLimit)
	}
	if f.try.c == nil {
		sooner(f.queueLimit)
	}
	switch {
	case limit.IsZero():
	case f.timer == nil:
		f.timer = time.AfterFunc(time.Until(limit), func() { sink.Guard("fetch timeout", f.expire) })
	default:
		f.timer.Reset(time.Until(limit))
	}
}

// expire ends a fetch whose time is over.
func (f *Fetch) expire() {
	f.mu.Lock()
	now := time.Now()
	passed := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	switch {
	case f.ended:
	case passed(f.requestLimit):
		f.failed(message.Outcome{Code: sink.ErrTimeout, Flags: sink.FlagAborted, Text: "request_timeout_ms has passed"}, http3.ErrCodeRequestCanceled)
	case !f.answered && passed(f.responseLimit):
		f.failed(message.Outcome{Code: sink.ErrTimeout, Flags: sink.FlagAborted, Text: "response_timeout_ms has passed"}, http3.ErrCodeRequestCanceled)
	case f.try.c == nil && passed(f.queueLimit):
		f.failed(errPoolTimeout, http3.ErrCodeRequestCanceled)
	default:
		f.arm()
	}
	f.unlock()
}

// Live calls fn unless the fetch has ended; until fn returns it does not end, and its handle is nobody else's.
func (f *Fetch) Live(fn func()) {
	f.mu.Lock()
	if !f.ended {
		fn()
	}
	f.unlock()
}

// Consumed says that the consumer has dealt with n bytes of the response's body.
func (f *Fetch) Consumed(n uint64) {
	f.mu.Lock()
	if f.try.c != nil && !f.ended {
		f.try.in.Consumed(n)
	}
	f.unlock()
}

// Cancel gives the fetch up in both directions, with an HTTP/3 error code for the server: H3_REQUEST_CANCELLED (0x10c) unless there is a reason
// for another.
func (f *Fetch) Cancel(code uint64) {
	f.mu.Lock()
	f.failed(message.Outcome{Code: sink.ErrCancelled, Flags: sink.FlagAborted}, http3.ErrCode(code))
	f.unlock()
}

// SendDatagram queues a datagram of the request; data is valid during the call. What has waited for longer than maxAge is dropped; 0 is no
// limit.
func (f *Fetch) SendDatagram(data []byte, maxAge time.Duration) {
	f.mu.Lock()
	flow := f.try.flow
	f.unlock()
	if flow != nil {
		flow.Send(data, maxAge)
	}
}

// DatagramOversized counts a datagram that was refused because it is larger than the limit.
func (f *Fetch) DatagramOversized() { f.client.stats.Add(sink.StatDatagramsTooLarge, 1) }

// Write sends a part of the request's body. The sink is told with Drained once it has left.
func (f *Fetch) Write(body sink.Chunk) { f.upload(&message.Part{Body: body, Counted: true}) }

// End ends the request's body, with a last part if body is not empty.
func (f *Fetch) End(body sink.Chunk) { f.upload(&message.Part{Body: body, End: true}) }

// Trailers ends the request's body with trailers, a packed list that is valid during the call.
func (f *Fetch) Trailers(trailers []byte) {
	f.upload(&message.Part{Trailers: trailers, HasTrailers: true, End: true})
}

func (f *Fetch) upload(p *message.Part) {
	f.mu.Lock()
	switch n := len(p.Body.Bytes); {
	case f.ended || f.closing:
		p.Body.Release()
	case f.try.sent: // the server wants no more
		p.Body.Release()
		f.closing = p.End
		if p.Counted && n > 0 {
			f.client.sink.Drained(f.handle, n)
		}
	default:
		f.closing = p.End
		f.try.put(p)
	}
	f.unlock()
}

// headPart is what the request begins with: all of it, unless its body is written in parts.
func (f *Fetch) headPart() *message.Part {
	p := &f.part
	*p = message.Part{Head: true, Headers: f.head, Length: -1, End: !f.streamed}
	if f.body != nil {
		p.Body = f.body.use()
	}
	if !f.streamed && (f.body != nil || f.measured) {
		p.Length = int64(len(p.Body.Bytes))
	}
	return p
}

// mayRetry reports whether the fetch can be sent once more, given that the server has not looked at it. f.mu is held.
func (f *Fetch) mayRetry() bool {
	return !f.ended && !f.heard && !f.streamed && !f.flows && f.tries < mostTries
}

// complete completes an event of the fetch.
func (f *Fetch) complete(ev *sink.Event, c *conn) *sink.Event {
	ev.Object, ev.Parent, ev.Conn, ev.UserData = f.handle, f.client.handle, c.Handle, f.userData
	return ev
}
