package congestion

import (
	"fmt"
	"testing"
	"time"
)

// A share is what one flow is to get of a bottleneck of 10 MB/s and 20 ms, as a part of it.
type share struct {
	algorithm   Algorithm
	start       time.Duration
	least, most float64
}

func same(n int, a Algorithm, least, most float64) []share {
	var s []share
	for i := range n {
		s = append(s, share{a, time.Duration(i) * 100 * time.Millisecond, least, most})
	}
	return s
}

// Flows beside each other: what each gets, what waits (as a part of the buffer) and what is lost.
func TestFairness(t *testing.T) {
	for _, c := range []struct {
		name   string
		buffer float64 // round trips
		flows  []share
		used   float64 // at least
		queue  float64 // at most, on average
		loss   float64 // at most
	}{
		{"one BBR", 1, same(1, BBR, 0.95, 1), 0.95, 0.5, 0.001},
		{"one NewReno", 1, same(1, NewReno, 0.95, 1.01), 0.95, 0.9, 0.001},
		{"one BBR, a short buffer", 0.05, same(1, BBR, 0.95, 1), 0.95, 0.5, 0.01},
		{"one BBR, a deep buffer", 8, same(1, BBR, 0.95, 1), 0.95, 0.1, 0.001},
		{"two BBR", 1, same(2, BBR, 0.4, 0.6), 0.95, 0.7, 0.01},
		{"two BBR, a short buffer", 0.1, same(2, BBR, 0.35, 0.65), 0.95, 0.9, 0.02},
		{"two BBR, a deep buffer", 4, same(2, BBR, 0.35, 0.65), 0.95, 0.5, 0.001},
		{"eight BBR", 1, same(8, BBR, 0.125/1.4, 0.125*1.4), 0.97, 0.9, 0.02},
		{"eight BBR, a deep buffer", 4, same(8, BBR, 0.125/1.4, 0.125*1.4), 0.97, 0.6, 0.005},
		{"two NewReno", 1, same(2, NewReno, 0.3, 0.7), 0.95, 0.95, 0.01},
		{"eight NewReno", 1, same(8, NewReno, 0.125/2, 0.125*2), 0.95, 0.95, 0.02},
		{"BBR, then NewReno", 1, []share{{BBR, 0, 0.3, 0.7}, {NewReno, time.Second, 0.3, 0.7}}, 0.95, 0.9, 0.01},
		{"NewReno, then BBR", 1, []share{{NewReno, 0, 0.3, 0.7}, {BBR, time.Second, 0.3, 0.7}}, 0.95, 0.9, 0.01},
		{"BBR beside NewReno, a deep buffer", 4, []share{{BBR, 0, 0.2, 0.8}, {NewReno, time.Second, 0.2, 0.8}}, 0.95, 0.9, 0.01},
		{"a BBR that comes late", 1, []share{{BBR, 0, 0.35, 0.65}, {BBR, 5 * time.Second, 0.35, 0.65}}, 0.95, 0.7, 0.01},
		{"a BBR that comes late to seven", 1, append(same(7, BBR, 0.125/1.5, 0.125*1.5), share{BBR, 5 * time.Second, 0.125 / 1.5, 0.125 * 1.5}), 0.97, 0.9, 0.02},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const before, measured = 10 * time.Second, 20 * time.Second
			n := newNetwork(42, 10e6, 20*time.Millisecond, int64(c.buffer*200_000))
			for _, s := range c.flows {
				f := n.flow(s.algorithm)
				n.after(s.start, func() { f.goOn() })
			}
			n.run(before)
			n.meanQueue(before)
			left := make([]int64, len(n.flows))
			var offered, dropped int64
			for i, f := range n.flows {
				left[i] = f.left
				offered -= f.offered
				dropped -= f.dropped
			}
			n.run(measured)
			used := 0.0
			line := fmt.Sprintf("%-34s", c.name)
			bad := false
			for i, f := range n.flows {
				got := float64(f.left-left[i]) / measured.Seconds() / 10e6
				used += got
				offered += f.offered
				dropped += f.dropped
				bad = bad || got < c.flows[i].least || got > c.flows[i].most
				line += fmt.Sprintf(" %.3f", got)
			}
			mean, _ := n.meanQueue(measured)
			mean /= float64(n.buffer)
			loss := float64(dropped) / float64(offered)
			line += fmt.Sprintf(", used %.3f, queue %.2f, loss %.4f", used, mean, loss)
			t.Log(line)
			if bad || used < c.used || mean > c.queue || loss > c.loss {
				t.Errorf("%s\nwant used %.2f, queue %.2f, loss %.3f, shares %.3f to %.3f", line, c.used, c.queue, c.loss, c.flows[0].least, c.flows[0].most)
			}
		})
	}
}

// Short flows beside a long one come through in a few times what they take alone, and the long one keeps most of the path.
func TestShortFlowsBesideALongOne(t *testing.T) {
	for _, a := range []Algorithm{BBR, NewReno} {
		alone := func(long bool) (worst time.Duration, used float64) {
			n := newNetwork(5, 10e6, 20*time.Millisecond, 200_000)
			if long {
				n.flow(a).goOn()
			}
			n.run(5 * time.Second)
			for range 20 {
				f := n.flow(a)
				f.give(100_000)
				worst = max(worst, n.runUntil(20*time.Second, func() bool { return f.delivered >= 100_000 }))
				n.run(500 * time.Millisecond)
			}
			if long {
				used = float64(n.flows[0].left) / (n.now - time.Hour).Seconds() / 10e6
			}
			return worst, used
		}
		idle, _ := alone(false)
		busy, used := alone(true)
		t.Logf("%v: 100 kB take %v alone and at most %v, the long flow has %.2f", a, idle, busy, used)
		if busy > 5*idle || used < 0.7 {
			t.Errorf("%v: 100 kB take %v alone and up to %v beside a long flow, which has %.2f of the path", a, idle, busy, used)
		}
	}
}
