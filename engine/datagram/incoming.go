package datagram

import "zigh3/engine/sink"

// incoming is a datagram that came.
type incoming struct {
	bytes []byte // the payload
	at    uint64 // when it came
}

// wait puts a datagram behind those that wait, and returns how many are given up for it. fs.mu is held.
func (f *Flow) wait(d incoming) (lost uint64) {
	if f.closed {
		return 1
	}
	if f.waiting.len() >= f.fs.options.Incoming {
		f.waiting.pop()
		lost = 1
	}
	f.waiting.push(d)
	return lost
}

// dropReason is the counter of those that are given up now. fs.mu is held.
func (f *Flow) dropReason() int {
	if f.started {
		return sink.StatDatagramsDroppedRing
	}
	return sink.StatDatagramsDroppedEarly
}

// lose counts datagrams as given up.
func (f *Flow) lose(why int, n uint64) {
	if n == 0 {
		return
	}
	f.fs.c.Stats.Add(why, n)
	if why == sink.StatDatagramsDroppedRing {
		f.fs.c.Sink.Lose(f.event.Type, n)
	}
	f.lost.Add(n)
	f.changed()
}

// deliver emits the event of a datagram. It reports false when there is no room. Only the reader calls it while nothing waits, and only
// keepDelivering while something does.
func (f *Flow) deliver(d incoming) bool {
	c := f.fs.c
	rec, ok := c.Sink.Reserve(sink.Patient, len(d.bytes), nil)
	if !ok {
		return false
	}
	copy(rec.Payload, d.bytes)
	ev := &f.event
	ev.DataLen, ev.Aux = uint32(len(d.bytes)), d.at
	if f.commit(rec, ev) {
		c.Stats.Add(sink.StatDatagramsDelivered, 1)
		f.delivered.Add(1)
		f.changed()
		return true
	}
	c.Sink.Abort(rec)
	f.lose(sink.StatDatagramsDroppedUnknown, 1)
	return true
}

// startDelivering starts a goroutine for what waits, if there is none. fs.mu is held.
func (f *Flow) startDelivering() {
	if !f.started || f.delivering || f.closed || f.fs.lost || f.waiting.len() == 0 {
		return
	}
	f.delivering = true
	if f.gone == nil {
		f.gone = make(chan struct{})
	}
	gone := f.gone
	f.fs.c.Spawn("datagrams waiting", func() { f.keepDelivering(gone) })
}

// keepDelivering delivers what waits whenever the consumer has made room, and ends when nothing is left.
func (f *Flow) keepDelivering(gone <-chan struct{}) {
	for {
		room := f.fs.c.Sink.Room()
		if f.deliverWaiting() {
			return
		}
		select {
		case <-room:
		case <-gone:
		}
	}
}

// deliverWaiting delivers as much as there is room for, and reports whether nothing is left.
func (f *Flow) deliverWaiting() bool {
	fs := f.fs
	for {
		fs.mu.Lock()
		if f.waiting.len() == 0 {
			f.delivering = false
			fs.mu.Unlock()
			return true
		}
		d := f.waiting.pop()
		fs.mu.Unlock()
		if f.deliver(d) {
			continue
		}
		fs.mu.Lock()
		// It is still the oldest. What has come meanwhile may have taken its place.
		full := f.closed || f.waiting.len() >= fs.options.Incoming
		if !full {
			f.waiting.pushFront(d)
		}
		fs.mu.Unlock()
		if full {
			f.lose(sink.StatDatagramsDroppedRing, 1)
		}
		return false
	}
}
