package server

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
)

// Chromium tells a page the code of a stream that is stopped and reset only when it hears of the stop first.
func TestW10_StopGoesBeforeReset(t *testing.T) {
	f := serveSessions(t, "", nil)
	trace, c := dialTraced(t, f)
	c.connect(f)
	f.waitType(sink.EventSessionOpened)
	const streams = 50
	done := map[sink.Handle]bool{}
	var want []string
	for i := range streams {
		stream, err := c.Conn.OpenStreamSync(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		stream.Write(join(varints(0x41, 0), []byte("x")))
		want = append(want, fmt.Sprint("received STOP_SENDING ", stream.StreamID()), fmt.Sprint("received RESET_STREAM ", stream.StreamID()))
		o := f.wait("a stream", func(e event) bool { return e.Type == sink.EventStreamOpened && !done[e.Object] })
		done[o.Object] = true
		f.Await(func() {
			st := f.stream(o.Object)
			st.Stop(uint32(i))
			st.Reset(uint32(i))
		})
		var reset *quic.StreamError
		if _, err := io.ReadAll(stream); !errors.As(err, &reset) || !reset.Remote {
			t.Fatalf("the stream ends with %v", err)
		}
	}
	received := func() []string {
		return slices.DeleteFunc(trace.all(), func(what string) bool { return strings.HasPrefix(what, "sent") })
	}
	eventually(t, "a note of each", func() bool { return len(received()) == len(want) }) // a packet is noted after it was dealt with
	if got := received(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
