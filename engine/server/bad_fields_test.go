package server

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"

	"zigh3/engine/enginetest"
	"zigh3/engine/wire"
)

// A badRequest is a field section that makes no request, or none that is taken.
type badRequest struct {
	name string
	in   []string
	want *wire.FieldError
}

// badRequests are held against decodeRequest here, and against a server in TestN02BadRequestsOnTheWire.
func badRequests() []badRequest {
	long := strings.Repeat("v", 9<<10)
	many := plainGet
	for i := range 101 {
		many = append(slices.Clone(many), fmt.Sprintf("x-%d", i), "v")
	}
	large := plainGet
	for i := range 9 {
		large = append(slices.Clone(large), fmt.Sprintf("x-%d", i), long[:8<<10])
	}
	crumbs := plainGet
	for range 8 {
		crumbs = append(slices.Clone(crumbs), "cookie", long[:8<<10])
	}
	return []badRequest{
		{"no :method", plainGet[2:], wire.ErrNoMethod},
		{"empty :method", append([]string{":method", ""}, plainGet[2:]...), wire.ErrNoMethod},
		{":method with a space", append([]string{":method", "GET /"}, plainGet[2:]...), wire.ErrMethod},
		{"no :scheme", []string{":method", "GET", ":authority", "h", ":path", "/"}, wire.ErrNoScheme},
		{":scheme that begins with a digit", []string{":method", "GET", ":scheme", "1s", ":authority", "h", ":path", "/"}, wire.ErrScheme},
		{":scheme with a colon", []string{":method", "GET", ":scheme", "https:", ":authority", "h", ":path", "/"}, wire.ErrScheme},
		{"no :path", plainGet[:6], wire.ErrNoPath},
		{"empty :path", append(slices.Clone(plainGet[:6]), ":path", ""), wire.ErrNoPath},
		{":path without a slash", append(slices.Clone(plainGet[:6]), ":path", "index"), wire.ErrPath},
		{":path * with GET", append(slices.Clone(plainGet[:6]), ":path", "*"), wire.ErrPath},
		{":path with a space", append(slices.Clone(plainGet[:6]), ":path", "/a b"), wire.ErrPathBytes},
		{":path with a fragment", append(slices.Clone(plainGet[:6]), ":path", "/a#b"), wire.ErrPathBytes},
		{":path with NUL", append(slices.Clone(plainGet[:6]), ":path", "/a\x00b"), wire.ErrValueBytes},
		{"no :authority, no host", []string{":method", "GET", ":scheme", "https", ":path", "/"}, wire.ErrNoAuthority},
		{"empty :authority", []string{":method", "GET", ":scheme", "https", ":authority", "", ":path", "/"}, wire.ErrNoAuthority},
		{"empty host", []string{":method", "GET", ":scheme", "https", ":path", "/", "host", ""}, wire.ErrNoAuthority},
		{"two hosts", withFields("host", "example.com", "host", "example.com"), wire.ErrHosts},
		{"host and :authority differ", withFields("host", "example.org"), wire.ErrHostMismatch},
		{"userinfo", []string{":method", "GET", ":scheme", "https", ":authority", "u:p@h", ":path", "/"}, wire.ErrAuthority},
		{":authority with a path", []string{":method", "GET", ":scheme", "https", ":authority", "h/p", ":path", "/"}, wire.ErrAuthority},
		{":authority with a port that is none", []string{":method", "GET", ":scheme", "https", ":authority", "h:x", ":path", "/"}, wire.ErrAuthority},
		{":authority that is a port", []string{":method", "GET", ":scheme", "https", ":authority", ":443", ":path", "/"}, wire.ErrAuthority},
		{":authority with colons outside brackets", []string{":method", "GET", ":scheme", "https", ":authority", "::1", ":path", "/"}, wire.ErrAuthority},
		{":method twice", append([]string{":method", "GET"}, plainGet...), wire.ErrPseudoTwice},
		{"nothing at all", nil, wire.ErrNoMethod},
		{":path twice", append(slices.Clone(plainGet), ":path", "/"), wire.ErrPseudoTwice},
		{":status", append([]string{":status", "200"}, plainGet...), wire.ErrPseudoUnknown},
		{"unknown pseudo-field", append([]string{":version", "3"}, plainGet...), wire.ErrPseudoUnknown},
		{"pseudo-field behind a regular one", append([]string{"x", "y"}, plainGet...), wire.ErrPseudoLate},
		{"unknown pseudo-field behind a regular one", withFields("x", "y", ":nope", "1"), wire.ErrPseudoLate},
		{"upper-case name", withFields("X-a", "1"), wire.ErrNameBytes},
		{"empty name", withFields("", "1"), wire.ErrNameBytes},
		{"name with a space", withFields("x a", "1"), wire.ErrNameBytes},
		{"name with a colon", withFields("x:a", "1"), wire.ErrNameBytes},
		{"connection", withFields("connection", "close"), wire.ErrConnectionSpecific},
		{"keep-alive", withFields("keep-alive", "1"), wire.ErrConnectionSpecific},
		{"proxy-connection", withFields("proxy-connection", "close"), wire.ErrConnectionSpecific},
		{"transfer-encoding", withFields("transfer-encoding", "chunked"), wire.ErrConnectionSpecific},
		{"upgrade", withFields("upgrade", "h2c"), wire.ErrConnectionSpecific},
		{"te: gzip", withFields("te", "gzip"), wire.ErrTE},
		{"te: trailers, gzip", withFields("te", "trailers, gzip"), wire.ErrTE},
		{"content-length with a sign", withFields("content-length", "+5"), wire.ErrContentLength},
		{"empty content-length", withFields("content-length", ""), wire.ErrContentLength},
		{"content-length beyond 63 bits", withFields("content-length", "9999999999999999999"), wire.ErrContentLength},
		{"contradicting content-length", withFields("content-length", "5", "content-length", "6"), wire.ErrContentLengths},
		{"CONNECT with :path", []string{":method", "CONNECT", ":authority", "h:1", ":path", "/"}, wire.ErrConnect},
		{"CONNECT with :scheme", []string{":method", "CONNECT", ":authority", "h:1", ":scheme", "https"}, wire.ErrConnect},
		{"CONNECT without :authority", []string{":method", "CONNECT", "host", "h:1"}, wire.ErrNoAuthority},
		{":protocol without CONNECT", append([]string{":protocol", "websocket"}, plainGet...), wire.ErrProtocol},
		{"empty :protocol", []string{":method", "CONNECT", ":protocol", "", ":scheme", "https", ":authority", "h", ":path", "/"}, wire.ErrProtocol},
		{"extended CONNECT without :path", []string{":method", "CONNECT", ":protocol", "p", ":scheme", "https", ":authority", "h"}, wire.ErrNoPath},
		{"extended CONNECT without :scheme", []string{":method", "CONNECT", ":protocol", "p", ":authority", "h", ":path", "/"}, wire.ErrNoScheme},
		{"extended CONNECT without :authority", []string{":method", "CONNECT", ":protocol", "p", ":scheme", "x", ":path", "/"}, wire.ErrNoAuthority},

		{"N01: 101 fields", many, wire.ErrManyFields},
		{"N01: name of 300 bytes", withFields(strings.Repeat("n", 300), "v"), wire.ErrLongName},
		{"N01: value of 9 KiB", withFields("x", long), wire.ErrLongValue},
		{"N01: CR LF in a value", withFields("x", "a\r\nb: c"), wire.ErrValueBytes},
		{"N01: NUL in a value", withFields("x", "\x00"), wire.ErrValueBytes},
		{"DEL in a value", withFields("x", "12345678\x7f"), wire.ErrValueBytes},
		{"all of it too large", large, wire.ErrLargeList},
		{"NUL in a crumb", withFields("cookie", "a=1", "cookie", "\x00"), wire.ErrValueBytes},
		{"crumb of 9 KiB", withFields("cookie", "a=1", "cookie", long), wire.ErrLongValue},
		{"crumbs that are too large together", crumbs, wire.ErrLargeList},
	}
}

