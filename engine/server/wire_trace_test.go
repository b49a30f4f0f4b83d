package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/qlog"
	"github.com/quic-go/quic-go/qlogwriter"

	"zigh3/engine/enginetest"
)

// A wireTrace notes what a client sends and receives of what ends streams, by their ids, in the order on the wire.
type wireTrace struct {
	mu    sync.Mutex
	seen  []string
	order []string // what was received first of streams, by their ids, and of datagrams
}

func (t *wireTrace) SupportsSchemas(string) bool      { return false }
func (t *wireTrace) AddProducer() qlogwriter.Recorder { return t }
func (t *wireTrace) Close() error                     { return nil }
func (t *wireTrace) RecordEvent(event qlogwriter.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e := event.(type) {
	case qlog.PacketSent:
		t.note("sent", e.Frames)
	case qlog.PacketReceived:
		t.note("received", e.Frames)
	}
}

func (t *wireTrace) note(way string, frames []qlog.Frame) {
	for _, frame := range frames {
		var what string
		switch f := frame.Frame.(type) {
		case *qlog.DatagramFrame:
			t.order = append(t.order, way+" DATAGRAM")
		case *qlog.StreamFrame:
			if first := fmt.Sprint(way, " STREAM ", f.StreamID); !slices.Contains(t.order, first) {
				t.order = append(t.order, first)
			}
		}
		switch f := frame.Frame.(type) {
		case *qlog.StreamFrame:
			if !f.Fin {
				continue
			}
			what = fmt.Sprint(way, " FIN ", f.StreamID)
		case *qlog.ResetStreamFrame:
			what = fmt.Sprint(way, " RESET_STREAM ", f.StreamID)
		case *qlog.StopSendingFrame:
			what = fmt.Sprint(way, " STOP_SENDING ", f.StreamID)
		default:
			continue
		}
		if !slices.Contains(t.seen, what) { // or it was sent again
			t.seen = append(t.seen, what)
		}
	}
}

func (t *wireTrace) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.seen)
}

// dialTraced is a client as Chromium is, and what it sends and receives.
func dialTraced(t testing.TB, f *sessionFixture) (*wireTrace, *connectClient) {
	t.Helper()
	trace := &wireTrace{}
	config := &quic.Config{EnableDatagrams: true, Tracer: func(context.Context, bool, quic.ConnectionID) qlogwriter.Trace { return trace }}
	q, err := quic.DialAddr(ctx(t), f.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, config)
	if err != nil {
		t.Fatal(err)
	}
	c := &connectClient{enginetest.New(t, q, enginetest.Options{Dialect: enginetest.Draft02})}
	c.Settings()
	return trace, c
}
