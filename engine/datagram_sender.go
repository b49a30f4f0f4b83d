package engine

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
)

// A datagramSender is the queue of outgoing datagrams of one session, request or connection. QUIC's own call may wait, so a goroutine
// makes it, which is there only while something is queued. How much may be queued is the sink's account.
type datagramSender struct {
	c      *conn
	handle sink.Handle
	prefix []byte                                     // the flow id
	commit func(rec sink.Record, ev *sink.Event) bool // publishes an event unless the object has ended

	sent, expired, unsent atomic.Uint64

	mu       sync.Mutex
	queue    []outgoingDatagram
	running  bool
	closed   bool
	limit    int // of a payload
	returned int // places that the sink was not told of yet
}

type outgoingDatagram struct {
	bytes  *[]byte // flow id and payload
	expiry time.Time
}

var datagramBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 1500); return &b }}

// tooLarge is a datagram that no packet holds.
var tooLarge = make([]byte, 64<<10)

// largestDatagram asks QUIC for the largest that it can send now, flow id included; 0: none.
func largestDatagram(q *quic.Conn) int {
	var limit *quic.DatagramTooLargeError
	if errors.As(q.SendDatagram(tooLarge), &limit) {
		return int(limit.MaxDatagramPayloadSize)
	}
	return 0
}

// open tells the sink for the first time what may be sent; enabled false: nothing yet.
func (d *datagramSender) open(h sink.Handle, enabled bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.handle = h
	if enabled {
		d.limit = max(0, largestDatagram(d.c.q)-len(d.prefix))
	}
	d.c.sink.Datagrams(h, d.limit, d.c.s.options.Datagrams.Outgoing)
}

// measure looks how large a datagram may be now.
func (d *datagramSender) measure() {
	limit := max(0, largestDatagram(d.c.q)-len(d.prefix))
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.handle == 0 || limit == d.limit {
		return
	}
	d.limit = limit
	d.c.sink.Datagrams(d.handle, limit, 0)
}

// forbid takes the permission to send back.
func (d *datagramSender) forbid() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed && d.limit > 0 {
		d.limit = 0
		d.c.sink.Datagrams(d.handle, 0, 0)
	}
}

// send queues a datagram.
func (d *datagramSender) send(data []byte, maxAge time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		d.c.stats.Add(sink.StatDatagramsUnsent, 1)
		return
	}
	o := outgoingDatagram{bytes: datagramBuffers.Get().(*[]byte)}
	*o.bytes = append(append((*o.bytes)[:0], d.prefix...), data...)
	if maxAge > 0 {
		o.expiry = time.Now().Add(maxAge)
	}
	d.queue = append(d.queue, o)
	if !d.running {
		d.running = true
		d.c.spawn("datagrams", d.run)
	}
}

// close ends the queue: what is in it is still sent, and the sink is told nothing any more.
func (d *datagramSender) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
}

// take is the next datagram to send. It gives places back, many together.
func (d *datagramSender) take() (o outgoingDatagram, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ok = len(d.queue) > 0; ok {
		o = d.queue[0]
		d.queue[0] = outgoingDatagram{}
		d.queue = d.queue[1:]
		d.returned++
	}
	if !d.closed && d.returned > 0 && (!ok || d.returned >= (d.c.s.options.Datagrams.Outgoing+3)/4) {
		d.c.sink.Datagrams(d.handle, d.limit, d.returned)
		d.returned = 0
	}
	d.running = ok
	return o, ok
}

// run sends what is queued.
func (d *datagramSender) run() {
	var (
		dropped uint64    // not told yet
		code    sink.Code // why
	)
	drop := func(why sink.Code) {
		if why != code && dropped > 0 {
			d.tell(code, dropped)
			dropped = 0
		}
		code = why
		dropped++
	}
	stats := d.c.stats
	for {
		o, ok := d.take()
		if !ok {
			break
		}
		if !o.expiry.IsZero() && time.Now().After(o.expiry) {
			stats.Add(sink.StatDatagramsExpired, 1)
			d.expired.Add(1)
			drop(sink.ErrTimeout)
			datagramBuffers.Put(o.bytes)
			continue
		}
		err := d.c.q.SendDatagram(*o.bytes)
		datagramBuffers.Put(o.bytes)
		var limit *quic.DatagramTooLargeError
		switch {
		case err == nil:
			stats.Add(sink.StatDatagramsOut, 1)
			d.sent.Add(1)
		case errors.As(err, &limit):
			stats.Add(sink.StatDatagramsTooLarge, 1)
			d.unsent.Add(1)
			d.measure()
			drop(sink.ErrDatagramTooLarge)
		default:
			stats.Add(sink.StatDatagramsUnsent, 1)
			d.unsent.Add(1)
			drop(sink.ErrClosed)
		}
	}
	if dropped > 0 {
		d.tell(code, dropped)
	}
}

// tell emits DATAGRAMS_DROPPED.
func (d *datagramSender) tell(code sink.Code, n uint64) {
	rec, ok := d.c.sink.Reserve(sink.Bulk, 0, d.c.done)
	if !ok {
		return
	}
	ev := sink.Event{Type: sink.EventDatagramsDropped, Object: d.handle, Parent: d.c.s.handle, Conn: d.c.handle, Code: code, Aux: n}
	if !d.commit(rec, &ev) {
		d.c.sink.Abort(rec)
	}
}
