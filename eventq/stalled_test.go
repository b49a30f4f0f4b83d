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
