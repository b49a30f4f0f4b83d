package datagram

import (
	"context"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/qlog"
	"github.com/quic-go/quic-go/qlogwriter"

	"zigh3/engine/sink"
)

// A recorder learns through qlog what quic-go says nowhere else: which datagrams and packets were dropped because a queue of its own was
// full. It writes nothing. quic-go describes each packet of each connection with all its frames to it, which costs more than all the rest
// of this package.
type recorder struct{ stats *sink.Stats }

// NewTracer is what quic.Config.Tracer is to be for connections whose silent drops are counted: StatDatagramsDroppedInternal, and
// StatDatagramsIn with it, and StatPacketsDropped. Without it these read 0.
func NewTracer(stats *sink.Stats) func(context.Context, bool, quic.ConnectionID) qlogwriter.Trace {
	r := &recorder{stats}
	return func(context.Context, bool, quic.ConnectionID) qlogwriter.Trace { return r }
}

// SupportsSchemas implements qlogwriter.Trace.
func (r *recorder) SupportsSchemas(string) bool { return false }

// AddProducer implements qlogwriter.Trace.
func (r *recorder) AddProducer() qlogwriter.Recorder { return r }

// RecordEvent implements qlogwriter.Recorder.
func (r *recorder) RecordEvent(e qlogwriter.Event) {
	switch e := e.(type) {
	case qlog.DatagramDropped: // an incoming one: there is no other
		r.stats.Add(sink.StatDatagramsIn, 1)
		r.stats.Add(sink.StatDatagramsDroppedInternal, 1)
	case qlog.PacketDropped:
		if e.Trigger == qlog.PacketDropDOSPrevention {
			r.stats.Add(sink.StatPacketsDropped, 1)
		}
	}
}

// Close implements qlogwriter.Recorder.
func (r *recorder) Close() error { return nil }
