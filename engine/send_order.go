package engine

import (
	"sync"
	"sync/atomic"
	"time"
)

// blockedAfter is how long a stream may make no progress before those below it go on: the peer does not take its data.
const blockedAfter = 25 * time.Millisecond

// A sendOrder lets the streams of a session write by rank: while a stream has something to write, those of its group with a lower
// order wait. It stands in front of QUIC, and webtransport-go shows nothing of what QUIC does with a stream: that one is held up by
// the peer's flow control shows only by time.
type sendOrder struct {
	ranked atomic.Bool // somebody was ranked: until then nobody waits

	mu      sync.Mutex
	active  map[*streamRank]struct{} // have something to write
	changed chan struct{}            // closed when somebody may go on
}

// A streamRank is a stream's place in its session's order.
type streamRank struct {
	// Under the order's lock.
	group uint32
	order int64
	since time.Time // of the write under way, or of the last progress
}

// rank sets a stream's place.
func (o *sendOrder) rank(r *streamRank, group uint32, order int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.active == nil {
		o.active, o.changed = make(map[*streamRank]struct{}), make(chan struct{})
	}
	r.group, r.order = group, order
	o.ranked.Store(true)
	o.tell()
}

// tell wakes all that wait. o.mu is held.
func (o *sendOrder) tell() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// enter waits until r may write, or done is closed.
func (o *sendOrder) enter(r *streamRank, done <-chan struct{}) {
	o.mu.Lock()
	if _, ok := o.active[r]; !ok {
		o.active[r] = struct{}{}
		r.since = time.Now()
	}
	for {
		wait := o.obstacle(r)
		if wait <= 0 {
			r.since = time.Now()
			o.mu.Unlock()
			return
		}
		changed := o.changed
		o.mu.Unlock()
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-done:
			timer.Stop()
			return
		}
		timer.Stop()
		o.mu.Lock()
	}
}

// obstacle is how long r has to wait at least; 0: it may write. o.mu is held.
func (o *sendOrder) obstacle(r *streamRank) (wait time.Duration) {
	now := time.Now()
	for other := range o.active {
		if other.group == r.group && other.order > r.order {
			wait = max(wait, other.since.Add(blockedAfter).Sub(now))
		}
	}
	return wait
}

// wrote says that r has made progress.
func (o *sendOrder) wrote(r *streamRank) {
	if !o.ranked.Load() {
		return
	}
	o.mu.Lock()
	r.since = time.Now()
	o.mu.Unlock()
}

// leave says that r has nothing to write any more.
func (o *sendOrder) leave(r *streamRank) {
	if !o.ranked.Load() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.active[r]; ok {
		delete(o.active, r)
		o.tell()
	}
}
