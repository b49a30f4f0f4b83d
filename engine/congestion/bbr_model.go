package congestion

import (
	"math"
)

// The model of the path (5.5).

// updateRound (5.5.1) counts round trips by packets.
func (b *bbr) updateRound(rs *rateSample) {
	b.roundStart = rs.priorDelivered >= b.nextRoundDelivered
	if b.roundStart {
		b.startRound()
		b.roundCount++
		b.roundsSinceUp++
		b.c.limitedBefore, b.c.limitedNow = b.c.limitedNow, false
		b.rttBefore, b.rttNow = b.rttNow, forever
	}
	if rs.rtt >= 0 {
		b.rttNow = min(b.rttNow, rs.rtt)
	}
}

func (b *bbr) startRound() { b.nextRoundDelivered = b.c.delivered }

// updateMaxBW (5.5.5): what the application held back counts only if it is more than was known.
func (b *bbr) updateMaxBW(rs *rateSample) {
	b.updateRound(rs)
	if rs.deliveryRate > 0 && (rs.deliveryRate >= b.maxBW || !rs.appLimited) {
		b.maxBWFilter[1] = max(b.maxBWFilter[1], rs.deliveryRate)
		b.maxBW = max(b.maxBWFilter[0], b.maxBWFilter[1])
	}
}

// advanceMaxBWFilter (5.5.6): a cycle without a sample does not end the one before it.
func (b *bbr) advanceMaxBWFilter() {
	if b.maxBWFilter[1] == 0 {
		return
	}
	b.maxBWFilter[0], b.maxBWFilter[1] = b.maxBWFilter[1], 0
	b.maxBW = b.maxBWFilter[0]
}

// updateACKAggregation (5.5.9).
func (b *bbr) updateACKAggregation(rs *rateSample) {
	expected := int64(b.bw * float64(max(rs.now-b.extraAckedStart, 0)) * 1e-9)
	if b.extraAckedDelivered <= expected { // ACKs come no faster than expected: begin anew
		b.extraAckedDelivered, b.extraAckedStart, expected = 0, rs.now, 0
	}
	b.extraAckedDelivered += rs.newlyAcked
	extra := min(b.extraAckedDelivered-expected, b.cwnd)
	window := int64(1)
	if b.fullBWReached {
		window = extraAckedFilterLen
	}
	b.extraAcked = b.extraAckedFilter.update(extra, b.roundCount, window)
}

// Loss (5.5.10).

// tolerated is the share of packets that may be lost: BBR.LossThresh where there is a queue.
func (b *bbr) tolerated() float64 {
	if shortest := min(b.rttNow, b.rttBefore); shortest == forever || shortest > b.minRTT+b.minRTT/8+queueSlack {
		return lossThresh
	}
	return noiseThresh
}

// inflightTooHigh is IsInflightTooHigh.
func (b *bbr) inflightTooHigh(lost, txInFlight int64) bool {
	return float64(lost) > float64(txInFlight)*b.tolerated()
}

// noteLoss is NoteLoss. State to go back to is saved once for a recovery period, not for each round trip: the end of a probe begins
// another.
func (b *bbr) noteLoss(now instant, number int64) {
	if !b.lossInRound {
		b.lossRoundDelivered = b.c.delivered
		b.lossEvents = 0
	}
	b.lossInRound = true
	if !b.recovering { // OnEnterFastRecovery (5.6.4.4)
		b.saveStateUponLoss(number)
		b.recovering, b.recoveryStart = true, now
	}
}

// onLost is HandleLostPacket (5.5.10.2); p is nil if nothing is known of the packet. C.lost counts it already.
func (b *bbr) onLost(now instant, p *packet, number, size int64) {
	b.noteLoss(now, number)
	b.episodeLosses++
	if b.lossEvents == 0 || number != b.lastLost+1 {
		b.lossEvents++
	}
	b.lastLost = number
	if !b.bwProbeSample || p == nil {
		return
	}
	lost := b.c.lost - p.lost
	if b.inflightTooHigh(lost, p.txInFlight) {
		// InflightAtLoss: where in what was under way the loss became too much
		before, lostBefore, share := float64(p.txInFlight-size), float64(lost-size), b.tolerated()
		at := before + (share*before-lostBefore)/(1-share)
		b.handleInflightTooHigh(now, int64(at), p.appLimited)
	}
}

