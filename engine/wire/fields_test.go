package wire

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"zigh3/engine/enginetest"
)

// field lists are written as name, value, name, value.

func unpackList(t testing.TB, packed []byte) []string {
	t.Helper()
	var fields []string
	r := PackedReader{Rest: packed}
	for {
		name, value, ok := r.Next()
		if !ok {
			break
		}
		fields = append(fields, string(name), string(value))
	}
	if len(r.Rest) != 0 {
		t.Fatalf("packed list with %d bytes too many", len(r.Rest))
	}
	return fields
}

var get = []string{":method", "GET", ":scheme", "https", ":authority", "example.com", ":path", "/"}

func With(fields ...string) []string { return append(slices.Clone(get), fields...) }

func decodeFields(t testing.TB, fields []string) ([]string, RequestHead, error) {
	t.Helper()
	lim := NewFieldLimits(64 << 10)
	dst := make([]byte, lim.PackedMax())
	head, err := DecodeRequest(dst, enginetest.Section(fields...), lim)
	if err != nil {
		return nil, head, err
	}
	return unpackList(t, dst[:head.MetaLen]), head, nil
}

// A textHead is what a RequestHead says, so that it compares.
type textHead struct {
	Method, Scheme, Authority, Path, Protocol string
	ContentLength                             int64
	Priority                                  Priority
	HasPriority                               bool
}

func textsOf(h RequestHead) textHead {
	return textHead{
		Method: string(h.Method), Scheme: string(h.Scheme), Authority: string(h.Authority), Path: string(h.Path), Protocol: string(h.Protocol),
		ContentLength: h.ContentLength, Priority: h.Priority, HasPriority: h.HasPriority,
	}
}

func TestQ01RequestIsPackedWithItsFourFieldsFirst(t *testing.T) {
	for _, c := range []struct {
		name     string
		in, want []string
		head     textHead
	}{
		{"order of the standard", get, get, textHead{Method: "GET", Scheme: "https", Authority: "example.com", Path: "/", ContentLength: -1}},
		{
			"pseudo-fields in another order, fields in theirs",
			[]string{":path", "/a?b=c", ":authority", "h:1", ":scheme", "https", ":method", "POST", "x-b", "2", "content-length", "7", "x-a", ""},
			[]string{":method", "POST", ":scheme", "https", ":authority", "h:1", ":path", "/a?b=c", "x-b", "2", "content-length", "7", "x-a", ""},
			textHead{Method: "POST", Scheme: "https", Authority: "h:1", Path: "/a?b=c", ContentLength: 7},
		},
		{
			"host fills an absent authority",
			[]string{":method", "GET", ":scheme", "https", ":path", "/p", "x-a", "1", "host", "example.org:443", "x-b", "2"},
			[]string{":method", "GET", ":scheme", "https", ":authority", "example.org:443", ":path", "/p", "x-a", "1", "host", "example.org:443", "x-b", "2"},
			textHead{Method: "GET", Scheme: "https", Authority: "example.org:443", Path: "/p", ContentLength: -1},
		},
		{"host beside the same authority", With("host", "example.com"), With("host", "example.com"),
			textHead{Method: "GET", Scheme: "https", Authority: "example.com", Path: "/", ContentLength: -1}},
		{
			"a scheme without an authority",
			[]string{":method", "GET", ":scheme", "URN", ":path", "/x"},
			[]string{":method", "GET", ":scheme", "urn", ":authority", "", ":path", "/x"},
			textHead{Method: "GET", Scheme: "urn", Path: "/x", ContentLength: -1},
		},
		{
			"CONNECT",
			[]string{":method", "CONNECT", ":authority", "[::1]:443"},
			[]string{":method", "CONNECT", ":scheme", "", ":authority", "[::1]:443", ":path", ""},
			textHead{Method: "CONNECT", Authority: "[::1]:443", ContentLength: -1},
		},
		{
			"extended CONNECT",
			[]string{":protocol", "webtransport", ":method", "CONNECT", ":scheme", "https", ":authority", "h", ":path", "/wt", "origin", "https://h"},
			[]string{":method", "CONNECT", ":scheme", "https", ":authority", "h", ":path", "/wt", ":protocol", "webtransport", "origin", "https://h"},
			textHead{Method: "CONNECT", Scheme: "https", Authority: "h", Path: "/wt", Protocol: "webtransport", ContentLength: -1},
		},
		{
			"OPTIONS *",
			[]string{":method", "OPTIONS", ":scheme", "https", ":authority", "h", ":path", "*"},
			[]string{":method", "OPTIONS", ":scheme", "https", ":authority", "h", ":path", "*"},
			textHead{Method: "OPTIONS", Scheme: "https", Authority: "h", Path: "*", ContentLength: -1},
		},
		{"te: trailers", With("te", "Trailers"), With("te", "Trailers"), textHead{Method: "GET", Scheme: "https", Authority: "example.com", Path: "/", ContentLength: -1}},
		{"content-length said twice", With("content-length", "5", "content-length", "5", "x", "y"), With("content-length", "5", "x", "y"),
			textHead{Method: "GET", Scheme: "https", Authority: "example.com", Path: "/", ContentLength: 5}},
		{"tab and bytes beyond ASCII in a value", With("x-a", "a\tb \xc3\xa9\xff"), With("x-a", "a\tb \xc3\xa9\xff"),
			textHead{Method: "GET", Scheme: "https", Authority: "example.com", Path: "/", ContentLength: -1}},
	} {
		got, head, err := decodeFields(t, c.in)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v\nwant %q", c.name, got, err, c.want)
			continue
		}
		if got := textsOf(head); got != c.head || head.Fields != len(c.want)/2 {
			t.Errorf("%s: head %+v with %d fields, want %+v", c.name, got, head.Fields, c.head)
		}
	}
}

