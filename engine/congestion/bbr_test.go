package congestion

import (
	"math"
	"testing"
	"time"
)

// The cases of the draft's Appendix A, on a simulated path of 10 MB/s and 20 ms with a buffer of one round trip, unless said.

func casePath(seed uint64) (*network, *flow, *bbr) {
	n := newNetwork(seed, 10e6, 20*time.Millisecond, 200_000)
	f := n.flow(BBR)
	return n, f, f.s.algo.(*bbr)
}

// reach runs until the state is reached.
func reach(t *testing.T, n *network, b *bbr, s State) {
	t.Helper()
	n.runUntil(20*time.Second, func() bool { return b.state == s })
	if b.state != s {
		t.Fatalf("in %v, never came to %v", b.state, s)
	}
}

func within(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > want*share {
		t.Errorf("%s is %.4g, want %.4g within %.0f %%", what, got, want, 100*share)
	}
}

func TestA01StartupEndsOnAPlateau(t *testing.T) {
	n, f, b := casePath(1)
	n.buffer = 400_000
	f.goOn()
	reach(t, n, b, StateDrain)
	if !b.fullBWNow || !b.fullBWReached || b.fullBWCount != fullBWRounds {
		t.Errorf("now %v, reached %v, after %d rounds", b.fullBWNow, b.fullBWReached, b.fullBWCount)
	}
	within(t, "BBR.max_bw", b.maxBW, 10e6, 0.02)
	if f.lost != 0 {
		t.Errorf("%d packets lost", f.lost)
	}
}

// A.2 and 5.3.1.3: more than is tolerated, in many places, for a round trip.
func TestA02StartupEndsOnLoss(t *testing.T) {
	n, f, b := casePath(2)
	n.rate, n.buffer = 1e6, 2400 // loss is all that tells of the end of the path
	f.goOn()
	reach(t, n, b, StateDrain)
	if !b.fullBWReached || b.fullBWNow {
		t.Errorf("reached %v, by a plateau %v", b.fullBWReached, b.fullBWNow)
	}
	if b.inflightLongterm == infinity || b.undoState != StateStartup {
		t.Errorf("inflight_longterm %d, undo to %v", b.inflightLongterm, b.undoState)
	}
}

// Loss of the path itself, without a queue, ends neither Startup nor a probe.
func TestNoiseIsNotCongestion(t *testing.T) {
	n, f, b := casePath(3)
	n.rate, n.buffer, n.loss = 50e6, 2e6, n.random(0.05)
	f.give(1_000_000)
	n.runUntil(10*time.Second, func() bool { return f.delivered >= 1_000_000 })
	if b.inflightLongterm != infinity {
		t.Errorf("inflight_longterm is %d after 5 %% of loss without a queue", b.inflightLongterm)
	}
	if b.state != StateStartup {
		t.Errorf("in %v", b.state)
	}
}

func TestA03DrainEndsWhenThePipeIsNoMoreThanFull(t *testing.T) {
	n, f, b := casePath(4)
	n.buffer = 400_000
	f.goOn()
	reach(t, n, b, StateDrain)
	if b.pacingGain != drainPacingGain {
		t.Errorf("pacing gain %v", b.pacingGain)
	}
	round := b.roundCount
	reach(t, n, b, StateProbeCruise) // through ProbeBW_DOWN, which the same ACK leaves
	if f.s.inflight > b.inflightFor(b.bw, 1)+4*f.size {
		t.Errorf("%d bytes under way, want at most %d", f.s.inflight, b.inflightFor(b.bw, 1))
	}
	if b.roundCount > round+drainRounds {
		t.Errorf("it took %d round trips", b.roundCount-round)
	}
}

func TestA04DrainEndsAfterThreeRounds(t *testing.T) {
	n, f, b := casePath(5)
	n.buffer = 2_000_000
	f.goOn()
	reach(t, n, b, StateDrain)
	round := b.roundCount
	n.rate = 1e6 // far more is under way than it can take
	reach(t, n, b, StateProbeDown)
	if b.roundCount != round+drainRounds+1 {
		t.Errorf("left Drain after %d round trips", b.roundCount-round)
	}
	if f.s.inflight <= b.inflightFor(b.bw, 1) {
		t.Error("it had drained")
	}
}

func TestA05ProbeUpEndsOnAPlateau(t *testing.T) {
	n, f, b := casePath(6)
	n.buffer = 2_000_000
	f.goOn()
	reach(t, n, b, StateProbeUp)
	if b.pacingGain != probeUpPacingGain || b.cwndGain != probeUpCwndGain {
		t.Errorf("gains %v and %v", b.pacingGain, b.cwndGain)
	}
	reach(t, n, b, StateProbeDown)
	if b.fullBWCount != fullBWRounds || b.prevTooHigh {
		t.Errorf("after %d rounds, too high: %v", b.fullBWCount, b.prevTooHigh)
	}
}

