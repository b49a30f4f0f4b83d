package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/qlog"
	"github.com/quic-go/quic-go/qlogwriter"
)

// A wireTrace notes what a client sends and receives of what ends streams, in the order on the wire.
type wireTrace struct {
	mu   sync.Mutex
	seen []string
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
		switch f := frame.Frame.(type) {
		case *qlog.StreamFrame:
			if f.Fin {
				t.seen = append(t.seen, way+" FIN")
			}
		case *qlog.ResetStreamFrame:
			t.seen = append(t.seen, way+" RESET_STREAM")
		case *qlog.StopSendingFrame:
			t.seen = append(t.seen, way+" STOP_SENDING")
		}
	}
}

func (t *wireTrace) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.seen)
}

// A page's streams are to fail because its session was closed, and not before it hears so.
func TestW11_StreamsAreCancelledOnceThePeerHasHeardOfTheClose(t *testing.T) {
	f := serveSessions(t, "", nil)
	trace := &wireTrace{}
	config := &quic.Config{EnableDatagrams: true, Tracer: func(context.Context, bool, quic.ConnectionID) qlogwriter.Trace { return trace }}
	q, err := quic.DialAddr(ctx(t), f.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.CloseWithError(0x100, "") })
	cc := (&http3.Transport{EnableDatagrams: true}).NewClientConn(q)
	within(t, "SETTINGS", cc.ReceivedSettings())
	session := (&connectClient{t, q, cc}).connect(f)
	o := f.waitType(EventSessionOpened)
	stream, err := q.OpenStreamSync(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	stream.Write(join(varints(0x41, 0), []byte("never finished")))
	f.waitType(EventStreamData)

	f.await(func() { f.session(o.Object).CloseWith(7, "done") })
	got, err := io.ReadAll(session)
	if want := varints(capsuleCloseSession, 8, "\x00\x00\x00\x07done"); string(got) != string(want) || err != nil {
		t.Fatalf("%x, want %x; %v", got, want, err)
	}
	session.Close()
	var gone *quic.StreamError
	if _, err := io.ReadAll(stream); !errors.As(err, &gone) || !gone.Remote || gone.ErrorCode != 0x170d7b68 {
		t.Errorf("the stream ends with %v", err)
	}
	within(t, "STOP_SENDING", stream.Context().Done())
	seen := trace.all()
	if at := slices.Index(seen, "sent FIN"); at < 0 || slices.Contains(seen[:at], "received RESET_STREAM") || slices.Contains(seen[:at], "received STOP_SENDING") {
		t.Errorf("%q", seen)
	}
}

// A peer that may have one session a connection opens the next although it has not ended its side of the last one's stream.
func TestW11_ASessionThatLingersMakesRoom(t *testing.T) {
	f := serveSessions(t, "", nil)
	c := dialConnect(t, f)
	seen := map[Handle]bool{}
	for i := range 3 {
		str := c.connect(f)
		o := f.wait("a session", func(e event) bool { return e.Type == EventSessionOpened && !seen[e.Object] })
		seen[o.Object] = true
		f.await(func() { f.session(o.Object).CloseWith(uint32(i), "") })
		if _, err := io.ReadAll(str); err != nil {
			t.Fatal(err)
		}
	}
}
