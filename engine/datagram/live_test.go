package datagram

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/link"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// An end is one end of a real connection.
type end struct {
	link.Conn
	flows   Flows
	sink    *fakeSink
	stats   *sink.Stats
	settled chan struct{}
	lost    chan struct{}
	closed  chan struct{} // the connection has ended
}

func (e *end) Settled(s *wire.Settings) *wire.ConnectionError {
	e.flows.Settled(s.Datagram())
	close(e.settled)
	return nil
}

func (e *end) UniStream(uint64, *quic.ReceiveStream) bool           { return false }
func (e *end) GoneAway(uint64)                                      {}
func (e *end) Prioritize(wire.PriorityUpdate) *wire.ConnectionError { return nil }
func (e *end) WentAway()                                            {}
func (e *end) Lost(error) {
	e.flows.Lost()
	close(e.lost)
}

// controlStream is what a control stream begins with; announcing HTTP's datagrams, or nothing.
func controlStream(announce bool) []byte {
	var settings []byte
	if announce {
		settings = []byte{0x33, 1}
	}
	return append(wire.AppendFrameHead([]byte{0}, wire.FrameSettings, uint64(len(settings))), settings...)
}

func newEnd(t testing.TB, q *quic.Conn, role link.Role, stats *sink.Stats, o Options) *end {
	e := &end{sink: newSink(t), stats: stats, settled: make(chan struct{}), lost: make(chan struct{}), closed: make(chan struct{})}
	env := &link.Env{Role: role, Parent: 1, Stats: stats, Spares: link.NewSpares(), Settings: controlStream(o.HTTP), HeaderTimeout: patience}
	e.Init(env, q, e.sink, e)
	e.flows.Init(&e.Conn, o)
	if !e.Open(e, nil, func() { e.flows.OpenRaw() }) {
		t.Fatal("not opened")
	}
	e.flows.Start()
	go func() {
		defer close(e.closed)
		e.Take(func(*quic.Stream) {})
	}()
	t.Cleanup(func() {
		q.CloseWithError(0x100, "")
		<-e.closed
		if c := count(stats); c.sum() != c.in {
			t.Errorf("it does not add up: %+v", c)
		}
	})
	return e
}

var serverTLS = newServerTLS()

func newServerTLS() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{"h3"}}
}

// A deafSocket hears nothing any more once it is told so.
type deafSocket struct {
	net.PacketConn
	deaf atomic.Bool
}

func (s *deafSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := s.PacketConn.ReadFrom(b)
		if err != nil || !s.deaf.Load() {
			return n, from, err
		}
	}
}

// connect makes a real connection, and gives its client, its server, and the client's socket.
func connect(t testing.TB, serverConfig *quic.Config) (client, server *quic.Conn, socket *deafSocket) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	serverConfig.EnableDatagrams = true
	ln, err := quic.ListenAddr("127.0.0.1:0", serverTLS, serverConfig)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket = &deafSocket{PacketConn: udp}
	transport := &quic.Transport{Conn: socket}
	t.Cleanup(func() {
		transport.Close()
		udp.Close()
	})
	client, err = transport.Dial(ctx, ln.Addr(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, &quic.Config{EnableDatagrams: true})
	if err != nil {
		t.Fatal(err)
	}
	if server, err = ln.Accept(ctx); err != nil {
		t.Fatal(err)
	}
	return client, server, socket
}

// pair are both ends of a real connection.
func pair(t testing.TB, o Options) (client, server *end, socket *deafSocket) {
	stats := new(sink.Stats)
	qc, qs, socket := connect(t, &quic.Config{Tracer: NewTracer(stats)})
	server = newEnd(t, qs, link.Server, stats, o)
	client = newEnd(t, qc, link.Client, new(sink.Stats), o)
	<-client.settled
	<-server.settled
	return client, server, socket
}

func (e *end) own(stream uint64, h sink.Handle) *owner {
	o := own(&e.flows, e.sink, stream, h)
	o.Announce(h)
	o.Start()
	return o
}

func TestBothRoles(t *testing.T) {
	client, server, _ := pair(t, Options{Incoming: 8, Outgoing: 64, HTTP: true, Raw: true})
	for stream := uint64(0); stream < 12; stream += 4 {
		c, s := client.own(stream, h+sink.Handle(stream)), server.own(stream, h+sink.Handle(stream))
		server.flows.Seen(stream)
		if limit, places := client.sink.sendable(c.handle); limit < 1100 || places != 64 {
			t.Errorf("limit %d, %d places", limit, places)
		}
		for _, o := range []struct {
			from *owner
			to   *end
		}{{c, server}, {s, client}} {
			o.from.Send([]byte("hello"), time.Minute)
			eventually(t, "it", func() bool { return slices.Equal(o.to.sink.data(sink.EventH3Datagram, c.handle), []string{"hello"}) })
		}
	}
}

func TestRawOnesBothWays(t *testing.T) {
	client, server, _ := pair(t, Options{Incoming: 8, Outgoing: 64, Raw: true})
	for _, o := range []struct{ from, to *end }{{client, server}, {server, client}} {
		o.from.flows.raw.Send([]byte("\xff"), 0)
		eventually(t, "it", func() bool {
			return slices.Equal(o.to.sink.data(sink.EventQUICDatagram, o.to.Handle), []string{"\xff"})
		})
	}
}