// A.6 and A.21: too much loss in a probe ends it and sets a bound, from which the next one keeps away.
func TestA21LossEndsProbeUp(t *testing.T) {
	n, f, b := casePath(7)
	f.goOn()
	reach(t, n, b, StateProbeUp)
	n.loss = n.random(0.2)
	reach(t, n, b, StateProbeDown)
	if !b.prevTooHigh || b.inflightLongterm == infinity || b.bwProbeSample {
		t.Errorf("too high %v, inflight_longterm %d, still probing %v", b.prevTooHigh, b.inflightLongterm, b.bwProbeSample)
	}
	if least := int64(beta * float64(b.targetInflight())); b.inflightLongterm < least {
		t.Errorf("inflight_longterm %d, want at least %d", b.inflightLongterm, least)
	}
	n.loss = nil
	// the precautionary probe ends as soon as the bound is reached, and the one after it follows without cruising
	reach(t, n, b, StateProbeUp)
	bound := b.inflightLongterm
	reach(t, n, b, StateProbeDown)
	if !b.prevPrecautionary || f.s.inflight < bound {
		t.Errorf("precautionary %v, at %d of %d", b.prevPrecautionary, f.s.inflight, bound)
	}
	cruised := false
	n.runUntil(5*time.Second, func() bool {
		cruised = cruised || b.state == StateProbeCruise
		return b.state == StateProbeRefill
	})
	if b.state != StateProbeRefill || cruised {
		t.Fatalf("in %v, by way of Cruise: %v", b.state, cruised)
	}
	reach(t, n, b, StateProbeUp)
	reach(t, n, b, StateProbeDown)
	if b.prevPrecautionary {
		t.Error("the second probe was cautious too")
	}
	if b.inflightLongterm < bound {
		t.Errorf("inflight_longterm fell from %d to %d", bound, b.inflightLongterm)
	}
}

func TestA07WithoutDataNothingEnds(t *testing.T) {
	n, f, b := casePath(8)
	for range 400 {
		f.give(6000)
		n.run(10 * time.Millisecond)
	}
	if b.state != StateStartup && b.state != StateProbeRTT || b.fullBWReached {
		t.Errorf("in %v, full: %v", b.state, b.fullBWReached)
	}
	if f.s.appLimited == 0 {
		t.Error("not taken for limited by the application")
	}
}

func TestA08ProbeDownEndsWithHeadroom(t *testing.T) {
	n, f, b := casePath(9)
	f.goOn()
	reach(t, n, b, StateProbeUp)
	reach(t, n, b, StateProbeDown)
	if b.pacingGain != probeDownPacingGain {
		t.Errorf("pacing gain %v", b.pacingGain)
	}
	reach(t, n, b, StateProbeCruise)
	if most := min(b.inflightWithHeadroom(), b.inflightFor(b.maxBW, 1)) + 4*f.size; f.s.inflight > most { // it has sent since
		t.Errorf("%d under way, headroom at %d, pipe %d", f.s.inflight, b.inflightWithHeadroom(), b.inflightFor(b.maxBW, 1))
	}
}

func TestA10ProbeRTT(t *testing.T) {
	n, f, b := casePath(10)
	f.goOn()
	reach(t, n, b, StateProbeRTT)
	if b.cwndGain != probeRTTCwndGain {
		t.Errorf("cwnd gain %v", b.cwndGain)
	}
	began, before := n.now, b.priorCwnd
	n.run(100 * time.Millisecond)
	if f.inflight > b.probeRTTCwnd()+f.size {
		t.Errorf("%d under way, want at most %d", f.inflight, b.probeRTTCwnd())
	}
	reach(t, n, b, StateProbeCruise)
	if d := n.now - began; d < probeRTTDuration || d > probeRTTDuration+100*time.Millisecond {
		t.Errorf("it took %v", d)
	}
	if b.cwnd < before/2 {
		t.Errorf("the window is %d, it was %d", b.cwnd, before)
	}
	began = n.now
	reach(t, n, b, StateProbeRTT)
	if d := n.now - began; d < probeRTTInterval {
		t.Errorf("the next one came after %v", d)
	}
}

