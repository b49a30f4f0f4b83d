package client

import (
	"errors"
	"testing"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
)

// A stream that a server opens, and does not say what it is, is given up in header_timeout_ms, both ways; the connection serves on.
func TestAStreamThatIsOnlyBegun(t *testing.T) {
	ends := make(chan error, 10)
	r := listenRaw(t, &quic.Config{EnableDatagrams: true}, func(c *rawConn) {
		for _, begin := range []string{"\x40", "\x40\x41", "\x40\x41\x40"} { // of a session's stream, and of the session's id
			s, err := c.OpenStream()
			if err != nil {
				t.Error(err)
				return
			}
			s.Write([]byte(begin))
			go func() {
				_, err := s.Read(make([]byte, 1))
				<-s.Context().Done() // STOP_SENDING
				ends <- err
			}()
		}
		answering(headers(":status", "200"))(c)
	})
	f := newFixture(t, `{"header_timeout_ms": 50}`)
	asks := func() {
		if a := f.get(r.addr, "/"); a.end.Code != sink.OK {
			t.Fatalf("%v", a)
		}
	}
	asks()
	for range 3 {
		var reset *quic.StreamError
		if err := within(t, "the end of a stream", ends); !errors.As(err, &reset) || !reset.Remote || reset.ErrorCode != 0x10c {
			t.Errorf("%v", err)
		}
	}
	asks()
	if n := f.stats[sink.StatConnectionsTotal].Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}
