package datagram

import (
	"errors"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// outgoing is a datagram that waits to be sent.
type outgoing struct {
	bytes  *[]byte // header and payload
	expiry uint64  // when it is too old; 0: never
}

// largestBuffer is the largest that is used again: no packet holds more.
const largestBuffer = 2 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1500); return &b }}

func (d *outgoing) release() {
	if cap(*d.bytes) <= largestBuffer {
		buffers.Put(d.bytes)
	}
}

// tooLarge is a datagram that no packet holds.
var tooLarge = make([]byte, 64<<10)

// largest asks QUIC for the largest that it can send now, header included; 0: none.
func largest(q transport) int {
	var limit *quic.DatagramTooLargeError
	if errors.As(q.SendDatagram(tooLarge), &limit) {
		return int(limit.MaxDatagramPayloadSize)
	}
	return 0
}

// Announce tells the sink for the first time what may be sent, and returns how large a payload may be; 0: nothing may be sent, yet. It is
// called between Issue and the Commit of the event from which on the consumer may send.
func (f *Flow) Announce(h sink.Handle) (limit int) {
	s := &f.fs.out
	s.mu.Lock()
	defer s.mu.Unlock()
	s.measureAgain(sink.Monotonic())
	f.handle, f.limit = h, s.limit(f)
	if !f.ended {
		f.fs.c.Sink.Datagrams(h, f.limit, f.fs.options.Outgoing)
	}
	return f.limit
}

// Measure looks how large a payload may be now, and tells the sink if that has changed.
func (f *Flow) Measure() {
	s := &f.fs.out
	s.mu.Lock()
	defer s.mu.Unlock()
	s.measure()
	f.relimit()
}

// relimit tells the sink of another limit. sender.mu is held.
func (f *Flow) relimit() {
	limit := f.fs.out.limit(f)
	if f.ended || f.handle == 0 || limit == f.limit {
		return
	}
	f.limit = limit
	f.fs.c.Sink.Datagrams(f.handle, limit, 0)
}

// giveBack tells the sink of free places, many together, and of another limit with them. sender.mu is held.
func (f *Flow) giveBack() {
	if f.ended || f.returned == 0 || f.queue.len() > 0 && f.returned < (f.fs.options.Outgoing+3)/4 {
		return
	}
	f.limit = f.fs.out.limit(f)
	f.fs.c.Sink.Datagrams(f.handle, f.limit, f.returned)
	f.returned = 0
}

// Send queues a datagram; data is valid during the call. What has waited for longer than maxAge is dropped; 0 is no limit. How much may be
// queued is the sink's account.
func (f *Flow) Send(data []byte, maxAge time.Duration) {
	d := outgoing{bytes: buffers.Get().(*[]byte)}
	b := (*d.bytes)[:0]
	if !f.raw {
		b = wire.AppendDatagramHeader(b, f.stream)
	}
	*d.bytes = append(b, data...)
	if maxAge > 0 {
		d.expiry = sink.Monotonic() + uint64(maxAge)
	}
	if f.fs.out.queue(f, d) {
		return
	}
	d.release()
	f.fs.c.Stats.Add(sink.StatDatagramsUnsent, 1)
	f.unsent.Add(1)
	f.changed()
}
