package engine

import (
	"context"
	"errors"
	"net"
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

// mustVerify demands a Retry of clients while many handshakes are unfinished: each costs memory until it times out, and the
// addresses may be forged.
func (l *listening) mustVerify(net.Addr) bool {
	if l.s.handshakes.Load() <= int64(l.s.options.MaxUnverifiedHandshakes) {
		return false
	}
	l.s.stats.add(StatRetriesSent, 1)
	return true
}

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
	h.unwatch = context.AfterFunc(ctx, func() { Guard("handshake", h.failed) })
	return context.WithValue(ctx, handshakeKey{}, h), nil
}

func (h *handshake) failed() {
	if h.end() {
		h.s.stats.add(StatHandshakesFailed, 1)
	}
}

// end reports whether this is the first that was heard of the handshake's end.
func (h *handshake) end() bool {
	if h.finished.Swap(true) {
		return false
	}
	h.s.handshakes.Add(-1)
	h.s.stats.sub(StatHandshakesPending)
	return true
}
