package client

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/message"
	"zigh3/engine/sink"
)

// A pool is the connections of a client, and the fetches that wait for one or for a stream on one. Its lock comes before a connection's, and
// is never held together with a fetch's.
type pool struct {
	client *Client

	mu          sync.Mutex
	origins     map[originKey]*origin
	conns       map[*conn]struct{} // all that are announced, pooled or not
	connections int                // made, or being made
	evicting    int                // of these, closed so that others can be made
	queued      int                // fetches of all origins that wait
	live        int                // fetches that have not ended
	none        sync.Cond
	pause       time.Duration // anotherConnection
	closing     bool          // nothing new is taken
	closed      bool          // nothing is sent again either
}

// An origin is one that a client has connections to, or wants one to.
type origin struct {
	key       originKey
	conns     []*conn // that take fetches, the first ones first
	dialing   int
	goneAway  int       // connections in a row whose server wanted no request on them
	late      bool      // early data came to nothing
	notBefore time.Time // when one more connection is worth a try, as long as there are others
	line                // of what waits for a stream
	wishes    line      // for a connection, as soon as there is one
}

// A line is what waits, the first ones first.
type line struct{ first, last *waiter }

// A waiter is a fetch, a session that is to be opened, or the wish for a connection, as the pool sees it. Its links are under the pool's lock.
type waiter struct {
	taker
	key            originKey
	early          bool    // it may go out as early data
	waitsAt        *origin // nil: it does not wait
	waitsIn        *line   // of that origin's
	before, behind *waiter
}

// A taker takes a stream when there is one. Its methods are called without locks.
type taker interface {
	// send takes a stream on a connection, on which it is counted until pool.release. A wish for a connection gets no stream, and is not counted.
	send(c *conn, s *quic.Stream)

	// fail is told that there will be none.
	fail(o message.Outcome)

	// waits is told that it has to wait.
	waits()
}

func (p *pool) init(c *Client) {
	p.client, p.pause = c, anotherConnection
	p.origins, p.conns = make(map[originKey]*origin), make(map[*conn]struct{})
	p.none.L = &p.mu
}

// enter counts a fetch, unless no more are taken.
func (p *pool) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return false
	}
	p.live++
	return true
}

// leave counts one that has ended.
func (p *pool) leave() {
	p.mu.Lock()
	p.live--
	none, closing := p.live == 0, p.closing
	if none {
		p.none.Broadcast()
	}
	p.mu.Unlock()
	if none && closing {
		p.client.nudge()
	}
}

// busy reports whether there are fetches that have not ended.
func (p *pool) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.live > 0
}

// awaitNone waits until there are none, when nothing holds them up any more.
func (p *pool) awaitNone() {
	p.mu.Lock()
	for p.live > 0 {
		p.none.Wait()
	}
	p.mu.Unlock()
}

// submit gives a fetch or a session a stream, or lets it wait for a connection or a stream.
func (p *pool) submit(f *waiter) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		f.fail(errShutdown)
		return
	}
	o := p.origin(f.key)
	if o.first == nil {
		if c, s := p.stream(o, f.early); c != nil {
			p.mu.Unlock()
			f.send(c, s)
			return
		}
	}
	p.queue(o, &o.line, f)
}

// wish gives the wish for a connection one that is there, or lets it wait for one.
func (p *pool) wish(f *waiter) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		f.fail(errShutdown)
		return
	}
	o := p.origin(f.key)
	if c := o.usable(); c != nil {
		p.mu.Unlock()
		f.send(c, nil)
		return
	}
	p.queue(o, &o.wishes, f)
}

// origin is the one with this key. p.mu is held.
func (p *pool) origin(key originKey) *origin {
	o := p.origins[key]
	if o == nil {
		o = &origin{key: key}
		p.origins[key] = o
	}
	return o
}

// usable is a connection that takes fetches, whether or not it has a stream left for one. The pool's lock is held.
func (o *origin) usable() *conn {
	for _, c := range o.conns {
		if !c.Closing() && !c.early.Load() && c.QUIC.Context().Err() == nil {
			return c
		}
	}
	return nil
}

// queue has f wait in one of o's lines, if there is room, and gives p.mu back.
func (p *pool) queue(o *origin, in *line, f *waiter) {
	if p.queued >= p.client.options.MaxQueued {
		p.tidy(o)
		p.mu.Unlock()
		f.fail(errQueueFull)
		return
	}
	p.push(o, in, f)
	p.grow(o)
	p.mu.Unlock()
	f.waits()
}

