package congestion

import (
	"math"
	"testing"
	"time"
)

// Single steps of the algorithm, from a state that is made for them: whole paths hide most of what one of them does wrong.

// made is on a path of 1 MB/s and 20 ms, a pipe of 20 packets of 1000 bytes, with twice that as its window.
func made(s State) *bbr {
	c := newConnection(1000, 32_000)
	c.srtt, c.minRTT, c.delivered = 20*time.Millisecond, 20*time.Millisecond, 1_000_000
	b := newBBR(&c, time.Hour, 1)
	b.state, b.fullBWReached, b.hasRTT = s, true, true
	b.maxBWFilter, b.maxBW, b.bw, b.cwnd = [2]float64{1e6, 1e6}, 1e6, 1e6, 40_000
	b.pacingGain, b.cwndGain = 1, defaultCwndGain
	b.setPacingRate()
	b.setSendQuantum()
	return b
}

// 5.6.4.7: which bound is whose.
func TestWindowIsBoundByTheModel(t *testing.T) {
	for _, c := range []struct {
		state               State
		longterm, shortterm int64
		want                int64
	}{
		{StateStartup, 30_000, infinity, 40_000},
		{StateDrain, 30_000, infinity, 40_000},
		{StateProbeDown, 30_000, infinity, 30_000},
		{StateProbeRefill, 30_000, infinity, 30_000},
		{StateProbeUp, 30_000, infinity, 30_000},
		{StateProbeCruise, 30_000, infinity, 25_500},
		{StateProbeRTT, 30_000, infinity, 25_500},
		{StateProbeCruise, 5000, infinity, 4000}, // a packet of headroom is the least
		{StateProbeCruise, 4500, infinity, 4000},
		{StateProbeCruise, infinity, infinity, 40_000},
		{StateProbeCruise, 30_000, 20_000, 20_000},
		{StateDrain, infinity, 20_000, 20_000},
		{StateProbeDown, infinity, 10, 4000},
		{StateProbeDown, 10, infinity, 4000},
	} {
		b := made(c.state)
		b.inflightLongterm, b.inflightShortterm = c.longterm, c.shortterm
		if b.boundCwndForModel(); b.cwnd != c.want {
			t.Errorf("%v, bounds %d and %d: a window of %d, not %d", c.state, c.longterm, c.shortterm, b.cwnd, c.want)
		}
		if least := b.inflightWithHeadroom(); least < 4000 {
			t.Errorf("bound %d: with headroom %d", c.longterm, least)
		}
	}
}

// 5.6.4.6: how the window grows, and how far.
func TestWindowGrows(t *testing.T) {
	for _, c := range []struct {
		name                   string
		full                   bool
		bw                     float64
		delivered, cwnd, extra int64
		want                   int64
	}{
		{"below twice the pipe", true, 1e6, 1_000_000, 30_000, 0, 35_000},
		{"up to it", true, 1e6, 1_000_000, 38_000, 0, 40_000},
		{"above it", true, 1e6, 1_000_000, 50_000, 0, 40_000},
		{"with what came at once", true, 1e6, 1_000_000, 38_000, 3000, 43_000},
		{"before the rate is known, above it", false, 1e6, 1_000_000, 50_000, 0, 50_000},
		{"before as much as the first window was delivered", false, 1e6, 31_999, 50_000, 0, 55_000},
		{"never beyond what QUIC implementations track", true, 1e12, 1_000_000, mostWindow * 1000, 0, mostWindow * 1000},
	} {
		b := made(StateProbeDown)
		b.fullBWReached, b.bw, b.c.delivered, b.cwnd, b.extraAcked = c.full, c.bw, c.delivered, c.cwnd, c.extra
		if b.setCwnd(&rateSample{newlyAcked: 5000}); b.cwnd != c.want {
			t.Errorf("%s: %d, not %d", c.name, b.cwnd, c.want)
		}
	}
	// 5.6.4.2: a probe is more than the pipe, however little that is
	if up, else_ := made(StateProbeUp).inflightFor(1, 1), made(StateProbeCruise).inflightFor(1, 1); up != 6000 || else_ != 4000 {
		t.Errorf("%d under way to probe the smallest pipe, else %d", up, else_)
	}
}

