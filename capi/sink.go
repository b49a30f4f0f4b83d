package main

/*
#include "handle.h"
#include "../include/zig_h3.h"
*/
import "C"

import (
	"bytes"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"zigh3/engine/client"
	"zigh3/engine/server"
	"zigh3/engine/session"
	"zigh3/engine/sink"
	"zigh3/eventq"
)

// A queueSink carries the events of one server's or client's connections to one queue.
type queueSink struct {
	events  *eventq.Queue
	queue   uint64      // its handle
	server  *hostServer // or
	client  *hostClient
	account uint32 // what waits of its responses, requests and streams: accounts[account]
	number  uint32 // see sinkOf
	leaving atomic.Bool
	stalled atomic.Bool // as the server was told last
}

// A datagramSender is a connection as far as the host addresses it.
type datagramSender interface {
	SendDatagram(data []byte, maxAge time.Duration)
	DatagramOversized()
}

// Issue implements sink.Sink.
func (s *queueSink) Issue(kind sink.Kind, parent sink.Handle, obj any) (sink.Handle, bool) {
	switch kind {
	case sink.KindRequest:
		return s.issue(kindRequest, parent, unsafe.Pointer(obj.(*server.Request)))
	case sink.KindSession:
		return s.issueSession(parent, obj.(*session.Session))
	case sink.KindStream:
		return s.issue(kindStream, parent, unsafe.Pointer(obj.(*session.Stream)))
	default:
		sender := obj.(datagramSender)
		return s.issue(kindConn, parent, unsafe.Pointer(&sender))
	}
}

// issue gives out the handle of an object of the engine's. To the host it is no live one before the event that tells of the object.
func (s *queueSink) issue(kind uint64, parent sink.Handle, object unsafe.Pointer) (sink.Handle, bool) {
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
	return sink.Handle(name(kind, index, 0, C.SLOT_UNTOLD)), true
}

// bind tells the reactor what a slot's handle stands for.
func (s *queueSink) bind(index uint32, parent sink.Handle, object unsafe.Pointer) {
	e := entryOf(index)
	e.parent.Store(uint64(parent))
	e.sink.Store(s)
	atomic.StorePointer(&e.object, object)
}

// IssueFor implements sink.Sink: the handle was issued by the host's call that opens a stream or asks a client for something. The reactor has
// noted whose it is.
func (s *queueSink) IssueFor(h sink.Handle, obj any) bool {
	index := indexOf(uint64(h))
	var kind uint64
	var object unsafe.Pointer
	switch obj := obj.(type) {
	case *session.Stream:
		kind, object = kindStream, unsafe.Pointer(obj)
	case *session.Session:
		kind, object = kindSession, unsafe.Pointer(obj)
	case *client.Fetch:
		kind, object = kindFetch, unsafe.Pointer(obj)
	case *client.Connecting:
		kind, object = kindConnect, unsafe.Pointer(obj)
	}
	if uint64(h)>>kindShift != kind || (slots[index].word.Load()^uint64(h))&nameMask != 0 {
		return false
	}
	s.bind(index, sink.Handle(entryOf(index).parent.Load()), object)
	return true
}

// Release implements sink.Sink.
func (s *queueSink) Release(h sink.Handle) (wanted bool) { return release(uint64(h)) }

// Reserve implements sink.Sink.
func (s *queueSink) Reserve(class sink.Class, n int, done <-chan struct{}) (sink.Record, bool) {
	var r eventq.Record
	var ok bool
	switch class {
	case sink.Bulk:
		r, ok = s.events.Reserve(eventq.Bulk, n, done)
	case sink.Terminal:
		r, _ = s.events.Reserve(eventq.Lossless, n, nil)
		ok = true // of a closed queue too: what is committed then goes nowhere
	case sink.Patient:
		r, ok = s.events.Reserve(eventq.Patient, n, nil)
	default:
		r, ok = s.events.Reserve(eventq.LossyOf(uint16(sink.EventLog)), n, nil)
	}
	return sink.Record{Payload: r.Payload, Token: r.Token}, ok
}

// Room implements sink.Sink.
func (s *queueSink) Room() <-chan struct{} { return s.events.Room() }

// stallAfter is how long a consumer may take nothing, with its queue full, before connections go elsewhere.
const stallAfter = 5 * time.Second

// Stalled implements sink.Sink. The server's other queues hear of it.
func (s *queueSink) Stalled() bool {
	stalled := s.events.Stalled() >= stallAfter
	if s.stalled.Swap(stalled) != stalled && s.server != nil {
		aside("stall", func() { s.server.reportStall(s, stalled) }) // the server holds a lock
	}
	return stalled
}

// Lose implements sink.Sink.
func (s *queueSink) Lose(t sink.EventType, n uint64) { s.events.Lose(uint16(t), n) }

// Abort implements sink.Sink.
func (s *queueSink) Abort(r sink.Record) {
	s.events.Abort(eventq.Record{Payload: r.Payload, Token: r.Token})
}

