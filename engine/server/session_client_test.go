package server

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"zigh3/engine/enginetest"
	"zigh3/engine/route"
	"zigh3/engine/session"
	"zigh3/engine/sink"
)

// A sessionFixture is a server with sessions at "/wt", datagram requests at "/datagrams" and plain requests elsewhere.
type sessionFixture struct {
	*fixture
	mu   sync.Mutex
	seen []event
	back map[sink.Handle]sink.Handle // of echo
}

// serveSessions starts one. handle sees every event, on the reactor's goroutine; nil accepts every session.
func serveSessions(t testing.TB, options string, handle func(f *sessionFixture, e event)) *sessionFixture {
	t.Helper()
	return serveSessionsInto(t, options, func(c sink.Sink) sink.Sink { return c }, handle)
}

// serveSessionsInto has the engine emit into what before makes of the consumer.
func serveSessionsInto(t testing.TB, options string, before func(c sink.Sink) sink.Sink, handle func(f *sessionFixture, e event)) *sessionFixture {
	t.Helper()
	f := &sessionFixture{back: map[sink.Handle]sink.Handle{}}
	if handle == nil {
		handle = func(f *sessionFixture, e event) {
			if e.Type == sink.EventSessionRequest {
				if s := f.session(e.Object); s != nil { // else its peer has given it up already
					s.Accept("", nil)
				}
			}
		}
	}
	c := newConsumer(t, func(_ *consumer, e event) {
		f.mu.Lock()
		f.seen = append(f.seen, event{Event: e.Event, Meta: append([]byte(nil), e.Meta...), Data: append([]byte(nil), e.Data...)})
		f.mu.Unlock()
		handle(f, e)
	})
	f.fixture = &fixture{consumer: c, server: newTestServer(t, before(c), options)}
	f.stats = f.server.stats
	for _, r := range []struct {
		method, pattern string
		flags           uint32
	}{{"", "/wt", route.WebTransport}, {"", "/wt/*", route.WebTransport}, {"", "/datagrams", route.Datagram}, {"GET", "/*", 0}, {"POST", "/*", 0}} {
		if _, err := f.server.Route(r.method, r.pattern, r.flags, 9); err != nil {
			t.Fatal(err)
		}
	}
	f.start()
	t.Cleanup(func() {
		f.server.Free()
		within(t, "the server's end", f.server.Done())
		if n := f.Live(); n != 0 {
			t.Errorf("%d handles are live at the end", n)
		}
	})
	return f
}

// session is the live session of a handle; one that does nothing if it is stale.
func (f *sessionFixture) session(h sink.Handle) *session.Session {
	s, _ := f.Object(h).(*session.Session)
	return s
}

func (f *sessionFixture) stream(h sink.Handle) *session.Stream {
	s, _ := f.Object(h).(*session.Stream)
	return s
}

// wait gives the first event that fits, whenever it came.
func (f *sessionFixture) wait(what string, fits func(e event) bool) event {
	f.t.Helper()
	at := 0
	var found event
	eventually(f.t, what, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		for ; at < len(f.seen); at++ {
			if fits(f.seen[at]) {
				found = f.seen[at]
				return true
			}
		}
		return false
	})
	return found
}

func (f *sessionFixture) waitType(typ sink.EventType) event {
	f.t.Helper()
	return f.wait(fmt.Sprintf("event %d", typ), func(e event) bool { return e.Type == typ })
}

// count is how many events of a type came.
func (f *sessionFixture) count(typ sink.EventType) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.seen {
		if e.Type == typ {
			n++
		}
	}
	return n
}

// dialer is a client of sessions as webtransport-go's is: of the newest draft, with flow control.
func dialer(protocols ...string) *enginetest.Options {
	return &enginetest.Options{Dialect: enginetest.Draft15, Protocols: protocols, MaxStreamsBidi: 100, MaxStreamsUni: 100, MaxData: 16 << 20}
}

// open asks for a session on a connection of its own, which outlives it. The session is nil if it was not accepted.
func (f *sessionFixture) open(o *enginetest.Options, path string, fields ...string) (*enginetest.Session, *enginetest.Response) {
	f.t.Helper()
	return enginetest.Dial(f.t, f.addr, *o).Session(path, fields...)
}

// mustOpen opens a session that must be accepted, and gives its SESSION_OPENED too.
func (f *sessionFixture) mustOpen(path string) (*enginetest.Session, event) {
	f.t.Helper()
	s := enginetest.Dial(f.t, f.addr, *dialer()).MustOpen(path)
	f.t.Cleanup(func() { s.CloseWithError(0, "") })
	return s, f.waitType(sink.EventSessionOpened)
}

func ctx(t testing.TB) context.Context {
	c, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return c
}
