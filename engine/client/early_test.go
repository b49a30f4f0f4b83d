package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
)

// An earlyServer gives tickets that other such servers take, and early data is taken by those that allow it.
type earlyServer struct {
	addr     string
	requests chan *earlyRequest
}

type earlyRequest struct {
	*heldRequest
	method, path string
	complete     bool // the handshake was
}

var ticketKey = [32]byte{1}

// serveEarly starts one.
func serveEarly(t *testing.T, cert tls.Certificate, allow bool) *earlyServer {
	conf := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h3"}}
	conf.SetSessionTicketKeys([][32]byte{ticketKey})
	ln, err := quic.ListenAddrEarly("127.0.0.1:0", conf, &quic.Config{Allow0RTT: allow})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	e := &earlyServer{addr: ln.Addr().String(), requests: make(chan *earlyRequest, 100)}
	go func() {
		for n := 0; ; n++ {
			q, err := ln.Accept(context.Background())
			if err != nil {
				return
			}
			go func() {
				c := &rawConn{Conn: q, t: t, n: n}
				c.control, _ = q.OpenUniStream()
				c.settle()
				for {
					s, head := c.nextHead()
					if s == nil {
						return
					}
					field := func(name string) string { return head[slices.Index(head, name)+1] }
					e.requests <- &earlyRequest{&heldRequest{c, s}, field(":method"), field(":path"), handshaken(q)}
				}
			}()
		}
	}()
	return e
}

func (e *earlyServer) next(t *testing.T) *earlyRequest {
	t.Helper()
	return within(t, "a request", e.requests)
}

// flags are those of the fetch's RESPONSE.
func (a *asked) flags() (flags uint16) {
	for _, e := range a.events {
		if e.Type == sink.EventResponse {
			flags = e.Flags
		}
	}
	return flags
}

// An earlyPath is a client of an earlyServer, with whatever the test does to the way between them.
type earlyPath struct {
	*fixture
	t      *testing.T
	server *earlyServer
	way    *relay
}

// acquainted makes one whose client has been connected, and has a ticket.
func acquainted(t *testing.T, options string, allow bool) *earlyPath {
	cert, _ := certificate(t, nil)
	p := &earlyPath{t: t, server: serveEarly(t, cert, allow)}
	p.way = newRelay(t, p.server.addr)
	p.fixture = newFixture(t, `{"hosts": {"good.test": "`+p.way.addr+`"}`+options+`}`)
	p.client.earlyPatience = time.Hour
	a := p.ask("GET", "/first")
	r := p.server.next(t)
	r.answer()
	if a.wait(); a.end.Code != sink.OK || a.flags()&sink.FlagEarly != 0 {
		t.Fatalf("%v", a)
	}
	eventually(t, "a ticket", func() bool {
		_, ok := p.client.tlsFor(originKey{host: "good.test", port: 443}).ClientSessionCache.Get("good.test")
		return ok
	})
	r.conn.CloseWithError(0x100, "")
	eventually(t, "the connection's end", func() bool { return p.stats[sink.StatConnectionsActive].Load() == 0 })
	return p
}

func (p *earlyPath) ask(method, path string) *asked {
	r := Request{Method: method, Authority: "good.test", Path: path, End: true}
	if method == "POST" {
		r.Body = chunk("body")
	}
	return p.start(r)
}

