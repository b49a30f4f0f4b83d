package client

import (
	"github.com/quic-go/quic-go"

	"zigh3/engine/message"
	"zigh3/engine/sink"
)

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
