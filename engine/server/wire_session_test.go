package server

import (
	"bufio"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// Settings and capsules of sessions, as draft-ietf-webtrans-http3-14 numbers them.
const (
	settingMaxData        = 0x2b61
	settingMaxStreamsUni  = 0x2b64
	settingMaxStreamsBidi = 0x2b65
	capsuleMaxStreamsBidi = 0x190b4d3f
	streamOfSession       = 0x41
	uniStreamOfSession    = 0x54
)

// A wireClient opens sessions with frames made by hand.
type wireClient struct {
	*enginetest.Client
	t testing.TB
	f *sessionFixture
}

// dialWire connects and sends SETTINGS, name and value in turn, behind SETTINGS_H3_DATAGRAM. Of a stream that nobody reads it takes
// window bytes; 0 is quic-go's default.
func dialWire(t testing.TB, f *sessionFixture, window uint64, settings ...any) *wireClient {
	t.Helper()
	o := enginetest.Options{Datagrams: true, ResetPartialDelivery: true, StreamWindow: window, Unread: true}
	for i := 0; i < len(settings); i += 2 {
		o.Settings = append(o.Settings, enginetest.Setting{ID: uint64(settings[i].(int)), Value: uint64(settings[i+1].(int))})
	}
	return &wireClient{enginetest.Dial(t, f.addr, o), t, f}
}

// ask asks for a session.
func (c *wireClient) ask(path string) *quic.Stream {
	c.t.Helper()
	return c.Open(headers(":method", "CONNECT", ":protocol", "webtransport", ":scheme", "https", ":authority", c.f.addr, ":path", path), false)
}

// session opens a session, and gives its CONNECT stream and its SESSION_OPENED.
func (c *wireClient) session() (*quic.Stream, event) {
	c.t.Helper()
	before := c.f.count(sink.EventSessionOpened)
	s := c.ask("/wt")
	if got := enginetest.Describe(readFrame(c.t, s)); !strings.HasPrefix(got, "200") {
		c.t.Fatalf("the answer is %q", got)
	}
	n := 0
	return s, c.f.wait("the session", func(e event) bool {
		if e.Type == sink.EventSessionOpened {
			n++
		}
		return e.Type == sink.EventSessionOpened && n > before
	})
}

// stream opens a bidirectional stream in the session of a CONNECT stream.
func (c *wireClient) stream(connect *quic.Stream, p []byte) *quic.Stream {
	c.t.Helper()
	return c.Open(join(varints(streamOfSession, int(connect.StreamID())), p), false)
}

// limits tells the values of a CONNECT stream's capsules of a type. It runs until the stream ends.
func limits(connect *quic.Stream, typ uint64) <-chan int {
	values := make(chan int, 1000)
	connect.SetReadDeadline(time.Time{})
	go func() {
		defer close(values)
		in := bufio.NewReader(connect)
		next := func() uint64 { v, _ := quicvarint.Read(in); return v } // 0 behind the end
		for {
			if _, err := in.Peek(1); err != nil {
				return
			}
			next() // DATA
			next()
			if got, n := next(), next(); got == typ {
				values <- int(next())
			} else {
				in.Discard(int(n))
			}
		}
	}()
	return values
}

// readFrame reads one frame, and not a byte further.
func readFrame(t testing.TB, r io.Reader) []byte {
	t.Helper()
	one := bufio.NewReaderSize(oneByte{r}, 16)
	typ, err := quicvarint.Read(one)
	if err != nil {
		t.Fatal(err)
	}
	length, err := quicvarint.Read(one)
	if err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(one, payload); err != nil {
		t.Fatal(err)
	}
	return append(wire.AppendFrameHead(nil, typ, length), payload...)
}

// oneByte keeps a bufio.Reader from reading ahead.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), 1)]) }
