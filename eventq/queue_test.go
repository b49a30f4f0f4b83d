package eventq

import (
	"bytes"
	"testing"
	"unsafe"
)

// alloc gives zeroed Go memory that begins at a multiple of 128: the race detector sees what happens there.
func alloc(n int) unsafe.Pointer {
	b := make([]byte, n+128)
	return unsafe.Pointer(&b[-uintptr(unsafe.Pointer(unsafe.SliceData(b)))&127])
}

// fresh makes a ring and its queue in Go memory.
func fresh(t testing.TB, capacity int, wakeFD int32) (*Ring, *Queue) {
	t.Helper()
	mem := alloc(MemorySize(capacity))
	Format(mem, capacity, wakeFD)
	r, err := Open(mem)
	if err != nil {
		t.Fatal(err)
	}
	return r, New(r)
}

// push commits a lossless record with n bytes of data.
func push(t testing.TB, q *Queue, object uint64, n int) {
	t.Helper()
	rec, ok := q.Reserve(Lossless, n, nil)
	if !ok {
		t.Fatalf("no room was made for lossless record %d", object)
	}
	q.Commit(rec, &Head{Type: 1, Object: object, DataLen: uint32(n)})
}

// objects drains a ring.
func objects(r *Ring) []uint64 {
	var all []uint64
	r.Drain(0, func(h *Head, _ []byte) { all = append(all, h.Object) })
	return all
}

func equal(t *testing.T, got []uint64, want ...uint64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("records %v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("records %v, want %v", got, want)
		}
	}
}

// shut is a done channel that is closed: a bulk producer that would wait gives up at once.
var shut = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func TestRecordComesOutAsItWentIn(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	want := Head{Type: 3, Flags: 9, Object: 1 << 50, Parent: 2, Conn: 3, UserData: ^uint64(0), Code: -503, Status: 200, MetaLen: 5,
		DataLen: 6, Aux: 77}
	rec, ok := q.Reserve(Bulk, DataOffset(5)+6, nil)
	if !ok || len(rec.Payload) != 14 {
		t.Fatalf("Reserve: %v, %d bytes", ok, len(rec.Payload))
	}
	copy(rec.Payload, "meta!...data!!")
	if _, _, ok := r.Peek(); ok {
		t.Fatal("visible before Commit")
	}
	q.Commit(rec, &want)
	for range 2 { // Peek takes nothing
		payload, h, ok := r.Peek()
		if !ok || string(payload) != "meta!...data!!" {
			t.Fatalf("Peek: %q, %v", payload, ok)
		}
		if h.size != 64+14 {
			t.Errorf("size %d", h.size)
		}
		if h.size = 0; h != want {
			t.Errorf("head %+v, want %+v", h, want)
		}
	}
	r.Advance()
	if _, _, ok := r.Peek(); ok {
		t.Error("still there after Advance")
	}
	r.Advance() // nothing to take
	if depth := q.Stats().Depth; depth != 0 {
		t.Errorf("%d bytes in use", depth)
	}
}

func TestOrderIsThatOfReservation(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	first, _ := q.Reserve(Lossless, 0, nil)
	second, _ := q.Reserve(Lossless, 0, nil)
	third, _ := q.Reserve(Lossless, 0, nil)
	q.Commit(third, &Head{Type: 1, Object: 3})
	equal(t, objects(r))
	q.Commit(first, &Head{Type: 1, Object: 1})
	equal(t, objects(r), 1)
	q.Abort(second)
	equal(t, objects(r), 3)
}

func TestSizesOutsideTheLimitsAreRefused(t *testing.T) {
	_, q := fresh(t, 4096, -1)
	for _, n := range []int{-1, q.MaxPayload() + 1, 1 << 40} {
		for _, class := range []Class{Lossless, Bulk, Lossy} {
			if _, ok := q.Reserve(class, n, nil); ok {
				t.Errorf("class %d: %d bytes were reserved", class, n)
			}
		}
	}
	q.Commit(Record{}, &Head{Type: 1})
	q.Abort(Record{})
	if s := q.Stats(); s.Depth != 0 || s.Lost[0] != 0 {
		t.Errorf("%d bytes in use, %d lost", s.Depth, s.Lost[0])
	}
}

func TestCommitBeyondTheReservationPanicsAndLeavesTheRingWhole(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		rec, _ := q.Reserve(Lossless, 64, nil)
		q.Commit(rec, &Head{Type: 1, DataLen: 65})
	}()
	push(t, q, 2, 0)
	equal(t, objects(r), 2)
}

