package wire

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// However a stream is cut into pieces, the scanner finds the same frames.
func TestN08_FramesInPiecesOfAnySize(t *testing.T) {
	type found struct {
		typ     uint64
		payload []byte
	}
	rapid.Check(t, func(t *rapid.T) {
		var want []found
		var stream []byte
		for range rapid.IntRange(0, 6).Draw(t, "frames") {
			f := found{rapid.Uint64Range(0, 1<<62-1).Draw(t, "type"), rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "payload")}
			want = append(want, f)
			stream = append(AppendFrameHead(stream, f.typ, uint64(len(f.payload))), f.payload...)
		}
		var s FrameScanner
		var got []found
		complete := true
		for rest := stream; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			piece := rest[:n]
			rest = rest[n:]
			for len(piece) > 0 {
				payload, behind, first, last, ok := s.Next(piece)
				piece = behind
				if !ok {
					break
				}
				if first != complete {
					t.Fatalf("a frame begins: %v, the one before is complete: %v", first, complete)
				}
				if complete = last; first {
					got = append(got, found{typ: s.Typ})
				}
				got[len(got)-1].payload = append(got[len(got)-1].payload, payload...)
			}
			if s.Between() != (complete && s.headLen == 0) {
				t.Fatal("between is wrong")
			}
		}
		if !s.Between() || len(got) != len(want) {
			t.Fatalf("%d frames of %d", len(got), len(want))
		}
		for i := range want {
			if got[i].typ != want[i].typ || !bytes.Equal(got[i].payload, want[i].payload) {
				t.Fatalf("frame %d: %v, want %v", i, got[i], want[i])
			}
		}
	})
}
