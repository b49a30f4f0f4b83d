package engine

import (
	"context"
	"sync/atomic"

	"github.com/quic-go/quic-go"
	h3log "github.com/quic-go/quic-go/http3/qlog"
	"github.com/quic-go/quic-go/qlog"
	"github.com/quic-go/quic-go/qlogwriter"

	"zigh3/engine/sink"
)

// A datagramTrace learns through qlog what quic-go and http3 say nowhere else: which datagrams came, which datagrams and packets
// were dropped because a queue of theirs was full, what the peer's SETTINGS hold, and which STOP_SENDING is sent. It writes nothing.
type datagramTrace struct {
	c atomic.Pointer[conn]
}

func newDatagramTrace(context.Context, bool, quic.ConnectionID) qlogwriter.Trace {
	return new(datagramTrace)
}

// SupportsSchemas implements qlogwriter.Trace.
func (t *datagramTrace) SupportsSchemas(schema string) bool { return schema == h3log.EventSchema }

// AddProducer implements qlogwriter.Trace.
func (t *datagramTrace) AddProducer() qlogwriter.Recorder { return t }

// RecordEvent implements qlogwriter.Recorder. http3 calls it before it puts the datagram into a queue.
func (t *datagramTrace) RecordEvent(e qlogwriter.Event) {
	c := t.c.Load()
	if c == nil {
		return
	}
	switch e := e.(type) {
	case qlog.PacketSent:
		c.stops.packet(e.Frames)
	case h3log.DatagramParsed:
		c.datagramArrived(4 * e.QuarterStreamID)
	case qlog.DatagramDropped:
		c.stats.Add(sink.StatDatagramsIn, 1)
		c.stats.Add(sink.StatDatagramsDroppedInternal, 1)
	case qlog.PacketDropped:
		if e.Trigger == qlog.PacketDropDOSPrevention {
			c.stats.Add(sink.StatPacketsDropped, 1)
		}
	case h3log.FrameParsed:
		if settings, ok := e.Frame.Frame.(h3log.SettingsFrame); ok {
			c.settled(settings.Datagram != nil && *settings.Datagram)
		}
	}
}

// Close implements qlogwriter.Recorder.
func (t *datagramTrace) Close() error { return nil }
