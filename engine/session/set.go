package session

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/datagram"
	"zigh3/engine/link"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// Options are what a set holds its sessions to. Nothing in them changes.
type Options struct {
	Own    wire.Settings // what we announce
	Server wire.Settings // what the server announces, where that is us; the peer's SETTINGS where it is not
	Limits *wire.FieldLimits

	ReceiveWindow   int           // bytes of one stream that may wait for the consumer
	DecisionTimeout time.Duration // from the request to the acceptance or rejection
	CapsuleTimeout  time.Duration // that a peer may leave a capsule of ours waiting
	CapsuleBudget   int           // capsules that tell nothing new, within a window of link.Env.ResetPeriod
	WriteTimeout    time.Duration // without a byte taken of a rejection
	EarlyStreams    int           // that may wait for their session, of a connection and of each session
	EarlyTimeout    time.Duration // that they may wait for a session that nobody has asked for
	Date            bool          // responses get one
}

// A Set is the sessions of one connection.
type Set struct {
	c     *link.Conn
	o     *Options
	flows *datagram.Flows

	ctx    context.Context // of what waits for the connection; done once that is gone
	cancel context.CancelFunc

	mu       sync.Mutex
	gone     bool
	sessions map[uint64]*Session // by id, from the request until nothing is left on the wire
	past     [rememberedSessions]uint64
	pasts    int
	claims   uint64 // sessions that are claimed, also those that are not among sessions yet
	early    []earlyStream
	refused  [rememberedSessions]refusal
	refusals int
	expiry   *time.Timer // of early; nil: none was set yet
	opening  [2]openQueue
	settled  bool

	refresh refresh
}

// rememberedSessions is how many sessions that have gone a connection remembers: streams of theirs may still come, and are no early ones.
const rememberedSessions = 16

// Init sets a set up, before its connection is announced.
func (t *Set) Init(c *link.Conn, o *Options, flows *datagram.Flows) {
	t.c, t.o, t.flows = c, o, flows
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.refresh.set = t
}

// insert takes a session up, with the streams that have come before it. It reports false when the connection goes.
func (t *Set) insert(s *Session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone {
		return false
	}
	if t.sessions == nil {
		t.sessions = make(map[uint64]*Session)
	}
	t.sessions[s.id] = s
	t.adopt(s)
	return true
}

// forget lets go of a session.
func (t *Set) forget(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[s.id] != s {
		return
	}
	delete(t.sessions, s.id)
	t.past[t.pasts%rememberedSessions] = s.id + 1
	t.pasts++
}

// Each calls f for the sessions that there are now, and says how many.
func (t *Set) Each(f func(s *Session)) (n int) {
	t.mu.Lock()
	sessions := make([]*Session, 0, len(t.sessions))
	for _, s := range t.sessions {
		sessions = append(sessions, s)
	}
	t.mu.Unlock()
	for _, s := range sessions {
		f(s)
	}
	return len(sessions)
}

// claim makes a session one of those that the connection may have at a time, if there may be one more. Those that end do not count: a peer
// that asks for the next has heard of their end.
func (t *Set) claim(s *Session, most uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.claims >= most {
		return false
	}
	t.claims++
	s.claimed = true
	return true
}

// disclaim takes that back.
func (t *Set) disclaim(s *Session) {
	t.mu.Lock()
	if s.claimed {
		s.claimed = false
		t.claims--
	}
	t.mu.Unlock()
}

// Settled tells that the peer's SETTINGS are there: sessions that were accepted before are opened now.
func (t *Set) Settled() {
	t.mu.Lock()
	t.settled = true
	t.mu.Unlock()
	t.Each((*Session).peerSettled)
}

// Drain asks the peer to end all sessions soon.
func (t *Set) Drain() { t.Each((*Session).Drain) }

// PeerDrains tells the consumer that the peer wants all sessions to end soon: it has sent GOAWAY.
func (t *Set) PeerDrains() { t.Each((*Session).peerDrains) }

// CloseAll ends all sessions, why being the consumer's code, and says how many there still are on the wire.
func (t *Set) CloseAll(why sink.Code) int {
	return t.Each(func(s *Session) { s.close(0, "", why) })
}

// Lost is told that the connection has gone.
func (t *Set) Lost() {
	t.mu.Lock()
	t.gone = true
	early := t.early
	t.early = nil
	if t.expiry != nil {
		t.expiry.Stop()
	}
	t.mu.Unlock()
	t.cancel()
	for i := range early {
		early[i].refuse(wire.ErrCodeSessionGone, nil)
	}
}

// UniStream takes a unidirectional stream of the peer's, of whose header the type was read and the rest is there.
func (t *Set) UniStream(s *quic.ReceiveStream) {
	var b [8]byte
	_, err := s.Peek(b[:1])
	n := 1 << (b[0] >> 6)
	var id uint64
	if err == nil {
		_, err = io.ReadFull(s, b[:n])
	}
	if err == nil {
		id, _, err = quicvarint.Parse(b[:n])
	}
	if err != nil { // it was reset meanwhile: QUIC keeps a stream of which nobody has read, or wants to hear, the end
		s.CancelRead(quic.StreamErrorCode(wire.ErrCodeSessionGone))
		return
	}
	t.arrived(id, earlyStream{kind: Unidirectional, receive: s, header: n + uniType})
}

// uniType is how long the type of a unidirectional stream is.
var uniType = quicvarint.Len(wire.StreamTypeUni)

// Stream takes a bidirectional stream of the peer's whose header, for the session with this id, was read.
func (t *Set) Stream(session uint64, s *quic.Stream) {
	t.arrived(session, earlyStream{kind: Bidirectional, send: s, receive: s, header: wire.StreamHeaderLen(false, session)})
}

// arrived brings a stream to its session.
func (t *Set) arrived(id uint64, e earlyStream) {
	if id%4 != 0 {
		t.c.Breach(http3.ErrCodeIDError, "the id of a session that no client can have opened")
		return
	}
	if s := t.keep(id, &e); s != nil {
		s.arrived(e)
	}
}
