package server

import (
	"errors"
	"testing"
	"time"
)

// A connection that is to be closed has sent what it had to send: its silence counts from when something has left that was given to it behind that.
func TestRest(t *testing.T) {
	const quiet = 30 * time.Millisecond
	var now time.Time
	var packets uint64
	var marks int
	mark := func() error { marks++; return nil }
	r := new(rest)
	step := func(busy bool) bool {
		now = now.Add(5 * time.Millisecond)
		return r.reached(busy, packets, quiet, now, mark)
	}
	silent := func(what string, steps int) {
		t.Helper()
		for range steps {
			if step(false) {
				t.Fatal(what)
			}
		}
	}
	for round := 1; round <= 2; round++ {
		silent("at rest though QUIC has not run", 1000)
		if marks != round {
			t.Fatalf("marked %d times", marks)
		}
		packets++ // the response, or what was given
		silent("at rest without a silence", 6)
		packets++
		silent("at rest without a silence behind the last packet", 6)
		if !step(false) {
			t.Fatal("not at rest")
		}
		if step(true) {
			t.Fatal("at rest while it is busy")
		}
		r.worked = false
	}
	// Whom it has just answered has more time to read that.
	step(true)
	step(false)
	packets++
	silent("at rest when an answer has just left", int(answeredRest/(5*time.Millisecond)))
	if !step(false) {
		t.Error("not at rest some time after an answer")
	}
	// What takes nothing more is at rest all the same.
	r, mark = new(rest), func() error { return errors.New("no room") }
	silent("at rest without a silence", 6)
	if step(false); !step(false) {
		t.Error("not at rest where nothing can be sent")
	}
}
