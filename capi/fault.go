package main

/*
#include "command.h"
#include "queue.h"
#include "state.h"
*/
import "C"

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"zigh3/eventq"
)

var faulty atomic.Bool

// fault is told of a panic that a guard caught: from now on nothing of the engine can be trusted. The host learns it by an event in
// every queue and by every call, and lives.
func fault(name string, value any, stack []byte) {
	if !faulty.CompareAndSwap(false, true) {
		return
	}
	text := fmt.Sprintf("%s: %v", name, value)
	C.state_fatal((*C.char)(unsafe.Pointer(unsafe.StringData(text))), C.size_t(len(text)))
	// Whoever panicked may hold a lock of ours; the calls of the host must come back all the same.
	C.command_wake_all()
	go func() {
		defer func() { _ = recover() }() // there is nobody left to tell
		if len(stack) > 0 {
			text += "\n" + string(stack)
		}
		const longest = 16 << 10
		tell(eventq.Lossless, C.ZIG_H3_EVENT_FATAL, 0, text[:min(len(text), longest)])
		registry.Lock()
		defer registry.Unlock()
		for _, q := range registry.queues {
			C.queue_kick(q.c)
		}
	}()
}
