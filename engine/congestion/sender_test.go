package congestion

import (
	"testing"
	"time"
)

// Auto takes BBR, and NewReno for good once a round trip was short (as lsquic has it).
func TestChoiceByPath(t *testing.T) {
	for _, c := range []struct {
		wish Algorithm
		rtts []time.Duration
		want Algorithm
	}{
		{Auto, nil, BBR},
		{Auto, []time.Duration{20 * time.Millisecond}, BBR},
		{Auto, []time.Duration{renoBelow}, BBR},
		{Auto, []time.Duration{renoBelow - 1}, NewReno},
		{Auto, []time.Duration{20 * time.Millisecond, time.Millisecond, 30 * time.Millisecond}, NewReno},
		{BBR, []time.Duration{time.Millisecond}, BBR},
		{NewReno, []time.Duration{20 * time.Millisecond}, NewReno},
	} {
		control := new(Control)
		control.Choose(c.wish)
		s := NewSender(control, time.Hour, 1200, 1)
		for _, rtt := range c.rtts {
			s.OnRTT(rtt, rtt, rtt/2, ackDelay)
		}
		if got := control.Report().Algorithm; got != c.want || s.running != c.want {
			t.Errorf("%v with %v: %v, reported %v", c.wish, c.rtts, s.running, got)
		}
	}
}

// A change under way keeps the window.
func TestChoiceUnderWay(t *testing.T) {
	n := newNetwork(1, 10e6, 20*time.Millisecond, 200_000)
	f := n.flow(NewReno).goOn()
	n.run(3 * time.Second)
	for _, a := range []Algorithm{BBR, NewReno, BBR} {
		before := f.s.Window()
		f.control.Choose(a)
		f.s.CanSend(f.inflight)
		if f.s.running != a || f.s.Window() != before {
			t.Errorf("%v with a window of %d, it was %d", f.s.running, f.s.Window(), before)
		}
		from := f.left
		n.run(5 * time.Second)
		if got := float64(f.left-from) / 5; got < 9e6 {
			t.Errorf("%v: %.3g bytes a second after the change", a, got)
		}
		if r := f.control.Report(); r.Algorithm != a || r.State == StateNone || r.Window == 0 || r.PacingRate == 0 || r.Bandwidth < 8e6 || r.MinRTT < 20*time.Millisecond || !r.AtCapacity {
			t.Errorf("reported %+v", r)
		}
	}
}

func TestInitialWindow(t *testing.T) {
	for _, a := range []Algorithm{BBR, NewReno} {
		control := new(Control)
		control.Choose(a)
		s := NewSender(control, time.Hour, 1200, 1)
		if s.Window() != DefaultInitialWindow*1200 {
			t.Errorf("%v: %d", a, s.Window())
		}
		control.SetInitialWindow(10)
		if s.CanSend(12_000) || !s.CanSend(12_000-1) {
			t.Errorf("%v: a window of %d, want 12000", a, s.Window())
		}
		rate := s.algo.rate()
		now, number := time.Hour, int64(0)
		send := func(packets int64) {
			for i := range packets {
				s.OnPacketSent(now, (i+1)*1200, number+i, 1200)
			}
			now += 20 * time.Millisecond
			for i := range packets {
				s.OnPacketAcked(now, number+i, 1200, packets*1200)
			}
			s.CanSend(0)
			number += packets
		}
		send(3) // a handshake
		control.SetInitialWindow(100)
		s.CanSend(0)
		if s.Window() < 120_000 || s.Window() > 124_000 || s.algo.rate() < 9*rate {
			t.Errorf("%v: a window of %d and %.3g of the rate after a handshake and 100 packets", a, s.Window(), s.algo.rate()/rate)
		}
		send(100)
		before := s.Window()
		control.SetInitialWindow(10)
		s.CanSend(0)
		if s.Window() != before {
			t.Errorf("%v: a window of %d after it was told late, it was %d", a, s.Window(), before)
		}
	}
}

