package server

import (
	"slices"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/link"
	"zigh3/engine/wire"
)

// The streams beside requests; conformance_test.go says how outcomes are written.

func TestN08ControlStream(t *testing.T) {
	addr := startConformanceServer(t, "")
	settings := frame(wire.FrameSettings)
	alive := "200"
	for _, c := range []struct {
		name  string
		parts [][]byte // behind the stream type
		end   bool
		want  string
	}{
		// 6.2.1
		{"first frame is another one", [][]byte{frame(wire.FrameGoAway, 0)}, false, "connection H3_MISSING_SETTINGS"},
		{"first frame is an unknown one", [][]byte{frame(grease, "?"), settings}, false, "connection H3_MISSING_SETTINGS"},
		{"first frame is DATA", [][]byte{frame(wire.FrameData, "?")}, false, "connection H3_MISSING_SETTINGS"},
		{"closed", [][]byte{settings}, true, "connection H3_CLOSED_CRITICAL_STREAM"},
		{"closed before SETTINGS", nil, true, "connection H3_CLOSED_CRITICAL_STREAM"},

		// 7.2.4
		{"SETTINGS", [][]byte{settings}, false, alive},
		{"unknown settings", [][]byte{frame(wire.FrameSettings, grease, 0, 0x40, 1<<40, grease+0x1f, 7)}, false, alive},
		{"all known settings", [][]byte{frame(wire.FrameSettings, 0x1, 4096, 0x6, 1<<20, 0x7, 100, 0x8, 1)}, false, alive},
		{"setting given twice", [][]byte{frame(wire.FrameSettings, 0x6, 1000, 0x6, 1000)}, false, "connection H3_SETTINGS_ERROR"},
		{"unknown setting given twice", [][]byte{frame(wire.FrameSettings, grease, 1, grease, 2)}, false, "connection H3_SETTINGS_ERROR"},
		{"setting 0x0 of HTTP/2", [][]byte{frame(wire.FrameSettings, 0x0, 1)}, false, "connection H3_SETTINGS_ERROR"},
		{"setting 0x2 of HTTP/2", [][]byte{frame(wire.FrameSettings, 0x2, 1)}, false, "connection H3_SETTINGS_ERROR"},
		{"setting 0x3 of HTTP/2", [][]byte{frame(wire.FrameSettings, 0x3, 1)}, false, "connection H3_SETTINGS_ERROR"},
		{"setting 0x4 of HTTP/2", [][]byte{frame(wire.FrameSettings, 0x4, 1)}, false, "connection H3_SETTINGS_ERROR"},
		{"setting 0x5 of HTTP/2", [][]byte{frame(wire.FrameSettings, 0x5, 1)}, false, "connection H3_SETTINGS_ERROR"},
		{"ENABLE_CONNECT_PROTOCOL 2", [][]byte{frame(wire.FrameSettings, 0x8, 2)}, false, "connection H3_SETTINGS_ERROR"},
		{"H3_DATAGRAM 2", [][]byte{frame(wire.FrameSettings, 0x33, 2)}, false, "connection H3_SETTINGS_ERROR"},
		{"H3_DATAGRAM without the transport parameter", [][]byte{frame(wire.FrameSettings, 0x33, 1)}, false, "connection H3_SETTINGS_ERROR"},
		{"setting without its value", [][]byte{frame(wire.FrameSettings, 0x6)}, false, "connection H3_FRAME_ERROR"},
		{"setting cut off", [][]byte{frame(wire.FrameSettings, 0x6, []byte{0x40})}, false, "connection H3_FRAME_ERROR"},
		{"SETTINGS of 9 KiB", [][]byte{wire.AppendFrameHead(nil, wire.FrameSettings, 9<<10)}, false, "connection H3_EXCESSIVE_LOAD"},
		{"second SETTINGS", [][]byte{settings, settings}, false, "connection H3_FRAME_UNEXPECTED"},

		// 7.2
		{"DATA", [][]byte{settings, frame(wire.FrameData, "?")}, false, "connection H3_FRAME_UNEXPECTED"},
		{"HEADERS", [][]byte{settings, headers(plainGet...)}, false, "connection H3_FRAME_UNEXPECTED"},
		{"PUSH_PROMISE", [][]byte{settings, frame(wire.FramePushPromise, 0)}, false, "connection H3_FRAME_UNEXPECTED"},
		{"frame 0x2 of HTTP/2", [][]byte{settings, frame(0x2)}, false, "connection H3_FRAME_UNEXPECTED"},
		{"frame 0x6 of HTTP/2", [][]byte{settings, frame(0x6, "12345678")}, false, "connection H3_FRAME_UNEXPECTED"},
		{"frame 0x8 of HTTP/2", [][]byte{settings, frame(0x8)}, false, "connection H3_FRAME_UNEXPECTED"},
		{"frame 0x9 of HTTP/2", [][]byte{settings, frame(0x9)}, false, "connection H3_FRAME_UNEXPECTED"},
		{"unknown frames", [][]byte{settings, frame(grease, "?"), frame(0x40), frame(grease, make([]byte, 5000))}, false, alive},
		{"unknown frame of 4 EiB", [][]byte{settings, wire.AppendFrameHead(nil, grease, 1<<62-1), make([]byte, 500)}, false, alive},

		// 7.2.3, 7.2.6, 7.2.7
		{"CANCEL_PUSH of a push that was never promised", [][]byte{settings, frame(wire.FrameMaxPushID, 9), frame(wire.FrameCancelPush, 3)}, false, "connection H3_ID_ERROR"},
		{"CANCEL_PUSH beyond MAX_PUSH_ID", [][]byte{settings, frame(wire.FrameCancelPush, 0)}, false, "connection H3_ID_ERROR"},
		{"CANCEL_PUSH without an id", [][]byte{settings, frame(wire.FrameCancelPush)}, false, "connection H3_FRAME_ERROR"},
		{"CANCEL_PUSH with more behind", [][]byte{settings, frame(wire.FrameCancelPush, 1, 2)}, false, "connection H3_FRAME_ERROR"},
		{"MAX_PUSH_ID without an id", [][]byte{settings, frame(wire.FrameMaxPushID)}, false, "connection H3_FRAME_ERROR"},
		{"MAX_PUSH_ID that grows", [][]byte{settings, frame(wire.FrameMaxPushID, 1), frame(wire.FrameMaxPushID, 1), frame(wire.FrameMaxPushID, 1<<40)}, false, alive},
		{"MAX_PUSH_ID that shrinks", [][]byte{settings, frame(wire.FrameMaxPushID, 5), frame(wire.FrameMaxPushID, 4)}, false, "connection H3_ID_ERROR"},
		{"MAX_PUSH_ID with more behind", [][]byte{settings, frame(wire.FrameMaxPushID, 5, 6)}, false, "connection H3_FRAME_ERROR"},
		{"MAX_PUSH_ID cut off", [][]byte{settings, frame(wire.FrameMaxPushID, []byte{0x40})}, false, "connection H3_FRAME_ERROR"},
		{"GOAWAY whose id shrinks", [][]byte{settings, frame(wire.FrameGoAway, 7), frame(wire.FrameGoAway, 7), frame(wire.FrameGoAway, 0)}, false, alive},
		{"GOAWAY whose id grows", [][]byte{settings, frame(wire.FrameGoAway, 7), frame(wire.FrameGoAway, 8)}, false, "connection H3_ID_ERROR"},
		{"GOAWAY without an id", [][]byte{settings, frame(wire.FrameGoAway)}, false, "connection H3_FRAME_ERROR"},
		{"GOAWAY with more behind", [][]byte{settings, frame(wire.FrameGoAway, 1, 2)}, false, "connection H3_FRAME_ERROR"},
		{"GOAWAY cut off", [][]byte{settings, frame(wire.FrameGoAway, []byte{0xc0, 0, 0})}, false, "connection H3_FRAME_ERROR"},
		{"GOAWAY of nine bytes", [][]byte{settings, frame(wire.FrameGoAway, 1<<40, "?")}, false, "connection H3_FRAME_ERROR"},
		{"control stream that ends inside a frame", [][]byte{settings, frame(grease, "12345")[:4]}, true, "connection H3_CLOSED_CRITICAL_STREAM"},
		{"types and lengths spelled at length", [][]byte{spelledOut(frame(wire.FrameSettings, []byte{0x40, 0x6, 0x20})), spelledOut(frame(grease, "?"))}, false, alive},
	} {
		for _, bytewise := range []bool{false, true} {
			name := c.name
			all := append([]byte{0}, join(c.parts...)...)
			if bytewise {
				if len(all) > 1000 {
					continue // the others are short enough
				}
				name += ", byte by byte"
			}
			t.Run(name, func(t *testing.T) {
				client := dialRaw(t, addr)
				first := len(all)
				if bytewise {
					first = 1
				}
				s := client.Uni(all[:first])
				for _, b := range all[first:] {
					_, _ = s.Write([]byte{b}) // the server may have closed for what it saw
				}
				if c.end {
					_ = s.Close()
				}
				got := ""
				if c.want == alive {
					got = client.Answer(client.Open(headers(plainGet...), true))
				} else {
					got = client.Closed()
				}
				if got != c.want {
					t.Errorf("%q, want %q", got, c.want)
				}
			})
		}
	}
}

