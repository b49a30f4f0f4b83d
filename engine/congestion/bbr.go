package congestion

import (
	"math"
	"time"
)

// Constants of the algorithm (2.5 to 2.16), by the draft's names.
const (
	startupPacingGain    = 2.77 // BBR.StartupPacingGain, 4*ln(2)
	drainPacingGain      = 0.5  // BBR.DrainPacingGain
	probeDownPacingGain  = 0.90
	probeUpPacingGain    = 1.25
	defaultCwndGain      = 2.0  // BBR.DefaultCwndGain
	probeUpCwndGain      = 2.25 // 5.3.3.4.1
	probeRTTCwndGain     = 0.5  // BBR.ProbeRTTCwndGain
	pacingMargin         = 0.01 // BBR.PacingMarginPercent
	lossThresh           = 0.02 // BBR.LossThresh
	beta                 = 0.7  // BBR.Beta
	headroom             = 0.15 // BBR.Headroom
	minPipePackets       = 4    // BBR.MinPipeCwnd
	startupFullLossCount = 6    // BBRStartupFullLossCnt
	fullBWGrowth         = 1.25 // 5.3.1.2
	fullBWRounds         = 3
	drainRounds          = 3 // 5.3.2
	extraAckedFilterLen  = 10
	minRTTFilterLen      = 10 * time.Second       // BBR.MinRTTFilterLen
	probeRTTInterval     = 5 * time.Second        // BBR.ProbeRTTInterval
	probeRTTDuration     = 200 * time.Millisecond // BBR.ProbeRTTDuration

	// startupCERounds is how many round trips with marks of congestion (ECN) end Startup. The draft asks for a response and leaves it
	// open (3.7); two is what its authors' TCP has.
	startupCERounds = 2

	// noiseThresh takes the place of lossThresh where there is no queue: no sample of the last round trips is longer than the shortest
	// of all by more than an eighth and queueSlack. Loss without a queue is a property of the path (radio, a bad cable) far more often
	// than a sign that it is full, and the draft's answer to it makes such paths useless: with 2 % BBRv3 falls to a quarter of what they
	// carry, with 5 % to a thirtieth. A buffer too short to be seen, and a policer, lose more than this as soon as they are probed,
	// which goes a quarter beyond them, and are answered as the draft has it. This is ours: the draft knows one threshold.
	noiseThresh = 0.1
	queueSlack  = time.Millisecond

	// mostWindow bounds C.cwnd, in packets: QUIC implementations keep no more of them.
	mostWindow = 10_000
)

// ackPhase is BBR.ack_phase (2.14).
type ackPhase uint8

const (
	acksInit ackPhase = iota
	acksRefilling
	acksProbeStarting
	acksProbeFeedback
	acksProbeStopping
)

// A bbr is the state of the algorithm (2.7 to 2.16). What an ACK does is in the order of 5.2.3.
type bbr struct {
	c   *connection
	rng uint64

	state               State // BBR.state
	cwnd                int64 // C.cwnd
	pacingRate          float64
	sendQuantum         int64
	pacingGain          float64
	cwndGain            float64
	hasRTT              bool
	roundCount          int64
	roundStart          bool
	nextRoundDelivered  int64
	idleRestart         bool
	drainStartRound     int64
	bw, maxBW           float64    // BBR.bw, BBR.max_bw
	maxBWFilter         [2]float64 // BBR.max_bw_filter: of the cycle before, of this one
	bwShortterm         float64    // BBR.bw_shortterm
	inflightLongterm    int64      // BBR.inflight_longterm
	inflightShortterm   int64      // BBR.inflight_shortterm
	bwLatest            float64    // BBR.bw_latest
	inflightLatest      int64      // BBR.inflight_latest
	lossRoundStart      bool
	lossRoundDelivered  int64
	lossInRound         bool // BBR.is_loss_in_round
	lossEvents          int  // discontiguous ranges lost in this round
	lastLost            int64
	lostBeforeRound     int64 // C.lost when the last loss round ended
	ceInRound           bool  // an ACK of this round told of marks
	ceRounds            int
	recovering          bool // what RFC 9002, 7.3.2 calls a recovery period
	recoveryStart       instant
	extraAckedFilter    maxFilter
	extraAckedStart     instant // BBR.extra_acked_interval_start
	extraAckedDelivered int64
	extraAcked          int64

	fullBWReached bool
	fullBWNow     bool
	fullBW        float64
	fullBWCount   int

	ackPhase          ackPhase
	bwProbeSample     bool // BBR.is_bw_probe_sample
	bwProbeUpAcked    int64
	probeUpAckedInc   int64 // BBR.probe_up_acked_per_inc
	bwProbeUpRounds   uint
	roundsSinceUp     int64 // BBR.rounds_since_probe_up
	bwProbeWait       time.Duration
	cycleStamp        instant
	prevTooHigh       bool // BBR.prev_probe_too_high
	prevPrecautionary bool // BBR.prev_probe_precautionary

	undoState             State // StateNone: nothing to go back to
	undoBWShortterm       float64
	undoInflightShortterm int64
	undoInflightLongterm  int64
	episodeFirst          int64 // the first packet lost in what undo* is about
	episodeLosses         int   // those that have not turned out spurious

	rttNow, rttBefore time.Duration // the shortest round trip of this round and of the one before

	minRTT            time.Duration // BBR.min_rtt; forever: none
	minRTTStamp       instant
	probeRTTMinDelay  time.Duration
	probeRTTMinStamp  instant
	probeRTTExpired   bool
	probeRTTDoneStamp instant
	probeRTTRoundDone bool
	priorCwnd         int64 // BBR.prior_cwnd
}

