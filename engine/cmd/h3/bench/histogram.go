package bench

import (
	"math/bits"
	"time"
)

// subBits says how fine a histogram is: a latency is known to 1/2^subBits of itself.
const subBits = 10

// A histogram counts latencies in steps that grow with them, so that it takes the same memory however many there are.
type histogram struct {
	counts [(64 - subBits) << subBits]uint32
	total  int64
	most   time.Duration
}

// bucket is the place of a latency of n nanoseconds.
func bucket(n uint64) int {
	shift := max(bits.Len64(n)-subBits-1, 0)
	return shift<<subBits + int(n>>shift)
}

// least is the smallest latency of a bucket.
func least(i int) uint64 {
	shift := max(i>>subBits-1, 0)
	return uint64(i-shift<<subBits) << shift
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucket(uint64(max(d, 0)))]++
	h.total++
	h.most = max(h.most, d)
}

// merge adds what another has counted.
func (h *histogram) merge(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	h.most = max(h.most, other.most)
}

// quantile is the latency that a share q of all does not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	rank := min(int64(q*float64(h.total)), h.total-1)
	for i, n := range h.counts {
		if rank < int64(n) {
			return time.Duration(least(i))
		}
		rank -= int64(n)
	}
	return 0
}
