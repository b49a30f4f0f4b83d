package enginetest

import (
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"zigh3/engine/sink"
)

// An Event is what the engine has emitted.
type Event struct {
	sink.Event
	Meta, Data []byte
}

// A Consumer is a Sink with the promises of the real one, in Go memory: events come in the order of reservation, bulk producers wait
// while too much is queued, and one goroutine, the reactor, both handles events and calls the engine. It fails the test when the engine
// breaks a promise of its own: those of a Sink, and those of include/zig_h3.h about events, which a Contract holds.
type Consumer struct {
	t        testing.TB
	handle   func(e Event)
	contract *Contract
	ended    chan struct{}
	stopped  chan Event

	mu       sync.Mutex
	more     sync.Cond
	queue    []*slot
	reserved map[uint64]*slot // by token
	tokens   uint64
	capacity int // bytes of bulk that may be queued
	bulk     int
	waiting  int                       // goroutines in Reserve
	patient  int                       // datagrams that are queued
	places   int                       // for them
	freeing  chan struct{}             // closed when patient has shrunk; nil: nobody waits for that
	lost     map[sink.EventType]uint64 // by Lose
	room     chan struct{}             // closed when bulk has shrunk
	last     sink.Handle
	objects  map[sink.Handle]any
	given    map[sink.Handle]bool // by Give, without an object
	unwanted map[sink.Handle]bool // whose end the consumer does not want to hear of any more
	full     bool                 // there is no handle to be had
	stalled  bool
	closed   bool
	commands []func()
	drained  map[sink.Handle]int
	limits   map[sink.Handle]int // of datagrams
	rooms    map[sink.Handle]int
	offered  map[sink.Handle][]string
	counters map[sink.Handle]sink.SessionStats
	logged   []string
}

// A slot is a record and its place in the queue.
type slot struct {
	payload  []byte
	class    sink.Class
	event    sink.Event
	ready    bool
	aborted  bool
	reserved int
}

// NewConsumer starts a consumer whose reactor calls handle for each event. It lasts as long as the test.
func NewConsumer(t testing.TB, handle func(e Event)) *Consumer {
	c := &Consumer{
		t: t, handle: handle, ended: make(chan struct{}), stopped: make(chan Event, 16),
		capacity: 1 << 20, places: 1 << 30, room: make(chan struct{}), reserved: map[uint64]*slot{}, lost: map[sink.EventType]uint64{},
		objects: map[sink.Handle]any{}, given: map[sink.Handle]bool{}, unwanted: map[sink.Handle]bool{}, drained: map[sink.Handle]int{},
		limits: map[sink.Handle]int{}, rooms: map[sink.Handle]int{}, offered: map[sink.Handle][]string{}, counters: map[sink.Handle]sink.SessionStats{},
	}
	c.contract = NewContract(t.Errorf, c.live)
	c.more.L = &c.mu
	go c.react()
	t.Cleanup(func() {
		c.mu.Lock()
		c.closed = true
		c.more.Broadcast()
		c.mu.Unlock()
		<-c.ended
	})
	return c
}

// Issue implements sink.Sink.
func (c *Consumer) Issue(_ sink.Kind, _ sink.Handle, obj any) (sink.Handle, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.full {
		return 0, false
	}
	c.last++
	c.objects[c.last] = obj
	return c.last, true
}

// IssueFor implements sink.Sink.
func (c *Consumer) IssueFor(h sink.Handle, obj any) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.given[h] {
		return false
	}
	delete(c.given, h)
	c.objects[h] = obj
	return true
}

// Release implements sink.Sink.
func (c *Consumer) Release(h sink.Handle) (wanted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.objects[h]; !ok {
		c.t.Errorf("handle %d released twice", h)
	}
	delete(c.objects, h)
	delete(c.drained, h)
	delete(c.limits, h)
	delete(c.rooms, h)
	return !c.unwanted[h]
}

// Reserve implements sink.Sink.
func (c *Consumer) Reserve(class sink.Class, n int, done <-chan struct{}) (sink.Record, bool) {
	if n > sink.MaxPayload {
		c.t.Errorf("a payload of %d bytes", n)
	}
	c.mu.Lock()
	for class == sink.Bulk && c.bulk+n > c.capacity && c.bulk > 0 {
		room := c.room
		c.waiting++
		c.mu.Unlock()
		select {
		case <-room:
		case <-done:
		}
		c.mu.Lock()
		c.waiting--
		select {
		case <-done:
			c.mu.Unlock()
			return sink.Record{}, false
		default:
		}
	}
	defer c.mu.Unlock()
	switch class {
	case sink.Bulk:
		c.bulk += n
	case sink.Patient:
		if c.patient >= c.places {
			return sink.Record{}, false
		}
		c.patient++
	}
	s := &slot{payload: make([]byte, n), class: class, reserved: n}
	c.queue = append(c.queue, s)
	c.tokens++
	c.reserved[c.tokens] = s
	return sink.Record{Payload: s.payload, Token: c.tokens}, true
}

