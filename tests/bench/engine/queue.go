package main

import (
	"sync"

	"zigh3/engine/server"
	"zigh3/engine/sink"
)

// queueLimit is how many events may wait before producers of requests and bodies do, as they would for a full ring.
const queueLimit = 8192

// An entry is an event in the queue, with its payload.
type entry struct {
	sink.Event
	payload []byte
}

func (e *entry) meta() []byte { return e.payload[:e.MetaLen] }

// A queue is the sink of the benchmark: events in memory, and the objects behind their handles.
type queue struct {
	mu      sync.Mutex
	room    sync.Cond     // somebody may wait for it
	freed   chan struct{} // closed when there is room; nil: nobody waits for that
	filled  []entry
	buffers [][]byte      // payloads to be used again
	asleep  bool          // the consumer waits for wake
	wake    chan struct{} // holds one

	objects []object
	free    []sink.Handle // the handles that their places had last
}

// An object is what a handle names. A handle is a generation above 24 bits of place in the table: one that has ended names nothing,
// although its place is used again.
type object struct {
	handle sink.Handle
	value  any
}

const placeBits = 24

func newQueue() *queue {
	q := &queue{wake: make(chan struct{}, 1), objects: make([]object, 1)} // handle 0 is no object
	q.room.L = &q.mu
	return q
}

func (q *queue) Issue(_ sink.Kind, _ sink.Handle, obj any) (sink.Handle, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var h sink.Handle
	if n := len(q.free); n > 0 {
		h = q.free[n-1] + 1<<placeBits
		q.free = q.free[:n-1]
	} else {
		h = sink.Handle(len(q.objects))
		q.objects = append(q.objects, object{})
	}
	*q.place(h) = object{h, obj}
	return h, true
}

func (q *queue) place(h sink.Handle) *object { return &q.objects[h&(1<<placeBits-1)] }

func (q *queue) Release(h sink.Handle) (wanted bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	*q.place(h) = object{}
	q.free = append(q.free, h)
	return true
}

// request is the one that a handle names, nil if it has ended.
func (q *queue) request(h sink.Handle) *server.Request {
	q.mu.Lock()
	defer q.mu.Unlock()
	o := q.place(h)
	if o.handle != h {
		return nil
	}
	r, _ := o.value.(*server.Request)
	return r
}

func (q *queue) Reserve(class sink.Class, n int, done <-chan struct{}) (sink.Record, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for class == sink.Bulk && len(q.filled) >= queueLimit {
		select {
		case <-done:
			return sink.Record{}, false
		default:
			q.room.Wait() // the consumer of this program never stops, so that done needs no watch
		}
	}
	if class >= sink.Patient && len(q.filled) >= queueLimit/2 {
		return sink.Record{}, false
	}
	if last := len(q.buffers) - 1; last >= 0 && cap(q.buffers[last]) >= n {
		p := q.buffers[last][:n]
		q.buffers = q.buffers[:last]
		return sink.Record{Payload: p}, true
	}
	return sink.Record{Payload: make([]byte, n, max(n, 1<<10))}, true
}

func (q *queue) Commit(r sink.Record, ev *sink.Event) {
	q.mu.Lock()
	q.filled = append(q.filled, entry{*ev, r.Payload})
	wake := q.asleep
	q.asleep = false
	q.mu.Unlock()
	if wake {
		q.wake <- struct{}{}
	}
}

func (q *queue) Abort(r sink.Record) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.buffers = append(q.buffers, r.Payload)
}

func (q *queue) Room() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.freed == nil {
		q.freed = make(chan struct{})
	}
	return q.freed
}

func (q *queue) Lose(sink.EventType, uint64) {}

func (q *queue) Stalled() bool { return false }

func (q *queue) Drained(sink.Handle, int) {} // responses of this program are sent whole

// Sessions and datagrams are echoed as they come: nothing is opened here, and no account is kept.

func (q *queue) IssueFor(sink.Handle, any) bool { return false }

func (q *queue) Datagrams(sink.Handle, int, int) {}

func (q *queue) Offered(sink.Handle, []string) {}

func (q *queue) SessionStats(sink.Handle, *sink.SessionStats) {}

// take waits for events and takes all there are, for the ones dealt with.
func (q *queue) take(used []entry) []entry {
	const buffersKept = 1024
	q.mu.Lock()
	for i := range used {
		if len(q.buffers) < buffersKept {
			q.buffers = append(q.buffers, used[i].payload)
		}
		used[i].payload = nil
	}
	for len(q.filled) == 0 {
		q.asleep = true
		q.mu.Unlock()
		<-q.wake
		q.mu.Lock()
	}
	taken := q.filled
	q.filled = used[:0]
	q.room.Broadcast()
	if q.freed != nil {
		close(q.freed)
		q.freed = nil
	}
	q.mu.Unlock()
	return taken
}
