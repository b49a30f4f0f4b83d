package link

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// sweepEvery is the time between two looks at what has lasted.
	sweepEvery = 4 * time.Millisecond
	// lasting is how many looks a request must have seen to be worth a watch and a timer.
	lasting = 2
	// restAfter is how many looks without a move make a connection rest: longer than a peer takes that asks one by one.
	restAfter = 5
	// accountEvery is how many looks pass between two updates of a busy connection's byte counters.
	accountEvery = 25
)

// A Sweeper gives requests what only those need that last, and completes the streams of connections that have come to rest. It
// replaces a context and a timer for each request. It sleeps when no connection wants it: an idle server costs nothing.
type Sweeper struct {
	tick atomic.Uint32

	mu    sync.Mutex
	conns []*Conn
	wake  chan struct{}
}

// NewSweeper makes a sweeper, which Run makes sweep.
func NewSweeper() *Sweeper { return &Sweeper{wake: make(chan struct{}, 1)} }

// A connSweep is what the sweeper knows of a connection, under the connection's lock.
type connSweep struct {
	wanted bool   // in the sweeper's list
	from   *Node  // the first item that was not promoted yet; none behind it was
	seen   uint64 // moves at the last look
	still  int    // looks since something has moved
	place  int    // in the sweeper's list, under the sweeper's lock
}

// want has c looked at. c.mu is held.
func (w *Sweeper) want(c *Conn) {
	if c.sweep.wanted {
		return
	}
	c.sweep.wanted = true
	w.mu.Lock()
	c.sweep.place = len(w.conns)
	w.conns = append(w.conns, c)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run sweeps until done is closed.
func (w *Sweeper) Run(done <-chan struct{}) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	defer func() {
		w.mu.Lock()
		clear(w.conns) // they have ended
		w.conns = w.conns[:0]
		w.mu.Unlock()
	}()
	var look []*Conn
	for {
		w.mu.Lock()
		look = append(look[:0], w.conns...)
		w.mu.Unlock()
		if len(look) == 0 {
			ticker.Stop()
			select {
			case <-w.wake:
				ticker.Reset(sweepEvery)
			case <-done:
				return
			}
			continue
		}
		select {
		case <-ticker.C:
		case <-done:
			return
		}
		tick := w.tick.Add(1)
		for i, c := range look {
			if !c.look(tick) {
				w.forget(c)
			}
			look[i] = nil
		}
	}
}

// forget takes c off the list unless it has asked again meanwhile. The last one takes its place: what it costs does not depend on how
// many there are.
func (w *Sweeper) forget(c *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sweep.from != nil || len(c.finished) > 0 || c.sweep.seen != c.moves {
		return
	}
	c.sweep.wanted = false
	w.mu.Lock()
	defer w.mu.Unlock()
	last := len(w.conns) - 1
	moved := w.conns[last]
	w.conns[c.sweep.place], moved.sweep.place = moved, c.sweep.place
	w.conns[last] = nil
	w.conns = w.conns[:last]
}

// look does for one connection what is due, and reports whether it is to be looked at again.
func (c *Conn) look(tick uint32) bool {
	var old []*Node
	c.mu.Lock()
	if c.sweep.still++; c.sweep.seen != c.moves {
		c.sweep.seen, c.sweep.still = c.moves, 0
	}
	resting := c.sweep.still >= restAfter
	n := c.sweep.from
	for ; n != nil && tick-n.tick >= lasting; n = n.next {
		n.shared = true
		old = append(old, n)
	}
	c.sweep.from = n
	if len(old) > 0 {
		c.keep()
	}
	flush := resting && len(c.finished) > 0
	again := !resting || n != nil
	c.mu.Unlock()
	for _, n := range old {
		n.item.Promote()
	}
	if flush {
		c.complete()
	}
	if tick%accountEvery == 0 || !again {
		c.account()
	}
	return again
}

// Ticks is how often the sweeper has looked, and watched how many connections it would look at next.
func (w *Sweeper) Ticks() (looks uint32, watched int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tick.Load(), len(w.conns)
}

// Promoted reports whether everything that is open on the connection has got what only what lasts needs.
func (c *Conn) Promoted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sweep.from == nil
}
