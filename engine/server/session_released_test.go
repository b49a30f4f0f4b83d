package server

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
	"testing"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// manyStreams opens n streams in groups of so many that QUIC's limit and the session's have to be given back several times.
func manyStreams(t *testing.T, n int, group func(k int)) {
	for left := n; left > 0; left -= 50 {
		group(min(left, 50))
	}
}

// Streams that either side stops, resets or ends, in any combination: all are released, by us and by QUIC on both sides, and their credit
// is given back; with a consumer that takes nothing for a while as well.
func TestN13_StreamsThatAreStopped(t *testing.T) {
	n := many(500, 10_000)
	quick := func(f *sessionFixture, e event) {
		switch e.Type {
		case sink.EventSessionRequest:
			f.session(e.Object).Accept("", nil)
		case sink.EventStreamReset, sink.EventStreamStopped:
			if st := f.stream(e.Object); st != nil {
				st.Reset(2)
				st.Stop(2)
			}
		}
	}
	finish := func(f *sessionFixture, e event) { // a server that ends what its peer has opened
		quick(f, e)
		if e.Type == sink.EventStreamData && e.Flags&sink.FlagEnd != 0 {
			if st := f.stream(e.Object); st != nil {
				st.Write(sink.Chunk{Bytes: make([]byte, 100)})
				st.End()
			}
		}
	}
	giveUp := func(f *sessionFixture, e event) { // a server that wants nothing
		quick(f, e)
		if e.Type == sink.EventStreamOpened && e.Flags&sink.FlagRemote != 0 {
			if st := f.stream(e.Object); st != nil {
				st.Stop(3)
				st.Reset(3)
			}
		}
	}
	theirs := func(uni bool, end func(st *enginetest.Stream)) func(*testing.T, *sessionFixture, *enginetest.Session, sink.Handle, int) {
		return func(t *testing.T, _ *sessionFixture, s *enginetest.Session, _ sink.Handle, k int) {
			open := s.OpenStreamSync
			if uni {
				open = s.OpenUniStreamSync
			}
			for range k {
				st, err := open(ctx(t))
				if err != nil {
					t.Fatal(err)
				}
				_, _ = st.Write([]byte("x")) // which may have been stopped by now
				end(st)
			}
		}
	}
	ours := func(uni bool, end func(st *enginetest.Stream)) func(*testing.T, *sessionFixture, *enginetest.Session, sink.Handle, int) {
		return func(t *testing.T, f *sessionFixture, s *enginetest.Session, h sink.Handle, k int) {
			f.Await(func() {
				for range k {
					st := f.Give()
					f.session(h).OpenStream(st, uni, true)
					if st := f.stream(st); st != nil {
						st.Write(sink.Chunk{Bytes: []byte("x")})
					}
				}
			})
			accept := s.AcceptStream
			if uni {
				accept = s.AcceptUniStream
			}
			for range k {
				st, err := accept(ctx(t))
				if err != nil {
					t.Fatal(err)
				}
				end(st)
			}
		}
	}
	for _, c := range []struct {
		name   string
		server func(f *sessionFixture, e event)
		group  func(t *testing.T, f *sessionFixture, s *enginetest.Session, h sink.Handle, k int)
	}{
		{"ours, stopped by the peer", quick, ours(true, func(st *enginetest.Stream) { st.CancelRead(1) })},
		{"ours, both ways, stopped and ended by the peer", quick, ours(false, func(st *enginetest.Stream) { st.CancelRead(1); st.Close() })},
		{"ours, both ways, stopped and reset by the peer", quick, ours(false, func(st *enginetest.Stream) { st.CancelRead(1); st.CancelWrite(1) })},
		{"the peer's, ended and stopped by it", quick, theirs(false, func(st *enginetest.Stream) { st.Close(); st.CancelRead(1) })},
		{"the peer's, reset by it", quick, theirs(true, func(st *enginetest.Stream) { st.CancelWrite(1) })},
		{"the peer's, reset and stopped by it", quick, theirs(false, func(st *enginetest.Stream) { st.CancelWrite(1); st.CancelRead(1) })},
		{"the peer's, ended by both", finish, theirs(false, func(st *enginetest.Stream) { st.Close(); go io.Copy(io.Discard, st) })},
		{"the peer's, given up by us", giveUp, theirs(false, func(st *enginetest.Stream) {
			go func() {
				io.Copy(io.Discard, st)
				st.CancelWrite(0)
			}()
		})},
		{"the peer's, unidirectional, given up by us", giveUp, theirs(true, func(st *enginetest.Stream) {
			go func() {
				<-st.Context().Done()
				st.CancelWrite(0)
			}()
		})},
	} {
		for _, stalled := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, full ring %v", c.name, stalled), func(t *testing.T) {
				before := runtime.NumGoroutine()
				f := serveSessions(t, `{"reset_budget": 1000000, "webtransport": {"max_streams_bidi": 102, "max_streams_uni": 102}}`, c.server)
				if stalled {
					f.SetCapacity(10)
				}
				s, h := f.openSession(*dialer())
				ends := 0
				manyStreams(t, n, func(k int) {
					if stalled {
						f.Stall(true)
					}
					c.group(t, f, s, h, k)
					f.Stall(false)
					ends += k
					eventually(t, "their ends", func() bool { return f.count(sink.EventStreamEnded) == ends })
				})
				if n := f.Live(); n != 2 {
					t.Errorf("%d handles are live beside those of connection and session", n-2)
				}
				sessionWorksWith(t, f, s)
				s.CloseWithError(0, "")
				s.Client().Close()
				f.waitType(sink.EventConnClosed)
				f.server.Free()
				within(t, "the server's end", f.server.Done())
				eventually(t, "the goroutines of the beginning", func() bool { return runtime.NumGoroutine() <= before+2 })
			})
		}
	}
}