// 5.4.1: what follows idleness follows it at the estimated rate, and a ProbeRTT that has meanwhile been long enough is over.
func TestRestartFromIdle(t *testing.T) {
	b := made(StateProbeUp)
	b.pacingGain = probeUpPacingGain
	b.setPacingRate()
	b.c.appLimited = 1
	b.onTransmit(time.Hour + time.Second)
	within(t, "the rate", b.pacingRate, 1e6*(1-pacingMargin), 1e-9)

	b = made(StateProbeRTT)
	b.c.appLimited, b.cwnd, b.priorCwnd, b.probeRTTDoneStamp, b.inflightShortterm = 1, 4000, 40_000, time.Hour+time.Second, 8000
	if b.onTransmit(time.Hour + time.Second); b.state != StateProbeRTT {
		t.Errorf("in %v when ProbeRTT is not over", b.state)
	}
	b.onTransmit(time.Hour + time.Second + 1)
	if b.state != StateProbeCruise || b.cwnd != 40_000 || b.inflightShortterm != infinity {
		t.Errorf("in %v with a window of %d, bound by %d", b.state, b.cwnd, b.inflightShortterm)
	}
}

// 5.6.4.4: what there was before a recovery is there again behind it, whatever has cut it in between.
func TestRecoveryGivesTheWindowBack(t *testing.T) {
	b := made(StateProbeCruise)
	now := time.Hour + time.Second
	b.noteLoss(now, 7)
	b.cwnd = 20_000
	b.c.inflight = 3000
	if b.onPersistentCongestion(now + 1); b.cwnd != 4000 || !b.recovering {
		t.Errorf("a window of %d after persistent congestion", b.cwnd)
	}
	if b.updateRecovery(&rateSample{sendTime: now}); !b.recovering || b.cwnd != 4000 {
		t.Errorf("recovered by what was sent before, with a window of %d", b.cwnd)
	}
	if b.updateRecovery(&rateSample{sendTime: now + 1}); b.recovering || b.cwnd != 40_000 {
		t.Errorf("recovering %v, with a window of %d", b.recovering, b.cwnd)
	}
}

// What is of a round trip is over with it.
func TestRounds(t *testing.T) {
	b := made(StateProbeCruise)
	round := func(rtt time.Duration) {
		b.updateRound(&rateSample{priorDelivered: b.c.delivered, rtt: rtt})
		b.c.delivered += 20_000
	}
	b.c.limitedNow = true
	for i, c := range []struct {
		rtt     time.Duration
		limited bool
		most    float64
	}{
		{20 * time.Millisecond, true, noiseThresh}, {30 * time.Millisecond, false, noiseThresh}, {30 * time.Millisecond, false, lossThresh},
		{23 * time.Millisecond, false, noiseThresh}, {24 * time.Millisecond, false, noiseThresh}, {24 * time.Millisecond, false, lossThresh},
	} {
		round(c.rtt)
		if b.c.cwndLimited() != c.limited || b.tolerated() != c.most {
			t.Errorf("round %d: limited %v, %v may be lost", i, b.c.cwndLimited(), b.tolerated())
		}
	}
	if b.updateRound(&rateSample{priorDelivered: b.nextRoundDelivered - 1, rtt: -1}); b.roundStart {
		t.Error("a round ended with a packet sent in it")
	}
}

// 5.5.5 and 5.5.6: what the application held back is no measure, unless it is more, and what two cycles have not seen again is forgotten.
func TestMaxBandwidth(t *testing.T) {
	b := made(StateProbeUp)
	b.maxBWFilter[1] = 0
	for i, c := range []struct {
		rate    float64
		limited bool
		now     float64 // of this cycle
		most    float64
	}{
		{0.5e6, true, 0, 1e6}, {0.5e6, false, 0.5e6, 1e6}, {2e6, true, 2e6, 2e6},
	} {
		b.updateMaxBW(&rateSample{deliveryRate: c.rate, appLimited: c.limited, rtt: -1})
		if b.maxBWFilter[1] != c.now || b.maxBW != c.most {
			t.Errorf("%d: %v, at most %v", i, b.maxBWFilter, b.maxBW)
		}
	}
	b.maxBWFilter, b.maxBW = [2]float64{2e6, 1e6}, 2e6
	for i := range 3 { // the second and the third are without a sample
		if b.advanceMaxBWFilter(); b.maxBW != 1e6 || b.maxBWFilter[1] != 0 {
			t.Errorf("%d: %v, at most %v", i, b.maxBWFilter, b.maxBW)
		}
	}
}

