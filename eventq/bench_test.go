package eventq

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
)

var benchedProducers = []int{1, 2, 8}

// work commits n records of a head and 32 bytes.
func work(q *Queue, class Class, n int) {
	h := Head{Type: 1, Object: 7, Conn: 8, DataLen: 32}
	for range n {
		rec, ok := q.Reserve(class, 32, nil)
		if !ok {
			return
		}
		rec.Payload[0] = 1
		q.Commit(rec, &h)
	}
}

// share divides n among the producers.
func share(n, producers, i int) int {
	return n/producers + min(1, max(0, n%producers-i))
}

// Push alone: into a ring with room for all; emptying it is not timed.
func BenchmarkPush(b *testing.B) {
	for _, producers := range benchedProducers {
		b.Run(fmt.Sprintf("producers=%d", producers), func(b *testing.B) {
			const capacity = 16 << 20
			r, q := fresh(b, capacity, -1)
			work(q, Lossless, capacity/128) // the system gives memory at its first use
			r.Drain(0, func(*Head, []byte) {})
			b.ReportAllocs()
			b.ResetTimer()
			for left := b.N; left > 0; {
				round := min(left, capacity/128)
				left -= round
				var wg sync.WaitGroup
				for i := range producers {
					wg.Go(func() { work(q, Lossless, share(round, producers, i)) })
				}
				wg.Wait()
				b.StopTimer()
				if n := r.Drain(0, func(*Head, []byte) {}); n != round {
					b.Fatalf("%d records of %d", n, round)
				}
				b.StartTimer()
			}
		})
	}
}

// Push and drain: producers that wait for room, and one consumer that never sleeps, in a ring of the default size.
func BenchmarkPushDrain(b *testing.B) {
	for _, producers := range benchedProducers {
		b.Run(fmt.Sprintf("producers=%d", producers), func(b *testing.B) {
			r, q := fresh(b, 1<<20, -1)
			b.ReportAllocs()
			for i := range producers {
				go work(q, Bulk, share(b.N, producers, i))
			}
			var sum uint64
			for came := 0; came < b.N; {
				n := r.Drain(64, func(h *Head, payload []byte) { sum += h.Object + uint64(payload[0]) })
				came += n
				if r.Doorbell() {
					q.Refill()
				}
				if n == 0 {
					runtime.Gosched()
				}
			}
			if sum != uint64(b.N)*8 {
				b.Fatalf("sum %d for %d records", sum, b.N)
			}
		})
	}
}

// Push and drain on one goroutine, in batches of 64: what the two cost together without another processor's cache.
func BenchmarkPushDrainInTurns(b *testing.B) {
	r, q := fresh(b, 1<<20, -1)
	b.ReportAllocs()
	for left := b.N; left > 0; left -= 64 {
		work(q, Lossless, min(64, left))
		r.Drain(0, func(*Head, []byte) {})
	}
}

// A body piece that was reserved for the largest read and got little.
func BenchmarkShrunkCommit(b *testing.B) {
	r, q := fresh(b, 1<<20, -1)
	h := Head{Type: 2, DataLen: 1200}
	b.ReportAllocs()
	for b.Loop() {
		rec, _ := q.Reserve(Bulk, 64<<10, nil)
		q.Commit(rec, &h)
		r.Drain(0, func(*Head, []byte) {})
	}
}

// The consumer's look at an empty ring.
func BenchmarkEmptyPeek(b *testing.B) {
	r, _ := fresh(b, 1<<20, -1)
	for b.Loop() {
		if _, _, ok := r.Peek(); ok {
			b.Fatal("a record")
		}
	}
}
