package main

import (
	"log"
	"log/slog"
	"testing"
	"time"
)

func TestLogOutputIsRoutedAndLimited(t *testing.T) {
	w, ok := log.Writer().(*logWriter)
	if !ok {
		t.Fatalf("log writes to a %T", log.Writer())
	}
	slog.Warn("goes the same way") // to stderr, were it not so
	now := time.Now().Add(time.Hour)
	admitted := 0
	for range 100 {
		if w.admit(now) {
			admitted++
		}
	}
	if admitted != logBurst {
		t.Fatalf("%d messages of a burst of 100", admitted)
	}
	admitted = 0
	for i := range 100 {
		if w.admit(now.Add(time.Duration(i+1) * 10 * time.Millisecond)) {
			admitted++
		}
	}
	if admitted < logRate-1 || admitted > logRate {
		t.Fatalf("%d messages in a second", admitted)
	}
}
