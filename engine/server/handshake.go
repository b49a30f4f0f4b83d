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
	place    *place // of the connection that it is to become
	finished atomic.Bool
	unwatch  func() bool
}

type handshakeKey struct{}

// Why a handshake is refused. quic-go tells the client CONNECTION_REFUSED, so that it need not wait to find out.
var (
	errStopping = errors.New("the server is stopping")
	errTooMany  = errors.New("too many connections")
)

// mustVerify demands a Retry of clients while many handshakes are unfinished: each costs memory until it times out, and the
// addresses may be forged. It does so, too, where few connections are left.
func (l *listening) mustVerify(addr net.Addr) bool {
	defer sink.Catch("retry")
	if l.s.handshakes.Load() < int64(l.s.options.MaxUnverifiedHandshakes) && !l.limits.mustProve(addr) {
		return false
	}
	l.s.stats.Add(sink.StatRetriesSent, 1)
	return true
}

// handshakeBegins counts a handshake, which ends with the connection's context or when Listener.Accept gives the connection.
func (l *listening) handshakeBegins(ctx context.Context, client *quic.ClientInfo) (_ context.Context, err error) {
	defer sink.Catch("handshake")
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return nil, errStopping
	}
	s := l.s
	place := l.limits.take(client.RemoteAddr, client.AddrVerified)
	if place == nil {
		s.stats.Add(sink.StatConnectionsRefused, 1)
		return nil, errTooMany
	}
	h := &handshake{l: l, place: place}
	s.handshakes.Add(1)
	s.stats.Add(sink.StatHandshakesPending, 1)
	h.unwatch = context.AfterFunc(ctx, func() { sink.Guard("handshake", h.failed) })
	return context.WithValue(ctx, handshakeKey{}, h), nil
}

func (h *handshake) failed() { h.end(sink.StatHandshakesFailed) }

// end counts the handshake's end, once. counter, if not negative, is what it adds to: then no connection came of it.
func (h *handshake) end(counter int) {
	if h.finished.Swap(true) {
		return
	}
	if counter >= 0 {
		h.place.give()
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