func TestA11IdlenessSparesProbeRTT(t *testing.T) {
	n, f, b := casePath(11)
	f.give(10_000_000)
	n.run(2 * time.Second)
	if f.delivered != 10_000_000+f.size/2 && f.inflight != 0 || !b.inProbeBW() {
		t.Fatalf("delivered %d, in %v", f.delivered, b.state)
	}
	bw := b.bw
	n.run(6 * time.Second)
	f.give(100_000)
	if !b.idleRestart {
		t.Error("not taken for idle")
	}
	within(t, "the rate after idleness", b.pacingRate, bw*(1-pacingMargin), 0.01)
	n.run(time.Second)
	if b.state == StateProbeRTT || b.idleRestart {
		t.Errorf("in %v, idle %v", b.state, b.idleRestart)
	}
}

func TestA12AggregatedAcknowledgements(t *testing.T) {
	n, f, b := casePath(12)
	n.buffer, n.ackHold = 1_000_000, 30*time.Millisecond
	f.goOn()
	n.runUntil(10*time.Second, func() bool { return b.fullBWReached })
	within(t, "BBR.max_bw", b.maxBW, 10e6, 0.2)
	reach(t, n, b, StateProbeCruise) // A.13
	n.run(500 * time.Millisecond)
	if bdp := b.bdpMultiple(b.bw, 1); b.extraAcked < 100_000 || b.cwnd <= 2*bdp {
		t.Errorf("extra_acked %d, window %d of a pipe of %d", b.extraAcked, b.cwnd, bdp)
	}
	from := f.left
	n.run(2 * time.Second)
	within(t, "throughput", float64(f.left-from)/2, 10e6, 0.05)
}

func TestA14LessThanAPacketInThePipe(t *testing.T) {
	n, f, b := casePath(14)
	n.rate, n.delay, n.buffer = 20e3, 10*time.Millisecond, 20_000
	f.goOn()
	reach(t, n, b, StateProbeCruise)
	n.run(2 * time.Second)
	if b.cwnd < b.minPipe() || b.cwnd > 8*f.size {
		t.Errorf("window %d", b.cwnd)
	}
	from := f.left
	n.run(20 * time.Second)
	within(t, "throughput", float64(f.left-from)/20, 20e3, 0.05)
}

func TestA15TenTimesTheRate(t *testing.T) {
	n, f, b := casePath(15)
	n.rate, n.buffer = 1e6, 20_000
	f.goOn()
	n.run(5 * time.Second)
	n.rate, n.buffer = 10e6, 200_000
	took := n.runUntil(60*time.Second, func() bool { return b.maxBW > 9e6 })
	if took > 10*time.Second {
		t.Errorf("it took %v to find ten times the rate", took)
	}
}

func TestA16ATenthOfTheRate(t *testing.T) {
	n, f, b := casePath(16)
	f.goOn()
	n.run(5 * time.Second)
	n.rate, n.buffer = 1e6, 20_000
	n.run(2 * time.Second)
	if b.bw > 5e6 {
		t.Errorf("after two seconds BBR.bw is %.3g", b.bw)
	}
	took := n.runUntil(60*time.Second, func() bool { return b.maxBW < 1.05e6 })
	if took > 15*time.Second {
		t.Errorf("it took %v", took)
	}
	from, dropped := f.left, f.dropped
	n.run(10 * time.Second)
	within(t, "throughput", float64(f.left-from)/10, 1e6, 0.1)
	if share := float64(f.dropped-dropped) * 1200 / 10e6; share > 0.03 {
		t.Errorf("%.3f of the packets are lost", share)
	}
}

func TestA17Policer(t *testing.T) {
	n, f, _ := casePath(17)
	n.policer = &bucket{rate: 2e6, size: 100_000, level: 100_000, at: n.now}
	f.goOn()
	n.run(10 * time.Second)
	from, offered, dropped := f.left, f.offered, f.dropped
	n.run(20 * time.Second)
	within(t, "throughput", float64(f.left-from)/20, 2e6, 0.12)
	if share := float64(f.dropped-dropped) / float64(f.offered-offered); share > 0.05 {
		t.Errorf("%.3f of the packets are lost", share)
	}
}

// A.18: what was cut for losses that were none is given back.
func TestA18SpuriousLoss(t *testing.T) {
	n, f, b := casePath(18)
	n.buffer = 1_000_000
	f.goOn()
	reach(t, n, b, StateProbeCruise)
	n.run(100 * time.Millisecond)
	n.reorder, n.late = 0.01, 6*time.Millisecond
	from := f.left
	n.run(20 * time.Second)
	if f.spurious < 100 {
		t.Fatalf("%d spurious losses", f.spurious)
	}
	within(t, "throughput", float64(f.left-from)/20, 10e6, 0.1)
}

