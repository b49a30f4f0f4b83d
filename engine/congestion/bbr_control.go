package congestion

// Control parameters (5.6).

// initPacingRate (5.6.2).
func (b *bbr) initPacingRate() {
	rtt := b.c.srtt
	if rtt <= 0 {
		rtt = 1e6 // 1 ms
	}
	b.pacingRate = startupPacingGain * float64(b.c.initialWindow) / seconds(rtt)
}

func (b *bbr) setPacingRateWithGain(gain float64) {
	rate := gain * b.bw * (1 - pacingMargin)
	if b.fullBWReached || rate > b.pacingRate {
		b.pacingRate = max(rate, b.leastRate())
	}
}

// leastRate is two packets in a round trip. The draft sets none; without it the samples of a long time without answers would slow down
// what follows it.
func (b *bbr) leastRate() float64 {
	rtt := b.c.srtt
	if rtt <= 0 {
		rtt = 1e9
	}
	return float64(2*b.c.smss) / seconds(rtt)
}

func (b *bbr) setPacingRate() { b.setPacingRateWithGain(b.pacingGain) }

// setSendQuantum (5.6.3).
func (b *bbr) setSendQuantum() { b.sendQuantum = quantumOf(b.pacingRate, b.c.smss) }

// quantumOf is what goes out together: a millisecond's worth, within bounds.
func quantumOf(rate float64, smss int64) int64 {
	return max(int64(min(rate*1e-3, 64*kib)), 2*smss)
}

// bdpMultiple is BDPMultiple (5.6.4.2).
func (b *bbr) bdpMultiple(bw, gain float64) int64 {
	if b.minRTT == forever {
		return b.c.initialWindow
	}
	bdp := int64(min(bw*seconds(b.minRTT), float64(mostWindow*b.c.smss))) // BBR.bdp
	return int64(gain * float64(bdp))
}

func (b *bbr) quantizationBudget(inflight int64) int64 {
	// For QUIC BBR.offload_budget is the send quantum (5.5.8.2).
	inflight = max(inflight, b.sendQuantum, b.minPipe())
	if b.state == StateProbeUp {
		inflight += 2 * b.c.smss
	}
	return inflight
}

// inflightFor is Inflight.
func (b *bbr) inflightFor(bw, gain float64) int64 {
	return b.quantizationBudget(b.bdpMultiple(bw, gain))
}

// setCwnd (5.6.4.6).
func (b *bbr) setCwnd(rs *rateSample) {
	most := b.quantizationBudget(b.bdpMultiple(b.bw, b.cwndGain) + b.extraAcked) // BBR.max_inflight
	switch {
	case b.fullBWReached:
		b.cwnd = min(b.cwnd+rs.newlyAcked, most)
	case b.cwnd < most || b.c.delivered < b.c.initialWindow:
		b.cwnd += rs.newlyAcked
	}
	b.cwnd = min(max(b.cwnd, b.minPipe()), mostWindow*b.c.smss)
	if b.state == StateProbeRTT { // BoundCwndForProbeRTT
		b.cwnd = min(b.cwnd, b.probeRTTCwnd())
	}
	b.boundCwndForModel()
}

// boundCwndForModel (5.6.4.7).
func (b *bbr) boundCwndForModel() {
	bound := infinity
	switch {
	case b.state == StateProbeRTT || b.state == StateProbeCruise:
		bound = b.inflightWithHeadroom()
	case b.inProbeBW():
		bound = b.inflightLongterm
	}
	b.cwnd = min(b.cwnd, max(min(bound, b.inflightShortterm), b.minPipe()))
}

// saveCwnd and restoreCwnd (5.6.4.4).
func (b *bbr) saveCwnd() {
	if !b.recovering && b.state != StateProbeRTT {
		b.priorCwnd = b.cwnd
	} else {
		b.priorCwnd = max(b.priorCwnd, b.cwnd)
	}
}

func (b *bbr) restoreCwnd() { b.cwnd = max(b.cwnd, b.priorCwnd) }

// updateRecovery ends a recovery period when something sent after its begin is acknowledged (RFC 9002, 7.3.2).
func (b *bbr) updateRecovery(rs *rateSample) {
	if b.recovering && rs.sendTime > b.recoveryStart {
		b.recovering = false
		b.restoreCwnd()
	}
}

// onPersistentCongestion is OnEnterRTO: nothing has come through for a long time (RFC 9002, 7.6).
func (b *bbr) onPersistentCongestion(now instant) {
	b.saveCwnd()
	b.cwnd = max(b.c.inflight+b.c.smss, b.c.smss)
	if !b.recovering {
		b.recovering, b.recoveryStart = true, now
	}
}
