package datagram

import (
	"context"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/qlog"

	"zigh3/engine/sink"
)

// Packets that a connection could not keep up with are counted; those that were dropped for other reasons are not.
func TestDroppedPackets(t *testing.T) {
	var stats sink.Stats
	r := NewTracer(&stats)(context.Background(), false, quic.ConnectionID{}).AddProducer()
	r.RecordEvent(qlog.PacketDropped{Trigger: qlog.PacketDropDOSPrevention})
	r.RecordEvent(qlog.PacketDropped{Trigger: qlog.PacketDropDuplicate})
	if n := stats[sink.StatPacketsDropped].Load(); n != 1 {
		t.Errorf("%d", n)
	}
}
