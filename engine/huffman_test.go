package engine

import (
	"bytes"
	"errors"
	"testing"

	"golang.org/x/net/http2/hpack"
)

func TestHuffmanDecodesEveryByteInEveryPlace(t *testing.T) {
	for b := range 256 {
		for n := range 12 {
			for _, filler := range []byte{'a', '&', 0xff} { // codes of 5, 8 and 26 bits
				want := append(bytes.Repeat([]byte{filler}, n), byte(b), filler)
				dst := make([]byte, len(want)+9)
				got, err := decodeHuffman(dst, hpack.AppendHuffmanString(nil, string(want)))
				if err != nil || !bytes.Equal(dst[:got], want) {
					t.Fatalf("byte %#x behind %d of %#x: got %x, %v, want %x", b, n, filler, dst[:got], err, want)
				}
			}
		}
	}
}

func TestHuffmanStopsAtTheEndOfTheBuffer(t *testing.T) {
	text := "www.example.com/index.html\x00\xff and more"
	src := hpack.AppendHuffmanString(nil, text)
	for size := range len(text) {
		if _, err := decodeHuffman(make([]byte, size), src); err != errShort {
			t.Errorf("buffer of %d bytes: %v, want errShort", size, err)
		}
	}
	dst := make([]byte, len(text))
	if n, err := decodeHuffman(dst, src); err != nil || string(dst[:n]) != text {
		t.Errorf("buffer that just fits: %q, %v", dst[:n], err)
	}
}

func TestHuffmanRefuses(t *testing.T) {
	for name, src := range map[string][]byte{
		"padding of a whole byte":   {0x1f, 0xff}, // "a", 3 bits of padding, 8 more
		"padding that is not ones":  {0x18},       // "a", then 000
		"EOS":                       {0xff, 0xff, 0xff, 0xfc},
		"EOS behind text":           {0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"the half of a longer code": {0xff, 0xc0},
		"eight ones":                {0xff},
	} {
		if _, err := decodeHuffman(make([]byte, 100), src); err != errHuffman {
			t.Errorf("%s: %v, want errHuffman", name, err)
		}
	}
}

// FuzzHuffman holds the decoder against the one of hpack.
func FuzzHuffman(f *testing.F) {
	f.Add([]byte{})
	f.Add(hpack.AppendHuffmanString(nil, "https://www.example.com/"))
	f.Add(hpack.AppendHuffmanString(nil, "\x00\x01\xfe\xff{}|~\\"))
	f.Add([]byte{0xff, 0xff, 0xff, 0xfc, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, src []byte) {
		want, wantErr := hpack.HuffmanDecodeToString(src)
		dst := make([]byte, 2*len(src)+1)
		n, err := decodeHuffman(dst, src)
		if (err == nil) != (wantErr == nil) || err != nil && !errors.Is(err, errHuffman) {
			t.Fatalf("%x: %v, hpack says %v", src, err, wantErr)
		}
		if err == nil && string(dst[:n]) != want {
			t.Fatalf("%x: %q, hpack says %q", src, dst[:n], want)
		}
	})
}
