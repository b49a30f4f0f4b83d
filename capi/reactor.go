package main

/*
#include "chunk.h"
#include "command.h"
#include "submission.h"
*/
import "C"

import (
	"errors"
	"os"
	"runtime"
	"sync/atomic"
	"unsafe"

	"zigh3/engine/client"
	"zigh3/engine/server"
	"zigh3/engine/session"
	"zigh3/engine/sink"
	"zigh3/eventq"
)

const (
	// batch is how many submissions are taken before the reactor looks whether it is to look beside the ring.
	batch = 256
	// recordLeast is the room that a submission takes at least.
	recordLeast = C.H3_RING_BLOCK
	// patience is how often the reactor lets others run before it goes to sleep: the consumer that it just answered is likely to
	// have more, and a wake-up costs a system call on either side.
	patience = 4
)

// bell is reactor_bell.
var bell = (*atomic.Uint32)(unsafe.Pointer(&C.reactor_bell))

// callReactor is reactor_call.
func callReactor() {
	bell.Store(1)
	ahead.wakeUp()
}

// A reactor is the one goroutine that takes what the host's threads submitted. It never waits for anything but more of it.
type reactor struct {
	ring    *eventq.Ring
	bell    *atomic.Uint32
	wake    *os.File
	late    int // full batches since the bell rang
	refused refusals
	vigil
}

func newReactor() (*reactor, error) {
	memory := unsafe.Pointer(C.reactor_ring)
	if memory == nil {
		return nil, errors.New("there is no submission ring")
	}
	ring, err := eventq.Open(memory)
	if err != nil {
		return nil, err
	}
	return &reactor{
		ring:  ring,
		bell:  bell,
		wake:  os.NewFile(uintptr(C.h3_ring_fd(C.reactor_ring)), "submissions"),
		vigil: vigil{outlook: ahead, next: skipLeast},
	}, nil
}

func (r *reactor) run() {
	take := r.take
	go sink.Guard("submissions", r.listen)
	idle := 0
	for {
		n := r.ring.Drain(batch, take)
		if n > 0 {
			idle = 0
			r.arrived()
		}
		if r.answers(n) {
			attend()
			refillQueues()
			r.refused.attend()
			continue
		}
		if n > 0 {
			continue
		}
		if idle < patience || r.lasts() {
			idle++
			runtime.Gosched()
			continue
		}
		r.sleep()
	}
}

// answers reports, with n submissions just taken, whether it is time to look beside the ring, because the bell has rung and what was in
// the ring by then is done: that is older. A ring that never runs empty holds nobody off for ever.
func (r *reactor) answers(n int) bool {
	if r.bell.Load() == 0 {
		return false
	}
	if r.late++; n == batch && r.late*batch < r.ring.Capacity()/recordLeast {
		return false
	}
	r.late = 0
	r.bell.Store(0)
	return true
}

// sleep waits for the next submission, or for a consumer that is about to make one.
func (r *reactor) sleep() {
	if !r.ring.Arm() {
		return
	}
	// Whoever rings the bell does so before he looks for an armed ring.
	if r.bell.Load() == 0 {
		<-r.stir
	}
	r.ring.Disarm()
}

// listen makes a stir of every write to the submission ring's descriptor.
func (r *reactor) listen() {
	var count [8]byte
	for {
		if _, err := r.wake.Read(count[:]); err != nil {
			fault("reactor", err, nil)
			return
		}
		r.wakeUp()
	}
}

// take carries out one submission.
func (r *reactor) take(h *eventq.Head, payload []byte) {
	switch h.Object >> kindShift {
	case kindRequest:
		if request, _ := objectOf[server.Request](h.Object, kindRequest); request != nil {
			forRequest(request, h, payload)
			return
		}
	case kindStream:
		if stream, s := objectOf[session.Stream](h.Object, kindStream); stream != nil {
			forStream(stream, s, h, payload)
			return
		}
	case kindSession:
		if h.Type == C.SUBMIT_OPEN {
			openStream(h)
			return
		}
		if session, _ := objectOf[session.Session](h.Object, kindSession); session != nil {
			forSession(session, h, payload)
			return
		}
	case kindFetch:
		if fetch, _ := objectOf[client.Fetch](h.Object, kindFetch); fetch != nil {
			forFetch(fetch, h, payload)
			return
		}
	case kindConnect:
		if wish, _ := objectOf[client.Connecting](h.Object, kindConnect); wish != nil {
			wish.Cancel() // nothing else is said of one
			return
		}
	case kindClient:
		if one, s := objectOf[hostClient](h.Object, kindClient); one != nil {
			forClient(one, s, h, payload)
			return
		}
	case kindConn:
		if conn, _ := objectOf[datagramSender](h.Object, kindConn); conn != nil {
			forConn(*conn, h, payload)
		}
		return
	default: // of no object
		if h.Type == C.SUBMIT_COMMAND {
			perform((*C.struct_command)(pointer(h.Aux)))
		} else {
			sendDatagrams(payload[:h.DataLen])
		}
		return
	}
	// The object has ended.
	if h.Flags&C.SUBMIT_CHUNK != 0 {
		C.chunk_give((*C.uint8_t)(pointer(h.Aux)))
	}
}

// bodyOf is the body of a submission: in place, or in a chunk that the engine gives back.
func bodyOf(h *eventq.Head, payload []byte) sink.Chunk {
	if h.Flags&C.SUBMIT_CHUNK != 0 {
		return sink.Chunk{Bytes: unsafe.Slice((*byte)(pointer(h.Aux)), int(h.DataLen)), Owner: chunks}
	}
	at := eventq.DataOffset(int(h.MetaLen))
	if h.DataLen == 0 {
		return sink.Chunk{}
	}
	return sink.Chunk{Bytes: payload[at : at+int(h.DataLen) : at+int(h.DataLen)]}
}

// pointer makes a pointer of an address in C memory that came through a ring.
func pointer(address uint64) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&address))
}
