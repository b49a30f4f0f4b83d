package server

import (
	"bytes"
	"io"
	"testing"

	"zigh3/engine/enginetest"
	"zigh3/engine/session"
	"zigh3/engine/sink"
)

// A peer that withholds credit, wherever that is, holds up only what needs it: the reactor goes on, and so do other connections; where
// the credit is a session's or a stream's, what else its connection has does, too.
func TestW16_CreditThatIsWithheld(t *testing.T) {
	const large = 1 << 20
	limits := func(o enginetest.Options) enginetest.Options {
		o.Dialect = enginetest.Draft15
		o.MaxStreamsBidi, o.MaxStreamsUni = max(o.MaxStreamsBidi, 10), max(o.MaxStreamsUni, 10)
		o.MaxData = max(o.MaxData, 16<<10)
		return o
	}
	// write has the server open streams, and write so many bytes on each.
	write := func(streams, size int) func(f *sessionFixture, s *session.Session) {
		return func(f *sessionFixture, s *session.Session) {
			for range streams {
				h := f.Give()
				s.OpenStream(h, true, true)
				if st := f.stream(h); st != nil {
					st.Write(sink.Chunk{Bytes: make([]byte, size)})
				}
			}
		}
	}
	for _, c := range []struct {
		name   string
		peer   enginetest.Options
		hold   func(f *sessionFixture, s *session.Session)                  // on the reactor
		beside func(t *testing.T, f *sessionFixture, s *enginetest.Session) // what the peer does beside
		apart  bool                                                         // the peer's connection goes on
	}{
		{name: "of the connection", peer: enginetest.Options{ConnWindow: 32 << 10, StreamWindow: 16 << 10, MaxData: 1 << 30}, hold: write(5, large)},
		{name: "of a stream", peer: enginetest.Options{StreamWindow: 4 << 10, MaxData: 1 << 30}, hold: write(1, large), apart: true},
		{name: "of the session, for data", peer: enginetest.Options{WithholdSessionCredit: true}, hold: write(3, large), apart: true},
		{name: "of the session, for streams", peer: enginetest.Options{WithholdSessionCredit: true}, hold: write(30, 100), apart: true},
		{name: "of the connection, for streams", peer: enginetest.Options{StreamsUni: 5, MaxStreamsUni: 100, MaxData: 1 << 30}, hold: write(30, 100), apart: true},
		{name: "of the CONNECT stream", peer: enginetest.Options{StreamWindow: 256, LeaveCapsules: true, MaxData: 1 << 30}, apart: true,
			hold: func(*sessionFixture, *session.Session) {},
			beside: func(t *testing.T, f *sessionFixture, s *enginetest.Session) {
				for i := range 60 { // each end of which the server tells with a capsule
					st, err := s.OpenUniStreamSync(ctx(t))
					if err != nil {
						t.Fatal(i, err)
					}
					st.Close()
				}
				eventually(t, "their ends", func() bool { return f.count(sink.EventStreamEnded) >= 60 })
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serveSessions(t, "", func(f *sessionFixture, e event) {
				echo(f, e)
				if e.Type == sink.EventRequest {
					f.send(e, 200, "")
				}
			})
			bad := enginetest.Dial(t, f.addr, limits(c.peer)).MustOpen("/wt")
			held := f.waitType(sink.EventSessionOpened).Object
			reacts(t, f, func() { c.hold(f, f.session(held)) })
			if c.beside != nil {
				c.beside(t, f, bad)
			}
			for range 3 {
				reacts(t, f, func() {
					s := f.session(held)
					s.SendDatagram([]byte("x"), 0)
					s.OpenStream(f.Give(), false, false)
				})
			}
			works(t, enginetest.Dial(t, f.addr, limits(enginetest.Options{MaxData: 1 << 20})))
			if c.apart {
				bad.Client().Lives()
				sessionWorks(t, bad.Client().MustOpen("/wt"), 1)
			}
		})
	}
}

// reacts runs do on the reactor, which nobody may hold up.
func reacts(t *testing.T, f *sessionFixture, do func()) {
	t.Helper()
	done := make(chan struct{})
	f.Do(func() { defer close(done); do() })
	within(t, "the reactor", done)
}

// works shows that a connection does: a request, a session, its streams and datagrams.
func works(t *testing.T, c *enginetest.Client) {
	t.Helper()
	c.Lives()
	sessionWorks(t, c.MustOpen("/wt"), 100<<10)
}

// sessionWorks sends so many bytes on a stream of a session, and a datagram, which come back.
func sessionWorks(t *testing.T, s *enginetest.Session, size int) {
	t.Helper()
	if err := s.SendDatagram([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if got, err := s.ReceiveDatagram(ctx(t)); err != nil || string(got) != "hello" {
		t.Errorf("a datagram: %q, %v", got, err)
	}
	st, err := s.OpenStreamSync(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	data := pattern(size)
	sent := make(chan error, 1)
	go func() {
		_, err := st.Write(data)
		st.Close()
		sent <- err
	}()
	if got, err := io.ReadAll(st); err != nil || !bytes.Equal(got, data) {
		t.Errorf("a stream: %d bytes, %v", len(got), err)
	}
	if err := within(t, "the end of the sending", sent); err != nil {
		t.Error(err)
	}
}