// A burst into a consumer that has no room: each is delivered, dropped for a reason that is counted, or waits; then it adds up.
func TestBurst(t *testing.T) {
	client, server, _ := pair(t, Options{Incoming: 100, Outgoing: 1 << 20, HTTP: true})
	const burst, atATime, room = 10_000, 50, 1000
	c := client.own(0, h)
	s := server.own(0, h)
	server.sink.setRoom(room)
	for sent := 0; sent < burst; {
		// So few at a time that none is lost in the socket's buffer.
		for range atATime {
			c.Send([]byte(number(sent)), 0)
			sent++
		}
		eventually(t, "all of them", func() bool { return count(server.stats).in == uint64(sent) })
	}
	s.end()
	eventually(t, "the sum", func() bool { return count(server.stats).sum() == burst })
	n := count(server.stats)
	if n.delivered != room || n.early != 0 || n.unknown != 0 || n.ring != burst-room-n.internal {
		t.Errorf("%+v", n)
	}
	got := numbers(server.sink.data(sink.EventH3Datagram, h))
	if !slices.IsSorted(got) || len(got) != room {
		t.Error("out of order")
	}
	if n := client.stats[sink.StatDatagramsOut].Load(); n != burst {
		t.Errorf("%d sent", n)
	}
}

// What QUIC drops because nobody has read its queue is counted by the recorder, and only there.
func TestSilentDrops(t *testing.T) {
	stats := new(sink.Stats)
	qc, qs, _ := connect(t, &quic.Config{Tracer: NewTracer(stats)})
	const inQueue, sent = 128, 200
	for range sent {
		if err := qc.SendDatagram([]byte{0, 'x'}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Microsecond) // the socket's buffer holds them
	}
	eventually(t, "the drops", func() bool { return count(stats).internal == sent-inQueue })
	newEnd(t, qs, link.Server, stats, Options{Incoming: 1000, Outgoing: 1, HTTP: true}).own(0, h)
	client := newEnd(t, qc, link.Client, new(sink.Stats), Options{Incoming: 1, Outgoing: 1, HTTP: true})
	<-client.settled
	eventually(t, "the rest", func() bool { return count(stats).delivered == inQueue })
	if server, want := count(stats), (counts{in: sent, delivered: inQueue, internal: sent - inQueue}); server != want {
		t.Errorf("%+v", server)
	}
}

func TestMalformedOnesEndTheConnection(t *testing.T) {
	for _, data := range []string{"", "\x40", "\xff\xff\xff\xff\xff\xff\xff\xff", "\xd0\x00\x00\x00\x00\x00\x00\x00"} {
		t.Run(fmt.Sprintf("%x", data), func(t *testing.T) {
			client, server, _ := pair(t, Options{Incoming: 8, Outgoing: 64, HTTP: true})
			if err := client.QUIC.SendDatagram([]byte(data)); err != nil {
				t.Fatal(err)
			}
			<-client.QUIC.Context().Done()
			var closed *quic.ApplicationError
			if err := context.Cause(client.QUIC.Context()); !errors.As(err, &closed) || !closed.Remote || closed.ErrorCode != 0x33 {
				t.Errorf("%v", err)
			}
			if c := count(server.stats); c != (counts{in: 1, unknown: 1}) || server.stats[sink.StatConnectionErrors].Load() != 1 {
				t.Errorf("%+v", c)
			}
		})
	}
}

// A peer that acknowledges nothing fills QUIC's queue. Nobody but the sender waits for that, and the end of the connection ends it.
func TestAPeerThatHearsNothing(t *testing.T) {
	client, server, socket := pair(t, Options{Incoming: 8, Outgoing: 1 << 20, HTTP: true})
	client.own(0, h)
	s := server.own(0, h)
	socket.deaf.Store(true)
	const each = 1000
	// QUIC gives up on a few datagrams at a time, so in the end its queue is full.
	queued := 0
	for sent := func() uint64 { return s.Counters().Sent }; queued < 10*each || sent() == uint64(queued); queued += each {
		for range each {
			s.Send(make([]byte, 1000), 0)
		}
	}
	server.QUIC.CloseWithError(0x100, "")
	<-server.closed
	if c := s.Counters(); c.Sent+c.Unsent != uint64(queued) || c.Unsent == 0 {
		t.Errorf("%+v of %d", c, queued)
	}
	s.end()
}

// What is queued in one go starts one goroutine, not one for each.
func BenchmarkBatch(b *testing.B) {
	client, server, _ := pair(b, Options{Incoming: 1 << 16, Outgoing: 1 << 20, HTTP: true})
	server.sink.quiet = true
	server.own(0, h)
	c := client.own(0, h)
	data := make([]byte, 64)
	before := client.QUIC.ConnectionStats().PacketsSent
	b.ReportAllocs()
	for total := uint64(0); b.Loop(); {
		for range 16 {
			c.Send(data, 0)
			total++
		}
		for c.Counters().Sent < total {
			time.Sleep(10 * time.Microsecond)
		}
	}
	b.ReportMetric(float64(client.QUIC.ConnectionStats().PacketsSent-before)/float64(b.N), "packets/op")
}
