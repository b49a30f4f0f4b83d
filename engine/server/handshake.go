package server

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
)

// A handshake is one that has begun.
type handshake struct {
	l        *listening
	finished atomic.Bool
	unwatch  func() bool
}

type handshakeKey struct{}

var errStopping = errors.New("the server is stopping")

// mustVerify demands a Retry of clients while many handshakes are unfinished: each costs memory until it times out, and the
// addresses may be forged.
func (l *listening) mustVerify(net.Addr) bool {
	if l.s.handshakes.Load() < int64(l.s.options.MaxUnverifiedHandshakes) {
		return false
	}
	l.s.stats.Add(sink.StatRetriesSent, 1)
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
	h := &handshake{l: l}
	s.handshakes.Add(1)
	s.stats.Add(sink.StatHandshakesPending, 1)
	h.unwatch = context.AfterFunc(ctx, func() { sink.Guard("handshake", h.failed) })
	return context.WithValue(ctx, handshakeKey{}, h), nil
}

func (h *handshake) failed() { h.end(sink.StatHandshakesFailed) }

// end counts the handshake's end, once. counter, if not negative, is what it adds to.
func (h *handshake) end(counter int) {
	if h.finished.Swap(true) {
		return
	}
	h.l.s.handshakes.Add(-1)
	h.l.mu.Lock()
	defer h.l.mu.Unlock()
	if h.l.over {
		return
	}
	h.l.s.stats.Sub(sink.StatHandshakesPending)
	if counter >= 0 {
		h.l.s.stats.Add(counter, 1)
	}
}
