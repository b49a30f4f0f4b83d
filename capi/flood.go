package main

/*
#include "handle.h"
*/
import "C"

import (
	"sync"

	"zigh3/eventq"
)

// floodMost is how many events may wait beside a ring that is full before sessions that deliver there open no more streams for the host. The
// end of a stream that the peer's limit did not let open is told and its handle is free again: a host that opens and does not drain would
// have them pile up without end.
const floodMost = 4096

// flooded are the sessions that open no streams now, by the queue that they deliver to.
var flooded = struct {
	sync.Mutex
	by map[*eventq.Queue][]uint64
}{by: map[*eventq.Queue][]uint64{}}

// flood has a session open no more streams until the consumer has caught up, if so much waits.
func flood(q *eventq.Queue, session uint64) {
	if q.Overflow() <= floodMost {
		return
	}
	flooded.Lock()
	if flooding(session) {
		flooded.by[q] = append(flooded.by[q], session)
	}
	flooded.Unlock()
	ebb(q) // the consumer may have caught up before it was in the list
}

// flooding notes it in the session's slot, and reports whether that is news.
func flooding(session uint64) bool {
	return slots[indexOf(session)].word.Load()&C.SLOT_FLOODED == 0 && gain(session, C.SLOT_FLOODED)
}

// ebb lets the sessions of a queue open streams again once its consumer has caught up.
func ebb(q *eventq.Queue) {
	flooded.Lock()
	defer flooded.Unlock()
	if len(flooded.by[q]) == 0 || q.Overflow() > floodMost/2 {
		return
	}
	for _, session := range flooded.by[q] {
		lose(session, C.SLOT_FLOODED)
	}
	delete(flooded.by, q)
}

// dry forgets a queue that is no more.
func dry(q *eventq.Queue) {
	flooded.Lock()
	delete(flooded.by, q)
	flooded.Unlock()
}
