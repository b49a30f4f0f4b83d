package session

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"zigh3/engine/datagram"
	"zigh3/engine/link"
	"zigh3/engine/message"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A Session is a WebTransport session, from SESSION_REQUEST, or the wish for one, to SESSION_CLOSED. Sink.Issue or Sink.IssueFor gets it as
// the object of a handle of KindSession. Its exported methods never block, may be called by one goroutine at a time (the reactor), and do nothing once the
// session has ended.
type Session struct {
	link.Node
	set       *Set
	c         *link.Conn
	wish      *Wish       // nil: the peer asked for it
	attached  atomic.Bool // one of ours has its connection
	dialect   *wire.Dialect
	id        uint64 // of the CONNECT stream
	x         message.Framed
	handle    sink.Handle
	userData  uint64
	offered   []string
	fields    []wire.Field // that the response has to have besides
	datagrams *datagram.Flow
	flow      flowControl
	order     sendOrder
	counters  counters

	wake     chan struct{} // for the reader: decided, or ended
	touched  atomic.Bool   // it is among those to refresh
	answered atomic.Bool   // its answer has left, as far as it matters
	place    int           // there, under its lock
	claimed  bool          // accepted, and not about to end; under the set's lock

	mu           sync.Mutex
	out          message.Outbox // of the CONNECT stream
	due          dueCapsules
	granted      [3]uint64 // limits that the peer was told of beyond the first ones: of streams, by kind, and of bytes
	blockedAt    [3]uint64 // the peer's, each plus one, that it was told of as used up
	incoming     wire.CapsuleReader
	budget       capsuleBudget
	peerClosed   bool        // a CLOSE capsule has come
	peerEnded    bool        // and the end of the peer's side, which is still to be read
	endsWithPeer bool        // our side ends together with the peer's, later
	decided      bool        // accepted, and to be opened as soon as it can be; or rejected
	accepted     *acceptance // waits for the peer's SETTINGS
	open         bool        // the answer that opens it was written, or tried
	announced    bool        // SESSION_OPENED was emitted
	stoppedBy    error       // the peer takes no more of our side, and has a while to say why
	wantsDrain   bool        // the peer was asked to end it, or is as soon as it is open
	peerDrained  bool
	ending       bool // how it ends is decided
	finished     bool // SESSION_CLOSED is emitted, or about to be
	told         bool // SESSION_CLOSED was emitted
	result       sessionEnd
	early        []earlyStream
	waiting      [2][]*Stream // ours, for the peer's limit
	streams      map[*Stream]struct{}
	running      int // goroutines that emit something about it
	cutStreams   []*Stream
	timer        *time.Timer
	unwatch      func() bool
	readerGone   bool
	released     bool  // nothing of it is left on the wire, or soon
	later        later // for when the lock is given up
	answering    answering
}

// counters are what sink.SessionStats is made of, beside the flow of datagrams.
type counters struct {
	streamsIn, streamsOut, bytesIn, bytesOut atomic.Uint64
}

// CloseWith ends the session with a code and a reason that the peer gets. Before the decision it rejects with 500.
func (s *Session) CloseWith(code uint32, reason string) { s.close(code, reason, sink.OK) }

// Drain asks the peer to end the session soon.
func (s *Session) Drain() {
	s.mu.Lock()
	first := !s.wantsDrain
	s.wantsDrain = true
	if first && s.open {
		s.due.drain = true
		s.flush()
	}
	s.Unlock()
}

// SendDatagram queues a datagram; data is valid during the call. What has waited for longer than maxAge is dropped; 0 is no limit.
func (s *Session) SendDatagram(data []byte, maxAge time.Duration) {
	if s.waits() {
		return
	}
	if !s.answered.Load() {
		s.holdDatagrams()
	}
	s.datagrams.Send(data, maxAge)
	s.touch()
}

// DatagramOversized counts a datagram that was refused because it is larger than the limit.
func (s *Session) DatagramOversized() {
	if !s.waits() {
		s.c.Stats.Add(sink.StatDatagramsTooLarge, 1)
	}
}

// Live calls f unless the session has ended; until f returns it does not.
func (s *Session) Live(f func()) {
	s.mu.Lock()
	if !s.finished {
		f()
	}
	s.Unlock()
}

// Lock implements message.Sender.
func (s *Session) Lock() { s.mu.Lock() }

// Unlock implements message.Sender. It does what had to wait for that; whoever leaves last after the end was decided emits it.
func (s *Session) Unlock() {
	for {
		switch {
		case s.later.some:
			todo := s.later
			s.later = later{}
			s.running++
			s.mu.Unlock()
			s.doLater(&todo)
			s.mu.Lock()
			s.running--
		case s.ending && len(s.streams) == 0 && s.running == 0 && !s.finished:
			s.finished = true
			s.running++
			s.mu.Unlock()
			s.terminate()
			s.mu.Lock()
			s.told = true
			s.running--
			s.settle()
		default:
			s.mu.Unlock()
			return
		}
	}
}

// event completes an event of the session.
func (s *Session) event(ev *sink.Event) *sink.Event {
	ev.Object, ev.Parent, ev.Conn, ev.UserData = s.handle, s.c.Parent, s.c.Handle, s.userData
	return ev
}

// commit publishes an event of the session's datagrams, unless it has ended.
func (s *Session) commit(rec sink.Record, ev *sink.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finished || !s.open {
		return false
	}
	ev.Object, ev.UserData = s.handle, s.userData
	s.c.Sink.Commit(rec, ev)
	return true
}

// peerDrains is told of the peer's wish that the session end soon. The consumer hears of the first one, once it knows of the session.
func (s *Session) peerDrains() {
	s.mu.Lock()
	first := !s.peerDrained
	s.peerDrained = true
	if first && s.open && !s.ending {
		s.tellDraining()
	}
	s.Unlock()
}

// tellDraining emits SESSION_DRAINING. s.mu is held.
func (s *Session) tellDraining() {
	rec, _ := s.c.Sink.Reserve(sink.Terminal, 0, nil)
	s.c.Sink.Commit(rec, s.event(&sink.Event{Type: sink.EventSessionDraining}))
}

// add puts a stream into the session, unless it ends already. s.mu is held.
func (s *Session) add(st *Stream) bool {
	if !s.open || s.ending {
		return false
	}
	if s.streams == nil {
		s.streams = make(map[*Stream]struct{})
	}
	s.streams[st] = struct{}{}
	s.c.Stats.Add(sink.StatStreamsTotal, 1)
	s.c.Stats.Add(sink.StatStreamsActive, 1)
	return true
}

// remove takes an ended stream out.
func (s *Session) remove(st *Stream) {
	var limit uint64
	queued := false
	switch {
	case !st.ours:
		limit = s.flow.theirStreamEnded(st.kind)
	case st.send == nil: // it may still wait
		if queued = s.set.unwait(st); queued {
			s.flow.unopen(st.kind)
		}
	}
	s.mu.Lock()
	if _, ok := s.streams[st]; ok {
		delete(s.streams, st)
		s.c.Stats.Sub(sink.StatStreamsActive)
	}
	if st.ours && st.send == nil {
		if i := slices.Index(s.waiting[st.kind], st); i >= 0 {
			s.waiting[st.kind] = slices.Delete(s.waiting[st.kind], i, i+1)
		}
	}
	if queued && !s.ending {
		s.openWaiting(st.kind)
	}
	if limit > 0 && !s.ending {
		s.grant(st.kind, limit)
	}
	s.Unlock()
}