func TestN08UnidirectionalStreams(t *testing.T) {
	addr := startConformanceServer(t, "")
	alive := "200"
	end := []byte(nil) // as the last part: the stream is closed
	for _, c := range []struct {
		name    string
		streams [][][]byte
		want    string
	}{
		// RFC 9114, 6.2
		{"second control stream", [][][]byte{{{0}, frame(wire.FrameSettings)}, {{0}}}, "connection H3_STREAM_CREATION_ERROR"},
		{"push stream", [][][]byte{{{1, 0}}}, "connection H3_STREAM_CREATION_ERROR"},
		{"unknown stream types", [][][]byte{{{grease & 0x3f, 1, 2, 3}}, {varints(grease, "???")}, {varints(1 << 40), end}}, alive},
		{"streams without a type", [][][]byte{{{}, end}, {{0x40}, end}, {{0xc0, 0, 0}, end}}, alive},

		// RFC 9204, 4.2
		{"QPACK streams", [][][]byte{{{2}}, {{3}}}, alive},
		{"second encoder stream", [][][]byte{{{2}}, {{2}}}, "connection H3_STREAM_CREATION_ERROR"},
		{"second decoder stream", [][][]byte{{{3}}, {{3}}}, "connection H3_STREAM_CREATION_ERROR"},
		{"encoder stream closed", [][][]byte{{{2}, end}}, "connection H3_CLOSED_CRITICAL_STREAM"},
		{"decoder stream closed", [][][]byte{{{3}, end}}, "connection H3_CLOSED_CRITICAL_STREAM"},

		// RFC 9204, 4.3: with a capacity of 0 an encoder can say nothing but that it is 0
		{"capacity 0", [][][]byte{{{2}, {0x20}}}, alive},
		{"capacity beyond what was allowed", [][][]byte{{{2}, {0x3f, 0x01}}}, "connection QPACK_ENCODER_STREAM_ERROR"},
		{"capacity 1", [][][]byte{{{2}, {0x21}}}, "connection QPACK_ENCODER_STREAM_ERROR"},
		{"insert with name reference", [][][]byte{{{2}, {0xc0, 1, 'x'}}}, "connection QPACK_ENCODER_STREAM_ERROR"},
		{"insert with literal name", [][][]byte{{{2}, {0x41, 'a', 1, 'x'}}}, "connection QPACK_ENCODER_STREAM_ERROR"},
		{"duplicate", [][][]byte{{{2}, {0x00}}}, "connection QPACK_ENCODER_STREAM_ERROR"},

		// RFC 9204, 4.4: nothing was ever inserted that could be acknowledged
		{"section acknowledgment", [][][]byte{{{3}, {0x80}}}, "connection QPACK_DECODER_STREAM_ERROR"},
		{"insert count increment", [][][]byte{{{3}, {0x01}}}, "connection QPACK_DECODER_STREAM_ERROR"},
		{"insert count increment of 0", [][][]byte{{{3}, {0x00}}}, "connection QPACK_DECODER_STREAM_ERROR"},
		{"stream cancellation", [][][]byte{{{3}, {0x44, 0x7f, 0x20}}}, alive},
		{"stream cancellation beyond 62 bits", [][][]byte{{{3}, {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}}}, "connection QPACK_DECODER_STREAM_ERROR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := dialRaw(t, addr)
			if c.name != "second control stream" {
				client.Uni(append([]byte{0}, frame(wire.FrameSettings)...))
			}
			for _, parts := range c.streams {
				s := client.Uni(parts[0])
				for _, p := range parts[1:] {
					if p == nil {
						_ = s.Close()
					} else {
						_, _ = s.Write(p) // the server may have closed for what it saw
					}
				}
			}
			var got string
			if c.want == alive {
				got = client.Answer(client.Open(headers(plainGet...), true))
			} else {
				got = client.Closed()
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestN08CriticalStreamsReset(t *testing.T) {
	for _, typ := range []byte{0, 2, 3} {
		server := conformanceServer(t, "")
		client := dialRaw(t, addressOf(server))
		begin := []byte{typ}
		if typ == 0 {
			begin = append(begin, frame(wire.FrameSettings)...)
		}
		s := client.Uni(begin)
		awaitUniStream(t, server, typ)
		s.CancelWrite(quic.StreamErrorCode(http3.ErrCodeNoError))
		if got := client.Closed(); got != "connection H3_CLOSED_CRITICAL_STREAM" {
			t.Errorf("stream of type %d reset: %q", typ, got)
		}
	}
}

// Neither control stream may be closed (RFC 9114, 6.2.1): a peer that wants to hear no more of ours breaks the rule as well.
func TestN08OurControlStreamStopped(t *testing.T) {
	client, _ := dialHTTP(t, startConformanceServer(t, ""))
	client.Lives()
	s, err := client.Conn.AcceptUniStream(client.Conn.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.CancelRead(quic.StreamErrorCode(http3.ErrCodeNoError))
	if got := client.Closed(); got != "connection H3_CLOSED_CRITICAL_STREAM" {
		t.Errorf("%q", got)
	}
}

// awaitUniStream waits until the server has read of which type a stream of its only connection is. A reset that is quicker takes the type along.
func awaitUniStream(t *testing.T, s *Server, typ byte) {
	t.Helper()
	eventually(t, "a stream of a known type", func() bool {
		return slices.ContainsFunc(s.connsForTest(), func(c *conn) bool {
			return c.Opened(uint64(typ))
		})
	})
}

// A reset before the type is known says nothing (RFC 9114, 6.2).
func TestN08UnidirectionalStreamResetBeforeItsType(t *testing.T) {
	withAndWithoutDatagram(t, testN08UnidirectionalStreamResetBeforeItsType)
}

func testN08UnidirectionalStreamResetBeforeItsType(t *testing.T) {
	client, _ := dialHTTP(t, startConformanceServer(t, ""))
	client.Uni([]byte{0x40}).CancelWrite(quic.StreamErrorCode(http3.ErrCodeNoError))
	client.Lives()
}

// Streams that end before their type is known, more of them than may be open at once: each makes room for another.
func TestN13_UnidirectionalStreamsThatEndBeforeTheirType(t *testing.T) {
	withAndWithoutDatagram(t, testN13_UnidirectionalStreamsThatEndBeforeTheirType)
}

func testN13_UnidirectionalStreamsThatEndBeforeTheirType(t *testing.T) {
	client, _ := dialHTTP(t, startConformanceServer(t, ""))
	for _, end := range []func(s *quic.SendStream){
		func(s *quic.SendStream) { s.Close() },
		func(s *quic.SendStream) { s.Write([]byte{0x40}); s.Close() },
		func(s *quic.SendStream) { s.CancelWrite(quic.StreamErrorCode(http3.ErrCodeNoError)) },
		func(s *quic.SendStream) {
			s.Write([]byte{0x40})
			s.CancelWrite(quic.StreamErrorCode(http3.ErrCodeNoError))
		},
	} {
		for range 3 * link.MaxUniStreams {
			s, err := client.Conn.OpenUniStreamSync(ctx(t))
			if err != nil {
				t.Fatal(err)
			}
			end(s)
		}
	}
	client.Lives()
}

// What the server itself opens: one control stream that begins with SETTINGS.
func TestN08ServerSendsSettingsFirst(t *testing.T) {
	client, _ := dialHTTP(t, startConformanceServer(t, `{"max_header_bytes": 5000}`))
	client.Lives()
	s, err := client.Conn.AcceptUniStream(client.Conn.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := varints(0, wire.FrameSettings)
	got := make([]byte, len(want)+1)
	if _, err := s.Read(got); err != nil || string(got[:len(want)]) != string(want) {
		t.Fatalf("%x, %v", got, err)
	}
	rest := make([]byte, got[len(want)])
	for n := 0; n < len(rest); {
		m, err := s.Read(rest[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += m
	}
	if limit := varints(0x6, 5000); !strings.Contains(string(rest), string(limit)) {
		t.Errorf("SETTINGS %x do not tell the limit of a field section (%x)", rest, limit)
	}
}
