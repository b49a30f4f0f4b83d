package server

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
	"zigh3/engine/link"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/wire"
)

// What RFC 9114, sections 4, 6 and 7, and RFC 9204 oblige a server to refuse or to ignore, each rule with frames made by hand. An
// outcome is "connection CODE", "reset CODE" for a stream error, or the answer; where the connection is to live, a plain request
// behind it shows that it does.

const grease = 0x1f*7 + 0x21 // a type that is reserved for nothing, of frames, streams and settings (RFC 9114, 7.2.8)

func TestN08FramesOfRequestStreams(t *testing.T) {
	addr := startConformanceServer(t, "")
	request := headers(plainGet...)
	trailers := headers("x-t", "1")
	data := frame(wire.FrameData, "body")
	for _, c := range []struct {
		name  string
		parts [][]byte
		want  string
	}{
		// 4.1
		{"request", [][]byte{request}, "200"},
		{"request with a body", [][]byte{post("/echo"), data, data}, "200 bodybody"},
		{"request with types and lengths spelled at length", [][]byte{spelledOut(post("/echo")), spelledOut(data), spelledOut(trailers)}, "200 [x-t 1]body"},
		{"request with an empty DATA frame", [][]byte{post("/echo"), frame(wire.FrameData), data, frame(wire.FrameData)}, "200 body"},
		{"request with trailers", [][]byte{post("/echo"), data, trailers}, "200 [x-t 1]body"},
		{"request with trailers and no body", [][]byte{post("/echo"), trailers}, "200 [x-t 1]"},
		{"unknown frames everywhere", [][]byte{frame(grease, "?"), post("/echo"), frame(grease), data, frame(0x40, "??"), trailers, frame(grease, "?")}, "200 [x-t 1]body"},
		{"DATA before HEADERS", [][]byte{data}, "connection H3_FRAME_UNEXPECTED"},
		{"DATA after trailers", [][]byte{post("/echo"), data, trailers, data}, "connection H3_FRAME_UNEXPECTED"},
		{"HEADERS after trailers", [][]byte{post("/echo"), data, trailers, trailers}, "connection H3_FRAME_UNEXPECTED"},
		{"nothing", nil, "reset H3_REQUEST_INCOMPLETE"},
		{"unknown frames only", [][]byte{frame(grease, "?")}, "reset H3_REQUEST_INCOMPLETE"},

		// 7.1
		{"HEADERS cut off", [][]byte{request[:len(request)-1]}, "connection H3_FRAME_ERROR"},
		{"HEADERS without its length", [][]byte{{wire.FrameHeaders}}, "connection H3_FRAME_ERROR"},
		{"DATA cut off", [][]byte{post("/echo"), data[:3]}, "connection H3_FRAME_ERROR"},
		{"DATA without its length", [][]byte{post("/echo"), {wire.FrameData}}, "connection H3_FRAME_ERROR"},
		{"trailers cut off", [][]byte{post("/echo"), data, trailers[:3]}, "connection H3_FRAME_ERROR"},
		{"unknown frame cut off", [][]byte{post("/echo"), frame(grease, "12345")[:4]}, "connection H3_FRAME_ERROR"},
		{"unknown frame cut off before HEADERS", [][]byte{frame(grease, "12345")[:4]}, "connection H3_FRAME_ERROR"},

		// 7.2
		{"CANCEL_PUSH", [][]byte{frame(wire.FrameCancelPush, 0)}, "connection H3_FRAME_UNEXPECTED"},
		{"SETTINGS", [][]byte{frame(wire.FrameSettings)}, "connection H3_FRAME_UNEXPECTED"},
		{"SETTINGS after HEADERS", [][]byte{post("/echo"), frame(wire.FrameSettings)}, "connection H3_FRAME_UNEXPECTED"},
		{"PUSH_PROMISE", [][]byte{frame(wire.FramePushPromise, 0, "??")}, "connection H3_FRAME_UNEXPECTED"},
		{"PUSH_PROMISE after HEADERS", [][]byte{post("/echo"), frame(wire.FramePushPromise, 0, "??")}, "connection H3_FRAME_UNEXPECTED"},
		{"GOAWAY", [][]byte{frame(wire.FrameGoAway, 0)}, "connection H3_FRAME_UNEXPECTED"},
		{"GOAWAY after DATA", [][]byte{post("/echo"), data, frame(wire.FrameGoAway, 0)}, "connection H3_FRAME_UNEXPECTED"},
		{"MAX_PUSH_ID", [][]byte{frame(wire.FrameMaxPushID, 0)}, "connection H3_FRAME_UNEXPECTED"},
		{"frame 0x2 of HTTP/2", [][]byte{frame(0x2)}, "connection H3_FRAME_UNEXPECTED"},
		{"frame 0x6 of HTTP/2", [][]byte{frame(0x6)}, "connection H3_FRAME_UNEXPECTED"},
		{"frame 0x8 of HTTP/2", [][]byte{post("/echo"), frame(0x8)}, "connection H3_FRAME_UNEXPECTED"},
		{"frame 0x9 of HTTP/2", [][]byte{post("/echo"), data, frame(0x9)}, "connection H3_FRAME_UNEXPECTED"},

		{"HEADERS of 4 EiB", [][]byte{wire.AppendFrameHead(nil, wire.FrameHeaders, 1<<62-1), make([]byte, 100)}, "431"},
		{"DATA of 4 EiB", [][]byte{post("/echo"), wire.AppendFrameHead(nil, wire.FrameData, 1<<62-1), make([]byte, 100)}, "connection H3_FRAME_ERROR"},
		{"unknown frame of 100 KiB", [][]byte{post("/echo"), frame(grease, make([]byte, 100<<10)), data}, "connection H3_EXCESSIVE_LOAD"},
		{"100 unknown frames of 1 KiB", [][]byte{post("/echo"), bytes.Repeat(frame(grease, make([]byte, 1<<10)), 100), data}, "connection H3_EXCESSIVE_LOAD"},
		{"100 unknown frames of 1 KiB before HEADERS", [][]byte{bytes.Repeat(frame(grease, make([]byte, 1<<10)), 100), post("/echo"), data}, "connection H3_EXCESSIVE_LOAD"},
		{"trailers of 70 KiB", [][]byte{post("/echo"), frame(wire.FrameHeaders, make([]byte, 70<<10))}, "reset H3_EXCESSIVE_LOAD"},

		// RFC 9204, 2.2, 4.5
		{"empty HEADERS", [][]byte{frame(wire.FrameHeaders)}, "connection QPACK_DECOMPRESSION_FAILED"},
		{"dynamic table", [][]byte{frame(wire.FrameHeaders, []byte{1, 0, 0x80})}, "connection QPACK_DECOMPRESSION_FAILED"},
		{"dynamic table in trailers", [][]byte{post("/echo"), data, frame(wire.FrameHeaders, []byte{1, 0, 0x80})}, "connection QPACK_DECOMPRESSION_FAILED"},

		// 4.1.2, 4.2, 4.3: what is malformed is tested field by field beside decodeRequest
		{"N02 no :path", [][]byte{headers(plainGet[:6]...)}, "reset H3_MESSAGE_ERROR"},
		{"N02 no :method", [][]byte{headers(plainGet[2:]...)}, "reset H3_MESSAGE_ERROR"},
		{"N02 :method twice", [][]byte{headers(append([]string{":method", "GET"}, plainGet...)...)}, "reset H3_MESSAGE_ERROR"},
		{"N02 upper-case name", [][]byte{headers(withFields("X-A", "1")...)}, "reset H3_MESSAGE_ERROR"},
		{"N02 connection", [][]byte{headers(withFields("connection", "close")...)}, "reset H3_MESSAGE_ERROR"},
		{"N02 malformed, with a body", [][]byte{headers(withFields("connection", "close")...), data}, "reset H3_MESSAGE_ERROR"},
		{"pseudo-field in trailers", [][]byte{post("/echo"), data, headers(":path", "/")}, "reset H3_MESSAGE_ERROR"},
		{"connection-specific field in trailers", [][]byte{post("/echo"), data, headers("connection", "close")}, "reset H3_MESSAGE_ERROR"},
		{"B04 body shorter than content-length", [][]byte{post("/echo", "content-length", "5"), data}, "reset H3_MESSAGE_ERROR"},
		{"B04 body longer than content-length", [][]byte{post("/echo", "content-length", "3"), data}, "reset H3_MESSAGE_ERROR"},
		{"B04 no body for a content-length", [][]byte{post("/echo", "content-length", "5")}, "reset H3_MESSAGE_ERROR"},
		{"B04 body for a content-length of 0", [][]byte{post("/echo", "content-length", "0"), data}, "reset H3_MESSAGE_ERROR"},
		{"B04 body shorter than content-length, with trailers", [][]byte{post("/echo", "content-length", "5"), data, trailers}, "reset H3_MESSAGE_ERROR"},
		{"B04 body as long as content-length", [][]byte{post("/echo", "content-length", "8"), data, data}, "200 bodybody"},

		// N01 and what else the engine answers alone
		{"N01 name of 300 bytes", [][]byte{headers(withFields(strings.Repeat("n", 300), "v")...)}, "431"},
		{"N01 value of 9 KiB", [][]byte{headers(withFields("x", strings.Repeat("v", 9<<10))...)}, "431"},
		{"N01 list beyond 64 KiB", [][]byte{frame(wire.FrameHeaders, make([]byte, 70<<10))}, "431"},
		{"N01 CR LF", [][]byte{headers(withFields("x", "a\r\nb: c")...)}, "400"},
		{"N01 NUL", [][]byte{headers(withFields("x", "\x00")...)}, "400"},
		{"R07 no route", [][]byte{headers(append(slices.Clone(plainGet[:6]), ":path", "/nothing")...)}, "404"},
		{"R05 no such method", [][]byte{post("/get")}, "405 [allow GET, HEAD]"},
		{"R08 long path", [][]byte{headers(append(slices.Clone(plainGet[:6]), ":path", "/"+strings.Repeat("p", 9000))...)}, "414"},
		{"R09 %zz", [][]byte{headers(append(slices.Clone(plainGet[:6]), ":path", "/%zz")...)}, "400"},
		{"HEAD", [][]byte{headers(append([]string{":method", "HEAD"}, plainGet[2:]...)...)}, "200"},
		{"CONNECT", [][]byte{headers(":method", "CONNECT", ":authority", "h:1")}, "501"},
		{"WebSocket (RFC 9220)", [][]byte{headers(":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "h", ":path", "/get")}, "501"},
	} {
		for _, slowly := range []bool{false, true} {
			name := c.name
			if slowly {
				name += ", a part at a time"
			}
			t.Run(name, func(t *testing.T) {
				client, _ := dialHTTP(t, addr)
				var s *quic.Stream
				if slowly {
					// The first byte alone keeps the request from the short way. The server has it before the rest is sent
					// because a plain request behind it is answered.
					all := join(c.parts...)
					s = client.Open(all[:min(1, len(all))], false)
					client.Lives()
					if len(all) > 1 {
						_, _ = s.Write(all[1:]) // the server may have closed for what it saw
					}
					_ = s.Close()
				} else {
					s = client.Open(join(c.parts...), true)
				}
				if strings.HasPrefix(c.want, "connection") {
					if got := client.Closed(); got != c.want {
						t.Errorf("%q, want %q", got, c.want)
					}
					return
				}
				if got := client.Answer(s); got != c.want {
					t.Errorf("%q, want %q", got, c.want)
				}
				client.Lives()
			})
		}
	}
}

// A stream that ends by a reset may do so anywhere (RFC 9114, 7.1): no error of the connection.
func TestN08ResetInTheMiddleOfAFrame(t *testing.T) {
	withAndWithoutDatagram(t, testN08ResetInTheMiddleOfAFrame)
}

func testN08ResetInTheMiddleOfAFrame(t *testing.T) {
	client, _ := dialHTTP(t, startConformanceServer(t, ""))
	for _, begin := range [][]byte{nil, {wire.FrameHeaders}, headers(plainGet...)[:9], join(post("/echo"), []byte{wire.FrameData, 9, 'x'})} {
		s := client.Open(begin, false)
		s.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
		client.Lives()
	}
}

// N09: fifty requests are answered while the header block of another comes a byte at a time.
func TestN09SlowHeaderBlockHoldsNobodyUp(t *testing.T) {
	withAndWithoutDatagram(t, testN09SlowHeaderBlockHoldsNobodyUp)
}

func testN09SlowHeaderBlockHoldsNobodyUp(t *testing.T) {
	client, _ := dialHTTP(t, startConformanceServer(t, ""))
	block := headers(withFields("x", "y")...)
	slow := client.Open(block[:1], false)
	for i := range 50 {
		client.Lives()
		if i+1 < len(block)-1 {
			if _, err := slow.Write(block[i+1 : i+2]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := slow.Write(block[min(51, len(block)-1):]); err != nil {
		t.Fatal(err)
	}
	if err := slow.Close(); err != nil {
		t.Fatal(err)
	}
	if got := client.Answer(slow); got != "200" {
		t.Errorf("the slow one: %q", got)
	}
}

// A header block is held against one limit, whether its stream is there at once or not.
func TestHeaderBlocksBeyondTheLimit(t *testing.T) {
	addr := startConformanceServer(t, `{"max_header_bytes": 2000}`)
	fits, long := strings.Repeat("v", 1700), strings.Repeat("v", 2000)
	// Huffman codes of these have 28 bits: the block is longer than the list in it.
	wide := strings.Repeat("\xfa", 700)
	for _, c := range []struct {
		name  string
		block []byte
		want  string
	}{
		{"below", headers(append(plainGet, "x-long", fits)...), "200"},
		{"beyond", headers(append(plainGet, "x-long", long)...), "431"},
		{"encoded beyond", headers(append(plainGet, "x-wide", wide)...), "431"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, _ := dialHTTP(t, addr)
			if got := client.Answer(client.Open(c.block, true)); got != c.want {
				t.Errorf("at once: %q, want %q", got, c.want)
			}
			s := client.Open(c.block[:1], false)
			time.Sleep(20 * link.HeaderWait)
			s.Write(c.block[1:])
			s.Close()
			if got := client.Answer(s); got != c.want {
				t.Errorf("late: %q, want %q", got, c.want)
			}
			client.Lives()
		})
	}
}
