package client

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/quic-go/quic-go"

	"zigh3/engine/route"
	"zigh3/engine/session"
	"zigh3/engine/sink"
)

// A wanted is a session as its consumer sees it. The reactor fills it.
type wanted struct {
	f      *fixture
	h      sink.Handle
	events []event
}

// want asks for a session.
func (f *fixture) want(r SessionRequest) *wanted {
	w := &wanted{f: f}
	f.Await(func() {
		r.UserData = 6
		w.h = f.Want(6)
		f.on[w.h] = func(e event) { w.events = append(w.events, e) }
		f.client.OpenSession(w.h, &r)
	})
	return w
}

// wait gives the first event of a type.
func (w *wanted) wait(typ sink.EventType) (found event) {
	w.f.t.Helper()
	eventually(w.f.t, fmt.Sprintf("event %d of a session", typ), func() (ok bool) {
		w.f.Await(func() {
			if i := slices.IndexFunc(w.events, func(e event) bool { return e.Type == typ }); i >= 0 {
				found, ok = w.events[i], true
			}
		})
		return ok
	})
	return found
}

// do runs fn with the session on the reactor.
func (w *wanted) do(fn func(s *session.Session)) {
	w.f.Await(func() {
		if s, _ := w.f.Object(w.h).(*session.Session); s != nil {
			fn(s)
		}
	})
}

// accepting serves sessions that answer: what they get, on streams and as datagrams, goes back. also sees every event.
func accepting(t testing.TB, also ...func(p *peer, e event)) *peer {
	return serve(t, "", route.WebTransport, func(p *peer, e event) {
		for _, see := range also {
			defer see(p, e)
		}
		switch e.Type {
		case sink.EventSessionRequest:
			s, _ := p.Object(e.Object).(*session.Session)
			path, _ := packedField(e.Meta, ":path")
			switch {
			case s == nil:
			case path == "/no":
				s.Reject(404, nil, sink.Chunk{})
			case path == "/wait":
			case path == "/protocol":
				s.Accept("b", fields("x", "y"))
			default:
				s.Accept("", nil)
			}
		case sink.EventSessionDatagram:
			if s, _ := p.Object(e.Object).(*session.Session); s != nil {
				s.SendDatagram(e.Data, 0)
			}
		case sink.EventStreamData:
			st, _ := p.Object(e.Object).(*session.Stream)
			if st == nil {
				return
			}
			st.Consumed(uint64(len(e.Data)))
			st.Write(sink.Chunk{Bytes: append([]byte(nil), e.Data...)})
			if e.Flags&sink.FlagEnd != 0 {
				st.End()
			}
		case sink.EventSessionDraining:
			if s, _ := p.Object(e.Object).(*session.Session); s != nil {
				s.CloseWith(9, "drained")
			}
		}
	})
}

