package client

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

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

// A session that a server does not look at any more ends at once, whether GOAWAY comes behind the request or in front of it; one below its id goes on.
func TestGoAwayOfASessionThatIsNotOpen(t *testing.T) {
	answer := make(chan struct{})
	r := listenRaw(t, &quic.Config{EnableDatagrams: true, EnableStreamResetPartialDelivery: true}, func(k *rawConn) {
		k.settle(0x8, 1, 0x33, 1, uint64(0xc671706a), 9)
		first := k.next()
		if second := k.next(); second == nil {
			return
		}
		k.send(frame(enginetest.FrameGoAway, 4))
		<-answer
		first.Write(headers(":status", "200"))
	})
	f := newFixture(t, `{"webtransport": {"decision_timeout_ms": 3600000}}`)
	first := f.want(SessionRequest{Authority: r.addr, Pooled: true})
	eventually(t, "the first", func() bool { return f.stats[sink.StatSessionsTotal].Load() == 1 })
	second := f.want(SessionRequest{Authority: r.addr, Pooled: true})
	if e := second.wait(sink.EventSessionClosed); e.Code != sink.ErrRejected || e.Flags&sink.FlagRemote == 0 || !strings.Contains(string(e.Data), "GOAWAY") {
		t.Errorf("%+v %q", e.Event, e.Data)
	}
	close(answer)
	first.wait(sink.EventSessionOpened)
}

// The same where GOAWAY came between the choice of a stream and the request.
func TestASessionBehindGoAway(t *testing.T) {
	r := listenRaw(t, &quic.Config{EnableDatagrams: true, EnableStreamResetPartialDelivery: true}, func(k *rawConn) {
		k.settle(0x8, 1, 0x33, 1, uint64(0xc671706a), 9)
		if s := k.next(); s != nil {
			s.Write(headers(":status", "200"))
			s.Close()
		}
		<-k.Context().Done()
	})
	f := newFixture(t, `{"webtransport": {"decision_timeout_ms": 3600000}}`)
	f.startGet(r.addr).wait()
	f.client.pool.mu.Lock()
	for c := range f.client.pool.conns {
		c.goAway.Store(4)
	}
	f.client.pool.mu.Unlock()
	if e := f.want(SessionRequest{Authority: r.addr, Pooled: true}).wait(sink.EventSessionClosed); e.Code != sink.ErrRejected {
		t.Errorf("%+v %q", e.Event, e.Data)
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

// Connections whose server goes away at once are not made for ever beside one that has no stream left.
func TestGoingAwayBesideAnother(t *testing.T) {
	h := holdRequests(t, 1)
	f := newFixture(t, "")
	f.client.pool.pause = time.Hour
	key, err := originOf(h.addr)
	if err != nil {
		t.Fatal(err)
	}
	a := f.startGet(h.addr)
	first := h.next()
	p := &f.client.pool
	p.mu.Lock()
	o := p.origin(key)
	o.notBefore = time.Now().Add(time.Hour) // so that those come that the test makes
	p.mu.Unlock()
	b := f.startGet(h.addr)
	eventually(t, "one that waits", func() bool { return f.stats[sink.ClientStatFetchesQueued].Load() == 1 })
	for range mostGoneAway {
		q, _, err := f.client.dial(key, false)
		if err != nil {
			t.Fatal(err)
		}
		c := newConn(f.client, o, q)
		c.goAway.Store(0)
		p.mu.Lock()
		o.dialing++
		o.notBefore = time.Time{}
		if o.goneAway+1 < mostGoneAway {
			o.notBefore = time.Now().Add(time.Hour)
		}
		p.mu.Unlock()
		p.connected(c)
	}
	p.mu.Lock()
	if o.dialing != 0 || len(o.conns) != 1 {
		t.Errorf("one more connection is made: %d, beside %d", o.dialing, len(o.conns))
	}
	p.mu.Unlock()
	first.answer()
	h.next().answer()
	for _, x := range []*asked{a, b} {
		if x.wait(); x.end.Code != sink.OK {
			t.Errorf("%v", x)
		}
	}
}
