package main

import (
	"runtime"
	"sync/atomic"
	"time"
)

// vigilMost is the longest that the reactor stays awake for a consumer that was just woken: two wake-ups of threads on other processors
// and a small handler. An answer that takes longer is worth a sleep.
const vigilMost = 100 * time.Microsecond

// An outlook is what the rest of the library tells the reactor while it may be asleep.
type outlook struct {
	expected atomic.Bool   // a consumer was woken and will have something to submit
	stir     chan struct{} // wakes the reactor; it holds one
}

func newOutlook() *outlook { return &outlook{stir: make(chan struct{}, 1)} }

// ahead is the outlook of the one reactor that there is.
var ahead = newOutlook()

// wakeUp wakes the reactor.
func (o *outlook) wakeUp() {
	select {
	case o.stir <- struct{}{}:
	default:
	}
}

// expectSubmission keeps the reactor awake for a moment.
func (o *outlook) expectSubmission() {
	o.expected.Store(true)
	o.wakeUp()
}

// A vigil decides how long the reactor looks for submissions before it sleeps, after an event has woken a consumer. A consumer
// that answers at once then finds it awake: neither side pays for a sleep, a system call and a wake-up. Where that fails, because the
// answer takes longer, or because the processor that it stays awake on is the one that the consumer waits for, it is not tried again for a
// while, and for twice as long the next time. Nothing else holds the reactor awake, so an idle library does not run.
type vigil struct {
	*outlook
	begun  time.Time // when the consumer was woken; zero: nothing is expected
	open   bool      // the reactor stays awake
	misses int       // answers in a row that came too late
	skip   int       // answers before it is tried again
	next   int       // skip, when it fails the next time
}

const (
	// missesMost is how many answers in a row may come too late.
	missesMost = 3
	// skipLeast and skipMost bound how many answers go by before the reactor tries again to stay awake.
	skipLeast, skipMost = 16, 1024
)

// lasts reports whether the reactor is to stay awake.
func (v *vigil) lasts() bool {
	if v.expected.Load() {
		v.expected.Store(false)
		v.begun = time.Now()
	}
	return v.open && !v.begun.IsZero() && time.Since(v.begun) < vigilMost
}

// arrived says that there was something.
func (v *vigil) arrived() {
	if !v.begun.IsZero() {
		v.answered(time.Since(v.begun))
		v.begun = time.Time{}
	}
}

// answered decides by how long an answer took.
func (v *vigil) answered(took time.Duration) {
	switch quick := took < vigilMost; {
	case quick && v.open:
		v.misses, v.next = 0, skipLeast
	case v.open:
		if v.misses++; v.misses == missesMost {
			v.open, v.misses = false, 0
			v.skip, v.next = v.next, min(2*v.next, skipMost)
		}
	case v.skip > 0:
		v.skip--
	case quick:
		v.open = runtime.NumCPU() > 1 // with one processor the consumer could not run meanwhile
	}
}
