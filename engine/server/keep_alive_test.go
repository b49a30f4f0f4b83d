package server

import (
	"testing"
	"time"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// idleTimeout is that of the servers here, in idleOptions. Clients do not ping.
const (
	idleTimeout = time.Second
	idleOptions = `{"idle_timeout_ms": 1000`
)

// What is open keeps its connection alive, each on its own, for longer than the idle timeout, though keep_alive_ms alone would not: a request
// that waits for its answer, a stream of events that is silent, a session in which nothing happens. Once it has ended, the connection does.
func TestWhatIsOpenKeepsItsConnectionAlive(t *testing.T) {
	f := serveSessions(t, idleOptions+`}`, func(f *sessionFixture, e event) {
		switch r := f.request(e.Object); {
		case e.Type == sink.EventSessionRequest:
			f.session(e.Object).Accept("", nil)
		case e.Type == sink.EventRequest && field(e.Meta, ":path") == "/events":
			r.Start(200, nil)
		}
	})
	conns := map[string]sink.Handle{}
	ask := func(path string) *enginetest.RequestStream {
		r := enginetest.Dial(t, f.addr, enginetest.Options{}).OpenRequest()
		if err := r.SendRequest("GET", path); err != nil {
			t.Fatal(err)
		}
		r.Close()
		r.SetReadDeadline(time.Now().Add(2 * patience))
		return r
	}
	at := func(path string) event {
		e := f.wait("the request for "+path, func(e event) bool { return e.Type == sink.EventRequest && field(e.Meta, ":path") == path })
		conns[path] = e.Conn
		return e
	}
	waiting, events := ask("/waiting"), ask("/events")
	w, s := at("/waiting"), at("/events")
	session, opened := f.mustOpen("/wt")
	conns["a session"] = opened.Conn

	time.Sleep(3 * idleTimeout)

	f.Do(func() {
		f.send(w, 200, "late")
		if r := f.request(s.Object); r != nil {
			r.Write(sink.Chunk{Bytes: []byte("data: 1")})
			r.End(sink.Chunk{})
		}
	})
	if a := answerOf(t, waiting); a != "200 late" {
		t.Errorf("the request that waits: %s", a)
	}
	if a := answerOf(t, events); a != "200 data: 1" {
		t.Errorf("the events: %s", a)
	}
	if err := session.Context().Err(); err != nil {
		t.Errorf("the session: %v", err)
	}
	session.CloseWithError(0, "")
	for name, conn := range conns {
		e := f.wait("the end of the connection of "+name, func(e event) bool { return e.Type == sink.EventConnClosed && e.Object == conn })
		if e.Code != sink.ErrIdle {
			t.Errorf("%s: the connection ended with %+v", name, e.Event)
		}
	}
}

// A connection that carries nothing is not kept alive.
func TestAnIdleConnectionEnds(t *testing.T) {
	closed := make(chan event, 1)
	f := serve(t, idleOptions+`}`, 0, func(_ *consumer, e event) {
		if e.Type == sink.EventConnClosed {
			closed <- e
		}
	})
	enginetest.Dial(t, f.addr, enginetest.Options{})
	if e := within(t, "the end", closed); e.Code != sink.ErrIdle {
		t.Errorf("ended with %+v", e.Event)
	}
}

// With keep_alive_ms 0 nothing keeps a connection alive.
func TestKeepAliveIsAnOption(t *testing.T) {
	closed := make(chan event, 1)
	f := serve(t, idleOptions+`, "keep_alive_ms": 0}`, 0, func(_ *consumer, e event) {
		if e.Type == sink.EventStreamClosed {
			closed <- e
		}
	})
	r := enginetest.Dial(t, f.addr, enginetest.Options{}).OpenRequest()
	if err := r.SendRequest("GET", "/"); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if e := within(t, "the request's end", closed); e.Code != sink.ErrIdle {
		t.Errorf("ended with %+v", e.Event)
	}
}