// forever is a round-trip time that was not measured.
const forever = time.Duration(math.MaxInt64)

// newBBR is OnInit (5.2.1).
func newBBR(c *connection, now instant, seed uint64) *bbr {
	b := &bbr{
		c:                c,
		rng:              seed,
		cwnd:             c.initialWindow,
		minRTT:           forever,
		probeRTTMinDelay: forever,
		rttNow:           forever,
		rttBefore:        forever,
		inflightLongterm: infinity,
		probeUpAckedInc:  infinity,
	}
	b.minRTTStamp, b.probeRTTMinStamp, b.extraAckedStart = now, now, now
	if c.minRTT > 0 {
		b.minRTT, b.probeRTTMinDelay = c.minRTT, c.minRTT
	}
	b.resetCongestionSignals()
	b.resetShortTermModel()
	// InitRoundCounting (5.5.1): a round begins where the connection stands
	b.nextRoundDelivered, b.lossRoundDelivered = c.delivered, c.delivered
	b.resetFullBW()
	b.initPacingRate()
	b.enterStartup()
	b.setSendQuantum()
	return b
}

func (b *bbr) window() int64      { return b.cwnd }
func (b *bbr) rate() float64      { return b.pacingRate }
func (b *bbr) quantum() int64     { return b.sendQuantum }
func (b *bbr) current() State     { return b.state }
func (b *bbr) bandwidth() float64 { return b.bw }
func (b *bbr) slowStart() bool    { return b.state == StateStartup }
func (b *bbr) inRecovery() bool   { return b.recovering }

func (b *bbr) widen(by int64) {
	b.cwnd = max(b.cwnd+by, renoLeast*b.c.smss)
	b.initPacingRate()
	b.setPacingRate()
	b.setSendQuantum()
}

// onTransmit is OnTransmit (5.2.2), before the packet is counted.
func (b *bbr) onTransmit(now instant) {
	// HandleRestartFromIdle (5.4.1)
	if b.c.inflight != 0 || b.c.appLimited == 0 {
		return
	}
	b.idleRestart = true
	b.extraAckedStart = now
	switch {
	case b.inProbeBW():
		b.setPacingRateWithGain(1)
	case b.state == StateProbeRTT:
		b.checkProbeRTTDone(now)
	}
}

// onAck is UpdateOnACK (5.2.3), with the sample generated.
func (b *bbr) onAck(rs *rateSample) {
	if !rs.hasData {
		b.setCwnd(rs)
		return
	}
	b.updateLatestDeliverySignals(rs)
	b.updateCongestionSignals(rs)
	b.updateACKAggregation(rs)
	b.checkFullBWReached(rs)
	b.checkStartupDone(rs)
	b.checkDrainDone(rs.now)
	b.updateProbeBWCyclePhase(rs)
	b.updateMinRTT(rs)
	b.checkProbeRTT(rs)
	b.updateRecovery(rs)
	b.advanceLatestDeliverySignals(rs)
	b.boundBWForModel()

	b.setPacingRate()
	b.setSendQuantum()
	b.setCwnd(rs)
}

func (b *bbr) onRTT() {
	if !b.hasRTT && b.c.srtt > 0 { // 5.6.2: after the first sample
		b.hasRTT = true
		if b.maxBW == 0 {
			b.initPacingRate()
			b.setSendQuantum()
		}
	}
}

// random gives numbers for PickProbeWait, by Vigna's splitmix64.
func (b *bbr) random() uint64 {
	b.rng += 0x9e3779b97f4a7c15
	z := b.rng
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (b *bbr) minPipe() int64 { return minPipePackets * b.c.smss }

func (b *bbr) inProbeBW() bool {
	return b.state == StateProbeDown || b.state == StateProbeCruise || b.state == StateProbeRefill || b.state == StateProbeUp
}

// probing is IsProbingBW (5.3.3.6).
func (b *bbr) probing() bool {
	return b.state == StateStartup || b.state == StateProbeRefill || b.state == StateProbeUp
}
