package client

import (
	"testing"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
)

// A session that waits for the SETTINGS of a connection that goes has ended with it, not once the time for them is over.
func TestAConnectionThatGoesBeforeItsSettings(t *testing.T) {
	conns := make(chan *rawConn, 1)
	r := listenRaw(t, &quic.Config{EnableDatagrams: true}, func(c *rawConn) {
		conns <- c
		<-c.Context().Done()
	})
	f := newFixture(t, `{"webtransport": {"decision_timeout_ms": 3600000}}`)
	w := f.want(SessionRequest{Authority: r.addr})
	server := within(t, "a connection", conns)
	eventually(t, "a session that waits for SETTINGS", func() bool {
		p, n := &f.client.pool, 0
		p.mu.Lock()
		defer p.mu.Unlock()
		for c := range p.conns {
			c.settling.Lock()
			n += len(c.wishes)
			c.settling.Unlock()
		}
		return n == 1
	})
	server.CloseWithError(0x100, "")
	if e := w.wait(sink.EventSessionClosed); e.Code != sink.ErrClosed {
		t.Errorf("%+v %q", e.Event, e.Data)
	}
}