// take ends a reservation. c.mu is held.
func (c *Consumer) take(r sink.Record) *slot {
	s := c.reserved[r.Token]
	if s == nil {
		panic("a record was committed or aborted twice, or never reserved")
	}
	delete(c.reserved, r.Token)
	return s
}

// Commit implements sink.Sink. It takes its time now and then, as a process does that is not alone on its machine.
func (c *Consumer) Commit(r sink.Record, ev *sink.Event) {
	c.mu.Lock()
	s := c.take(r)
	linger := s.class == sink.Terminal && c.tokens%8 == 0
	c.mu.Unlock()
	if linger {
		time.Sleep(100 * time.Microsecond) // whoever does not wait for this overtakes it
	}
	c.mu.Lock()
	s.event, s.ready = *ev, true
	c.more.Signal()
	c.mu.Unlock()
	if linger {
		time.Sleep(100 * time.Microsecond) // what ought to have come before is late
	}
}

// Abort implements sink.Sink.
func (c *Consumer) Abort(r sink.Record) {
	c.mu.Lock()
	s := c.take(r)
	s.ready, s.aborted = true, true
	c.more.Signal()
	c.mu.Unlock()
}

// Room implements sink.Sink.
func (c *Consumer) Room() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.freeing == nil {
		c.freeing = make(chan struct{})
	}
	return c.freeing
}

// freed says that there may be room for a datagram. c.mu is held.
func (c *Consumer) freed() {
	if c.freeing != nil {
		close(c.freeing)
		c.freeing = nil
	}
}

// Lose implements sink.Sink.
func (c *Consumer) Lose(t sink.EventType, n uint64) {
	c.mu.Lock()
	c.lost[t] += n
	c.mu.Unlock()
}

// Drained implements sink.Sink.
func (c *Consumer) Drained(h sink.Handle, n int) {
	c.mu.Lock()
	c.drained[h] += n
	c.mu.Unlock()
}

// Datagrams implements sink.Sink.
func (c *Consumer) Datagrams(h sink.Handle, limit, returned int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.objects[h]; !ok {
		c.t.Errorf("datagrams of %d, whose handle is stale", h)
	}
	c.limits[h] = limit
	c.rooms[h] += returned
}

// Stalled implements sink.Sink.
func (c *Consumer) Stalled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stalled
}

// Offered implements sink.Sink.
func (c *Consumer) Offered(h sink.Handle, protocols []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.objects[h]; !ok {
		c.t.Errorf("protocols of %d, whose handle is stale", h)
	}
	c.offered[h] = protocols
}

// SessionStats implements sink.Sink.
func (c *Consumer) SessionStats(h sink.Handle, values *sink.SessionStats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counters[h] = *values
}

// react is the reactor.
func (c *Consumer) react() {
	defer close(c.ended)
	for {
		c.mu.Lock()
		for !c.closed && len(c.commands) == 0 && (c.stalled || len(c.queue) == 0 || !c.queue[0].ready) {
			c.more.Wait()
		}
		if c.closed {
			c.mu.Unlock()
			return
		}
		if len(c.commands) > 0 {
			f := c.commands[0]
			c.commands = c.commands[1:]
			c.mu.Unlock()
			f()
			continue
		}
		s := c.queue[0]
		c.queue = c.queue[1:]
		switch s.class {
		case sink.Bulk:
			c.bulk -= s.reserved
			close(c.room)
			c.room = make(chan struct{})
		case sink.Patient:
			c.patient--
			c.freed()
		}
		c.mu.Unlock()
		if s.aborted {
			continue
		}
		e := Event{Event: s.event, Meta: s.payload[:s.event.MetaLen]}
		e.Data = s.payload[sink.DataOffset(len(e.Meta)):][:s.event.DataLen]
		c.contract.Hold(&e)
		switch e.Type {
		case sink.EventServerStopped:
			c.stopped <- e
		case sink.EventLog:
			c.mu.Lock()
			c.logged = append(c.logged, string(e.Data))
			c.mu.Unlock()
		}
		if c.handle != nil {
			c.handle(e)
		}
	}
}

