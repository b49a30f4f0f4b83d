package wire

import (
	"bytes"
	"testing"

	"github.com/quic-go/quic-go/http3"
)

func TestDatagramHeaders(t *testing.T) {
	for _, c := range []struct {
		name    string
		p       []byte
		stream  uint64
		payload string
		code    http3.ErrCode
	}{
		{"of the first stream", join(0, "hello"), 0, "hello", 0},
		{"of another one", join(100, "hello"), 400, "hello", 0},
		{"empty", join(100), 400, "", 0},
		{"longer than need be", append([]byte{0xc0, 0, 0, 0, 0, 0, 0, 1}, "x"...), 4, "x", 0},
		{"of the last stream", join(uint64(1<<60-1), "x"), 1<<62 - 4, "x", 0},
		{"of one beyond it", join(uint64(1<<60), "x"), 0, "", http3.ErrCodeDatagramError},
		{"of the largest number", join(uint64(1<<62-1), "x"), 0, "", http3.ErrCodeDatagramError},
		{"nothing", nil, 0, "", http3.ErrCodeDatagramError},
		{"half an id", []byte{0x40}, 0, "", http3.ErrCodeDatagramError},
		{"seven eighths of one", []byte{0xc0, 0, 0, 0, 0, 0, 0}, 0, "", http3.ErrCodeDatagramError},
	} {
		stream, payload, err := ParseDatagram(c.p)
		if stream != c.stream || string(payload) != c.payload || codeOf(t, err) != c.code {
			t.Errorf("%s: %d, %q, %v", c.name, stream, payload, err)
		}
	}
	for _, stream := range []uint64{0, 4, 252, 256, 1 << 20, 1<<62 - 4} {
		p := AppendDatagramHeader([]byte("x"), stream)[1:]
		got, payload, err := ParseDatagram(p)
		if got != stream || len(payload) != 0 || err != nil || DatagramHeaderLen(stream) != len(p) || len(p) > MaxDatagramHeader {
			t.Errorf("%x: %d, %q, %v", p, got, payload, err)
		}
	}
	p := join(100, "hello")
	noAllocations(t, "ParseDatagram", func() { ParseDatagram(p) })
}

// FuzzDatagram: header and payload are the datagram, and a stream's id is one of a request's.
func FuzzDatagram(f *testing.F) {
	f.Add(join(100, "hello"))
	f.Add(join(uint64(1<<60), "x"))
	f.Add([]byte{0x40})
	f.Fuzz(func(t *testing.T, p []byte) {
		stream, payload, err := ParseDatagram(p)
		if err != nil {
			if codeOf(t, err) != http3.ErrCodeDatagramError || payload != nil {
				t.Fatalf("%x: %v", p, err)
			}
			return
		}
		again, rest, err := ParseDatagram(append(AppendDatagramHeader(nil, stream), payload...))
		if stream%4 != 0 || stream >= 1<<62 || again != stream || !bytes.Equal(rest, payload) || err != nil || !bytes.HasSuffix(p, payload) {
			t.Fatalf("%x: %d, %x", p, stream, payload)
		}
	})
}
