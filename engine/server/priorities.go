package server

import (
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/link"
	"zigh3/engine/wire"
)

// mostPriorities is how many requests that are still to come a connection remembers the priority of.
const mostPriorities = 64

// priorities are what PRIORITY_UPDATE frames said of requests that had not come yet (RFC 9218, 7.1).
type priorities struct {
	some atomic.Bool
	mu   sync.Mutex
	list []wire.PriorityUpdate // the oldest first
}

// keep remembers an update.
func (p *priorities) keep(u wire.PriorityUpdate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.list {
		if p.list[i].ID == u.ID {
			p.list[i] = u
			return
		}
	}
	if len(p.list) == mostPriorities {
		p.list = p.list[:copy(p.list, p.list[1:])]
	}
	p.list = append(p.list, u)
	p.some.Store(true)
}

// take gives the update for a stream, and forgets it.
func (p *priorities) take(id uint64) (u wire.PriorityUpdate, ok bool) {
	if !p.some.Load() {
		return u, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.list {
		if p.list[i].ID == id {
			u = p.list[i]
			p.list = append(p.list[:i], p.list[i+1:]...)
			p.some.Store(len(p.list) > 0)
			return u, true
		}
	}
	return u, false
}

// prioritize tells QUIC of a request's priority. A request that does not say has what quic-go gives every stream: the usual urgency, and
// turns with others, so that clients which know nothing of priorities get their responses side by side.
func prioritize(s *quic.Stream, p wire.Priority, given bool) {
	if given {
		s.SetPriority(int8(p.Urgency), p.Incremental)
	} else {
		s.SetPriority(int8(wire.DefaultPriority.Urgency), true)
	}
}

// prioritized sets the priority that a request that has come gives itself.
func (c *conn) prioritized(s *quic.Stream, head *wire.RequestHead) {
	if head.HasPriority {
		prioritize(s, head.Priority, true)
	}
}

// reprioritized sets the priority of a request that is in the connection's list, if its client has said another before it was.
func (c *conn) reprioritized(s *quic.Stream) {
	if u, ok := c.priorities.take(uint64(s.StreamID())); ok {
		prioritize(s, u.Priority, u.Given)
	}
}

// Prioritize implements link.Carried.
func (c *conn) Prioritize(u wire.PriorityUpdate) *wire.ConnectionError {
	next := c.Next()
	if u.ID >= next+4*uint64(c.s.streams) {
		return &wire.ConnectionError{Code: http3.ErrCodeIDError, Reason: "PRIORITY_UPDATE for a stream beyond the limit"}
	}
	// It is kept first: a request that gets into the list only now finds it there. What has come may have its header block still on its way.
	if u.ID >= next || c.Taking() || c.Coming() {
		c.priorities.keep(u)
	}
	found := false
	c.Find(func(item link.Item) bool {
		r, ok := item.(*Request)
		if ok && r.x.ID() == u.ID {
			found = true
			prioritize(r.x.S, u.Priority, u.Given)
		}
		return found
	})
	if found {
		c.priorities.take(u.ID)
	}
	return nil
}
