package engine

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"
)

// linger is what a peer gets to end its side of the CONNECT stream after ours has ended.
const linger = 500 * time.Millisecond

// A leave is the end of a session under way: from the first word of it until nothing of the session is left in the library.
type leave struct {
	hurry context.Context // once cancelled: do not linger
	rush  context.CancelFunc
	done  chan struct{}
}

// leaves begins the end. s.mu is held.
func (s *Session) leaves() {
	s.closed = true
	s.leaving = &leave{done: make(chan struct{})}
	s.leaving.hurry, s.leaving.rush = context.WithCancel(context.Background())
	s.makesRoom()
}

// makesRoom lets the next session of the connection know that this one leaves, and what to wait for. That is there for sessions that the
// library has: one that waits to be one would wait for itself. s.mu is held.
func (s *Session) makesRoom() {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	s.claimed = false
	if s.wt == nil {
		return
	}
	if c.leaving == nil {
		c.leaving = make(map[*leave]struct{})
	}
	c.leaving[s.leaving] = struct{}{}
}

// left is the end of the end.
func (s *Session) left() {
	c := s.c
	c.mu.Lock()
	delete(c.leaving, s.leaving)
	c.mu.Unlock()
	s.leaving.rush()
	close(s.leaving.done)
}

// linger keeps what the session still has on the wire until the peer has heard of the end, which it shows by ending its side of the
// CONNECT stream. The library does not wait: once told, it cancels all of the session's streams.
func (s *Session) linger(wt *webtransport.Session, x *connectStream) {
	x.awaitPeer(s.leaving.hurry)
	if wt != nil {
		wt.CloseWithError(webtransport.SessionErrorCode(s.closeCode), s.closeText)
	}
	x.release()
	if wt != nil {
		<-wt.Context().Done() // before, the library counts it
	}
}

// SETTINGS_WT_INITIAL_MAX_DATA, _STREAMS_UNI and _STREAMS_BIDI.
var settingsOfFlowControl = [...]uint64{0x2b61, 0x2b64, 0x2b65}

// claim makes the session one of the connection's, unless it would have to be the only one and is not. The library would find out only
// after it has accepted; and the peer may ask for the next one as soon as it sees the answer to the first. Those that leave are made to
// leave at once: a peer that asks for the next has heard of their end.
func (s *Session) claim(peer http3.Settingser) bool {
	several := false
	select {
	case <-peer.ReceivedSettings():
		for _, id := range settingsOfFlowControl {
			several = several || peer.Settings().Other[id] > 0
		}
	default:
		several = true // not known: the library waits for them
	}
	if !s.claimIf(several) {
		return false
	}
	if !several {
		s.c.hurry()
	}
	return true
}

func (s *Session) claimIf(several bool) bool {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for other := range c.sessions {
		if other.claimed && !several {
			return false
		}
	}
	s.claimed = true
	return true
}

const (
	// forgetWait bounds how long the library may take to forget a session that has ended.
	forgetWait = 500 * time.Millisecond
	forgetStep = time.Millisecond
)

// upgrade hands the stream to the library. A session that has ended is in its way for a moment, and it tells nobody when it has
// forgotten it.
func (s *Session) upgrade(u *upgradeWriter, req *http.Request) (*webtransport.Session, error) {
	for end := time.Now().Add(forgetWait); ; time.Sleep(forgetStep) {
		wt, err := s.c.h3.sessions.Upgrade(u, req)
		x := s.connect
		if err == nil && x != nil {
			x.belongs(wt.Context())
		}
		if err == nil || x == nil || s.c.q.Context().Err() != nil || time.Now().After(end) {
			return wt, err
		}
	}
}

// hurry waits for the sessions that leave, and has none linger.
func (c *conn) hurry() {
	c.mu.Lock()
	leaving := slices.Collect(maps.Keys(c.leaving))
	c.mu.Unlock()
	for _, l := range leaving {
		l.rush()
		<-l.done
	}
}