// Do runs f on the reactor.
func (c *Consumer) Do(f func()) {
	c.mu.Lock()
	c.commands = append(c.commands, f)
	c.more.Signal()
	c.mu.Unlock()
}

// Await runs f there and waits for it.
func (c *Consumer) Await(f func()) {
	done := make(chan struct{})
	c.Do(func() { defer close(done); f() })
	<-done
}

// Stopped gives each SERVER_STOPPED.
func (c *Consumer) Stopped() <-chan Event { return c.stopped }

// Stall keeps events queued, or takes them again.
func (c *Consumer) Stall(on bool) {
	c.mu.Lock()
	c.stalled = on
	c.more.Signal()
	c.mu.Unlock()
}

// SetCapacity sets how many bytes of bulk events may be queued: 1 MiB unless it is called.
func (c *Consumer) SetCapacity(n int) {
	c.mu.Lock()
	c.capacity = n
	c.mu.Unlock()
}

// Bulk is how many bytes of bulk events are queued.
func (c *Consumer) Bulk() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bulk
}

// Waiting is how many wait for room in Reserve.
func (c *Consumer) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting
}

// SetPlaces sets how many datagrams may be queued: any number unless it is called.
func (c *Consumer) SetPlaces(n int) {
	c.mu.Lock()
	c.places = n
	c.freed()
	c.mu.Unlock()
}

// SetFull has no handle issued any more, or again.
func (c *Consumer) SetFull(on bool) {
	c.mu.Lock()
	c.full = on
	c.mu.Unlock()
}

// Object is what a handle stands for, nil if it is stale.
func (c *Consumer) Object(h sink.Handle) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.objects[h]
}

// Give is a handle as the C side gives one out for a stream that is to be opened.
func (c *Consumer) Give() sink.Handle {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	c.given[c.last] = true
	return c.last
}

// Ask is Give for a fetch, with the user data that its events are to have. The reactor calls it.
func (c *Consumer) Ask(userData uint64) sink.Handle {
	h := c.Give()
	c.contract.Asked(h, userData)
	return h
}

// AskConnect is Give for the wish for a connection, with the user data that its event is to have. The reactor calls it.
func (c *Consumer) AskConnect(userData uint64) sink.Handle {
	h := c.Give()
	c.contract.Connecting(h, userData)
	return h
}

// Want is Give for a session, with the user data that its events are to have. The reactor calls it.
func (c *Consumer) Want(userData uint64) sink.Handle {
	h := c.Give()
	c.contract.Wanted(h, userData)
	return h
}

// Live is how many handles are live.
func (c *Consumer) Live() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.objects)
}

func (c *Consumer) live(h sink.Handle) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.objects[h]
	return ok
}

// Forget says that the consumer has given up a request and wants to hear of no end; what was queued by then may still come. The reactor
// calls it.
func (c *Consumer) Forget(h sink.Handle) { c.contract.Forget(h) }

// Unwant says so only when the engine asks with Release. The reactor calls it.
func (c *Consumer) Unwant(h sink.Handle) {
	c.contract.Forget(h)
	c.mu.Lock()
	c.unwanted[h] = true
	c.mu.Unlock()
}

// Count is how many events of a type came. The reactor calls it.
func (c *Consumer) Count(t sink.EventType) int { return c.contract.counts[t] }

// Counts are those of all types.
func (c *Consumer) Counts() map[sink.EventType]int { return maps.Clone(c.contract.counts) }

// ClearCounts begins to count anew.
func (c *Consumer) ClearCounts() { clear(c.contract.counts) }

// DrainedOf is how many bytes of what was written for h have left.
func (c *Consumer) DrainedOf(h sink.Handle) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drained[h]
}

// Places is how many datagrams more may be queued for sending, and how large they may be.
func (c *Consumer) Places(h sink.Handle) (room, limit int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rooms[h], c.limits[h]
}

// LostOf is how many events of a type were given up for want of room.
func (c *Consumer) LostOf(t sink.EventType) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost[t]
}

// Offers are the protocols that the peer of a session offered.
func (c *Consumer) Offers(h sink.Handle) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offered[h]
}

// Counters are a session's, as they were last told.
func (c *Consumer) Counters(h sink.Handle) sink.SessionStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counters[h]
}

// Logged are the messages so far.
func (c *Consumer) Logged() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.logged...)
}

// String says what is queued and open, for a test that has waited in vain.
func (c *Consumer) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("%d events queued, %d reserved, %d handles live", len(c.queue), len(c.reserved), len(c.objects))
}
