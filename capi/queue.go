package main

/*
#include "command.h"
#include "queue.h"
*/
import "C"

import (
	"sync/atomic"
	"time"
	"unsafe"

	"zigh3/engine/sink"
	"zigh3/eventq"
)

// A queue is the engine's end of a consumer's mailbox.
type queue struct {
	c      *C.struct_queue
	handle uint64
	events *eventq.Queue
	refill *atomic.Uint32
}

func newQueue(c *C.struct_queue) (*queue, error) {
	ring, err := eventq.Open(C.queue_memory(c))
	if err != nil {
		return nil, &sink.Error{Code: sink.ErrInternal, Text: err.Error(), Err: err}
	}
	q := &queue{c: c, events: eventq.New(ring), refill: (*atomic.Uint32)(unsafe.Pointer(c))}
	var ok bool
	if q.handle, ok = issue(kindQueue, uint64(uintptr(unsafe.Pointer(c)))); !ok {
		return nil, errTooManyObjects
	}
	C.queue_named(c, C.zig_h3_handle(q.handle))
	registry.Lock()
	registry.queues[q.handle] = q
	registry.Unlock()
	return q, nil
}

// free ends a queue whose consumer is gone: servers that have others leave it, those that have not, and clients, are freed, at once for every later
// command, then, on goroutines of their own, in fact.
func (q *queue) free() {
	q.events.Close() // nobody drains: let go of whoever waits for room
	registry.Lock()
	delete(registry.queues, q.handle)
	var mine []*hostServer
	for _, s := range registry.servers {
		if s.delivers(q) {
			mine = append(mine, s)
		}
	}
	var clients []*hostClient
	for _, c := range registry.clients {
		if c.sink.queue == q.handle {
			clients = append(clients, c)
		}
	}
	registry.Unlock()
	for _, c := range clients {
		forget(c.handle)
		c.close(0)
	}
	for _, s := range mine {
		if s.removeQueue(q, 0) != nil { // it is the last one
			s.free()
		}
	}
	// Servers that are still stopping hold the closed queue and reach nothing by it; only who reserved a record before has yet to
	// commit it.
	aside("queue free", func() {
		for !q.events.Quiet() {
			if faulty.Load() {
				return // who died with a record reserved never commits it: this ring is lost
			}
			time.Sleep(time.Millisecond)
		}
		dry(q.events)
		retire(q.handle)
		C.queue_let_go(q.c)
	})
}

// refillQueues looks at the queues whose consumers have made room.
func refillQueues() {
	registry.Lock()
	defer registry.Unlock()
	for _, q := range registry.queues {
		if q.refill.Load() != 0 {
			q.refill.Store(0)
			q.events.Refill()
			q.events.TakeLost(q.reportLost)
			ebb(q.events)
		}
	}
}

func (q *queue) reportLost(typ uint16, n uint64) {
	r, ok := q.events.Reserve(eventq.Lossless, 0, nil)
	if ok {
		q.events.Commit(r, &eventq.Head{Type: C.ZIG_H3_EVENT_LOST, Status: uint32(typ), Aux: n})
	}
}
