package session

import (
	"slices"
	"sync"
	"time"
)

const (
	// rankedPiece is how much of a stream goes to QUIC at once while another one of its group is before it. The first one goes in large
	// pieces: where one ends, those below it are sent until the next one is there.
	rankedPiece = 16 << 10

	// usualUrgency is that of every stream that nothing was said about (RFC 9218, 4.1).
	usualUrgency = 3
	// lowestUrgency is the last that QUIC has. Ranks below it wait here.
	lowestUrgency = 7

	// heldFor bounds how long a stream waits here: those above it may be held up by the peer.
	heldFor = 25 * time.Millisecond
)

// A sendOrder lets the streams of a session send by rank: in one group those with a higher order go first, groups share. QUIC does it, by
// urgency, as far as its eight levels go: of each group the highest order that has something to send is at the usual level, where the
// groups and everything else on the connection share, the next one below, and so on. What has no level left waits here. A stream that the
// peer's flow control holds up has nothing that QUIC could send, so those below it go on.
type sendOrder struct {
	mu     sync.Mutex
	groups map[uint32][]*streamRank // that have something to send, the highest first; nil: nobody was ranked
}

// A streamRank is a stream's place in its session's order. Its fields are under the order's lock.
type streamRank struct {
	group  uint32
	order  int64
	active bool
	stream prioritized
	level  int8
	moved  chan struct{} // closed when level changes; nil: nobody waits for that
}

// A prioritized is a stream that QUIC ranks.
type prioritized interface {
	SetPriority(urgency int8, incremental bool)
}

// rank sets a stream's place.
func (o *sendOrder) rank(r *streamRank, group uint32, order int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.groups == nil {
		o.groups = make(map[uint32][]*streamRank)
	}
	active := r.active
	o.remove(r)
	r.group, r.order = group, order
	if active {
		o.insert(r)
	}
}

// enter says that a stream has something to send, and waits until it may, or done is closed. It reports whether others are before it.
func (o *sendOrder) enter(r *streamRank, stream prioritized, done <-chan struct{}) (behind bool) {
	o.mu.Lock()
	if o.groups == nil {
		o.mu.Unlock()
		return false
	}
	if !r.active {
		r.stream = stream
		o.insert(r)
	}
	if usualUrgency+r.level <= lowestUrgency {
		behind = r.level > 0
		o.mu.Unlock()
		return behind
	}
	timer := time.NewTimer(heldFor)
	defer timer.Stop()
	for usualUrgency+r.level > lowestUrgency {
		if r.moved == nil {
			r.moved = make(chan struct{})
		}
		moved := r.moved
		o.mu.Unlock()
		select {
		case <-moved:
		case <-timer.C:
			return true
		case <-done:
			return true
		}
		o.mu.Lock()
	}
	behind = r.level > 0
	o.mu.Unlock()
	return behind
}

// mayPass reports whether a stream may send without entering: nobody of its group that is before it has something to send.
func (o *sendOrder) mayPass(r *streamRank) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	group := o.groups[r.group]
	if len(group) > 0 && group[0].order > r.order {
		return false
	}
	if !r.active && r.level > 0 { // from when others were before it
		r.level = 0
		r.stream.SetPriority(usualUrgency, true)
	}
	return true
}

// pass gives a stream its level, and does not wait: what it sends now goes at once.
func (o *sendOrder) pass(r *streamRank, stream prioritized) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.groups == nil || r.active {
		return
	}
	r.stream = stream
	o.insert(r)
	o.remove(r)
}

// leave says that a stream has nothing to send any more.
func (o *sendOrder) leave(r *streamRank) {
	o.mu.Lock()
	o.remove(r)
	o.mu.Unlock()
}

// insert puts a rank into its group. o.mu is held.
func (o *sendOrder) insert(r *streamRank) {
	group := o.groups[r.group]
	at, _ := slices.BinarySearchFunc(group, r, func(a, b *streamRank) int {
		if a.order >= b.order {
			return -1
		}
		return 1
	})
	r.active, r.level = true, -1
	o.groups[r.group] = slices.Insert(group, at, r)
	o.relevel(r.group)
}

// remove takes it out. o.mu is held.
func (o *sendOrder) remove(r *streamRank) {
	if !r.active {
		return
	}
	r.active = false
	group := o.groups[r.group]
	if at := slices.Index(group, r); at >= 0 {
		group = slices.Delete(group, at, at+1)
	}
	if len(group) == 0 {
		delete(o.groups, r.group)
		return
	}
	o.groups[r.group] = group
	o.relevel(r.group)
}

// relevel sees to it that each stream of a group has its level. o.mu is held.
func (o *sendOrder) relevel(id uint32) {
	level := int8(-1)
	for i, r := range o.groups[id] {
		if level < lowestUrgency && (i == 0 || o.groups[id][i-1].order != r.order) {
			level++
		}
		if r.level == level {
			continue
		}
		r.level = level
		r.stream.SetPriority(min(usualUrgency+level, lowestUrgency), true)
		if r.moved != nil {
			close(r.moved)
			r.moved = nil
		}
	}
}
