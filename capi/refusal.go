package main

/*
#include "refusal.h"
*/
import "C"

import (
	"sync/atomic"
	"unsafe"

	"zigh3/engine/client"
	"zigh3/engine/server"
	"zigh3/engine/session"
	"zigh3/engine/sink"
	"zigh3/eventq"
)

// refusal mirrors struct refusal, whose comments say what it is.
type refusal struct {
	object atomic.Uint64
	next   atomic.Uint32
	_      uint32
}

var (
	refusalsOf  = (*[slotCount]refusal)(unsafe.Pointer(C.refusal_base()))
	refusalLast = (*atomic.Uint32)(unsafe.Pointer(&C.refusal_last))
)

const handleMask = kindMask | (1<<kindShift - 1)

// refusals are the calls that were refused and could not be made again when the reactor heard of them, by the index of their object's slot: so
// there are never more than objects, whatever the host does.
type refusals struct {
	accounts map[*account]map[uint32]uint64   // they wait for room there
	queues   map[*queueSink]map[uint32]uint64 // the consumer has left no room for the WRITABLE
}

// attend hears of refused calls, and tells of those that can be made again. What was in the ring when the bell rang is done.
func (r *refusals) attend() {
	for link := refusalLast.Swap(0); link != 0; {
		index := link - 1
		p := &refusalsOf[index]
		link = p.next.Load()
		call := p.object.Swap(0) // from here on it may be on the stack again
		r.hear(call&handleMask, call&^handleMask)
	}
	for a, calls := range r.accounts {
		a.awaited.Store(1) // who gives room back reads it afterwards, or has done so before roomy looks
		if !a.roomy() {
			continue
		}
		a.awaited.Store(0)
		delete(r.accounts, a)
		for _, h := range calls {
			r.hear(h, C.REFUSAL_RING)
		}
	}
	for s, calls := range r.queues {
		for index, h := range calls {
			if !tellAgain(s, h) {
				break // it rings when it has made room
			}
			delete(calls, index)
		}
		if len(calls) == 0 {
			delete(r.queues, s)
		}
	}
}

// hear puts a call where it has to wait; its object may have ended.
func (r *refusals) hear(h, what uint64) {
	s := entryOf(indexOf(h)).sink.Load()
	if (slots[indexOf(h)].word.Load()^h)&nameMask != 0 {
		return
	}
	if s == nil { // a stream that the host has just opened: the record that says so is on its way
		C.refusal_note(C.zig_h3_handle(h), C.uint64_t(what))
		return
	}
	if what&C.REFUSAL_ACCOUNT != 0 {
		park(&r.accounts, &accounts[s.account], h)
	} else {
		park(&r.queues, s, h)
	}
}

func park[K comparable](in *map[K]map[uint32]uint64, key K, h uint64) {
	if *in == nil {
		*in = make(map[K]map[uint32]uint64)
	}
	if (*in)[key] == nil {
		(*in)[key] = make(map[uint32]uint64)
	}
	(*in)[key][indexOf(h)] = h
}

// tellAgain emits the WRITABLE of a call that can be made again, unless its object has ended: its end tells enough. It reports false when
// the consumer has left no room for that.
func tellAgain(s *queueSink, h uint64) bool {
	told := true
	tell := func() { told = s.again(sink.Handle(h)) }
	switch h >> kindShift {
	case kindRequest:
		if request, _ := objectOf[server.Request](h, kindRequest); request != nil {
			request.Live(tell)
		}
	case kindFetch:
		if fetch, _ := objectOf[client.Fetch](h, kindFetch); fetch != nil {
			fetch.Live(tell)
		}
	case kindClient:
		if one, _ := objectOf[hostClient](h, kindClient); one != nil {
			one.live(tell)
		}
	case kindSession:
		if session, _ := objectOf[session.Session](h, kindSession); session != nil {
			session.Live(tell)
		}
	case kindStream:
		if stream, _ := objectOf[session.Stream](h, kindStream); stream != nil {
			stream.Live(tell)
		}
	}
	return told
}

// again emits a WRITABLE. It is called where the object cannot end meanwhile. Unlike that of a write, which its own bytes on their way bring,
// a host can have one of these with every call: so they wait outside of the queue, each object's one, as long as that is full.
func (s *queueSink) again(h sink.Handle) bool {
	r, ok := s.events.Reserve(eventq.Patient, 0, nil)
	if !ok {
		return false
	}
	s.commitWritable(sink.Record{Payload: r.Payload, Token: r.Token}, h, s.room(h))
	return true
}

// room is how many bytes of a request, fetch or stream may be written now.
func (s *queueSink) room(h sink.Handle) uint64 {
	if kind := uint64(h) >> kindShift; kind == kindSession || kind == kindClient {
		return 0
	}
	mark, pending := accounts[s.account].mark(), slots[indexOf(uint64(h))].credit.Load()>>1
	return mark - min(mark, pending)
}
