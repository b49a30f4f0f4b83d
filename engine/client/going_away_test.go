package client

import (
	"io"
	"testing"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// What waits for a stream on a connection whose server goes away gets one on another connection at once, not when what is open there has ended.
func TestGoAwayLetsThoseGoElsewhereThatWait(t *testing.T) {
	h := holdRequests(t, 1)
	f := newFixture(t, `{"max_connections_per_origin": 1}`)
	a := f.startGet(h.addr)
	first := h.next()
	b := f.startGet(h.addr)
	eventually(t, "one that waits", func() bool { return f.stats[sink.ClientStatFetchesQueued].Load() == 1 })
	first.conn.send(frame(enginetest.FrameGoAway, uint64(first.s.StreamID())+4))
	second := h.next()
	if second.conn == first.conn {
		t.Fatal("the same connection")
	}
	second.answer()
	if b.wait(); b.end.Code != sink.OK || string(b.body) != "1" {
		t.Errorf("%v", b)
	}
	first.answer()
	if a.wait(); a.end.Code != sink.OK || string(a.body) != "0" {
		t.Errorf("%v", a)
	}
}

// A connection that is idle and whose server goes away is of no use to anybody: it does not stay for as long as an idle one may.
func TestAnIdleConnectionWhoseServerGoesAway(t *testing.T) {
	h := holdRequests(t, 10)
	f := newFixture(t, `{"idle_connection_ms": 86400000}`)
	a := f.startGet(h.addr)
	first := h.next()
	first.s.Write(headers(":status", "200"))
	first.s.Close()
	io.Copy(io.Discard, first.s)
	a.wait()
	first.conn.send(frame(enginetest.FrameGoAway, uint64(first.s.StreamID())+4))
	within(t, "the connection's end", first.conn.Context().Done())
	if n := f.stats[sink.ClientStatConnectionsEvicted].Load(); n != 0 {
		t.Errorf("%d were closed for want of work", n)
	}
}
