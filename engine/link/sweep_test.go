package link

import (
	"fmt"
	"testing"

	"zigh3/engine/enginetest"
)

// connections are n that have had something to do, and are watched. They share one of QUIC's, of which the sweep only reads counters.
func connections(t testing.TB, n int) (*Sweeper, []*Conn) {
	_, q := enginetest.Pair(t, nil, nil)
	env := environment(Server)
	all := make([]*Conn, n)
	for i := range all {
		all[i] = new(Conn)
		all[i].Init(env, q, nil, newLoad())
	}
	return env.Sweeper, all
}

func stir(all []*Conn) {
	for _, c := range all {
		c.Remove(&add(c).Node)
	}
}

// sweepOnce looks as Run does, and says how many connections it looked at.
func sweepOnce(w *Sweeper) int {
	look := append([]*Conn(nil), w.conns...)
	tick := w.tick.Add(1)
	for _, c := range look {
		if !c.look(tick) {
			w.forget(c)
		}
	}
	return len(look)
}

// inPlace reports whether each knows where in the list it is.
func inPlace(w *Sweeper) bool {
	for i, c := range w.conns {
		if c.sweep.place != i || !c.sweep.wanted {
			return false
		}
	}
	return true
}

// That a connection comes to rest costs as many looks, and moves as many others, however many there are.
func TestRestCostsTheSameForMany(t *testing.T) {
	for _, n := range []int{1, 1000, 40_000} {
		w, all := connections(t, n)
		stir(all)
		if len(w.conns) != n || !inPlace(w) {
			t.Fatalf("%d: not all are watched", n)
		}
		looks := 0
		for len(w.conns) > 0 {
			looks += sweepOnce(w)
		}
		if looks != n*(restAfter+1) {
			t.Errorf("%d: %d looks, want %d", n, looks, n*(restAfter+1))
		}
		stir(all)
		// Every seventh one leaves: the list before and behind differs in its place and at the end.
		for i := 0; i < len(w.conns); i += max(7, n/100) {
			before := append([]*Conn(nil), w.conns...)
			c := w.conns[i]
			c.sweep.seen = c.moves
			w.forget(c)
			moved := 0
			for j, other := range w.conns {
				if before[j] != other {
					moved++
				}
			}
			if moved > 1 || len(w.conns) != len(before)-1 || c.sweep.wanted {
				t.Fatalf("%d: %d of %d have moved", n, moved, len(before))
			}
		}
		if !inPlace(w) {
			t.Errorf("%d: some do not know their place", n)
		}
	}
}

// One that has something to do again while it is forgotten is not.
func TestOneThatIsBusyAgainIsWatched(t *testing.T) {
	w, all := connections(t, 3)
	stir(all)
	i := add(all[1])
	for range restAfter + 2 {
		sweepOnce(w)
	}
	if len(w.conns) != 0 || i.promoted.Load() != 1 || !all[1].Promoted() {
		t.Fatalf("%d watched, promoted %d times", len(w.conns), i.promoted.Load())
	}
	other := add(all[1]) // nothing was promoted of it
	w.forget(all[1])
	if len(w.conns) != 1 || w.conns[0] != all[1] {
		t.Fatal("forgotten though it has something new")
	}
	all[1].Remove(&i.Node)
	all[1].Remove(&other.Node)
	for len(w.conns) > 0 {
		sweepOnce(w)
	}
	if other.promoted.Load() != 0 {
		t.Error("what has ended was promoted")
	}
}

// What ends while its connection is forgotten keeps it watched: the last of what it has sent is still to be counted.
func TestOneWhoseLastItemHasEndedIsWatched(t *testing.T) {
	w, all := connections(t, 1)
	i := add(all[0])
	for tick := uint32(lasting); all[0].look(tick); tick++ {
	}
	all[0].Remove(&i.Node)
	w.forget(all[0])
	if len(w.conns) != 1 {
		t.Fatal("forgotten though something has ended on it")
	}
	if looks := sweepOnce(w) + sweepOnce(w); looks != 2 || len(w.conns) != 1 {
		t.Errorf("looked at %d times before it has rested", looks)
	}
	for len(w.conns) > 0 {
		sweepOnce(w)
	}
}

// What lasts is promoted once, in the order of its begin, and not before it has lasted.
func TestPromotion(t *testing.T) {
	w, all := connections(t, 1)
	a := add(all[0])
	sweepOnce(w)
	b := add(all[0])
	for _, want := range []string{"1 0", "1 1", "1 1"} {
		sweepOnce(w)
		if got := fmt.Sprint(a.promoted.Load(), b.promoted.Load()); got != want {
			t.Errorf("promoted %s, want %s", got, want)
		}
	}
}

// Run looks as long as it is wanted, and sleeps otherwise.
func TestTheSweeperSleeps(t *testing.T) {
	w, all := connections(t, 1000)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(done)
	}()
	for range 2 {
		stir(all)
		eventually(t, "rest", func() bool { _, watched := w.Ticks(); return watched == 0 })
	}
	close(done)
	<-ended
}

// BenchmarkRest is what one connection costs that comes to rest among many.
func BenchmarkRest(b *testing.B) {
	for _, n := range []int{1000, 40_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w, all := connections(b, n)
			b.ReportAllocs()
			for b.Loop() {
				stir(all)
				for len(w.conns) > 0 {
					sweepOnce(w)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/conn")
		})
	}
}
