package main

/*
#include "handle.h"
#include "../include/zig_h3.h"
*/
import "C"

import (
	"bytes"
	"sync/atomic"
	"time"
	"unsafe"

	"zigh3/engine"
	"zigh3/eventq"
)

// A sink carries the events of one server's connections to one queue.
type sink struct {
	events  *eventq.Queue
	server  *server
	account uint32 // what waits of its responses and streams: accounts[account]
	number  uint32 // see sinkOf
}

// A datagramSender is a connection as far as the host addresses it.
type datagramSender interface {
	SendDatagram(data []byte, maxAge time.Duration)
	DatagramOversized()
}

// Issue implements engine.Sink.
func (s *sink) Issue(kind engine.Kind, parent engine.Handle, obj any) (engine.Handle, bool) {
	switch kind {
	case engine.KindRequest:
		return s.issue(kindRequest, parent, unsafe.Pointer(obj.(*engine.Request)))
	case engine.KindSession:
		return s.issueSession(parent, obj.(*engine.Session))
	case engine.KindStream:
		return s.issue(kindStream, parent, unsafe.Pointer(obj.(*engine.Stream)))
	default:
		sender := obj.(datagramSender)
		return s.issue(kindConn, parent, unsafe.Pointer(&sender))
	}
}

// issue gives out the handle of an object of the engine's.
func (s *sink) issue(kind uint64, parent engine.Handle, object unsafe.Pointer) (engine.Handle, bool) {
	index, ok := takeSlot()
	if !ok {
		return 0, false
	}
	s.bind(index, parent, object)
	p := &slots[index]
	p.owed.Store(0)
	p.datagrams.Store(0)
	p.account.Store(s.account)
	if kind == kindSession {
		p.codes.Store(uint64(s.number))
	}
	return engine.Handle(name(kind, index, 0)), true
}

// bind tells the reactor what a slot's handle stands for.
func (s *sink) bind(index uint32, parent engine.Handle, object unsafe.Pointer) {
	e := entryOf(index)
	e.parent.Store(uint64(parent))
	e.sink.Store(s)
	atomic.StorePointer(&e.object, object)
}

// IssueFor implements engine.Sink: the handle was issued by zig_h3_wt_open_stream. The reactor has noted whose it is.
func (s *sink) IssueFor(h engine.Handle, obj any) bool {
	index := indexOf(uint64(h))
	if uint64(h)>>kindShift != kindStream || (slots[index].word.Load()^uint64(h))&nameMask != 0 {
		return false
	}
	e := entryOf(index)
	s.bind(index, engine.Handle(e.parent.Load()), unsafe.Pointer(obj.(*engine.Stream)))
	return true
}

// Release implements engine.Sink.
func (s *sink) Release(h engine.Handle) (wanted bool) { return release(uint64(h)) }

// Reserve implements engine.Sink.
func (s *sink) Reserve(class engine.Class, n int, done <-chan struct{}) (engine.Record, bool) {
	var r eventq.Record
	var ok bool
	switch class {
	case engine.Bulk:
		r, ok = s.events.Reserve(eventq.Bulk, n, done)
	case engine.Terminal:
		r, _ = s.events.Reserve(eventq.Lossless, n, nil)
		ok = true // of a closed queue too: what is committed then goes nowhere
	case engine.Patient:
		r, ok = s.events.Reserve(eventq.Patient, n, nil)
	default:
		r, ok = s.events.Reserve(eventq.LossyOf(uint16(engine.EventLog)), n, nil)
	}
	return engine.Record{Payload: r.Payload, Token: r.Token}, ok
}

// Room implements engine.Sink.
func (s *sink) Room() <-chan struct{} { return s.events.Room() }

// Lose implements engine.Sink.
func (s *sink) Lose(t engine.EventType, n uint64) { s.events.Lose(uint16(t), n) }

// Abort implements engine.Sink.
func (s *sink) Abort(r engine.Record) {
	s.events.Abort(eventq.Record{Payload: r.Payload, Token: r.Token})
}

