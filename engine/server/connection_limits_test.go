package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/config"
	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// A gate is a client's socket that gives nothing of what comes until it is opened: with it shut, a client is what forged packets look like.
type gate struct {
	net.PacketConn
	open, quit chan struct{}
}

func newGate(t testing.TB, ip string) *gate {
	t.Helper()
	socket, err := net.ListenPacket("udp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	return &gate{socket, make(chan struct{}), make(chan struct{})}
}

func (g *gate) ReadFrom(p []byte) (int, net.Addr, error) {
	select {
	case <-g.open:
		return g.PacketConn.ReadFrom(p)
	case <-g.quit:
		return 0, nil, net.ErrClosed
	}
}

func (g *gate) Close() error {
	close(g.quit)
	return g.PacketConn.Close()
}

// connect dials through the gate. What the client says first fits a packet, so that it is refused once.
func (g *gate) connect(ctx context.Context, t testing.TB, addr string) (*quic.Conn, error) {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	transport := &quic.Transport{Conn: g}
	q, err := transport.Dial(ctx, to, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", NextProtos: []string{"h3"}, CurvePreferences: []tls.CurveID{tls.X25519}}, &quic.Config{})
	t.Cleanup(func() {
		if q != nil {
			q.CloseWithError(0x100, "")
		}
		g.Close()
		transport.Close()
	})
	return q, err
}

// connectFrom dials from an address of this host.
func connectFrom(t testing.TB, ip, addr string) (*quic.Conn, error) {
	t.Helper()
	g := newGate(t, ip)
	close(g.open)
	return g.connect(ctx(t), t, addr)
}

// mustConnectFrom dials, and asks for a page.
func mustConnectFrom(t testing.TB, ip string, f *fixture) *quic.Conn {
	t.Helper()
	q, err := connectFrom(t, ip, f.addr)
	if err != nil {
		t.Fatalf("from %s: %v", ip, err)
	}
	client := &http.Client{Transport: enginetest.New(t, q, enginetest.Options{})}
	if status, body := fetch(t, client, f.url("/")); status != 200 || body != "hello world" {
		t.Fatalf("from %s: %d %q", ip, status, body)
	}
	return q
}

func refusedFrom(t testing.TB, ip string, f *fixture) {
	t.Helper()
	_, err := connectFrom(t, ip, f.addr)
	if refusal := (*quic.TransportError)(nil); !asError(err, &refusal) || !refusal.Remote || refusal.ErrorCode != quic.ConnectionRefused {
		t.Fatalf("from %s: %v", ip, err)
	}
}

// gone ends a connection, and waits until the server knows.
func (f *fixture) gone(q *quic.Conn) {
	f.t.Helper()
	l := f.server.running
	before := l.limits.count()
	q.CloseWithError(0x100, "")
	eventually(f.t, "a place less", func() bool { return l.limits.count() == before-1 })
}

func (l *connectionLimits) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total.proven + l.total.unproven
}

// without fails unless every place was given back.
func (l *connectionLimits) without(t testing.TB) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total != (places{}) || len(l.byOrigin) != 0 {
		t.Errorf("taken in the end: %+v, %v", l.total, l.byOrigin)
	}
}

// N14: as many connections as there may be in all, and not one more.
func TestN14_ConnectionsInAll(t *testing.T) {
	f := serve(t, `{"max_connections": 3}`, 0, hello)
	l := f.server.running.limits
	for window := range 2 {
		qs := []*quic.Conn{mustConnectFrom(t, "127.0.0.1", f), mustConnectFrom(t, "127.0.0.2", f), mustConnectFrom(t, "127.0.0.3", f)}
		refusedFrom(t, "127.0.0.1", f)
		refusedFrom(t, "127.0.0.4", f)
		f.gone(qs[1])
		qs[1] = mustConnectFrom(t, "127.0.0.4", f)
		refusedFrom(t, "127.0.0.2", f)
		if n := f.stats[sink.StatConnectionsRefused].Load(); n != uint64(3*(window+1)) {
			t.Errorf("%d refused, window %d", n, window)
		}
		for _, q := range qs {
			f.gone(q)
		}
	}
	if n := f.stats[sink.StatHandshakesFailed].Load(); n != 0 {
		t.Errorf("%d handshakes failed", n)
	}
	l.without(t)
}