// 5.5.9: what has come at once is remembered for ten round trips, and no more of it than a window.
func TestAggregation(t *testing.T) {
	for _, full := range []bool{true, false} {
		b := made(StateProbeCruise)
		b.fullBWReached = full
		rs := &rateSample{now: time.Hour, newlyAcked: 100_000}
		if b.updateACKAggregation(rs); b.extraAcked != 40_000 {
			t.Errorf("%d with a window of 40000", b.extraAcked)
		}
		rs.newlyAcked = 1000
		for i := range int64(11) {
			b.roundCount++
			rs.now += 200 * time.Millisecond
			b.updateACKAggregation(rs)
			if kept := b.extraAcked == 40_000; kept != (full && i < 10 || i < 1) {
				t.Errorf("rate known %v, %d rounds later: %d", full, i+1, b.extraAcked)
			}
		}
	}
}

// 5.5.10: loss, while nothing is probed, bounds rate and inflight by what came through, or by 0.7 of what was.
func TestLossBoundsTheShortTerm(t *testing.T) {
	for _, c := range []struct {
		name         string
		state        State
		rate         float64 // the largest of the round
		came         int64
		wantBW       float64
		wantInflight int64
	}{
		{"much came through", StateProbeCruise, 0.9e6, 35_000, 0.9e6, 35_000},
		{"little did", StateProbeDown, 0.1e6, 1000, 0.7e6, 28_000},
		{"Startup", StateStartup, 0.9e6, 35_000, math.Inf(1), infinity},
		{"Refill", StateProbeRefill, 0.9e6, 35_000, math.Inf(1), infinity},
		{"Up", StateProbeUp, 0.9e6, 35_000, math.Inf(1), infinity},
	} {
		b := made(c.state)
		b.noteLoss(time.Hour, 1)
		b.c.lost += 5000
		for i := range 2 { // the second round is without loss
			b.lossRoundStart, b.bwLatest, b.inflightLatest = true, c.rate, c.came
			b.updateCongestionSignals(&rateSample{rtt: -1})
			if b.bwShortterm != c.wantBW || b.inflightShortterm != c.wantInflight || b.lossInRound {
				t.Errorf("%s, round %d: %v and %d", c.name, i, b.bwShortterm, b.inflightShortterm)
			}
		}
	}
	// what a round brought is forgotten with it
	b := made(StateProbeCruise)
	b.lossRoundStart, b.bwLatest, b.inflightLatest = true, 1e6, 30_000
	if b.advanceLatestDeliverySignals(&rateSample{deliveryRate: 0.5e6, delivered: 10_000}); b.bwLatest != 0.5e6 || b.inflightLatest != 10_000 {
		t.Errorf("a new round begins with %v and %d", b.bwLatest, b.inflightLatest)
	}
}

// 5.5.10.2: the bound is where the loss became too much, no less than 0.7 of the pipe; nothing that the application held back sets it.
func TestTooMuchLossInAProbe(t *testing.T) {
	for _, c := range []struct {
		name     string
		inflight int64
		limited  bool
		want     int64
	}{
		{"where it was", 40_000, false, 38_775}, // 39_000 + (0.02 * 39_000 - 1000) / 0.98
		{"no less than a part of the pipe", 3000, false, 14_000},
		{"held back", 40_000, true, infinity},
	} {
		b := made(StateProbeUp)
		b.bwProbeSample, b.c.lost = true, 2000
		b.onLost(time.Hour, &packet{number: 1, txInFlight: c.inflight, appLimited: c.limited}, 1, 1000)
		if b.inflightLongterm != c.want || b.state != StateProbeDown || b.bwProbeSample {
			t.Errorf("%s: a bound of %d, in %v", c.name, b.inflightLongterm, b.state)
		}
		b.c.lost += 1000
		if b.onLost(time.Hour, &packet{number: 2, txInFlight: 20_000}, 2, 1000); b.inflightLongterm != c.want {
			t.Errorf("%s: a second loss of the same probe made it %d", c.name, b.inflightLongterm)
		}
	}
}

