package client

import (
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/wire"
)

// Prioritize gives the fetch another priority (RFC 9218): of what it still sends, and, by PRIORITY_UPDATE, of its response. One that waits goes out
// with it.
func (f *Fetch) Prioritize(p wire.Priority) {
	f.mu.Lock()
	defer f.unlock()
	if f.ended {
		return
	}
	f.priority, f.hasPriority = p, true
	f.head, f.headSize = reprioritize(f.head, f.headSize, p)
	tr := f.try
	if tr.c == nil || tr.received {
		return
	}
	tr.prioritize(tr.x.S)
	if err := tr.c.SendControl(priorityUpdate(tr.x.ID(), p)); err != nil {
		tr.c.Unsent("PRIORITY_UPDATE", err)
	}
}

// prioritize tells QUIC of the priority of what is sent. One that says nothing has the usual urgency and takes turns, as quic-go has it. f.mu is
// held.
func (tr *try) prioritize(s *quic.Stream) {
	if f := tr.f; f.hasPriority {
		s.SetPriority(int8(f.priority.Urgency), f.priority.Incremental)
	}
}

// priorityUpdate is the frame that says so of a request.
func priorityUpdate(id uint64, p wire.Priority) []byte {
	payload := wire.AppendPriorityUpdate(nil, id, p)
	frame := wire.AppendFrameHead(make([]byte, 0, len(payload)+2*quicvarint.Len(wire.FramePriorityUpdateRequest)), wire.FramePriorityUpdateRequest, uint64(len(payload)))
	return append(frame, payload...)
}

// reprioritize gives a request's head another field priority, or the first.
func reprioritize(head []byte, size int, p wire.Priority) (packed []byte, newSize int) {
	for list := (wire.PackedReader{Rest: head}); ; {
		entry := list.Rest
		name, value, ok := list.Next()
		if !ok {
			break
		}
		if string(name) == wire.FieldPriority {
			size -= len(name) + len(value) + 32
			continue
		}
		packed = append(packed, entry[:len(entry)-len(list.Rest)]...)
	}
	value := wire.AppendPriority(nil, p)
	return wire.AppendPacked(packed, wire.FieldPriority, string(value)), size + len(wire.FieldPriority) + len(value) + 32
}
