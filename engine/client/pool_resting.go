package client

import (
	"time"

	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/sink"
)

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
