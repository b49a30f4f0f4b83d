package engine

import (
	"slices"
	"sync"
)

// A datagramReceiver hands the datagrams that come for one session, request or connection to the consumer. Those that its queue has no
// room for wait here, as many as the option datagrams.incoming says; then the oldest goes for each that comes.
type datagramReceiver struct {
	c         *conn
	head      Event                            // of the events
	commit    func(rec Record, ev *Event) bool // publishes an event unless the object has ended
	delivered func(ok bool)                    // is told of each, and whether the consumer got it; may be nil

	// Not held while an event is committed: that takes the lock of the object, under which close is called.
	mu      sync.Mutex
	waiting []incomingDatagram
	gone    chan struct{} // closed by close; nil: nobody waits for room
	closed  bool
}

type incomingDatagram struct {
	bytes []byte
	at    uint64 // when it came
}

// take takes a datagram, which is its from now on. One goroutine calls it.
func (d *datagramReceiver) take(data []byte) {
	one := incomingDatagram{data, monotonic()}
	d.mu.Lock()
	straight := d.gone == nil && !d.closed
	d.mu.Unlock()
	if straight && d.deliver(one) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		d.lose(1)
		return
	}
	if len(d.waiting) >= d.c.s.options.Datagrams.Incoming {
		d.drop()
		d.lose(1)
	}
	d.waiting = append(d.waiting, one)
	if d.gone == nil {
		gone := make(chan struct{})
		d.gone = gone
		d.c.spawn("datagrams waiting", func() { d.retry(gone) })
	}
}

// drop takes the oldest one out. d.mu is held.
func (d *datagramReceiver) drop() {
	d.waiting[0] = incomingDatagram{}
	d.waiting = d.waiting[1:]
}

// deliver emits the event of a datagram. It reports false when there is no room.
func (d *datagramReceiver) deliver(one incomingDatagram) bool {
	c := d.c
	rec, ok := c.sink.Reserve(Patient, len(one.bytes), nil)
	if !ok {
		return false
	}
	copy(rec.Payload, one.bytes)
	ev := d.head
	ev.DataLen, ev.Aux = uint32(len(one.bytes)), one.at
	if ok = d.commit(rec, &ev); ok {
		c.stats.add(StatDatagramsDelivered, 1)
	} else {
		c.sink.Abort(rec)
		c.stats.add(StatDatagramsDroppedUnknown, 1)
	}
	d.tell(1, ok)
	return true
}

// lose counts datagrams that the consumer's queue never had room for.
func (d *datagramReceiver) lose(n int) {
	if n > 0 {
		d.c.stats.add(StatDatagramsDroppedRing, uint64(n))
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
		for {
			one, ok := d.oldest()
			if !ok {
				return
			}
			if !d.deliver(one) {
				d.putBack(one)
				break
			}
		}
		select {
		case <-room:
		case <-gone:
		}
	}
}

// oldest takes out what is to be delivered next. Where nothing waits, take delivers by itself again.
func (d *datagramReceiver) oldest() (one incomingDatagram, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.waiting) == 0 {
		d.waiting, d.gone = nil, nil
		return one, false
	}
	one = d.waiting[0]
	d.drop()
	return one, true
}

// putBack takes an oldest back that found no room, unless as many as may wait have come meanwhile.
func (d *datagramReceiver) putBack(one incomingDatagram) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || len(d.waiting) >= d.c.s.options.Datagrams.Incoming {
		d.lose(1)
		return
	}
	d.waiting = slices.Insert(d.waiting, 0, one)
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
