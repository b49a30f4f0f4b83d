package main

/*
#include "chunk.h"
#include "command.h"
#include "handle.h"
#include "submission.h"
*/
import "C"

import (
	"errors"
	"os"
	"runtime"
	"sync/atomic"
	"unsafe"

	"zigh3/engine"
	"zigh3/eventq"
)

const (
	// batch is how many submissions are taken before the reactor looks beside the ring.
	batch = 256
	// patience is how often the reactor lets others run before it goes to sleep: the consumer that it just answered is likely to
	// have more, and a wake-up costs a system call on either side.
	patience = 4
)

// A reactor is the one goroutine that takes what the host's threads submitted. It never waits for anything but more of it.
type reactor struct {
	ring *eventq.Ring
	bell *atomic.Uint32
	wake *os.File
	linger
}

func newReactor() (*reactor, error) {
	memory := unsafe.Pointer(C.submission_ring)
	if memory == nil {
		return nil, errors.New("there is no ring to the engine")
	}
	ring, err := eventq.Open(memory)
	if err != nil {
		return nil, err
	}
	return &reactor{
		ring:   ring,
		bell:   (*atomic.Uint32)(unsafe.Pointer(&C.submission_bell)),
		wake:   os.NewFile(uintptr(C.h3_ring_fd(C.submission_ring)), "submissions"),
		linger: linger{next: skipLeast},
	}, nil
}

func (r *reactor) run() {
	take := r.take
	go engine.Guard("submissions", r.listen)
	idle := 0
	for {
		n := r.ring.Drain(batch, take)
		if n > 0 {
			idle = 0
			r.arrived()
		}
		if n < batch && r.bell.Load() != 0 {
			r.bell.Store(0)
			r.attend()
			pumpQueues()
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

// sleep waits for the next submission, or for a consumer that is about to make one.
func (r *reactor) sleep() {
	if !r.ring.Arm() {
		return
	}
	// Whoever rings the bell does so before he looks for an armed ring.
	if r.bell.Load() == 0 {
		<-stir
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
		select {
		case stir <- struct{}{}:
		default:
		}
	}
}

// take carries out one submission.
func (r *reactor) take(h *eventq.Head, payload []byte) {
	if h.Type == C.SUBMIT_COMMAND {
		perform((*C.struct_command)(pointer(h.Aux)))
		return
	}
	request, _ := requestOf(h.Object)
	if request == nil {
		if h.Flags&C.SUBMIT_CHUNK != 0 {
			C.chunk_give((*C.uint8_t)(pointer(h.Aux)))
		}
		return
	}
	switch h.Type {
	case C.SUBMIT_SEND:
		request.Send(int(h.Status), payload[:h.MetaLen], body(h, payload), h.Flags&C.SUBMIT_FORGET != 0)
	case C.SUBMIT_WRITE:
		if h.Flags&C.SUBMIT_START != 0 {
			request.Start(int(h.Status), payload[:h.MetaLen])
		}
		if h.DataLen > 0 {
			request.Write(body(h, payload))
		}
	case C.SUBMIT_END:
		request.End(body(h, payload))
	case C.SUBMIT_TRAILERS:
		if h.Flags&C.SUBMIT_START != 0 {
			request.Start(int(h.Status), payload[:h.MetaLen])
		}
		request.Trailers(body(h, payload).Bytes)
	case C.SUBMIT_RESET:
		request.Reset(h.Aux)
	case C.SUBMIT_STOP:
		request.Stop()
	case C.SUBMIT_CONSUMED:
		request.Consumed(h.Aux)
	}
}

// body is the body of a submission: in place, or in a chunk that the engine gives back.
func body(h *eventq.Head, payload []byte) engine.Chunk {
	if h.Flags&C.SUBMIT_CHUNK != 0 {
		return engine.Chunk{Bytes: unsafe.Slice((*byte)(pointer(h.Aux)), int(h.DataLen)), Owner: chunks}
	}
	at := eventq.DataOffset(int(h.MetaLen))
	if h.DataLen == 0 {
		return engine.Chunk{}
	}
	return engine.Chunk{Bytes: payload[at : at+int(h.DataLen) : at+int(h.DataLen)]}
}

// attend sees to the slots that found no room in the ring.
func (r *reactor) attend() {
	for link := table.attention.Swap(0); link != 0; {
		index := link - 1
		p := &slots[index]
		link = p.nextAttention.Load()
		word := p.word.Load()
		bits := p.attention.Swap(0) // from here on the slot may be on the stack again
		h := word&nameMask | uint64(index)
		if (bits^word)&(generationMask<<generationShift) != 0 {
			continue // of a request that has ended
		}
		request, s := requestOf(h)
		if request == nil {
			continue
		}
		if n := p.owed.Swap(0); n != 0 {
			request.Consumed(uint64(n))
		}
		if bits&C.ATTENTION_STOP != 0 {
			request.Stop()
		}
		if bits&C.ATTENTION_WRITABLE != 0 {
			s.owed(engine.Handle(h))
		}
		if bits&C.ATTENTION_RESET != 0 {
			request.Reset(p.resetCode.Load())
		}
	}
}

// pointer makes a pointer of an address in C memory that came through a ring.
func pointer(address uint64) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&address))
}