func TestShrunkCommitAtTheTailGivesTheRestBack(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	rec, _ := q.Reserve(Bulk, 1000, nil)
	for i := range rec.Payload {
		rec.Payload[i] = 0xff // must not be taken for a size later
	}
	q.Commit(rec, &Head{Type: 1, Object: 1, MetaLen: 3, DataLen: 1})
	if depth := q.Stats().Depth; depth != 128 {
		t.Errorf("%d bytes in use, want 128", depth)
	}
	held, _ := q.Reserve(Bulk, 0, nil)
	equal(t, objects(r), 1)
	equal(t, objects(r)) // what was given back reads as unpublished
	q.Commit(held, &Head{Type: 1, Object: 2})
	equal(t, objects(r), 2)
}

func TestShrunkCommitBeforeOthersLeavesAFiller(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	rec, _ := q.Reserve(Bulk, 1000, nil)
	for i := range rec.Payload {
		rec.Payload[i] = 0xff
	}
	push(t, q, 2, 0)
	q.Commit(rec, &Head{Type: 1, Object: 1, DataLen: 1})
	if depth := q.Stats().Depth; depth != 1088+64 {
		t.Errorf("%d bytes in use, want 1152", depth)
	}
	equal(t, objects(r), 1, 2)
	for i := range uint64(60) { // over all of the old bytes
		push(t, q, i+10, 60)
		equal(t, objects(r), i+10)
	}
}

func TestRecordAtTheEndWrapsBehindAFiller(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	push(t, q, 1, 1600)
	push(t, q, 2, 1600)
	equal(t, objects(r), 1, 2)
	rec, _ := q.Reserve(Lossless, 1000, nil) // 768 bytes are left before the end
	for i := range rec.Payload {
		rec.Payload[i] = byte(i)
	}
	q.Commit(rec, &Head{Type: 1, Object: 3, DataLen: 1000})
	if depth := q.Stats().Depth; depth != 768+1088 {
		t.Errorf("%d bytes in use, want 1856", depth)
	}
	payload, h, ok := r.Peek()
	if !ok || h.Object != 3 || len(payload) != 1000 || payload[999] != 999&255 {
		t.Errorf("record %d with %d bytes", h.Object, len(payload))
	}
	r.Advance()
	if depth := q.Stats().Depth; depth != 0 {
		t.Errorf("%d bytes in use", depth)
	}
}

func TestWhollyUsedRingHoldsExactlyItsCapacity(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	for i := range 64 {
		rec, ok := q.Reserve(Bulk, 0, shut)
		if !ok {
			t.Fatalf("record %d was refused", i)
		}
		q.Commit(rec, &Head{Type: 1})
	}
	if high := q.Stats().HighWater; high != 4096 {
		t.Errorf("high water %d", high)
	}
	if _, ok := q.Reserve(Bulk, 0, shut); ok {
		t.Error("a 65th record was accepted")
	}
	if s := q.Stats(); s.Depth != 4096 || s.HighWater != 4096 {
		t.Errorf("depth %d, high water %d", s.Depth, s.HighWater)
	}
	if n := r.Drain(10, func(*Head, []byte) {}); n != 10 {
		t.Errorf("Drain(10) took %d", n)
	}
	if n := r.Drain(0, func(*Head, []byte) {}); n != 54 {
		t.Errorf("then %d", n)
	}
}

func TestHighWaterIsTheMostThatWasInUse(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	for i, want := range []int{0, 0, 0, 0, 320, 384, 448} { // less than a sixteenth of the ring is not looked at
		push(t, q, uint64(i), 0)
		if high := q.Stats().HighWater; high != want {
			t.Errorf("high water %d after %d records, want %d", high, i+1, want)
		}
	}
	objects(r)
	for i := range uint64(8) {
		if push(t, q, i, 0); q.Stats().HighWater != 448+int(i/7*64) {
			t.Errorf("high water %d with %d records", q.Stats().HighWater, i+1)
		}
	}
}

func TestA08_LossyStopsAtHalfAndIsCountedByType(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	taken := 0
	for range 40 {
		if rec, ok := q.Reserve(LossyOf(11), 0, nil); ok {
			q.Commit(rec, &Head{Type: 11})
			taken++
		}
	}
	q.Reserve(Lossy, 0, nil)
	push(t, q, 1, 1000) // lossless goes on
	s := q.Stats()
	if taken != 32 || s.Lost[11] != 8 || s.Lost[0] != 1 || s.Overflow != 0 {
		t.Errorf("%d taken, %d and %d lost, %d overflowed", taken, s.Lost[11], s.Lost[0], s.Overflow)
	}
	objects(r)
	if !r.Doorbell() {
		t.Error("no doorbell after a loss")
	}
	type loss struct {
		typ uint16
		n   uint64
	}
	var losses []loss
	take := func(typ uint16, n uint64) { losses = append(losses, loss{typ, n}) }
	q.TakeLost(take)
	if len(losses) != 2 || losses[0] != (loss{0, 1}) || losses[1] != (loss{11, 8}) {
		t.Errorf("TakeLost: %v", losses)
	}
	q.TakeLost(func(uint16, uint64) { t.Error("a loss was reported twice") })
	if _, ok := q.Reserve(LossyOf(11), 0, nil); !ok {
		t.Error("dropped with an empty ring")
	}
	// What is lost later is reported by itself, and counted with the rest.
	for round := range uint64(3) {
		losses = nil
		q.Lose(11, 2+round)
		q.Lose(11, 5)
		q.TakeLost(take)
		if len(losses) != 1 || losses[0] != (loss{11, 7 + round}) {
			t.Errorf("TakeLost, round %d: %v", round, losses)
		}
	}
	if lost := q.Stats().Lost[11]; lost != 8+7+8+9 {
		t.Errorf("%d lost in all", lost)
	}
}