func TestSpuriousLossIsUndone(t *testing.T) {
	n, f, b := casePath(18)
	n.buffer = 1_000_000
	f.goOn()
	reach(t, n, b, StateProbeUp)
	b.inflightLongterm, b.bwShortterm, b.inflightShortterm = 500_000, 9e6, 400_000
	now, number := n.now, int64(len(f.sent))
	for i := range int64(8) {
		b.onLost(now, &packet{number: number + i, txInFlight: 1000, lost: f.s.lost - 1200}, number+i, 1200)
	}
	if b.state != StateProbeDown || b.inflightLongterm == 500_000 {
		t.Fatalf("in %v, inflight_longterm %d: the loss changed nothing", b.state, b.inflightLongterm)
	}
	for i := range int64(8) {
		if b.state == StateProbeRefill {
			t.Fatalf("undone after %d of 8", i)
		}
		b.onSpurious(now, number+i)
	}
	if b.state != StateProbeRefill || b.inflightLongterm != 500_000 {
		t.Errorf("in %v, inflight_longterm %d", b.state, b.inflightLongterm)
	}
}

func TestA20ProbeRTTInStartup(t *testing.T) {
	n, f, b := casePath(20)
	n.after(0, func() {})
	for range 450 { // little enough never to be full
		f.give(6000 + f.size)
		n.run(13 * time.Millisecond)
		if b.state == StateProbeRTT {
			break
		}
	}
	if b.state != StateProbeRTT {
		t.Fatalf("in %v", b.state)
	}
	for range 60 {
		f.give(6000)
		n.run(13 * time.Millisecond)
	}
	if b.state != StateStartup {
		t.Errorf("in %v", b.state)
	}
}

func TestA22NothingToSendInRefill(t *testing.T) {
	n, f, b := casePath(22)
	f.goOn()
	reach(t, n, b, StateProbeRefill)
	bw := b.maxBW
	f.endless = false
	n.run(300 * time.Millisecond)
	for range 20 {
		f.give(2400)
		n.run(30 * time.Millisecond)
	}
	if b.maxBW < bw {
		t.Errorf("BBR.max_bw fell from %.4g to %.4g", bw, b.maxBW)
	}
	if b.state == StateProbeRefill {
		t.Error("still there")
	}
}

// Marks of congestion bound what is under way as loss does (3.7).
func TestMarksAreCongestion(t *testing.T) {
	n, f, b := casePath(23)
	n.buffer, n.mark = 2_000_000, 60_000
	f.goOn()
	n.runUntil(5*time.Second, func() bool { return b.fullBWReached })
	if b.fullBWNow || b.ceRounds < startupCERounds {
		t.Errorf("Startup ended by a plateau %v, after %d marked rounds", b.fullBWNow, b.ceRounds)
	}
	n.run(5 * time.Second)
	if b.inflightLongterm == infinity {
		t.Error("inflight_longterm is not set")
	}
	n.meanQueue(time.Second)
	from := f.left
	n.run(10 * time.Second)
	if mean, _ := n.meanQueue(10 * time.Second); mean > 60_000 {
		t.Errorf("%.0f bytes wait on average", mean)
	}
	within(t, "throughput", float64(f.left-from)/10, 10e6, 0.15)
}

func TestMarksAreNotUndone(t *testing.T) {
	n, f, b := casePath(24)
	n.buffer = 1_000_000
	f.goOn()
	reach(t, n, b, StateProbeUp)
	b.inflightLongterm = 500_000
	number := int64(len(f.sent))
	b.onCE(n.now, &packet{number: number, txInFlight: 100_000}, number)
	bound := b.inflightLongterm
	if b.state != StateProbeDown || bound >= 500_000 {
		t.Fatalf("in %v, inflight_longterm %d", b.state, bound)
	}
	b.onSpurious(n.now, number)
	if b.state != StateProbeDown || b.inflightLongterm != bound {
		t.Errorf("in %v, inflight_longterm %d", b.state, b.inflightLongterm)
	}
}

// The next ProbeRTT is due from the end of this one (5.3.4.3).
func TestProbeRTTIsScheduledFromItsEnd(t *testing.T) {
	n, f, b := casePath(25)
	f.goOn()
	reach(t, n, b, StateProbeRTT)
	n.run(100 * time.Millisecond)
	b.probeRTTDoneStamp = n.now - 1
	b.checkProbeRTTDone(n.now)
	if b.probeRTTMinStamp != n.now || b.state != StateProbeCruise {
		t.Errorf("due from %v, now is %v, in %v", b.probeRTTMinStamp, n.now, b.state)
	}
}

// However little was delivered in a bad time, two packets leave in a round trip.
func TestRateHasAFloor(t *testing.T) {
	n, f, b := casePath(26)
	f.goOn()
	n.run(3 * time.Second)
	b.bw = 10
	b.setPacingRate()
	within(t, "the rate", b.pacingRate, 2*1200/f.s.srtt.Seconds(), 0.01)
}
