package session

import (
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/congestion"
	"zigh3/engine/datagram"
	"zigh3/engine/sink"
)

// Each counter of a session has what it is named after.
func TestCountersAreWhatTheyAreNamedAfter(t *testing.T) {
	var n counters
	n.streamsIn.Store(1)
	n.streamsOut.Store(2)
	n.bytesIn.Store(3)
	n.bytesOut.Store(4)
	q := quic.ConnectionStats{
		BytesReceived: 5, BytesSent: 6, BytesLost: 7, PacketsReceived: 8, PacketsSent: 9, PacketsLost: 10, CongestionWindow: 11,
		SmoothedRTT: 12 * time.Microsecond, MeanDeviation: 13 * time.Microsecond, MinRTT: 14 * time.Microsecond, LatestRTT: time.Second,
	}
	p := congestion.Report{Algorithm: congestion.BBR, State: congestion.StateProbeUp, Bandwidth: 15, PacingRate: 16, Window: 17, AtCapacity: true, Spurious: 18, Acked: 25}
	d := datagram.Counters{Delivered: 19, Lost: 20, Sent: 21, Expired: 22, Unsent: 23}
	want := map[string]uint64{
		"datagrams_in": 19, "datagrams_out": 21, "datagrams_dropped_in": 20, "datagrams_dropped_out": 45, "datagrams_expired_out": 22,
		"streams_in": 1, "streams_out": 2, "streams_active": 24, "stream_bytes_in": 3, "stream_bytes_out": 4,
		"bytes_in": 5, "bytes_out": 6, "bytes_lost": 7, "packets_in": 8, "packets_out": 9, "packets_lost": 10,
		"smoothed_rtt_us": 12, "rtt_variation_us": 13, "min_rtt_us": 14, "congestion_window": 11,
		"packets_spurious": 18, "send_rate": 15, "at_send_capacity": 1, "congestion_control": 1, "congestion_state": 9, "bytes_acknowledged": 25,
	}
	got := n.with(q, p, d, 24)
	for i, name := range sink.SessionStatNames {
		if got[i] != want[name] {
			t.Errorf("%s is %d, not %d", name, got[i], want[name])
		}
	}
	if p.AtCapacity = false; n.with(q, p, d, 24)[sink.SessionStatAtCapacity] != 0 {
		t.Error("at capacity though it is not")
	}
}
