package congestion

import "time"

// ProbeBW (5.3.3).

const (
	probeWaitLeast = 2 * time.Second // 5.3.3.5.3
	probeWaitRange = uint64(time.Second)
	renoRounds     = 63 // there, too
)

func (b *bbr) enterProbeBW(now instant) {
	b.cwndGain = defaultCwndGain
	b.startDown(now)
}

func (b *bbr) startDown(now instant) {
	b.resetCongestionSignals()
	b.probeUpAckedInc = infinity // inflight_longterm does not grow
	b.pickProbeWait()
	b.cycleStamp = now
	b.ackPhase = acksProbeStopping
	b.startRound()
	b.state = StateProbeDown
	b.pacingGain, b.cwndGain = probeDownPacingGain, defaultCwndGain
}

func (b *bbr) startCruise() {
	b.state = StateProbeCruise
	b.pacingGain, b.cwndGain = 1, defaultCwndGain
}

func (b *bbr) startRefill() {
	b.resetShortTermModel()
	b.bwProbeUpRounds, b.bwProbeUpAcked = 0, 0
	b.prevPrecautionary = false
	b.ackPhase = acksRefilling
	b.startRound()
	b.state = StateProbeRefill
	b.pacingGain, b.cwndGain = 1, defaultCwndGain
}

func (b *bbr) startUp(rs *rateSample) {
	b.ackPhase = acksProbeStarting
	b.startRound()
	b.resetFullBW()
	b.fullBW = rs.deliveryRate
	b.state = StateProbeUp
	b.pacingGain, b.cwndGain = probeUpPacingGain, probeUpCwndGain
	b.raiseInflightLongtermSlope()
}

// updateProbeBWCyclePhase (5.3.3.6).
func (b *bbr) updateProbeBWCyclePhase(rs *rateSample) {
	if !b.fullBWReached || b.adaptLongTermModel(rs) {
		return
	}
	switch b.state {
	case StateProbeDown:
		if !b.timeToProbe(rs.now) && b.timeToCruise() {
			b.startCruise()
		}
	case StateProbeCruise:
		b.timeToProbe(rs.now)
	case StateProbeRefill:
		if b.roundStart {
			b.bwProbeSample = true
			b.startUp(rs)
		}
	case StateProbeUp:
		if b.timeToGoDown(rs) {
			b.prevTooHigh = false // no high loss yet
			b.startDown(rs.now)
		}
	}
}

// timeToCruise is IsTimeToCruise.
func (b *bbr) timeToCruise() bool {
	return b.c.inflight <= b.inflightWithHeadroom() && b.c.inflight <= b.inflightFor(b.maxBW, 1)
}

// timeToGoDown is IsTimeToGoDown.
func (b *bbr) timeToGoDown(rs *rateSample) bool {
	// 5.3.3.4.2. What was under way before the ACK is what has been reached: after it less is, always.
	if b.prevTooHigh && rs.priorInFlight >= b.inflightLongterm {
		b.prevPrecautionary = true
		return true
	}
	if b.c.cwndLimited() && b.cwnd >= b.inflightLongterm {
		b.resetFullBW() // inflight_longterm is what limits the rate
		b.fullBW = rs.deliveryRate
		return false
	}
	return b.fullBWNow
}

// timeToProbe is IsTimeToProbeBW (5.3.3.5.3): it starts the next probe when its time has come.
func (b *bbr) timeToProbe(now instant) bool {
	renoTime := b.roundsSinceUp >= min(b.targetInflight()/b.c.smss, renoRounds) // IsRenoCoexistenceProbeTime
	if now <= b.cycleStamp+b.bwProbeWait && !renoTime {
		return false
	}
	b.startRefill()
	return true
}

func (b *bbr) pickProbeWait() {
	r := b.random()
	b.roundsSinceUp = int64(r & 1)
	b.bwProbeWait = probeWaitLeast + time.Duration(r>>1%probeWaitRange)
}

// targetInflight is TargetInflight: the estimated BDP, unless congestion has cut the window.
func (b *bbr) targetInflight() int64 { return min(b.bdpMultiple(b.bw, 1), b.cwnd) }

// inflightWithHeadroom leaves others some of what the path holds.
func (b *bbr) inflightWithHeadroom() int64 {
	if b.inflightLongterm == infinity {
		return infinity
	}
	free := max(b.c.smss, int64(headroom*float64(b.inflightLongterm)))
	return max(b.inflightLongterm-free, b.minPipe())
}

func (b *bbr) raiseInflightLongtermSlope() {
	growth := int64(1) << b.bwProbeUpRounds
	b.bwProbeUpRounds = min(b.bwProbeUpRounds+1, 30)
	b.probeUpAckedInc = max(b.cwnd/growth, b.c.smss)
}

func (b *bbr) probeInflightLongtermUpward(rs *rateSample) {
	if !b.c.cwndLimited() || b.cwnd < b.inflightLongterm {
		return // it is not used up
	}
	b.bwProbeUpAcked += rs.newlyAcked
	if b.bwProbeUpAcked >= b.probeUpAckedInc {
		delta := b.bwProbeUpAcked / b.probeUpAckedInc
		b.bwProbeUpAcked -= delta * b.probeUpAckedInc
		b.inflightLongterm += delta * b.c.smss
	}
	if b.roundStart {
		b.raiseInflightLongtermSlope()
	}
}

// adaptLongTermModel follows what the ACKs are about, and raises inflight_longterm where loss allows it. It reports whether it has
// changed the state.
func (b *bbr) adaptLongTermModel(rs *rateSample) bool {
	if b.ackPhase == acksProbeStarting && b.roundStart {
		b.ackPhase = acksProbeFeedback
	}
	if b.ackPhase == acksProbeStopping && b.roundStart { // the probe's last samples are in
		b.bwProbeSample = false
		b.ackPhase = acksInit
		if b.inProbeBW() && !rs.appLimited {
			b.advanceMaxBWFilter()
		}
		if b.inProbeBW() && b.prevPrecautionary && !b.prevTooHigh { // 5.3.3.4.2: the cautious probe was well, at once a real one
			b.startRefill()
			return true
		}
	}
	if b.inflightTooHigh(rs.lost, rs.txInFlight) || b.inflightLongterm == infinity {
		return false
	}
	b.inflightLongterm = max(b.inflightLongterm, rs.txInFlight)
	if b.state == StateProbeUp {
		b.probeInflightLongtermUpward(rs)
	}
	return false
}
