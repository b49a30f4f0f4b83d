package eventq

import (
	"runtime"
	"testing"
	"unsafe"
)

// settle lets other goroutines run until cond holds. If that is never, the test binary's timeout says where.
func settle(cond func() bool) {
	for !cond() {
		runtime.Gosched()
	}
}

// bulk starts a producer that reserves n bytes and commits a record. What Reserve said comes through the channel.
func bulk(q *Queue, object uint64, n int, done <-chan struct{}) <-chan bool {
	said := make(chan bool, 1)
	go func() {
		rec, ok := q.Reserve(Bulk, n, done)
		if ok {
			q.Commit(rec, &Head{Type: 1, Object: object, DataLen: uint32(n)})
		}
		said <- ok
	}()
	return said
}

// full fills a ring of 4096 bytes with 64 records.
func full(t *testing.T, q *Queue) {
	t.Helper()
	for i := range uint64(64) {
		push(t, q, 1000+i, 0)
	}
}

func TestBulkWaitsForRoomInTheOrderOfArrival(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	full(t, q)
	var said []<-chan bool
	for i := range 5 { // half of the ring each
		said = append(said, bulk(q, uint64(i), q.MaxPayload(), nil))
		settle(func() bool { return q.Stats().Waiting == i+1 })
	}
	if r.Doorbell() {
		t.Error("rings though nothing was freed")
	}
	var got []uint64
	take := func(h *Head, _ []byte) { got = append(got, h.Object) }
	for i := range 5 {
		if i < 2 {
			r.Drain(32, take)
		} else {
			settle(func() bool { return r.Drain(1, take) == 1 })
		}
		if !r.Doorbell() {
			t.Fatal("no doorbell though half of the ring was freed")
		}
		q.Refill()
		settle(func() bool { return q.Stats().Waiting == 4-i })
	}
	settle(func() bool { return r.Drain(2, take) >= 0 && len(got) == 64+5 })
	equal(t, got[64:], 0, 1, 2, 3, 4)
	for _, c := range said {
		if !<-c {
			t.Error("a bulk producer was refused")
		}
	}
	if s := q.Stats(); s.Waiting != 0 || s.OverflowMax != 0 || s.HighWater != 4096 {
		t.Errorf("afterwards: %d wait, %d overflowed at most, high water %d", s.Waiting, s.OverflowMax, s.HighWater)
	}
}

func TestBulkStandsBehindTheOverflow(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	full(t, q)
	push(t, q, 1, 0)
	objects(r) // there is room now, but nobody has refilled
	if !<-bulk(q, 2, 0, nil) {
		t.Fatal("refused")
	}
	equal(t, objects(r), 1, 2)
}

func TestBulkThatGivesUpLeavesTheLineAndLetsOthersOn(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	full(t, q)
	done := make(chan struct{})
	large := bulk(q, 1, 1900, done)
	settle(func() bool { return q.Stats().Waiting == 1 })
	small := bulk(q, 2, 0, nil)
	settle(func() bool { return q.Stats().Waiting == 2 })

	r.Drain(8, func(*Head, []byte) {}) // enough for the small one, which has to stand behind the large one all the same
	q.Refill()
	if n := q.Stats().Waiting; n != 2 {
		t.Fatalf("%d wait", n)
	}
	if _, ok := q.Reserve(Bulk, 0, shut); ok {
		t.Error("a newcomer passed those in line")
	}
	close(done)
	if <-large {
		t.Error("the large one was served")
	}
	if !<-small {
		t.Error("the small one was refused")
	}
	all := objects(r)
	equal(t, all[len(all)-1:], 2)
	if _, ok := q.Reserve(Bulk, 0, shut); !ok {
		t.Error("the way through the ring is closed though nobody waits")
	}
}

func TestAbortLetsWaitersOnByItself(t *testing.T) {
	_, q := fresh(t, 4096, -1)
	first, _ := q.Reserve(Lossless, 1900, nil)
	second, _ := q.Reserve(Lossless, 1900, nil)
	waiting := bulk(q, 1, 1900, nil)
	settle(func() bool { return q.Stats().Waiting == 1 })
	q.Abort(second) // no consumer will come by for this
	if !<-waiting {
		t.Error("refused")
	}
	q.Abort(first)
}