// push puts a waiter behind those in the line. p.mu is held.
func (p *pool) push(o *origin, in *line, f *waiter) {
	f.waitsAt, f.waitsIn, f.before = o, in, in.last
	if in.last != nil {
		in.last.behind = f
	} else {
		in.first = f
	}
	in.last = f
	p.queued++
	p.client.stats.Add(sink.ClientStatFetchesQueued, 1)
}

// take takes a waiter out of its line, if it is in one. p.mu is held.
func (p *pool) take(f *waiter) {
	o, in := f.waitsAt, f.waitsIn
	if o == nil {
		return
	}
	if f.before != nil {
		f.before.behind = f.behind
	} else {
		in.first = f.behind
	}
	if f.behind != nil {
		f.behind.before = f.before
	} else {
		in.last = f.before
	}
	f.waitsAt, f.waitsIn, f.before, f.behind = nil, nil, nil, nil
	p.queued--
	p.client.stats.Sub(sink.ClientStatFetchesQueued)
	if o.first == nil {
		for _, c := range o.conns {
			if c.giveUp != nil {
				c.giveUp() // nobody wants a stream any more
			}
		}
		p.tidy(o)
	}
}

// gone takes an ended fetch out.
func (p *pool) gone(f *waiter) {
	p.mu.Lock()
	p.take(f)
	p.mu.Unlock()
}

// tidy forgets an origin with which nothing goes on. p.mu is held.
func (p *pool) tidy(o *origin) {
	if !o.waiting() && len(o.conns) == 0 && o.dialing == 0 && p.origins[o.key] == o {
		delete(p.origins, o.key)
	}
}

// waiting reports whether anything waits. The pool's lock is held.
func (o *origin) waiting() bool { return o.first != nil || o.wishes.first != nil }

// stream opens a stream on the first connection whose peer takes one more; early says that it may be one whose handshake is still to come. p.mu is
// held.
func (p *pool) stream(o *origin, early bool) (*conn, *quic.Stream) {
	for _, c := range o.conns {
		if c.Closing() || !early && c.early.Load() {
			continue
		}
		if s, err := c.QUIC.OpenStream(); err == nil {
			p.occupy(c)
			return c, s
		}
	}
	return nil, nil
}

// occupy counts a fetch that goes out on a connection. p.mu is held.
func (p *pool) occupy(c *conn) {
	c.active++
	if c.used {
		p.client.stats.Add(sink.ClientStatFetchesReused, 1)
	}
	c.used = true
}

// grow does what lets those come on that wait: streams are waited for, and one more connection is made where that is allowed. p.mu is held.
func (p *pool) grow(o *origin) {
	if !o.waiting() || p.closed {
		return
	}
	for _, c := range o.conns {
		if !c.opening && o.first != nil && !c.early.Load() {
			c.opening = true
			c.Spawn("streams", c.openStreams)
		}
	}
	if slices.ContainsFunc(o.conns, func(c *conn) bool { return c.early.Load() && !c.Closing() }) {
		return // it will soon be known what it takes
	}
	if o.dialing > 0 || len(o.conns) >= p.client.options.MaxConnectionsPerOrigin || len(o.conns) > 0 && time.Now().Before(o.notBefore) {
		return
	}
	if p.connections >= p.client.options.MaxConnections {
		if len(o.conns) == 0 {
			p.evictIdle()
		}
		return
	}
	p.connections++
	o.dialing++
	p.client.stats.Add(sink.StatHandshakesPending, 1)
	p.client.serving.Add(1)
	early := p.client.options.EarlyData && !o.late
	go sink.Guard("connection", func() {
		defer p.client.serving.Done()
		p.connect(o, early)
	})
}

// evictIdle closes a connection on which nothing is open, so that another origin can have one. p.mu is held.
func (p *pool) evictIdle() {
	if p.evicting > 0 {
		return
	}
	for _, o := range p.origins {
		for _, c := range o.conns {
			if c.active == 0 {
				p.evicting++
				c.makesRoom = true
				p.evict(c)
				return
			}
		}
	}
}

// evict closes a connection of the pool. p.mu is held.
func (p *pool) evict(c *conn) {
	p.remove(c)
	p.client.stats.Add(sink.ClientStatConnectionsEvicted, 1)
	c.Close(http3.ErrCodeNoError, "")
}

// remove takes a connection out of those that take fetches. p.mu is held.
func (p *pool) remove(c *conn) {
	o := c.origin
	for i, other := range o.conns {
		if other == c {
			o.conns = append(o.conns[:i:i], o.conns[i+1:]...)
			break
		}
	}
	c.pooled = false
	p.tidy(o)
}

