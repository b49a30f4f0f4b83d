package engine

import (
	"context"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/sink"
)

// h3Datagrams are the datagrams of one request or session, both ways.
type h3Datagrams struct {
	c    *conn
	h    *http3.Stream
	id   uint64
	flow *datagramFlow
	out  datagramSender
	in   datagramReceiver

	mu      sync.Mutex
	started bool
	closed  bool
	cancel  context.CancelFunc // of the goroutine that empties http3's queue; nil: there is none
}

// newH3Datagrams begins the account of a stream's datagrams. Nothing is delivered before start.
func newH3Datagrams(c *conn, h *http3.Stream, head sink.Event, commit func(rec sink.Record, ev *sink.Event) bool) *h3Datagrams {
	id := uint64(h.StreamID())
	d := &h3Datagrams{c: c, h: h, id: id}
	d.out = datagramSender{c: c, prefix: quicvarint.Append(nil, id/4), commit: commit}
	d.in = datagramReceiver{c: c, head: head, commit: commit}
	d.flow = c.addFlow(id, d.wake)
	return d
}

// start lets what comes be delivered, and what is there already.
func (d *h3Datagrams) start() {
	d.mu.Lock()
	d.started = true
	d.mu.Unlock()
	if d.flow.arrived.Load() > 0 {
		d.wake()
	}
}

// wake starts the goroutine that delivers. There is none until the first datagram comes: most sessions that do little never need it.
func (d *h3Datagrams) wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.started || d.closed || d.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.flow.moving.Store(true)
	d.c.spawn("datagrams in", func() { d.move(ctx) })
	if d.in.head.Type == sink.EventH3Datagram && d.flow.waiting() != 0 {
		d.settleLater(ctx) // a session does so when it brings its counters up to date
	}
}

// settleLater counts what came before its request, and was dropped by http3, as lost once nothing more comes out of the queue.
func (d *h3Datagrams) settleLater(ctx context.Context) {
	time.AfterFunc(refreshEvery, func() {
		sink.Guard("datagram account", func() {
			d.flow.settle(d.c.stats, false)
			if ctx.Err() == nil && d.flow.waiting() != 0 {
				d.settleLater(ctx)
			}
		})
	})
}

// close ends both directions. What is in http3's queue then is dropped.
func (d *h3Datagrams) close() {
	d.out.close()
	d.in.close()
	d.mu.Lock()
	d.closed = true
	cancel := d.cancel
	d.mu.Unlock()
	if cancel != nil {
		cancel()
	} else {
		d.c.dropFlow(d.id, d.flow)
	}
	if d.in.head.Type == sink.EventH3Datagram {
		d.h.CancelRead(quic.StreamErrorCode(http3.ErrCodeNoError))
	}
}

// move empties http3's queue, which is short.
func (d *h3Datagrams) move(ctx context.Context) {
	for {
		data, err := d.h.ReceiveDatagram(ctx)
		if err != nil {
			d.c.dropFlow(d.id, d.flow)
			return
		}
		d.flow.moved.Add(1)
		d.in.take(data)
	}
}
