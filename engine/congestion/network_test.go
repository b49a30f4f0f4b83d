package congestion

import (
	"math/rand/v2"
	"time"
)

// A network is a simulation with a clock of its own: flows share one bottleneck. The same seed gives the same run.
type network struct {
	now    instant
	events eventHeap
	calls  []func() // of eventCall, by number
	serial int64
	rng    *rand.Rand

	// The path, which may change while it runs.
	rate    float64       // bytes a second of the bottleneck
	buffer  int64         // bytes that may wait for it
	delay   time.Duration // there and back without waiting
	loss    func() bool   // of a packet, before the bottleneck; nil: none
	reorder float64       // the share of packets that come late
	late    time.Duration // by so much
	mark    int64         // bytes waiting from which packets are marked (ECN); 0: never
	ackHold time.Duration // acknowledgements are held back and come together; 0: not
	ackThin int           // of so many acknowledgements one comes
	policer *bucket       // drops what is beyond its rate, before the bottleneck
	dark    bool          // nothing comes through
	stall   time.Duration // for so long of each every senders do not run: their machine is busy
	every   time.Duration

	free   instant // when the bottleneck is done with what it has
	flows  []*flow
	queued struct { // the bottleneck's queue over time, for its mean
		bytes int64
		since instant
		area  float64
		most  int64
	}
}

type bucket struct {
	rate, size, level float64
	at                instant
}

func (b *bucket) take(now instant, size int64) bool {
	b.level = min(b.level+b.rate*(now-b.at).Seconds(), b.size)
	b.at = now
	if b.level < float64(size) {
		return false
	}
	b.level -= float64(size)
	return true
}

type eventKind uint8

const (
	eventArrive eventKind = iota // a packet, at its receiver
	eventLeave                   // a packet, from the bottleneck
	eventAck                     // an acknowledgement, at the sender
	eventAckDue                  // a receiver's delayed acknowledgement
	eventWake                    // a sender's timer
	eventCall
)

// An event is small and without pointers: moving them is most of what a simulation does.
type event struct {
	at     instant
	serial int64
	n      int64
	flow   int32 // its index
	kind   eventKind
	marked bool
}

type eventHeap []event

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.serial < o.serial }

func (h *eventHeap) push(e event) {
	*h = append(*h, e)
	s := *h
	i := len(s) - 1
	for ; i > 0 && e.before(&s[(i-1)/2]); i = (i - 1) / 2 {
		s[i] = s[(i-1)/2]
	}
	s[i] = e
}

func (h *eventHeap) pop() event {
	s := *h
	first, last := s[0], s[len(s)-1]
	s = s[:len(s)-1]
	*h = s
	i := 0
	for child := 1; child < len(s); child = 2*i + 1 {
		if child+1 < len(s) && s[child+1].before(&s[child]) {
			child++
		}
		if !s[child].before(&last) {
			break
		}
		s[i] = s[child]
		i = child
	}
	if len(s) > 0 {
		s[i] = last
	}
	return first
}

func newNetwork(seed uint64, rate float64, delay time.Duration, buffer int64) *network {
	return &network{now: time.Hour, rng: rand.New(rand.NewPCG(seed, 1)), rate: rate, delay: delay, buffer: buffer}
}

func (n *network) push(after time.Duration, e event) {
	e.at, e.serial = n.now+after, n.serial
	n.serial++
	n.events.push(e)
}

// after calls f when so much time has passed.
func (n *network) after(d time.Duration, f func()) {
	n.push(d, event{kind: eventCall, n: int64(len(n.calls))})
	n.calls = append(n.calls, f)
}

// run lets so much time pass.
func (n *network) run(d time.Duration) {
	end := n.now + d
	for len(n.events) > 0 && n.events[0].at <= end {
		n.step()
	}
	n.now = end
}

// runUntil lets time pass until the condition holds, at most so much, and returns how long it took.
func (n *network) runUntil(limit time.Duration, done func() bool) time.Duration {
	begin := n.now
	for !done() && len(n.events) > 0 && n.events[0].at <= begin+limit {
		n.step()
	}
	return n.now - begin
}

func (n *network) step() {
	e := n.events.pop()
	n.now = e.at
	if n.every > 0 && (e.kind == eventAck || e.kind == eventWake) {
		if in := n.now % n.every; in < n.stall {
			n.push(n.stall-in, e)
			return
		}
	}
	if e.kind == eventCall {
		n.calls[e.n]()
		return
	}
	switch f := n.flows[e.flow]; e.kind {
	case eventArrive:
		f.arrive(e.n, e.marked)
	case eventLeave:
		n.count(-e.n)
		f.left += e.n
	case eventAck:
		f.onAck(e.n)
	case eventAckDue:
		if f.ackDue && f.ackDueSerial == e.n {
			f.acknowledge(true)
		}
	case eventWake:
		if f.wakeSerial == e.n {
			f.wakeSerial++
			f.wake()
		}
	}
}

