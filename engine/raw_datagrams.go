package engine

import (
	"context"
	"sync"
	"time"

	"zigh3/engine/sink"
)

// settingsWait is how long a peer that sends datagrams may keep its SETTINGS back before it counts as one that announces nothing.
const settingsWait = 250 * time.Millisecond

// rawDatagrams are the QUIC datagrams of a connection, both ways. They share one kind of frame with those of HTTP: what a peer that
// announces SETTINGS_H3_DATAGRAM sends is never taken for raw, unless this server says that it does not speak HTTP's.
type rawDatagrams struct {
	c      *conn
	out    datagramSender
	in     datagramReceiver
	ctx    context.Context // ends when http3 reads the datagrams after all
	cancel context.CancelFunc

	mu      sync.Mutex
	known   chan struct{} // closed once it is clear whose datagrams these are
	decided bool
	http    bool // HTTP's
}

// startRawDatagrams is called before CONN_OPENED.
func (c *conn) startRawDatagrams() {
	state := c.q.ConnectionState().SupportsDatagrams
	if !c.s.options.QUICDatagrams || !state.Local || !state.Remote {
		return
	}
	d := &rawDatagrams{c: c, known: make(chan struct{})}
	commit := func(rec sink.Record, ev *sink.Event) bool {
		c.sink.Commit(rec, ev)
		return true
	}
	d.out = datagramSender{c: c, commit: commit}
	d.in = datagramReceiver{c: c, head: sink.Event{Type: sink.EventQUICDatagram, Object: c.handle, Parent: c.s.handle, Conn: c.handle}, commit: commit}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	c.raw = d
	d.out.open(c.handle, c.h3 == nil)
	if c.s.options.RawDatagrams {
		d.decide(false)
	}
}

// settled says whether the peer announced SETTINGS_H3_DATAGRAM.
func (c *conn) settled(announced bool) {
	d := c.raw
	if d == nil || c.s.options.RawDatagrams {
		return
	}
	d.decide(announced)
}

func (d *rawDatagrams) decide(http bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if http {
		d.http = true
		d.out.forbid()
		if d.c.h3 != nil {
			d.cancel()
		}
	}
	if !d.decided {
		d.decided = true
		close(d.known)
	}
}

// foreign reports whether datagrams are HTTP's. It waits until that is clear.
func (d *rawDatagrams) foreign() bool {
	timer := time.NewTimer(settingsWait)
	defer timer.Stop()
	select {
	case <-d.known:
	case <-timer.C:
		d.decide(false)
	case <-d.c.done:
		d.decide(false)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.http
}

// move delivers what comes.
func (d *rawDatagrams) move() {
	c := d.c
	if c.h3 != nil {
		// http3 reads datagrams if they are its own.
		if d.foreign() {
			return
		}
		d.out.measure()
	}
	for {
		data, err := c.q.ReceiveDatagram(d.ctx)
		if err != nil {
			return
		}
		c.stats.Add(sink.StatDatagramsIn, 1)
		if d.foreign() {
			c.stats.Add(sink.StatDatagramsDroppedUnknown, 1)
			continue
		}
		d.in.take(data)
	}
}

// SendDatagram queues a raw QUIC datagram; data is valid during the call. What has waited for longer than maxAge is dropped; 0 is no
// limit.
func (c *conn) SendDatagram(data []byte, maxAge time.Duration) {
	if c.raw != nil {
		c.raw.out.send(data, maxAge)
	}
}

// DatagramOversized counts a datagram that was refused because it is larger than the limit.
func (c *conn) DatagramOversized() { c.stats.Add(sink.StatDatagramsTooLarge, 1) }
