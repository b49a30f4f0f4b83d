package congestion

import "time"

// renoBelow is the round trip of a path on which NewReno is used: with less, pacing only costs. lsquic's adaptive controller has the
// same bound; BBR is what it, too, begins with.
const renoBelow = 1500 * time.Microsecond

// An algorithm decides. connection is brought up to date before each call.
type algorithm interface {
	window() int64      // bytes that may be under way
	rate() float64      // bytes a second at which they leave
	quantum() int64     // bytes that leave together
	bandwidth() float64 // bytes a second that the path is thought to carry
	current() State
	slowStart() bool
	inRecovery() bool

	widen(by int64) // C.InitialCwnd has changed by so much, in time

	onTransmit(now instant)
	onRTT() // C.srtt and C.min_rtt have changed
	onAck(rs *rateSample)
	onLost(now instant, p *packet, number, size int64) // C.lost has it; p is nil if nothing is known of it
	onCE(now instant, p *packet, number int64)
	onSpurious(now instant, number int64)
	onPersistentCongestion(now instant)
}

// A Sender controls one direction of one path. It is used from one goroutine.
//
// With Auto it begins with BBR and changes to NewReno when a round trip of less than 1.5 ms is seen; the shortest round trip of a path
// only falls, so it never goes back.
//
// A QUIC implementation says what happened packet by packet and not where an ACK ends, so what an ACK says is put together and taken
// in with the next call that is not about it.
type Sender struct {
	connection
	control *Control
	wishes  uint32
	seed    uint64

	algo    algorithm
	running Algorithm
	pacer   pacer
	now     instant // the latest seen
	ackTime instant // when the latest ACK came, which may be before what is seen: it waits until it is read

	rs      rateSample
	pending bool  // rs is of an ACK that is not yet taken in
	loss    int64 // bytes lost since the last ACK was taken in

	offered   bool // the last question was answered yes, and no packet has followed
	offeredAt instant
	untaken   int // offers in a row

	lastAckedSent instant // the newest packet that was acknowledged
	persistFrom   instant // of the packets lost with this ACK and sent after that one: the oldest
	persistTo     instant // and the newest

	rounds int64 // C.delivered at which the next report is due
}

// appLimitedAfter is how long an offer must go untaken to mean that there is nothing to send: shorter ones are left while packets are
// received.
const appLimitedAfter = time.Millisecond

// NewSender makes a Sender for packets of at most size bytes. The seed is for the times at which BBR probes.
func NewSender(control *Control, now instant, size int64, seed uint64) *Sender {
	s := &Sender{connection: newConnection(size, control.packets()*size), control: control, seed: seed, now: now}
	s.rs.rtt = -1
	s.wishes = control.wishes.Load()
	s.start(Algorithm(control.algorithm.Load()))
	s.report()
	return s
}

// start begins with an algorithm. One that follows another takes over its window.
func (s *Sender) start(wish Algorithm) {
	running := BBR
	if wish == NewReno || wish == Auto && s.minRTT > 0 && s.minRTT < renoBelow {
		running = NewReno
	}
	if s.algo != nil && running == s.running {
		return
	}
	before := s.algo
	s.running = running
	if running == BBR {
		b := newBBR(&s.connection, s.now, s.seed)
		if before != nil {
			b.cwnd = before.window()
		}
		s.algo = b
		return
	}
	r := newNewReno(&s.connection)
	if before != nil {
		r.cwnd = before.window()
		if !before.slowStart() {
			r.ssthresh = r.cwnd
		}
		r.windowEnd = s.delivered
	}
	s.algo = r
}

// wish follows what the Control says.
func (s *Sender) wish(n uint32) {
	s.wishes = n
	// Of the initial window the handshake has used little: while less than it is delivered, and nothing lost, it can still be another.
	if by := s.control.packets()*s.smss - s.initialWindow; by != 0 && s.delivered < s.initialWindow && s.lost == 0 && s.algo.slowStart() {
		s.initialWindow += by
		s.algo.widen(by)
	}
	s.start(Algorithm(s.control.algorithm.Load()))
	s.report()
}

func (s *Sender) report() {
	c := s.control
	c.running.Store(uint32(s.running))
	c.state.Store(uint32(s.algo.current()))
	c.rate.Store(uint64(s.algo.rate()))
	c.estimate.Store(uint64(s.algo.bandwidth()))
	c.window.Store(uint64(s.algo.window()))
	c.minRTT.Store(int64(s.minRTT))
	c.free.Store(s.appLimited != 0)
}

// settle takes in the ACK of which the packets were told.
func (s *Sender) settle() {
	if !s.pending {
		return
	}
	s.pending = false
	s.inflight = max(s.rs.priorInFlight-s.rs.newlyAcked-s.loss, 0)
	s.finish()
	s.loss = 0
}

// settleAt is settle when it is known how much is under way.
func (s *Sender) settleAt(inflight int64) {
	s.inflight = inflight
	if s.pending {
		s.pending = false
		s.finish()
	}
	s.loss = 0
}

func (s *Sender) finish() {
	s.generate(&s.rs)
	s.checkPersistent()
	s.algo.onAck(&s.rs)
	if s.delivered >= s.rounds {
		s.rounds = s.delivered + s.inflight
		s.report()
	}
}

// checkPersistent is RFC 9002, 7.6: packets lost over a long time, none acknowledged that was sent between them.
func (s *Sender) checkPersistent() {
	from, to := s.persistFrom, s.persistTo
	s.persistFrom, s.persistTo = 0, 0
	if s.rs.hasData {
		s.lastAckedSent = max(s.lastAckedSent, s.rs.sendTime)
	}
	if from == 0 || s.srtt <= 0 {
		return
	}
	if to-from > 3*(s.srtt+max(4*s.rttvar, time.Millisecond)+s.maxAckDelay) {
		s.algo.onPersistentCongestion(s.now)
	}
}

