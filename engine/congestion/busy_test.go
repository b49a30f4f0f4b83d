package congestion

import (
	"testing"
	"time"
)

// A machine that lets senders run only a part of the time is late with each packet. That is caught up with, so the path stays used, and what
// the path carries is not taken for what the machine does.
func TestABusyMachineKeepsTheRate(t *testing.T) {
	const rate = 10e6
	for _, c := range []struct {
		buffer       float64 // round trips
		stall, every time.Duration
		least        float64
	}{
		{1, 3 * time.Millisecond, 6 * time.Millisecond, 0.95},
		{1, 6 * time.Millisecond, 12 * time.Millisecond, 0.9},
		{1, 12 * time.Millisecond, 20 * time.Millisecond, 0.85},
		{4, 6 * time.Millisecond, 12 * time.Millisecond, 0.95},
		{4, 20 * time.Millisecond, 30 * time.Millisecond, 0.9},
	} {
		n := newNetwork(3, rate, 20*time.Millisecond, int64(c.buffer*200_000))
		n.stall, n.every = c.stall, c.every
		f := n.flow(BBR).goOn()
		n.run(5 * time.Second)
		n.meanQueue(5 * time.Second)
		left, dropped, offered := f.left, f.dropped, f.offered
		n.run(20 * time.Second)
		used := float64(f.left-left) / 20 / rate
		loss := float64(f.dropped-dropped) / float64(f.offered-offered)
		mean, _ := n.meanQueue(20 * time.Second)
		if mean /= float64(n.buffer); used < c.least || loss > 0.01 || mean > 0.6 {
			t.Errorf("a buffer of %v, %v of %v not running: %.3f used, %.4f lost, %.2f of the buffer full", c.buffer, c.stall, c.every, used, loss, mean)
		}
	}
}

// What may be caught up with ends with the waiting: a silence is followed by a burst as ever, and so is a window that was full.
func TestNothingIsCaughtUpWithAfterASilence(t *testing.T) {
	const size, rate, quantum = 1200, 10e6, 10_000
	c := newConnection(size, 32*size)
	c.srtt = 100 * time.Millisecond
	base := quantum + rate*timerSlack.Seconds()
	for _, w := range []struct {
		name string
		do   func(p *pacer, now instant) instant
		want float64
	}{
		{"asked in time", func(p *pacer, now instant) instant { return p.next(rate, quantum) }, quantum},
		{"asked a little late", func(p *pacer, now instant) instant { return p.next(rate, quantum) + time.Millisecond }, quantum + rate*1e-3},
		{"asked late", func(p *pacer, now instant) instant { return p.next(rate, quantum) + 20*time.Millisecond }, quantum + rate*20e-3},
		{"asked later than a part of a round trip", func(p *pacer, now instant) instant { return now + time.Second }, rate * 0.1 * catchUp},
		{"a silence", func(p *pacer, now instant) instant { p.idle(); return now + time.Second }, base},
		{"late, and then a silence", func(p *pacer, now instant) instant {
			p.fill(now+time.Second, &c, rate, quantum)
			p.idle()
			return now + 2*time.Second
		}, base},
		{"late, and it goes on", func(p *pacer, now instant) instant {
			p.fill(now+time.Second, &c, rate, quantum)
			p.due = 0
			p.spend(20_000)
			return now + time.Second + time.Millisecond
		}, rate*0.1*catchUp - 20_000 + rate*1e-3},
		{"late, caught up with, and asked late without having waited", func(p *pacer, now instant) instant {
			p.fill(now+time.Second, &c, rate, quantum)
			p.due = 0
			p.spend(int64(p.bucket))
			p.fill(now+time.Second+time.Millisecond, &c, rate, quantum)
			return now + 2*time.Second
		}, base},
	} {
		var p pacer
		now := instant(time.Hour)
		p.fill(now, &c, rate, quantum)
		p.spend(int64(p.bucket))
		p.wait(rate, quantum)
		if got := p.fill(w.do(&p, now), &c, rate, quantum); got < w.want*0.999 || got > w.want*1.001 {
			t.Errorf("%s: %.0f bytes may go, not %.0f", w.name, got, w.want)
		}
	}
}
