package server

import (
	"runtime"
	"testing"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// Sessions with everything that may be under way in them: streams that wait for credit, for the consumer, for the peer's limit; resets,
// datagrams. However they end, nothing of them is left.
func TestW13_SessionsGiveEverythingBack(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, end := range []struct {
		name     string
		sessions int
		end      func(f *sessionFixture, s *enginetest.Session, o event)
	}{
		{"the connection goes", 4, func(_ *sessionFixture, s *enginetest.Session, _ event) {
			s.Client().CloseWithError(0x10c, "gone")
		}},
		{"the peer closes", 4, func(_ *sessionFixture, s *enginetest.Session, _ event) { s.CloseWithError(7, "done") }},
		{"the consumer closes", 4, func(f *sessionFixture, _ *enginetest.Session, o event) {
			f.Await(func() {
				if s := f.session(o.Object); s != nil {
					s.CloseWith(7, "done")
				}
			})
		}},
		{"the server stops", 1, func(f *sessionFixture, _ *enginetest.Session, _ event) { f.server.Stop(0) }},
	} {
		t.Run(end.name, func(t *testing.T) {
			f := serveSessions(t, `{"receive_window": 4096}`, nil)
			for range end.sessions {
				busySession(t, f, end.end)
			}
			f.server.Free()
			within(t, "the server's end", f.server.Done())
			if n := f.Live(); n != 0 {
				t.Errorf("%d handles are live", n)
			}
		})
	}
	eventually(t, "the goroutines of the beginning", func() bool { return runtime.NumGoroutine() <= before })
}

// busySession opens a session on a connection of its own, has much begin in it, and then its end.
func busySession(t *testing.T, f *sessionFixture, end func(f *sessionFixture, s *enginetest.Session, o event)) {
	t.Helper()
	d := dialer()
	d.MaxStreamsBidi = 3
	c := enginetest.Dial(t, f.addr, *d)
	defer c.Close()
	opened := f.count(sink.EventSessionOpened)
	s := c.MustOpen("/wt")
	var o event
	eventually(t, "the session", func() bool { return f.count(sink.EventSessionOpened) > opened })
	f.mu.Lock()
	for _, e := range f.seen {
		if e.Type == sink.EventSessionOpened {
			o = e
		}
	}
	f.mu.Unlock()
	for range 3 { // which the consumer does not read
		str, err := s.OpenStreamSync(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		str.Write(make([]byte, 6000))
		s.SendDatagram([]byte("x"))
	}
	eventually(t, "the peer's streams", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		opened, data := 0, 0
		for _, e := range f.seen {
			if e.Type == sink.EventStreamOpened && e.Parent == o.Object && e.Flags&sink.FlagRemote != 0 {
				opened++
			}
			if e.Type == sink.EventStreamData {
				data++
			}
		}
		return opened == 3 && data > 0
	})
	f.Await(func() {
		session := f.session(o.Object)
		for i := range 5 { // the last two wait for the peer's limit
			h := f.Give()
			session.OpenStream(h, false, true)
			if str := f.stream(h); str != nil {
				str.Write(sink.Chunk{Bytes: make([]byte, 1<<20)}) // which the peer does not read
				if i == 1 {
					str.Reset(5)
				}
			}
			session.SendDatagram([]byte("y"), 0)
		}
	})
	end(f, s, o)
	eventually(t, "its end", func() bool { return f.count(sink.EventSessionClosed) == f.count(sink.EventSessionOpened) })
}