// 5.3.1.3: six places, and more than is tolerated; or two round trips with marks in a row.
func TestStartupEndsByLossOrMarks(t *testing.T) {
	for _, c := range []struct {
		name    string
		numbers []int64
		bytes   int64
		ends    bool
	}{
		{"six", []int64{1, 3, 5, 7, 9, 11}, 6000, true},
		{"five", []int64{1, 3, 5, 7, 9}, 6000, false},
		{"one, of many packets", []int64{1, 2, 3, 4, 5, 6, 7, 8}, 8000, false},
		{"six, of few bytes", []int64{1, 3, 5, 7, 9, 11}, 600, false},
	} {
		b := made(StateStartup)
		b.fullBWReached = false
		for _, number := range c.numbers {
			b.onLost(time.Hour, nil, number, 1000)
		}
		b.lossRoundStart, b.inflightLatest = true, 30_000
		b.checkStartupDone(&rateSample{lost: c.bytes, txInFlight: 40_000})
		bound := infinity
		if c.ends {
			bound = 30_000 // more than the pipe
		}
		if b.fullBWReached != c.ends || (b.state == StateDrain) != c.ends || b.inflightLongterm != bound {
			t.Errorf("%s: in %v, bound by %d", c.name, b.state, b.inflightLongterm)
		}
	}
	for _, c := range []struct {
		marked []bool
		ends   bool
	}{{[]bool{true, true}, true}, {[]bool{true, false, true}, false}} {
		b := made(StateStartup)
		b.fullBWReached = false
		for i, marked := range c.marked {
			if marked {
				b.onCE(time.Hour, nil, int64(i))
			}
			b.lossRoundStart = true
			b.updateCongestionSignals(&rateSample{rtt: -1})
			b.checkStartupDone(&rateSample{})
		}
		if b.fullBWReached != c.ends {
			t.Errorf("rounds with marks %v: in %v", c.marked, b.state)
		}
	}
}

// 5.5.11: what is saved is what was before the first loss of an episode, and comes back when all of it has come, and only then.
func TestUndo(t *testing.T) {
	b := made(StateProbeCruise)
	b.inflightLongterm = 50_000
	b.onLost(time.Hour, nil, 5, 1000)
	b.inflightLongterm, b.bwShortterm, b.inflightShortterm, b.cwnd, b.lossInRound = 30_000, 0.5e6, 10_000, 10_000, false
	b.onLost(time.Hour, nil, 7, 1000) // in the next round
	b.onSpurious(time.Hour, 4)        // of an earlier episode
	b.onSpurious(time.Hour, 5)
	if b.inflightLongterm != 30_000 || !b.recovering {
		t.Errorf("undone by one of two: bound by %d", b.inflightLongterm)
	}
	b.onSpurious(time.Hour, 7)
	if b.inflightLongterm != 50_000 || b.inflightShortterm != infinity || !math.IsInf(b.bwShortterm, 1) || b.cwnd != 40_000 || b.recovering || b.lossInRound {
		t.Errorf("bound by %d, %d and %v, a window of %d, recovering %v", b.inflightLongterm, b.inflightShortterm, b.bwShortterm, b.cwnd, b.recovering)
	}

	b = made(StateProbeCruise) // marks are no loss, and stay
	b.inflightLongterm = 50_000
	b.onLost(time.Hour, nil, 5, 1000)
	b.onCE(time.Hour, nil, 6)
	b.inflightLongterm = 30_000
	if b.onSpurious(time.Hour, 5); b.inflightLongterm != 30_000 || !b.recovering {
		t.Errorf("loss undone with the marks beside it: bound by %d, recovering %v", b.inflightLongterm, b.recovering)
	}

	for _, c := range []struct{ undo, in, want State }{
		{StateStartup, StateDrain, StateStartup},
		{StateProbeUp, StateProbeDown, StateProbeRefill},
		{StateProbeUp, StateProbeRTT, StateProbeRTT},
		{StateNone, StateProbeDown, StateProbeDown},
	} {
		b := made(StateProbeCruise)
		b.onLost(time.Hour, nil, 5, 1000)
		b.undoState, b.state = c.undo, c.in
		b.onSpurious(time.Hour, 5)
		if b.state != c.want || b.fullBWReached != (c.want != StateStartup) {
			t.Errorf("from %v, cut in %v: in %v, rate known %v", c.in, c.undo, b.state, b.fullBWReached)
		}
	}
}

