package bench

import (
	"math"
	"testing"
	"time"
)

// Every latency falls into a bucket whose least is not above it, and not below it by more than a thousandth.
func TestBucketsAreFine(t *testing.T) {
	last := -1
	for n := uint64(0); n < math.MaxInt64/3; n += n/1500 + 1 {
		i := bucket(n)
		if i < last || i-last > 2 || least(i) > n || n-least(i) > n/1000 {
			t.Fatalf("%d is in bucket %d behind %d, which begins at %d", n, i, last, least(i))
		}
		last = i
	}
	if i := bucket(math.MaxInt64); i >= len(histogram{}.counts) {
		t.Errorf("the longest latency is in bucket %d of %d", i, len(histogram{}.counts))
	}
}

func TestQuantiles(t *testing.T) {
	var h, other histogram
	for i := range 1000 {
		one := &h
		if i%2 == 0 {
			one = &other
		}
		one.add(time.Duration(i + 1))
	}
	h.merge(&other)
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 501, 0.99: 991, 0.999: 1000, 1: 1000} {
		if got := h.quantile(q); got != want {
			t.Errorf("%v: %d, want %d", q, got, want)
		}
	}
	if h.most != 1000 || h.total != 1000 {
		t.Errorf("most %d of %d", h.most, h.total)
	}
}
