package main

/*
#include "../include/zig_h3.h"
*/
import "C"

import (
	"log"
	"strings"
	"sync"
	"time"

	"zigh3/eventq"
)

const (
	logBurst = 20 // messages that may come at once
	logRate  = 10 // messages a second in the long run
	logMax   = 1024
)

// logWriter is where Go's log and slog write: libraries below us use them, and a library that prints on its host's terminal is a
// nuisance. What they say becomes a LOG event of every queue.
type logWriter struct {
	mu     sync.Mutex
	tokens float64
	last   time.Time
}

func routeLog() {
	log.SetFlags(0)
	log.SetOutput(&logWriter{tokens: logBurst, last: time.Now()})
}

// Write implements io.Writer. It never fails.
func (w *logWriter) Write(p []byte) (int, error) {
	if !w.admit(time.Now()) {
		return len(p), nil
	}
	text := strings.TrimRight(string(p[:min(len(p), logMax)]), "\n")
	tell(eventq.LossyOf(C.ZIG_H3_EVENT_LOG), C.ZIG_H3_EVENT_LOG, C.ZIG_H3_LOG_WARN, text)
	return len(p), nil
}

func (w *logWriter) admit(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tokens = min(logBurst, w.tokens+now.Sub(w.last).Seconds()*logRate)
	w.last = now
	if w.tokens < 1 {
		return false
	}
	w.tokens--
	return true
}