func TestCloseEndsEverything(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	reserved, _ := q.Reserve(Lossless, 1000, nil)
	given, _ := q.Reserve(Bulk, 1000, nil)
	full(t, q)
	push(t, q, 3, 10)
	spilt, _ := q.Reserve(Lossless, 10, nil)
	waiting := []<-chan bool{bulk(q, 1, 1000, nil), bulk(q, 2, 0, nil)}
	settle(func() bool { return q.Stats().Waiting == 2 })
	if q.Quiet() {
		t.Error("quiet before Close")
	}
	q.Close()
	q.Close()
	for _, c := range waiting {
		if <-c {
			t.Error("a producer was served after Close")
		}
	}
	for _, class := range []Class{Bulk, LossyOf(11)} {
		if rec, ok := q.Reserve(class, 8, nil); ok || rec.Token != 0 {
			t.Errorf("class %d was served after Close", class)
		}
	}
	rec, ok := q.Reserve(Lossless, 8, nil)
	if ok || len(rec.Payload) != 8 {
		t.Errorf("a lossless Reserve says %v and gives %d bytes", ok, len(rec.Payload))
	}
	q.Commit(rec, &Head{Type: 1, DataLen: 8})
	q.Commit(spilt, &Head{Type: 1, DataLen: 10})
	q.Refill()
	if s := q.Stats(); s.Overflow != 0 || s.OverflowBytes != 0 || s.Waiting != 0 {
		t.Errorf("left: %+v", s)
	}
	if q.Quiet() {
		t.Error("quiet with two reservations")
	}
	q.Commit(reserved, &Head{Type: 1, Object: 7})
	if q.Quiet() {
		t.Error("quiet with one reservation")
	}
	q.Abort(given)
	if !q.Quiet() {
		t.Error("not quiet though all is committed or aborted")
	}
	if depth := q.Stats().Depth; depth != 4096 {
		t.Errorf("%d bytes in use", depth)
	}
	if got := objects(r); got[0] != 7 {
		t.Errorf("record %d came first", got[0])
	}
}

// A producer that slept between its look at the tail and its claim finds another queue's ring in the same memory.
func TestProducerFromBeforeCloseFindsNoWayIntoTheNextRing(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	push(t, q, 1, 0)
	objects(r)
	q.Close()
	if !q.Quiet() {
		t.Fatal("not quiet")
	}
	start := (r.hdr.tail.Load()&^closedBit + 3*4096) &^ 4095 // as capi/ring.c does it
	r.hdr.head.Store(start)
	r.hdr.tail.Store(start)
	next, err := Open(unsafe.Pointer(r.hdr))
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range []Class{Lossless, Bulk, Lossy} {
		if _, ok := q.Reserve(class, 0, nil); ok {
			t.Errorf("class %d was served", class)
		}
	}
	q = New(next)
	push(t, q, 2, 0)
	push(t, q, 3, 0)
	q.Room()
	if next.Advance(); next.Doorbell() {
		t.Error("a ring that was begun anew rings after its first record")
	}
	equal(t, objects(next), 3)
}

func TestWaiterThatGivesUpWithRoomInHandPassesItOn(t *testing.T) {
	for range 20 {
		r, q := fresh(t, 4096, -1)
		full(t, q)
		done := make(chan struct{})
		said := bulk(q, 1, 0, done)
		settle(func() bool { return q.Stats().Waiting == 1 })
		objects(r)
		q.mu.Lock()
		close(done)
		runtime.Gosched()
		q.grant()
		q.mu.Unlock()
		<-said
		if n := q.Stats().Waiting; n != 0 {
			t.Fatalf("%d wait", n)
		}
		if rec, ok := q.Reserve(Bulk, 0, shut); !ok {
			t.Fatal("the way through the ring is closed though nobody waits")
		} else {
			q.Abort(rec)
		}
	}
}

func TestWaiterThatIsOvertakenStaysFirst(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	full(t, q)
	first := bulk(q, 1, 1000, nil)
	settle(func() bool { return q.Stats().Waiting == 1 })
	second := bulk(q, 2, 1000, nil)
	settle(func() bool { return q.Stats().Waiting == 2 })
	objects(r)
	q.mu.Lock()
	q.grant()
	for i := range uint64(64) { // lossless records take the room before the one who was let out gets it
		rec, _ := q.Reserve(Lossless, 0, nil)
		q.Commit(rec, &Head{Type: 1, Object: 1000 + i})
	}
	q.mu.Unlock()
	settle(func() bool { // both come back into the line
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.out == 0
	})
	if n := q.Stats().Waiting; n != 2 {
		t.Fatalf("%d wait", n)
	}
	if one, other := q.line.first.arrival, q.line.last.arrival; one != 0 || other != 1 {
		t.Errorf("arrivals %d and %d stand in line", one, other)
	}
	all := objects(r)
	q.mu.Lock()
	q.refill()
	if alone, gate := q.alone, q.gate.Load(); alone == nil || alone.arrival != 0 || gate != gateWaiting {
		t.Errorf("the first is not let out alone behind a shut gate: %+v, %b", alone, gate)
	}
	q.mu.Unlock()
	if !<-first || !<-second {
		t.Fatal("refused")
	}
	equal(t, append(all, objects(r)...)[64:], 1, 2)
	if q.gate.Load() != 0 {
		t.Error("the gate stays shut though nobody waits")
	}
}

