package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
)

// A badRequest is a field section that makes no request, or none that is taken.
type badRequest struct {
	name string
	in   []string
	want *fieldError
}

// badRequests are held against decodeRequest here, and against a server in TestN02BadRequestsOnTheWire.
func badRequests() []badRequest {
	long := strings.Repeat("v", 9<<10)
	many := get
	for i := range 101 {
		many = append(slices.Clone(many), fmt.Sprintf("x-%d", i), "v")
	}
	large := get
	for i := range 9 {
		large = append(slices.Clone(large), fmt.Sprintf("x-%d", i), long[:8<<10])
	}
	crumbs := get
	for range 8 {
		crumbs = append(slices.Clone(crumbs), "cookie", long[:8<<10])
	}
	return []badRequest{
		{"no :method", get[2:], errNoMethod},
		{"empty :method", append([]string{":method", ""}, get[2:]...), errNoMethod},
		{":method with a space", append([]string{":method", "GET /"}, get[2:]...), errMethod},
		{"no :scheme", []string{":method", "GET", ":authority", "h", ":path", "/"}, errNoScheme},
		{":scheme that begins with a digit", []string{":method", "GET", ":scheme", "1s", ":authority", "h", ":path", "/"}, errScheme},
		{":scheme with a colon", []string{":method", "GET", ":scheme", "https:", ":authority", "h", ":path", "/"}, errScheme},
		{"no :path", get[:6], errNoPath},
		{"empty :path", append(slices.Clone(get[:6]), ":path", ""), errNoPath},
		{":path without a slash", append(slices.Clone(get[:6]), ":path", "index"), errPath},
		{":path * with GET", append(slices.Clone(get[:6]), ":path", "*"), errPath},
		{":path with a space", append(slices.Clone(get[:6]), ":path", "/a b"), errPathBytes},
		{":path with a fragment", append(slices.Clone(get[:6]), ":path", "/a#b"), errPathBytes},
		{":path with NUL", append(slices.Clone(get[:6]), ":path", "/a\x00b"), errValueBytes},
		{"no :authority, no host", []string{":method", "GET", ":scheme", "https", ":path", "/"}, errNoAuthority},
		{"empty :authority", []string{":method", "GET", ":scheme", "https", ":authority", "", ":path", "/"}, errNoAuthority},
		{"empty host", []string{":method", "GET", ":scheme", "https", ":path", "/", "host", ""}, errNoAuthority},
		{"two hosts", with("host", "example.com", "host", "example.com"), errHosts},
		{"host and :authority differ", with("host", "example.org"), errHostMismatch},
		{"userinfo", []string{":method", "GET", ":scheme", "https", ":authority", "u:p@h", ":path", "/"}, errAuthority},
		{":authority with a path", []string{":method", "GET", ":scheme", "https", ":authority", "h/p", ":path", "/"}, errAuthority},
		{":authority with a port that is none", []string{":method", "GET", ":scheme", "https", ":authority", "h:x", ":path", "/"}, errAuthority},
		{":authority that is a port", []string{":method", "GET", ":scheme", "https", ":authority", ":443", ":path", "/"}, errAuthority},
		{":authority with colons outside brackets", []string{":method", "GET", ":scheme", "https", ":authority", "::1", ":path", "/"}, errAuthority},
		{":method twice", append([]string{":method", "GET"}, get...), errPseudoTwice},
		{"nothing at all", nil, errNoMethod},
		{":path twice", append(slices.Clone(get), ":path", "/"), errPseudoTwice},
		{":status", append([]string{":status", "200"}, get...), errPseudoUnknown},
		{"unknown pseudo-field", append([]string{":version", "3"}, get...), errPseudoUnknown},
		{"pseudo-field behind a regular one", append([]string{"x", "y"}, get...), errPseudoLate},
		{"unknown pseudo-field behind a regular one", with("x", "y", ":nope", "1"), errPseudoLate},
		{"upper-case name", with("X-a", "1"), errNameBytes},
		{"empty name", with("", "1"), errNameBytes},
		{"name with a space", with("x a", "1"), errNameBytes},
		{"name with a colon", with("x:a", "1"), errNameBytes},
		{"connection", with("connection", "close"), errConnectionSpecific},
		{"keep-alive", with("keep-alive", "1"), errConnectionSpecific},
		{"proxy-connection", with("proxy-connection", "close"), errConnectionSpecific},
		{"transfer-encoding", with("transfer-encoding", "chunked"), errConnectionSpecific},
		{"upgrade", with("upgrade", "h2c"), errConnectionSpecific},
		{"te: gzip", with("te", "gzip"), errTE},
		{"te: trailers, gzip", with("te", "trailers, gzip"), errTE},
		{"content-length with a sign", with("content-length", "+5"), errContentLength},
		{"empty content-length", with("content-length", ""), errContentLength},
		{"content-length beyond 63 bits", with("content-length", "9999999999999999999"), errContentLength},
		{"contradicting content-length", with("content-length", "5", "content-length", "6"), errContentLengths},
		{"CONNECT with :path", []string{":method", "CONNECT", ":authority", "h:1", ":path", "/"}, errConnect},
		{"CONNECT with :scheme", []string{":method", "CONNECT", ":authority", "h:1", ":scheme", "https"}, errConnect},
		{"CONNECT without :authority", []string{":method", "CONNECT", "host", "h:1"}, errNoAuthority},
		{":protocol without CONNECT", append([]string{":protocol", "websocket"}, get...), errProtocol},
		{"empty :protocol", []string{":method", "CONNECT", ":protocol", "", ":scheme", "https", ":authority", "h", ":path", "/"}, errProtocol},
		{"extended CONNECT without :path", []string{":method", "CONNECT", ":protocol", "p", ":scheme", "https", ":authority", "h"}, errNoPath},
		{"extended CONNECT without :scheme", []string{":method", "CONNECT", ":protocol", "p", ":authority", "h", ":path", "/"}, errNoScheme},
		{"extended CONNECT without :authority", []string{":method", "CONNECT", ":protocol", "p", ":scheme", "x", ":path", "/"}, errNoAuthority},

		{"N01: 101 fields", many, errManyFields},
		{"N01: name of 300 bytes", with(strings.Repeat("n", 300), "v"), errLongName},
		{"N01: value of 9 KiB", with("x", long), errLongValue},
		{"N01: CR LF in a value", with("x", "a\r\nb: c"), errValueBytes},
		{"N01: NUL in a value", with("x", "\x00"), errValueBytes},
		{"DEL in a value", with("x", "12345678\x7f"), errValueBytes},
		{"all of it too large", large, errLargeList},
		{"NUL in a crumb", with("cookie", "a=1", "cookie", "\x00"), errValueBytes},
		{"crumb of 9 KiB", with("cookie", "a=1", "cookie", long), errLongValue},
		{"crumbs that are too large together", crumbs, errLargeList},
	}
}

