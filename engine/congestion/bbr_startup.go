package congestion

// Startup and Drain (5.3.1, 5.3.2).

func (b *bbr) enterStartup() {
	b.state = StateStartup
	b.pacingGain = startupPacingGain
	b.cwndGain = defaultCwndGain
}

func (b *bbr) resetFullBW() {
	b.fullBW, b.fullBWCount, b.fullBWNow = 0, 0, false
}

// checkFullBWReached looks for a plateau (5.3.1.2).
func (b *bbr) checkFullBWReached(rs *rateSample) {
	if b.fullBWNow || !b.roundStart || rs.appLimited {
		return
	}
	if rs.deliveryRate >= b.fullBW*fullBWGrowth {
		b.resetFullBW()
		b.fullBW = rs.deliveryRate
		return
	}
	b.fullBWCount++
	b.fullBWNow = b.fullBWCount >= fullBWRounds
	if b.fullBWNow {
		b.fullBWReached = true
	}
}

func (b *bbr) checkStartupDone(rs *rateSample) {
	b.checkStartupHighLoss(rs)
	if b.state == StateStartup && b.fullBWReached {
		b.enterDrain()
	}
}

// checkStartupHighLoss (5.3.1.3): when a round trip has passed since the first loss, that is, and there was loss in many places, and
// more than is tolerated. Marks of congestion end it too.
func (b *bbr) checkStartupHighLoss(rs *rateSample) {
	if b.state != StateStartup || b.fullBWReached {
		return
	}
	if b.lossRoundStart {
		high := b.recovering && b.lossEvents >= startupFullLossCount && b.inflightTooHigh(rs.lost, rs.txInFlight)
		if high || b.ceRounds >= startupCERounds {
			b.undoState = StateStartup
			b.fullBWReached = true
			b.inflightLongterm = max(b.bdpMultiple(b.maxBW, 1), b.inflightLatest)
		}
		b.lossEvents = 0
	}
}

func (b *bbr) enterDrain() {
	b.state = StateDrain
	b.pacingGain = drainPacingGain
	b.cwndGain = defaultCwndGain
	b.drainStartRound = b.roundCount
}

func (b *bbr) checkDrainDone(now instant) {
	if b.state == StateDrain && (b.c.inflight <= b.inflightFor(b.bw, 1) || b.roundCount > b.drainStartRound+drainRounds) {
		b.enterProbeBW(now)
	}
}
