package server

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"time"

	"zigh3/engine/enginetest"
	"zigh3/engine/session"
	"zigh3/engine/sink"
)

// echo answers what comes on bidirectional streams, and what came on a unidirectional one on a new one.
func echo(f *sessionFixture, e event) {
	switch e.Type {
	case sink.EventSessionRequest:
		f.session(e.Object).Accept("", nil)
	case sink.EventStreamOpened:
		if e.Flags&sink.FlagRemote != 0 && e.Status == session.Unidirectional {
			h := f.Give()
			f.back[e.Object] = h
			f.session(e.Parent).OpenStream(h, true, true)
		}
	case sink.EventStreamData:
		in := f.stream(e.Object)
		out := in
		if h, ok := f.back[e.Object]; ok {
			out = f.stream(h)
		}
		if out != nil {
			out.Write(sink.Chunk{Bytes: e.Data})
			if e.Flags&sink.FlagEnd != 0 {
				out.End()
			}
		}
		if in != nil {
			in.Consumed(uint64(len(e.Data)))
		}
	case sink.EventSessionDatagram:
		if s := f.session(e.Object); s != nil {
			s.SendDatagram(e.Data, 0)
		}
	}
}

func TestW04_StreamsBothWays(t *testing.T) {
	f := serveSessions(t, "", echo)
	s, _ := f.mustOpen("/wt")
	for _, size := range []int{0, 1, 5000, 3 << 20} {
		data := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		str, err := s.OpenStreamSync(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			str.Write(data)
			str.Close()
		}()
		got, err := io.ReadAll(str)
		if err != nil || sha256.Sum256(got) != sha256.Sum256(data) {
			t.Fatalf("bidirectional, %d bytes: %d came back, %v", size, len(got), err)
		}
		uni, err := s.OpenUniStreamSync(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			uni.Write(data)
			uni.Close()
		}()
		in, err := s.AcceptUniStream(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		got, err = io.ReadAll(in)
		if err != nil || sha256.Sum256(got) != sha256.Sum256(data) {
			t.Fatalf("unidirectional, %d bytes: %d came back, %v", size, len(got), err)
		}
	}
	eventually(t, "all streams ended", func() bool { return f.count(sink.EventStreamEnded) == 12 })
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.seen {
		if e.Type == sink.EventStreamEnded && e.Code != sink.OK {
			t.Errorf("a stream ended with %d", e.Code)
		}
	}
}

func TestW05_StreamsOpenedHere(t *testing.T) {
	f := serveSessions(t, "", nil)
	s, o := f.mustOpen("/wt")
	h := f.Give()
	f.Await(func() {
		f.session(o.Object).OpenStream(h, false, false)
		st := f.stream(h)
		st.Write(sink.Chunk{Bytes: []byte("hello ")})
		st.Write(sink.Chunk{Bytes: []byte("you")})
		st.End()
	})
	str, err := s.AcceptStream(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(str); string(got) != "hello you" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	if e := f.waitType(sink.EventStreamOpened); e.Object != h || e.Flags != 0 || e.Status != session.Bidirectional || e.Aux != 1 || e.Parent != o.Object {
		t.Errorf("%+v", e.Event)
	}
	if e := f.waitType(sink.EventWritable); e.Object != h || e.Flags != sink.FlagEnd {
		t.Errorf("%+v", e.Event)
	}
	str.Write([]byte("back"))
	str.Close()
	f.wait("the end of the peer's side", func(e event) bool { return e.Type == sink.EventStreamData && e.Flags&sink.FlagEnd != 0 })
	if e := f.waitType(sink.EventStreamEnded); e.Object != h || e.Code != sink.OK {
		t.Errorf("%+v", e.Event)
	}
	// One that nothing is written to is seen by the peer, too.
	quiet := f.Give()
	f.Await(func() { f.session(o.Object).OpenStream(quiet, true, false) })
	if _, err := s.AcceptUniStream(ctx(t)); err != nil {
		t.Error(err)
	}
}

func TestW06_ResetAndStopCodes(t *testing.T) {
	f := serveSessions(t, "", nil)
	s, o := f.mustOpen("/wt")
	const code = 0xfffffffe
	// The peer's.
	str, _ := s.OpenStreamSync(ctx(t))
	str.Write([]byte("x"))
	data := f.waitType(sink.EventStreamData)
	str.CancelWrite(code)
	str.CancelRead(30)
	if e := f.waitType(sink.EventStreamReset); e.Object != data.Object || e.Aux != code {
		t.Errorf("reset: %+v", e.Event)
	}
	if e := f.waitType(sink.EventStreamStopped); e.Object != data.Object || e.Aux != 30 {
		t.Errorf("stopped: %+v", e.Event)
	}
	if e := f.waitType(sink.EventStreamEnded); e.Object != data.Object || e.Code != sink.ErrReset {
		t.Errorf("ended: %+v", e.Event)
	}
	// Ours.
	h := f.Give()
	f.Await(func() {
		f.session(o.Object).OpenStream(h, false, false)
		f.stream(h).Write(sink.Chunk{Bytes: []byte("x")})
	})
	in, err := s.AcceptStream(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	in.Read(make([]byte, 1))
	f.Await(func() {
		f.stream(h).Reset(29)
		f.stream(h).Stop(code)
		f.stream(h).Stop(1) // does nothing
	})
	var e *enginetest.StreamError
	if _, err := in.Read(make([]byte, 1)); !errors.As(err, &e) || e.Code != 29 || !e.Remote {
		t.Errorf("the peer reads %v", err)
	}
	eventually(t, "the peer's stop", func() bool {
		_, err := in.Write(make([]byte, 1000))
		return errors.As(err, &e) && e.Code == code && e.Remote
	})
	end := f.wait("the end", func(e event) bool { return e.Type == sink.EventStreamEnded && e.Object == h })
	if end.Code != sink.ErrCancelled {
		t.Errorf("ended: %+v", end.Event)
	}
}

func TestW07_CreditHoldsThePeerBack(t *testing.T) {
	f := serveSessions(t, `{"receive_window": 65536}`, nil)
	s, _ := f.mustOpen("/wt")
	str, _ := s.OpenStreamSync(ctx(t))
	const size = 9 << 20 // more than the windows of QUIC and ours together
	done := make(chan error, 1)
	go func() {
		_, err := str.Write(make([]byte, size))
		str.Close()
		done <- err
	}()
	sum := func() (n int) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, e := range f.seen {
			if e.Type == sink.EventStreamData {
				n += len(e.Data)
			}
		}
		return n
	}
	eventually(t, "a window", func() bool { return sum() == 65536 })
	select {
	case <-done:
		t.Fatal("the peer could write all")
	case <-time.After(50 * time.Millisecond):
	}
	if n := sum(); n != 65536 {
		t.Fatalf("%d bytes without credit", n)
	}
	h := f.waitType(sink.EventStreamOpened).Object
	for sum() < size {
		f.Await(func() {
			if st := f.stream(h); st != nil {
				st.Consumed(64 << 10)
			}
		})
	}
	if err := within(t, "the peer's end", done); err != nil {
		t.Error(err)
	}
}

func TestW08_WritesThatThePeerDoesNotTake(t *testing.T) {
	f := serveSessions(t, "", nil)
	s, o := f.mustOpen("/wt")
	h := f.Give()
	chunk := make([]byte, 256<<10)
	f.Await(func() {
		f.session(o.Object).OpenStream(h, true, false)
		for range 64 {
			f.stream(h).Write(sink.Chunk{Bytes: chunk})
		}
		f.stream(h).End()
	})
	in, err := s.AcceptUniStream(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	drained := func() int {
		return f.DrainedOf(h)
	}
	eventually(t, "some of it", func() bool { return drained() > 0 })
	if n := drained(); n == 64*len(chunk) {
		t.Fatal("all of it was taken")
	}
	n, err := io.Copy(io.Discard, in)
	if err != nil || n != int64(64*len(chunk)) {
		t.Errorf("%d bytes, %v", n, err)
	}
	f.waitType(sink.EventStreamEnded)
}

func TestStreamLimitOfThePeer(t *testing.T) {
	f := serveSessions(t, "", nil)
	d := dialer()
	d.MaxStreamsUni = 2
	s, resp := f.open(d, "/wt")
	if s == nil {
		t.Fatal(resp)
	}
	o := f.waitType(sink.EventSessionOpened)
	hs := []sink.Handle{f.Give(), f.Give(), f.Give(), f.Give()}
	f.Await(func() {
		for i, h := range hs {
			f.session(o.Object).OpenStream(h, true, i == 3)
		}
	})
	if e := f.waitType(sink.EventStreamEnded); e.Object != hs[2] || e.Code != sink.ErrQueueFull {
		t.Errorf("%+v", e.Event)
	}
	if n := f.count(sink.EventStreamOpened); n != 2 {
		t.Fatalf("%d opened", n)
	}
	f.Await(func() { f.stream(hs[0]).End() })
	for range 2 {
		in, err := s.AcceptUniStream(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, in)
	}
	f.wait("the stream that waits", func(e event) bool { return e.Type == sink.EventStreamOpened && e.Object == hs[3] })
	s.CloseWithError(0, "")
	f.waitType(sink.EventSessionClosed)
	if n := f.count(sink.EventStreamEnded); n != 4 {
		t.Errorf("%d ended", n)
	}
}

func TestStreamFloodBeforeTheSession(t *testing.T) {
	hold := make(chan sink.Handle, 1)
	f := serveSessions(t, `{"max_incoming_streams": 4, "webtransport": {"max_streams_bidi": 6}}`, func(f *sessionFixture, e event) {
		if e.Type == sink.EventSessionRequest {
			hold <- e.Object
		}
	})
	offersDatagram = true
	defer func() { offersDatagram = false }()
	q := dial(t, f.addr)
	n := 0
	for ; n < 100; n++ {
		s, err := q.OpenStream()
		if err != nil {
			break
		}
		s.Write(varints(0x41, 400)) // of a session that there is not
	}
	if n != 10 {
		t.Errorf("%d streams could be opened", n)
	}
	if f.count(sink.EventStreamOpened) != 0 {
		t.Error("an event")
	}
}

func TestSendOrder(t *testing.T) {
	f := serveSessions(t, "", nil)
	s, o := f.mustOpen("/wt")
	low, high, other := f.Give(), f.Give(), f.Give()
	const size = 4 << 20
	chunk := make([]byte, 64<<10)
	f.Await(func() {
		for i, h := range []sink.Handle{low, high, other} {
			f.session(o.Object).OpenStream(h, true, false)
			f.stream(h).SetPriority(uint32(i/2), int64(i))
			for n := 0; n < size; n += len(chunk) {
				f.stream(h).Write(sink.Chunk{Bytes: chunk})
			}
			f.stream(h).End()
		}
	})
	for range 3 {
		in, err := s.AcceptUniStream(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, in)
	}
	var ends []sink.Handle
	eventually(t, "all ends", func() bool { return f.count(sink.EventStreamEnded) == 3 })
	f.mu.Lock()
	for _, e := range f.seen {
		if e.Type == sink.EventStreamEnded && e.Object != other {
			ends = append(ends, e.Object)
		}
	}
	f.mu.Unlock()
	if ends[0] != high || ends[1] != low {
		t.Errorf("they ended in the order %v; low is %d, high is %d", ends, low, high)
	}
}
