package main

import (
	"strings"
	"testing"
	"time"
	"unsafe"

	"zigh3/engine/server"
	"zigh3/engine/session"
	"zigh3/engine/sink"
	"zigh3/eventq"
)

const testCapacity = 64 << 10

// testSink is a sink over Go memory, and the ring that its events come out of.
func testSink(t *testing.T, highWater uint32) (*queueSink, *eventq.Ring) {
	t.Helper()
	words := make([]uint64, eventq.MemorySize(testCapacity)/8+16)
	mem := unsafe.Pointer(&words[0])
	mem = unsafe.Add(mem, (128-uintptr(mem)%128)%128)
	eventq.Format(mem, testCapacity, -1)
	ring, err := eventq.Open(mem)
	if err != nil {
		t.Fatal(err)
	}
	const account = 5
	accounts[account].highWater.Store(highWater)
	accounts[account].most.Store(1 << 30)
	t.Cleanup(func() {
		if got := accounts[account].queued.Swap(0); got != 0 {
			t.Errorf("%d bytes are left in the account", got)
		}
	})
	return &queueSink{events: eventq.New(ring), server: &hostServer{handle: account}, account: account}, ring
}

// charge notes bytes that wait as C's calls do.
func charge(s *queueSink, h, n uint64) {
	accounts[s.account].queued.Add(n)
	slots[indexOf(h)].credit.Add(n << 1)
}

// refuse notes that a write was refused.
func refuse(h uint64) { slots[indexOf(h)].credit.Or(1) }

func issueRequest(t *testing.T, s *queueSink) uint64 {
	t.Helper()
	h, ok := s.Issue(sink.KindRequest, 0, new(server.Request))
	if !ok {
		t.Fatal("no slot left")
	}
	return uint64(h)
}

func take(ring *eventq.Ring) (heads []eventq.Head) {
	ring.Drain(0, func(h *eventq.Head, _ []byte) { heads = append(heads, *h) })
	return heads
}

func TestWritableComesOnceHalfOfTheMarkIsFree(t *testing.T) {
	s, ring := testSink(t, 1000)
	h := issueRequest(t, s)
	defer release(h)
	p := &slots[indexOf(h)]
	charge(s, h, 1000) // full, and the consumer was refused
	refuse(h)
	s.Drained(sink.Handle(h), 499)
	if got := take(ring); len(got) != 0 {
		t.Fatalf("%d events with more than half waiting", len(got))
	}
	s.Drained(sink.Handle(h), 1)
	got := take(ring)
	if len(got) != 1 || sink.EventType(got[0].Type) != sink.EventWritable || got[0].Object != h || got[0].Aux != 500 || got[0].Parent != 5 {
		t.Fatalf("events %+v", got)
	}
	s.Drained(sink.Handle(h), 500)
	if got := take(ring); len(got) != 0 || p.credit.Load() != 0 {
		t.Fatalf("%d events for one refusal, credit %d", len(got), p.credit.Load())
	}
}

func TestWritableIsNotToldOfWhatTheHostHasEnded(t *testing.T) {
	s, ring := testSink(t, 1000)
	h := issueRequest(t, s)
	defer release(h)
	charge(s, h, 1000)
	refuse(h)
	const slotEnded = 1 << 6
	gain(h, slotEnded)
	s.Drained(sink.Handle(h), 1000)
	if got := take(ring); len(got) != 0 {
		t.Fatalf("events %+v", got)
	}
}

// The engine hears of an answer that forgets only later.
func TestNothingMoreIsToldOfARequestThatWasForgotten(t *testing.T) {
	s, ring := testSink(t, 1000)
	first := issueRequest(t, s)
	h := first
	defer release(first)
	const slotForgotten = 1 << 1
	commit := func(typ sink.EventType) {
		rec, _ := s.Reserve(sink.Bulk, 10, nil)
		s.Commit(rec, &sink.Event{Type: typ, Object: sink.Handle(h), DataLen: 10})
	}
	commit(sink.EventRequest)
	commit(sink.EventBody)
	gain(h, slotForgotten)
	for _, typ := range []sink.EventType{sink.EventBody, sink.EventBodyEnd, sink.EventH3Datagram, sink.EventDatagramsDropped} {
		commit(typ)
	}
	other := issueRequest(t, s)
	defer release(other)
	h = other // what is not told leaves no gap in the ring, behind which nothing would be seen
	commit(sink.EventRequest)
	if got := take(ring); len(got) != 3 || got[2].Object != other {
		t.Fatalf("events %+v", got)
	}
	if got := arrivedOf(first); got != 10 {
		t.Fatalf("%d bytes arrived", got)
	}
}

