package wire

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/enginetest"
)

// scanFrames cuts p into frames, given to the scanner in pieces of the sizes in cuts (then in one), and lists them.
func scanFrames(t *testing.T, p, cuts []byte) (frames []string, between bool) {
	t.Helper()
	var scan FrameScanner
	var payload []byte
	for len(p) > 0 {
		piece := p
		if len(cuts) > 0 {
			piece, cuts = p[:min(len(p), int(cuts[0])+1)], cuts[1:]
		}
		p = p[len(piece):]
		for {
			part, rest, first, last, ok := scan.Next(piece)
			if !ok {
				break
			}
			if first {
				payload = nil
			}
			if payload = append(payload, part...); last {
				frames = append(frames, fmt.Sprintf("%d:%x", scan.Typ, payload))
			}
			if piece = rest; len(rest) == 0 && (last || len(part) == 0 || scan.Left > 0) {
				break
			}
		}
	}
	return frames, scan.Between()
}

func TestFrameScannerCutsAnywhere(t *testing.T) {
	p := enginetest.Join(enginetest.Frame(FrameHeaders, "block"), enginetest.Frame(FrameData), enginetest.Frame(1<<40, "unknown"), enginetest.Frame(FrameData, "body"))
	want := []string{"1:626c6f636b", "0:", fmt.Sprintf("%d:756e6b6e6f776e", 1<<40), "0:626f6479"}
	for size := range len(p) {
		got, between := scanFrames(t, p, bytes.Repeat([]byte{byte(size)}, len(p)))
		if fmt.Sprint(got) != fmt.Sprint(want) || !between {
			t.Errorf("pieces of %d: %q, between frames: %v", size+1, got, between)
		}
	}
	for n := range len(p) {
		_, between := scanFrames(t, p[:n], nil)
		if whole := n == 0 || n == 7 || n == 9 || n == 9+9+7; between != whole {
			t.Errorf("%d bytes: between frames: %v", n, between)
		}
	}
}

// FuzzFrameScanner: frames are the same however their bytes arrive, and are those that a plain parser finds.
func FuzzFrameScanner(f *testing.F) {
	f.Add(enginetest.Join(enginetest.Frame(FrameHeaders, "block"), enginetest.Frame(FrameData), enginetest.Frame(FrameData, "body")), []byte{0, 0, 0, 3})
	f.Add([]byte{0x40, 0x01, 0xc0, 0, 0, 0, 0, 0, 0, 2, 'a', 'b', 0xff}, []byte{1, 5})
	f.Fuzz(func(t *testing.T, p, cuts []byte) {
		var want []string
		rest := p
		for {
			typ, n, err := quicvarint.Parse(rest)
			if err != nil {
				break
			}
			length, m, err := quicvarint.Parse(rest[n:])
			if err != nil || uint64(len(rest)-n-m) < length {
				break
			}
			want = append(want, fmt.Sprintf("%d:%x", typ, rest[n+m:n+m+int(length)]))
			rest = rest[n+m+int(length):]
		}
		got, between := scanFrames(t, p, cuts)
		if fmt.Sprint(got) != fmt.Sprint(want) || between != (len(rest) == 0) {
			t.Fatalf("%x in pieces %x: %q, between frames: %v; want %q, rest %x", p, cuts, got, between, want, rest)
		}
	})
}