// connect makes a connection to an origin, and serves it to its end.
func (p *pool) connect(o *origin, early bool) {
	q, times, err := p.client.dial(o.key, early)
	p.client.stats.Sub(sink.StatHandshakesPending)
	if err == nil {
		c := newConn(p.client, o, q)
		early = early && !handshaken(q)
		c.early.Store(early)
		if !early {
			p.client.known.keep(o.key, q)
		}
		c.settleDown()
		if c.open(times) {
			if early {
				c.Spawn("handshake", c.awaitHandshake)
			}
			p.connected(c)
			c.Take(c.accept)
			p.ended(c.makesRoom)
			return
		}
		err = &sink.Error{Code: sink.ErrClosed, Text: o.key.String() + ": the connection ended as soon as it was there"}
	}
	p.client.stats.Add(sink.StatHandshakesFailed, 1)
	p.failed(o, err)
	p.ended(false)
}

const (
	// anotherConnection is how long an origin that did not let one more connection come to be is left with those that it has.
	anotherConnection = time.Second
	// mostGoneAway is how many connections in a row an origin gets whose server says at once that it wants no requests on them.
	mostGoneAway = 3
)

var errGoneAway = &sink.Error{Code: sink.ErrRejected, Text: "the server goes away (GOAWAY) as soon as a connection is there"}

// connected takes a connection up, and sends what waits for it.
func (p *pool) connected(c *conn) {
	o := c.origin
	p.mu.Lock()
	o.dialing--
	p.conns[c] = struct{}{}
	switch {
	case p.closed:
		c.Close(http3.ErrCodeNoError, errShutdown.Text)
	case c.goAway.Load() != noGoAway:
		c.Close(http3.ErrCodeNoError, "")
		if o.goneAway++; o.goneAway == mostGoneAway && len(o.conns) == 0 {
			o.goneAway, o.dialing = 0, o.dialing+1 // which failed takes off
			p.mu.Unlock()
			p.failed(o, errGoneAway)
			return
		}
		p.grow(o)
	default:
		c.pooled = true
		o.goneAway = 0
		o.conns = append(o.conns, c)
		p.rest(c)
	}
	p.tidy(o)
	p.mu.Unlock()
	p.grant(o)
	p.feed(o)
}

// grant tells the wishes for a connection of one that is there.
func (p *pool) grant(o *origin) {
	for {
		p.mu.Lock()
		f, c := o.wishes.first, o.usable()
		if f == nil || c == nil {
			p.mu.Unlock()
			return
		}
		p.take(f)
		p.mu.Unlock()
		f.send(c, nil)
	}
}

// feed sends what waits as far as there are streams.
func (p *pool) feed(o *origin) {
	for {
		p.mu.Lock()
		f := o.first
		if f == nil {
			p.mu.Unlock()
			return
		}
		c, s := p.stream(o, f.early)
		if c == nil {
			p.grow(o)
			p.mu.Unlock()
			return
		}
		p.take(f)
		p.mu.Unlock()
		f.send(c, s)
	}
}

// failed ends all that has waited for a connection that did not come to be, unless there are others.
func (p *pool) failed(o *origin, err error) {
	p.mu.Lock()
	o.dialing--
	var waited []*waiter
	if len(o.conns) == 0 && o.dialing == 0 {
		for _, in := range [...]*line{&o.line, &o.wishes} {
			for in.first != nil {
				waited = append(waited, in.first)
				p.take(in.first)
			}
		}
	}
	o.notBefore = time.Now().Add(p.pause)
	p.tidy(o)
	p.mu.Unlock()
	for _, f := range waited {
		f.fail(refusal(err))
	}
}

// ended counts a connection that has ended, or never came to be: there may be another.
func (p *pool) ended(madeRoom bool) {
	p.mu.Lock()
	p.connections--
	if madeRoom {
		p.evicting--
	}
	for _, o := range p.origins {
		p.grow(o)
	}
	p.mu.Unlock()
}

// release counts a try that has ended on a connection.
func (p *pool) release(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.active--; c.active > 0 {
		return
	}
	p.rest(c)
	if c.pooled && p.connections >= p.client.options.MaxConnections {
		for _, o := range p.origins {
			if o.waiting() && len(o.conns) == 0 && o.dialing == 0 {
				p.evict(c)
				return
			}
		}
	}
}

// drainedFor is how long a connection stays that takes no more fetches and has none: what was acknowledged last is still to leave.
const drainedFor = 100 * time.Millisecond

