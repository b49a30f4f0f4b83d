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
	"time"
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
	whole := text
	if len(stack) > 0 {
		whole += "\n" + string(stack)
	}
	const longest = 16 << 10
	told := lastly(func() { tell(eventq.Lossless, C.ZIG_H3_EVENT_FATAL, 0, whole[:min(len(whole), longest)]) })
	lastly(func() {
		// The event goes first: who is told by a call that nothing is left would not look for it any more. But whoever panicked may
		// hold a lock of ours, and the calls of the host must come back all the same.
		select {
		case <-told:
		case <-time.After(faultWait):
		}
		C.state_fatal((*C.char)(unsafe.Pointer(unsafe.StringData(text))), C.size_t(len(text)))
		C.command_wake_all()
		lastly(func() {
			registry.Lock()
			defer registry.Unlock()
			for _, q := range registry.queues {
				C.queue_kick(q.c, C.zig_h3_handle(q.handle))
			}
		})
	})
}

// faultWait is how long the FATAL event may take.
const faultWait = 100 * time.Millisecond

// lastly runs what may panic or hang where the engine is broken already. The channel is closed at its end.
func lastly(fn func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer func() {
			_ = recover() // there is nobody left to tell
			close(done)
		}()
		fn()
	}()
	return done
}
