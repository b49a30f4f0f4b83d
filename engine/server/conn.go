package server

import (
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/datagram"
	"zigh3/engine/link"
	"zigh3/engine/session"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A conn is a connection of a server's: requests, sessions and datagrams on one link. One goroutine accepts its streams, reads those that
// are there at once, and delivers them.
type conn struct {
	link.Conn
	s          *Server
	datagrams  datagram.Flows
	raw        *datagram.Flow // nil: the server has none, or the peer
	sessions   session.Set
	priorities priorities

	// Of the connection's goroutine.
	peek   []byte // what is there of a stream
	fields []byte // its fields, packed
	event  sink.Event
}

// usualBuffer is what a connection keeps for looking at requests. A larger request is looked at in memory that is given back.
const usualBuffer = 2 << 10

func newConn(s *Server, q *quic.Conn, to sink.Sink) *conn {
	c := &conn{s: s, peek: make([]byte, usualBuffer), fields: make([]byte, usualBuffer)}
	c.Init(&s.env, q, to, c)
	c.datagrams.Init(&c.Conn, s.datagrams)
	c.sessions.Init(&c.Conn, &s.sessions, &c.datagrams)
	return c
}

// serve runs the connection from its begin to its last event.
func (c *conn) serve() {
	state := c.QUIC.ConnectionState().TLS
	meta := wire.AppendPacked(nil, "remote", c.QUIC.RemoteAddr().String())
	meta = wire.AppendPacked(meta, "local", c.QUIC.LocalAddr().String())
	meta = wire.AppendPacked(meta, "alpn", state.NegotiatedProtocol)
	meta = wire.AppendPacked(meta, "sni", state.ServerName)
	if !c.Open(c, meta, func() { c.raw = c.datagrams.OpenRaw() }) {
		return
	}
	c.datagrams.Start()
	c.Take(c.accept)
}

// Settled implements link.Carried.
func (c *conn) Settled(s *wire.Settings) *wire.ConnectionError {
	c.datagrams.Settled(s.Datagram())
	c.sessions.Settled()
	return nil
}

// UniStream implements link.Carried.
func (c *conn) UniStream(typ uint64, s *quic.ReceiveStream) bool {
	if typ != wire.StreamTypeUni || !c.s.hasSessions {
		return false
	}
	c.sessions.UniStream(s)
	return true
}

// GoneAway implements link.Carried: a client that asks for nothing more wants its sessions to end soon.
func (c *conn) GoneAway(uint64) { c.sessions.PeerDrains() }

// WentAway implements link.Carried.
func (c *conn) WentAway() { c.sessions.Drain() }

// Lost implements link.Carried.
func (c *conn) Lost(error) {
	c.datagrams.Lost()
	c.sessions.Lost()
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

// closeNow ends the connection because the server does.
func (c *conn) closeNow() { c.Close(http3.ErrCodeNoError, "server stopped") }
