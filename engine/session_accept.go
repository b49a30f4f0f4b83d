package engine

import (
	"context"
	"net/http"
	"slices"

	"github.com/dunglas/httpsfv"
	"github.com/quic-go/quic-go/http3"
)

// An upgradeWriter is the ResponseWriter that the library gets: the response is ours, and the stream is the one that http3 gave up.
type upgradeWriter struct {
	http.ResponseWriter
	http3.Settingser
	s    *Session
	head part
	err  error
}

// HTTPStream implements http3.HTTPStreamer. The library calls it when it has nothing more to refuse.
func (u *upgradeWriter) HTTPStream() *http3.Stream {
	s := u.s
	x, ok := interpose(s.x.h, s.peerDrains)
	s.mu.Lock()
	if ok {
		s.connect = x
	}
	s.mu.Unlock()
	u.err = s.x.write(&u.head, s.c.s.options.WriteTimeout, func(int) {})
	return s.x.h
}

// WriteHeader implements http.ResponseWriter: the header is written already.
func (u *upgradeWriter) WriteHeader(int) {}

// Flush implements http.Flusher.
func (u *upgradeWriter) Flush() {}

// accept opens the session.
func (s *Session) accept(w http.ResponseWriter, req *http.Request, d sessionDecision) (o sessionEnd, accepted bool) {
	headers := d.headers
	if d.protocol != "" {
		value, err := httpsfv.Marshal(httpsfv.NewItem(d.protocol))
		if err != nil || !slices.Contains(s.offered, d.protocol) {
			s.reject(sessionDecision{status: 500})
			return sessionEnd{outcome: outcome{code: ErrInvalidArgument, text: "the peer did not offer this protocol"}}, false
		}
		headers = appendPacked(headers, "wt-protocol", value)
	}
	if !s.claim(w.(http3.Settingser)) {
		s.c.stats.add(StatSessionsRejected, 1)
		s.x.abort(http3.ErrCodeRequestRejected)
		return sessionEnd{outcome: outcome{code: ErrNotNegotiated, flags: FlagAborted,
			text: "the peer has a session on this connection already, and does not limit what each may send"}}, false
	}
	u := &upgradeWriter{ResponseWriter: w, Settingser: w.(http3.Settingser), s: s,
		head: part{head: true, status: 200, headers: headers, length: -1, date: s.c.s.options.Date}}
	wt, err := s.c.h3.sessions.Upgrade(u, req)
	switch {
	case err != nil:
		if cause := context.Cause(s.c.q.Context()); cause != nil {
			return sessionEnd{outcome: outcomeOf(cause)}, false
		}
		s.reject(sessionDecision{status: 501})
		return sessionEnd{outcome: outcome{code: ErrNotNegotiated, flags: FlagAborted, text: err.Error()}}, false
	case u.err != nil:
		wt.CloseWithError(0, "")
		return sessionEnd{outcome: outcomeOf(u.err)}, false
	}
	s.opened(wt, d.protocol)
	return sessionEnd{}, true
}

// SETTINGS_WT_INITIAL_MAX_DATA, _STREAMS_UNI and _STREAMS_BIDI.
var settingsOfFlowControl = [...]uint64{0x2b61, 0x2b64, 0x2b65}

// claim makes the session one of the connection's, unless it would have to be the only one and is not. The library would find out only
// after it has accepted; and the peer may ask for the next one as soon as it sees the answer to the first.
func (s *Session) claim(peer http3.Settingser) bool {
	many := false
	select {
	case <-peer.ReceivedSettings():
		for _, id := range settingsOfFlowControl {
			many = many || peer.Settings().Other[id] > 0
		}
	default:
		many = true // not known: the library waits for them
	}
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for other := range c.sessions {
		if other.claimed && !many {
			return false
		}
	}
	s.claimed = true
	return true
}