// A number that a host guesses is none before the event that tells of it.
func TestHandlesAreNotLiveBeforeTheirEvent(t *testing.T) {
	const slotUntold = 1 << 12
	for _, c := range []struct {
		kind sink.Kind
		obj  any
		ev   sink.Event
	}{
		{sink.KindRequest, new(server.Request), sink.Event{Type: sink.EventRequest}},
		{sink.KindSession, new(session.Session), sink.Event{Type: sink.EventSessionRequest}},
		{sink.KindStream, new(session.Stream), sink.Event{Type: sink.EventStreamOpened, Flags: sink.FlagRemote}},
		{sink.KindStream, new(session.Stream), sink.Event{Type: sink.EventStreamOpened, Flags: sink.FlagRemote, Status: 1}},
		{sink.KindConn, noSender{}, sink.Event{Type: sink.EventConnOpened}},
	} {
		s, _ := testSink(t, 1000)
		h, _ := s.Issue(c.kind, 0, c.obj)
		p := &slots[indexOf(uint64(h))]
		if p.word.Load()&slotUntold == 0 {
			t.Errorf("kind %d: live when it is issued", c.kind)
		}
		rec, _ := s.Reserve(sink.Bulk, 0, nil)
		c.ev.Object = h
		s.Commit(rec, &c.ev)
		if p.word.Load()&slotUntold != 0 {
			t.Errorf("event %d: not live afterwards", c.ev.Type)
		}
		s.Release(h)
	}
}

type noSender struct{}

func (noSender) SendDatagram([]byte, time.Duration) {}
func (noSender) DatagramOversized()                 {}

func TestDrainedBeyondTheAccountEndsAtZero(t *testing.T) {
	s, _ := testSink(t, 1000)
	h := issueRequest(t, s)
	defer release(h)
	s.Drained(sink.Handle(h), 5000)
	if got := slots[indexOf(h)].credit.Load(); got != 0 {
		t.Fatalf("credit %d", got)
	}
}

func requestPayload(method string) []byte {
	list := append([]byte{7, 0, byte(len(method)), byte(len(method) >> 8), 0, 0}, ":method"...)
	return append(list, method...)
}

func TestB06_TheSlotKnowsAHeadRequest(t *testing.T) {
	s, _ := testSink(t, 1000)
	methods := map[string]bool{"HEAD": true, "GET": false, "POST": false, "HEAP": false, "HEADS": false,
		"HEAD" + strings.Repeat("S", 256): false}
	for method, want := range methods {
		h := issueRequest(t, s)
		payload := requestPayload(method)
		rec, _ := s.Reserve(sink.Bulk, len(payload), nil)
		copy(rec.Payload, payload)
		s.Commit(rec, &sink.Event{Type: sink.EventRequest, Object: sink.Handle(h), MetaLen: uint32(len(payload))})
		const slotHead = 1 << 2
		if got := slots[indexOf(h)].word.Load()&slotHead != 0; got != want {
			t.Errorf("%s: HEAD %v", method, got)
		}
		release(h)
	}
}

func TestBodyBytesCountAsArrived(t *testing.T) {
	s, _ := testSink(t, 1000)
	h := issueRequest(t, s)
	defer release(h)
	for range 3 {
		rec, _ := s.Reserve(sink.Bulk, 10, nil)
		s.Commit(rec, &sink.Event{Type: sink.EventBody, Object: sink.Handle(h), DataLen: 10})
	}
	if got := arrivedOf(h); got != 30 {
		t.Fatalf("%d bytes arrived", got)
	}
}

func arrivedOf(h uint64) uint32 { return uint32(slots[indexOf(h)].arrived.Load()) }

