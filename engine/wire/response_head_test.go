package wire

import (
	"strings"
	"testing"

	"github.com/quic-go/quic-go/http3"
)

// encoded is a field section: name, value, name, value.
func encoded(fields ...string) []byte {
	var packed []byte
	for i := 0; i < len(fields); i += 2 {
		packed = AppendPacked(packed, fields[i], fields[i+1])
	}
	return NewFieldEncoder().AppendTrailers(nil, packed)
}

func TestDecodeResponse(t *testing.T) {
	lim := NewFieldLimits(4 << 10)
	for _, c := range []struct {
		name   string
		fields []string
		status int
		length int64
		list   string // of what is packed
		err    *FieldError
	}{
		{"no fields", []string{":status", "200"}, 200, -1, "", nil},
		{"fields", []string{":status", "404", "content-type", "text/plain", "set-cookie", "a=1", "set-cookie", "b=2"}, 404, -1, "content-type=text/plain|set-cookie=a=1|set-cookie=b=2|", nil},
		{"informational", []string{":status", "103", "link", "</a>"}, 103, -1, "link=</a>|", nil},
		{"beyond 599", []string{":status", "999"}, 999, -1, "", nil},
		{"length", []string{":status", "200", "content-length", "12"}, 200, 12, "content-length=12|", nil},
		{"length twice", []string{":status", "200", "content-length", "12", "content-length", "12"}, 200, 12, "content-length=12|", nil},
		{"lengths", []string{":status", "200", "content-length", "12", "content-length", "13"}, 0, 0, "", ErrContentLengths},
		{"length that is none", []string{":status", "200", "content-length", "-1"}, 0, 0, "", ErrContentLength},
		{"what only requests have", []string{":status", "200", "host", "a", "host", "b", "cookie", "a", "cookie", "b"}, 200, -1, "host=a|host=b|cookie=a|cookie=b|", nil},
		{"nothing", nil, 0, 0, "", ErrNoStatus},
		{"no status", []string{"a", "b"}, 0, 0, "", ErrNoStatus},
		{"status late", []string{"a", "b", ":status", "200"}, 0, 0, "", ErrPseudoLate},
		{"status twice", []string{":status", "200", ":status", "200"}, 0, 0, "", ErrPseudoTwice},
		{"of a request", []string{":status", "200", ":path", "/"}, 0, 0, "", ErrPseudoOfRequest},
		{"unknown pseudo-field", []string{":status", "200", ":x", "/"}, 0, 0, "", ErrPseudoOfRequest},
		{"two digits", []string{":status", "20"}, 0, 0, "", ErrStatus},
		{"four digits", []string{":status", "2000"}, 0, 0, "", ErrStatus},
		{"a sign", []string{":status", "+20"}, 0, 0, "", ErrStatus},
		{"empty", []string{":status", ""}, 0, 0, "", ErrStatus},
		{"below 100", []string{":status", "099"}, 0, 0, "", ErrStatus},
		{"an upgrade", []string{":status", "101"}, 0, 0, "", ErrUpgrade},
		{"connection", []string{":status", "200", "connection", "close"}, 0, 0, "", ErrConnectionSpecific},
		{"transfer-encoding", []string{":status", "200", "transfer-encoding", "chunked"}, 0, 0, "", ErrConnectionSpecific},
		{"te", []string{":status", "200", "te", "trailers"}, 0, 0, "", ErrConnectionSpecific},
		{"upper case", []string{":status", "200", "Server", "x"}, 0, 0, "", ErrNameBytes},
		{"an empty name", []string{":status", "200", "", "x"}, 0, 0, "", ErrNameBytes},
		{"a line feed", []string{":status", "200", "a", "x\ny"}, 0, 0, "", ErrValueBytes},
		{"much", []string{":status", "200", "a", strings.Repeat("x", 4<<10)}, 0, 0, "", ErrLargeList},
	} {
		dst := make([]byte, lim.PackedMax())
		head, err := DecodeResponse(dst, encoded(c.fields...), lim)
		if c.err != nil {
			if err != c.err {
				t.Errorf("%s: %v, not %v", c.name, err, c.err)
			}
			continue
		}
		list := ""
		for r := (PackedReader{Rest: dst[:head.MetaLen]}); ; {
			name, value, ok := r.Next()
			if !ok {
				break
			}
			list += string(name) + "=" + string(value) + "|"
		}
		if err != nil || head.Status != c.status || head.ContentLength != c.length || list != c.list {
			t.Errorf("%s: %+v %q, %v", c.name, head, list, err)
		}
	}
	if _, err := DecodeResponse(make([]byte, 4), encoded(":status", "200", "a", "b"), lim); err != ErrShort {
		t.Errorf("in too little room: %v", err)
	}
	if _, err := DecodeResponse(make([]byte, 4), []byte{0xff}, lim); err != ErrDecompression || !ErrDecompression.Connection || ErrDecompression.Code != http3.ErrCodeQPACKDecompressionFailed {
		t.Errorf("no QPACK: %v", err)
	}
	if _, err := DecodeRequest(make([]byte, 100), encoded(":method", "GET", ":status", "200"), lim); err != ErrPseudoUnknown {
		t.Errorf(":status in a request: %v", err)
	}
}

// A request's fields come out as they went in, with the length that it has.
func TestRequestsAreEncoded(t *testing.T) {
	var packed []byte
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}, {"x", "y"}} {
		packed = AppendPacked(packed, f[0], f[1])
	}
	e := NewFieldEncoder()
	for range 2 { // the second comes from the memory of the first
		block := e.AppendRequest(nil, packed, 7)
		dst := make([]byte, 1<<10)
		head, err := DecodeRequest(dst, block, NewFieldLimits(1<<10))
		want := string(packed) + string(AppendPacked(nil, "content-length", "7"))
		if err != nil || string(dst[:head.MetaLen]) != want || head.ContentLength != 7 {
			t.Errorf("%q, %v", dst[:head.MetaLen], err)
		}
	}
	if with := AppendPacked(packed, "content-length", "7"); len(e.AppendRequest(nil, with, 7)) != len(e.AppendRequest(nil, with, -1)) {
		t.Error("a length is said twice")
	}
}

// FuzzDecodeResponse: any bytes are a response, or an error with a code; what is packed is a list, and :status is none of it.
func FuzzDecodeResponse(f *testing.F) {
	f.Add(encoded(":status", "200", "content-length", "12", "set-cookie", "a"))
	f.Add(encoded(":status", "103", "link", "</a>"))
	f.Add([]byte{0, 0, 0xd9})
	lim := NewFieldLimits(4 << 10)
	f.Fuzz(func(t *testing.T, block []byte) {
		dst := make([]byte, lim.PackedMax())
		head, err := DecodeResponse(dst, block, lim)
		if err != nil {
			if e, ok := err.(*FieldError); !ok || e.Code == 0 {
				t.Fatalf("%v", err)
			}
			return
		}
		if head.Status < 100 || head.Status > 999 || head.Status == 101 {
			t.Fatalf("status %d", head.Status)
		}
		list := PackedReader{Rest: dst[:head.MetaLen]}
		for {
			name, value, ok := list.Next()
			if !ok {
				break
			}
			if !ConsistsOf(name, inName) || !validValue(value) {
				t.Fatalf("%q: %q", name, value)
			}
		}
		if len(list.Rest) > 0 {
			t.Fatalf("%d bytes behind the list", len(list.Rest))
		}
	})
}
