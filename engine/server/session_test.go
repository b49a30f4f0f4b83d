package server

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

func TestW01_SessionIsAccepted(t *testing.T) {
	f := serveSessions(t, "", func(f *sessionFixture, e event) {
		if e.Type == sink.EventSessionRequest {
			f.session(e.Object).Accept("b", wire.AppendPacked(nil, "x-answer", "42"))
		}
	})
	s, resp := f.open(dialer("a", "b"), "/wt/room?x=1", "origin", "https://"+f.addr, "x-test", "1")
	if s == nil {
		t.Fatal(resp)
	}
	if got := s.Protocol; resp.Status != 200 || got != "b" || resp.Header.Get("X-Answer") != "42" || resp.Header.Get("Date") == "" {
		t.Errorf("%d, protocol %q, %v", resp.Status, got, resp.Header)
	}
	e := f.waitType(sink.EventSessionRequest)
	for name, want := range map[string]string{":method": "CONNECT", ":scheme": "https", ":path": "/wt/room?x=1", ":protocol": "webtransport-h3",
		":authority": f.addr, "origin": "https://" + f.addr, "x-test": "1"} {
		if got := field(e.Meta, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if e.Status != 2 || e.UserData != 9 || e.Aux != 0 || fmt.Sprint(f.Offers(e.Object)) != "[a b]" {
		t.Errorf("%+v, offered %v", e.Event, f.Offers(e.Object))
	}
	o := f.waitType(sink.EventSessionOpened)
	if o.Object != e.Object || field(o.Meta, "protocol") != "b" || o.Status < 1000 {
		t.Errorf("%+v, %q", o.Event, o.Meta)
	}
	s.CloseWithError(7, "enough")
	if c := f.waitType(sink.EventSessionClosed); c.Object != e.Object || c.Code != sink.OK || c.Flags&^sink.FlagCounters != sink.FlagRemote || c.Aux != 7 || string(c.Data) != "enough" {
		t.Errorf("%+v, %q", c.Event, c.Data)
	}
}

// Both ends derive the same from what the draft puts together; a session of the same connection, another label or context gives another.
func TestW17_KeyingMaterial(t *testing.T) {
	f := serveSessions(t, "", nil)
	s, o := f.mustOpen("/wt")
	export := func(label, context string, n int) string {
		b, err := f.session(o.Object).ExportKeyingMaterial([]byte(label), []byte(context), n)
		if err != nil || len(b) != n {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		return string(b)
	}
	state := s.Client().Conn.ConnectionState().TLS
	theirs, err := state.ExportKeyingMaterial("EXPORTER-WebTransport", []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x05label\x03ctx"), 4096)
	if ours := export("label", "ctx", 4096); ours != string(theirs) || err != nil {
		t.Errorf("ours %x, theirs %x, %v", ours[:8], theirs[:8], err)
	}
	if a, b, c := export("label", "ctx", 32), export("labelc", "tx", 32), export("label", "", 32); a == b || a == c || b == c {
		t.Error("label and context are no part of it")
	}
}

func TestW02_SessionsThatAreTurnedDown(t *testing.T) {
	decide := func(f *sessionFixture, e event) {
		if e.Type != sink.EventSessionRequest {
			return
		}
		switch s := f.session(e.Object); field(e.Meta, ":path") {
		case "/wt/reject":
			s.Reject(418, wire.AppendPacked(nil, "x-why", "tea"), sink.Chunk{Bytes: []byte("no")})
			s.Accept("", nil) // too late
		case "/wt/close":
			s.CloseWith(1, "")
		case "/wt/protocol":
			s.Accept("never offered", nil)
		}
	}
	inTime, late := serveSessions(t, "", decide), serveSessions(t, `{"webtransport": {"decision_timeout_ms": 50}}`, decide)
	for _, c := range []struct {
		path, origin string
		status       int
		code         sink.Code // 0: no event
	}{
		{"/wt/reject", "", 418, sink.ErrCancelled},
		{"/wt/close", "", 500, sink.ErrCancelled},
		{"/wt/late", "", 503, sink.ErrTimeout},
		{"/wt/protocol", "", 500, sink.ErrInvalidArgument},
		{"/plain", "", 404, sink.OK},
		{"/wt", "https://elsewhere.example", 403, sink.OK},
		{"/wt", "null", 403, sink.OK},
	} {
		var fields []string
		if c.origin != "" {
			fields = []string{"origin", c.origin}
		}
		f := inTime
		if c.code == sink.ErrTimeout {
			f = late
		}
		before := f.count(sink.EventSessionClosed)
		s, resp := f.open(dialer(), c.path, fields...)
		if s != nil || resp.Status != c.status {
			t.Errorf("%s, origin %q: %v", c.path, c.origin, resp)
			continue
		}
		if c.code == sink.OK {
			if f.count(sink.EventSessionRequest) != before {
				t.Errorf("%s: an event", c.path)
			}
			continue
		}
		eventually(t, "SESSION_CLOSED", func() bool { return f.count(sink.EventSessionClosed) == before+1 })
		f.mu.Lock()
		last := f.seen[len(f.seen)-1]
		for i := len(f.seen) - 1; last.Type != sink.EventSessionClosed; i-- {
			last = f.seen[i]
		}
		f.mu.Unlock()
		if last.Code != c.code {
			t.Errorf("%s: closed with %d", c.path, last.Code)
		}
	}
}

func TestW03_OriginsOfOthers(t *testing.T) {
	for options, want := range map[string]bool{`["https://a.example"]`: true, `["*"]`: true, `["https://b.example"]`: false, `"same"`: false} {
		f := serveSessions(t, `{"webtransport": {"origins": `+options+`}}`, nil)
		s, resp := f.open(dialer(), "/wt", "origin", "https://a.example")
		if (s != nil) != want {
			t.Errorf("%s: %v", options, resp)
		}
		if s != nil {
			s.CloseWithError(0, "")
		}
	}
}

func TestW09_CloseFromThisSideReachesThePeer(t *testing.T) {
	f := serveSessions(t, "", nil)
	s, o := f.mustOpen("/wt")
	str, err := s.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	str.Write([]byte("x"))
	f.waitType(sink.EventStreamData)
	f.Await(func() { f.session(o.Object).CloseWith(4_000_000_000, "bye ☃") })
	within(t, "the peer's end", s.Context().Done())
	_, err = s.AcceptStream(ctx(t))
	var closed *enginetest.SessionError
	if !errors.As(err, &closed) || !closed.Remote || closed.Code != 4_000_000_000 || closed.Reason != "bye ☃" {
		t.Errorf("the peer sees %v", err)
	}
	e := f.waitType(sink.EventSessionClosed)
	if e.Code != sink.OK || e.Flags&^sink.FlagCounters != 0 || e.Aux != 4_000_000_000 || string(e.Data) != "bye ☃" {
		t.Errorf("%+v, %q", e.Event, e.Data)
	}
	if f.count(sink.EventStreamEnded) != 1 {
		t.Errorf("%d streams ended", f.count(sink.EventStreamEnded))
	}
}

func TestW10_PeerVanishesWithManyStreams(t *testing.T) {
	f := serveSessions(t, "", nil)
	s, _ := f.mustOpen("/wt")
	const streams = 100
	for i := range streams {
		if i%2 == 0 {
			str, err := s.OpenStreamSync(ctx(t))
			if err != nil {
				t.Fatal(err)
			}
			str.Write([]byte("x"))
		} else {
			str, err := s.OpenUniStreamSync(ctx(t))
			if err != nil {
				t.Fatal(err)
			}
			str.Write([]byte("x"))
		}
	}
	eventually(t, "all streams", func() bool { return f.count(sink.EventStreamOpened) == streams })
	s.Client().CloseWithError(0x10c, "gone") // without a word to the session
	f.waitType(sink.EventConnClosed)
	if f.count(sink.EventStreamEnded) != streams || f.count(sink.EventSessionClosed) != 1 {
		t.Errorf("%d streams and %d sessions ended", f.count(sink.EventStreamEnded), f.count(sink.EventSessionClosed))
	}
	eventually(t, "no handles", func() bool { return f.Live() == 0 })
	if n := f.stats[sink.StatStreamsActive].Load() + f.stats[sink.StatSessionsActive].Load(); n != 0 {
		t.Errorf("%d streams and sessions are counted active", n)
	}
}

func TestW11_DrainAndStop(t *testing.T) {
	f := serveSessions(t, "", nil)
	s, o := f.mustOpen("/wt")
	f.Await(func() { f.session(o.Object).Drain() })
	str, err := s.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	str.Write([]byte("still there"))
	f.waitType(sink.EventStreamData)
	if e := f.stop(50 * time.Millisecond); e.Code != sink.ErrTimeout {
		t.Errorf("stopped with %d", e.Code)
	}
	e := f.waitType(sink.EventSessionClosed)
	if e.Code != sink.ErrShutdown || e.Flags&^sink.FlagCounters != sink.FlagAborted {
		t.Errorf("%+v", e.Event)
	}
	_, err = s.AcceptStream(ctx(t))
	var closed *enginetest.SessionError
	if !errors.As(err, &closed) || !closed.Remote || closed.Code != 0 {
		t.Errorf("the peer sees %v", err)
	}
}