// A session is opened, has datagrams and streams both ways, and ends with code and reason, whoever ends it.
func TestASession(t *testing.T) {
	p := accepting(t)
	f := newFixture(t, "")
	w := f.want(SessionRequest{Authority: p.addr, Path: "/protocol", Protocols: []string{"a", "b"}})
	opened := w.wait(sink.EventSessionOpened)
	if got := list(opened.Meta); !strings.HasPrefix(got, "protocol=b|x=y|wt-protocol=\"b\"|date=") || opened.UserData != 6 || opened.Status == 0 {
		t.Errorf("%q %+v", got, opened.Event)
	}
	w.do(func(s *session.Session) { s.SendDatagram([]byte("ping"), 0) })
	if e := w.wait(sink.EventSessionDatagram); string(e.Data) != "ping" {
		t.Errorf("datagram %q", e.Data)
	}
	back := make(chan string, 1)
	f.Await(func() {
		h := f.Give()
		text := ""
		f.on[h] = func(e event) {
			switch e.Type {
			case sink.EventStreamOpened:
				st := f.Object(h).(*session.Stream)
				st.Write(chunk("hello"))
				st.End()
			case sink.EventStreamData:
				text += string(e.Data)
				if st, _ := f.Object(h).(*session.Stream); st != nil {
					st.Consumed(uint64(len(e.Data)))
				}
			case sink.EventStreamEnded:
				back <- fmt.Sprint(text, e.Code)
			}
		}
		f.Object(w.h).(*session.Session).OpenStream(h, false, true)
	})
	if got := within(t, "the stream's end", back); got != "hello0" {
		t.Errorf("a stream: %s", got)
	}
	w.do(func(s *session.Session) { s.Drain() })
	if e := w.wait(sink.EventSessionClosed); e.Code != sink.OK || e.Aux != 9 || string(e.Data) != "drained" || e.Flags != sink.FlagRemote|sink.FlagCounters {
		t.Errorf("%+v %q", e.Event, e.Data)
	}
	w = f.want(SessionRequest{Authority: p.addr})
	w.wait(sink.EventSessionOpened)
	w.do(func(s *session.Session) { s.CloseWith(3, "enough") })
	if e := w.wait(sink.EventSessionClosed); e.Code != sink.OK || e.Aux != 3 || e.Flags != sink.FlagCounters {
		t.Errorf("%+v", e.Event)
	}
	if n := f.stats[sink.StatConnectionsTotal].Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

// A server opens streams, too.
func TestStreamsOfTheServers(t *testing.T) {
	p := accepting(t, func(p *peer, e event) {
		if e.Type != sink.EventSessionOpened {
			return
		}
		for _, uni := range []bool{false, true} {
			h := p.Give()
			s, _ := p.Object(e.Object).(*session.Session)
			if s == nil {
				return
			}
			s.OpenStream(h, uni, true)
			if st, _ := p.Object(h).(*session.Stream); st != nil {
				st.Write(chunk(fmt.Sprint("one way: ", uni)))
				st.End()
			}
		}
	})
	f := newFixture(t, "")
	got := make(chan string, 4)
	f.Await(func() {
		f.any = func(e event) {
			if e.Type == sink.EventStreamData && len(e.Data) > 0 { // the end may come by itself
				got <- string(e.Data)
			}
		}
	})
	f.want(SessionRequest{Authority: p.addr})
	both := []string{within(t, "a stream", got), within(t, "a stream", got)}
	slices.Sort(both)
	if fmt.Sprint(both) != "[one way: false one way: true]" {
		t.Error(both)
	}
}

// What keeps a session from being opened is told by its name.
func TestSessionsThatAreNotOpened(t *testing.T) {
	p := accepting(t)
	plain := serve(t, "", 0, echo)
	for _, c := range []struct {
		name, options string
		r             SessionRequest
		code          sink.Code
		status        uint32
		words         string
	}{
		{"404", "", SessionRequest{Authority: p.addr, Path: "/no"}, sink.ErrRejected, 404, "status 404"},
		{"a server without sessions", "", SessionRequest{Authority: plain.addr}, sink.ErrNotNegotiated, 0, "SETTINGS_H3_DATAGRAM"},
		{"not by option", `{"webtransport": false}`, SessionRequest{Authority: p.addr}, sink.ErrNotNegotiated, 0, "webtransport is false"},
		{"no host", "", SessionRequest{Authority: "a b"}, sink.ErrBadURL, 0, "no host"},
		{"an escape in a host", "", SessionRequest{Authority: "h%41"}, sink.ErrBadURL, 0, `no host: "h%41"`},
		{"a bad field", "", SessionRequest{Authority: p.addr, Headers: fields("A", "b")}, sink.ErrBadHeader, 0, "lower-case"},
		{"a bad protocol", "", SessionRequest{Authority: p.addr, Protocols: []string{"\x00"}}, sink.ErrInvalidArgument, 0, "wt-available-protocols"},
		{"no such name", "", SessionRequest{Authority: "nowhere.test"}, sink.ErrResolve, 0, "nowhere.test"},
		{"no answer", `{"webtransport": {"decision_timeout_ms": 30}}`, SessionRequest{Authority: p.addr, Path: "/wait"}, sink.ErrTimeout, 0, "in time"},
	} {
		f := newFixture(t, c.options)
		if e := f.want(c.r).wait(sink.EventSessionClosed); e.Code != c.code || e.Status != c.status || !strings.Contains(string(e.Data), c.words) || e.UserData != 6 {
			t.Errorf("%s: %+v %q", c.name, e.Event, e.Data)
		}
	}
	// Given up before it is open, wherever it is.
	f := newFixture(t, "")
	w := f.want(SessionRequest{Authority: p.addr, Path: "/wait"})
	eventually(t, "the request", func() bool { return f.stats[sink.StatSessionsTotal].Load() == 1 })
	w.do(func(s *session.Session) { s.CloseWith(1, "") })
	if e := w.wait(sink.EventSessionClosed); e.Code != sink.ErrCancelled {
		t.Errorf("%+v", e.Event)
	}
	f.client.lookup = blocked
	w = f.want(SessionRequest{Authority: "nowhere.test"})
	w.do(func(s *session.Session) {
		s.SendDatagram([]byte("x"), 0)
		s.DatagramOversized()
		if _, err := s.ExportKeyingMaterial(nil, nil, 1); err == nil {
			t.Error("keying material of no connection")
		}
		s.Drain()
		s.CloseWith(1, "")
	})
	if e := w.wait(sink.EventSessionClosed); e.Code != sink.ErrCancelled || e.Conn != 0 {
		t.Errorf("%+v", e.Event)
	}
}

// A client speaks the dialect that the server's SETTINGS announce, the newest of several, and names what is missing.
func TestDialects(t *testing.T) {
	const connect, datagram = 0x8, 0x33
	for _, c := range []struct {
		name     string
		settings []any
		reset    bool // reset_stream_at
		protocol string
		field    string // that names the draft
		words    string // of the failure
	}{
		{"15", []any{connect, 1, datagram, 1, 0x2c7cf000, 1}, true, "webtransport-h3", "", ""},
		{"14", []any{connect, 1, datagram, 1, 0x14e9cd29, 1}, true, "webtransport", "", ""},
		{"07", []any{connect, 1, datagram, 1, uint64(0xc671706a), 4}, false, "webtransport", "", ""},
		{"02", []any{datagram, 1, 0x2b603742, 1}, false, "webtransport", "1", ""},
		{"all", []any{connect, 1, datagram, 1, 0x2c7cf000, 1, 0x14e9cd29, 1, uint64(0xc671706a), 4, 0x2b603742, 1}, true, "webtransport-h3", "", ""},
		{"nothing", nil, true, "", "", "SETTINGS_H3_DATAGRAM (0x33)"},
		{"no dialect", []any{connect, 1, datagram, 1}, true, "", "", "SETTINGS_WT_ENABLED (0x2c7cf000), nor what earlier drafts have in its place"},
		{"no CONNECT", []any{datagram, 1, 0x2c7cf000, 1}, true, "", "", "SETTINGS_ENABLE_CONNECT_PROTOCOL (0x8)"},
		{"no reset_stream_at", []any{connect, 1, datagram, 1, 0x2c7cf000, 1}, false, "", "", "reset_stream_at"},
	} {
		asked := make(chan []string, 1)
		r := listenRaw(t, &quic.Config{EnableDatagrams: true, EnableStreamResetPartialDelivery: c.reset}, func(k *rawConn) {
			k.settle(c.settings...)
			s, head := k.nextHead()
			if s == nil {
				return
			}
			asked <- head
			s.Write(headers(":status", "200"))
			<-k.Context().Done()
		})
		f := newFixture(t, "")
		w := f.want(SessionRequest{Authority: r.addr, Path: "/p", Headers: fields("origin", "https://o")})
		if c.words != "" {
			if e := w.wait(sink.EventSessionClosed); e.Code != sink.ErrNotNegotiated || !strings.Contains(string(e.Data), c.words) {
				t.Errorf("%s: %+v %q", c.name, e.Event, e.Data)
			}
			continue
		}
		w.wait(sink.EventSessionOpened)
		got := fmt.Sprint(within(t, "the request", asked))
		want := fmt.Sprintf("[:method CONNECT :scheme https :authority %s :path /p :protocol %s origin https://o", r.addr, c.protocol)
		if c.field != "" {
			want += " sec-webtransport-http3-draft02 " + c.field
		}
		if got != want+"]" {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}

// Answers that open nothing.
func TestAnswersToASession(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer []byte
		reset  quic.StreamErrorCode
		code   sink.Code
		status uint32
		words  string
	}{
		{"informational ones first", join(headers(":status", "103"), headers(":status", "403")), 0, sink.ErrRejected, 403, ""},
		{"a redirect", headers(":status", "302", "location", "/"), 0, sink.ErrRejected, 302, ""},
		{"no answer", nil, 0, sink.ErrTruncated, 0, ""},
		{"a malformed one", headers(":status", "x"), 0, sink.ErrProtocol, 0, ""},
		{"a protocol that was not offered", headers(":status", "200", "wt-protocol", `"z"`), 0, sink.ErrProtocol, 0, "not offered"},
		{"a reset", nil, 0x10b, sink.ErrReset, 0, ""},
		{"DATA first", data("x"), 0, sink.ErrProtocol, 0, ""},
	} {
		r := listenRaw(t, &quic.Config{EnableDatagrams: true}, func(k *rawConn) {
			k.settle(0x8, 1, 0x33, 1, uint64(0xc671706a), 4)
			s, _ := k.nextHead()
			if c.reset != 0 {
				s.CancelWrite(c.reset)
			} else {
				s.Write(c.answer)
				s.Close()
			}
			<-k.Context().Done()
		})
		f := newFixture(t, "")
		if e := f.want(SessionRequest{Authority: r.addr, Protocols: []string{"a"}}).wait(sink.EventSessionClosed); e.Code != c.code || e.Status != c.status || !strings.Contains(string(e.Data), c.words) {
			t.Errorf("%s: %+v %q", c.name, e.Event, e.Data)
		}
	}
}

// Sessions that may share a connection do as far as the server's limit goes, with fetches beside them; others share with nobody.
func TestPooledSessions(t *testing.T) {
	p := accepting(t)
	f := newFixture(t, "")
	var conns []sink.Handle
	for _, pooled := range []bool{true, true, false} {
		w := f.want(SessionRequest{Authority: p.addr, Pooled: pooled})
		conns = append(conns, w.wait(sink.EventSessionOpened).Conn)
	}
	if conns[0] != conns[1] || conns[2] == conns[0] {
		t.Errorf("connections %v", conns)
	}
	r := listenRaw(t, &quic.Config{EnableDatagrams: true}, func(k *rawConn) {
		k.settle(0x8, 1, 0x33, 1, uint64(0xc671706a), 1) // one session a connection
		for {
			s, _ := k.nextHead()
			if s == nil {
				return
			}
			s.Write(headers(":status", "200"))
		}
	})
	first := f.want(SessionRequest{Authority: r.addr, Pooled: true}).wait(sink.EventSessionOpened)
	second := f.want(SessionRequest{Authority: r.addr, Pooled: true}).wait(sink.EventSessionOpened)
	if first.Conn == second.Conn {
		t.Error("two where the server takes one")
	}
}

// Sessions end with their client, and their server hears of it.
func TestSessionsEndWithTheirClient(t *testing.T) {
	closed := make(chan event, 1)
	p := accepting(t, func(_ *peer, e event) {
		if e.Type == sink.EventSessionClosed {
			closed <- keepEvent(e)
		}
	})
	f := newFixture(t, "")
	w := f.want(SessionRequest{Authority: p.addr})
	w.wait(sink.EventSessionOpened)
	f.client.Close(0)
	if e := w.wait(sink.EventSessionClosed); e.Code != sink.ErrShutdown {
		t.Errorf("%+v", e.Event)
	}
	if e := within(t, "the server's end", closed); e.Code != sink.OK || e.Flags != sink.FlagRemote|sink.FlagCounters {
		t.Errorf("at the server: %+v", e.Event)
	}
	if e := f.want(SessionRequest{Authority: p.addr}).wait(sink.EventSessionClosed); e.Code != sink.ErrShutdown {
		t.Errorf("afterwards: %+v", e.Event)
	}
}

// A client that lets what there is end asks for the end of its sessions.
func TestSessionsOfAClientThatWaits(t *testing.T) {
	p := accepting(t)
	f := newFixture(t, "")
	w := f.want(SessionRequest{Authority: p.addr})
	w.wait(sink.EventSessionOpened)
	f.client.Close(-1)
	if e := w.wait(sink.EventSessionClosed); e.Code != sink.OK || e.Aux != 9 {
		t.Errorf("%+v", e.Event)
	}
	within(t, "the client's end", f.client.Done())
}

// What a server says it does not take is not sent: no CONNECT, either.
func TestASessionWhoseHeadIsTooLarge(t *testing.T) {
	asked := make(chan struct{}, 1)
	r := listenRaw(t, &quic.Config{EnableDatagrams: true}, func(k *rawConn) {
		k.settle(0x8, 1, 0x33, 1, uint64(0xc671706a), 4, 6, 400)
		for s := k.next(); s != nil; s = k.next() {
			asked <- struct{}{}
			s.Write(headers(":status", "200"))
		}
	})
	f := newFixture(t, "")
	w := f.want(SessionRequest{Authority: r.addr, Path: "/", Headers: fields("a", strings.Repeat("x", 400))})
	if e := w.wait(sink.EventSessionClosed); e.Code != sink.ErrTooLarge {
		t.Errorf("%+v %s", e.Event, e.Data)
	}
	w = f.want(SessionRequest{Authority: r.addr, Path: "/", Protocols: []string{strings.Repeat("p", 300)}})
	if e := w.wait(sink.EventSessionClosed); e.Code != sink.ErrTooLarge {
		t.Errorf("with protocols: %+v %s", e.Event, e.Data)
	}
	select {
	case <-asked:
		t.Error("it was sent")
	default:
	}
	w = f.want(SessionRequest{Authority: r.addr, Path: "/"})
	within(t, "a request", asked)
	w.wait(sink.EventSessionOpened)
}

// What waits for SETTINGS is called once, whenever they come.
func TestWhatWaitsForSettings(t *testing.T) {
	for range 100 {
		var c conn
		var called atomic.Int32
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { c.whenSettled(func() { called.Add(1) }) })
		}
		all.Go(c.settle)
		all.Wait()
		if n := called.Load(); n != 4 {
			t.Fatalf("%d of 4 were called", n)
		}
	}
}
