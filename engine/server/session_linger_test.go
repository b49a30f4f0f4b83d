package server

import (
	"errors"
	"io"
	"slices"
	"testing"
	"zigh3/engine/wire"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
)

// A page's streams are to fail because its session was closed, and not before it hears so.
func TestW11_StreamsAreCancelledOnceThePeerHasHeardOfTheClose(t *testing.T) {
	f := serveSessions(t, "", nil)
	trace, c := dialTraced(t, f)
	session := c.connect(f)
	o := f.waitType(sink.EventSessionOpened)
	stream, err := c.Conn.OpenStreamSync(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	stream.Write(join(varints(0x41, 0), []byte("never finished")))
	f.waitType(sink.EventStreamData)

	f.Await(func() { f.session(o.Object).CloseWith(7, "done") })
	got, err := io.ReadAll(session)
	if want := varints(wire.CapsuleClose, 8, "\x00\x00\x00\x07done"); string(got) != string(want) || err != nil {
		t.Fatalf("%x, want %x; %v", got, want, err)
	}
	session.Close()
	var gone *quic.StreamError
	if _, err := io.ReadAll(stream); !errors.As(err, &gone) || !gone.Remote || gone.ErrorCode != 0x170d7b68 {
		t.Errorf("the stream ends with %v", err)
	}
	within(t, "STOP_SENDING", stream.Context().Done())
	seen := trace.all()
	heard := slices.Index(seen, "sent FIN 0")
	for _, cancel := range []string{"received RESET_STREAM 4", "received STOP_SENDING 4"} {
		if at := slices.Index(seen, cancel); heard < 0 || at >= 0 && at < heard {
			t.Errorf("%q", seen)
		}
	}
}

// A peer that may have one session a connection opens the next although it has not ended its side of the last one's stream.
func TestW11_ASessionThatLingersMakesRoom(t *testing.T) {
	f := serveSessions(t, "", nil)
	c := dialConnect(t, f)
	seen := map[sink.Handle]bool{}
	for i := range 3 {
		str := c.connect(f)
		o := f.wait("a session", func(e event) bool { return e.Type == sink.EventSessionOpened && !seen[e.Object] })
		seen[o.Object] = true
		f.Await(func() { f.session(o.Object).CloseWith(uint32(i), "") })
		if _, err := io.ReadAll(str); err != nil {
			t.Fatal(err)
		}
	}
}

// A session that is closed while it is being accepted does not wait for its own end.
func TestW11_ClosedWhileAccepted(t *testing.T) {
	f := serveSessions(t, "", func(f *sessionFixture, e event) {
		if e.Type == sink.EventSessionRequest {
			s := f.session(e.Object)
			s.Accept("", nil)
			s.CloseWith(1, "")
		}
	})
	for range 20 {
		c := dialConnect(t, f)
		status, str := c.ask(f)
		if status != 200 && status != 500 {
			t.Fatalf("status %d", status)
		}
		if _, err := io.ReadAll(str); err != nil {
			t.Fatal(err)
		}
		str.Close()
	}
	eventually(t, "the end of each", func() bool { return f.count(sink.EventSessionClosed) == 20 })
}