func TestN02BadRequests(t *testing.T) {
	for _, c := range badRequests() {
		if _, _, err := decodeFields(t, c.in); err != c.want {
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
	"negative Base":                           append([]byte{0, 0x80}, encodeSection(get...)[2:]...),
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
	"Delta Base beyond 62 bits":               append([]byte{0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, encodeSection(get...)[2:]...),
	"Required Insert Count spelled at length": {0xff, 0x00},
}

func TestN08FieldSectionsThatAreNotQPACK(t *testing.T) {
	for name, block := range notQPACK {
		if _, err := decodeRequest(make([]byte, 4096), block, newFieldLimits(4096)); err != errDecompression {
			t.Errorf("%s: %v, want a decompression failure", name, err)
		}
	}
	for name, bad := range notHuffman {
		block := append(encodeSection(get...), bad...)
		if _, err := decodeRequest(make([]byte, 4096), block, newFieldLimits(4096)); err != errHuffman {
			t.Errorf("Huffman code, %s: %v, want errHuffman", name, err)
		}
		if _, err := decodeTrailers(make([]byte, 4096), append([]byte{0, 0}, bad...), newFieldLimits(4096)); err != errHuffman {
			t.Errorf("Huffman code in trailers, %s: %v, want errHuffman", name, err)
		}
	}
}

// Where nothing refers to a dynamic table, any Base that is not negative will do (RFC 9204, 4.5.1.2).
func TestN08AnyBaseWithoutReferences(t *testing.T) {
	lines := encodeSection(get...)[2:]
	addr := startConformanceServer(t, "")
	for name, prefix := range map[string][]byte{
		"0":    {0, 0},
		"1":    {0, 1},
		"126":  {0, 0x7e},
		"127":  {0, 0x7f, 0},
		"1000": {0, 0x7f, 0xe9, 0x06},
	} {
		onTheWire(t, addr, "Base "+name, "200", frame(frameHeaders, prefix, lines))
	}
}

// onTheWire sends requests that are framed by hand, each at once and late, and says what became of them in the words of rawClient.
func onTheWire(t *testing.T, addr, name, want string, p []byte) {
	for _, late := range []bool{false, true} {
		client, _ := dialHTTP(t, addr)
		var s *quic.Stream
		if late {
			s = client.open(p[:1], false)
			client.lives() // behind the first byte: the rest comes when the stream has a goroutine
			_, _ = s.Write(p[1:])
			_ = s.Close()
		} else {
			s = client.open(p, true)
		}
		if strings.HasPrefix(want, "connection") {
			if got := client.closed(); got != want {
				t.Errorf("%s, late %v: %q, want %q", name, late, got, want)
			}
			continue
		}
		if got := client.answer(s); got != want {
			t.Errorf("%s, late %v: %q, want %q", name, late, got, want)
		}
		client.lives()
		_ = client.conn.CloseWithError(0x100, "")
	}
}

// onTheWire is what becomes of the request, in the words of rawClient.
func (c *badRequest) onTheWire() string {
	if c.want.Status != 0 {
		return strconv.Itoa(c.want.Status)
	}
	return "reset " + codeName(uint64(c.want.Code))
}

func TestN02BadRequestsOnTheWire(t *testing.T) {
	addr := startConformanceServer(t, "")
	for _, c := range badRequests() {
		onTheWire(t, addr, c.name, c.onTheWire(), headers(c.in...))
	}
}

// What http3 lets through on the second kind of connection, and the engine does not.
func TestN02BadRequestsOnTheWireOfTheSecondKind(t *testing.T) {
	secondKind = true
	defer func() { secondKind = false }()
	addr := startConformanceServer(t, "")
	for _, c := range badRequests() {
		switch c.want {
		case errPathBytes, errAuthority, errManyFields, errLongName, errLongValue:
			onTheWire(t, addr, c.name, c.onTheWire(), headers(c.in...))
		}
	}
}

func TestN08FieldSectionsThatAreNotQPACKOnTheWire(t *testing.T) {
	addr := startConformanceServer(t, "")
	const want = "connection QPACK_DECOMPRESSION_FAILED"
	for name, block := range notQPACK {
		onTheWire(t, addr, name, want, frame(frameHeaders, block))
		onTheWire(t, addr, name+", in trailers", want, join(post("/echo"), frame(frameHeaders, block)))
	}
	for name, line := range notHuffman {
		onTheWire(t, addr, name, want, frame(frameHeaders, encodeSection(get...), line))
		onTheWire(t, addr, name+", in trailers", want, join(post("/echo"), frame(frameHeaders, []byte{0, 0}, line)))
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
		onTheWire(t, addr, c.name, c.want, join(post("/echo"), frame(frameData, "body"), headers(c.fields...)))
	}
}