// Commit implements engine.Sink. What the slot has to know of an event it knows before the consumer can see the event.
func (s *sink) Commit(r engine.Record, ev *engine.Event) {
	switch ev.Type {
	case engine.EventRequest:
		noteRequest(r.Payload, ev)
	case engine.EventBody:
		arrive(uint64(ev.Object), ev.DataLen)
	case engine.EventSessionOpened:
		gain(uint64(ev.Object), C.SLOT_OPEN)
	case engine.EventStreamOpened, engine.EventStreamData, engine.EventStreamReset, engine.EventStreamStopped:
		s.noteStream(ev)
	case engine.EventStreamAtomic:
		s.Drained(ev.Object, int(ev.Aux)) // sent or not, it waits no more
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
		ahead.expectSubmission()
	}
}

// headRequest is how the packed list of a HEAD request begins: u16 name length, u32 value length, the name, the value.
var headRequest = []byte("\x07\x00\x04\x00\x00\x00:methodHEAD")

// noteRequest tells the slot what its response's calls have to know.
func noteRequest(payload []byte, ev *engine.Event) {
	var bits uint64
	if bytes.HasPrefix(payload, headRequest) {
		bits = C.SLOT_HEAD
	}
	if ev.Flags&engine.FlagBuffered != 0 {
		bits |= C.SLOT_BUFFERED
	}
	if bits != 0 {
		gain(uint64(ev.Object), bits)
	}
}

// noteStream tells the slot of a stream which of its sides are over.
func (s *sink) noteStream(ev *engine.Event) {
	h := uint64(ev.Object)
	switch {
	case ev.Type == engine.EventStreamOpened && ev.Flags&engine.FlagRemote != 0 && ev.Status == C.ZIG_H3_WT_UNIDIRECTIONAL:
		gain(h, C.SLOT_ENDED|C.SLOT_RESET)
	case ev.Type == engine.EventStreamStopped:
		if gain(h, C.SLOT_ENDED|C.SLOT_RESET) {
			s.settle(ev.Object)
		}
	case ev.Type == engine.EventStreamReset:
		gain(h, C.SLOT_STOPPED)
	case ev.Type == engine.EventStreamData:
		arrive(h, ev.DataLen)
		if ev.Flags&engine.FlagEnd != 0 {
			gain(h, C.SLOT_STOPPED)
		}
	}
}

// Drained implements engine.Sink: it gives credit back, and tells a consumer that was refused once half of it is there again.
func (s *sink) Drained(h engine.Handle, n int) {
	p, account := &slots[indexOf(uint64(h))], &accounts[s.account]
	for {
		credit := p.credit.Load()
		pending := credit >> 1
		left := min(uint64(n), pending)
		pending -= left
		owed := credit & 1
		mark := account.mark()
		if pending <= mark/2 {
			owed = 0
		}
		if !p.credit.CompareAndSwap(credit, pending<<1|owed) {
			continue
		}
		account.give(left)
		if credit&1 != 0 && owed == 0 {
			s.writable(h, mark-pending)
		}
		return
	}
}

// settle is told that what still waits of an object will never leave, though the object lives on: it is off the account now. Whoever calls
// sees to it that the object does not end meanwhile.
func (s *sink) settle(h engine.Handle) {
	if waiting := slots[indexOf(uint64(h))].credit.Swap(0) >> 1; waiting != 0 {
		accounts[s.account].give(waiting)
	}
}

// owed emits the WRITABLE event of a write that found no room in the submission ring, unless Drained has it still to do.
func (s *sink) owed(h engine.Handle) { s.Drained(h, 0) }

func (s *sink) writable(h engine.Handle, room uint64) {
	r, _ := s.Reserve(engine.Terminal, 0, nil)
	parent := engine.Handle(s.server.handle)
	if uint64(h)>>kindShift == kindStream {
		parent = engine.Handle(entryOf(indexOf(uint64(h))).parent.Load())
	}
	s.commit(r, &engine.Event{Type: engine.EventWritable, Object: h, Parent: parent, Aux: room})
}