// Whoever counts a loss of his own, or waits for room without having been refused, asks for the doorbell by that alone.
func TestA08_LossAndRoomAskForTheDoorbell(t *testing.T) {
	for name, ask := range map[string]func(*Queue){"a loss": func(q *Queue) { q.Lose(11, 1) }, "room": func(q *Queue) { q.Room() }} {
		r, q := fresh(t, 4096, -1)
		push(t, q, 1, 0)
		if objects(r); r.Doorbell() {
			t.Error("rings though nobody asked")
		}
		for range 2 {
			ask(q)
			if !r.Doorbell() || r.Doorbell() {
				t.Errorf("%s: does not ring once", name)
			}
			q.Refill()
		}
	}
}

func TestA08_PatientRecordsAreKeptByTheirProducer(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	reserve := func() bool {
		rec, ok := q.Reserve(Patient, 0, nil)
		if ok {
			q.Commit(rec, &Head{Type: 11})
		}
		return ok
	}
	for range 32 {
		if !reserve() {
			t.Fatal("half of the ring is not full")
		}
	}
	room := q.Room()
	if reserve() || q.Room() != room {
		t.Error("more than half of the ring, or another channel")
	}
	if lost := q.Stats().Lost; lost != [Types]uint64{} {
		t.Errorf("%v lost, which their producer has still", lost)
	}
	q.Lose(11, 3)
	if lost := q.Stats().Lost[11]; lost != 3 {
		t.Errorf("%d lost", lost)
	}
	told := func() bool {
		select {
		case <-room:
			return true
		default:
			return false
		}
	}
	if told() {
		t.Error("told of room that there is not")
	}
	objects(r)
	if !r.Doorbell() {
		t.Error("no doorbell though somebody waits for room")
	}
	q.Refill()
	if !told() || !reserve() {
		t.Error("not told of room")
	}
	if gate := q.gate.Load(); gate != 0 {
		t.Errorf("gate %b though nobody waits", gate)
	}
	room = q.Room()
	q.Close()
	if !told() || q.Room() != nil {
		t.Error("who waits for room in a closed queue waits for ever")
	}
}

// A record that is given back leaves room of which the consumer never hears.
func TestA08_RoomThatAnAbortLeavesIsTold(t *testing.T) {
	_, q := fresh(t, 4096, -1)
	rec, _ := q.Reserve(Lossless, 1900, nil)
	if _, ok := q.Reserve(Patient, 1900, nil); ok {
		t.Fatal("half of the ring is not full")
	}
	room := q.Room()
	q.Abort(rec)
	select {
	case <-room:
	default:
		t.Error("not told")
	}
}

func TestA08_LosslessOverflowsInOrderAndComesBack(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	for i := range uint64(200) {
		push(t, q, i, 0)
	}
	if s := q.Stats(); s.Depth != 4096 || s.Overflow != 200-64 || s.OverflowMax != 200-64 {
		t.Errorf("depth %d, overflow %d, most %d", s.Depth, s.Overflow, s.OverflowMax)
	}
	// With anything in the FIFO nothing else may pass it, even when the ring has room.
	got := objects(r)
	push(t, q, 200, 100)
	if _, ok := q.Reserve(LossyOf(11), 0, nil); ok || q.Stats().Lost[11] != 1 {
		t.Errorf("a lossy record passed the FIFO: %v, %d lost", ok, q.Stats().Lost[11])
	}
	for range 3 {
		if !r.Doorbell() {
			t.Error("no doorbell though records wait")
		}
		q.Refill()
		got = append(got, objects(r)...)
	}
	want := make([]uint64, 201)
	for i := range want {
		want[i] = uint64(i)
	}
	equal(t, got, want...)
	if s := q.Stats(); s.Overflow != 0 || s.OverflowBytes != 0 || s.OverflowMax != 137 || s.Depth != 0 {
		t.Errorf("afterwards: %+v", s)
	}
	r.Doorbell()
	if r.Doorbell() {
		t.Error("rings for nothing")
	}
	// A second, smaller burst. With the record that leaves the FIFO last, the ring is everybody's again.
	for i := range uint64(66) {
		push(t, q, i, 10)
	}
	if s := q.Stats(); s.Overflow != 35 || s.OverflowMax != 137 || s.OverflowBytes != 35*10 {
		t.Errorf("second burst: %+v", s)
	}
	for left := 35; left > 0; left = q.Stats().Overflow {
		objects(r)
		if _, ok := q.Reserve(LossyOf(11), 0, nil); ok {
			t.Fatalf("a lossy record passed %d others", left)
		}
		q.Refill()
	}
	objects(r)
	if rec, ok := q.Reserve(LossyOf(11), 0, nil); !ok {
		t.Error("a lossy record is dropped by an empty ring")
	} else {
		q.Abort(rec)
	}
}