// What is not offered to the network, though it might be, makes samples the application's.
func TestApplicationLimit(t *testing.T) {
	for _, c := range []struct {
		name string
		ask  []time.Duration // when the Sender is asked in vain, after the packet
		want bool
	}{
		{"asked once", []time.Duration{0}, false},
		{"asked again at once", []time.Duration{0, 100 * time.Microsecond}, false},
		{"asked twice in vain", []time.Duration{0, 100 * time.Microsecond, 200 * time.Microsecond}, true},
		{"asked after a while", []time.Duration{0, time.Millisecond}, true},
	} {
		control := new(Control)
		s := NewSender(control, time.Hour, 1200, 1)
		s.OnRTT(20*time.Millisecond, 20*time.Millisecond, 0, ackDelay)
		s.OnPacketSent(time.Hour, 1200, 0, 1200)
		control.estimate.Store(1)
		for _, d := range c.ask {
			if !s.CanSend(1200) || !s.HasPacingBudget(time.Hour+d) {
				t.Fatal("no packet may go")
			}
		}
		s.OnPacketSent(time.Hour+time.Second, 2400, 1, 1200)
		if p := s.packets.find(1); p.appLimited != c.want {
			t.Errorf("%s: limited %v", c.name, p.appLimited)
		}
		if r := control.Report(); r.AtCapacity == c.want { // told at once
			t.Errorf("%s: reported to be at capacity: %v", c.name, r.AtCapacity)
		}
	}
}

// Packets leave at the rate, in quanta, and no more than a burst after a silence.
func TestPacing(t *testing.T) {
	n := newNetwork(1, 1e6, 50*time.Millisecond, 100_000)
	f := n.flow(BBR).goOn()
	n.run(3 * time.Second)
	b := f.s.algo.(*bbr)
	n.runUntil(5*time.Second, func() bool { return b.state == StateProbeCruise })
	n.run(200 * time.Millisecond)
	first := len(f.sent)
	n.run(time.Second)
	for i := first; i+20 < len(f.sent); i++ {
		if d := f.sent[i+20].at - f.sent[i].at; b.state == StateProbeCruise && d < 18*time.Millisecond {
			t.Fatalf("20 packets within %v at %.3g bytes a second", d, b.pacingRate)
		}
	}
	f.endless = false
	n.run(time.Second)
	first = len(f.sent)
	f.give(100_000)
	burst := 0
	for _, p := range f.sent[first:] {
		if p.at == n.now {
			burst++
		}
	}
	if burst < burstPackets || burst > burstPackets+2 {
		t.Errorf("%d packets at once after a silence", burst)
	}
}

// NewReno's window after loss, marks, persistent congestion and losses that were none (RFC 9002, 7).
func TestNewRenoResponses(t *testing.T) {
	begin := func() (*network, *flow, *newReno) {
		n := newNetwork(1, 10e6, 20*time.Millisecond, 2_000_000)
		f := n.flow(NewReno).goOn()
		n.run(100 * time.Millisecond)
		return n, f, f.s.algo.(*newReno)
	}
	n, f, r := begin()
	before, number := r.cwnd, int64(len(f.sent))-20
	f.s.now = n.now
	f.s.OnPacketLost(number, 1200)
	if want := int64(float64(before) * renoReduction); r.cwnd != want || r.ssthresh != want || r.current() != StateRecovery {
		t.Errorf("after a loss: %d, threshold %d, want %d; in %v", r.cwnd, r.ssthresh, want, r.current())
	}
	cut := r.cwnd
	f.s.OnPacketLost(number+1, 1200)
	f.s.OnCE(number + 2)
	if r.cwnd != cut {
		t.Errorf("a second loss of the same recovery cut the window to %d", r.cwnd)
	}

	_, f, r = begin()
	before, number = r.cwnd, int64(len(f.sent))-20
	f.s.OnPacketLost(number, 1200)
	f.s.OnPacketLost(number+1, 1200)
	f.s.OnSpuriousLoss(number)
	if r.cwnd == before {
		t.Error("undone after one of two")
	}
	f.s.OnSpuriousLoss(number + 1)
	if r.cwnd != before || r.recovering {
		t.Errorf("after both were spurious: %d, it was %d", r.cwnd, before)
	}

	_, f, r = begin()
	before, number = r.cwnd, int64(len(f.sent))-20
	f.s.OnCE(number)
	f.s.OnSpuriousLoss(number)
	if r.cwnd >= before || r.current() != StateRecovery {
		t.Errorf("after marks: %d of %d", r.cwnd, before)
	}
}

