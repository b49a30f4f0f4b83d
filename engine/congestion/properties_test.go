package congestion

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A path of any kind, which changes while it is used.
type drawnPath struct {
	n       *network
	fastest float64
	lossy   float64 // the share of packets that is lost whatever the sender does
}

func drawPath(t *rapid.T) *drawnPath {
	rate := float64(rapid.IntRange(20_000, 1_000_000).Draw(t, "rate"))
	delay := time.Duration(rapid.IntRange(2, 300).Draw(t, "delay ms")) * time.Millisecond
	buffer := int64(rapid.IntRange(2, 400).Draw(t, "buffer packets")) * 1200
	p := &drawnPath{n: newNetwork(rapid.Uint64().Draw(t, "seed"), rate, delay, buffer), fastest: rate}
	n := p.n
	switch rapid.IntRange(0, 3).Draw(t, "loss") {
	case 1:
		p.lossy = float64(rapid.IntRange(1, 80).Draw(t, "lost per mille")) / 1000
		n.loss = n.random(p.lossy)
	case 2:
		p.lossy = 0.05
		n.loss = n.bursts(0.005, 100*time.Millisecond)
	case 3:
		size := float64(rapid.IntRange(5, 100).Draw(t, "policer's burst")) * 1200
		n.policer = &bucket{rate: rate / 2, size: size, level: size, at: n.now}
	}
	if rapid.Bool().Draw(t, "reordering") {
		n.reorder, n.late = 0.02, time.Duration(rapid.IntRange(1, 30).Draw(t, "late ms"))*time.Millisecond
	}
	if rapid.Bool().Draw(t, "held acknowledgements") {
		n.ackHold = time.Duration(rapid.IntRange(1, 100).Draw(t, "held ms")) * time.Millisecond
	}
	if rapid.Bool().Draw(t, "thinned acknowledgements") {
		n.ackThin = rapid.IntRange(2, 8).Draw(t, "one of")
	}
	if rapid.Bool().Draw(t, "marks") {
		n.mark = buffer / 2
	}
	return p
}

func algorithms(t *rapid.T) Algorithm {
	return rapid.SampledFrom([]Algorithm{Auto, BBR, NewReno}).Draw(t, "algorithm")
}

// bounds checks what holds at every moment.
func (p *drawnPath) bounds(t *rapid.T, f *flow) {
	f.check = func() {
		window, rate := f.s.algo.window(), f.s.algo.rate()
		if window < renoLeast*f.s.smss || window > mostWindow*f.s.smss {
			t.Fatalf("%v: a window of %d bytes", f.s.algo.current(), window)
		}
		if _, ok := f.s.algo.(*bbr); ok && f.s.delivered > 0 && window < minPipePackets*f.s.smss {
			t.Fatalf("%v: a window of %d bytes", f.s.algo.current(), window)
		}
		if math.IsNaN(rate) || rate <= 0 || math.IsInf(rate, 0) {
			t.Fatalf("%v: a rate of %v", f.s.algo.current(), rate)
		}
		if b, ok := f.s.algo.(*bbr); ok && f.s.delivered > 0 {
			// a sample is no faster than the path, but for what one hold of acknowledgements or one packet adds
			most := 4*p.fastest + 64*1200/b.c.minRTT.Seconds()
			if b.maxBW > most {
				t.Fatalf("%v: takes a path of %.0f for one of %.0f bytes a second", f.s.algo.current(), p.fastest, b.maxBW)
			}
		}
		if q := f.s.algo.quantum(); q < 2*f.s.smss || q > 64*kib {
			t.Fatalf("a quantum of %d bytes", q)
		}
		if f.inflight > f.s.algo.window()+2*f.size && f.ptoCount == 0 && f.inflight > f.most+2*f.size {
			t.Fatalf("%v: %d bytes under way, the window never was above %d", f.s.algo.current(), f.inflight, f.most)
		}
		f.most = max(f.most, window)
		if len(f.s.packets.slots) > mostPackets || f.s.packets.live > len(f.s.packets.slots) {
			t.Fatalf("a table of %d packets, %d of them live", len(f.s.packets.slots), f.s.packets.live)
		}
	}
}

