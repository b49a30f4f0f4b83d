package main

/*
#include "handle.h"
#include "../include/zig_h3.h"
*/
import "C"

import (
	"zigh3/engine"
	"zigh3/eventq"
)

// A sink carries the events of one server's connections to one queue.
type sink struct {
	events    *eventq.Queue
	server    *server
	highWater uint32 // bytes of a response that may wait for the network
}

// Issue implements engine.Sink.
func (s *sink) Issue(kind engine.Kind, _ engine.Handle, obj any) (engine.Handle, bool) {
	if kind == engine.KindRequest {
		h, ok := issue(kindRequest, 0, obj.(*engine.Request), s)
		return engine.Handle(h), ok
	}
	h, ok := issue(kindConn, 0, nil, nil)
	return engine.Handle(h), ok
}

// Release implements engine.Sink.
func (s *sink) Release(h engine.Handle) { release(uint64(h)) }

// Reserve implements engine.Sink.
func (s *sink) Reserve(class engine.Class, n int, done <-chan struct{}) (engine.Record, bool) {
	var r eventq.Record
	var ok bool
	switch class {
	case engine.Bulk:
		r, ok = s.events.Reserve(eventq.Bulk, n, done)
	case engine.Lossy:
		r, ok = s.events.Reserve(eventq.LossyOf(uint16(engine.EventLog)), n, nil)
	default:
		r, _ = s.events.Reserve(eventq.Lossless, n, nil)
		ok = true // of a closed queue too: what is committed then goes nowhere
	}
	return engine.Record{Payload: r.Payload, Token: r.Token}, ok
}

// Abort implements engine.Sink.
func (s *sink) Abort(r engine.Record) {
	s.events.Abort(eventq.Record{Payload: r.Payload, Token: r.Token})
}

// Commit implements engine.Sink. What the slot has to know of an event it knows before the consumer can see the event.
func (s *sink) Commit(r engine.Record, ev *engine.Event) {
	switch ev.Type {
	case engine.EventRequest:
		s.noteRequest(r.Payload, ev)
	case engine.EventBody:
		slots[indexOf(uint64(ev.Object))].arrived.Add(ev.DataLen)
	case engine.EventServerStarted:
		s.server.setPort(uint16(ev.Status))
	case engine.EventServerStopped:
		s.server.setPort(0)
	}
	s.commit(r, ev)
}

func (s *sink) commit(r engine.Record, ev *engine.Event) {
	woke := s.events.Commit(eventq.Record{Payload: r.Payload, Token: r.Token}, &eventq.Head{
		Type: uint16(ev.Type), Flags: ev.Flags, Object: uint64(ev.Object), Parent: uint64(ev.Parent), Conn: uint64(ev.Conn),
		UserData: ev.UserData, Code: int32(ev.Code), Status: ev.Status, MetaLen: ev.MetaLen, DataLen: ev.DataLen, Aux: ev.Aux,
	})
	if woke {
		expectSubmission()
	}
}

// noteRequest tells the slot what its response's calls have to know.
func (s *sink) noteRequest(payload []byte, ev *engine.Event) {
	var bits uint64
	// The list begins with :method: two bytes of name length, four of value length, the name, the value.
	if len(payload) >= 17 && payload[2] == 4 && string(payload[13:17]) == "HEAD" {
		bits = C.SLOT_HEAD
	}
	if ev.Flags&engine.FlagBuffered != 0 {
		bits |= C.SLOT_BUFFERED
	}
	if bits != 0 {
		slots[indexOf(uint64(ev.Object))].word.Or(bits)
	}
}

// Drained implements engine.Sink: it gives credit back, and tells a consumer that was refused once half of it is there again.
func (s *sink) Drained(h engine.Handle, n int) {
	p := &slots[indexOf(uint64(h))]
	half := uint64(s.highWater / 2)
	for {
		credit := p.credit.Load()
		pending := credit >> 1
		pending -= min(uint64(n), pending)
		owed := credit & 1
		if pending <= half {
			owed = 0
		}
		if !p.credit.CompareAndSwap(credit, pending<<1|owed) {
			continue
		}
		if credit&1 != 0 && owed == 0 {
			s.writable(h, uint64(s.highWater)-pending)
		}
		return
	}
}

// owed emits the WRITABLE event of a write that found no room in the submission ring, unless Drained has it still to do.
func (s *sink) owed(h engine.Handle) { s.Drained(h, 0) }

func (s *sink) writable(h engine.Handle, room uint64) {
	r, _ := s.Reserve(engine.Terminal, 0, nil)
	s.commit(r, &engine.Event{Type: engine.EventWritable, Object: h, Parent: engine.Handle(s.server.handle), Aux: room})
}
