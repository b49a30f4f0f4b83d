package main

import (
	"sync/atomic"
	"testing"
)

// Who rings the bell has found the ring full. What was in it goes first, and then it is his turn, also if the ring is never empty.
func TestTheReactorAnswersTheBellBesideARingThatIsNeverEmpty(t *testing.T) {
	_, ring := testSink(t, 1000)
	r := &reactor{ring: ring, bell: new(atomic.Uint32)}
	turns := func(n int) (turns int) {
		for turns = 1; !r.answers(n); turns++ {
			if turns > testCapacity {
				t.Fatal("the bell is not heard")
			}
		}
		return turns
	}
	for range 2 {
		if r.answers(0) || r.answers(batch) {
			t.Fatal("an answer, though nobody rang")
		}
		r.bell.Store(1)
		if got, want := turns(batch), testCapacity/recordLeast/batch; got != want {
			t.Errorf("answered behind %d batches, not %d", got, want)
		}
		r.bell.Store(1)
		if got := turns(batch - 1); got != 1 {
			t.Errorf("answered behind %d batches, though the ring was empty behind the first", got)
		}
	}
}
