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
	clients map[uint64]*hostClient
}{queues: map[uint64]*queue{}, servers: map[uint64]*hostServer{}, clients: map[uint64]*hostClient{}}

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

// retire gives the slot of a queue, server or client back once no host thread is inside: until then what it points to is in use there. After
// forget nobody comes in any more, and nobody stays for long. It waits, so it is for goroutines of their own.
func retire(h uint64) {
	leave(h)
	slots[indexOf(h)].object.Store(0)
	release(h)
}

// leave makes a handle stale to the host, and waits until no host thread is inside its slot: whatever any of them has asked for by it is on its
// way to the reactor.
func leave(h uint64) {
	forget(h)
	for slots[indexOf(h)].word.Load()&C.SLOT_LOCKED != 0 {
		time.Sleep(time.Millisecond)
	}
}

// forget makes a handle stale to the host, as a call that frees its object does.
func forget(h uint64) { gain(h, C.SLOT_FORGOTTEN) }
