package engine

import (
	"sync"

	"zigh3/engine/sink"
)

// A datagramReceiver hands the datagrams that come for one session, request or connection to the consumer. Those that its queue has no
// room for wait here, as many as the option datagrams.incoming says; then the oldest goes for each that comes.
//
// One goroutine takes what comes. While something waits another one delivers, and nobody else does. Neither holds the lock then: who
// ends the object holds its own, which commit wants.
type datagramReceiver struct {
	c         *conn
	head      sink.Event                                 // of the events
	commit    func(rec sink.Record, ev *sink.Event) bool // publishes an event unless the object has ended
	delivered func(ok bool)                              // is told of each, and whether the consumer got it; may be nil

	mu       sync.Mutex
	waiting  []incomingDatagram
	retrying bool          // a goroutine delivers what waits, or is about to end
	gone     chan struct{} // closed by close; nil: nothing ever waited
	closed   bool
}

type incomingDatagram struct {
	bytes []byte
	at    uint64 // when it came
}

// take takes a datagram, which is its from now on.
func (d *datagramReceiver) take(data []byte) {
	one := incomingDatagram{data, sink.Monotonic()}
	d.mu.Lock()
	direct := !d.retrying
	d.mu.Unlock()
	if direct && d.deliver(one) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wait(one)
	if !d.retrying && len(d.waiting) > 0 {
		d.retrying = true
		if d.gone == nil {
			d.gone = make(chan struct{})
		}
		gone := d.gone
		d.c.spawn("datagrams waiting", func() { d.retry(gone) })
	}
}

// wait puts a datagram behind those that wait. d.mu is held.
func (d *datagramReceiver) wait(one incomingDatagram) {
	if d.closed {
		d.lose(1)
		return
	}
	if len(d.waiting) >= d.c.s.options.Datagrams.Incoming {
		d.first()
		d.lose(1)
	}
	d.waiting = append(d.waiting, one)
}

// first takes the oldest one out. d.mu is held.
func (d *datagramReceiver) first() incomingDatagram {
	one := d.waiting[0]
	d.waiting[0] = incomingDatagram{}
	d.waiting = d.waiting[1:]
	return one
}

// deliver emits the event of a datagram. It reports false when there is no room.
func (d *datagramReceiver) deliver(one incomingDatagram) bool {
	c := d.c
	rec, ok := c.sink.Reserve(sink.Patient, len(one.bytes), nil)
	if !ok {
		return false
	}
	copy(rec.Payload, one.bytes)
	ev := d.head
	ev.DataLen, ev.Aux = uint32(len(one.bytes)), one.at
	if ok = d.commit(rec, &ev); ok {
		c.stats.Add(sink.StatDatagramsDelivered, 1)
	} else {
		c.sink.Abort(rec)
		c.stats.Add(sink.StatDatagramsDroppedUnknown, 1)
	}
	d.tell(1, ok)
	return true
}

// lose counts datagrams that the consumer's queue never had room for.
func (d *datagramReceiver) lose(n int) {
	if n > 0 {
		d.c.stats.Add(sink.StatDatagramsDroppedRing, uint64(n))
		d.c.sink.Lose(d.head.Type, uint64(n))
		d.tell(n, false)
	}
}

func (d *datagramReceiver) tell(n int, ok bool) {
	for ; n > 0 && d.delivered != nil; n-- {
		d.delivered(ok)
	}
}

// retry delivers what waits whenever the consumer has made room, and ends when nothing is left.
func (d *datagramReceiver) retry(gone <-chan struct{}) {
	for {
		room := d.c.sink.Room()
		if d.deliverWaiting() {
			return
		}
		select {
		case <-room:
		case <-gone:
		}
	}
}

// deliverWaiting delivers as much as there is room for, and reports whether nothing is left.
func (d *datagramReceiver) deliverWaiting() bool {
	for {
		d.mu.Lock()
		if len(d.waiting) == 0 {
			d.waiting, d.retrying = nil, false
			d.mu.Unlock()
			return true
		}
		one := d.first()
		d.mu.Unlock()
		if d.deliver(one) {
			continue
		}
		d.mu.Lock()
		// It is still the oldest. What has come meanwhile may have taken its place.
		if d.closed || len(d.waiting) >= d.c.s.options.Datagrams.Incoming {
			d.lose(1)
		} else {
			d.waiting = append([]incomingDatagram{one}, d.waiting...)
		}
		d.mu.Unlock()
		return false
	}
}

// close gives up what waits.
func (d *datagramReceiver) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.closed = true
	d.lose(len(d.waiting))
	d.waiting = nil
	if d.gone != nil {
		close(d.gone)
	}
}
