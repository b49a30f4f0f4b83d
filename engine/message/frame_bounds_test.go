package message

import (
	"errors"
	"io"
	"strings"
	"testing"

	"zigh3/engine/enginetest"
	"zigh3/engine/wire"
)

// A head and trailers may be as long as their limits, and not a byte longer, however they come.
func TestBoundsOfFieldSections(t *testing.T) {
	c, s := enginetest.Pair(t, nil, nil)
	frame := func(n int) []byte {
		return append(wire.AppendFrameHead(nil, wire.FrameHeaders, uint64(n)), strings.Repeat("x", n)...)
	}
	if got, err := readRaw(t, c, s, frame(100), false); got != "" || err != io.EOF {
		t.Errorf("a head of the limit: %q, %v", got, err)
	}
	if got, err := readRaw(t, c, s, frame(101), false); got != "too long" || err != nil {
		t.Errorf("a head beyond it: %q, %v", got, err)
	}
	total := wire.NewFieldLimits(200).Total
	for n, long := range map[int]bool{total: false, total + 1: true} {
		_, err := readRaw(t, c, s, append(frame(1), frame(n)...), false)
		var stream *wire.StreamError
		if is := errors.As(err, &stream) && stream.Reason == "trailers are too long"; is != long || err == nil {
			t.Errorf("trailers of %d bytes, of which %d may be: %v", n, total, err)
		}
	}
}
