package client

import (
	"context"
	"slices"
	"time"

	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/sink"
)

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
		c.Close(http3.ErrCodeNoError, "") // whoever has not told the consumer of it has not ended it in every case
		<-q.Context().Done()
		err = &sink.Error{Code: sink.ErrClosed, Text: o.key.String() + ": the connection ended as soon as it was there", Err: context.Cause(q.Context())}
	}
	p.client.stats.Add(sink.StatHandshakesFailed, 1)
	away := turnedAway(err)
	if away {
		err = &sink.Error{Code: errTurnedAway.Code, Text: o.key.String() + ": " + errTurnedAway.Text, Err: err}
	}
	if !away || !p.another(o) {
		p.failed(o, err)
	}
	p.ended(false)
}

// another has one more connection made in the place of one that was turned away, for who waits. It reports false where there are others, and after a
// few in a row.
func (p *pool) another(o *origin) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(o.conns) > 0 {
		return false
	}
	if o.goneAway++; o.goneAway >= mostGoneAway {
		o.goneAway = 0
		return false
	}
	o.dialing--
	p.tidy(o)
	return true
}

const (
	// anotherConnection is how long an origin that did not let one more connection come to be is left with those that it has.
	anotherConnection = time.Second
	// mostGoneAway is how many connections in a row an origin gets whose server says at once that it wants no requests on them, or turns them away.
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
		if o.goneAway++; o.goneAway >= mostGoneAway { // beside others, too: one more is not worth a try for a while
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
