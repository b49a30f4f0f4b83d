package client

import (
	"testing"
	"time"

	"zigh3/engine/route"
	"zigh3/engine/sink"
)

// A fetch has datagrams, both ways, as long as it lasts; one that has not asked for them has none.
func TestDatagramsOfAFetch(t *testing.T) {
	p := serve(t, "", route.Datagram, func(p *peer, e event) {
		r := p.request(e.Object)
		switch {
		case r == nil:
		case e.Type == sink.EventH3Datagram && string(e.Data) == "end":
			r.Send(200, nil, sink.Chunk{}, false)
		case e.Type == sink.EventH3Datagram:
			r.SendDatagram(e.Data, 0)
		}
	})
	f := newFixture(t, "")
	back := make(chan string, 10)
	a := f.start(Request{Method: "GET", Authority: p.addr, Path: "/", End: true, Datagrams: true}, func(a *asked) {
		a.on = func(e event) {
			if e.Type == sink.EventH3Datagram {
				back <- string(e.Data)
			}
		}
	})
	eventually(t, "room for datagrams", func() bool {
		room, limit := f.Places(a.h)
		return room == 256 && limit > 1000
	})
	a.do(func(x *Fetch) { x.SendDatagram([]byte("ping"), 0) })
	if got := within(t, "a datagram", back); got != "ping" {
		t.Errorf("%q", got)
	}
	a.do(func(x *Fetch) { x.SendDatagram([]byte("end"), 0); x.DatagramOversized() })
	if a.wait(); a.end.Code != sink.OK || a.status != 200 {
		t.Errorf("%v", a)
	}
	if n := f.stats[sink.StatDatagramsTooLarge].Load(); n != 1 {
		t.Errorf("%d were too large", n)
	}
	b := f.startGet(p.addr)
	eventually(t, "the request", func() bool { return f.stats[sink.StatRequestsActive].Load() == 1 })
	b.do(func(x *Fetch) { x.SendDatagram([]byte("end"), 0); x.Cancel(0x10c) })
	if b.wait(); b.end.Code != sink.ErrCancelled {
		t.Errorf("%v", b)
	}
	if room, _ := f.Places(b.h); room != 0 {
		t.Errorf("room for %d", room)
	}
}

// Raw datagrams go to and from a server that does not announce HTTP's.
func TestRawDatagramsOfAClient(t *testing.T) {
	p := serve(t, `{"quic_datagrams": true}`, 0, func(p *peer, e event) {
		switch e.Type {
		case sink.EventRequest:
			p.request(e.Object).Send(200, nil, sink.Chunk{}, false)
		case sink.EventQUICDatagram:
			p.Object(e.Object).(interface{ SendDatagram([]byte, time.Duration) }).SendDatagram(e.Data, 0)
		}
	})
	f := newFixture(t, `{"quic_datagrams": true, "webtransport": false}`)
	back := make(chan string, 1)
	f.Await(func() {
		f.any = func(e event) {
			if e.Type == sink.EventQUICDatagram {
				back <- string(e.Data)
			}
		}
	})
	a := f.get(p.addr, "/")
	eventually(t, "room for datagrams", func() bool {
		_, limit := f.Places(a.end.Conn)
		return limit > 1000
	})
	f.Await(func() { f.Object(a.end.Conn).(*conn).SendDatagram([]byte("ping"), 0) })
	if got := within(t, "a datagram", back); got != "ping" {
		t.Errorf("%q", got)
	}
}
