package main

/*
#include "session.h"
#include "submission.h"
*/
import "C"

import (
	"encoding/binary"
	"math"
	"unsafe"

	"zigh3/engine/session"
	"zigh3/engine/sink"
	"zigh3/eventq"
)

// issueSession gives out the handle of a session, with its struct in C.
func (s *queueSink) issueSession(parent sink.Handle, session *session.Session) (sink.Handle, bool) {
	inC := C.session_new(nil, 0)
	if inC == nil {
		return 0, false
	}
	h, ok := s.issue(kindSession, parent, unsafe.Pointer(session))
	if !ok {
		C.session_free(inC)
		return 0, false
	}
	put(h, inC)
	return h, true
}

// put hangs a session's struct into its slot: in C, so that its threads' tools see the order.
func put(h sink.Handle, inC *C.struct_session) {
	C.session_put((*C.struct_slot)(unsafe.Pointer(&slots[indexOf(uint64(h))])), inC)
}

// Offered implements sink.Sink. The host does not know of the session yet.
func (s *queueSink) Offered(h sink.Handle, protocols []string) {
	var list []byte
	for _, p := range protocols {
		if len(p) <= math.MaxUint16 {
			list = binary.NativeEndian.AppendUint16(list, uint16(len(p)))
			list = append(list, p...)
		}
	}
	// Without memory nothing was offered: an accept with a protocol is refused, one without goes on.
	if inC := C.session_new((*C.uint8_t)(unsafe.SliceData(list)), C.uint32_t(len(list))); inC != nil {
		put(h, inC)
	}
}

// The counters' memory is laid out in C.
var _ [C.SESSION_STATS_MAX - sink.SessionStatCount]struct{}

// SessionStats implements sink.Sink.
func (s *queueSink) SessionStats(h sink.Handle, values *sink.SessionStats) {
	C.session_count(C.zig_h3_handle(h), (*C.uint64_t)(&values[0]), C.uint32_t(len(values)))
}

// openStream has a stream opened that the host has the handle of already. When the session has ended in the meantime, so has the
// stream.
func openStream(h *eventq.Head) {
	stream := h.Aux
	entryOf(indexOf(stream)).parent.Store(h.Object)
	if session, _ := objectOf[session.Session](h.Object, kindSession); session != nil {
		session.OpenStream(sink.Handle(stream), h.Flags&C.SUBMIT_UNIDIRECTIONAL != 0, h.Flags&C.SUBMIT_WAIT != 0)
		return
	}
	s := sinkOf(h.Status)
	if s == nil {
		release(stream)
		return
	}
	kind := uint32(C.ZIG_H3_WT_BIDIRECTIONAL)
	if h.Flags&C.SUBMIT_UNIDIRECTIONAL != 0 {
		kind = C.ZIG_H3_WT_UNIDIRECTIONAL
	}
	r, _ := s.Reserve(sink.Terminal, 0, nil)
	release(stream)
	s.commit(r, &sink.Event{Type: sink.EventStreamEnded, Object: sink.Handle(stream), Parent: sink.Handle(h.Object),
		Code: sink.ErrClosed, Status: kind})
	flood(s.events, h.Object)
}
