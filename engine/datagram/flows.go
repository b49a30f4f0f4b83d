package datagram

import (
	"context"
	"sync"
	"time"

	"zigh3/engine/link"
	"zigh3/engine/sink"
)

// Options are the same for all connections of one server or client.
type Options struct {
	Incoming int  // datagrams of a flow that may wait for the consumer
	Outgoing int  // datagrams of a flow that may wait for the network
	HTTP     bool // HTTP's are offered: our SETTINGS announce them
	Raw      bool // raw ones are wanted
	RawOnly  bool // all are raw, whatever the peer announces
}

// transport is what is wanted of a quic.Conn.
type transport interface {
	SendDatagram(p []byte) error
	ReceiveDatagram(ctx context.Context) ([]byte, error)
}

// Flows are the datagrams of a connection. Its methods, and those of its flows, may be called from any goroutine and do not wait.
type Flows struct {
	c         *link.Conn
	options   Options
	quic      transport
	supported bool // both ends have the frame
	out       sender

	mu      sync.Mutex
	whose   whose
	decided sync.Cond   // whose has changed, or lost
	patient *time.Timer // decides without SETTINGS; nil: nothing has waited for them
	raw     *Flow       // nil: there is none
	open    map[uint64]*Flow
	early   early
	lost    bool
}

// Init is called once, before all else, when c has been set up and its transport parameters are known.
func (fs *Flows) Init(c *link.Conn, o Options) {
	wanted := o.HTTP || o.Raw
	supported := false
	if wanted {
		state := c.QUIC.ConnectionState().SupportsDatagrams
		supported = state.Local && state.Remote
	}
	fs.init(c, o, c.QUIC, supported)
}

func (fs *Flows) init(c *link.Conn, o Options, q transport, supported bool) {
	fs.c, fs.options, fs.quic, fs.supported = c, o, q, supported
	fs.decided.L = &fs.mu
	fs.early.wait = earlyWait
	fs.out.fs = fs
	if o.RawOnly {
		fs.whose = raws
		fs.out.whose = raws
	}
}

// OpenRaw opens the flow of the raw datagrams and announces it, nil where there are none. It is called between Issue and the Commit of the
// connection's event.
func (fs *Flows) OpenRaw() *Flow {
	if !fs.options.Raw || !fs.supported {
		return nil
	}
	c := fs.c
	f := &Flow{fs: fs, raw: true, event: sink.Event{Type: sink.EventQUICDatagram, Object: c.Handle, Parent: c.Parent, Conn: c.Handle}}
	f.commit = func(rec sink.Record, ev *sink.Event) bool {
		c.Sink.Commit(rec, ev)
		return true
	}
	fs.mu.Lock()
	fs.raw = f
	fs.mu.Unlock()
	f.Announce(c.Handle)
	return f
}

// Open opens the flow of the request or session whose stream this is. head is the head of the events that tell of its datagrams, without
// length and time; commit publishes one of them, or one that tells what was not sent, unless their object has ended, and may set what it
// likes in them. It is called without a lock of this package. Nothing is delivered before Flow.Start.
func (fs *Flows) Open(stream uint64, head sink.Event, commit func(rec sink.Record, ev *sink.Event) bool) *Flow {
	f := &Flow{fs: fs, stream: stream, event: head, commit: commit}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.lost {
		f.closed = true
		return f
	}
	if fs.open == nil {
		fs.open = make(map[uint64]*Flow)
	}
	fs.open[stream] = f
	delete(fs.early.expected, stream)
	fs.adopt(f)
	return f
}

// Start begins to take what comes. It is called once, when the connection has been announced.
func (fs *Flows) Start() {
	if !fs.supported {
		return
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.lost {
		return
	}
	if fs.raw != nil {
		fs.raw.started = true
		fs.awaitSettings() // whether raw ones may be sent is to be known even if none come
	}
	fs.c.Spawn("datagrams", fs.read)
}

// Lost is told that the connection has gone. No goroutine starts from then on. Flows of streams are their owners' to close.
func (fs *Flows) Lost() {
	fs.mu.Lock()
	fs.lost = true
	raw := fs.raw
	if fs.patient != nil {
		fs.patient.Stop()
	}
	fs.forgetEarly()
	fs.decided.Broadcast()
	fs.mu.Unlock()
	fs.out.mu.Lock()
	fs.out.lost = true
	fs.out.mu.Unlock()
	if raw != nil {
		raw.Close()
	}
}
