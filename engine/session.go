package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/webtransport-go"

	"zigh3/engine/sink"
)

// A Session is a WebTransport session, from SESSION_REQUEST to SESSION_CLOSED. Sink.Issue gets it as the object of a handle of
// KindSession. Its exported methods never block, may be called by one goroutine at a time (the reactor), and do nothing once the
// session has ended.
//
// The goroutine of its CONNECT stream waits for the decision and hands the stream to webtransport-go; then one of its own waits for the
// end, and brings it about (session_serve.go).
type Session struct {
	c        *conn
	x        *h3Stream
	handle   sink.Handle
	userData uint64
	offered  []string

	decision  chan sessionDecision // at most one
	closing   chan struct{}        // the consumer wants the end, or the server has it
	ctx       context.Context      // of all that waits for the session
	cancel    context.CancelFunc
	datagrams *h3Datagrams
	counters  sessionCounters
	touched   atomic.Bool // it is in the connection's list of sessions to refresh
	place     int         // there, under the list's lock
	claimed   bool        // accepted, and not about to end; under c.mu
	order     sendOrder
	openers   [2]opener // by kind of stream

	mu          sync.Mutex
	decided     bool
	open        bool
	ended       bool // SESSION_CLOSED is reserved: nothing more is emitted
	wt          *webtransport.Session
	connect     *connectStream // nil where http3 cannot be interposed
	wantsDrain  bool
	peerDrained bool
	closed      bool // the end has begun
	leaving     *leave
	closeCode   uint32
	closeText   string
	closeWhy    sink.Code // of the server; 0: the consumer's
	streams     map[*Stream]struct{}
	goroutines  int // of its own, and of its streams
	empty       sync.Cond
}

// sessionCounters are what SessionStats is made of.
type sessionCounters struct {
	streamsIn, streamsOut, bytesIn, bytesOut atomic.Uint64
	datagramsIn, datagramsLost               atomic.Uint64
}

// A sessionDecision is what the consumer makes of a session's request.
type sessionDecision struct {
	accept   bool
	protocol string
	headers  []byte
	status   int
	body     sink.Chunk
}

func newSession(c *conn, x *h3Stream) *Session {
	s := &Session{c: c, x: x, decision: make(chan sessionDecision, 1), closing: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.empty.L = &s.mu
	return s
}

// decide leaves the decision to the session's goroutine.
func (s *Session) decide(d sessionDecision) {
	s.mu.Lock()
	first := !s.decided && !s.ended
	s.decided = true
	s.mu.Unlock()
	if !first {
		d.body.Release()
		return
	}
	s.decision <- d
}

// Accept takes a session that was asked for. protocol, if not empty, is one that the peer offered; headers is a packed list for the
// response, valid during the call.
func (s *Session) Accept(protocol string, headers []byte) {
	s.decide(sessionDecision{accept: true, protocol: protocol, headers: append([]byte(nil), headers...)})
}

// Reject answers the request of a session with status, headers and body.
func (s *Session) Reject(status int, headers []byte, body sink.Chunk) {
	body.Keep()
	s.decide(sessionDecision{status: status, headers: append([]byte(nil), headers...), body: body})
}

// CloseWith ends the session with a code and a reason that the peer gets. Before the decision it rejects with 500.
func (s *Session) CloseWith(code uint32, reason string) { s.close(code, reason, sink.OK) }

func (s *Session) close(code uint32, reason string, why sink.Code) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.ended {
		return
	}
	s.leaves()
	s.closeCode, s.closeText, s.closeWhy = code, reason, why
	close(s.closing)
}

// Drain asks the peer to end the session soon.
func (s *Session) Drain() {
	s.mu.Lock()
	x := s.connect
	s.wantsDrain = s.wantsDrain || !s.open
	ready := s.open && !s.ended && !s.closed && x != nil
	s.mu.Unlock()
	if ready {
		x.drain()
	}
}

// SendDatagram queues a datagram; data is valid during the call. What has waited for longer than maxAge is dropped; 0 is no limit.
func (s *Session) SendDatagram(data []byte, maxAge time.Duration) {
	if s.datagrams != nil {
		s.datagrams.out.send(data, maxAge)
		s.touch()
	}
}

// DatagramOversized counts a datagram that was refused because it is larger than the limit.
func (s *Session) DatagramOversized() { s.c.stats.Add(sink.StatDatagramsTooLarge, 1) }

// commit publishes an event of the session, unless it has ended.
func (s *Session) commit(rec sink.Record, ev *sink.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || !s.open {
		return false
	}
	ev.Object, ev.UserData = s.handle, s.userData
	s.c.sink.Commit(rec, ev)
	return true
}

// spawn runs f on a goroutine that the session's end waits for. It reports false when the session has ended.
func (s *Session) spawn(name string, f func()) bool {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return false
	}
	s.goroutines++
	s.mu.Unlock()
	go sink.Guard(name, func() {
		defer func() {
			s.mu.Lock()
			s.goroutines--
			s.leave()
			s.mu.Unlock()
		}()
		f()
	})
	return true
}

// leave tells whoever waits that nothing is left. s.mu is held.
func (s *Session) leave() {
	if s.goroutines == 0 && len(s.streams) == 0 {
		s.empty.Broadcast()
	}
}

// add puts a stream into the session, unless it ends already.
func (s *Session) add(st *Stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open || s.ended || s.closed {
		return false
	}
	if s.streams == nil {
		s.streams = make(map[*Stream]struct{})
	}
	s.streams[st] = struct{}{}
	s.c.stats.Add(sink.StatStreamsTotal, 1)
	s.c.stats.Add(sink.StatStreamsActive, 1)
	return true
}

// remove takes an ended stream out.
func (s *Session) remove(st *Stream) {
	s.mu.Lock()
	if _, ok := s.streams[st]; !ok {
		s.mu.Unlock()
		return
	}
	delete(s.streams, st)
	s.c.stats.Sub(sink.StatStreamsActive)
	x := s.connect
	s.leave()
	s.mu.Unlock()
	if x != nil && x.streamEnded() {
		s.capsulesWait()
	}
}

// capsulesWait ends the session because its peer does not take what the library has to say.
func (s *Session) capsulesWait() { s.close(0, "the peer takes no capsules", sink.ErrProtocol) }
