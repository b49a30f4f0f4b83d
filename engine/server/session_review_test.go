package server

import (
	"context"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// What a review of the layer before this one found (C4 to C8, S1 to S5, with the numbers of its programs): none of it may come back. The
// consumer's contract sees ends without a begin, second ends, and handles released twice; the fixture, handles that stay.

// A hookSink lets a test stand between two calls of the engine.
type hookSink struct {
	sink.Sink
	onIssue  atomic.Pointer[func(kind sink.Kind)]
	onCommit atomic.Pointer[func(ev *sink.Event)]
	onLose   atomic.Pointer[func()]
}

func (h *hookSink) Lose(t sink.EventType, n uint64) {
	if f := h.onLose.Load(); f != nil {
		(*f)()
	}
	h.Sink.Lose(t, n)
}

func (h *hookSink) Issue(kind sink.Kind, parent sink.Handle, obj any) (sink.Handle, bool) {
	handle, ok := h.Sink.Issue(kind, parent, obj)
	if f := h.onIssue.Load(); f != nil {
		(*f)(kind)
	}
	return handle, ok
}

func (h *hookSink) Commit(r sink.Record, ev *sink.Event) {
	if f := h.onCommit.Load(); f != nil {
		(*f)(ev)
	}
	h.Sink.Commit(r, ev)
}

func serveHooked(t *testing.T, options string, handle func(f *sessionFixture, e event)) (*sessionFixture, *hookSink) {
	h := &hookSink{}
	if handle == nil {
		handle = consume
	}
	return serveSessionsInto(t, options, func(c sink.Sink) sink.Sink { h.Sink = c; return h }, handle), h
}

// C4: a stream of the peer's waits for room in a full ring when its session ends.
func TestRev1_StreamThatWaitsForRoomWhenItsSessionEnds(t *testing.T) {
	f, h := serveHooked(t, "", func(f *sessionFixture, e event) {
		if e.Type == sink.EventSessionRequest {
			f.session(e.Object).Accept("", nil)
		}
	})
	s, o := f.mustOpen("/wt")
	a, _ := s.OpenStreamSync(ctx(t))
	a.Write([]byte("1"))
	f.waitType(sink.EventStreamData)
	f.Stall(true)
	f.SetCapacity(1)
	a.Write(make([]byte, 100)) // fills the ring
	eventually(t, "a full ring", func() bool { return f.Bulk() > 0 })
	issued := make(chan struct{}, 10)
	hook := func(kind sink.Kind) { issued <- struct{}{} }
	h.onIssue.Store(&hook)
	b, _ := s.OpenStreamSync(ctx(t))
	b.Write([]byte("b"))
	within(t, "the second stream", issued)
	f.Await(func() { f.session(o.Object).CloseWith(1, "x") })
	f.SetCapacity(1 << 20)
	f.Stall(false)
	f.waitType(sink.EventSessionClosed)
	eventually(t, "the handles", func() bool { return f.Live() == 1 })
	if opened, ended := f.count(sink.EventStreamOpened), f.count(sink.EventStreamEnded); opened != ended {
		t.Errorf("%d streams opened, %d ended", opened, ended)
	}
}

// C4: the session ends between the moment at which its stream gets a handle and that at which the stream is told of.
func TestRev2_SessionEndsWhileAStreamBegins(t *testing.T) {
	for _, uni := range []bool{false, true} {
		f, h := serveHooked(t, "", nil)
		s, o := f.mustOpen("/wt")
		session := f.session(o.Object)
		hook := func(kind sink.Kind) {
			if kind == sink.KindStream {
				session.CloseWith(1, "x")
			}
		}
		h.onIssue.Store(&hook)
		open := s.OpenStreamSync
		if uni {
			open = s.OpenUniStreamSync
		}
		st, err := open(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		st.Write([]byte("1"))
		f.waitType(sink.EventSessionClosed)
		eventually(t, "the handles", func() bool { return f.Live() == 1 })
		if n := f.count(sink.EventStreamOpened) + f.count(sink.EventStreamEnded); n != 0 {
			t.Errorf("%d events of the stream", n)
		}
	}
}

// C5: with what code streams end when their session does, whoever closes it and whatever is quicker.
func TestRev6_CodesOfStreamsWhoseSessionEnds(t *testing.T) {
	for _, byPeer := range []bool{true, false} {
		f := serveSessions(t, "", nil)
		c := enginetest.Dial(t, f.addr, *dialer())
		want := sink.ErrCancelled
		if byPeer {
			want = sink.ErrClosed
		}
		for i := range 60 {
			s := c.MustOpen("/wt")
			h := f.nth(sink.EventSessionOpened, i).Object
			st, err := s.OpenStreamSync(ctx(t))
			if err != nil {
				t.Fatal(err)
			}
			st.Write([]byte("x"))
			f.nth(sink.EventStreamData, i)
			if byPeer {
				s.CloseWithError(7, "")
			} else {
				f.Await(func() { f.session(h).CloseWith(7, "") })
			}
			f.nth(sink.EventSessionClosed, i)
			if e := f.nth(sink.EventStreamEnded, i); e.Code != want {
				t.Fatalf("%d, by the peer %v: the stream ends with %d, want %d", i, byPeer, e.Code, want)
			}
		}
	}
}

// C5 once more: the peer has given up the streams of a session that we close before they are cut.
func TestRev6_ThePeerIsQuicker(t *testing.T) {
	f, h := serveHooked(t, "", nil)
	s, o := f.mustOpen("/wt")
	for i := range 20 {
		st, err := s.OpenStreamSync(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		st.Write([]byte("x"))
		f.nth(sink.EventStreamData, i)
	}
	f.SetPlaces(0)
	for range 2 { // which are given up when the session ends, before its streams are cut
		if err := s.SendDatagram([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	lost := make(chan struct{})
	hook := func() {
		defer close(lost)
		end := time.Now().Add(patience)
		for f.count(sink.EventStreamEnded) < 20 && time.Now().Before(end) { // the peer gives them up meanwhile
			time.Sleep(time.Millisecond)
		}
	}
	eventually(t, "the datagrams", func() bool { return f.stats[sink.StatDatagramsIn].Load() == 2 }) // so the first one waits
	h.onLose.Store(&hook)
	go f.session(o.Object).CloseWith(7, "") // the reactor has events to take
	within(t, "the datagram that is given up", lost)
	f.nth(sink.EventStreamEnded, 19)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.seen {
		if e.Type == sink.EventStreamEnded && e.Code != sink.ErrCancelled {
			t.Errorf("a stream ends with %d", e.Code)
		}
	}
}

// C6: STOP_SENDING and End at once.
func TestRev7_StopAndEnd(t *testing.T) {
	f := serveSessions(t, "", nil)
	s, o := f.mustOpen("/wt")
	for i := range 200 {
		h := f.Give()
		f.Await(func() {
			f.session(o.Object).OpenStream(h, true, true)
			f.stream(h).Write(sink.Chunk{Bytes: []byte("x")})
		})
		in, err := s.AcceptUniStream(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		go in.CancelRead(30)
		time.Sleep(time.Duration(i%40) * 10 * time.Microsecond)
		f.Await(func() {
			if st := f.stream(h); st != nil {
				st.End()
			}
		})
		e := f.wait("its end", func(e event) bool { return e.Type == sink.EventStreamEnded && e.Object == h })
		stopped := false
		f.mu.Lock()
		for _, e := range f.seen {
			stopped = stopped || e.Type == sink.EventStreamStopped && e.Object == h && e.Aux == 30
		}
		f.mu.Unlock()
		if want := map[bool]sink.Code{true: sink.ErrReset, false: sink.OK}[stopped]; e.Code != want {
			t.Fatalf("stopped %v: it ends with %d, want %d", stopped, e.Code, want)
		}
	}
}

// C7: a connection that goes while SESSION_REQUEST is on its way to the consumer, of a request whose head was late.
func TestRev9_RequestOfAConnectionThatGoes(t *testing.T) {
	f, h := serveHooked(t, "", func(*sessionFixture, event) {})
	c := enginetest.Dial(t, f.addr, *dialer())
	c.Settings()
	stale := make(chan bool, 1)
	hook := func(ev *sink.Event) {
		if ev.Type != sink.EventSessionRequest {
			return
		}
		c.Conn.CloseWithError(0x100, "")
		end := time.Now().Add(300 * time.Millisecond) // in which the engine would release it
		for time.Now().Before(end) && f.Object(ev.Object) != nil {
			time.Sleep(time.Millisecond)
		}
		stale <- f.Object(ev.Object) == nil
	}
	h.onCommit.Store(&hook)
	head := headers(c.SessionFields("/wt")...)
	st := c.Open(head[:len(head)/2], false)
	time.Sleep(20 * time.Millisecond) // so that it goes to a goroutine of its own
	st.Write(head[len(head)/2:])
	if within(t, "the request", stale) {
		t.Error("SESSION_REQUEST of a handle that was released")
	}
	f.waitType(sink.EventConnClosed)
}

// C8: a session whose peer gives its request up before the decision ends then, and not when there is a decision.
func TestRev20_RequestThatIsGivenUp(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(connect *enginetest.RequestStream)
	}{
		{"reset", func(connect *enginetest.RequestStream) { connect.CancelWrite(0x10c) }},
		{"end", func(connect *enginetest.RequestStream) { connect.Close() }},
		{"reset behind capsules", func(connect *enginetest.RequestStream) {
			connect.Write(enginetest.CapsuleBytes(enginetest.CapsuleDrainSession))
			connect.Client().Lives() // they have come
			connect.CancelWrite(0x10c)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serveSessions(t, "", func(f *sessionFixture, e event) {
				if e.Type == sink.EventRequest {
					f.send(e, 200, "")
				}
			})
			client := enginetest.Dial(t, f.addr, *dialer())
			client.Settings()
			connect := client.OpenRequest()
			if err := connect.SendHeaders(client.SessionFields("/wt")...); err != nil {
				t.Fatal(err)
			}
			f.waitType(sink.EventSessionRequest)
			c.end(connect)
			if e := f.waitType(sink.EventSessionClosed); e.Code != sink.ErrReset || e.Flags&^sink.FlagCounters != sink.FlagRemote|sink.FlagAborted {
				t.Errorf("%+v %q", e.Event, e.Data)
			}
		})
	}
}

// S1: a server that drains while connections come: no connection has more than one GOAWAY, whatever the moment.
func TestRevS1_DrainWhileConnectionsBegin(t *testing.T) {
	goAways := func(q *quic.Conn) (n int) {
		control, err := q.AcceptUniStream(context.Background())
		if err != nil {
			return 0 // the server takes no more
		}
		all, _ := io.ReadAll(control) // to the end of the connection
		for p := all[min(1, len(all)):]; len(p) > 2; p = p[min(len(p), 2+int(p[1])):] {
			if p[0] == enginetest.FrameGoAway {
				n++
			}
		}
		return n
	}
	for range many(5, 50) {
		f := serveSessions(t, "", nil)
		seen := make(chan int, 4)
		begun := make(chan struct{}, 4)
		for range cap(seen) {
			go func() {
				q, err := dialQUIC(t, f.addr, 0)
				begun <- struct{}{}
				if err != nil {
					seen <- 0
					return
				}
				seen <- goAways(q)
			}()
		}
		<-begun
		f.server.Stop(-1)
		f.waitStopped()
		for range cap(seen) {
			if n := within(t, "the end of a connection", seen); n > 1 {
				t.Errorf("%d GOAWAY", n)
			}
		}
	}
}

// owned is a chunk that counts how often it is released.
type owned struct{ released atomic.Int32 }

func (o *owned) Release([]byte) { o.released.Add(1) }

// S2: the body of a rejection goes back once, whether it is sent, not taken, late, or overtaken by the end.
func TestRevS2_BodyOfARejection(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(f *sessionFixture, client *enginetest.Client, connect *enginetest.RequestStream, h sink.Handle, chunk sink.Chunk)
	}{
		{"sent", func(f *sessionFixture, _ *enginetest.Client, _ *enginetest.RequestStream, h sink.Handle, chunk sink.Chunk) {
			f.Await(func() { f.session(h).Reject(403, nil, chunk) })
		}},
		{"behind a close", func(f *sessionFixture, _ *enginetest.Client, _ *enginetest.RequestStream, h sink.Handle, chunk sink.Chunk) {
			f.Await(func() { s := f.session(h); s.CloseWith(1, ""); s.Reject(403, nil, chunk) })
		}},
		{"behind an accept", func(f *sessionFixture, _ *enginetest.Client, _ *enginetest.RequestStream, h sink.Handle, chunk sink.Chunk) {
			f.Await(func() { s := f.session(h); s.Accept("", nil); s.Reject(403, nil, chunk) })
		}},
		{"reset at once", func(f *sessionFixture, _ *enginetest.Client, connect *enginetest.RequestStream, h sink.Handle, chunk sink.Chunk) {
			connect.CancelWrite(0x10c)
			f.Await(func() {
				if s := f.session(h); s != nil {
					s.Reject(403, nil, chunk)
				} else {
					chunk.Release()
				}
			})
		}},
		{"not taken, and the connection goes", func(f *sessionFixture, client *enginetest.Client, _ *enginetest.RequestStream, h sink.Handle, chunk sink.Chunk) {
			f.Await(func() { f.session(h).Reject(403, nil, chunk) })
			client.Close()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serveSessions(t, "", func(*sessionFixture, event) {})
			o := *dialer()
			o.StreamWindow = 1000
			client := enginetest.Dial(t, f.addr, o)
			client.Settings()
			connect := client.OpenRequest()
			if err := connect.SendHeaders(client.SessionFields("/wt")...); err != nil {
				t.Fatal(err)
			}
			h := f.waitType(sink.EventSessionRequest).Object
			var body owned
			c.do(f, client, connect, h, sink.Chunk{Bytes: make([]byte, 20<<10), Owner: &body})
			client.Close()
			f.waitType(sink.EventConnClosed)
			if n := body.released.Load(); n != 1 {
				t.Errorf("released %d times", n)
			}
		})
	}
}

// S4: streams that the peer stops with WT_SESSION_GONE, and does not close the session: they end, and leave room for others.
func TestRevS4_StoppedWithSessionGone(t *testing.T) {
	f := serveSessions(t, `{"max_incoming_streams": 16, "webtransport": {"max_streams_bidi": 16}}`, func(f *sessionFixture, e event) {
		if e.Type == sink.EventSessionRequest {
			f.session(e.Object).Accept("", nil)
		}
	})
	s := enginetest.Dial(t, f.addr, *dialer()).MustOpen("/wt")
	f.waitType(sink.EventSessionOpened)
	for i := range 100 { // more than there may be at once
		st, err := s.OpenStreamSync(ctx(t))
		if err != nil {
			t.Fatal(i, err)
		}
		f.nth(sink.EventStreamOpened, i)
		st.CancelReadWith(enginetest.CodeSessionGone)
		st.Close()
		if e := f.nth(sink.EventStreamEnded, i); e.Code != sink.ErrClosed {
			t.Fatalf("%+v", e.Event)
		}
	}
	if n := f.count(sink.EventStreamStopped) + f.count(sink.EventSessionClosed); n != 0 {
		t.Errorf("%d events of another kind", n)
	}
}

// S5: a reset is told although the consumer gives no credit for what came before it.
func TestRevS5_ResetWithoutCredit(t *testing.T) {
	f := serveSessions(t, `{"receive_window": 4096}`, nil)
	for i, o := range []enginetest.Options{*dialer(), {Dialect: enginetest.Draft02}} {
		s := enginetest.Dial(t, f.addr, o).MustOpen("/wt")
		st, err := s.OpenUniStreamSync(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		st.Write(make([]byte, 20<<10))
		n := 0
		f.wait("all that there is credit for", func(e event) bool {
			if e.Type == sink.EventStreamData {
				n += len(e.Data)
			}
			return n == (i+1)*4096
		})
		st.CancelWrite(9)
		if e := f.nth(sink.EventStreamReset, i); e.Aux != 9 {
			t.Errorf("%+v", e.Event)
		}
		f.nth(sink.EventStreamEnded, i)
	}
}
