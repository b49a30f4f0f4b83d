package main

import (
	"zigh3/engine/session"
	"zigh3/engine/sink"
)

// echoPattern is where sessions get everything back, with -sessions.
const echoPattern = "/echo"

// session deals with an event of a session or of one of its streams.
func (r *reactor) session(e *entry) {
	switch e.Type {
	case sink.EventSessionRequest:
		if s := objectOf[*session.Session](r.queue, e.Object); s != nil {
			s.Accept("", nil)
		}
	case sink.EventSessionDatagram:
		if s := objectOf[*session.Session](r.queue, e.Object); s != nil {
			s.SendDatagram(e.data(), 0)
		}
	case sink.EventStreamData:
		s := objectOf[*session.Stream](r.queue, e.Object)
		if s == nil {
			return
		}
		s.Write(sink.Chunk{Bytes: e.data()})
		s.Consumed(uint64(e.DataLen))
		if e.Flags&sink.FlagEnd != 0 {
			s.End()
		}
	}
}

func (e *entry) data() []byte { return e.payload[sink.DataOffset(int(e.MetaLen)):][:e.DataLen] }

// objectOf is what a handle names, nil if that has ended.
func objectOf[T any](q *queue, h sink.Handle) (value T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if o := q.place(h); o.handle == h {
		value, _ = o.value.(T)
	}
	return value
}