func TestQ02CookieCrumbsAreJoined(t *testing.T) {
	for _, c := range []struct{ in, want []string }{
		{With("cookie", "a=1"), With("cookie", "a=1")},
		{With("cookie", "a=1", "cookie", "b=2", "cookie", "", "x", "y"), With("cookie", "a=1; b=2; ", "x", "y")},
		{With("cookie", "a=1", "x", "y", "cookie", "b=2", "cookie", "c=3", "z", "", "cookie", "d=4"), With("x", "y", "z", "", "cookie", "a=1; b=2; c=3; d=4")},
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

func TestN01WhatTheErrorsMean(t *testing.T) {
	for _, c := range []struct {
		err        *FieldError
		status     int
		code       uint64
		connection bool
	}{
		{ErrManyFields, 431, 0x10e, false},
		{ErrLongName, 431, 0x10e, false},
		{ErrLongValue, 431, 0x10e, false},
		{ErrLargeList, 431, 0x10e, false},
		{ErrValueBytes, 400, 0x10e, false},
		{ErrNoPath, 0, 0x10e, false},
		{ErrConnectionSpecific, 0, 0x10e, false},
		{ErrDecompression, 0, 0x200, true},
		{ErrHuffman, 0, 0x200, true},
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
		"name of 256 bytes":    With(strings.Repeat("n", 256), "v"),
		"value of 8 KiB":       With("x", strings.Repeat("v", 8<<10)),
		"a path beyond 8 KiB":  append(slices.Clone(get[:6]), ":path", "/"+strings.Repeat("p", 9000)),
		"empty value":          With("x", ""),
		"every byte of a name": With("!#$%&'*+-.^_`|~az09", "v"),
	} {
		if _, _, err := decodeFields(t, in); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A list that just fits its limit, and one byte more.
	fields := With("x", strings.Repeat("v", 500))
	size := 0
	for i := 0; i < len(fields); i += 2 {
		size += len(fields[i]) + len(fields[i+1]) + 32
	}
	for extra, want := range []error{nil, ErrLargeList} {
		lim := NewFieldLimits(size - extra)
		if _, err := DecodeRequest(make([]byte, lim.PackedMax()), enginetest.Section(fields...), lim); err != want {
			t.Errorf("limit %d for a list of %d: %v, want %v", size-extra, size, err, want)
		}
	}
}

func TestDecodeAsksForALargerBuffer(t *testing.T) {
	fields := []string{":path", "/p?q", ":method", "GET", ":scheme", "https", "host", "example.com", "cookie", "a=1", "accept", "*/*", "x-y", "zz", "cookie", "b=2", "te", "trailers"}
	block := enginetest.Section(fields...)
	lim := NewFieldLimits(4096)
	head, err := DecodeRequest(make([]byte, 4096), block, lim)
	if err != nil {
		t.Fatal(err)
	}
	for size := range head.MetaLen {
		if _, err := DecodeRequest(make([]byte, size), block, lim); err != ErrShort {
			t.Errorf("buffer of %d bytes: %v, want errShort", size, err)
		}
	}
}

func TestDecodeTrailers(t *testing.T) {
	lim := NewFieldLimits(4096)
	for _, c := range []struct {
		in   []string
		want error
	}{
		{nil, nil},
		{[]string{"grpc-status", "0", "grpc-message", "", "etag", "x"}, nil},
		{[]string{"x", "y", ":path", "/"}, errPseudoTrailer},
		{[]string{":status", "200"}, errPseudoTrailer},
		{[]string{":nope", "200"}, errPseudoTrailer},
		{[]string{"X", "y"}, ErrNameBytes},
		{[]string{"x", "\n"}, ErrValueBytes},
		{[]string{"connection", "close"}, ErrConnectionSpecific},
		{[]string{"x", strings.Repeat("v", 5000)}, ErrLargeList},
	} {
		dst := make([]byte, lim.PackedMax())
		n, err := DecodeTrailers(dst, enginetest.Section(c.in...), lim)
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
	lim := NewFieldLimits(64 << 10)
	dst := make([]byte, 4096)
	want := testing.AllocsPerRun(100, func() {
		decodeStrings(block)
		decodeStrings(bad)
	})
	if got := testing.AllocsPerRun(100, func() {
		if head, err := DecodeRequest(dst, block, lim); err != nil || head.Fields != 8 {
			t.Fatalf("%d fields, %v", head.Fields, err)
		}
		if _, err := DecodeRequest(dst, bad, lim); err != ErrTE {
			t.Fatalf("%v, want errTE", err)
		}
	}); got != want {
		t.Errorf("%v allocations, qpack alone makes %v", got, want)
	}
}
