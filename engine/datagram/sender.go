package datagram

import (
	"errors"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

const (
	// atOnce is how many datagrams are taken from the flows under one lock: they wait behind QUIC's 32, where they get no older unseen.
	atOnce = 8
	// measureEach is how long a limit is good for while datagrams are sent: QUIC finds out slowly how large packets may be.
	measureEach = 100 * time.Millisecond
)

// A sender sends what the flows of a connection have queued, one of each in turn. QUIC's own call may wait, so a goroutine makes it, which
// is there only while something is queued.
type sender struct {
	fs *Flows

	mu       sync.Mutex
	whose    whose
	ready    ring[*Flow] // that have something queued, each once
	running  bool
	lost     bool
	largest  int    // that QUIC could send at the last look, header included
	measured uint64 // when that was
	teller   teller
}

// measure looks how large a datagram may be. s.mu is held.
func (s *sender) measure() {
	s.largest, s.measured = largest(s.fs.quic), sink.Monotonic()
}

// measureAgain does so if that was not done for a while. s.mu is held.
func (s *sender) measureAgain(now uint64) {
	if s.measured == 0 || now-s.measured >= uint64(measureEach) {
		s.measure()
	}
}

// limit is how large a payload of f may be. s.mu is held.
func (s *sender) limit(f *Flow) int {
	switch {
	case f.raw && s.whose == raws:
		return s.largest
	case !f.raw && s.whose == https:
		return max(0, s.largest-wire.DatagramHeaderLen(f.stream))
	}
	return 0
}

// queue takes a datagram, unless nothing is sent any more.
func (s *sender) queue(f *Flow, d outgoing) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.ended || s.lost {
		return false
	}
	f.queue.push(d)
	if !f.held {
		s.list(f)
	}
	return true
}

// list has what f has queued be sent. s.mu is held.
func (s *sender) list(f *Flow) {
	if !f.listed {
		f.listed = true
		s.ready.push(f)
	}
	if !s.running {
		s.running = true
		s.fs.c.Spawn("datagrams out", s.run)
	}
}

// A parcel is a datagram on its way.
type parcel struct {
	f *Flow
	d outgoing
}

// run sends what is queued.
func (s *sender) run() {
	var parcels [atOnce]parcel
	for {
		n, more := s.take(&parcels)
		for i := range parcels[:n] {
			s.send(parcels[i].f, parcels[i].d)
			parcels[i] = parcel{}
		}
		if !more {
			return
		}
	}
}

// take takes the next ones, and drops those before them that are too old. Without any it reports false, and the goroutine ends.
func (s *sender) take(parcels *[atOnce]parcel) (n int, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready.len() == 0 {
		s.running = false
		return 0, false
	}
	now := sink.Monotonic()
	s.measureAgain(now)
	for n < atOnce && s.ready.len() > 0 {
		f := s.ready.pop()
		d := f.queue.pop()
		f.returned++
		if d.expiry != 0 && now > d.expiry {
			d.release()
			s.expired(f)
		} else {
			parcels[n] = parcel{f, d}
			n++
		}
		if f.listed = f.queue.len() > 0; f.listed {
			s.ready.push(f)
		}
		f.giveBack()
	}
	return n, true
}

// send hands a datagram to QUIC, which may take its time.
func (s *sender) send(f *Flow, d outgoing) {
	stats := s.fs.c.Stats
	if d.expiry != 0 && sink.Monotonic() > d.expiry {
		d.release()
		s.mu.Lock()
		s.expired(f)
		s.mu.Unlock()
		return
	}
	err := s.fs.quic.SendDatagram(*d.bytes)
	d.release()
	if err == nil {
		stats.Add(sink.StatDatagramsOut, 1)
		f.sent.Add(1)
		f.changed()
		return
	}
	f.unsent.Add(1)
	f.changed()
	var limit *quic.DatagramTooLargeError
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.As(err, &limit) {
		stats.Add(sink.StatDatagramsTooLarge, 1)
		s.measure()
		f.relimit()
		s.drop(f, tooWide)
	} else {
		stats.Add(sink.StatDatagramsUnsent, 1)
		s.drop(f, notOpen)
	}
}
