package datagram

import (
	"time"

	"zigh3/engine/link"
	"zigh3/engine/sink"
)

// What a connection keeps of datagrams that came before their stream: QUIC delivers in any order, and a client may send datagrams right
// behind its request, in the same flight.
const (
	// earlyWait covers a request that was lost once and sent again on a path of 100 ms.
	earlyWait = 250 * time.Millisecond
	// maxEarly is half of what QUIC's queue holds: as many as a burst behind a request, or two.
	maxEarly = 64
	// maxEarlyBytes is as many datagrams in packets of about 1 KiB; on paths with larger ones there are fewer.
	maxEarlyBytes = 64 << 10
)

// early are the datagrams of streams that are not known, oldest first. It belongs to Flows.mu.
type early struct {
	next     uint64              // the id behind the highest of a stream that was looked at
	expected map[uint64]struct{} // below next, and may be opened still
	kept     []earlyDatagram
	bytes    int
	wait     time.Duration
	timer    *time.Timer // nil: never needed
	armed    bool
}

type earlyDatagram struct {
	stream uint64
	incoming
}

// Seen says that a stream of the peer's was looked at and has its flow, or will have none. Datagrams for streams up to the highest that
// was seen are dropped at once if they have no flow, unless their stream is expected.
func (fs *Flows) Seen(stream uint64) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	e := &fs.early
	e.next = max(e.next, stream+4)
	delete(e.expected, stream)
	if len(e.kept) > 0 {
		fs.release(func(d *earlyDatagram) bool {
			if d.stream == stream {
				fs.c.Stats.Add(sink.StatDatagramsDroppedUnknown, 1)
			}
			return d.stream == stream
		})
	}
}

// Expect says that it will take longer to know whether a stream of the peer's has a flow, while others are looked at: what comes for it
// is kept as if it was not there. Open or Seen follows in any case.
func (fs *Flows) Expect(stream uint64) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	e := &fs.early
	if fs.open[stream] != nil || fs.lost {
		return
	}
	e.next = max(e.next, stream+4)
	if e.expected == nil {
		e.expected = make(map[uint64]struct{})
	}
	e.expected[stream] = struct{}{}
}

// keep keeps a datagram whose stream has no flow, or counts it as dropped. fs.mu is held.
func (fs *Flows) keep(stream uint64, d incoming) {
	e := &fs.early
	_, expected := e.expected[stream]
	if fs.lost || !fs.mayCome(stream) && !expected {
		fs.c.Stats.Add(sink.StatDatagramsDroppedUnknown, 1)
		return
	}
	gone := 0
	for gone < len(e.kept) && (len(e.kept)-gone >= maxEarly || e.bytes+len(d.bytes) > maxEarlyBytes) {
		e.bytes -= len(e.kept[gone].bytes)
		gone++
	}
	if gone > 0 {
		e.kept = append(e.kept[:0], e.kept[gone:]...)
		clear(e.kept[len(e.kept) : len(e.kept)+gone])
		fs.c.Stats.Add(sink.StatDatagramsDroppedEarly, uint64(gone))
	}
	e.kept = append(e.kept, earlyDatagram{stream, d})
	e.bytes += len(d.bytes)
	if e.armed {
		return
	}
	e.armed = true
	if e.timer == nil {
		e.timer = time.AfterFunc(e.wait, func() { sink.Guard("early datagrams", fs.expireEarly) })
	} else {
		e.timer.Reset(e.wait)
	}
}

// mayCome reports whether a stream that has no flow may be one that its peer opens later. A client knows all streams: it opens them.
func (fs *Flows) mayCome(stream uint64) bool {
	return fs.c.Role == link.Server && stream >= fs.early.next
}

// adopt gives a new flow what came before it. fs.mu is held, and nobody else knows the flow.
func (fs *Flows) adopt(f *Flow) {
	if len(fs.early.kept) == 0 {
		return
	}
	fs.release(func(d *earlyDatagram) bool {
		if d.stream == f.stream {
			lost := f.wait(d.incoming)
			f.lost.Add(lost)
			fs.c.Stats.Add(sink.StatDatagramsDroppedEarly, lost)
		}
		return d.stream == f.stream
	})
}

// release lets go of those kept datagrams that gone is true for. fs.mu is held.
func (fs *Flows) release(gone func(d *earlyDatagram) bool) {
	e := &fs.early
	left := e.kept[:0]
	for i := range e.kept {
		if d := &e.kept[i]; gone(d) {
			e.bytes -= len(d.bytes)
		} else {
			left = append(left, *d)
		}
	}
	clear(e.kept[len(left):])
	if e.kept = left; len(left) == 0 {
		e.kept = nil
	}
}

// expireEarly drops those whose streams did not come in time.
func (fs *Flows) expireEarly() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	e := &fs.early
	e.armed = false
	now := sink.Monotonic()
	fs.release(func(d *earlyDatagram) bool {
		late := now-d.at >= uint64(e.wait)
		if late {
			fs.c.Stats.Add(sink.StatDatagramsDroppedUnknown, 1)
		}
		return late
	})
	if len(e.kept) > 0 {
		e.armed = true
		e.timer.Reset(e.wait - time.Duration(now-e.kept[0].at))
	}
}

// forgetEarly drops all. fs.mu is held.
func (fs *Flows) forgetEarly() {
	e := &fs.early
	fs.c.Stats.Add(sink.StatDatagramsDroppedUnknown, uint64(len(e.kept)))
	e.kept, e.bytes, e.expected = nil, 0, nil
	if e.timer != nil {
		e.timer.Stop()
	}
}