// CanSend reports whether the window has room when so much is under way.
func (s *Sender) CanSend(inflight int64) bool {
	s.settleAt(inflight)
	if n := s.control.wishes.Load(); n != s.wishes {
		s.wish(n)
	}
	if inflight < s.algo.window() {
		return true
	}
	s.limitedNow = true
	s.offered, s.untaken = false, 0
	s.pacer.due = 0 // what is waited for is the peer
	return false
}

// HasPacingBudget reports whether a packet may leave now. It is asked when CanSend was answered yes, and a packet follows if there is
// one: that none has followed is how the Sender knows that the application limits it (4.1.2.4).
func (s *Sender) HasPacingBudget(now instant) bool {
	s.now = max(s.now, now)
	if s.offered {
		s.untaken++
		if s.untaken > 1 || now-s.offeredAt >= appLimitedAfter {
			s.markAppLimited()
			s.pacer.idle()
			if !s.control.free.Load() { // the next report is of the next round trip, and there may be none for long
				s.control.free.Store(true)
			}
		}
	}
	if s.pacer.fill(now, &s.connection, s.algo.rate(), s.algo.quantum()) < float64(s.smss) {
		s.offered, s.untaken = false, 0
		s.pacer.wait(s.algo.rate(), s.algo.quantum())
		return false
	}
	s.pacer.due = 0
	if !s.offered {
		s.offered, s.offeredAt = true, now
	}
	return true
}

// NextSend is when HasPacingBudget will say yes; 0: at once.
func (s *Sender) NextSend() instant {
	s.settle()
	if s.pacer.filled == 0 || s.pacer.bucket >= float64(s.smss) {
		return 0
	}
	return s.pacer.next(s.algo.rate(), s.algo.quantum())
}

// OnPacketSent tells of a packet that will be acknowledged. inflight counts it.
func (s *Sender) OnPacketSent(now instant, inflight, number, size int64) {
	s.settleAt(inflight - size)
	s.now = max(s.now, now)
	s.offered, s.untaken = false, 0
	s.algo.onTransmit(s.now)
	s.pacer.fill(s.now, &s.connection, s.algo.rate(), s.algo.quantum())
	s.pacer.spend(size)
	s.sent(s.now, inflight, number, size)
	if inflight >= s.algo.window() {
		s.limitedNow = true
	}
}

// OnRTT tells of a round trip. It comes before what else the same ACK says.
func (s *Sender) OnRTT(least, smoothed, variation, maxAckDelay time.Duration) {
	s.settle()
	s.srtt, s.rttvar, s.maxAckDelay = smoothed, variation, maxAckDelay
	if s.minRTT == 0 || least < s.minRTT {
		s.minRTT = least
		if Algorithm(s.control.algorithm.Load()) == Auto && s.running == BBR && least < renoBelow {
			s.start(Auto)
			s.report()
		}
	}
	s.algo.onRTT()
}

// OnPacketAcked tells of each packet that an ACK acknowledges, the oldest first; prior is what was under way before the ACK. What the
// same ACK shows to be lost is told before.
func (s *Sender) OnPacketAcked(now instant, number, size, prior int64) {
	now = max(now, s.ackTime)
	s.ackTime, s.now = now, max(s.now, now)
	if !s.pending {
		s.pending = true
		s.begin(&s.rs, now)
		s.rs.priorInFlight = prior
	} else if s.rs.now != now { // another ACK, and nobody has asked in between
		s.settle()
		s.OnPacketAcked(now, number, size, prior)
		return
	}
	if s.persistFrom != 0 {
		if p := s.packets.find(number); p != nil && p.sendTime > s.persistFrom && p.sendTime < s.persistTo {
			s.persistFrom = 0
		}
	}
	s.acked(&s.rs, now, number, size)
	s.control.acked.Add(uint64(size))
}

// OnPacketLost tells of a packet that is taken for lost.
func (s *Sender) OnPacketLost(number, size int64) {
	s.settle()
	s.lost += size
	s.loss += size
	p := s.packets.take(number)
	if p != nil && p.sendTime > s.lastAckedSent {
		if s.persistFrom == 0 {
			s.persistFrom = p.sendTime
		}
		s.persistTo = p.sendTime
	}
	s.inflight = max(s.inflight-size, 0)
	s.algo.onLost(s.now, p, number, size)
}

// OnCE tells that an ACK whose newest packet is this one counts more marks of congestion (ECN) than the ones before it.
func (s *Sender) OnCE(number int64) {
	s.settle()
	s.algo.onCE(s.now, s.packets.find(number), number)
}

// OnSpuriousLoss tells that a packet has come that was taken for lost.
func (s *Sender) OnSpuriousLoss(number int64) {
	s.settle()
	s.control.spurious.Add(1)
	s.algo.onSpurious(s.now, number)
}

// SetPacketSize changes how large packets are.
func (s *Sender) SetPacketSize(size int64) {
	s.settle()
	s.smss = size
}

// Window is how much may be under way.
func (s *Sender) Window() int64 {
	s.settle()
	return s.algo.window()
}

// SlowStart reports whether the Sender looks for the path's rate for the first time.
func (s *Sender) SlowStart() bool { return s.algo.slowStart() }

// Recovering reports whether it recovers from loss.
func (s *Sender) Recovering() bool { return s.algo.inRecovery() }