// Safe requests go out before a server that is known has answered, others and the wish for a connection wait.
func TestEarlyData(t *testing.T) {
	p := acquainted(t, `, "early_data": true`, true)
	p.way.lose(func(int) bool { return true }) // so no handshake is complete
	var safe []*asked
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		safe = append(safe, p.ask(method, "/safe"))
	}
	empty := p.start(Request{Method: "POST", Authority: "good.test", Path: "/unsafe", End: true})
	post := p.ask("POST", "/unsafe")
	streamed := p.start(Request{Method: "GET", Authority: "good.test", Path: "/unsafe"})
	streamed.do(func(x *Fetch) { x.End(sink.Chunk{}) })
	_, wish := p.connect("good.test", 1)
	for range 3 {
		if r := p.server.next(t); r.path != "/safe" || r.complete {
			t.Errorf("%s %s, handshake complete: %v", r.method, r.path, r.complete)
		} else {
			r.reply()
		}
	}
	select {
	case e := <-wish:
		t.Errorf("a connection that is none yet: %+v", e.Event)
	default:
	}
	p.way.lose(nil)
	for range 3 {
		if r := p.server.next(t); r.path != "/unsafe" || !r.complete {
			t.Errorf("%s %s, handshake complete: %v", r.method, r.path, r.complete)
		} else {
			r.reply()
		}
	}
	conn := within(t, "CONNECT_DONE", wish)
	for _, a := range safe {
		if a.wait(); a.end.Code != sink.OK || a.flags()&sink.FlagEarly == 0 || a.end.Conn != conn.Conn {
			t.Errorf("%v, flags %#x", a, a.flags())
		}
	}
	for _, a := range []*asked{post, empty, streamed} {
		if a.wait(); a.end.Code != sink.OK || a.flags()&sink.FlagEarly != 0 || a.end.Conn != conn.Conn {
			t.Errorf("%v, flags %#x", a, a.flags())
		}
	}
	later := p.ask("GET", "/later")
	p.server.next(t).reply()
	if later.wait(); later.flags()&sink.FlagEarly != 0 {
		t.Errorf("behind the handshake: %#x", later.flags())
	}
	if early, refused := p.stats[sink.ClientStatFetchesEarly].Load(), p.stats[sink.ClientStatFetchesEarlyRefused].Load(); early != 3 || refused != 0 {
		t.Errorf("%d early, %d refused", early, refused)
	}
	p.Await(func() {
		var meta []string
		for _, e := range p.conns {
			if e.Type == sink.EventConnOpened {
				_, rest, _ := strings.Cut(list(e.Meta), "|alpn=")
				rest, times, timed := strings.Cut(rest, "|lookup_us=")
				meta = append(meta, rest, fmt.Sprint(timed, strings.Count(times, "_us=")))
			}
		}
		if want := "[h3|sni=good.test true 2 h3|sni=good.test false 0]"; fmt.Sprint(meta) != want {
			t.Errorf("%v", meta)
		}
	})
}

// Whatever is not known to be safe, and all there, waits for the handshake, be it the first that does.
func TestWhatIsNoEarlyData(t *testing.T) {
	for name, r := range map[string]Request{
		"POST": {Method: "POST", End: true}, "a body": {Method: "GET", Body: chunk("body"), End: true}, "PUT": {Method: "PUT", End: true}, "in parts": {Method: "GET"},
		"datagrams": {Method: "GET", Datagrams: true, End: true},
	} {
		p := acquainted(t, `, "early_data": true`, true)
		p.way.lose(func(int) bool { return true })
		safe := p.ask("GET", "/safe")
		r.Authority, r.Path = "good.test", "/unsafe"
		unsafe := p.start(r)
		p.server.next(t).reply()
		p.way.lose(nil)
		if got := p.server.next(t); got.path != "/unsafe" || !got.complete {
			t.Errorf("%s: %s, handshake complete: %v", name, got.path, got.complete)
		} else {
			got.reply()
		}
		if safe.wait(); safe.flags()&sink.FlagEarly == 0 {
			t.Errorf("%s: %v", name, safe)
		}
		unsafe.do(func(x *Fetch) { x.End(sink.Chunk{}) })
		if unsafe.wait(); unsafe.end.Code != sink.OK || unsafe.flags()&sink.FlagEarly != 0 {
			t.Errorf("%s: %v", name, unsafe)
		}
	}
}

// reply is answer that does not wait for the request's end.
func (r *earlyRequest) reply() {
	r.s.Write(headers(":status", "200"))
	r.s.Close()
}

// Without the option nothing goes out early, but a ticket is used all the same.
func TestNoEarlyDataUnlessAskedFor(t *testing.T) {
	p := acquainted(t, "", true)
	a := p.ask("GET", "/")
	r := p.server.next(t)
	if state := r.conn.ConnectionState(); state.Used0RTT || !state.TLS.DidResume {
		t.Errorf("0-RTT: %v, resumed: %v", state.Used0RTT, state.TLS.DidResume)
	}
	r.reply()
	if a.wait(); a.end.Code != sink.OK || a.flags()&sink.FlagEarly != 0 {
		t.Errorf("%v", a)
	}
}

// A server whose tickets allow none gets none.
func TestNoEarlyDataWithoutATicketForIt(t *testing.T) {
	p := acquainted(t, `, "early_data": true`, false)
	a := p.ask("GET", "/")
	r := p.server.next(t)
	if state := r.conn.ConnectionState(); state.Used0RTT || !state.TLS.DidResume {
		t.Errorf("0-RTT: %v, resumed: %v", state.Used0RTT, state.TLS.DidResume)
	}
	r.reply()
	a.wait()
	if n := p.stats[sink.ClientStatFetchesEarly].Load(); n != 0 || a.end.Code != sink.OK {
		t.Errorf("%d early, %v", n, a)
	}
}

