package engine

import (
	"context"
	"net/http"
	"slices"

	"github.com/dunglas/httpsfv"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// An upgradeWriter is the ResponseWriter that the library gets: the response is ours, and the stream is the one that http3 gave up.
type upgradeWriter struct {
	http.ResponseWriter
	http3.Settingser
	s     *Session
	begun bool // the library has asked for the stream
	head  part
	err   error
}

// HTTPStream implements http3.HTTPStreamer. The library calls it when it has nothing more to refuse but a second session.
func (u *upgradeWriter) HTTPStream() *http3.Stream {
	s := u.s
	if u.begun {
		return s.x.h
	}
	u.begun = true
	x, ok := interpose(s.x.h, s.peerDrains, s.capsulesWait)
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
			return sessionEnd{outcome: outcome{code: sink.ErrInvalidArgument, text: "the peer did not offer this protocol"}}, false
		}
		headers = wire.AppendPacked(headers, "wt-protocol", value)
	}
	if !s.claim(w.(http3.Settingser)) {
		s.c.stats.Add(sink.StatSessionsRejected, 1)
		s.x.abort(http3.ErrCodeRequestRejected)
		return sessionEnd{outcome: outcome{code: sink.ErrNotNegotiated, flags: sink.FlagAborted,
			text: "the peer has a session on this connection already, and does not limit what each may send"}}, false
	}
	u := &upgradeWriter{ResponseWriter: w, Settingser: w.(http3.Settingser), s: s,
		head: part{head: true, status: 200, headers: headers, length: -1, date: s.c.s.options.Date}}
	wt, err := s.upgrade(u, req)
	switch {
	case err != nil:
		if cause := context.Cause(s.c.q.Context()); cause != nil {
			return sessionEnd{outcome: outcomeOf(cause)}, false
		}
		if u.begun {
			s.c.stats.Add(sink.StatSessionsRejected, 1)
			s.x.abort(http3.ErrCodeRequestRejected)
		} else {
			s.reject(sessionDecision{status: 501})
		}
		return sessionEnd{outcome: outcome{code: sink.ErrNotNegotiated, flags: sink.FlagAborted, text: err.Error()}}, false
	case u.err != nil:
		wt.CloseWithError(0, "")
		return sessionEnd{outcome: outcomeOf(u.err)}, false
	}
	s.opened(wt, d.protocol)
	return sessionEnd{}, true
}
