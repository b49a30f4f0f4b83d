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

// occupy counts a fetch that goes out on a connection. p.mu is held.
func (p *pool) occupy(c *conn) {
	c.active++
	if c.used {
		p.client.stats.Add(sink.ClientStatFetchesReused, 1)
	}
	c.used = true
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