// 5.3.3: when a state of ProbeBW is left.
func TestWhenToLeave(t *testing.T) {
	for _, c := range []struct {
		inflight, longterm int64
		cruise             bool
	}{
		{20_000, infinity, true}, {20_001, infinity, false}, {17_000, 20_000, true}, {17_001, 20_000, false}, {20_001, 30_000, false},
	} {
		b := made(StateProbeDown)
		b.c.inflight, b.inflightLongterm = c.inflight, c.longterm
		if b.timeToCruise() != c.cruise {
			t.Errorf("%d under way, bound %d: cruise %v", c.inflight, c.longterm, !c.cruise)
		}
	}
	for _, c := range []struct {
		rounds int64
		bw     float64
		waited time.Duration
		probe  bool
	}{
		{19, 1e6, 0, false}, {20, 1e6, 0, true}, // Reno's round trips: as many as packets in the pipe,
		{62, 1e8, 0, false}, {63, 1e8, 0, true}, // but no more than 63
		{1, 1e8, 2 * time.Second, false}, {1, 1e8, 2*time.Second + 1, true},
	} {
		b := made(StateProbeCruise)
		b.roundsSinceUp, b.bw, b.cwnd, b.cycleStamp, b.bwProbeWait = c.rounds, c.bw, 4_000_000, time.Hour, 2*time.Second
		if b.timeToProbe(time.Hour+c.waited) != c.probe || (b.state == StateProbeRefill) != c.probe {
			t.Errorf("%d rounds and %v after the last at %v: probe %v", c.rounds, c.waited, c.bw, !c.probe)
		}
	}
	b := made(StateProbeUp)
	b.roundsSinceUp, b.nextRoundDelivered = 50, 0
	b.startDown(time.Hour)
	if b.roundsSinceUp > 1 || b.bwProbeWait < probeWaitLeast || b.bwProbeWait > probeWaitLeast+time.Second || b.nextRoundDelivered != b.c.delivered {
		t.Errorf("%d rounds after a probe, wait %v, the round ends at %d", b.roundsSinceUp, b.bwProbeWait, b.nextRoundDelivered)
	}
	b.bwShortterm, b.inflightShortterm = 1, 1
	if b.startRefill(); b.inflightShortterm != infinity || !math.IsInf(b.bwShortterm, 1) {
		t.Errorf("in Refill bound by %v and %d", b.bwShortterm, b.inflightShortterm)
	}
}

// 5.3.3.4.2: a plateau ends a probe, unless it is that of the bound; the one after a probe that lost too much is cautious, and that alone.
func TestWhatEndsAProbe(t *testing.T) {
	b := made(StateProbeUp)
	b.inflightLongterm, b.fullBWNow, b.fullBWCount, b.c.limitedNow = 40_000, true, 3, true
	if b.timeToGoDown(&rateSample{deliveryRate: 1e6}) || b.fullBWNow || b.fullBWCount != 0 || b.fullBW != 1e6 {
		t.Errorf("a plateau at the bound ends the probe, or counts: %v, %d", b.fullBWNow, b.fullBWCount)
	}
	b.inflightLongterm, b.fullBWNow, b.prevTooHigh = 50_000, true, true
	b.updateProbeBWCyclePhase(&rateSample{deliveryRate: 1e6, priorInFlight: 49_999, txInFlight: 1000, rtt: -1})
	if b.state != StateProbeDown || b.prevTooHigh || b.prevPrecautionary {
		t.Errorf("behind a plateau in %v, too high %v, cautious %v", b.state, b.prevTooHigh, b.prevPrecautionary)
	}
	for _, c := range []struct{ cautious, high, refill bool }{{true, false, true}, {true, true, false}, {false, false, false}} {
		b := made(StateProbeDown)
		b.ackPhase, b.roundStart, b.bwProbeSample, b.prevPrecautionary, b.prevTooHigh = acksProbeStopping, true, true, c.cautious, c.high
		b.c.inflight = 100_000
		b.cycleStamp, b.bwProbeWait = time.Hour, 2*time.Second
		b.updateProbeBWCyclePhase(&rateSample{now: time.Hour, rtt: -1})
		if b.bwProbeSample || (b.state == StateProbeRefill) != c.refill {
			t.Errorf("cautious %v, too high %v: in %v, still probing %v", c.cautious, c.high, b.state, b.bwProbeSample)
		}
	}
	for _, limited := range []bool{true, false} { // a cycle counts if the application had as much as the path takes
		b := made(StateProbeDown)
		b.ackPhase, b.roundStart = acksProbeStopping, true
		b.adaptLongTermModel(&rateSample{appLimited: limited})
		if advanced := b.maxBWFilter[1] == 0; advanced == limited {
			t.Errorf("limited by the application %v: the cycle counts %v", limited, advanced)
		}
	}
}