func TestPersistentCongestion(t *testing.T) {
	for _, c := range []struct {
		name string
		gap  time.Duration // between the packets that are lost
		mid  bool          // one between them is acknowledged
		old  bool          // one sent after them was, before
		want bool
	}{
		{"long", 2 * time.Second, false, false, true},
		{"just long enough", 150 * time.Millisecond, false, false, true},
		{"short", 140 * time.Millisecond, false, false, false}, // 3 * (20 + 4 * 1 + 25) ms
		{"long, with one that came", 2 * time.Second, true, false, false},
		{"long, and older than what came", 2 * time.Second, false, true, false},
	} {
		for _, a := range []Algorithm{BBR, NewReno} {
			control := new(Control)
			control.Choose(a)
			now := time.Hour
			s := NewSender(control, now, 1200, 1)
			s.OnRTT(20*time.Millisecond, 20*time.Millisecond, time.Millisecond, ackDelay)
			s.OnPacketSent(now, 1200, 0, 1200)
			now += c.gap / 2
			s.OnPacketSent(now, 2400, 1, 1200)
			now += c.gap / 2
			s.OnPacketSent(now, 3600, 2, 1200)
			now++
			s.OnPacketSent(now, 4800, 3, 1200)
			if c.old {
				s.OnPacketSent(now, 6000, 4, 1200)
				s.OnPacketAcked(now+20*time.Millisecond, 4, 1200, 6000)
				s.CanSend(4800)
			}
			s.now += 20 * time.Millisecond
			s.OnPacketLost(0, 1200)
			if !c.mid {
				s.OnPacketLost(1, 1200)
			}
			s.OnPacketLost(2, 1200)
			if c.mid {
				s.OnPacketAcked(s.now, 1, 1200, 4800)
			}
			s.OnPacketAcked(s.now, 3, 1200, 4800)
			s.CanSend(0)
			if got := s.Window() <= 4*1200; got != c.want {
				t.Errorf("%s, %v: a window of %d", c.name, a, s.Window())
			}
		}
	}
}

// NewReno leaves slow start when round trips become longer, before anything is lost (RFC 9406), and grows by a packet in a round trip then.
func TestNewRenoGrowth(t *testing.T) {
	n := newNetwork(1, 10e6, 20*time.Millisecond, 2_000_000)
	f := n.flow(NewReno).goOn()
	r := f.s.algo.(*newReno)
	n.runUntil(2*time.Second, func() bool { return !r.slowStart() })
	if r.slowStart() || f.lost > 0 || r.cwnd > 800_000 {
		t.Fatalf("in %v with a window of %d, %d packets lost", r.current(), r.cwnd, f.lost)
	}
	before, round := r.cwnd, f.delivered
	n.runUntil(5*time.Second, func() bool { return f.delivered >= round+10*before })
	if packets := (r.cwnd - before) / 1200; packets < 9 || packets > 11 {
		t.Errorf("grew by %d packets in ten windows", packets)
	}
	// what the application does not use up does not grow (RFC 9002, 7.8)
	f.endless = false
	n.run(time.Second)
	before = r.cwnd
	for range 100 {
		f.give(12_000)
		n.run(25 * time.Millisecond)
	}
	if r.cwnd > before+1200 {
		t.Errorf("grew from %d to %d by 10 packets in a round trip", before, r.cwnd)
	}
}

// A Sender that changes to NewReno when the path's rate is known does not look for it again.
func TestChangeDoesNotStartAnew(t *testing.T) {
	n := newNetwork(1, 10e6, 20*time.Millisecond, 200_000)
	f := n.flow(BBR).goOn()
	n.run(3 * time.Second)
	f.control.Choose(NewReno)
	f.s.CanSend(f.inflight)
	if f.s.algo.current() != StateAvoidance {
		t.Errorf("in %v", f.s.algo.current())
	}
}

// Another initial window has an effect only at the begin, and while nothing was lost; options set it within bounds.
func TestInitialWindowIsForTheBegin(t *testing.T) {
	for packets, want := range map[int]int64{-1: DefaultInitialWindow, 0: DefaultInitialWindow, 1: 2, 2: 2, mostWindow: mostWindow, mostWindow + 1: mostWindow} {
		control := new(Control)
		control.SetInitialWindow(packets)
		if got := NewSender(control, time.Hour, 1200, 1).Window(); got != want*1200 {
			t.Errorf("told %d: %d packets", packets, got/1200)
		}
	}
	control := new(Control)
	s := NewSender(control, time.Hour, 1200, 1)
	s.OnPacketSent(time.Hour, 1200, 0, 1200)
	s.OnPacketLost(0, 1200)
	before := s.Window()
	control.SetInitialWindow(100)
	if s.CanSend(0); s.Window() != before {
		t.Errorf("after a loss a window of %d, it was %d", s.Window(), before)
	}
}

