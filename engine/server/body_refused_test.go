package server

import (
	"errors"
	"io"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/enginetest"
	"zigh3/engine/route"
	"zigh3/engine/wire"
)

// A body that is there as a whole gives its room back when its request finds no handle: else a server that is full for a while takes none
// any more.
func TestN15_ABodyWhoseRequestFindsNoHandleGivesItsRoomBack(t *testing.T) {
	withAndWithoutDatagram(t, func(t *testing.T) {
		f := serve(t, `{"max_request_body_size": 1048576, "max_buffered_body_bytes": 1048576}`, route.Buffered, hello)
		c := enginetest.Dial(t, f.addr, enginetest.Options{Datagrams: offersDatagram})
		c.Get("/")
		f.SetFull(true)
		for range 3 {
			var reset *quic.StreamError
			s := c.Open(join(post("/"), frame(wire.FrameData, pattern(1000))), true)
			if _, err := io.ReadAll(s); !errors.As(err, &reset) || reset.ErrorCode != quic.StreamErrorCode(http3.ErrCodeRequestRejected) {
				t.Fatalf("refused with %v", err)
			}
		}
		f.SetFull(false)
		if used, _ := f.server.bodies.used(); used != 0 {
			t.Errorf("%d bytes are used", used)
		}
	})
}

// A buffered body that does not say how long it is may be as long as the limit, and no longer, also where it is there at once.
func TestN15_LimitOfABodyThatIsThereAtOnce(t *testing.T) {
	withAndWithoutDatagram(t, func(t *testing.T) {
		f := serve(t, `{"max_request_body_size": 1000}`, route.Buffered, hello)
		c := enginetest.Dial(t, f.addr, enginetest.Options{Datagrams: offersDatagram})
		for n, want := range map[int]string{1000: "200 hello world", 1001: "413"} {
			if got := c.Answer(c.Open(join(post("/"), frame(wire.FrameData, pattern(n))), true)); got != want {
				t.Errorf("%d bytes: %q, want %q", n, got, want)
			}
		}
	})
}
