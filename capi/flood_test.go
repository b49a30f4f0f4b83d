package main

import (
	"testing"

	"zigh3/engine/session"
	"zigh3/engine/sink"
)

// Streams that the host opens and that the peer does not let open end one after the other, with nobody to take their ends.
func TestASessionOpensNoStreamsWhileThousandsOfEventsWait(t *testing.T) {
	s, ring := testSink(t, 1000)
	parent, _ := s.Issue(sink.KindSession, 0, new(session.Session))
	const slotFlooded = 1 << 14
	closed := func() bool { return slots[indexOf(uint64(parent))].word.Load()&slotFlooded != 0 }
	n := 0
	for ; !closed() && n < 3*floodMost; n++ {
		rec, _ := s.Reserve(sink.Terminal, 0, nil)
		s.Commit(rec, &sink.Event{Type: sink.EventStreamEnded, Parent: parent})
	}
	if want := floodMost + testCapacity/64 + 1; n != want {
		t.Fatalf("streams are opened up to %d ends that nobody takes, instead of %d", n, want)
	}
	for n > floodMost/2+1 {
		n -= len(take(ring))
		s.events.Refill()
		ebb(s.events)
	}
	if closed() != (s.events.Overflow() > floodMost/2) {
		t.Errorf("closed: %v, with %d waiting", closed(), s.events.Overflow())
	}
	for n > 0 {
		n -= len(take(ring))
		s.events.Refill()
		ebb(s.events)
	}
	if closed() {
		t.Error("no stream is opened though nothing waits")
	}
	s.Release(parent)
}
