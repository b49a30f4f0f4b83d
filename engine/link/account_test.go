package link

import (
	"testing"

	"github.com/quic-go/quic-go"

	"zigh3/engine/congestion"
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

// Each counter gets what it is named after, and of that only what is new.
func TestTrafficIsCountedWhereItBelongs(t *testing.T) {
	c := &Conn{Env: environment(Server)}
	for i := range uint64(3) {
		n := i * 100
		c.count(quic.ConnectionStats{BytesReceived: n + 1, BytesSent: n + 2, PacketsReceived: n + 3, PacketsSent: n + 4, PacketsLost: n + 5, BytesLost: n + 6})
		for stat, want := range map[int]uint64{
			sink.StatBytesIn: n + 1, sink.StatBytesOut: n + 2, sink.StatPacketsIn: n + 3, sink.StatPacketsOut: n + 4, sink.StatPacketsLost: n + 5,
		} {
			if got := c.Stats[stat].Load(); got != want {
				t.Errorf("look %d: %s is %d, not %d", i, sink.StatNames[stat], got, want)
			}
		}
	}
}

// What a connection's congestion control is doing is in the counters as long as there is the connection; what was spurious stays.
func TestCongestionIsCounted(t *testing.T) {
	f := newFixture(t, environment(Server))
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, c := range []struct {
		report congestion.Report
		want   [sink.StatCount - sink.StatCongestion]uint64 // spurious, BBR, reno, starting, at capacity, rate
	}{
		{congestion.Report{Algorithm: congestion.BBR, State: congestion.StateStartup}, [...]uint64{0, 1, 0, 1, 0, 0}},
		{congestion.Report{Algorithm: congestion.BBR, State: congestion.StateProbeUp, Bandwidth: 500, AtCapacity: true, Spurious: 3}, [...]uint64{3, 1, 0, 0, 1, 500}},
		{congestion.Report{Algorithm: congestion.NewReno, State: congestion.StateSlowStart, Bandwidth: 200, Spurious: 4}, [...]uint64{4, 0, 1, 1, 0, 200}},
		{congestion.Report{Spurious: 4}, [...]uint64{4, 0, 0, 0, 0, 0}},
	} {
		f.gauge(c.report)
		for j, n := range c.want {
			if got := f.Stats[sink.StatCongestion+j].Load(); got != n {
				t.Errorf("%d: %s is %d, not %d", i, sink.StatNames[sink.StatCongestion+j], got, n)
			}
		}
	}
}

// A connection that has ended is none of those that there are, whoever still looks at it.
func TestNothingIsCountedAfterTheEnd(t *testing.T) {
	f := newFixture(t, environment(Server))
	f.mu.Lock()
	f.gauge(congestion.Report{Algorithm: congestion.BBR, State: congestion.StateStartup, Bandwidth: 500})
	f.mu.Unlock()
	f.accountLast()
	f.mu.Lock()
	f.congestion = congestion.Report{Bandwidth: 7} // would be taken off
	f.mu.Unlock()
	f.account()
	for _, i := range []int{sink.StatConnectionsBBR, sink.StatConnectionsStarting, sink.StatSendRate} {
		if got := f.Stats[i].Load(); got != 0 {
			t.Errorf("%s is %d", sink.StatNames[i], got)
		}
	}
}

// What a connection that leaves was doing is so no more, and what was spurious on it was.
func TestLeavingTakesOnlyWhatThereIsNow(t *testing.T) {
	c := &Conn{Env: environment(Server)}
	for range 2 {
		c.gauge(congestion.Report{Algorithm: congestion.BBR, State: congestion.StateStartup, Bandwidth: 500, AtCapacity: true, Spurious: 3})
		c.depart()
		for j, want := range []uint64{3, 0, 0, 0, 0, 0} {
			if got := c.Stats[sink.StatCongestion+j].Load(); got != want {
				t.Errorf("%s is %d, not %d", sink.StatNames[sink.StatCongestion+j], got, want)
			}
		}
	}
}
