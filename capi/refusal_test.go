package main

import (
	"testing"

	"zigh3/engine/sink"
	"zigh3/eventq"
)

const (
	refusalRing    = 1 << 63
	refusalAccount = 1 << 62
)

// writables gives whom the WRITABLE events are of that stand in a ring, and takes all that stand there.
func writables(ring *eventq.Ring) (of []uint64) {
	for _, head := range take(ring) {
		if sink.EventType(head.Type) == sink.EventWritable {
			of = append(of, head.Object)
		}
	}
	return of
}

// A host that calls and calls, and drains nothing, has one WRITABLE of each object to come, and none of them in the queue.
func TestRefusedCallsAreToldWhenTheConsumerHasMadeRoom(t *testing.T) {
	s, ring := testSink(t, 1000)
	var r refusals
	h, gone := issueRequest(t, s), issueRequest(t, s)
	defer release(h)
	for {
		rec, ok := s.Reserve(sink.Lossy, 0, nil)
		if !ok {
			break
		}
		s.Commit(rec, &sink.Event{Type: sink.EventLog})
	}
	for range 10 {
		r.hear(h, refusalRing)
		r.hear(gone, refusalRing)
		r.attend()
	}
	release(gone)
	if n := s.events.Stats().Overflow; n != 0 || len(r.queues[s]) != 2 {
		t.Fatalf("%d events beside the ring, %d calls wait", n, len(r.queues[s]))
	}
	if of := writables(ring); len(of) != 0 {
		t.Fatalf("WRITABLE of %d without room", of)
	}
	if !ring.Doorbell() {
		t.Fatal("nobody asked for the doorbell")
	}
	r.attend()
	r.attend()
	if of := writables(ring); len(of) != 1 || of[0] != h {
		t.Fatalf("WRITABLE of %d, not of %d alone", of, h)
	}
	if len(r.queues) != 0 {
		t.Fatalf("%d queues are waited for", len(r.queues))
	}
}

// A body that others leave no room for waits until there is some, and no longer.
func TestRefusedBodiesAreToldWhenOthersHaveLeft(t *testing.T) {
	const most = 1 << 20
	s, ring := testSink(t, most)
	account := &accounts[s.account]
	account.most.Store(most)
	var r refusals
	other, h, gone := issueRequest(t, s), issueRequest(t, s), issueRequest(t, s)
	defer release(h)
	charge(s, other, most)
	r.hear(h, refusalAccount)
	r.hear(gone, refusalAccount)
	r.attend()
	release(gone)
	s.Drained(sink.Handle(other), 65535)
	if bell.Swap(0) != 0 || len(writables(ring)) != 0 {
		t.Fatal("called for too little room")
	}
	s.Drained(sink.Handle(other), 1)
	if bell.Swap(0) == 0 {
		t.Fatal("nobody was called")
	}
	r.attend()
	if of := writables(ring); len(of) != 1 || of[0] != h {
		t.Fatalf("WRITABLE of %d, not of %d alone", of, h)
	}
	s.Drained(sink.Handle(other), most-65536)
	if bell.Swap(0) != 0 || len(r.accounts) != 0 {
		t.Fatal("called although nobody waits")
	}
	release(other)
}
