package main

import (
	"testing"

	"zigh3/engine/server"
	"zigh3/engine/session"
	"zigh3/engine/sink"
	"zigh3/eventq"
)

const floor = 16 << 10

func queued(s *queueSink) uint64 { return accounts[s.account].queued.Load() }

func TestWhatLeavesIsOffTheAccountAndTheRestWithTheObject(t *testing.T) {
	for name, kind := range map[string]sink.Kind{"a request": sink.KindRequest, "a session": sink.KindSession, "a stream": sink.KindStream} {
		s, _ := testSink(t, 1<<20)
		object := map[sink.Kind]any{sink.KindRequest: new(server.Request), sink.KindSession: new(session.Session),
			sink.KindStream: new(session.Stream)}[kind]
		h, _ := s.Issue(kind, 0, object)
		charge(s, uint64(h), 1000)
		s.Drained(h, 300)
		if got := queued(s); got != 700 {
			t.Errorf("%s: %d bytes wait instead of 700", name, got)
		}
		s.Release(h)
		if got := queued(s); got != 0 {
			t.Errorf("%s: %d bytes wait of nobody", name, got)
		}
	}
}

func TestInAFullAccountWritableComesAtHalfOfTheFloor(t *testing.T) {
	s, ring := testSink(t, 1<<20)
	other, h := issueRequest(t, s), issueRequest(t, s)
	defer release(h)
	charge(s, other, 1<<30)
	charge(s, h, 100_000)
	refuse(h)
	s.Drained(sink.Handle(h), 100_000-floor/2-1)
	if got := take(ring); len(got) != 0 {
		t.Fatalf("%d events with more than half of the floor waiting", len(got))
	}
	s.Drained(sink.Handle(h), 1)
	if got := take(ring); len(got) != 1 || got[0].Object != h || got[0].Aux != floor/2 {
		t.Fatalf("events %+v", got)
	}
	refuse(h)
	release(other)
	s.Drained(sink.Handle(h), 1) // others have made room: now it is half of the high-water mark
	if got := take(ring); len(got) != 1 || got[0].Aux != 1<<20-floor/2+1 {
		t.Fatalf("events %+v", got)
	}
}

func TestInAFullAccountAMarkBelowTheFloorIsTheMark(t *testing.T) {
	s, ring := testSink(t, 1000)
	other, h := issueRequest(t, s), issueRequest(t, s)
	defer release(other)
	defer release(h)
	charge(s, other, 1<<30)
	charge(s, h, 1000)
	refuse(h)
	s.Drained(sink.Handle(h), 499)
	if got := take(ring); len(got) != 0 {
		t.Fatalf("%d events with more than half waiting", len(got))
	}
	s.Drained(sink.Handle(h), 1)
	if got := take(ring); len(got) != 1 || got[0].Aux != 500 {
		t.Fatalf("events %+v", got)
	}
}

// A stream whose other side lives on for long gives the room back of what will never leave.
func TestAStreamThatSendsNoMoreHasNothingInTheAccount(t *testing.T) {
	const submitWrite, submitReset = 4, 6
	reset := func(s *queueSink, st *session.Stream, h sink.Handle) {
		forStream(st, s, &eventq.Head{Type: submitReset, Object: uint64(h)}, nil)
	}
	for name, end := range map[string]func(*queueSink, *session.Stream, sink.Handle){
		"stopped by the peer": func(s *queueSink, _ *session.Stream, h sink.Handle) {
			commit(s, sink.Event{Type: sink.EventStreamStopped, Object: h})
		},
		"reset": reset,
		"written to behind its end": func(s *queueSink, st *session.Stream, h sink.Handle) {
			reset(s, st, h)
			slots[indexOf(uint64(h))].word.Or(slotReset) // zig_h3_wt_stream_reset
			charge(s, uint64(h), 100)
			forStream(st, s, &eventq.Head{Type: submitWrite, Object: uint64(h), DataLen: 100}, make([]byte, 100))
		},
	} {
		s, ring := testSink(t, 1<<20)
		st := new(session.Stream)
		h, _ := s.Issue(sink.KindStream, 9, st)
		charge(s, uint64(h), 1000)
		refuse(uint64(h))
		end(s, st, h)
		if got := queued(s); got != 0 {
			t.Errorf("%s: %d bytes wait", name, got)
		}
		take(ring)
		s.Drained(h, 1000) // what was with QUIC just then
		if got := take(ring); len(got) != 0 || queued(s) != 0 {
			t.Errorf("%s: %d events, %d bytes wait", name, len(got), queued(s))
		}
		s.Release(h)
	}
}

// Sent or not, what an atomic write took is free again when the host sees what became of it.
func TestWhatBecameOfAnAtomicWriteGivesItsRoomBack(t *testing.T) {
	for _, code := range []sink.Code{sink.OK, sink.ErrWouldBlock, sink.ErrReset} {
		s, _ := testSink(t, 1<<20)
		h, _ := s.Issue(sink.KindStream, 9, new(session.Stream))
		charge(s, uint64(h), 1000)
		commit(s, sink.Event{Type: sink.EventStreamAtomic, Object: h, Code: code, Aux: 300})
		if got := queued(s); got != 700 {
			t.Errorf("code %d: %d bytes wait instead of 700", code, got)
		}
		s.Release(h)
	}
}
