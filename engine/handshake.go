package engine

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/quic-go/quic-go"
)

// A handshake is one that has begun.
type handshake struct {
	s        *Server
	finished atomic.Bool
	unwatch  func() bool
}

type handshakeKey struct{}

var errStopping = errors.New("the server is stopping")

// handshakeBegins counts a handshake, which ends with the connection's context or when Listener.Accept gives the connection.
func (l *listening) handshakeBegins(ctx context.Context, _ *quic.ClientInfo) (context.Context, error) {
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return nil, errStopping // CONNECTION_REFUSED: a client need not wait to find out
	}
	s := l.s
	h := &handshake{s: s}
	s.handshakes.Add(1)
	s.stats.add(StatHandshakesPending, 1)
	h.unwatch = context.AfterFunc(ctx, func() {
		if h.end() {
			s.stats.add(StatHandshakesFailed, 1)
		}
	})
	return context.WithValue(ctx, handshakeKey{}, h), nil
}

func (h *handshake) end() bool {
	if h.finished.Swap(true) {
		return false
	}
	h.s.handshakes.Add(-1)
	h.s.stats.sub(StatHandshakesPending)
	return true
}