// rest begins the time that a connection may be without anything. p.mu is held.
func (p *pool) rest(c *conn) {
	c.idleSince = time.Now()
	d := drainedFor
	if c.pooled && c.origin.key.alone == 0 {
		d = p.client.options.IdleConnection
	}
	switch {
	case c.idle == nil:
		c.idle = time.AfterFunc(d, func() { sink.Guard("idle connection", func() { p.rested(c) }) })
	case !c.idling || !c.pooled:
		c.idle.Reset(d)
	}
	c.idling = true
}

// rested closes a connection that has had nothing for long enough, or looks again later.
func (p *pool) rested(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.idling = false
	if c.lost || c.active > 0 {
		return // its end begins the time anew
	}
	if !c.pooled {
		c.Close(http3.ErrCodeNoError, "")
		return
	}
	if left := p.client.options.IdleConnection - time.Since(c.idleSince); left > 0 && c.origin.key.alone == 0 {
		c.idling = true
		c.idle.Reset(left)
		return
	}
	p.evict(c)
}

// drained takes a connection whose server wants no more requests on it out. What waits gets another.
func (p *pool) drained(c *conn) {
	p.mu.Lock()
	if c.pooled {
		p.remove(c)
		p.grow(c.origin)
	}
	if c.active == 0 {
		p.rest(c)
	}
	p.mu.Unlock()
}

// lost takes a connection that has gone out.
func (p *pool) lost(c *conn) {
	p.mu.Lock()
	c.lost = true
	delete(p.conns, c)
	if c.idle != nil {
		c.idle.Stop()
	}
	if c.giveUp != nil {
		c.giveUp()
	}
	if c.early.Load() {
		c.origin.late = true // before the next one is made
	}
	if c.pooled {
		p.client.stats.Add(sink.ClientStatConnectionsReplaced, 1)
		p.remove(c)
		p.grow(c.origin)
	}
	p.mu.Unlock()
}

// goodbye is how long the servers of sessions that end with their client may take to hear of it.
const goodbye = 100 * time.Millisecond

// endSessions ends all sessions, and gives their servers a moment to hear of it.
func (p *pool) endSessions() {
	p.mu.Lock()
	conns := slices.Collect(maps.Keys(p.conns))
	p.mu.Unlock()
	for until := time.Now().Add(goodbye); ; time.Sleep(goodbye / 20) {
		n := 0
		for _, c := range conns {
			n += c.sessions.CloseAll(sink.ErrShutdown)
		}
		if n == 0 || time.Now().After(until) {
			return
		}
	}
}

// close has no more fetches taken. drain asks the servers of sessions to end them soon.
func (p *pool) close(drain bool) {
	p.mu.Lock()
	p.closing = true
	conns := slices.Collect(maps.Keys(p.conns))
	p.mu.Unlock()
	for _, c := range conns {
		if drain {
			c.sessions.Drain()
		}
	}
}

// cut ends what waits, and all connections.
func (p *pool) cut() {
	p.mu.Lock()
	p.closed = true
	var waited []*waiter
	conns := slices.Collect(maps.Keys(p.conns))
	for _, o := range p.origins {
		for _, in := range [...]*line{&o.line, &o.wishes} {
			for f := in.first; f != nil; f = f.behind {
				waited = append(waited, f)
			}
		}
	}
	p.mu.Unlock()
	for _, f := range waited {
		f.fail(errShutdown)
	}
	for _, c := range conns {
		c.Close(http3.ErrCodeNoError, errShutdown.Text)
	}
}

// openStreams waits for streams on a connection whose peer has them open as many as it takes, as long as something waits for them.
func (c *conn) openStreams() {
	p, o := &c.client.pool, c.origin
	for {
		p.mu.Lock()
		if o.first == nil || !c.pooled || c.Closing() {
			c.opening = false
			p.mu.Unlock()
			return
		}
		ctx, giveUp := context.WithCancel(context.Background())
		c.giveUp = giveUp
		p.mu.Unlock()
		s, err := c.QUIC.OpenStreamSync(ctx)
		giveUp()
		p.mu.Lock()
		c.giveUp = nil
		f := o.first
		switch {
		case err != nil && !errors.Is(err, context.Canceled): // the connection has gone
			c.opening = false
			p.mu.Unlock()
			return
		case err != nil:
			p.mu.Unlock()
			continue
		case f == nil || !c.pooled || c.Closing():
			p.mu.Unlock()
			discard(s)
			continue
		}
		p.take(f)
		p.occupy(c)
		p.mu.Unlock()
		f.send(c, s)
	}
}

// discard gives up a stream on which nothing was sent.
func discard(s *quic.Stream) {
	s.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	s.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
}