func (n *network) count(bytes int64) {
	q := &n.queued
	q.area += float64(q.bytes) * (n.now - q.since).Seconds()
	q.since = n.now
	q.bytes += bytes
	q.most = max(q.most, q.bytes)
}

// meanQueue is the mean of what has waited since the last call, in bytes; most is the largest since then.
func (n *network) meanQueue(over time.Duration) (mean float64, most int64) {
	n.count(0)
	mean, most = n.queued.area/over.Seconds(), n.queued.most
	n.queued.area, n.queued.most = 0, n.queued.bytes
	return mean, most
}

// carry takes a packet to its receiver, or loses it.
func (n *network) carry(f *flow, number, size int64) {
	f.offered++
	if n.dark || n.loss != nil && n.loss() || n.policer != nil && !n.policer.take(n.now, size) || n.queued.bytes+size > n.buffer+2*size {
		f.dropped++
		return
	}
	marked := n.mark > 0 && n.queued.bytes >= n.mark
	n.count(size)
	n.free = max(n.free, n.now) + time.Duration(float64(size)/n.rate*1e9)
	wait := n.free - n.now
	n.push(wait, event{kind: eventLeave, flow: f.index, n: size})
	if n.reorder > 0 && n.rng.Float64() < n.reorder {
		wait += n.late
	}
	n.push(wait+n.delay/2, event{kind: eventArrive, flow: f.index, n: number, marked: marked})
}

// A flow is a sender with QUIC's loss detection (RFC 9002), an application that gives it bytes, and its receiver.
type flow struct {
	n       *network
	index   int32 // in n.flows
	s       *Sender
	control *Control
	size    int64

	toSend   int64 // bytes that the application has given and that are not under way
	endless  bool
	sent     []sentPacket
	oldest   int64 // no packet before it is under way
	inflight int64
	largest  int64 // acknowledged
	delivered,
	left int64 // bytes acknowledged; bytes that have left the bottleneck
	offered, dropped, lost int64 // packets
	spurious               int64

	srtt, rttvar, minRTT, latest time.Duration
	ptoCount                     int
	lastSent                     instant
	lossAt                       instant
	wakeSerial                   int64
	wakeAt                       instant

	received     []int64 // by the receiver, in the order of coming
	told         int64   // how many of them an acknowledgement has left about
	known        int64   // how many the sender knows of
	newly        []int64 // those that the acknowledgement in hand tells of
	ackDue       bool
	ackDueSerial int64
	ackCount     int
	marks        int64
	marksAt      []int64
	knownMarks   int64

	most  int64  // the largest window so far
	check func() // after each event at the sender
}

type sentPacket struct {
	at   instant
	size int64
	fate uint8
}

const (
	underWay uint8 = iota
	wasAcked
	wasLost
)

const ackDelay = 25 * time.Millisecond

func (n *network) flow(a Algorithm) *flow {
	f := &flow{n: n, index: int32(len(n.flows)), control: new(Control), size: 1200, largest: -1}
	f.control.Choose(a)
	f.s = NewSender(f.control, n.now, f.size, n.rng.Uint64())
	n.flows = append(n.flows, f)
	return f
}

// give lets the application write so much.
func (f *flow) give(bytes int64) {
	f.toSend += bytes
	f.wake()
}

func (f *flow) goOn() *flow {
	f.endless = true
	f.wake()
	return f
}

func (f *flow) arrive(number int64, marked bool) {
	f.received = append(f.received, number)
	if marked {
		f.marks++
	}
	f.marksAt = append(f.marksAt, f.marks)
	outOfOrder := len(f.received) > 1 && number != f.received[len(f.received)-2]+1
	if int64(len(f.received))-f.told >= 2 || outOfOrder {
		f.acknowledge(false)
		return
	}
	f.acknowledgeLater()
}

func (f *flow) acknowledgeLater() {
	if !f.ackDue {
		f.ackDue = true
		f.ackDueSerial++
		f.n.push(ackDelay, event{kind: eventAckDue, flow: f.index, n: f.ackDueSerial})
	}
}

func (f *flow) acknowledge(due bool) {
	n := f.n
	f.told = int64(len(f.received))
	f.ackCount++
	if n.ackThin > 1 && f.ackCount%n.ackThin != 0 && !due {
		f.acknowledgeLater()
		return
	}
	f.ackDue = false
	if n.dark {
		return
	}
	wait := n.delay / 2
	if n.ackHold > 0 {
		at := (n.now/n.ackHold + 1) * n.ackHold
		wait += at - n.now
	}
	n.push(wait, event{kind: eventAck, flow: f.index, n: f.told})
}