// N14: as many of an address, or of a network of IPv6, and not one more.
func TestN14_ConnectionsOfAnAddress(t *testing.T) {
	for _, c := range []struct{ name, host, one, other string }{
		{"IPv4", "127.0.0.1", "127.0.0.2", "127.0.0.3"},
		{"IPv4 on a socket for both", "", "127.0.0.2", "127.0.0.3"},
		{"IPv6", "", "::1", "127.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serveOn(t, c.host, `{"max_connections_per_address": 2}`)
			from := func(ip string) {
				f.addr = net.JoinHostPort("127.0.0.1", fmt.Sprint(f.server.Port()))
				if ip == "::1" {
					f.addr = net.JoinHostPort(ip, fmt.Sprint(f.server.Port()))
				}
			}
			for window := range 2 {
				from(c.one)
				qs := []*quic.Conn{mustConnectFrom(t, c.one, f), mustConnectFrom(t, c.one, f)}
				refusedFrom(t, c.one, f)
				from(c.other)
				qs = append(qs, mustConnectFrom(t, c.other, f))
				from(c.one)
				f.gone(qs[0])
				qs[0] = mustConnectFrom(t, c.one, f)
				refusedFrom(t, c.one, f)
				if n := f.stats[sink.StatConnectionsRefused].Load(); n != uint64(2*(window+1)) {
					t.Errorf("%d refused, window %d", n, window)
				}
				for _, q := range qs {
					f.gone(q)
				}
			}
			f.server.running.limits.without(t)
		})
	}
}

// serveOn is serve for a server that binds to host.
func serveOn(t testing.TB, host, options string) *fixture {
	t.Helper()
	if host == "" {
		if s, err := net.ListenPacket("udp6", "[::1]:0"); err != nil {
			t.Skip("no IPv6 here")
		} else {
			s.Close()
		}
	}
	f := serverOn(t, host, options, hello)
	f.start()
	return f
}

// serverOn makes one that is not started.
func serverOn(t testing.TB, host, options string, handle func(c *consumer, e event)) *fixture {
	t.Helper()
	o, err := config.ParseOptions(host, 0, "", "", []byte(options))
	if err != nil {
		t.Fatal(err)
	}
	c := newConsumer(t, handle)
	s, err := New(o, 1<<40, []sink.Sink{c}, new(sink.Stats))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Route("", "/*", 0, 7); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Free()
		within(t, "the server's end", s.Done())
	})
	return &fixture{consumer: c, server: s, stats: s.stats}
}

// begin begins n handshakes from ip that never go on.
func begin(t *testing.T, n int, ip string, f *fixture) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var begun sync.WaitGroup
	for range n {
		g := newGate(t, ip)
		begun.Go(func() { g.connect(ctx, t, f.addr) })
	}
	t.Cleanup(func() { cancel(); begun.Wait() })
}

// forge begins handshakes that never go on, until the server asks for proofs.
func forge(t *testing.T, ip string, f *fixture) {
	t.Helper()
	begin(t, 8, ip, f)
	eventually(t, "proofs asked for", func() bool { return f.stats[sink.StatRetriesSent].Load() >= 6 })
}

// N14: handshakes in the name of an address keep its own connections out of none of their places.
func TestN14_ForgedHandshakesTakeNoPlaceOfAnAddress(t *testing.T) {
	f := serve(t, `{"max_connections_per_address": 4}`, 0, hello)
	forge(t, "127.0.0.3", f)
	if n := f.stats[sink.StatHandshakesPending].Load(); n != 2 {
		t.Errorf("%d handshakes of an address that is not proven", n)
	}
	for range 4 {
		mustConnectFrom(t, "127.0.0.3", f)
	}
	refusedFrom(t, "127.0.0.3", f)
}

// N14: forged handshakes leave half of all places to those whose address is proven.
func TestN14_ForgedHandshakesTakeHalfOfAllPlaces(t *testing.T) {
	f := serve(t, `{"max_connections": 4, "handshake_timeout_ms": 2000}`, 0, hello)
	forge(t, "127.0.0.3", f)
	if n := f.stats[sink.StatHandshakesPending].Load(); n != 2 {
		t.Errorf("%d handshakes of an address that is not proven", n)
	}
	for range 2 {
		mustConnectFrom(t, "127.0.0.2", f)
	}
	refusedFrom(t, "127.0.0.2", f)
	eventually(t, "the forged ones given up", func() bool { return f.server.running.limits.count() == 2 })
	mustConnectFrom(t, "127.0.0.2", f)
}

