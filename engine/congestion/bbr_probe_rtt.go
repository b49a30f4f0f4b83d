package congestion

// ProbeRTT (5.3.4).

// updateMinRTT (5.3.4.3).
func (b *bbr) updateMinRTT(rs *rateSample) {
	b.probeRTTExpired = rs.now > b.probeRTTMinStamp+probeRTTInterval
	if rs.rtt >= 0 && (rs.rtt < b.probeRTTMinDelay || b.probeRTTExpired) {
		b.probeRTTMinDelay, b.probeRTTMinStamp = rs.rtt, rs.now
	}
	if expired := rs.now > b.minRTTStamp+minRTTFilterLen; b.probeRTTMinDelay < b.minRTT || expired {
		b.minRTT, b.minRTTStamp = b.probeRTTMinDelay, b.probeRTTMinStamp
	}
}

func (b *bbr) checkProbeRTT(rs *rateSample) {
	if b.state != StateProbeRTT && b.probeRTTExpired && !b.idleRestart {
		b.saveCwnd() // as it is before this state cuts it
		b.state = StateProbeRTT
		b.pacingGain, b.cwndGain = 1, probeRTTCwndGain
		b.probeRTTDoneStamp = 0
		b.ackPhase = acksProbeStopping
		b.startRound()
	}
	if b.state == StateProbeRTT {
		b.handleProbeRTT(rs.now)
	}
	if rs.delivered > 0 {
		b.idleRestart = false
	}
}

func (b *bbr) handleProbeRTT(now instant) {
	b.c.markAppLimited() // low rates say nothing here
	switch {
	case b.probeRTTDoneStamp == 0 && b.c.inflight <= b.probeRTTCwnd():
		b.probeRTTDoneStamp = now + probeRTTDuration
		b.probeRTTRoundDone = false
		b.startRound()
	case b.probeRTTDoneStamp != 0:
		if b.roundStart {
			b.probeRTTRoundDone = true
		}
		if b.probeRTTRoundDone {
			b.checkProbeRTTDone(now)
		}
	}
}

func (b *bbr) checkProbeRTTDone(now instant) {
	if b.probeRTTDoneStamp == 0 || now <= b.probeRTTDoneStamp {
		return
	}
	b.probeRTTMinStamp = now // the next one is due from now
	b.restoreCwnd()
	// ExitProbeRTT (5.3.4.4)
	b.resetShortTermModel()
	if b.fullBWReached {
		b.startDown(now)
		b.startCruise()
	} else {
		b.enterStartup()
	}
}

func (b *bbr) probeRTTCwnd() int64 {
	return max(b.bdpMultiple(b.bw, probeRTTCwndGain), b.minPipe())
}
