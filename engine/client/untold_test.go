package client

import (
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
)

// A closed sink takes none of what may wait, and says so at once.
type closed struct{ sink.Sink }

func (c closed) Reserve(class sink.Class, n int, done <-chan struct{}) (sink.Record, bool) {
	if class == sink.Bulk {
		return sink.Record{}, false
	}
	return c.Sink.Reserve(class, n, done)
}

// A connection of which the consumer cannot be told is closed: nobody waits until it is idle.
func TestAConnectionThatCannotBeTold(t *testing.T) {
	conns := make(chan *rawConn, 1)
	r := listenRaw(t, &quic.Config{MaxIdleTimeout: time.Hour}, func(c *rawConn) { conns <- c })
	f := newFixture(t, `{"idle_timeout_ms": 3600000}`)
	f.client.sink = closed{f.client.sink}
	a := f.startGet(r.addr)
	within(t, "the connection's end", within(t, "a connection", conns).Context().Done())
	if a.wait(); a.end.Code != sink.ErrClosed {
		t.Errorf("%v", a)
	}
}
