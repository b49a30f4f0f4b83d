package link

import (
	"testing"

	"zigh3/engine/sink"
)

// What a connection has sent and received is in the counters once, however often they are brought up to date.
func TestTrafficIsCountedOnce(t *testing.T) {
	f := newFixture(t, environment(Server))
	for look := range 4 {
		f.silent() // something is sent
		f.account()
		f.mu.Lock()
		want := f.counted
		f.mu.Unlock()
		for stat, n := range map[int]uint64{
			sink.StatBytesIn: want.BytesReceived, sink.StatBytesOut: want.BytesSent, sink.StatPacketsIn: want.PacketsReceived, sink.StatPacketsOut: want.PacketsSent,
		} {
			if got := f.Stats[stat].Load(); got != n || n == 0 {
				t.Errorf("look %d: counter %d has %d of %d", look, stat, got, n)
			}
		}
	}
}
