package server

import (
	"context"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// A connection whose handshake ends in the moment of a stop is closed, as the others are, before the stop has ended.
func TestL05_AConnectionThatComesInTheMomentOfAStop(t *testing.T) {
	f := serve(t, "", 0, hello)
	l := f.server.running
	peer, q := enginetest.Pair(t, nil, nil)
	place := l.limits.take(q.RemoteAddr(), true)
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.serve(q, place)
	if e := f.stop(-1); e.Code != sink.OK {
		t.Errorf("stopped with %d", e.Code)
	}
	if err := context.Cause(q.Context()); err == nil {
		t.Error("the stop has not waited for the connection's end")
	}
	within(t, "the end", peer.Context().Done())
	end := (*quic.ApplicationError)(nil)
	if err := context.Cause(peer.Context()); !asError(err, &end) || !end.Remote || end.ErrorCode != quic.ApplicationErrorCode(http3.ErrCodeNoError) {
		t.Errorf("the client hears %v", err)
	}
	if n := l.limits.count(); n != 0 {
		t.Errorf("%d places taken", n)
	}
}

// A client that is turned away and has vanished takes no packet, and says nothing: the stop ends all the same.
func TestL05_AStopDoesNotWaitForWhoHasVanished(t *testing.T) {
	f := serve(t, "", 0, hello)
	g := newGate(t, "127.0.0.1")
	close(g.open)
	if _, err := g.connect(ctx(t), t, f.addr); err != nil {
		t.Fatal(err)
	}
	l := f.server.running
	eventually(t, "the connection", func() bool { return len(l.open(nil)) == 1 })
	q := l.open(nil)[0].QUIC
	g.PacketConn.Close()
	l.turnAway(q, http3.ErrCodeExcessiveLoad, errTooMany.Error())
	within(t, "the end, that nobody acknowledges", q.Context().Done())
	if e := f.stop(-1); e.Code != sink.OK {
		t.Errorf("stopped with %d", e.Code)
	}
}