func (f *flow) onAck(upTo int64) {
	if upTo <= f.known {
		return
	}
	n := f.n
	f.newly = append(f.newly[:0], f.received[f.known:upTo]...)
	newly := f.newly
	f.known = upTo
	prior := f.inflight
	largest := int64(-1)
	for i := 1; i < len(newly); i++ { // oldest first
		for j := i; j > 0 && newly[j] < newly[j-1]; j-- {
			newly[j], newly[j-1] = newly[j-1], newly[j]
		}
	}
	acked := newly[:0]
	var spurious []int64
	for _, number := range newly {
		p := &f.sent[number]
		largest = max(largest, number)
		switch p.fate {
		case wasLost:
			spurious = append(spurious, number)
			p.fate = wasAcked
		case underWay:
			p.fate = wasAcked
			acked = append(acked, number)
			f.inflight -= p.size
		}
	}
	if len(acked) > 0 && acked[len(acked)-1] == largest && largest > f.largest {
		f.sample(n.now - f.sent[largest].at)
	}
	if len(acked) > 0 {
		if marks := f.marksAt[upTo-1]; marks > f.knownMarks {
			f.knownMarks = marks
			f.s.OnCE(largest)
		}
		f.largest = max(f.largest, largest)
		f.detectLoss()
	}
	for _, number := range spurious {
		f.spurious++
		f.s.OnSpuriousLoss(number)
	}
	for _, number := range acked {
		f.delivered += f.sent[number].size
		f.s.OnPacketAcked(n.now, number, f.sent[number].size, prior)
	}
	if len(acked) > 0 {
		f.ptoCount = 0
	}
	f.wake()
}

func (f *flow) sample(rtt time.Duration) {
	f.latest = rtt
	if f.minRTT == 0 {
		f.minRTT, f.srtt, f.rttvar = rtt, rtt, rtt/2
	} else {
		f.minRTT = min(f.minRTT, rtt)
		f.rttvar = (3*f.rttvar + (f.srtt - rtt).Abs()) / 4
		f.srtt = (7*f.srtt + rtt) / 8
	}
	f.s.OnRTT(f.minRTT, f.srtt, f.rttvar, ackDelay)
}

func (f *flow) detectLoss() {
	after := max(f.latest, f.srtt)
	after = max(after*9/8, time.Millisecond)
	f.lossAt = 0
	for number := f.oldest; number < f.largest; number++ {
		p := &f.sent[number]
		if p.fate != underWay {
			if number == f.oldest {
				f.oldest++
			}
			continue
		}
		if p.at+after <= f.n.now || f.largest-number >= 3 {
			p.fate = wasLost
			f.lost++
			f.inflight -= p.size
			f.toSend += p.size
			f.s.OnPacketLost(number, p.size)
		} else if f.lossAt == 0 {
			f.lossAt = p.at + after
		}
	}
}

func (f *flow) pto() time.Duration {
	if f.srtt == 0 {
		return 200 * time.Millisecond << min(f.ptoCount, 6)
	}
	return (f.srtt + max(4*f.rttvar, time.Millisecond) + ackDelay) << min(f.ptoCount, 6)
}

// wake does what a connection does when anything has happened: timers, then sending.
func (f *flow) wake() {
	n := f.n
	if f.lossAt != 0 && n.now >= f.lossAt {
		f.detectLoss()
	}
	if f.inflight > 0 && n.now >= f.lastSent+f.pto() && f.lossAt == 0 {
		f.ptoCount++
		for range 2 {
			f.transmit()
		}
	}
	var next instant
	for f.toSend > 0 || f.endless {
		if !f.s.CanSend(f.inflight) {
			break
		}
		if !f.s.HasPacingBudget(n.now) {
			next = max(f.s.NextSend(), n.now+time.Microsecond)
			break
		}
		f.toSend = max(f.toSend-f.size, 0)
		f.transmit()
	}
	if !f.endless && f.toSend == 0 && f.s.CanSend(f.inflight) {
		f.s.HasPacingBudget(n.now) // asked, and nothing to send
	}
	if f.check != nil {
		f.check()
	}
	if f.inflight > 0 {
		timeout := f.lastSent + f.pto()
		if f.lossAt != 0 {
			timeout = f.lossAt
		}
		if next == 0 || timeout < next {
			next = timeout
		}
	}
	f.wakeSerial++
	if next != 0 {
		f.wakeAt = next
		n.push(max(next-n.now, 0), event{kind: eventWake, flow: f.index, n: f.wakeSerial})
	}
}

func (f *flow) transmit() {
	number := int64(len(f.sent))
	f.sent = append(f.sent, sentPacket{at: f.n.now, size: f.size})
	f.inflight += f.size
	f.lastSent = f.n.now
	f.s.OnPacketSent(f.n.now, f.inflight, number, f.size)
	f.n.carry(f, number, f.size)
}

// random loses each packet with this probability.
func (n *network) random(p float64) func() bool {
	return func() bool { return n.rng.Float64() < p }
}

// bursts loses all packets for a time, which begins at each with this probability and lasts up to most.
func (n *network) bursts(p float64, most time.Duration) func() bool {
	var until instant
	return func() bool {
		if n.now >= until && n.rng.Float64() < p {
			until = n.now + time.Duration(n.rng.Int64N(int64(most)))
		}
		return n.now < until
	}
}
