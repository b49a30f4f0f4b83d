package server

import (
	"io"
	"testing"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// opened says which of our streams have been opened, in order.
func (f *sessionFixture) opened() (hs []sink.Handle) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.seen {
		if e.Type == sink.EventStreamOpened && e.Flags&sink.FlagRemote == 0 {
			hs = append(hs, e.Object)
		}
	}
	return hs
}

// As many streams as a peer makes room for are opened at once, in their order, and the rest waits on.
func TestW16_ALimitThatIsRaisedByMoreThanOne(t *testing.T) {
	f := serveSessions(t, "", answerAll)
	p := openByHand(t, f, enginetest.Options{Dialect: enginetest.Draft15, MaxStreamsBidi: 10, MaxStreamsUni: 1, MaxData: 1 << 20})
	o := f.waitType(sink.EventSessionOpened)
	var hs []sink.Handle
	for range 6 {
		hs = append(hs, f.Give())
	}
	f.Await(func() {
		for _, h := range hs {
			f.session(o.Object).OpenStream(h, true, true)
		}
	})
	for _, limit := range []int{1, 4, 5} {
		if limit > 1 {
			p.send(enginetest.CapsuleBytes(enginetest.CapsuleMaxStreamsUni, limit))
		}
		eventually(t, "streams", func() bool { return len(f.opened()) >= limit })
		p.lives()
		got := f.opened()
		if len(got) != limit {
			t.Fatalf("%d streams of %d", len(got), limit)
		}
		for i, h := range got {
			if h != hs[i] {
				t.Errorf("stream %d is %d, want %d", i, h, hs[i])
			}
		}
	}
}

// A stream that ends while it waits for QUIC's limit has taken none of the session's: the next one has its place.
func TestW16_AStreamThatEndsWhileItWaitsLeavesItsPlace(t *testing.T) {
	f := serveSessions(t, "", nil)
	// One stream of QUIC's beside the control stream, and two of the session's, for good.
	s := enginetest.Dial(t, f.addr, enginetest.Options{Dialect: enginetest.Draft15, StreamsUni: 2, MaxStreamsUni: 2, MaxStreamsBidi: 1, MaxData: 1 << 20, WithholdSessionCredit: true}).MustOpen("/wt")
	o := f.waitType(sink.EventSessionOpened)
	first, waits, next := f.Give(), f.Give(), f.Give()
	f.Await(func() {
		f.session(o.Object).OpenStream(first, true, true)
		f.session(o.Object).OpenStream(waits, true, true)
		f.stream(waits).Reset(1)
		f.session(o.Object).OpenStream(next, true, true)
		f.stream(first).End()
	})
	in, err := s.AcceptUniStream(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(in); err != nil {
		t.Fatal(err)
	}
	f.wait("the next one", func(e event) bool { return e.Type == sink.EventStreamOpened && e.Object == next })
	if n := f.count(sink.EventStreamOpened); n != 2 {
		t.Errorf("%d streams were opened", n)
	}
}

// A peer that sends GOAWAY before its session is accepted wants that to end, too: the consumer hears so once it has the session.
func TestW11_GoAwayBeforeTheAnswer(t *testing.T) {
	requests := make(chan sink.Handle, 2)
	f := serveSessions(t, "", func(f *sessionFixture, e event) {
		if e.Type == sink.EventSessionRequest {
			requests <- e.Object
		}
	})
	c := enginetest.Dial(t, f.addr, *dialer())
	c.Settings()
	ask := func() sink.Handle {
		t.Helper()
		if err := c.OpenRequest().SendHeaders(c.SessionFields("/wt")...); err != nil {
			t.Fatal(err)
		}
		return within(t, "a request", requests)
	}
	open, asked := ask(), ask()
	f.Await(func() { f.session(open).Accept("", nil) })
	f.waitType(sink.EventSessionOpened)
	c.SendGoAway(0)
	draining := func(h sink.Handle) func(e event) bool {
		return func(e event) bool { return e.Type == sink.EventSessionDraining && e.Object == h }
	}
	f.wait("GOAWAY", draining(open))
	c.Do("PUT", "/", nil) // a while later
	f.Await(func() { f.session(asked).Accept("", nil) })
	f.wait("GOAWAY, of the other", draining(asked))
	if n := f.count(sink.EventSessionDraining); n != 2 {
		t.Errorf("told %d times", n)
	}
}

// However many streams a consumer asks for, 4,096 of a kind wait for the peer's limit and no more.
func TestStreamsThatWaitForTheLimitAreBounded(t *testing.T) {
	const most = 4096
	f := serveSessions(t, "", answerAll)
	openByHand(t, f, enginetest.Options{Dialect: enginetest.Draft15, MaxStreamsBidi: 10, MaxStreamsUni: 1, MaxData: 1 << 20})
	o := f.waitType(sink.EventSessionOpened)
	var last sink.Handle
	f.Await(func() {
		for range 1 + most + 1 {
			last = f.Give()
			f.session(o.Object).OpenStream(last, true, true)
		}
	})
	e := f.wait("the end of one", func(e event) bool { return e.Type == sink.EventStreamEnded && e.Code == sink.ErrQueueFull })
	if e.Object != last {
		t.Errorf("stream %d did not wait, instead of %d", e.Object, last)
	}
	if n := len(f.opened()); n != 1 {
		t.Errorf("%d streams were opened", n)
	}
}