// sessionWorksWith shows that a session does: half as many streams as may be there at once can be opened at once, both ways (limits are told by halves).
func sessionWorksWith(t *testing.T, f *sessionFixture, s *enginetest.Session) {
	t.Helper()
	for range 50 {
		for _, open := range []func(context.Context) (*enginetest.Stream, error){s.OpenStreamSync, s.OpenUniStreamSync} {
			if _, err := open(ctx(t)); err != nil { // the last capsule may be on its way
				t.Fatal(err)
			}
		}
	}
}

// Sessions that both sides close at once: each has one end, whoever was first, and nothing is left of it.
func TestN13_SessionsThatBothSidesClose(t *testing.T) {
	n := many(100, 2000)
	f := serveSessions(t, "", nil)
	c := enginetest.Dial(t, f.addr, *dialer())
	for i := range n {
		s := c.MustOpen("/wt")
		h := f.nth(sink.EventSessionOpened, i).Object
		st, err := s.OpenStreamSync(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		st.Write([]byte("x"))
		stream := f.Give()
		var both sync.WaitGroup
		both.Go(func() { s.CloseWithError(7, "peer") })
		f.Do(func() {
			if s := f.session(h); s != nil {
				s.OpenStream(stream, true, true)
				s.CloseWith(8, "consumer")
			}
		})
		both.Wait()
		e := f.nth(sink.EventSessionClosed, i)
		if byPeer := e.Flags&sink.FlagRemote != 0; byPeer && (e.Aux != 7 || string(e.Data) != "peer") || !byPeer && (e.Aux != 8 || string(e.Data) != "consumer") || e.Code != sink.OK {
			t.Fatalf("%+v %q", e.Event, e.Data)
		}
	}
	eventually(t, "the handles", func() bool { return f.Live() == 1 })
	if n := f.count(sink.EventSessionClosed) - n; n != 0 {
		t.Errorf("%d ends too many", n)
	}
	c.MustOpen("/wt")
}
