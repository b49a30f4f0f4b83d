package engine

import "testing"

// An object's lock is held while it closes its datagrams, and taken to publish one: whoever publishes must not be waited for.
func TestDatagramsAreClosedWhileOneIsDelivered(t *testing.T) {
	k := newConsumer(t)
	d := &datagramReceiver{c: &conn{s: &Server{}, sink: k, stats: new(Stats)}}
	d.commit = func(Record, *Event) bool {
		closed := make(chan struct{})
		go func() {
			d.close()
			close(closed)
		}()
		within(t, "the close", closed)
		return false
	}
	d.take([]byte("x"))
	if n := d.c.stats[StatDatagramsDroppedUnknown].Load(); n != 1 {
		t.Errorf("%d dropped", n)
	}
}