// A record that is given back leaves room for the FIFO, of which the consumer never hears.
func TestAbortLetsTheOverflowOnByItself(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	first, _ := q.Reserve(Lossless, 1900, nil)
	second, _ := q.Reserve(Lossless, 1900, nil)
	push(t, q, 3, 1900)
	push(t, q, 4, 0)
	q.Abort(second)
	if n := q.Stats().Overflow; n != 0 {
		t.Errorf("%d overflow though there is room", n)
	}
	q.Commit(first, &Head{Type: 1, Object: 1})
	equal(t, objects(r), 1, 3, 4)
}

func TestSpilledRecordKeepsItsBytesAndOnlyThose(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	for i := range uint64(64) {
		push(t, q, i, 0)
	}
	rec, ok := q.Reserve(Lossless, 1500, nil)
	if !ok || len(rec.Payload) != 1500 {
		t.Fatalf("Reserve: %v, %d bytes", ok, len(rec.Payload))
	}
	copy(rec.Payload, "abc.....def")
	q.Commit(rec, &Head{Type: 2, Object: 64, MetaLen: 3, DataLen: 3})
	given, _ := q.Reserve(Lossless, 10, nil)
	q.Abort(given)
	if s := q.Stats(); s.Overflow != 1 || s.OverflowBytes != 11 {
		t.Errorf("%d records with %d bytes overflowed", s.Overflow, s.OverflowBytes)
	}
	if n := cap(q.overflow.first().payload); n >= 1500 {
		t.Errorf("the FIFO holds %d bytes for a payload of 11", n)
	}
	for _, n := range []int{700, 750} { // less than half of what was reserved, half of it
		_, other := fresh(t, 4096, -1)
		full(t, other)
		rec, _ := other.Reserve(Lossless, 1500, nil)
		other.Commit(rec, &Head{Type: 1, DataLen: uint32(n)})
		if held := cap(other.overflow.first().payload); (held >= 1500) != (n == 750) {
			t.Errorf("the FIFO holds %d bytes for a payload of %d", held, n)
		}
	}
	objects(r)
	q.Refill()
	payload, h, ok := r.Peek()
	if !ok || !bytes.Equal(payload, []byte("abc.....def")) || h.Object != 64 || h.MetaLen != 3 {
		t.Errorf("%q, %+v, %v", payload, h, ok)
	}
}

func TestSpilledReservationCommittedIntoAnEmptyRing(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	for i := range uint64(64) {
		push(t, q, i, 0)
	}
	rec, _ := q.Reserve(Lossless, 4, nil)
	objects(r)
	push(t, q, 65, 0) // of another producer: the ring is open
	q.Commit(rec, &Head{Type: 1, Object: 64, DataLen: 4})
	equal(t, objects(r), 65, 64)
}

func TestReserveAndCommitAllocateNothing(t *testing.T) {
	r, q := fresh(t, 1<<20, -1)
	var h Head
	drained := func(*Head, []byte) {}
	if n := testing.AllocsPerRun(1000, func() {
		for _, class := range []Class{Lossless, Bulk, LossyOf(11), Patient} {
			rec, _ := q.Reserve(class, 300, nil)
			h = Head{Type: 1, DataLen: 200}
			q.Commit(rec, &h)
		}
		r.Drain(0, drained)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSizeThatLeadsOutOfTheRingIsNotFollowed(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	push(t, q, 1, 0)
	for _, size := range []uint32{1, 63, 4097, 0xffffffff} {
		r.at(0).size = size
		if _, _, ok := r.Peek(); ok {
			t.Errorf("a size of %d was followed", size)
		}
	}
	r.at(0).size = 64
	equal(t, objects(r), 1)
}
