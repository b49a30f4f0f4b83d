package engine

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

// A sweeper gives requests what only those need that last, and completes the streams of connections that have come to rest. It
// replaces a context and a timer for each request. It sleeps when no connection wants it: an idle server costs nothing.
type sweeper struct {
	tick atomic.Uint32

	mu    sync.Mutex
	conns []*conn
	wake  chan struct{}
}

// A connSweep is what the sweeper knows of a connection, under the connection's lock.
type connSweep struct {
	wanted bool     // in the sweeper's list
	from   *Request // the first request that was not promoted yet; none behind it was
	seen   uint64   // moves at the last look
	still  int      // looks since something has moved
}

// want has c looked at. c.mu is held.
func (w *sweeper) want(c *conn) {
	if c.sweep.wanted {
		return
	}
	c.sweep.wanted = true
	w.mu.Lock()
	w.conns = append(w.conns, c)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run sweeps until done is closed.
func (w *sweeper) run(done <-chan struct{}) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	defer func() {
		w.mu.Lock()
		clear(w.conns) // they have ended
		w.conns = w.conns[:0]
		w.mu.Unlock()
	}()
	var look []*conn
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

// forget takes c off the list unless it has asked again meanwhile.
func (w *sweeper) forget(c *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sweep.from != nil || len(c.finished) > 0 {
		return
	}
	c.sweep.wanted = false
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, other := range w.conns {
		if other == c {
			last := len(w.conns) - 1
			w.conns[i], w.conns[last] = w.conns[last], nil
			w.conns = w.conns[:last]
			return
		}
	}
}

// look does for one connection what is due, and reports whether it is to be looked at again.
func (c *conn) look(tick uint32) bool {
	var old []*Request
	c.mu.Lock()
	if c.sweep.still++; c.sweep.seen != c.moves {
		c.sweep.seen, c.sweep.still = c.moves, 0
	}
	resting := c.sweep.still >= restAfter
	r := c.sweep.from
	for ; r != nil && tick-r.tick >= lasting; r = r.next {
		r.shared = true
		old = append(old, r)
	}
	c.sweep.from = r
	flush := resting && len(c.finished) > 0
	again := !resting || r != nil
	c.mu.Unlock()
	for _, r := range old {
		r.promote()
	}
	if flush {
		c.complete()
	}
	if tick%accountEvery == 0 || !again {
		c.account()
	}
	return again
}
