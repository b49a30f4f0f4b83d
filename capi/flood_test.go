package main

import (
	"testing"
	"time"
	"unsafe"

	"zigh3/engine/session"
	"zigh3/engine/sink"
	"zigh3/eventq"
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
	if n := remembered(s.events); n != 0 {
		t.Errorf("%d sessions are remembered that open streams again", n)
	}
	s.Release(parent)
}

// remembered is how many sessions a queue has that open no streams.
func remembered(q *eventq.Queue) int {
	flooded.Lock()
	defer flooded.Unlock()
	return len(flooded.by[q])
}

// A host that frees a queue under a flood, and the next, and the next, leaves nothing of them behind.
func TestAQueueThatIsFreedUnderAFloodIsForgotten(t *testing.T) {
	s, _ := testSink(t, 1000)
	parent, _ := s.Issue(sink.KindSession, 0, new(session.Session))
	for remembered(s.events) == 0 {
		commit(s, sink.Event{Type: sink.EventStreamEnded, Parent: parent})
	}
	var inC [8]uint64 // struct queue
	inC[3] = 2        // its owners: it is not given back
	q := &queue{events: s.events}
	*(*unsafe.Pointer)(unsafe.Pointer(&q.c)) = unsafe.Pointer(&inC) // a test cannot name the type
	q.handle, _ = issue(kindQueue, 0)
	q.free()
	for deadline := time.Now().Add(10 * time.Second); remembered(s.events) != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is still in the list")
		}
	}
	s.Release(parent)
}
