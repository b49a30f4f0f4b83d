package main

import (
	"runtime"
	"testing"
	"time"
)

func TestReactorStaysAwakeOnlyForConsumersThatAnswerAtOnce(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("with one processor it never stays awake")
	}
	const quick, slow = vigilMost - 1, vigilMost
	l := vigil{next: skipLeast}
	answers := func(n int, took time.Duration, open bool) {
		t.Helper()
		for i := range n {
			if l.answered(took); l.open != open {
				t.Fatalf("open is %v after answer %d of %d that took %v", l.open, i+1, n, took)
			}
		}
	}
	answers(3, slow, false)
	answers(1, quick, true)
	answers(missesMost-1, slow, true)
	answers(1, quick, true)
	for skip := skipLeast; ; skip = min(2*skip, skipMost) {
		answers(missesMost-1, slow, true)
		answers(1, slow, false)
		answers(skip, quick, false)
		answers(1, quick, true)
		if skip == skipMost {
			break
		}
	}
	answers(1, quick, true)
	answers(missesMost-1, slow, true)
	answers(1, slow, false)
	answers(skipLeast, quick, false)
	answers(1, slow, false)
	answers(1, quick, true)
}

func TestReactorExpectsNothingUnlessAConsumerWasWoken(t *testing.T) {
	l := vigil{outlook: newOutlook(), open: true}
	if l.lasts() {
		t.Fatal("stays awake for nobody")
	}
	l.expectSubmission()
	l.lasts()
	if l.begun.IsZero() {
		t.Error("does not know of a consumer that was woken")
	}
	if l.begun = l.begun.Add(time.Hour); !l.lasts() { // whatever the time it takes to come here
		t.Error("does not stay awake for a consumer that was woken")
	}
	if len(l.stir) != 1 {
		t.Error("the reactor was not woken")
	}
	<-l.stir
	if l.arrived(); l.lasts() {
		t.Error("stays awake after the answer")
	}
}

func TestOneProcessorIsLeftToTheHost(t *testing.T) {
	for there, want := range map[int]int{1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 64: 4} {
		if got := defaultProcs(there); got != want {
			t.Errorf("%d of %d, want %d", got, there, want)
		}
	}
}
