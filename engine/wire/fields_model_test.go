package wire

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/quic-go/qpack"

	"zigh3/engine/enginetest"
)

// What Chromium sends for a page, and the least that a client sends.
var browserFields = []string{
	":method", "GET", ":authority", "www.example.com", ":scheme", "https", ":path", "/articles/2025/11/on-polling?utm_source=feed",
	"cache-control", "max-age=0",
	"sec-ch-ua", `"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"`, "sec-ch-ua-mobile", "?0", "sec-ch-ua-platform", `"Linux"`,
	"upgrade-insecure-requests", "1",
	"user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
	"accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
	"sec-fetch-site", "none", "sec-fetch-mode", "navigate", "sec-fetch-user", "?1", "sec-fetch-dest", "document",
	"accept-encoding", "gzip, deflate, br, zstd", "accept-language", "en-US,en;q=0.9,de;q=0.8",
	"cookie", "session=4f7c2d9e8b1a6035", "cookie", "theme=dark", "priority", "u=0, i",
}

var smallFields = []string{":method", "GET", ":scheme", "https", ":authority", "127.0.0.1:4433", ":path", "/hello", "user-agent", "quic-go HTTP/3", "accept-encoding", "gzip"}

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct {
		name   string
		fields []string
	}{{"browser", browserFields}, {"small", smallFields}} {
		block := enginetest.Section(c.fields...)
		b.Run(c.name, func(b *testing.B) {
			dst := make([]byte, 4096)
			lim := NewFieldLimits(64 << 10)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeRequest(dst, block, lim); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/qpack.Decoder, strings only", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				decodeStrings(block)
			}
		})
	}
}

// decodeStrings is the library's part of the work.
func decodeStrings(block []byte) {
	next := qpack.NewDecoder().Decode(block)
	for {
		if _, err := next(); err != nil {
			return
		}
	}
}

// Random requests whose fields matter to each other, in buffers of every size around what they need.
func TestDecodeAgainstAModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	lim := NewFieldLimits(4096)
	short := make([]byte, lim.PackedMax())
	for round := range 2000 {
		fields := []string{":method", "GET", ":scheme", "https", ":path", "/" + strings.Repeat("p", rng.IntN(20))}
		host := rng.IntN(len(fields))
		if host%3 == 0 {
			fields = append(fields, ":authority", "h")
		}
		for range rng.IntN(12) {
			fields = append(fields, [][]string{
				{"cookie", "a=1"}, {"cookie", strings.Repeat("c", rng.IntN(30))}, {"cookie", ""}, {"x-a", "b"}, {"accept", "*/*"}, {"content-length", "7"}, {"te", "trailers"},
			}[rng.IntN(7)]...)
			if host == 1 {
				fields, host = append(fields, "host", "h"), 0
			}
		}
		if !slices.Contains(fields, ":authority") && !slices.Contains(fields, "host") {
			fields = append(fields, "host", strings.Repeat("h", 1+rng.IntN(40)))
		}
		block := enginetest.Section(fields...)
		dst := make([]byte, lim.PackedMax())
		head, err := DecodeRequest(dst, block, lim)
		if err != nil {
			t.Fatalf("%q: %v", fields, err)
		}
		if got, want := unpackList(t, dst[:head.MetaLen]), modelList(t, block); !slices.Equal(got, want) || head.Fields != len(want)/2 {
			t.Fatalf("%q: %q, want %q", fields, got, want)
		}
		// Every size for some; for the others one byte too few, and ten sizes by chance.
		every := round < 100 || os.Getenv("H3_STRESS") == "1"
		for i := range head.MetaLen {
			size := i
			switch {
			case every:
			case i == 0:
				size = head.MetaLen - 1
			default:
				size = rng.IntN(head.MetaLen)
			}
			if _, err := DecodeRequest(short[:size:size], block, lim); err != ErrShort {
				t.Fatalf("%q in %d of %d bytes: %v, want ErrShort", fields, size, head.MetaLen, err)
			}
			if !every && i == 10 {
				break
			}
		}
	}
}

// FuzzDecodeRequest holds what is accepted against a plain model of the packed list.
func FuzzDecodeRequest(f *testing.F) {
	f.Add(enginetest.Section(browserFields...), uint16(4096))
	f.Add(enginetest.Section(smallFields...), uint16(60))
	f.Add(enginetest.Section(":method", "GET", ":scheme", "https", ":path", "/", "cookie", "a=1", "host", "h", "cookie", "b=2", "cookie", "c"), uint16(200))
	f.Add(enginetest.Section(":method", "CONNECT", ":protocol", "webtransport", ":scheme", "https", ":authority", "h", ":path", "/"), uint16(300))
	f.Add([]byte{0, 0x7f, 0x20, 0xd1}, uint16(9))
	lim := NewFieldLimits(2048)
	f.Fuzz(func(t *testing.T, block []byte, size uint16) {
		dst := make([]byte, lim.PackedMax())
		head, err := DecodeRequest(dst, block, lim)
		var bad *FieldError
		if err != nil {
			if !errors.As(err, &bad) {
				t.Fatalf("%x: %v in a buffer that is large enough", block, err)
			}
			return
		}
		got := unpackList(t, dst[:head.MetaLen])
		if want := modelList(t, block); !slices.Equal(got, want) {
			t.Fatalf("%x: %q, want %q", block, got, want)
		}
		small := make([]byte, size)
		again, err := DecodeRequest(small, block, lim)
		if err == nil && (again.MetaLen != head.MetaLen || !bytes.Equal(small[:again.MetaLen], dst[:head.MetaLen])) {
			t.Fatalf("%x: a buffer of %d bytes gives another list", block, size)
		}
		if err != nil && err != ErrShort || err == nil && int(size) < head.MetaLen {
			t.Fatalf("%x: %v in %d bytes for a list of %d", block, err, size, head.MetaLen)
		}
	})
}

// modelList is the packed list of a block that makes a request.
func modelList(t *testing.T, block []byte) []string {
	pseudo := map[string]string{}
	var fields []string
	next := qpack.NewDecoder().Decode(block)
	for {
		field, err := next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%x was taken, but qpack says %v", block, err)
		}
		n := len(fields)
		switch {
		case field.IsPseudo():
			pseudo[field.Name] = field.Value
		case field.Name == "content-length" && slices.Contains(fields, "content-length"):
		case field.Name == "cookie" && n > 0 && fields[n-2] == "cookie":
			fields[n-1] += "; " + field.Value
		default:
			if i := slices.Index(fields, "cookie"); field.Name == "cookie" && i >= 0 && i%2 == 0 {
				field.Value = fields[i+1] + "; " + field.Value
				fields = slices.Delete(fields, i, i+2)
			}
			fields = append(fields, field.Name, field.Value)
		}
	}
	if _, ok := pseudo[":authority"]; !ok {
		for i := 0; i < len(fields); i += 2 {
			if fields[i] == "host" {
				pseudo[":authority"] = fields[i+1]
			}
		}
	}
	want := []string{":method", pseudo[":method"], ":scheme", strings.ToLower(pseudo[":scheme"]), ":authority", pseudo[":authority"], ":path", pseudo[":path"]}
	if protocol, ok := pseudo[":protocol"]; ok {
		want = append(want, ":protocol", protocol)
	}
	return append(want, fields...)
}
