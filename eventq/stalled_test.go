package eventq

import (
	"testing"
	"testing/synctest"
	"time"
)

// A consumer that takes nothing is told from one that is slow, and from one that has nothing to take.
func TestStalledIsHowLongNothingWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, q := fresh(t, 1<<12, -1)
		is := func(want time.Duration) {
			t.Helper()
			if got := q.Stalled(); got != want {
				t.Fatalf("stalled for %v, not %v", got, want)
			}
		}
		for q.Stats().Overflow == 0 {
			time.Sleep(time.Second)
			is(0)
			rec, _ := q.Reserve(Lossless, 1<<10, nil)
			q.Commit(rec, &Head{Type: 1})
		}
		time.Sleep(3 * time.Second)
		is(3 * time.Second)
		r.Peek()
		r.Advance()
		is(0) // it takes something, though there is no room for what waits
		time.Sleep(2 * time.Second)
		is(2 * time.Second)
		q.Close()
		is(0)
	})
}

// Nothing is beside the ring, and somebody waits to get in.
func TestAProducerThatWaitsForRoomIsAStallToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, q := fresh(t, 1<<12, -1)
		bulk := func() {
			if rec, ok := q.Reserve(Bulk, 1<<10, nil); ok {
				q.Commit(rec, &Head{Type: 1, DataLen: 1 << 10})
			}
		}
		for range 3 {
			bulk()
		}
		go bulk()
		synctest.Wait()
		time.Sleep(3 * time.Second)
		if got := q.Stalled(); got != 3*time.Second || q.Stats().Overflow != 0 {
			t.Fatalf("stalled for %v, with %d beside the ring", got, q.Stats().Overflow)
		}
		for range 3 {
			r.Peek()
			r.Advance()
		}
		q.Refill()
		synctest.Wait()
		if got := q.Stalled(); got != 0 {
			t.Fatalf("stalled for %v, with room for all", got)
		}
	})
}
