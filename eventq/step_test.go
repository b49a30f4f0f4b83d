package eventq

import "testing"

// A wake-up is lost when one side looks, the other one acts and looks in turn, and only then the first one asks for it: so each of them
// looks again after it asked. These tests have the other side act exactly there; it then goes to sleep, and nothing more will come of it.

// asleep has the consumer, once, take all that there is and find nobody who wants to be told, before q's next question.
func asleep(t *testing.T, r *Ring, q *Queue) (taken *[]uint64) {
	taken = new([]uint64)
	q.step = func() {
		q.step = nil
		*taken = objects(r)
		if r.Doorbell() {
			t.Error("the consumer was asked already")
		}
		if !r.Arm() {
			t.Error("the consumer finds more")
		}
	}
	return taken
}

// mayHave fails if the consumer has not come by.
func mayHave(t *testing.T, taken *[]uint64, n int) {
	t.Helper()
	if len(*taken) != n {
		t.Errorf("the consumer took %d records meanwhile, want %d", len(*taken), n)
	}
}

func TestBulkFindsRoomThatWasMadeBeforeItAsked(t *testing.T) {
	for _, n := range []int{0, 1984} {
		r, q := fresh(t, 4096, -1)
		full(t, q)
		taken := asleep(t, r, q)
		rec, ok := q.Reserve(Bulk, n, shut) // it gives up where it would sleep
		if !ok {
			t.Fatalf("%d bytes wait for a consumer that sleeps", n)
		}
		mayHave(t, taken, 64)
		q.Commit(rec, &Head{Type: 1, Object: 1})
		equal(t, objects(r), 1)
		if s := q.Stats(); s.Waiting != 0 || q.gate.Load() != 0 {
			t.Errorf("%d wait, gate %b", s.Waiting, q.gate.Load())
		}
	}
}

func TestOverflowFindsRoomThatWasMadeBeforeItAsked(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	full(t, q)
	taken := asleep(t, r, q)
	push(t, q, 1, 100)
	mayHave(t, taken, 64)
	equal(t, objects(r), 1)
	if s := q.Stats(); s.Overflow != 0 || q.gate.Load() != 0 {
		t.Errorf("%d overflowed, gate %b", s.Overflow, q.gate.Load())
	}
}

// Those in line behind the overflow find their room in the same look.
func TestBulkBehindTheOverflowFindsRoomThatWasMadeBeforeItAsked(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	full(t, q)
	push(t, q, 1, 0)
	if r.Doorbell() {
		t.Error("nothing was freed")
	}
	r.hdr.hungry.Store(0) // as if the bell had been rung, and nobody had come to it yet
	taken := asleep(t, r, q)
	rec, ok := q.Reserve(Bulk, 0, shut)
	if !ok {
		t.Fatal("waits for a consumer that sleeps")
	}
	mayHave(t, taken, 64)
	q.Commit(rec, &Head{Type: 1, Object: 2})
	equal(t, objects(r), 1, 2)
}

func TestLossyAndPatientFindRoomThatWasMadeBeforeTheyAsked(t *testing.T) {
	for _, class := range []Class{Lossy, LossyOf(11), Patient} {
		r, q := fresh(t, 4096, -1)
		for i := range uint64(32) {
			push(t, q, i, 0)
		}
		taken := asleep(t, r, q)
		rec, ok := q.Reserve(class, 0, nil)
		if !ok || q.Stats().Lost != [Types]uint64{} {
			t.Fatalf("class %d: no room in an empty ring", class)
		}
		mayHave(t, taken, 32)
		q.Commit(rec, &Head{Type: 1, Object: 1})
		equal(t, objects(r), 1)
	}
}

// The other wake-up: a record is published between the consumer's look and its arm, by a producer that sees nobody asleep.
func TestArmFindsARecordThatCameBeforeIt(t *testing.T) {
	r, q := fresh(t, 4096, -1)
	r.step = func() {
		r.step = nil
		rec, _ := q.Reserve(Lossless, 0, nil)
		if q.Commit(rec, &Head{Type: 1, Object: 1}) {
			t.Error("woke a consumer that does not sleep")
		}
	}
	if r.Arm() {
		t.Error("sleeps with a record there")
	}
	rec, _ := q.Reserve(Lossless, 0, nil)
	if q.Commit(rec, &Head{Type: 1, Object: 2}) {
		t.Error("an arm that found a record was not taken back")
	}
	equal(t, objects(r), 1, 2)
}
