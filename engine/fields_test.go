package engine

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/quic-go/qpack"
)

// field lists are written as name, value, name, value.

func encodeSection(fields ...string) []byte {
	var b bytes.Buffer
	e := qpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		if err := e.WriteField(qpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			panic(err) // a bytes.Buffer takes everything
		}
	}
	if b.Len() == 0 {
		return []byte{0, 0}
	}
	return b.Bytes()
}

func unpackList(t testing.TB, packed []byte) []string {
	t.Helper()
	var fields []string
	r := packedReader{rest: packed}
	for {
		name, value, ok := r.next()
		if !ok {
			break
		}
		fields = append(fields, string(name), string(value))
	}
	if len(r.rest) != 0 {
		t.Fatalf("packed list with %d bytes too many", len(r.rest))
	}
	return fields
}

var get = []string{":method", "GET", ":scheme", "https", ":authority", "example.com", ":path", "/"}

func with(fields ...string) []string { return append(slices.Clone(get), fields...) }

func decodeFields(t testing.TB, fields []string) ([]string, requestHead, error) {
	t.Helper()
	lim := newFieldLimits(64 << 10)
	dst := make([]byte, lim.packedMax())
	head, err := decodeRequest(dst, encodeSection(fields...), lim)
	if err != nil {
		return nil, head, err
	}
	return unpackList(t, dst[:head.MetaLen]), head, nil
}

func TestQ01RequestIsPackedWithItsFourFieldsFirst(t *testing.T) {
	for _, c := range []struct {
		name     string
		in, want []string
		head     requestHead
	}{
		{"order of the standard", get, get, requestHead{Method: "GET", Scheme: "https", Authority: "example.com", Path: "/", ContentLength: -1}},
		{
			"pseudo-fields in another order, fields in theirs",
			[]string{":path", "/a?b=c", ":authority", "h:1", ":scheme", "https", ":method", "POST", "x-b", "2", "content-length", "7", "x-a", ""},
			[]string{":method", "POST", ":scheme", "https", ":authority", "h:1", ":path", "/a?b=c", "x-b", "2", "content-length", "7", "x-a", ""},
			requestHead{Method: "POST", Scheme: "https", Authority: "h:1", Path: "/a?b=c", ContentLength: 7},
		},
		{
			"host fills an absent authority",
			[]string{":method", "GET", ":scheme", "https", ":path", "/p", "x-a", "1", "host", "example.org:443", "x-b", "2"},
			[]string{":method", "GET", ":scheme", "https", ":authority", "example.org:443", ":path", "/p", "x-a", "1", "host", "example.org:443", "x-b", "2"},
			requestHead{Method: "GET", Scheme: "https", Authority: "example.org:443", Path: "/p", ContentLength: -1},
		},
		{"host beside the same authority", with("host", "example.com"), with("host", "example.com"),
			requestHead{Method: "GET", Scheme: "https", Authority: "example.com", Path: "/", ContentLength: -1}},
		{
			"a scheme without an authority",
			[]string{":method", "GET", ":scheme", "URN", ":path", "/x"},
			[]string{":method", "GET", ":scheme", "urn", ":authority", "", ":path", "/x"},
			requestHead{Method: "GET", Scheme: "urn", Path: "/x", ContentLength: -1},
		},
		{
			"CONNECT",
			[]string{":method", "CONNECT", ":authority", "[::1]:443"},
			[]string{":method", "CONNECT", ":scheme", "", ":authority", "[::1]:443", ":path", ""},
			requestHead{Method: "CONNECT", Authority: "[::1]:443", ContentLength: -1},
		},
		{
			"extended CONNECT",
			[]string{":protocol", "webtransport", ":method", "CONNECT", ":scheme", "https", ":authority", "h", ":path", "/wt", "origin", "https://h"},
			[]string{":method", "CONNECT", ":scheme", "https", ":authority", "h", ":path", "/wt", ":protocol", "webtransport", "origin", "https://h"},
			requestHead{Method: "CONNECT", Scheme: "https", Authority: "h", Path: "/wt", Protocol: "webtransport", ContentLength: -1},
		},
		{
			"OPTIONS *",
			[]string{":method", "OPTIONS", ":scheme", "https", ":authority", "h", ":path", "*"},
			[]string{":method", "OPTIONS", ":scheme", "https", ":authority", "h", ":path", "*"},
			requestHead{Method: "OPTIONS", Scheme: "https", Authority: "h", Path: "*", ContentLength: -1},
		},
		{"te: trailers", with("te", "Trailers"), with("te", "Trailers"), requestHead{Method: "GET", Scheme: "https", Authority: "example.com", Path: "/", ContentLength: -1}},
		{"content-length said twice", with("content-length", "5", "content-length", "5", "x", "y"), with("content-length", "5", "x", "y"),
			requestHead{Method: "GET", Scheme: "https", Authority: "example.com", Path: "/", ContentLength: 5}},
		{"tab and bytes beyond ASCII in a value", with("x-a", "a\tb \xc3\xa9\xff"), with("x-a", "a\tb \xc3\xa9\xff"),
			requestHead{Method: "GET", Scheme: "https", Authority: "example.com", Path: "/", ContentLength: -1}},
	} {
		got, head, err := decodeFields(t, c.in)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v\nwant %q", c.name, got, err, c.want)
			continue
		}
		c.head.MetaLen, c.head.Fields = head.MetaLen, len(c.want)/2
		if head != c.head {
			t.Errorf("%s: head %+v, want %+v", c.name, head, c.head)
		}
	}
}