// What a server refuses as early data goes out once more behind the handshake.
func TestEarlyDataThatIsRefused(t *testing.T) {
	p := acquainted(t, `, "early_data": true`, true)
	cert, _ := certificate(t, nil)
	other := serveEarly(t, cert, false)
	p.way.turn(other.addr)
	p.way.lose(func(int) bool { return true })
	all := []*asked{p.ask("GET", "/1"), p.ask("GET", "/2"), p.ask("POST", "/3")}
	eventually(t, "early data", func() bool { return p.stats[sink.ClientStatFetchesEarly].Load() == 2 })
	p.way.lose(nil)
	seen := map[string]int{}
	for range all {
		r := other.next(t)
		if seen[r.path]++; !r.complete {
			t.Errorf("%s came early", r.path)
		}
		r.reply()
	}
	for _, a := range all {
		if a.wait(); a.end.Code != sink.OK || a.flags()&sink.FlagEarly != 0 {
			t.Errorf("%v", a)
		}
	}
	if len(seen) != 3 {
		t.Errorf("%v", seen)
	}
	if early, refused := p.stats[sink.ClientStatFetchesEarly].Load(), p.stats[sink.ClientStatFetchesEarlyRefused].Load(); early != 2 || refused != 2 {
		t.Errorf("%d early, %d refused", early, refused)
	}
}

// A connection that was lost before its handshake was complete is not replaced by one that tries early data once more.
func TestALostEarlyConnectionIsNotTriedAgain(t *testing.T) {
	f := newFixture(t, `{"early_data": true}`)
	p := &f.client.pool
	for _, early := range []bool{true, false} {
		o := &origin{key: originKey{host: "a.test", port: 443}}
		c := &conn{client: f.client, origin: o, pooled: true}
		c.early.Store(early)
		o.conns = []*conn{c}
		p.lost(c)
		if o.late != early {
			t.Errorf("early: %v, the next one without early data: %v", early, o.late)
		}
	}
}

// A server that is not any more where it was is found at its other address.
func TestEarlyDataToAnAddressThatIsDead(t *testing.T) {
	p := acquainted(t, `, "early_data": true`, true)
	p.client.earlyPatience = 2 * time.Second
	hosts := p.client.options.Hosts
	hosts["good.test"] = append(hosts["good.test"], netip.MustParseAddrPort(p.server.addr))
	nobody := holdRequests(t, 1)
	nobody.ln.Close()
	p.way.turn(nobody.addr)
	a := p.ask("GET", "/")
	r := p.server.next(t)
	if !r.complete || r.conn.ConnectionState().Used0RTT {
		t.Error("early data at the other address")
	}
	r.reply()
	if a.wait(); a.end.Code != sink.OK || a.flags()&sink.FlagEarly != 0 {
		t.Errorf("%v", a)
	}
	if early, refused := p.stats[sink.ClientStatFetchesEarly].Load(), p.stats[sink.ClientStatFetchesEarlyRefused].Load(); early != 1 || refused != 1 {
		t.Errorf("%d early, %d refused", early, refused)
	}
}

// RFC 8470: a server that finds a request too early gets it again; a second such answer is the consumer's.
func TestTooEarly(t *testing.T) {
	for _, parts := range []bool{false, true} {
		p := acquainted(t, `, "early_data": true`, true)
		p.way.lose(func(int) bool { return true }) // so the handshake is not complete when it goes out
		a := p.ask("GET", "/")
		first := p.server.next(t)
		p.way.lose(nil)
		first.s.Write(headers(":status", "425"))
		if parts { // its end does not come with it
			first.s.Write(data("wait"))
		} else {
			first.s.Close()
		}
		second := p.server.next(t)
		if !second.complete || second.conn != first.conn {
			t.Errorf("handshake complete: %v, on the same connection: %v", second.complete, second.conn == first.conn)
		}
		second.s.Write(headers(":status", "425"))
		second.s.Close()
		if a.wait(); a.end.Code != sink.OK || a.status != 425 || a.flags()&sink.FlagEarly != 0 {
			t.Errorf("%v", a)
		}
	}
}
