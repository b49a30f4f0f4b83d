package queue

import (
	"sync"

	"zigh3/engine/sink"
)

const (
	// bulkBytes is how much of requests and bodies may be queued before their producers wait.
	bulkBytes = 4 << 20
	// bulkRecords is how many of them.
	bulkRecords = 16 << 10
	// patientRecords is how many datagrams, lossyRecords how many log lines.
	patientRecords = 4096
	lossyRecords   = 1024
	// smallPayload is what a payload has room for that is used again, as long as fewer than spareLimit wait for that.
	smallPayload = 1 << 10
	spareLimit   = 1024
)

// An Event is what the engine has emitted. Meta and Data are valid until its handler returns.
type Event struct {
	sink.Event
	Meta, Data []byte
}

// A Queue is a sink.Sink whose events Run handles. The zero value is none: see New.
type Queue struct {
	objects objects

	mu       sync.Mutex
	records  []record // by token, the first of which is base
	base     uint64
	commands []func()
	asleep   bool
	ended    bool
	bulk     int // bytes of bulk that are queued, and how many records they are
	bulks    int
	patient  int
	lossy    int
	room     chan struct{} // closed when bulk has shrunk; nil: nobody waits for that
	places   chan struct{} // closed when patient has
	spares   [][]byte
	wake     chan struct{} // holds one
}

// A record is an event, or room for one.
type record struct {
	event   sink.Event
	payload []byte
	class   sink.Class
	ready   bool
	aborted bool
}

// New makes an empty queue.
func New() *Queue { return &Queue{wake: make(chan struct{}, 1)} }

// Run handles events, and what Do gives it to do, until Stop.
func (q *Queue) Run(handle func(e *Event)) {
	var taken []record
	var todo []func()
	var e Event
	for {
		var more bool
		if taken, todo, more = q.take(taken, todo); !more {
			return
		}
		for _, f := range todo {
			f()
		}
		for i := range taken {
			r := &taken[i]
			if r.aborted {
				continue
			}
			e.Event = r.event
			e.Meta = r.payload[:r.event.MetaLen]
			e.Data = nil
			if r.event.DataLen > 0 {
				e.Data = r.payload[sink.DataOffset(len(e.Meta)):][:r.event.DataLen]
			}
			handle(&e)
		}
	}
}

// Stop ends Run behind what is queued already.
func (q *Queue) Stop() {
	q.Do(func() {
		q.mu.Lock()
		q.ended = true
		q.mu.Unlock()
	})
}

// Do has f done by the loop, before the events that it has not taken yet. It never waits.
func (q *Queue) Do(f func()) {
	q.mu.Lock()
	q.commands = append(q.commands, f)
	q.rouse()
}

// rouse wakes the loop if it sleeps. q.mu is held, and given up.
func (q *Queue) rouse() {
	wake := q.asleep
	q.asleep = false
	q.mu.Unlock()
	if wake {
		q.wake <- struct{}{}
	}
}

// take gives back what was handled, and waits for what there is to do next.
func (q *Queue) take(handled []record, done []func()) ([]record, []func(), bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range handled {
		q.spare(handled[i].payload)
	}
	clear(handled)
	clear(done)
	taken, todo := handled[:0], done[:0]
	for {
		n := 0
		for n < len(q.records) && q.records[n].ready {
			n++
		}
		if n > 0 {
			taken = append(taken, q.records[:n]...)
			rest := copy(q.records, q.records[n:])
			clear(q.records[rest:])
			q.records = q.records[:rest]
			q.base += uint64(n)
		}
		todo = append(todo, q.commands...)
		clear(q.commands)
		q.commands = q.commands[:0]
		if n > 0 || len(todo) > 0 {
			break
		}
		if q.ended {
			return nil, nil, false
		}
		q.asleep = true
		q.mu.Unlock()
		<-q.wake
		q.mu.Lock()
	}
	for i := range taken {
		switch r := &taken[i]; r.class {
		case sink.Bulk:
			q.bulk -= len(r.payload)
			q.bulks--
			announce(&q.room)
		case sink.Patient:
			q.patient--
			announce(&q.places)
		case sink.Lossy:
			q.lossy--
		}
	}
	return taken, todo, true
}

// announce tells those who wait.
func announce(waiting *chan struct{}) {
	if *waiting != nil {
		close(*waiting)
		*waiting = nil
	}
}

func await(waiting *chan struct{}) <-chan struct{} {
	if *waiting == nil {
		*waiting = make(chan struct{})
	}
	return *waiting
}

func (q *Queue) spare(payload []byte) {
	if cap(payload) == smallPayload && len(q.spares) < spareLimit {
		q.spares = append(q.spares, payload)
	}
}

// Reserve implements sink.Sink.
func (q *Queue) Reserve(class sink.Class, n int, done <-chan struct{}) (sink.Record, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch class {
	case sink.Bulk:
		for q.bulks > 0 && (q.bulk+n > bulkBytes || q.bulks >= bulkRecords) {
			room := await(&q.room)
			q.mu.Unlock()
			select {
			case <-room:
				q.mu.Lock()
			case <-done:
				q.mu.Lock()
				return sink.Record{}, false
			}
		}
		q.bulk += n
		q.bulks++
	case sink.Patient:
		if q.patient >= patientRecords {
			return sink.Record{}, false
		}
		q.patient++
	case sink.Lossy:
		if q.lossy >= lossyRecords {
			return sink.Record{}, false
		}
		q.lossy++
	}
	token := q.base + uint64(len(q.records))
	r := record{class: class, payload: q.payload(n)}
	q.records = append(q.records, r)
	return sink.Record{Payload: r.payload, Token: token}, true
}

func (q *Queue) payload(n int) []byte {
	if n > smallPayload {
		return make([]byte, n)
	}
	if last := len(q.spares) - 1; last >= 0 {
		p := q.spares[last]
		q.spares = q.spares[:last]
		return p[:n]
	}
	return make([]byte, n, smallPayload)
}

// Commit implements sink.Sink.
func (q *Queue) Commit(r sink.Record, ev *sink.Event) {
	q.mu.Lock()
	at := &q.records[r.Token-q.base]
	at.event, at.ready = *ev, true
	if r.Token != q.base { // those before it are not there yet: who commits them wakes the loop
		q.mu.Unlock()
		return
	}
	q.rouse()
}

// Abort implements sink.Sink.
func (q *Queue) Abort(r sink.Record) {
	q.mu.Lock()
	at := &q.records[r.Token-q.base]
	at.ready, at.aborted = true, true
	if r.Token != q.base {
		q.mu.Unlock()
		return
	}
	q.rouse()
}

// Room implements sink.Sink.
func (q *Queue) Room() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return await(&q.places)
}

// Stalled implements sink.Sink: a program whose loop stands still has nothing else to turn to.
func (q *Queue) Stalled() bool { return false }

// Lose implements sink.Sink. What was lost is in the counters of the client or server, too.
func (q *Queue) Lose(sink.EventType, uint64) {}

// Drained implements sink.Sink: see the package's comment.
func (q *Queue) Drained(sink.Handle, int) {}

// Offered implements sink.Sink: this program's server takes no sessions.
func (q *Queue) Offered(sink.Handle, []string) {}

// SessionStats implements sink.Sink: SESSION_CLOSED has the last of them.
func (q *Queue) SessionStats(sink.Handle, *sink.SessionStats) {}