func TestQ02CookieCrumbsAreJoined(t *testing.T) {
	for _, c := range []struct{ in, want []string }{
		{with("cookie", "a=1"), with("cookie", "a=1")},
		{with("cookie", "a=1", "cookie", "b=2", "cookie", "", "x", "y"), with("cookie", "a=1; b=2; ", "x", "y")},
		{with("cookie", "a=1", "x", "y", "cookie", "b=2", "cookie", "c=3", "z", "", "cookie", "d=4"), with("x", "y", "z", "", "cookie", "a=1; b=2; c=3; d=4")},
		{
			[]string{":method", "GET", ":scheme", "https", ":path", "/", "cookie", "a=1", "host", "h", "cookie", "b=2"},
			[]string{":method", "GET", ":scheme", "https", ":authority", "h", ":path", "/", "host", "h", "cookie", "a=1; b=2"},
		},
	} {
		got, head, err := decodeFields(t, c.in)
		if err != nil || !slices.Equal(got, c.want) || head.Fields != len(c.want)/2 {
			t.Errorf("%q: %q (%d fields), %v\nwant %q", c.in, got, head.Fields, err, c.want)
		}
	}
}

func TestN02MalformedRequests(t *testing.T) {
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
	for _, c := range []struct {
		name string
		in   []string
		want *fieldError
	}{
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
	} {
		if _, _, err := decodeFields(t, c.in); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestN01WhatTheErrorsMean(t *testing.T) {
	for _, c := range []struct {
		err        *fieldError
		status     int
		code       uint64
		connection bool
	}{
		{errManyFields, 431, 0x10e, false},
		{errLongName, 431, 0x10e, false},
		{errLongValue, 431, 0x10e, false},
		{errLargeList, 431, 0x10e, false},
		{errValueBytes, 400, 0x10e, false},
		{errNoPath, 0, 0x10e, false},
		{errConnectionSpecific, 0, 0x10e, false},
		{errDecompression, 0, 0x200, true},
		{errHuffman, 0, 0x200, true},
	} {
		if c.err.Status != c.status || uint64(c.err.Code) != c.code || c.err.Connection != c.connection {
			t.Errorf("%v: status %d, code %#x, connection %v", c.err, c.err.Status, uint64(c.err.Code), c.err.Connection)
		}
	}
}

func TestN01LimitsAreExact(t *testing.T) {
	many := get
	for i := range 100 {
		many = append(slices.Clone(many), fmt.Sprintf("x-%d", i), "v")
	}
	crumbs := get
	for range 300 {
		crumbs = append(slices.Clone(crumbs), "cookie", "a=b")
	}
	for name, in := range map[string][]string{
		"100 fields":           many,
		"a cookie of 300":      crumbs,
		"name of 256 bytes":    with(strings.Repeat("n", 256), "v"),
		"value of 8 KiB":       with("x", strings.Repeat("v", 8<<10)),
		"a path beyond 8 KiB":  append(slices.Clone(get[:6]), ":path", "/"+strings.Repeat("p", 9000)),
		"empty value":          with("x", ""),
		"every byte of a name": with("!#$%&'*+-.^_`|~az09", "v"),
	} {
		if _, _, err := decodeFields(t, in); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A list that just fits its limit, and one byte more.
	fields := with("x", strings.Repeat("v", 500))
	size := 0
	for i := 0; i < len(fields); i += 2 {
		size += len(fields[i]) + len(fields[i+1]) + 32
	}
	for extra, want := range []error{nil, errLargeList} {
		lim := newFieldLimits(size - extra)
		if _, err := decodeRequest(make([]byte, lim.packedMax()), encodeSection(fields...), lim); err != want {
			t.Errorf("limit %d for a list of %d: %v, want %v", size-extra, size, err, want)
		}
	}
}

func TestN08FieldSectionsThatAreNotQPACK(t *testing.T) {
	for name, block := range map[string][]byte{
		"nothing":                                 {},
		"half a prefix":                           {0},
		"Required Insert Count":                   {1, 0},
		"negative Base":                           append([]byte{0, 0x80}, encodeSection(get...)[2:]...),
		"Delta Base that is not zero":             append([]byte{0, 0x01}, encodeSection(get...)[2:]...), // legal, but qpack refuses it
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
	} {
		if _, err := decodeRequest(make([]byte, 4096), block, newFieldLimits(4096)); err != errDecompression {
			t.Errorf("%s: %v, want a decompression failure", name, err)
		}
	}
	for name, bad := range map[string][]byte{
		"padding that is not ones": {0x21, 'x', 0x81, 0x18},       // "a", then 000
		"padding of a whole byte":  {0x21, 'x', 0x82, 0x1f, 0xff}, // "a", 3 bits of padding, 8 more
		"EOS":                      {0x21, 'x', 0x84, 0xff, 0xff, 0xff, 0xfc},
		"half a code, in a name":   {0x2a, 0xff, 0xc0, 0},
	} {
		block := append(encodeSection(get...), bad...)
		if _, err := decodeRequest(make([]byte, 4096), block, newFieldLimits(4096)); err != errHuffman {
			t.Errorf("Huffman code, %s: %v, want errHuffman", name, err)
		}
		if _, err := decodeTrailers(make([]byte, 4096), append([]byte{0, 0}, bad...), newFieldLimits(4096)); err != errHuffman {
			t.Errorf("Huffman code in trailers, %s: %v, want errHuffman", name, err)
		}
	}
}

func TestDecodeAsksForALargerBuffer(t *testing.T) {
	fields := []string{":path", "/p?q", ":method", "GET", ":scheme", "https", "host", "example.com", "cookie", "a=1", "accept", "*/*", "x-y", "zz", "cookie", "b=2", "te", "trailers"}
	block := encodeSection(fields...)
	lim := newFieldLimits(4096)
	head, err := decodeRequest(make([]byte, 4096), block, lim)
	if err != nil {
		t.Fatal(err)
	}
	for size := range head.MetaLen {
		if _, err := decodeRequest(make([]byte, size), block, lim); err != errShort {
			t.Errorf("buffer of %d bytes: %v, want errShort", size, err)
		}
	}
}

func TestDecodeTrailers(t *testing.T) {
	lim := newFieldLimits(4096)
	for _, c := range []struct {
		in   []string
		want error
	}{
		{nil, nil},
		{[]string{"grpc-status", "0", "grpc-message", "", "etag", "x"}, nil},
		{[]string{"x", "y", ":path", "/"}, errPseudoTrailer},
		{[]string{":status", "200"}, errPseudoTrailer},
		{[]string{":nope", "200"}, errPseudoTrailer},
		{[]string{"X", "y"}, errNameBytes},
		{[]string{"x", "\n"}, errValueBytes},
		{[]string{"connection", "close"}, errConnectionSpecific},
		{[]string{"x", strings.Repeat("v", 5000)}, errLargeList},
	} {
		dst := make([]byte, lim.packedMax())
		n, err := decodeTrailers(dst, encodeSection(c.in...), lim)
		if err != c.want {
			t.Errorf("%q: %v, want %v", c.in, err, c.want)
		} else if err == nil && !slices.Equal(unpackList(t, dst[:n]), c.in) {
			t.Errorf("%q: packed as %q", c.in, unpackList(t, dst[:n]))
		}
	}
}

func TestDecodeAllocatesNothingBesideTheLibrary(t *testing.T) {
	// Without Huffman's code: the pool that hpack takes its buffers from drops some of them under the race detector.
	head := []byte("\x00\x00\xd1\xd7\x50\x09localhost\xc1")
	block := append(slices.Clone(head), "\x55\x03a=1\x23x-y\x05value\x55\x03b=2\x54\x0242\xdd"...)
	bad := append(slices.Clone(head), "\x22te\x04gzip"...)
	lim := newFieldLimits(64 << 10)
	dst := make([]byte, 4096)
	want := testing.AllocsPerRun(100, func() {
		decodeStrings(block)
		decodeStrings(bad)
	})
	if got := testing.AllocsPerRun(100, func() {
		if head, err := decodeRequest(dst, block, lim); err != nil || head.Fields != 8 {
			t.Fatalf("%d fields, %v", head.Fields, err)
		}
		if _, err := decodeRequest(dst, bad, lim); err != errTE {
			t.Fatalf("%v, want errTE", err)
		}
	}); got != want {
		t.Errorf("%v allocations, qpack alone makes %v", got, want)
	}
}