// Commit implements sink.Sink. What the slot has to know of an event it knows before the consumer can see the event.
func (s *queueSink) Commit(r sink.Record, ev *sink.Event) {
	switch ev.Type {
	case sink.EventRequest:
		announce(uint64(ev.Object), ofRequest(r.Payload, ev))
	case sink.EventConnOpened, sink.EventSessionRequest:
		announce(uint64(ev.Object), 0)
	case sink.EventBody, sink.EventBodyEnd, sink.EventH3Datagram, sink.EventDatagramsDropped:
		if forgotten(uint64(ev.Object)) { // the host has answered with FORGET, the answer is on its way
			s.Abort(r)
			return
		}
		if ev.Type == sink.EventBody {
			arrive(uint64(ev.Object), ev.DataLen)
		}
	case sink.EventSessionOpened:
		gain(uint64(ev.Object), C.SLOT_OPEN)
	case sink.EventStreamOpened, sink.EventStreamData, sink.EventStreamReset, sink.EventStreamStopped:
		s.noteStream(ev)
	case sink.EventStreamAtomic:
		s.Drained(ev.Object, int(ev.Aux)) // sent or not, it waits no more: the host that sees the event has the room
	case sink.EventClientClosed:
		s.client.closing()
	case sink.EventServerStarted:
		s.server.setPort(uint16(ev.Status))
	case sink.EventServerStopped:
		if !s.leaving.Load() { // else it is only this queue that the server has left
			s.server.setPort(0)
		}
	}
	s.commit(r, ev)
	if ev.Type == sink.EventStreamEnded {
		flood(s.events, uint64(ev.Parent))
	}
}

func (s *queueSink) commit(r sink.Record, ev *sink.Event) {
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

// ofRequest gives what the slot of a request has to know for its response's calls.
func ofRequest(payload []byte, ev *sink.Event) (bits uint64) {
	if bytes.HasPrefix(payload, headRequest) {
		bits = C.SLOT_HEAD
	}
	if ev.Flags&sink.FlagBuffered != 0 {
		bits |= C.SLOT_BUFFERED
	}
	return bits
}

// noteStream tells the slot of a stream which of its sides are over.
func (s *queueSink) noteStream(ev *sink.Event) {
	h := uint64(ev.Object)
	switch {
	case h>>kindShift == kindFetch: // stopped: its response still comes, and it may be cancelled
		gain(h, C.SLOT_ENDED)
	case ev.Type == sink.EventStreamOpened && ev.Flags&sink.FlagRemote != 0:
		if ev.Status == C.ZIG_H3_WT_UNIDIRECTIONAL {
			announce(h, C.SLOT_ENDED|C.SLOT_RESET)
		} else {
			announce(h, 0)
		}
	case ev.Type == sink.EventStreamStopped:
		if gain(h, C.SLOT_ENDED|C.SLOT_RESET) {
			s.settle(ev.Object)
		}
	case ev.Type == sink.EventStreamReset:
		gain(h, C.SLOT_STOPPED)
	case ev.Type == sink.EventStreamData:
		arrive(h, ev.DataLen)
		if ev.Flags&sink.FlagEnd != 0 {
			gain(h, C.SLOT_STOPPED)
		}
	}
}

// Drained implements sink.Sink: it gives credit back, and tells a consumer that was refused once half of it is there again.
func (s *queueSink) Drained(h sink.Handle, n int) {
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
func (s *queueSink) settle(h sink.Handle) {
	if waiting := slots[indexOf(uint64(h))].credit.Swap(0) >> 1; waiting != 0 {
		accounts[s.account].give(waiting)
	}
}

// Datagrams implements sink.Sink: see capi/handle.h for the account.
func (s *queueSink) Datagrams(h sink.Handle, limit, returned int) {
	p := &slots[indexOf(uint64(h))]
	for {
		now := p.datagrams.Load()
		places := min(now&0xffff+uint32(returned), 0xffff)
		if p.datagrams.CompareAndSwap(now, uint32(min(limit, 0xffff))<<16|places) {
			break
		}
	}
	if uint64(h)>>kindShift == kindFetch {
		gain(uint64(h), C.SLOT_OPEN) // what it may send is known now
	}
}

// owed emits the WRITABLE event of a write that found no room in the submission ring, unless Drained has it still to do.
func (s *queueSink) owed(h sink.Handle) { s.Drained(h, 0) }

// writable tells a consumer that was refused of room, unless it has ended the response or this side of the stream meanwhile.
func (s *queueSink) writable(h sink.Handle, room uint64) {
	if slots[indexOf(uint64(h))].word.Load()&C.SLOT_ENDED != 0 {
		return
	}
	r, _ := s.Reserve(sink.Terminal, 0, nil)
	s.commitWritable(r, h, room)
}

func (s *queueSink) commitWritable(r sink.Record, h sink.Handle, room uint64) {
	var parent sink.Handle
	switch {
	case uint64(h)>>kindShift == kindStream:
		parent = sink.Handle(entryOf(indexOf(uint64(h))).parent.Load())
	case s.client != nil:
		parent = sink.Handle(s.client.handle)
	default:
		parent = sink.Handle(s.server.handle)
	}
	s.commit(r, &sink.Event{Type: sink.EventWritable, Object: h, Parent: parent, Aux: room})
}

// sinks are those that live, by number: the host's side knows the sink of a session by it, for streams that it opens just when the
// session ends.
var sinks = struct {
	sync.Mutex
	last     uint32
	byNumber map[uint32]*queueSink
}{byNumber: map[uint32]*queueSink{}}

// enrol gives a sink its number.
func (s *queueSink) enrol() *queueSink {
	sinks.Lock()
	defer sinks.Unlock()
	for s.number == 0 || sinks.byNumber[s.number] != nil {
		sinks.last++
		s.number = sinks.last
	}
	sinks.byNumber[s.number] = s
	return s
}

// dismiss forgets a sink that carries nothing any more.
func (s *queueSink) dismiss() {
	sinks.Lock()
	defer sinks.Unlock()
	delete(sinks.byNumber, s.number)
}

// dismiss forgets the sinks of a server that is no more.
func (s *hostServer) dismiss() {
	sinks.Lock()
	defer sinks.Unlock()
	for number, one := range sinks.byNumber {
		if one.server == s {
			delete(sinks.byNumber, number)
		}
	}
}

// sinkOf is the sink with that number; nil when its server is no more.
func sinkOf(number uint32) *queueSink {
	sinks.Lock()
	defer sinks.Unlock()
	return sinks.byNumber[number]
}