// onCE is for an ACK that tells of marks of congestion (ECN). The draft wants them treated as congestion (3.7): as loss beyond what is
// tolerated, that is, of the packet that was acknowledged.
func (b *bbr) onCE(now instant, p *packet, number int64) {
	b.noteLoss(now, number)
	b.episodeLosses = math.MaxInt32 // nothing undoes it
	b.ceInRound = true
	if b.bwProbeSample && p != nil {
		b.handleInflightTooHigh(now, p.txInFlight, p.appLimited)
	}
}

func (b *bbr) handleInflightTooHigh(now instant, txInFlight int64, appLimited bool) {
	b.prevTooHigh = true
	b.bwProbeSample = false // once for each probe
	if !appLimited {
		b.inflightLongterm = max(txInFlight, int64(float64(b.targetInflight())*beta))
	}
	if b.state == StateProbeUp {
		b.undoState = StateProbeUp
		b.startDown(now)
	}
}

// updateLatestDeliverySignals and what follows it are 5.5.10.3.
func (b *bbr) updateLatestDeliverySignals(rs *rateSample) {
	b.lossRoundStart = false
	b.bwLatest = max(b.bwLatest, rs.deliveryRate)
	b.inflightLatest = max(b.inflightLatest, rs.delivered)
	if rs.priorDelivered >= b.lossRoundDelivered {
		b.lossRoundDelivered = b.c.delivered
		b.lossRoundStart = true
	}
}

func (b *bbr) advanceLatestDeliverySignals(rs *rateSample) {
	if b.lossRoundStart {
		b.bwLatest, b.inflightLatest = rs.deliveryRate, rs.delivered
	}
}

func (b *bbr) resetCongestionSignals() {
	b.lossInRound, b.bwLatest, b.inflightLatest = false, 0, 0
	b.lossEvents = 0
}

func (b *bbr) updateCongestionSignals(rs *rateSample) {
	b.updateMaxBW(rs)
	if !b.lossRoundStart {
		return
	}
	noise := b.tolerated() > lossThresh && !b.ceInRound && !b.inflightTooHigh(b.c.lost-b.lostBeforeRound, b.c.lost-b.lostBeforeRound+rs.delivered)
	b.lostBeforeRound = b.c.lost
	if b.lossInRound && !b.probing() && !noise { // AdaptLowerBoundsFromCongestion
		if math.IsInf(b.bwShortterm, 1) {
			b.bwShortterm = b.maxBW
		}
		if b.inflightShortterm == infinity {
			b.inflightShortterm = b.cwnd
		}
		b.bwShortterm = max(b.bwLatest, beta*b.bwShortterm)
		b.inflightShortterm = max(b.inflightLatest, int64(beta*float64(b.inflightShortterm)))
	}
	b.lossInRound = false
	if b.ceInRound {
		b.ceRounds++
	} else {
		b.ceRounds = 0
	}
	b.ceInRound = false
}

func (b *bbr) resetShortTermModel() {
	b.bwShortterm = math.Inf(1)
	b.inflightShortterm = infinity
}

func (b *bbr) boundBWForModel() { b.bw = min(b.maxBW, b.bwShortterm) }

// Loss that turns out spurious (5.5.11).

func (b *bbr) saveStateUponLoss(number int64) {
	b.saveCwnd()
	b.undoState = StateNone
	b.undoBWShortterm = b.bwShortterm
	b.undoInflightShortterm = b.inflightShortterm
	b.undoInflightLongterm = b.inflightLongterm
	b.episodeFirst, b.episodeLosses = number, 0
}

// onSpurious is told of each packet that was taken for lost and has come after all. When all of an episode have,
// HandleSpuriousLossDetection takes back what they did.
func (b *bbr) onSpurious(now instant, number int64) {
	if b.episodeLosses == 0 || number < b.episodeFirst {
		return
	}
	if b.episodeLosses--; b.episodeLosses > 0 {
		return
	}
	b.restoreCwnd()
	b.recovering = false
	b.lossInRound = false
	b.resetFullBW()
	b.bwShortterm = max(b.bwShortterm, b.undoBWShortterm)
	b.inflightShortterm = max(b.inflightShortterm, b.undoInflightShortterm)
	b.inflightLongterm = max(b.inflightLongterm, b.undoInflightLongterm)
	switch {
	case b.undoState == StateStartup && b.state != StateStartup:
		b.fullBWReached = false
		if b.state != StateProbeRTT {
			b.enterStartup()
		}
	case b.undoState == StateProbeUp && b.state != StateProbeUp:
		if b.state != StateProbeRTT {
			b.startRefill()
		}
	}
	b.undoState = StateNone
}