// 5.3.3.4.1: the bound follows what came through, and grows by twice as much each round trip while it is used up.
func TestTheBoundIsRaised(t *testing.T) {
	for _, c := range []struct {
		name                     string
		inflight, lost, longterm int64
		want                     int64
	}{
		{"more came through", 35_000, 0, 30_000, 35_000},
		{"less", 25_000, 0, 30_000, 30_000},
		{"more, with too much loss", 35_000, 5000, 30_000, 30_000},
		{"without a bound", 35_000, 0, infinity, infinity},
	} {
		b := made(StateProbeCruise)
		b.inflightLongterm = c.longterm
		if b.adaptLongTermModel(&rateSample{txInFlight: c.inflight, lost: c.lost}); b.inflightLongterm != c.want {
			t.Errorf("%s: %d, not %d", c.name, b.inflightLongterm, c.want)
		}
	}
	for _, c := range []struct {
		name    string
		limited bool
		cwnd    int64
		want    int64
	}{
		{"used up", true, 40_000, 42_000}, {"not used up", false, 40_000, 40_000}, {"the window is smaller", true, 39_999, 40_000},
	} {
		b := made(StateProbeUp)
		b.inflightLongterm, b.cwnd, b.c.limitedNow, b.probeUpAckedInc = 40_000, c.cwnd, c.limited, 5000
		if b.probeInflightLongtermUpward(&rateSample{newlyAcked: 12_000}); b.inflightLongterm != c.want {
			t.Errorf("%s: %d, not %d", c.name, b.inflightLongterm, c.want)
		}
	}
	b := made(StateProbeUp)
	for i, want := range []int64{40_000, 20_000, 10_000, 5000, 2500, 1250, 1000, 1000} {
		if b.raiseInflightLongtermSlope(); b.probeUpAckedInc != want {
			t.Errorf("round %d: a packet more for %d, not %d", i, b.probeUpAckedInc, want)
		}
	}
	for range 100 {
		b.raiseInflightLongtermSlope()
	}
	if b.probeUpAckedInc != 1000 {
		t.Errorf("after a hundred rounds a packet more for %d", b.probeUpAckedInc)
	}
}

// 5.3.4: a path that has become longer is known ten seconds later, and no sooner.
func TestShortestRoundTripIsRenewed(t *testing.T) {
	b := made(StateProbeCruise)
	for _, c := range []struct {
		after, rtt, want time.Duration
	}{
		{4 * time.Second, 30 * time.Millisecond, 20 * time.Millisecond},
		{6 * time.Second, 30 * time.Millisecond, 20 * time.Millisecond},
		{9 * time.Second, 25 * time.Millisecond, 20 * time.Millisecond},
		{11 * time.Second, 40 * time.Millisecond, 25 * time.Millisecond},
		{12 * time.Second, 15 * time.Millisecond, 15 * time.Millisecond},
	} {
		if b.updateMinRTT(&rateSample{now: time.Hour + c.after, rtt: c.rtt}); b.minRTT != c.want {
			t.Errorf("after %v: %v, not %v", c.after, b.minRTT, c.want)
		}
	}
}

// 5.3.4.3 and 5.3.4.4: ProbeRTT lasts its time and a round trip, its samples are no measure, and what it has cut is given back.
func TestProbeRTTStepByStep(t *testing.T) {
	b := made(StateProbeCruise)
	rs := &rateSample{now: time.Hour + 6*time.Second, rtt: 30 * time.Millisecond}
	b.c.inflight = 10_001
	b.updateMinRTT(rs)
	b.checkProbeRTT(rs)
	if b.state != StateProbeRTT || b.priorCwnd != 40_000 || b.probeRTTDoneStamp != 0 || b.c.appLimited == 0 {
		t.Fatalf("in %v, saved a window of %d, until %v, limited %d", b.state, b.priorCwnd, b.probeRTTDoneStamp, b.c.appLimited)
	}
	if b.setCwnd(rs); b.cwnd != 10_000 { // half a pipe
		t.Errorf("a window of %d", b.cwnd)
	}
	b.inflightShortterm = 12_000
	b.c.inflight = 10_000
	b.checkProbeRTT(rs)
	rs.now += probeRTTDuration + 1
	if b.checkProbeRTT(rs); b.state != StateProbeRTT {
		t.Errorf("in %v before a round trip was over", b.state)
	}
	b.roundStart = true
	if b.checkProbeRTT(rs); b.state != StateProbeCruise || b.cwnd != 40_000 || b.inflightShortterm != infinity {
		t.Errorf("in %v with a window of %d, bound by %d", b.state, b.cwnd, b.inflightShortterm)
	}
}