// One that was overtaken, and nobody behind him: the gate is shut until he has his room.
func TestGateStaysShutBehindTheOneWhoIsLetOutAlone(t *testing.T) {
	_, q := fresh(t, 4096, -1)
	w := &waiter{wake: make(chan struct{}, 1), need: 64, overtaken: true}
	q.mu.Lock()
	q.line.pushBack(w)
	q.refill()
	q.mu.Unlock()
	if !w.out || q.alone != w || q.gate.Load() != gateWaiting {
		t.Fatalf("out %v, gate %b", w.out, q.gate.Load())
	}
	if _, ok := q.Reserve(Bulk, 0, shut); ok {
		t.Error("another one overtakes him")
	}
	q.mu.Lock()
	q.leave(w)
	q.refill()
	q.mu.Unlock()
	if q.gate.Load() != 0 || q.promised != 0 || q.out != 0 {
		t.Errorf("afterwards: gate %b, %d bytes promised to %d", q.gate.Load(), q.promised, q.out)
	}
}

// Nor is he let out before those who were let out with others have their room, or others after him.
func TestTheOvertakenOneIsLetOutAlone(t *testing.T) {
	_, q := fresh(t, 4096, -1)
	var ws [3]*waiter
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range ws {
		ws[i] = &waiter{wake: make(chan struct{}, 1), need: 64, arrival: uint64(i), overtaken: i == 1}
		q.line.pushBack(ws[i])
	}
	for step, want := range [][3]bool{{true, false, false}, {false, true, false}, {false, false, true}} {
		q.refill()
		if got := [3]bool{ws[0].out, ws[1].out, ws[2].out}; got != want {
			t.Fatalf("step %d: out are %v, want %v", step, got, want)
		}
		q.leave(ws[step])
	}
	if q.refill(); q.gate.Load() != 0 {
		t.Errorf("gate %b", q.gate.Load())
	}
}

// Room that the end of the data area cuts in two is none for a record that fits into neither.
func TestNobodyIsLetOutForRoomThatIsCutInTwo(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	full(t, q)
	r.Drain(48, func(*Head, []byte) {})
	push(t, q, 1, 1024-64) // 2048 bytes are free behind it
	objects(r)
	push(t, q, 2, 1024-64)
	push(t, q, 3, 1024-64)
	w := &waiter{wake: make(chan struct{}, 1), need: 2048} // 1024 are left before the end, 1024 behind it
	q.mu.Lock()
	defer q.mu.Unlock()
	q.line.pushBack(w)
	if q.refill(); w.out {
		t.Error("he is let out")
	}
	equal(t, objects(r), 2, 3)
	if q.refill(); !w.out {
		t.Error("he is not let out for an empty ring")
	}
}

// A waiter who was let out, and had not come to his claim when others overflowed, stands behind them.
func TestWaiterStandsBehindAnOverflowThatCameMeanwhile(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	full(t, q)
	spilt, _ := q.Reserve(Lossless, 0, nil)
	said := bulk(q, 2, 0, nil)
	settle(func() bool { return q.Stats().Waiting == 1 })
	objects(r)
	q.mu.Lock()
	q.grant()
	q.overflow.add(&spilled{head: Head{Type: 1, Object: 1}}) // as spill does, before it refills
	q.setGate()
	q.mu.Unlock()
	if !<-said {
		t.Fatal("refused")
	}
	q.Commit(spilt, &Head{Type: 1, Object: 3})
	equal(t, objects(r), 1, 2, 3)
}

func TestDoorbellComesWithAQuarterOfTheRing(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	full(t, q)
	for round := range 3 {
		if _, ok := q.Reserve(LossyOf(11), 0, nil); ok {
			t.Fatal("taken")
		}
		for i := range 16 {
			if r.Doorbell() {
				t.Fatalf("round %d: rings after %d records", round, i)
			}
			r.Advance()
		}
		if !r.Doorbell() || r.Doorbell() {
			t.Fatalf("round %d: does not ring exactly once", round)
		}
	}
	if _, ok := q.Reserve(Lossy, 1900, nil); ok {
		t.Fatal("taken")
	}
	r.Drain(16, func(*Head, []byte) {})
	if !r.Doorbell() {
		t.Error("does not ring when the ring is empty")
	}
}
