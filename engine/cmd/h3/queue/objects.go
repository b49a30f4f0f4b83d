package queue

import (
	"sync"

	"zigh3/engine/sink"
)

// placeBits are those of a handle that say where its object stands; the rest is a generation, so that a handle that has ended names
// nothing although its place is used again.
const placeBits = 24

// objects are what handles stand for.
type objects struct {
	mu    sync.Mutex
	table []object // by place; the first is no object
	free  []sink.Handle
}

type object struct {
	handle sink.Handle // 0: nobody's
	given  bool        // by Give, and not bound yet
	value  any
	places int           // of datagrams
	limit  int           // bytes of one
	more   chan struct{} // closed when there are more of them, or never will be; nil: nobody waits for that
}

// at is the object of a handle, nil if it is stale. o.mu is held.
func (o *objects) at(h sink.Handle) *object {
	place := int(h & (1<<placeBits - 1))
	if h == 0 || place >= len(o.table) || o.table[place].handle != h {
		return nil
	}
	return &o.table[place]
}

// issue makes a handle of a new object. o.mu is held.
func (o *objects) issue(n object) (sink.Handle, bool) {
	if len(o.table) == 0 {
		o.table = make([]object, 1)
	}
	if last := len(o.free) - 1; last >= 0 {
		n.handle = o.free[last] + 1<<placeBits
		o.free = o.free[:last]
		o.table[n.handle&(1<<placeBits-1)] = n
		return n.handle, true
	}
	if len(o.table) == 1<<placeBits {
		return 0, false
	}
	n.handle = sink.Handle(len(o.table))
	o.table = append(o.table, n)
	return n.handle, true
}

// Give is a handle for what the engine is to be asked for: a fetch, a session, a stream of one.
func (q *Queue) Give() (sink.Handle, bool) {
	o := &q.objects
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.issue(object{given: true})
}

// Object is what a handle stands for, nil if it has ended. Only the loop may make use of it, and only until it waits.
func (q *Queue) Object(h sink.Handle) any {
	o := &q.objects
	o.mu.Lock()
	defer o.mu.Unlock()
	if at := o.at(h); at != nil {
		return at.value
	}
	return nil
}

// Issue implements sink.Sink.
func (q *Queue) Issue(_ sink.Kind, _ sink.Handle, value any) (sink.Handle, bool) {
	o := &q.objects
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.issue(object{value: value})
}

// IssueFor implements sink.Sink.
func (q *Queue) IssueFor(h sink.Handle, value any) bool {
	o := &q.objects
	o.mu.Lock()
	defer o.mu.Unlock()
	at := o.at(h)
	if at == nil || !at.given {
		return false
	}
	at.given, at.value = false, value
	return true
}

// Release implements sink.Sink.
func (q *Queue) Release(h sink.Handle) (wanted bool) {
	o := &q.objects
	o.mu.Lock()
	defer o.mu.Unlock()
	if at := o.at(h); at != nil {
		announce(&at.more)
		*at = object{}
		o.free = append(o.free, h)
	}
	return true
}

// Datagrams implements sink.Sink.
func (q *Queue) Datagrams(h sink.Handle, limit, returned int) {
	o := &q.objects
	o.mu.Lock()
	defer o.mu.Unlock()
	if at := o.at(h); at != nil {
		at.limit = limit
		at.places += returned
		announce(&at.more)
	}
}

// A Place says whether there was one for a datagram.
type Place int

// What TakePlace gives.
const (
	Taken   Place = iota
	Full          // there is none until some have left
	TooLong       // there is none for a datagram of this length
	Gone          // the object takes none, or has ended
)

// TakePlace takes one of the places that an object has for datagrams on their way to the network, for one of n bytes. limit is how large one
// may be; more is closed once it is worth another try, where it is Full.
func (q *Queue) TakePlace(h sink.Handle, n int) (p Place, limit int, more <-chan struct{}) {
	o := &q.objects
	o.mu.Lock()
	defer o.mu.Unlock()
	at := o.at(h)
	switch {
	case at == nil || at.limit == 0:
		return Gone, 0, nil
	case n > at.limit:
		return TooLong, at.limit, nil
	case at.places == 0:
		return Full, at.limit, await(&at.more)
	}
	at.places--
	return Taken, at.limit, nil
}
