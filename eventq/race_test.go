package eventq

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// Producers of every class against one consumer that rings when asked: nothing lossless is lost, what is lossy is either there or
// counted, and each producer's records are in order and whole.
func TestA08_ManyProducersLoseNothingAndKeepTheirOrder(t *testing.T) {
	const producers, records = 6, 3000
	r, q := fresh(t, 16<<10, -1)
	var wg sync.WaitGroup
	var gone, dropped, running atomic.Uint64
	running.Store(producers)
	for p := range uint64(producers) {
		wg.Go(func() {
			defer running.Add(^uint64(0))
			random := rand.New(rand.NewPCG(p, 1))
			for i := uint64(1); i <= records; {
				class := []Class{Lossless, Bulk, LossyOf(uint16(p)), Patient}[random.IntN(4)]
				n := random.IntN(300)
				if random.IntN(20) == 0 {
					n = random.IntN(8000)
				}
				if class == Patient {
					n %= 16<<10/4 - headSize
				}
				rec, ok := q.Reserve(class, n, nil)
				for class == Patient && !ok {
					room := q.Room()
					if rec, ok = q.Reserve(class, n, nil); !ok {
						<-room
					}
				}
				if !ok {
					if class != LossyOf(uint16(p)) {
						t.Errorf("class %d was refused", class)
						return
					}
					dropped.Add(1)
					continue
				}
				for k := range rec.Payload {
					rec.Payload[k] = stain(p+i, k)
				}
				if random.IntN(4) == 0 {
					runtime.Gosched()
				}
				if random.IntN(10) == 0 {
					q.Abort(rec)
					continue
				}
				if random.IntN(2) == 0 {
					n = random.IntN(n + 1)
				}
				h := Head{Type: 1, Object: p, Aux: i, DataLen: uint32(n)}
				q.Commit(rec, &h)
				gone.Add(1)
				i++
			}
		})
	}
	var last [producers]uint64
	var came uint64
	for running.Load() != 0 || came != gone.Load() {
		n := r.Drain(50, func(h *Head, payload []byte) {
			came++
			if last[h.Object]++; h.Aux != last[h.Object] {
				t.Fatalf("producer %d: record %d came instead of %d", h.Object, h.Aux, last[h.Object])
			}
			for k, b := range payload {
				if b != stain(h.Object+h.Aux, k) {
					t.Fatalf("producer %d: record %d is damaged at byte %d of %d", h.Object, h.Aux, k, len(payload))
				}
			}
		})
		if r.Doorbell() {
			q.Refill()
		}
		if n == 0 {
			runtime.Gosched()
		}
	}
	wg.Wait()
	s := q.Stats()
	var lost uint64
	for _, n := range s.Lost {
		lost += n
	}
	if came != producers*records || lost != dropped.Load() {
		t.Errorf("%d records of %d, %d lost of %d", came, producers*records, lost, dropped.Load())
	}
	if s.Depth != 0 || s.Overflow != 0 || s.Waiting != 0 || s.OverflowBytes != 0 {
		t.Errorf("left: depth %d, overflow %d, waiting %d", s.Depth, s.Overflow, s.Waiting)
	}
	if s.HighWater > 16<<10 {
		t.Errorf("high water %d", s.HighWater)
	}
}

// Records that depend on one another, handed from producer to producer, stay in order also through overflow and back.
func TestChainAcrossProducersKeepsItsOrderThroughOverflow(t *testing.T) {
	const rounds, producers = 5000, 4
	r, q := fresh(t, 4096, -1)
	var baton [producers]chan uint64
	for i := range baton {
		baton[i] = make(chan uint64, 1)
	}
	var chain sync.WaitGroup
	for p := range producers {
		chain.Go(func() {
			for i := range baton[p] {
				if i > rounds {
					baton[(p+1)%producers] <- i // so that the next one ends too; the last leaves it lying
					return
				}
				rec, _ := q.Reserve(Lossless, int(i*37%500), nil)
				h := Head{Type: 1, Object: i, DataLen: uint32(i % 11)}
				if h.DataLen > uint32(len(rec.Payload)) {
					h.DataLen = 0
				}
				q.Commit(rec, &h)
				baton[(p+1)%producers] <- i + 1
			}
		})
	}
	// Beside it one whose reservations others overtake, and whose fillers stand between.
	stop := make(chan struct{})
	var aside sync.WaitGroup
	aside.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if rec, ok := q.Reserve(Bulk, 700, stop); ok {
				runtime.Gosched()
				q.Abort(rec)
			}
		}
	})
	baton[0] <- 1
	for due := uint64(1); due <= rounds; {
		n := r.Drain(int(due%7), func(h *Head, _ []byte) {
			if h.Object != due {
				t.Fatalf("record %d came instead of %d", h.Object, due)
			}
			due++
		})
		if r.Doorbell() {
			q.Refill()
		}
		if n == 0 {
			runtime.Gosched()
		}
	}
	close(stop)
	aside.Wait()
	chain.Wait()
}

func TestClosingUnderLoadLetsEveryProducerGo(t *testing.T) {
	for range 50 {
		r, q := fresh(t, 4096, -1)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					rec, ok := q.Reserve(Bulk, 500, nil)
					if !ok {
						return
					}
					h := Head{Type: 1, DataLen: 100}
					q.Commit(rec, &h)
				}
			})
		}
		for range 20 {
			r.Drain(0, func(*Head, []byte) {})
			if r.Doorbell() {
				q.Refill()
			}
			runtime.Gosched()
		}
		q.Close()
		wg.Wait()
		if !q.Quiet() {
			t.Fatal("not quiet though every producer has returned")
		}
	}
}
