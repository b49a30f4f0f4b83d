package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// What was committed arrives although the stream is reset while it waits for the peer; what was written behind it does not. What is to arrive
// counts as waiting until it has left, the rest does so no more in the end.
func TestW21_CommittedBytesGoBeforeTheReset(t *testing.T) {
	const kept, lost, window = 50_000, 30_000, 1000
	data := bytes.Repeat([]byte("0123456789"), kept/10)
	f := serveSessions(t, "", nil)
	o := dialer()
	o.StreamWindow = window
	s := enginetest.Dial(t, f.addr, *o).MustOpen("/wt")
	session := f.waitType(sink.EventSessionOpened).Object
	h := f.Give()
	f.Await(func() {
		f.session(session).OpenStream(h, false, false)
		st := f.stream(h)
		st.Write(sink.Chunk{Bytes: data})
		st.Commit()
		st.Write(sink.Chunk{Bytes: make([]byte, lost)})
		st.WriteAtomic(sink.Chunk{Bytes: make([]byte, 44)})
		st.WriteAtomic(sink.Chunk{Bytes: make([]byte, 55)})
		st.End()
	})
	str, err := s.AcceptStream(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	silent := false
	f.Await(func() {
		st := f.stream(h)
		st.Reset(7)
		st.Commit()
		st.Write(sink.Chunk{Bytes: make([]byte, 3)})
		st.Reset(8)
		st.Silent(func() { silent = true })
	})
	if silent || f.count(sink.EventStreamAtomic) > 0 {
		t.Errorf("it is over before anything was read: %t, %d outcomes", silent, f.count(sink.EventStreamAtomic))
	}
	got, err := io.ReadAll(str)
	var reset *enginetest.StreamError
	if !errors.As(err, &reset) || reset.Code != 7 || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, then %v", len(got), err)
	}
	var outcomes []string
	f.wait("the outcomes", func(e event) bool {
		if e.Type == sink.EventStreamAtomic {
			outcomes = append(outcomes, fmt.Sprint(e.Aux, " ", e.Code))
		}
		return len(outcomes) == 2
	})
	if got, want := fmt.Sprint(outcomes), fmt.Sprintf("[44 %d 55 %[1]d]", sink.ErrCancelled); got != want {
		t.Errorf("%s instead of %s", got, want)
	}
	eventually(t, "all of it is off the account", func() bool {
		return f.DrainedOf(h) == kept+lost+3
	})
	f.Await(func() { f.stream(h).Stop(0) })
	if e := f.waitType(sink.EventStreamEnded); e.Code != sink.ErrCancelled {
		t.Errorf("ended with %d", e.Code)
	}
}

// A peer that does not know of RESET_STREAM_AT has no part in it: its stream is reset at once.
func TestW21_CommitForAPeerWithoutPartialDelivery(t *testing.T) {
	f := serveSessions(t, "", nil)
	s := enginetest.Dial(t, f.addr, enginetest.Options{Dialect: enginetest.Draft02, StreamWindow: 1000}).MustOpen("/wt")
	session := f.waitType(sink.EventSessionOpened).Object
	h := f.Give()
	f.Await(func() {
		f.session(session).OpenStream(h, false, false)
		f.stream(h).Write(sink.Chunk{Bytes: make([]byte, 50_000)})
		f.stream(h).Commit()
	})
	str, err := s.AcceptStream(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	silent := false
	f.Await(func() {
		f.stream(h).Reset(7)
		f.stream(h).Silent(func() { silent = true })
	})
	if !silent {
		t.Error("it still sends")
	}
	var reset *enginetest.StreamError
	if got, err := io.ReadAll(str); !errors.As(err, &reset) || reset.Code != 7 || len(got) > 1000 {
		t.Errorf("%d bytes, then %v", len(got), err)
	}
}
