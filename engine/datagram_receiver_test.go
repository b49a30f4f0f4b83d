package engine

import (
	"testing"

	"zigh3/engine/sink"
)

// An object's lock is held while it closes its datagrams, and taken to publish one: whoever publishes must not be waited for.
func TestDatagramsAreClosedWhileOneIsDelivered(t *testing.T) {
	k := newConsumer(t)
	d := &datagramReceiver{c: &conn{s: &Server{}, sink: k, stats: new(sink.Stats)}}
	d.commit = func(sink.Record, *sink.Event) bool {
		closed := make(chan struct{})
		go func() {
			d.close()
			close(closed)
		}()
		within(t, "the close", closed)
		return false
	}
	d.take([]byte("x"))
	if n := d.c.stats[sink.StatDatagramsDroppedUnknown].Load(); n != 1 {
		t.Errorf("%d dropped", n)
	}
}
