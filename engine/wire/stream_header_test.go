package wire

import (
	"bytes"
	"testing"

	"github.com/quic-go/quic-go/http3"
)

func TestStreamHeaders(t *testing.T) {
	for _, c := range []struct {
		name     string
		p        []byte
		uni      bool
		want     StreamHeader
		complete bool
		code     http3.ErrCode
	}{
		{"a stream of session 0", join(0x41, 0, "data"), false, StreamHeader{0x41, true, 0, 3}, true, 0},
		{"a unidirectional one", join(0x54, 400, "data"), true, StreamHeader{0x54, true, 400, 4}, true, 0},
		{"the header and no more", join(0x54, 400), true, StreamHeader{0x54, true, 400, 4}, true, 0},
		{"the largest id", join(0x41, uint64(1<<62-4)), false, StreamHeader{0x41, true, 1<<62 - 4, 10}, true, 0},
		{"longer than need be", []byte{0x80, 0, 0, 0x41, 0x40, 4}, false, StreamHeader{0x41, true, 4, 6}, true, 0},
		{"a request", join(0x1, 5, "block"), false, StreamHeader{0x1, false, 0, 1}, true, 0},
		{"a control stream", join(0x0, 4), true, StreamHeader{0x0, false, 0, 1}, true, 0},
		{"a type and no more", join(0x21), true, StreamHeader{0x21, false, 0, 1}, true, 0},
		{"a frame of the other type", join(0x54, 3), false, StreamHeader{0x54, false, 0, 2}, true, 0},
		{"a stream of the other type", join(0x41, 3), true, StreamHeader{0x41, false, 0, 2}, true, 0},
		{"nothing", nil, false, StreamHeader{}, false, 0},
		{"half a type", []byte{0x40}, false, StreamHeader{}, false, 0},
		{"no id", join(0x41), false, StreamHeader{}, false, 0},
		{"half an id", join(0x41, "\x80\x00\x00"), false, StreamHeader{}, false, 0},
		{"a session that the server opened", join(0x41, 1), false, StreamHeader{}, true, http3.ErrCodeIDError},
		{"a session on a unidirectional stream", join(0x54, 2), true, StreamHeader{}, true, http3.ErrCodeIDError},
		{"a session that is both", join(0x54, 403), true, StreamHeader{}, true, http3.ErrCodeIDError},
	} {
		h, complete, err := ParseStreamHeader(c.p, c.uni)
		if h != c.want || complete != c.complete || codeOf(t, err) != c.code {
			t.Errorf("%s: %+v, %v, %v", c.name, h, complete, err)
		}
	}
	for _, uni := range []bool{false, true} {
		for _, session := range []uint64{0, 4, 64, 1 << 20, 1<<62 - 4} {
			p := AppendStreamHeader([]byte("x"), uni, session)[1:]
			h, complete, err := ParseStreamHeader(p, uni)
			if err != nil || !complete || h.Session != session || !h.OfSession || h.Len != len(p) || StreamHeaderLen(uni, session) != len(p) || len(p) > MaxStreamHeader {
				t.Errorf("%x: %+v, %v, %v", p, h, complete, err)
			}
		}
	}
	p := join(0x41, 400)
	noAllocations(t, "ParseStreamHeader", func() { ParseStreamHeader(p, false) })
}

// FuzzStreamHeader: a header is found once all of it is there and not before, and what comes behind it is not looked at.
func FuzzStreamHeader(f *testing.F) {
	f.Add(join(0x41, 4, "data"), false)
	f.Add(join(0x54, 7, "data"), true)
	f.Add(join(0x1, 5, "block"), false)
	f.Fuzz(func(t *testing.T, p []byte, uni bool) {
		h, complete, err := ParseStreamHeader(p, uni)
		if !complete {
			if len(p) >= MaxStreamHeader || h != (StreamHeader{}) || err != nil {
				t.Fatalf("%x: %+v, %v", p, h, err)
			}
			return
		}
		if err != nil {
			if codeOf(t, err) != http3.ErrCodeIDError {
				t.Fatal(err)
			}
			return
		}
		for n := range len(p) {
			got, complete, err := ParseStreamHeader(p[:n], uni)
			if complete != (n >= h.Len) || err != nil || complete && got != h {
				t.Fatalf("%x: %+v, %v, %v; want %+v", p[:n], got, complete, err, h)
			}
		}
		if !h.OfSession {
			return
		}
		if again, _, err := ParseStreamHeader(AppendStreamHeader(nil, uni, h.Session), uni); err != nil || again.Session != h.Session || h.Session%4 != 0 {
			t.Fatalf("%x: %+v, %v", p, again, err)
		}
		if other, complete, err := ParseStreamHeader(append(bytes.Clone(p), 0xff), uni); other != h || !complete || err != nil {
			t.Fatalf("%x: %+v", p, other)
		}
	})
}