func TestN02BadRequests(t *testing.T) {
	for _, c := range badRequests() {
		if _, _, err := decodedFields(c.in); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// notHuffman are field lines with a string that is no Huffman code.
var notHuffman = map[string][]byte{
	"padding that is not ones": {0x21, 'x', 0x81, 0x18},       // "a", then 000
	"padding of a whole byte":  {0x21, 'x', 0x82, 0x1f, 0xff}, // "a", 3 bits of padding, 8 more
	"EOS":                      {0x21, 'x', 0x84, 0xff, 0xff, 0xff, 0xfc},
	"half a code, in a name":   {0x2a, 0xff, 0xc0, 0},
}

// notQPACK are field sections that no decoder without a dynamic table can read; TestN08FieldSectionsThatAreNotQPACKOnTheWire sends
// them to a server.
var notQPACK = map[string][]byte{
	"nothing":                                 {},
	"half a prefix":                           {0},
	"Required Insert Count":                   {1, 0},
	"negative Base":                           append([]byte{0, 0x80}, encodeSection(plainGet...)[2:]...),
	"indexed, dynamic table":                  {0, 0, 0x80},
	"indexed, beyond the static table":        {0, 0, 0xff, 99 - 63},
	"literal, name in the dynamic table":      {0, 0, 0x40, 0},
	"literal, name beyond the static table":   {0, 0, 0x5f, 99 - 15, 0},
	"indexed, post-Base":                      {0, 0, 0x10},
	"literal, name post-Base":                 {0, 0, 0x00, 0},
	"index cut off":                           {0, 0, 0xff},
	"value missing":                           {0, 0, 0x51},
	"value cut off":                           {0, 0, 0x51, 5, '/', 'a'},
	"literal name cut off":                    {0, 0, 0x23, 'a'},
	"literal name without value":              {0, 0, 0x21, 'a'},
	"length beyond 62 bits":                   {0, 0, 0x51, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	"length of many zero groups":              {0, 0, 0x51, 0x7f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0},
	"Delta Base cut off":                      {0, 0x7f},
	"Delta Base beyond 62 bits":               append([]byte{0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, encodeSection(plainGet...)[2:]...),
	"Required Insert Count spelled at length": {0xff, 0x00},
}

func TestN08FieldSectionsThatAreNotQPACK(t *testing.T) {
	for name, block := range notQPACK {
		if _, err := wire.DecodeRequest(make([]byte, 4096), block, wire.NewFieldLimits(4096)); err != wire.ErrDecompression {
			t.Errorf("%s: %v, want a decompression failure", name, err)
		}
	}
	for name, bad := range notHuffman {
		block := append(encodeSection(plainGet...), bad...)
		if _, err := wire.DecodeRequest(make([]byte, 4096), block, wire.NewFieldLimits(4096)); err != wire.ErrHuffman {
			t.Errorf("Huffman code, %s: %v, want errHuffman", name, err)
		}
		if _, err := wire.DecodeTrailers(make([]byte, 4096), append([]byte{0, 0}, bad...), wire.NewFieldLimits(4096)); err != wire.ErrHuffman {
			t.Errorf("Huffman code in trailers, %s: %v, want errHuffman", name, err)
		}
	}
}

// Where nothing refers to a dynamic table, any Base that is not negative will do (RFC 9204, 4.5.1.2).
func TestN08AnyBaseWithoutReferences(t *testing.T) {
	lines := encodeSection(plainGet...)[2:]
	addr := startConformanceServer(t, "")
	for name, prefix := range map[string][]byte{
		"0":    {0, 0},
		"1":    {0, 1},
		"126":  {0, 0x7e},
		"127":  {0, 0x7f, 0},
		"1000": {0, 0x7f, 0xe9, 0x06},
	} {
		onTheWire(t, addr, "Base "+name, "200", frame(wire.FrameHeaders, prefix, lines))
	}
}

// onTheWire sends requests that are framed by hand, each at once and late, and says what became of them in the words of rawClient.
func onTheWire(t *testing.T, addr, name, want string, p []byte) {
	for _, late := range []bool{false, true} {
		client, _ := dialHTTP(t, addr)
		var s *quic.Stream
		if late {
			s = client.Open(p[:1], false)
			client.Lives() // behind the first byte: the rest comes when the stream has a goroutine
			_, _ = s.Write(p[1:])
			_ = s.Close()
		} else {
			s = client.Open(p, true)
		}
		if strings.HasPrefix(want, "connection") {
			if got := client.Closed(); got != want {
				t.Errorf("%s, late %v: %q, want %q", name, late, got, want)
			}
			continue
		}
		if got := client.Answer(s); got != want {
			t.Errorf("%s, late %v: %q, want %q", name, late, got, want)
		}
		client.Lives()
		_ = client.Conn.CloseWithError(0x100, "")
	}
}

// onTheWire is what becomes of the request, in the words of rawClient.
func (c *badRequest) onTheWire() string {
	if c.want.Status != 0 {
		return strconv.Itoa(c.want.Status)
	}
	return "reset " + enginetest.CodeName(uint64(c.want.Code))
}

func TestN02BadRequestsOnTheWire(t *testing.T) {
	withAndWithoutDatagram(t, testN02BadRequestsOnTheWire)
}

func testN02BadRequestsOnTheWire(t *testing.T) {
	addr := startConformanceServer(t, "")
	for _, c := range badRequests() {
		onTheWire(t, addr, c.name, c.onTheWire(), headers(c.in...))
	}
}

func TestN08FieldSectionsThatAreNotQPACKOnTheWire(t *testing.T) {
	addr := startConformanceServer(t, "")
	const want = "connection QPACK_DECOMPRESSION_FAILED"
	for name, block := range notQPACK {
		onTheWire(t, addr, name, want, frame(wire.FrameHeaders, block))
		onTheWire(t, addr, name+", in trailers", want, join(post("/echo"), frame(wire.FrameHeaders, block)))
	}
	for name, line := range notHuffman {
		onTheWire(t, addr, name, want, frame(wire.FrameHeaders, encodeSection(plainGet...), line))
		onTheWire(t, addr, name+", in trailers", want, join(post("/echo"), frame(wire.FrameHeaders, []byte{0, 0}, line)))
	}
}

// What is said of fields in a header section holds for trailers, where they have no other meaning.
func TestN02BadTrailersOnTheWire(t *testing.T) {
	addr := startConformanceServer(t, "")
	for _, c := range []struct {
		name   string
		fields []string
		want   string
	}{
		{"pseudo-field", []string{":path", "/"}, "reset H3_MESSAGE_ERROR"},
		{":status", []string{":status", "200"}, "reset H3_MESSAGE_ERROR"},
		{"pseudo-field behind a regular one", []string{"x", "y", ":method", "GET"}, "reset H3_MESSAGE_ERROR"},
		{"upper-case name", []string{"X-a", "1"}, "reset H3_MESSAGE_ERROR"},
		{"empty name", []string{"", "1"}, "reset H3_MESSAGE_ERROR"},
		{"connection", []string{"connection", "close"}, "reset H3_MESSAGE_ERROR"},
		{"transfer-encoding", []string{"transfer-encoding", "chunked"}, "reset H3_MESSAGE_ERROR"},
		{"CR LF in a value", []string{"x", "a\r\nb"}, "reset H3_MESSAGE_ERROR"},
		{"name of 300 bytes", []string{strings.Repeat("n", 300), "v"}, "reset H3_MESSAGE_ERROR"},
		{"nothing in it", nil, "200 body"},
	} {
		onTheWire(t, addr, c.name, c.want, join(post("/echo"), frame(wire.FrameData, "body"), headers(c.fields...)))
	}
}
