package engine

import (
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/quic-go/quic-go"
)

// Chromium tells a page the code of a stream that is stopped and reset only when it hears of the stop first.
func TestW10_StopGoesBeforeReset(t *testing.T) {
	f := serveSessions(t, "", nil)
	trace, c := dialTraced(t, f)
	c.connect(f)
	f.waitType(EventSessionOpened)
	const streams = 50
	done := map[Handle]bool{}
	for i := range streams {
		stream, err := c.q.OpenStreamSync(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		stream.Write(join(varints(0x41, 0), []byte("x")))
		o := f.wait("a stream", func(e event) bool { return e.Type == EventStreamOpened && !done[e.Object] })
		done[o.Object] = true
		f.await(func() {
			st := f.stream(o.Object)
			st.Stop(uint32(i))
			st.Reset(uint32(i))
		})
		var reset *quic.StreamError
		if _, err := io.ReadAll(stream); !errors.As(err, &reset) || !reset.Remote {
			t.Fatalf("the stream ends with %v", err)
		}
	}
	var want []string
	for range streams {
		want = append(want, "received STOP_SENDING", "received RESET_STREAM")
	}
	got := slices.DeleteFunc(trace.all(), func(what string) bool { return what == "sent RESET_STREAM" || what == "sent FIN" })
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if c := f.server.connsForTest(); len(c) != 1 || c[0].stops.some.Load() {
		t.Error("a STOP_SENDING is still expected")
	}
}