// The engine may be about to commit an event of an object that ends just then on another goroutine, and whose slot is given to the next.
func TestWhatIsCommittedOfAnObjectThatHasEndedIsNotNotedOfTheNextInItsSlot(t *testing.T) {
	for name, c := range map[string]struct {
		kind    sink.Kind
		payload []byte
		ev      sink.Event
	}{
		"a HEAD request":           {sink.KindRequest, requestPayload("HEAD"), sink.Event{Type: sink.EventRequest}},
		"a request of a buffered":  {sink.KindRequest, nil, sink.Event{Type: sink.EventRequest, Flags: sink.FlagBuffered}},
		"a body":                   {sink.KindRequest, nil, sink.Event{Type: sink.EventBody, DataLen: 10}},
		"an open session":          {sink.KindSession, nil, sink.Event{Type: sink.EventSessionOpened}},
		"the peer's stream":        {sink.KindStream, nil, sink.Event{Type: sink.EventStreamOpened, Flags: sink.FlagRemote, Status: 1}},
		"data":                     {sink.KindStream, nil, sink.Event{Type: sink.EventStreamData, DataLen: 10}},
		"the last data":            {sink.KindStream, nil, sink.Event{Type: sink.EventStreamData, Flags: sink.FlagEnd}},
		"a stream that was reset":  {sink.KindStream, nil, sink.Event{Type: sink.EventStreamReset}},
		"a stream that is stopped": {sink.KindStream, nil, sink.Event{Type: sink.EventStreamStopped}},
	} {
		s, _ := testSink(t, 1000)
		of := map[sink.Kind]func() any{
			sink.KindRequest: func() any { return new(server.Request) },
			sink.KindSession: func() any { return new(session.Session) },
			sink.KindStream:  func() any { return new(session.Stream) },
		}[c.kind]
		ended, _ := s.Issue(c.kind, 0, of())
		s.Release(ended)
		next, _ := s.Issue(c.kind, 0, of())
		if indexOf(uint64(next)) != indexOf(uint64(ended)) {
			t.Fatalf("slot %d, not the one just released", indexOf(uint64(next)))
		}
		before := slots[indexOf(uint64(next))].word.Load()
		rec, _ := s.Reserve(sink.Bulk, max(len(c.payload), int(c.ev.DataLen)), nil)
		copy(rec.Payload, c.payload)
		c.ev.Object, c.ev.MetaLen = ended, uint32(len(c.payload))
		s.Commit(rec, &c.ev)
		if got := slots[indexOf(uint64(next))].word.Load(); got != before {
			t.Errorf("%s: state %#x, before %#x", name, got, before)
		}
		if got := arrivedOf(uint64(next)); got != 0 {
			t.Errorf("%s: %d bytes arrived", name, got)
		}
		s.Release(next)
	}
}

// Of a buffered route nobody says that bytes were consumed: they outgrow the account, whose mark of whom it is of must last.
func TestArrivedBytesThatNobodyConsumesDoNotRunIntoTheGeneration(t *testing.T) {
	s, _ := testSink(t, 1000)
	h := issueRequest(t, s)
	defer release(h)
	arrive(h, 1<<31)
	arrive(h, 1<<31)
	arrive(h, 7)
	if got := arrivedOf(h); got != 7 {
		t.Fatalf("%d bytes arrived instead of 7, modulo 2^32", got)
	}
}

func TestAClosedQueueTakesTerminalEventsNowhere(t *testing.T) {
	s, ring := testSink(t, 1000)
	s.events.Close()
	rec, ok := s.Reserve(sink.Terminal, 16, nil)
	if !ok || len(rec.Payload) != 16 {
		t.Fatalf("reserved %d bytes, %v", len(rec.Payload), ok)
	}
	s.Commit(rec, &sink.Event{Type: sink.EventStreamClosed, DataLen: 16})
	if got := take(ring); len(got) != 0 {
		t.Fatalf("%d events", len(got))
	}
}

func TestA08_LostEventsAreReportedOnceWithTheirNumber(t *testing.T) {
	s, ring := testSink(t, 1000)
	q := &queue{events: s.events}
	sent := 0
	for {
		rec, ok := s.Reserve(sink.Lossy, 1000, nil)
		if !ok {
			break
		}
		s.Commit(rec, &sink.Event{Type: sink.EventLog, DataLen: 1000})
		sent++
	}
	if _, ok := s.Reserve(sink.Lossy, 1000, nil); ok {
		t.Fatal("room again without a drain")
	}
	if got := len(take(ring)); got != sent {
		t.Fatalf("%d of %d events", got, sent)
	}
	if !ring.Doorbell() {
		t.Fatal("nobody asked for the doorbell")
	}
	q.events.Refill()
	q.events.TakeLost(q.reportLost)
	q.events.TakeLost(q.reportLost)
	got := take(ring)
	if len(got) != 1 || got[0].Type != 10 || got[0].Aux != 2 || sink.EventType(got[0].Status) != sink.EventLog {
		t.Fatalf("events %+v", got)
	}
}
