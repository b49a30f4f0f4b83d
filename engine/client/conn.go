package client

import (
	"context"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/congestion"
	"zigh3/engine/datagram"
	"zigh3/engine/link"
	"zigh3/engine/session"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A conn is a connection of a client's: tries and datagrams on one link.
type conn struct {
	link.Conn
	client    *Client
	origin    *origin
	datagrams datagram.Flows
	sessions  session.Set
	readings  readings
	movement  movement
	raw       *datagram.Flow // nil: the client wants none, or the server has none
	early     atomic.Bool    // its handshake is not complete: only early data goes out
	away      atomic.Bool    // the server has turned it away
	goAway    atomic.Uint64  // the first request that the server does not serve; noGoAway: it has not said

	settling sync.Mutex
	settled  bool     // the server's SETTINGS have come, or never will
	wishes   []func() // that wait for them

	// Of the pool, under its lock.
	pooled    bool // it takes fetches
	lost      bool
	used      bool // it had a fetch
	opening   bool // a goroutine waits for streams
	giveUp    context.CancelFunc
	makesRoom bool // it was closed so that another can be made
	active    int  // tries
	idle      *time.Timer
	idling    bool // it runs
	idleSince time.Time
}

// noGoAway is above the ids of all requests.
const noGoAway = math.MaxUint64

func newConn(client *Client, o *origin, q *quic.Conn) *conn {
	if control, ok := congestion.Of(q); ok { // not with quic-go as it is: see capi/quicgo
		control.Choose(client.options.CongestionControl)
		control.SetInitialWindow(client.options.InitialWindow)
	}
	c := &conn{client: client, origin: o}
	c.goAway.Store(noGoAway)
	c.Init(&client.env, q, client.sink, c)
	c.datagrams.Init(&c.Conn, client.datagrams)
	c.sessions.Init(&c.Conn, &client.sessions, &c.datagrams)
	return c
}

// open announces the connection. It reports false when there is none any more.
func (c *conn) open(times connectTimes) bool {
	state := c.QUIC.ConnectionState().TLS
	if c.early.Load() { // nothing of it is known yet but what was wished for
		state.NegotiatedProtocol, state.ServerName = c.client.options.ALPN[0], c.client.tlsFor(c.origin.key).ServerName
	}
	meta := wire.AppendPacked(nil, "remote", c.QUIC.RemoteAddr().String())
	meta = wire.AppendPacked(meta, "local", c.QUIC.LocalAddr().String())
	meta = wire.AppendPacked(meta, "alpn", state.NegotiatedProtocol)
	meta = wire.AppendPacked(meta, "sni", state.ServerName)
	if !c.early.Load() {
		for _, took := range [...]struct {
			name string
			time.Duration
		}{{"lookup_us", times.lookup}, {"attempt_us", times.attempt}, {"handshake_us", times.handshake}} {
			meta = wire.AppendPacked(meta, took.name, strconv.FormatInt(took.Microseconds(), 10))
		}
	}
	if !c.Open(c, meta, func() { c.raw = c.datagrams.OpenRaw() }) {
		return false
	}
	c.datagrams.Start()
	return true
}

// Settled implements link.Carried.
func (c *conn) Settled(s *wire.Settings) *wire.ConnectionError {
	c.datagrams.Settled(s.Datagram())
	c.sessions.Settled()
	c.settle()
	return nil
}

// isSettled reports whether the server's SETTINGS are there, or never will be.
func (c *conn) isSettled() bool {
	c.settling.Lock()
	defer c.settling.Unlock()
	return c.settled
}

// whenSettled has do called once the server's SETTINGS are there, or never will be.
func (c *conn) whenSettled(do func()) {
	c.settling.Lock()
	settled := c.settled
	if !settled {
		c.wishes = append(c.wishes, do)
	}
	c.settling.Unlock()
	if settled {
		do()
	}
}

// settle calls what waits for the server's SETTINGS.
func (c *conn) settle() {
	c.settling.Lock()
	c.settled = true
	wishes := c.wishes
	c.wishes = nil
	c.settling.Unlock()
	for _, do := range wishes {
		do()
	}
}

// UniStream implements link.Carried.
func (c *conn) UniStream(typ uint64, s *quic.ReceiveStream) bool {
	if typ != wire.StreamTypeUni || c.client.options.WebTransport == nil {
		return false
	}
	c.sessions.UniStream(s)
	return true
}

// connect asks for a session on a stream, unless the server has said that it does not serve it.
func (c *conn) connect(s *session.Session, on *quic.Stream, h *session.Head) error {
	err := c.sessions.Connect(s, on, h)
	if id := c.goAway.Load(); err == nil && uint64(on.StreamID()) >= id {
		c.sessions.Unserved(id)
	}
	return err
}

// GoneAway implements link.Carried: what the server does not serve is sent elsewhere, or, a session, ends.
func (c *conn) GoneAway(id uint64) {
	c.goAway.Store(id)
	c.client.pool.drained(c)
	c.sessions.PeerDrains()
	c.sessions.Unserved(id)
	var unserved []*try
	c.Find(func(item link.Item) bool {
		if tr, ok := item.(*try); ok && tr.x.ID() >= id {
			unserved = append(unserved, tr)
		}
		return false
	})
	for _, tr := range unserved {
		tr.rejected(uint64(http3.ErrCodeRequestRejected))
	}
}

// Prioritize implements link.Carried: servers have nothing to say about it.
func (c *conn) Prioritize(wire.PriorityUpdate) *wire.ConnectionError { return nil }

// WentAway implements link.Carried.
func (c *conn) WentAway() { c.sessions.Drain() }

// Lost implements link.Carried.
func (c *conn) Lost(err error) {
	c.away.Store(turnedAway(err) && c.Settings() == nil)
	c.movement.mu.Lock()
	c.movement.over = true
	c.movement.mu.Unlock()
	c.client.pool.lost(c)
	c.datagrams.Lost()
	c.sessions.Lost()
	c.settle()
}

// SendDatagram queues a raw QUIC datagram; data is valid during the call. What has waited for longer than maxAge is dropped; 0 is no
// limit.
func (c *conn) SendDatagram(data []byte, maxAge time.Duration) {
	if c.raw != nil {
		c.raw.Send(data, maxAge)
	}
}

// DatagramOversized counts a datagram that was refused because it is larger than the limit.
func (c *conn) DatagramOversized() { c.Stats.Add(sink.StatDatagramsTooLarge, 1) }
