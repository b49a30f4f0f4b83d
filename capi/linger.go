package main

import (
	"runtime"
	"sync/atomic"
	"time"
)

// lingerMost is the longest that the reactor stays awake for a consumer that was just woken: about what two wake-ups of a thread on
// another processor take, which is what it saves. An answer that takes longer is worth a sleep.
const lingerMost = 60 * time.Microsecond

// lingerLeast is a window that is not worth the trouble.
const lingerLeast = 4 * time.Microsecond

// stir wakes the reactor. It holds one.
var stir = make(chan struct{}, 1)

// expected says that a consumer was woken and will have something to submit.
var expected atomic.Bool

// expectSubmission keeps the reactor awake for a moment.
func expectSubmission() {
	expected.Store(true)
	select {
	case stir <- struct{}{}:
	default:
	}
}

// A linger decides how long the reactor looks for submissions before it sleeps, after an event has woken a consumer. A consumer
// that answers at once then finds it awake: neither side pays for a sleep, a system call and a wake-up. As with the kernel's halt polling
// the window follows what consumers do: while their answers come within lingerMost it is open, while they take longer it closes.
// Nothing else holds the reactor awake, so an idle library does not run.
type linger struct {
	begun  time.Time // when the consumer was woken; zero: nothing is expected
	window time.Duration
}

// lasts reports whether the reactor is to stay awake.
func (l *linger) lasts() bool {
	if expected.Load() {
		expected.Store(false)
		l.begun = time.Now()
	}
	return l.window > 0 && !l.begun.IsZero() && time.Since(l.begun) < l.window
}

// arrived says that there was something.
func (l *linger) arrived() {
	if !l.begun.IsZero() {
		l.answered(time.Since(l.begun))
		l.begun = time.Time{}
	}
}

// answered sets the window by how long an answer took.
func (l *linger) answered(took time.Duration) {
	switch {
	case took < lingerMost && runtime.NumCPU() > 1: // with one processor the consumer could not run meanwhile
		l.window = lingerMost
	case l.window > lingerLeast:
		l.window /= 2
	default:
		l.window = 0
	}
}