// N14: a handshake whose address was not proven when it began may come to its end when others have taken all places there.
func TestN14_TooManyOnceTheHandshakeIsDone(t *testing.T) {
	f := serve(t, `{"max_connections_per_address": 3}`, 0, hello)
	g := newGate(t, "127.0.0.3")
	type dialled struct {
		q   *quic.Conn
		err error
	}
	late := make(chan dialled, 1)
	go func() {
		q, err := g.connect(ctx(t), t, f.addr)
		late <- dialled{q, err}
	}()
	eventually(t, "the handshake's begin", func() bool { return f.stats[sink.StatHandshakesPending].Load() == 1 })
	for range 3 {
		mustConnectFrom(t, "127.0.0.3", f)
	}
	close(g.open)
	d := within(t, "the handshake", late)
	if d.err == nil {
		within(t, "the end", d.q.Context().Done())
		d.err = context.Cause(d.q.Context())
	}
	if end := (*quic.ApplicationError)(nil); !asError(d.err, &end) || !end.Remote || end.ErrorCode != quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad) {
		t.Errorf("ended with %v", d.err)
	}
	if n := f.stats[sink.StatConnectionsRefused].Load(); n != 1 {
		t.Errorf("%d refused", n)
	}
	if n := f.server.running.limits.count(); n != 3 {
		t.Errorf("%d connections", n)
	}
}

// N14: a handshake that fails gives its place back.
func TestN14_AFailedHandshakeGivesItsPlaceBack(t *testing.T) {
	f := serve(t, `{"max_connections": 1}`, 0, hello)
	for n := range 3 {
		_, err := quic.DialAddr(ctx(t), f.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"other"}}, &quic.Config{})
		if refusal := (*quic.TransportError)(nil); !asError(err, &refusal) || refusal.ErrorCode == quic.ConnectionRefused {
			t.Fatalf("handshake %d: %v", n, err)
		}
		eventually(t, "the handshake's end", func() bool { return f.stats[sink.StatHandshakesFailed].Load() == uint64(n+1) })
	}
	f.server.running.limits.without(t)
	mustConnectFrom(t, "127.0.0.1", f)
}

func TestOrigins(t *testing.T) {
	for _, c := range []struct {
		one, other string
		same       bool
	}{
		{"10.0.0.1", "10.0.0.1", true},
		{"10.0.0.1", "10.0.0.2", false},
		{"::ffff:10.0.0.1", "10.0.0.1", true},
		{"::ffff:10.0.0.1", "::ffff:10.0.0.2", false},
		{"2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"fe80::1%lo", "fe80::1", true},
		{"::1", "127.0.0.1", false},
	} {
		origin := func(s string) any {
			addr, err := net.ResolveUDPAddr("udp", net.JoinHostPort(s, "1"))
			if err != nil {
				t.Fatal(err)
			}
			return originOf(addr)
		}
		if same := origin(c.one) == origin(c.other); same != c.same {
			t.Errorf("%s and %s: %v", c.one, c.other, same)
		}
	}
}

// However places are taken, proven and given back: no limit is passed, and in the end nothing is left.
func TestConnectionLimitsHold(t *testing.T) {
	const most, mostOfOne = 20, 6
	random := rand.New(rand.NewSource(1))
	l := newConnectionLimits(most, mostOfOne)
	var taken []*place
	refused, overtaken := 0, 0
	for range 20_000 {
		addr := &net.UDPAddr{IP: net.IPv4(10, 0, 0, byte(random.Intn(5)))}
		switch i := random.Intn(max(1, len(taken))); {
		case len(taken) == 0 || random.Intn(2) == 0:
			proven := random.Intn(3) > 0 || l.mustProve(addr)
			if p := l.take(addr, proven); p != nil {
				taken = append(taken, p)
			} else {
				refused++
			}
		case random.Intn(2) == 0 && taken[i].prove():
		default:
			if !taken[i].proven {
				overtaken++
			}
			taken[i].give()
			taken[i].give()
			taken = append(taken[:i], taken[i+1:]...)
		}
		sum := places{}
		for origin, p := range l.byOrigin {
			sum.proven, sum.unproven = sum.proven+p.proven, sum.unproven+p.unproven
			if p.proven > mostOfOne || p.proven < 0 || p.unproven < 0 || 2*p.unproven > mostOfOne {
				t.Fatalf("%v: %+v", origin, *p)
			}
		}
		if sum != l.total || sum.proven+sum.unproven != len(taken) || len(taken) > most || 2*sum.unproven > most {
			t.Fatalf("%+v of %d, in all %+v", sum, len(taken), l.total)
		}
	}
	if refused == 0 || overtaken == 0 {
		t.Errorf("%d refused, %d overtaken", refused, overtaken)
	}
	for _, p := range taken {
		p.give()
	}
	l.without(t)
}
