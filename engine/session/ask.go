package session

import (
	"slices"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/message"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A Request is a peer's wish for a session.
type Request struct {
	Route    uint32
	UserData uint64
	Fields   []byte       // of its head, packed; valid during the call
	Offered  []string     // subprotocols
	Answer   []wire.Field // what the response is to have besides what the consumer gives
}

// Ask makes a session of a request whose header block was read from s, and tells the consumer. It reports false when that cannot be: the
// stream is still the caller's then. It may wait for room in the consumer's queue.
func (t *Set) Ask(stream *quic.Stream, r *Request) bool {
	c := t.c
	s := &Session{set: t, c: c, id: uint64(stream.StreamID()), userData: r.UserData, offered: r.Offered, fields: r.Answer,
		wake: make(chan struct{}, 1)}
	s.x = message.Framed{S: stream, Reader: message.NewConnectReader(stream, t.o.Limits)}
	s.out.Init(s, &s.x, t.o.CapsuleTimeout)
	s.MarkShared()
	var ok bool
	if s.handle, ok = c.Sink.Issue(sink.KindSession, c.Handle, s); !ok {
		return false
	}
	if len(s.offered) > 0 {
		c.Sink.Offered(s.handle, s.offered)
	}
	s.datagrams = t.flows.Open(s.id, sink.Event{Type: sink.EventSessionDatagram, Parent: c.Parent, Conn: c.Handle}, s.commit)
	s.datagrams.Notify(s.touch)
	rec, ok := c.Sink.Reserve(sink.Bulk, sink.PayloadSize(len(r.Fields), 0), c.Done)
	// Nothing may end it between its begin and SESSION_REQUEST: it would end a handle that the consumer was not told of.
	s.mu.Lock()
	if ok && !s.begin() {
		c.Sink.Abort(rec)
		ok = false
	}
	if !ok {
		s.mu.Unlock()
		s.datagrams.Close()
		c.Sink.Release(s.handle)
		return false
	}
	copy(rec.Payload, r.Fields)
	c.Stats.Add(sink.StatSessionsTotal, 1)
	c.Sink.Commit(rec, s.event(&sink.Event{Type: sink.EventSessionRequest, Status: r.Route, MetaLen: uint32(len(r.Fields)), Aux: s.id}))
	c.Spawn("session", s.read)
	s.Unlock()
	return true
}

// begin makes the session one of its connection's. It reports false when the connection goes. s.mu is held.
func (s *Session) begin() bool {
	if !s.c.Add(&s.Node, s) {
		return false
	}
	if s.set.insert(s) {
		return true
	}
	s.ending, s.finished, s.released = true, true, true // whoever ends what the connection carries may have it in hand already
	s.c.Remove(&s.Node)
	return false
}

// An acceptance is what the consumer accepted a session with.
type acceptance struct {
	protocol string
	headers  []byte
}

// Accept takes a session that was asked for. protocol, if not empty, is one that the peer offered; headers is a packed list for the
// response, valid during the call. If the peer's SETTINGS are not there yet, the session opens with them.
func (s *Session) Accept(protocol string, headers []byte) {
	s.mu.Lock()
	if !s.decided && !s.ending {
		s.decided = true
		s.accepted = &acceptance{protocol, append([]byte(nil), headers...)}
		if s.c.Settings() != nil {
			s.opens()
		}
	}
	s.Unlock()
}

// peerSettled opens a session that was accepted before the peer's SETTINGS were there.
func (s *Session) peerSettled() {
	s.mu.Lock()
	s.opens()
	s.Unlock()
}

// Reject answers the request of a session with status, headers and body.
func (s *Session) Reject(status int, headers []byte, body sink.Chunk) {
	s.mu.Lock()
	if !s.decided && !s.ending {
		s.reject(status, headers, body, sessionEnd{Outcome: message.Outcome{Code: sink.ErrCancelled}})
	} else {
		body.Release()
	}
	s.Unlock()
}

// reject answers with anything but an open session. s.mu is held.
func (s *Session) reject(status int, headers []byte, body sink.Chunk, end sessionEnd) {
	s.decided = true
	s.c.Stats.Add(sink.StatSessionsRejected, 1)
	s.out.Init(s, &s.x, s.set.o.WriteTimeout)
	s.out.Put(&message.Part{Head: true, Status: status, Headers: headers, Length: int64(len(body.Bytes)), Date: s.set.o.Date, Body: body, End: true})
	s.end(end)
}

// opens opens a session that was accepted, if nothing is in the way. s.mu is held.
func (s *Session) opens() {
	a := s.accepted
	if a == nil || s.ending {
		return
	}
	s.accepted = nil
	c, o := s.c, s.set.o
	headers := a.headers
	if a.protocol != "" {
		value, err := wire.FormatProtocol(a.protocol)
		if err != nil || !slices.Contains(s.offered, a.protocol) {
			s.reject(500, nil, sink.Chunk{}, sessionEnd{Outcome: message.Outcome{Code: sink.ErrInvalidArgument, Text: "the peer did not offer this protocol"}})
			return
		}
		headers = wire.AppendPacked(headers, wire.FieldProtocol, value)
	}
	peer := c.Settings()
	dialect, err := wire.DialectOf(*peer, true)
	if err != nil {
		s.reject(501, nil, sink.Chunk{}, sessionEnd{Outcome: message.Outcome{Code: sink.ErrNotNegotiated, Flags: sink.FlagAborted, Text: err.Error()}})
		return
	}
	flowControl := dialect.FlowControl(&o.Own, peer)
	if !s.set.claim(s, dialect.MaxSessions(&o.Own, flowControl)) {
		c.Stats.Add(sink.StatSessionsRejected, 1)
		s.x.Abort(http3.ErrCodeRequestRejected)
		s.end(sessionEnd{Outcome: message.Outcome{Code: sink.ErrNotNegotiated, Flags: sink.FlagAborted,
			Text: "the peer has a session on this connection already, and does not limit what each may send"}})
		return
	}
	for _, field := range s.fields {
		headers = wire.AppendPacked(headers, field.Name, field.Value)
	}
	s.flow.begin(flowControl, o.Own.Limits(), peer.Limits())
	s.incoming = dialect.Capsules(flowControl)
	s.opened(a.protocol, headers)
}

// opened tells the consumer, and the peer with headers where that has asked, and lets things come. s.mu is held.
func (s *Session) opened(protocol string, headers []byte) {
	c := s.c
	s.open = true
	c.Stats.Add(sink.StatSessionsActive, 1) // its end takes it off, and that may come with the answer that does not get out
	if s.timer != nil {
		s.timer.Stop()
	}
	meta := wire.AppendPacked(nil, "protocol", protocol)
	if s.wish != nil {
		s.answered.Store(true)
		meta = append(meta, headers...)
	} else {
		s.answer()
		s.out.Put(&message.Part{Head: true, Status: 200, Headers: headers, Length: -1, Date: s.set.o.Date})
	}
	if s.ending {
		return
	}
	rec, _ := c.Sink.Reserve(sink.Terminal, sink.PayloadSize(len(meta), 0), nil)
	copy(rec.Payload, meta)
	limit := s.datagrams.Announce(s.handle)
	s.refreshNow(len(s.streams))
	s.nudge()
	s.announced = true
	c.Sink.Commit(rec, s.event(&sink.Event{Type: sink.EventSessionOpened, Status: uint32(limit), MetaLen: uint32(len(meta))}))
	if s.peerDrained {
		s.tellDraining()
	}
	if s.wantsDrain || c.Draining() {
		s.wantsDrain = true
		s.due.drain = true
	}
	// For what was refused before.
	s.grant(Bidirectional, s.flow.streamsDue(Bidirectional))
	s.grant(Unidirectional, s.flow.streamsDue(Unidirectional))
	s.grant(ofBytes, s.flow.consumed(0))
	s.flush()
	s.later.some, s.later.start, s.later.early = true, true, s.early
	s.early = nil
	s.touch()
}

// Promote implements link.Item.
func (s *Session) Promote() {
	s.mu.Lock()
	if !s.ending {
		s.unwatch = s.x.Watch(s.stopped)
		if !s.open {
			s.timer = time.AfterFunc(s.set.o.DecisionTimeout, func() { sink.Guard("decision timeout", s.undecided) })
		}
	}
	s.Unlock()
}

// undecided ends a session that nobody has decided about in time, or whose peer never sent SETTINGS.
func (s *Session) undecided() {
	s.mu.Lock()
	switch {
	case s.open || s.ending:
	case s.wish != nil:
		s.c.Stats.Add(sink.StatTimeouts, 1)
		s.abandon(message.Outcome{Code: sink.ErrTimeout, Flags: sink.FlagAborted, Text: "the server has not answered in time"})
	default:
		s.c.Stats.Add(sink.StatTimeouts, 1)
		s.reject(503, nil, sink.Chunk{}, sessionEnd{Outcome: message.Outcome{Code: sink.ErrTimeout, Flags: sink.FlagAborted}})
	}
	s.Unlock()
}
