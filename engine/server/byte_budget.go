package server

import (
	"cmp"
	"container/list"
	"math/bits"
	"slices"
	"sync"
)

// A byteBudget is how many bytes of buffered bodies a server may hold, over all connections.
//
// A body holds what has come of it until its request is answered, and is of no use before it is whole. If bytes were given to whoever asks
// while there are some, many bodies could each hold a part, and all wait for the rest. So bytes are given only as long as every body that has
// begun can come to its end, one after the other, with what is left and what those before it give back (the banker's algorithm). Bodies are
// kept in classes by the length that they can have: the least first, and in each class the oldest first, which is its front. It is enough that
// each front can have all it may come to need: the others of its class can when the front is through.
type byteBudget struct {
	size    int64 // at least the largest that a body can have
	largest int64

	mu      sync.Mutex
	left    int64
	waiting int
	arrived uint64 // counts waits, so that the oldest comes first
	classes [64]bodyClass
}

// A bodyClass is of bodies whose length is at most 2^n, n being its index.
type bodyClass struct {
	held   int64     // by those that are not whole
	bodies list.List // these
	waits  list.List // shares that wait for bytes, the oldest first
}

// A share is what one body has of the budget.
type share struct {
	budget *byteBudget // nil: it needs none
	owner  *conn
	class  *bodyClass
	body   *list.Element // in its class; nil: it has nothing yet, or is whole
	held   int64
	given  bool // back, and for good

	wants   int64         // bytes that are waited for
	wait    *list.Element // nil: none are
	turn    uint64
	granted chan struct{}
	refused bool // there is a reason to wait no longer
}

// init sets a budget up. Bodies have at most largest bytes.
func (b *byteBudget) init(size, largest int64) {
	b.size, b.left, b.largest = max(size, largest), max(size, largest), largest
}

// open makes a share for a body of owner's of at most length bytes.
func (b *byteBudget) open(s *share, owner *conn, length int64) {
	*s = share{budget: b, owner: owner, class: &b.classes[bits.Len64(uint64(max(length, 1)-1))]}
}

// whole takes n bytes for a body that is there as a whole. It reports false when there are none, or others wait for some.
func (b *byteBudget) whole(s *share, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.left || b.waiting > 0 {
		return false
	}
	b.left -= n
	*s = share{budget: b, held: n}
	return true
}

// take takes n bytes. Where it cannot, they are waited for: wait is closed once the share has them, or was given back.
func (s *share) take(n int64) (wait <-chan struct{}) {
	b := s.budget
	if n == 0 {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case s.given:
		return nil // nobody wants the body any more
	case (s.class.waits.Len() == 0 || s.front()) && b.fits(s, n):
		b.grant(s, n)
		return nil
	}
	b.waiting++
	b.arrived++
	s.wants, s.turn, s.granted = n, b.arrived, make(chan struct{})
	s.wait = s.class.waits.PushBack(s)
	return s.granted
}

// came reports whether the bytes that were waited for have come, once the wait has ended.
func (s *share) came() bool {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	return !s.refused
}

// withdraw ends a wait. It reports false when it has ended already.
func (s *share) withdraw() bool {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.wait == nil {
		return false
	}
	s.unwait()
	b.serve() // who comes behind it may want less
	return true
}

// put gives n bytes back that did not come.
func (s *share) put(n int64) {
	b := s.budget
	if n == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.given {
		return
	}
	s.held -= n
	b.left += n
	if s.body != nil {
		s.class.held -= n
	}
	b.serve()
}

// complete says that the body is whole: it wants no more.
func (s *share) complete() {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.body != nil {
		s.leave()
		b.serve()
	}
}

// give gives all back, once and for good.
func (s *share) give() {
	b := s.budget
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.given {
		return
	}
	s.given = true
	if s.body != nil {
		s.leave()
	}
	if s.wait != nil {
		s.unwait()
	}
	b.left += s.held
	s.held = 0
	b.serve()
}

// unblock refuses the newer half of those of the same connection that wait, because the peer sends nothing of this one, which has begun:
// what lies unread of theirs may be all that the connection's window has room for. Then they would wait for this one, and it for them.
func (s *share) unblock() {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.body == nil {
		return
	}
	var waits []*share
	for i := range b.classes {
		for e := b.classes[i].waits.Front(); e != nil; e = e.Next() {
			if other := e.Value.(*share); other.owner == s.owner {
				waits = append(waits, other)
			}
		}
	}
	slices.SortFunc(waits, func(x, y *share) int { return cmp.Compare(x.turn, y.turn) })
	for _, other := range waits[len(waits)/2:] {
		other.refused = true
		other.unwait()
	}
	b.serve()
}

// What follows is called with the budget's lock held.

// front reports whether the body is the oldest of its class.
func (s *share) front() bool { return s.body != nil && s.class.bodies.Front() == s.body }

// leave takes the body out of those that are not whole.
func (s *share) leave() {
	s.class.held -= s.held
	s.class.bodies.Remove(s.body)
	s.body = nil
}

// unwait ends the wait for bytes.
func (s *share) unwait() {
	s.class.waits.Remove(s.wait)
	s.wait = nil
	s.budget.waiting--
	close(s.granted)
}

// fits reports whether every body can come to its end when s has n bytes more.
func (b *byteBudget) fits(s *share, n int64) bool {
	if n > b.left {
		return false
	}
	held := int64(0) // by this class and those above
	for i := len(b.classes) - 1; i >= 0; i-- {
		c := &b.classes[i]
		its := c == s.class
		if c.bodies.Len() == 0 && !its {
			continue
		}
		held += c.held
		front := s
		if first := c.bodies.Front(); first != nil {
			front = first.Value.(*share)
		}
		has := front.held
		if its {
			held += n
		}
		if front == s {
			has += n
		}
		if b.size-held+has < min(int64(1)<<min(i, 62), b.largest) {
			return false
		}
	}
	return true
}

func (b *byteBudget) grant(s *share, n int64) {
	if s.body == nil {
		s.body = s.class.bodies.PushBack(s)
	}
	b.left -= n
	s.held += n
	s.class.held += n
}

// serve gives to those that wait: of each class to its front and then to the oldest, the oldest of all first.
func (b *byteBudget) serve() {
	var refused [len(b.classes)]bool
	for b.waiting > 0 {
		var next *share
		at := 0
		for i := range b.classes {
			c := &b.classes[i]
			if c.waits.Len() == 0 || refused[i] {
				continue
			}
			s := c.waits.Front().Value.(*share)
			if first := c.bodies.Front(); first != nil && first.Value.(*share).wait != nil {
				s = first.Value.(*share)
			}
			if next == nil || s.turn < next.turn {
				next, at = s, i
			}
		}
		if next == nil {
			return
		}
		if !b.fits(next, next.wants) {
			refused[at] = true
			continue
		}
		b.grant(next, next.wants)
		next.unwait()
	}
}
