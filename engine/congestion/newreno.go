package congestion

import "time"

// Constants of RFC 9002, B.1 and of RFC 9406, 4.3.
const (
	// renoReduction is kLossReductionFactor. RFC 9002 recommends 0.5; this is what quic-go's NewReno has (as RFC 9438 and RFC 8511), so
	// that short paths have what they had.
	renoReduction  = 0.7
	renoLeast      = 2 // kMinimumWindow, packets
	renoGainStart  = 2 // RFC 9002, 7.7, in slow start: a window may double in a round trip
	renoGain       = 1.25
	hystartMinRTT  = 4 * time.Millisecond
	hystartMaxRTT  = 16 * time.Millisecond
	hystartSamples = 8
)

// A newReno is RFC 9002's controller (7), with the way out of slow start that RFC 9406 has (without its cautious phase), and with
// what a recovery has cut given back when all its losses prove spurious.
type newReno struct {
	c             *connection
	cwnd          int64   // congestion_window
	ssthresh      int64   // ssthresh
	recoveryStart instant // congestion_recovery_start_time
	recovering    bool
	acked         int64 // bytes since the window grew last, in congestion avoidance

	undoCwnd, undoSsthresh int64
	episodeFirst           int64
	episodeLosses          int // 0: nothing to undo

	// RFC 9406, by its names
	windowEnd    int64 // C.delivered that ends the round
	roundMin     time.Duration
	roundSamples int

	// What follows from window and round trip, worked out when it is asked for: an ACK changes both, one after the other.
	stale          bool
	pacingRate     float64
	quantumOfBytes int64
}

func newNewReno(c *connection) *newReno {
	return &newReno{c: c, cwnd: c.initialWindow, ssthresh: infinity, roundMin: forever, stale: true}
}

func (r *newReno) window() int64 { return r.cwnd }
func (r *newReno) rate() float64 {
	if r.stale {
		r.setRate()
	}
	return r.pacingRate
}
func (r *newReno) quantum() int64 {
	if r.stale {
		r.setRate()
	}
	return r.quantumOfBytes
}
func (r *newReno) bandwidth() float64 {
	if r.c.srtt <= 0 {
		return 0
	}
	return float64(r.cwnd) / seconds(r.c.srtt)
}
func (r *newReno) slowStart() bool    { return r.cwnd < r.ssthresh }
func (r *newReno) inRecovery() bool   { return r.recovering }
func (r *newReno) least() int64       { return renoLeast * r.c.smss }
func (r *newReno) onTransmit(instant) {}
func (r *newReno) onRTT()             { r.stale = true }

func (r *newReno) current() State {
	switch {
	case r.recovering:
		return StateRecovery
	case r.slowStart():
		return StateSlowStart
	}
	return StateAvoidance
}

func (r *newReno) setRate() {
	r.stale = false
	rtt := r.c.srtt
	if rtt <= 0 {
		rtt = time.Millisecond
	}
	gain := renoGain
	if r.slowStart() {
		gain = renoGainStart
	}
	r.pacingRate = gain * float64(r.cwnd) / seconds(rtt)
	r.quantumOfBytes = quantumOf(r.pacingRate, r.c.smss)
}

func (r *newReno) widen(by int64) {
	r.cwnd = max(r.cwnd+by, r.least())
	r.stale = true
}

// onAck is OnPacketsAcked (RFC 9002, B.5).
func (r *newReno) onAck(rs *rateSample) {
	if rs.hasData && r.recovering && rs.sendTime > r.recoveryStart {
		r.recovering = false
	}
	round := rs.hasData && rs.priorDelivered >= r.windowEnd
	if round {
		r.windowEnd = r.c.delivered
		r.roundMin, r.roundSamples = forever, 0
	}
	limited := r.c.cwndLimited()
	if round {
		r.c.limitedBefore, r.c.limitedNow = r.c.limitedNow, false
	}
	if r.slowStart() && rs.rtt >= 0 {
		r.hystart(rs.rtt)
	}
	if r.recovering || !limited { // RFC 9002, 7.8: a window that is not used up says nothing
		return
	}
	if r.slowStart() {
		r.cwnd += rs.newlyAcked
	} else if r.acked += rs.newlyAcked; r.acked >= r.cwnd {
		r.acked -= r.cwnd
		r.cwnd += r.c.smss
	}
	r.cwnd = min(r.cwnd, mostWindow*r.c.smss)
	r.stale = true
}

// hystart leaves slow start when a round's shortest round trip is longer than the connection's (RFC 9406, 4.2, which compares with that of
// the round before: on paths as short as NewReno's that is too long already, and the socket's buffer overflows first).
func (r *newReno) hystart(rtt time.Duration) {
	r.roundMin = min(r.roundMin, rtt)
	r.roundSamples++
	if r.roundSamples < hystartSamples || r.c.minRTT <= 0 {
		return
	}
	if r.roundMin >= r.c.minRTT+min(max(r.c.minRTT/8, hystartMinRTT), hystartMaxRTT) {
		r.ssthresh = r.cwnd
		r.stale = true
	}
}

// onLost is OnCongestionEvent (RFC 9002, B.6).
func (r *newReno) onLost(now instant, p *packet, number, _ int64) {
	if p != nil && r.recoveryStart != 0 && p.sendTime <= r.recoveryStart || p == nil && r.recovering {
		if r.episodeLosses > 0 && number >= r.episodeFirst {
			r.episodeLosses++
		}
		return
	}
	r.undoCwnd, r.undoSsthresh = r.cwnd, r.ssthresh
	r.episodeFirst, r.episodeLosses = number, 1
	r.reduce(now)
}

func (r *newReno) reduce(now instant) {
	r.recovering, r.recoveryStart = true, now
	r.cwnd = max(int64(float64(r.cwnd)*renoReduction), r.least())
	r.ssthresh = r.cwnd
	r.acked = 0
	r.stale = true
}

func (r *newReno) onCE(now instant, p *packet, _ int64) {
	if p != nil && r.recoveryStart != 0 && p.sendTime <= r.recoveryStart || p == nil && r.recovering {
		r.episodeLosses = 0 // marks are not spurious
		return
	}
	r.episodeLosses = 0
	r.reduce(now)
}

func (r *newReno) onSpurious(_ instant, number int64) {
	if r.episodeLosses == 0 || number < r.episodeFirst {
		return
	}
	if r.episodeLosses--; r.episodeLosses > 0 || r.cwnd > r.undoCwnd {
		return
	}
	r.cwnd, r.ssthresh, r.recovering = r.undoCwnd, r.undoSsthresh, false
	r.stale = true
}

// onPersistentCongestion is RFC 9002, 7.6.2.
func (r *newReno) onPersistentCongestion(instant) {
	r.cwnd = r.least()
	r.recovering, r.recoveryStart, r.episodeLosses = false, 0, 0
	r.stale = true
}