// Whatever the path does, window and rate stay within bounds, and data gets through.
func TestNoPathStallsASender(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPath(t)
		n := p.n
		f := n.flow(algorithms(t))
		p.bounds(t, f)
		f.goOn()
		changes := rapid.IntRange(0, 4).Draw(t, "changes")
		for i := range changes + 1 {
			if i > 0 {
				factor := rapid.SampledFrom([]float64{0.5, 2}).Draw(t, "factor")
				n.rate *= factor
				p.fastest = max(p.fastest, n.rate)
			}
			for range 3 {
				before := f.delivered
				n.run(5 * time.Second)
				if f.delivered == before {
					t.Fatalf("%v: nothing in 5 s, %d packets under way, window %d, rate %.0f", f.s.algo.current(), f.inflight/1200, f.s.Window(), f.s.algo.rate())
				}
			}
		}
	})
}

// After a time in which nothing comes through, what follows comes at once and soon as fast as before.
func TestProgressAfterABlackout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := float64(rapid.IntRange(100_000, 1_000_000).Draw(t, "rate"))
		delay := time.Duration(rapid.IntRange(5, 200).Draw(t, "delay ms")) * time.Millisecond
		n := newNetwork(rapid.Uint64().Draw(t, "seed"), rate, delay, max(int64(rate*delay.Seconds()), 12_000))
		p := &drawnPath{n: n, fastest: rate}
		f := n.flow(algorithms(t))
		p.bounds(t, f)
		f.goOn()
		n.run(time.Duration(rapid.IntRange(100, 8000).Draw(t, "before ms")) * time.Millisecond)
		for range rapid.IntRange(1, 3).Draw(t, "blackouts") {
			dark := time.Duration(rapid.IntRange(50, 5000).Draw(t, "dark ms")) * time.Millisecond
			n.dark = true
			n.run(dark)
			n.dark = false
			before := f.delivered
			// the next probe comes after at most twice the time of silence and a probe timeout (RFC 9002, 6.2), its answer a round trip later
			took := n.runUntil(2*dark+2*time.Second, func() bool { return f.delivered > before })
			if f.delivered == before {
				t.Fatalf("%v: nothing for %v after %v in the dark", f.s.algo.current(), took, dark)
			}
			n.run(15 * time.Second)
			before = f.left
			n.run(5 * time.Second)
			if got := float64(f.left-before) / 5; got < 0.6*rate {
				t.Fatalf("%v %v: %.0f of %.0f bytes a second, 15 s after %v in the dark", f.s.running, f.s.algo.current(), got, rate, dark)
			}
		}
	})
}

// BBR leaves a deep buffer mostly empty and uses the path.
func TestQueueIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := float64(rapid.IntRange(200_000, 2_000_000).Draw(t, "rate"))
		delay := time.Duration(rapid.IntRange(10, 100).Draw(t, "delay ms")) * time.Millisecond
		pipe := max(rate*delay.Seconds(), 12_000)
		n := newNetwork(rapid.Uint64().Draw(t, "seed"), rate, delay, int64(20*pipe))
		f := n.flow(BBR)
		f.goOn()
		n.run(10 * time.Second)
		n.meanQueue(1)
		before := f.left
		n.run(20 * time.Second)
		mean, most := n.meanQueue(20 * time.Second)
		if mean > pipe+8*1200 || float64(most) > 3*pipe+20*1200 {
			t.Fatalf("%.0f bytes wait on average, %d at most, the path holds %.0f", mean, most, pipe)
		}
		if got := float64(f.left-before) / 20; got < 0.93*rate {
			t.Fatalf("%.0f of %.0f bytes a second", got, rate)
		}
	})
}
