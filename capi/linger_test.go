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
	const quick, slow = lingerMost - 1, lingerMost
	var l linger
	for i, c := range []struct{ took, window time.Duration }{
		{slow, 0}, {quick, lingerMost}, {quick, lingerMost}, {slow, lingerMost / 2}, {slow, lingerMost / 4}, {quick, lingerMost},
		{slow, lingerMost / 2}, {slow, lingerMost / 4}, {slow, lingerMost / 8}, {slow, lingerMost / 16}, {slow, 0}, {slow, 0},
	} {
		if l.answered(c.took); l.window != c.window {
			t.Errorf("answer %d: a window of %v after %v, want %v", i, l.window, c.took, c.window)
		}
	}
}

func TestReactorExpectsNothingUnlessAConsumerWasWoken(t *testing.T) {
	l := linger{window: time.Hour}
	if l.lasts() {
		t.Fatal("stays awake for nobody")
	}
	expectSubmission()
	for range 2 {
		if !l.lasts() {
			t.Error("does not stay awake for a consumer that was woken")
		}
	}
	if len(stir) != 1 {
		t.Error("the reactor was not woken")
	}
	<-stir
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
