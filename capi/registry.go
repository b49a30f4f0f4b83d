package main

/*
#include "handle.h"
*/
import "C"

import (
	"sync"
	"time"

	"zigh3/engine/sink"
	"zigh3/eventq"
)

// registry holds what lives, by handle.
var registry = struct {
	sync.Mutex
	queues  map[uint64]*queue
	servers map[uint64]*hostServer
}{queues: map[uint64]*queue{}, servers: map[uint64]*hostServer{}}

func lookUp[T any](in map[uint64]*T, handle uint64) *T {
	registry.Lock()
	defer registry.Unlock()
	return in[handle]
}

var (
	errTooManyObjects = &sink.Error{Code: sink.ErrLimit, Text: "a million objects are open"}
	// errStale is for objects that were freed while the command about them was on its way.
	errStale = &sink.Error{Code: C.ZIG_H3_ERR_STALE_HANDLE, Text: "the object has ended"}
)

// tell puts a text into every queue.
func tell(class eventq.Class, typ uint16, status uint32, text string) {
	registry.Lock()
	defer registry.Unlock()
	for _, q := range registry.queues {
		if r, ok := q.events.Reserve(class, len(text), nil); ok {
			copy(r.Payload, text)
			q.events.Commit(r, &eventq.Head{Type: typ, Status: status, DataLen: uint32(len(text))})
		}
	}
}

// retire gives the slot of a queue or server back once no host thread is inside: until then what it points to is in use there. After
// forget nobody comes in any more, and nobody stays for long. It waits, so it is for goroutines of their own.
func retire(h uint64) {
	forget(h)
	p := &slots[indexOf(h)]
	for p.word.Load()&C.SLOT_LOCKED != 0 {
		time.Sleep(time.Millisecond)
	}
	p.object.Store(0)
	release(h)
}

// forget makes a handle stale to the host, as a call that frees its object does.
func forget(h uint64) { gain(h, C.SLOT_FORGOTTEN) }
