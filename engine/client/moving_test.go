package client

import (
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
)

// theConn is the one connection of a client.
func (f *fixture) theConn() *conn {
	f.t.Helper()
	p := &f.client.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.conns) != 1 {
		f.t.Fatalf("%d connections", len(p.conns))
	}
	for c := range p.conns {
		return c
	}
	return nil
}

// through has the client's paths begin at a transport, and gives the one before.
func (f *fixture) through(t *quic.Transport) (before *quic.Transport) {
	f.client.mu.Lock()
	defer f.client.mu.Unlock()
	before, f.client.transport = f.client.transport, t
	return before
}

// A brokenSocket is one that no path can begin at.
type brokenSocket struct{ *net.UDPConn }

func (brokenSocket) SyscallConn() (syscall.RawConn, error) { return nil, syscall.EINVAL }

// A connection that could not be moved has not: it is tried again when its way is looked at next, and then goes on.
func TestAMoveThatFails(t *testing.T) {
	t.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true")
	r := listenRaw(t, nil, answering(join(headers(":status", "200"), data("x"))))
	f := newFixture(t, "")
	if a := f.get(r.addr, "/"); a.end.Code != sink.OK {
		t.Fatalf("%v", a)
	}
	c, here, elsewhere := f.theConn(), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.1")
	m := &c.movement
	source := func() netip.Addr {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.moving {
			return netip.Addr{}
		}
		return m.source
	}
	eventually(t, "the connection knows where it is", func() bool { return source() == here })
	transport := f.through(&quic.Transport{Conn: brokenSocket{&net.UDPConn{}}})
	m.mu.Lock()
	m.source = elsewhere // as if its packets had gone out from there
	m.mu.Unlock()
	for range 2 {
		c.lookForWay()
		eventually(t, "the attempt is over", func() bool { return source().IsValid() })
		if at := source(); at != elsewhere {
			t.Fatalf("it is said to have moved to %v", at)
		}
	}
	f.through(transport)
	c.lookForWay()
	eventually(t, "it has moved", func() bool { return source() == here })
	if n := f.stats[sink.ClientStatConnectionsMoved].Load(); n != 1 {
		t.Errorf("it has moved %d times", n)
	}
	c.lookForWay()
	if source() != here {
		t.Error("it moves once more")
	}
}