// What is under way is known behind an ACK, whoever asks: what came is no more, and neither is what was lost with it.
func TestUnderWayBehindAnAck(t *testing.T) {
	s := NewSender(new(Control), time.Hour, 1200, 1)
	for i := range int64(10) {
		s.OnPacketSent(time.Hour, (i+1)*1200, i, 1200)
	}
	now := time.Hour + 20*time.Millisecond
	s.OnPacketLost(0, 1200)
	s.OnPacketLost(1, 1200)
	s.OnPacketAcked(now, 5, 1200, 12_000)
	s.OnPacketAcked(now, 6, 1200, 12_000)
	if s.Window(); s.inflight != 6*1200 {
		t.Errorf("%d under way, not 7200", s.inflight)
	}
	s.OnPacketAcked(now+1, 7, 1200, 7200)
	if s.Window(); s.inflight != 5*1200 {
		t.Errorf("%d under way, not 6000", s.inflight)
	}
	// a recovery that begins now began when the newest ACK came
	s.OnPacketLost(2, 1200)
	if b := s.algo.(*bbr); s.now != now+1 || !b.recovering {
		t.Errorf("it is %v behind the ACK, recovering %v", s.now-now-1, b.recovering)
	}
}

// Who was refused for want of window is limited by it, and by nothing else.
func TestLimitedByTheWindow(t *testing.T) {
	s := NewSender(new(Control), time.Hour, 1200, 1)
	if !s.CanSend(s.Window()-1) || s.cwndLimited() {
		t.Errorf("limited %v with room for a packet", s.cwndLimited())
	}
	if s.CanSend(s.Window()) || !s.cwndLimited() {
		t.Errorf("limited %v without room", s.cwndLimited())
	}
}

// A report says what is so: nothing of a path that is not known, and each thing once.
func TestReport(t *testing.T) {
	control := new(Control)
	s := NewSender(control, time.Hour, 1200, 1)
	if r := control.Report(); r.AtCapacity || r.Bandwidth != 0 || r.MinRTT != 0 || r.State != StateStartup || !r.State.Starting() || r.Window != 32*1200 {
		t.Errorf("at the begin %+v", r)
	}
	s.OnSpuriousLoss(0)
	if r := control.Report(); r.Spurious != 1 {
		t.Errorf("%d spurious losses", r.Spurious)
	}
	for number, size := range []int64{1200, 1000, 800, 600} {
		s.OnPacketSent(time.Hour, 0, int64(number), size)
	}
	s.OnPacketAcked(time.Hour+time.Second, 0, 1200, 3600)
	s.OnPacketAcked(time.Hour+time.Second, 2, 800, 3600)
	s.OnPacketLost(1, 1000)
	s.OnPacketAcked(time.Hour+2*time.Second, 3, 600, 600) // by another ACK
	if r := control.Report(); r.Acked != 2600 {
		t.Errorf("%d bytes acknowledged", r.Acked)
	}
	n := newNetwork(1, 10e6, 20*time.Millisecond, 200_000)
	f := n.flow(BBR).goOn()
	n.run(3 * time.Second)
	f.s.report()
	b := f.s.algo.(*bbr)
	if r := f.control.Report(); r.Bandwidth != uint64(b.bw) || r.PacingRate != uint64(b.pacingRate) || r.Window != uint64(b.cwnd) || r.MinRTT != f.minRTT || !r.AtCapacity {
		t.Errorf("%+v; bandwidth %v, rate %v, window %d, round trip %v", r, b.bw, b.pacingRate, b.cwnd, f.minRTT)
	}
}

// A pacer wakes its sender when a quantum may go, not for each packet.
func TestPacerWaitsForAQuantum(t *testing.T) {
	p := pacer{filled: time.Hour, bucket: -1000}
	if got, want := p.next(1e6, 10_000), time.Hour+11*time.Millisecond+1; got != want {
		t.Errorf("in %v, not %v", got-time.Hour, want-time.Hour)
	}
}
