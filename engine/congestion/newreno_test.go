package congestion

import (
	"testing"
	"time"
)

// Single steps of NewReno, from a state that is made for them.

func madeReno(cwnd, ssthresh int64) *newReno {
	c := newConnection(1000, 32_000)
	c.srtt, c.minRTT = time.Millisecond, time.Millisecond
	r := newNewReno(&c)
	r.cwnd, r.ssthresh = cwnd, ssthresh
	return r
}

// The window halves down to two packets and grows up to what QUIC implementations track.
func TestNewRenoWindowHasBounds(t *testing.T) {
	r := madeReno(10_000, 10_000)
	for i := range int64(10) {
		now := time.Hour + time.Duration(i)*time.Second
		r.onLost(now, &packet{number: i, sendTime: now}, i, 1000)
	}
	if r.cwnd != 2000 || r.ssthresh != 2000 {
		t.Errorf("after ten losses a window of %d, threshold %d", r.cwnd, r.ssthresh)
	}
	for _, ssthresh := range []int64{infinity, 1000} {
		r = madeReno(mostWindow*1000, ssthresh)
		r.c.limitedNow = true
		if r.onAck(&rateSample{newlyAcked: mostWindow * 1000, rtt: -1}); r.cwnd != mostWindow*1000 {
			t.Errorf("grew to %d", r.cwnd)
		}
	}
}

// A recovery ends with what was sent after it began, and until then nothing grows.
func TestNewRenoRecovers(t *testing.T) {
	r := madeReno(10_000, infinity)
	r.c.limitedNow = true
	r.onLost(time.Hour, &packet{sendTime: time.Hour}, 1, 1000)
	for _, c := range []struct {
		sent  instant
		state State
		cwnd  int64
	}{{time.Hour, StateRecovery, 7000}, {time.Hour + 1, StateAvoidance, 8000}} {
		r.c.limitedNow = true
		r.onAck(&rateSample{hasData: true, sendTime: c.sent, newlyAcked: 7000, rtt: -1})
		if r.current() != c.state || r.cwnd != c.cwnd {
			t.Errorf("in %v with a window of %d", r.current(), r.cwnd)
		}
	}
}

// What losses that were none have cut is given back as it was, and only that.
func TestNewRenoUndoes(t *testing.T) {
	for _, c := range []struct {
		name     string
		do       func(r *newReno)
		cwnd     int64
		ssthresh int64
	}{
		{"one loss", func(r *newReno) {}, 10_000, infinity},
		{"marks meanwhile", func(r *newReno) { r.onCE(time.Hour+1, &packet{sendTime: time.Hour}, 2) }, 7000, 7000},
		{"the window has grown beyond", func(r *newReno) { r.cwnd = 12_000 }, 12_000, 7000},
		{"persistent congestion meanwhile", func(r *newReno) { r.onPersistentCongestion(time.Hour + 1) }, 2000, 7000},
		{"an older one came first", func(r *newReno) { r.onSpurious(time.Hour+1, 0); r.episodeLosses++ }, 7000, 7000},
	} {
		r := madeReno(10_000, infinity)
		r.onLost(time.Hour, &packet{sendTime: time.Hour}, 1, 1000)
		c.do(r)
		if r.onSpurious(time.Hour+1, 1); r.cwnd != c.cwnd || r.ssthresh != c.ssthresh {
			t.Errorf("%s: a window of %d, threshold %d", c.name, r.cwnd, r.ssthresh)
		}
	}
}

// Slow start paces twice the window in a round trip, what follows it 1.25 of it (RFC 9002, 7.7).
func TestNewRenoPaces(t *testing.T) {
	for ssthresh, want := range map[int64]float64{infinity: 20e6, 10_000: 12.5e6} {
		r := madeReno(10_000, ssthresh)
		within(t, "the rate", r.rate(), want, 1e-9)
		r.c.srtt *= 2
		r.onRTT()
		within(t, "the rate with twice the round trip", r.rate(), want/2, 1e-9)
	}
}

// RFC 9406: eight samples, all of them longer by an eighth, but by 4 ms at least and 16 ms at most, end slow start; each round is judged by its own.
func TestNewRenoLeavesSlowStart(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		least, rtt time.Duration
		ends       bool
	}{
		{ms, 5*ms - 1, false}, {ms, 5 * ms, true}, {80 * ms, 90*ms - 1, false}, {80 * ms, 90 * ms, true}, {400 * ms, 416*ms - 1, false}, {400 * ms, 416 * ms, true},
	} {
		r := madeReno(10_000, infinity)
		r.c.minRTT = c.least
		for i := range hystartSamples {
			if !r.slowStart() {
				t.Errorf("left after %d samples", i)
			}
			r.onAck(&rateSample{rtt: c.rtt})
		}
		if r.slowStart() == c.ends {
			t.Errorf("%v of %v: in slow start %v", c.rtt, c.least, !c.ends)
		}
		// a shorter one spares this round, and not the next
		r = madeReno(10_000, infinity)
		r.c.minRTT = c.least
		r.onAck(&rateSample{rtt: c.least})
		for range hystartSamples {
			r.onAck(&rateSample{rtt: c.rtt})
		}
		if !r.slowStart() {
			t.Errorf("%v of %v: left in spite of a short sample", c.rtt, c.least)
		}
		r.c.delivered = 1000
		for range hystartSamples {
			r.onAck(&rateSample{rtt: c.rtt, hasData: true})
		}
		if r.slowStart() == c.ends {
			t.Errorf("%v of %v, the next round: in slow start %v", c.rtt, c.least, !c.ends)
		}
	}
}

// What was acknowledged before packets became larger counts with the size that they had.
func TestPacketSizeChangesBehindAnAck(t *testing.T) {
	control := new(Control)
	control.Choose(NewReno)
	s := NewSender(control, time.Hour, 1000, 1)
	r := s.algo.(*newReno)
	r.ssthresh = r.cwnd
	s.OnPacketSent(time.Hour, r.cwnd, 0, r.cwnd) // one that fills the window
	s.OnPacketAcked(time.Hour+time.Millisecond, 0, 32_000, 32_000)
	s.SetPacketSize(1400)
	if s.Window() != 33_000 {
		t.Errorf("a window of %d, not 33000", s.Window())
	}
}
