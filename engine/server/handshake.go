package server

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
)

// A handshake is one that has begun.
type handshake struct {
	l       *listening
	place   *place // of the connection that it is to become
	unwatch func() bool
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
	s := l.s
	place := l.limits.take(client.RemoteAddr, client.AddrVerified)
	if place == nil {
		s.stats.Add(sink.StatConnectionsRefused, 1)
		return nil, errTooMany
	}
	h := &handshake{l: l, place: place}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		place.give()
		return nil, errStopping
	}
	l.handshakes[h] = struct{}{}
	s.handshakes.Add(1)
	s.stats.Add(sink.StatHandshakesPending, 1)
	l.mu.Unlock()
	h.unwatch = context.AfterFunc(ctx, func() { sink.Guard("handshake", h.failed) })
	return context.WithValue(ctx, handshakeKey{}, h), nil
}

func (h *handshake) failed() { h.end(sink.StatHandshakesFailed) }

// end counts the handshake's end, once. counter, if not negative, is what it adds to: then no connection came of it.
func (h *handshake) end(counter int) {
	l := h.l
	l.mu.Lock()
	_, pending := l.handshakes[h]
	if pending {
		delete(l.handshakes, h)
		l.s.handshakes.Add(-1)
		l.s.stats.Sub(sink.StatHandshakesPending)
		if counter >= 0 {
			l.s.stats.Add(counter, 1)
		}
	}
	l.mu.Unlock()
	if pending && counter >= 0 {
		h.place.give()
	}
}

// endHandshakes ends those that are left at a stop: quic-go tells of their ends when it likes, and the counters may be gone by then.
func (l *listening) endHandshakes() {
	l.mu.Lock()
	left := slices.Collect(maps.Keys(l.handshakes))
	l.mu.Unlock()
	for _, h := range left {
		h.failed()
	}
}
