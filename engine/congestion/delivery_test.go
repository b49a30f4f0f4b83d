package congestion

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// A sample is by the longer of the two intervals (4.1.1.2), and from the newest packet of an ACK.
func TestDeliveryRate(t *testing.T) {
	c := newConnection(1000, 32_000)
	c.minRTT = 10 * time.Millisecond
	ms := func(n int64) instant { return time.Hour + time.Duration(n)*time.Millisecond }
	for i := range int64(10) {
		c.sent(ms(i), (i+1)*1000, i, 1000) // 1000 bytes a millisecond
	}
	var rs rateSample
	c.begin(&rs, ms(20))
	c.acked(&rs, ms(20), 0, 1000)
	c.generate(&rs)
	if rs.rtt != 20*time.Millisecond || rs.deliveryRate != 50_000 || rs.delivered != 1000 || rs.txInFlight != 1000 {
		t.Errorf("the first: %+v", rs)
	}
	// the rest comes at once, as fast as no path is: it was sent in 9 ms, and the ACK before it was 2 ms ago
	c.begin(&rs, ms(22))
	for i := int64(9); i > 0; i-- {
		c.acked(&rs, ms(22), i, 1000)
	}
	c.generate(&rs)
	if rs.number != 9 || rs.rtt != 13*time.Millisecond || rs.interval != 22*time.Millisecond || rs.delivered != 10_000 {
		t.Errorf("the rest: %+v", rs)
	}
	if c.packets.live != 0 || c.delivered != 10_000 || c.inflight != 0 {
		t.Errorf("%d live, %d delivered, %d under way", c.packets.live, c.delivered, c.inflight)
	}
	// less than the shortest round trip is no interval
	c.sent(ms(30), 1000, 10, 1000)
	c.begin(&rs, ms(35))
	c.acked(&rs, ms(35), 10, 1000)
	c.generate(&rs)
	if rs.deliveryRate != 0 || !rs.hasData {
		t.Errorf("a sample over 5 ms: %+v", rs)
	}
}

// What is sent behind a bubble is the application's until the bubble, which is behind what was under way, is acknowledged.
func TestApplicationLimitedBubble(t *testing.T) {
	c := newConnection(1000, 32_000)
	now := time.Hour
	c.sent(now, 1000, 0, 1000)
	c.sent(now, 2000, 1, 1000)
	c.markAppLimited()
	c.sent(now+1, 3000, 2, 1000)
	var rs rateSample
	for i, want := range []bool{false, false, true, true, true, false} {
		now += 20 * time.Millisecond
		c.begin(&rs, now)
		c.acked(&rs, now, int64(i), 1000)
		c.generate(&rs)
		if rs.appLimited != want {
			t.Errorf("packet %d: limited %v", i, rs.appLimited)
		}
		c.sent(now, 3000, int64(i)+3, 1000)
	}
}

// The table grows with what is under way, and what has left without a word does not make it grow.
func TestPackets(t *testing.T) {
	p := newPackets()
	for i := range int64(1000) {
		p.add(i)
	}
	if p.live != 1000 || len(p.slots) != 1024 {
		t.Fatalf("%d live in %d", p.live, len(p.slots))
	}
	for i := range int64(1000) {
		if s := p.take(i); s == nil || s.number != -1 {
			t.Fatalf("packet %d is not there", i)
		}
		if p.take(i) != nil {
			t.Fatalf("packet %d is there twice", i)
		}
	}
	p = newPackets()
	p.add(0) // never heard of again
	for i := int64(1); i < 100_000; i++ {
		p.add(i)
		if i > 10 {
			if p.take(i-10) == nil {
				t.Fatalf("packet %d is not there", i-10)
			}
		}
	}
	if len(p.slots) != 64 || p.live > 11 { // while packet 0 was near it made room
		t.Errorf("%d live in %d", p.live, len(p.slots))
	}
	if p.take(-1) != nil {
		t.Error("packet -1 is there")
	}
	for i := range int64(3 * mostPackets) {
		p.add(100_000 + i)
	}
	if len(p.slots) != mostPackets || p.live != mostPackets {
		t.Errorf("%d live in %d", p.live, len(p.slots))
	}
}

func TestMaxFilter(t *testing.T) {
	var f maxFilter
	for i, c := range []struct{ value, time, want int64 }{
		{5, 0, 5}, {3, 1, 5}, {4, 2, 5}, {2, 10, 5}, {1, 11, 2}, {1, 13, 2}, {9, 13, 9}, {1, 24, 1}, {1, 40, 1},
	} {
		if got := f.update(c.value, c.time, 10); got != c.want || f.max() != got {
			t.Errorf("%d: %d, want %d", i, got, c.want)
		}
	}
}

// FuzzSender takes any order of sent, acknowledged, lost and asked: nothing breaks, nothing grows beyond bounds, and what is counted is
// what was told.
func FuzzSender(f *testing.F) {
	f.Add([]byte("\x00\x10\x20\x30\x00\x00\x41\x51\x01\x02\x61\x71\x81\x91\xa0\xb0\xc0\xd0\xe0\xf0"))
	f.Add([]byte{0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
	f.Fuzz(func(t *testing.T, program []byte) {
		control := new(Control)
		now := time.Hour
		s := NewSender(control, now, 1200, 1)
		var next, inflight, told, lost int64
		var under []int64
		take := func(arg byte) (int64, bool) {
			if len(under) == 0 {
				return int64(arg) - 1, false // one that never was
			}
			i := int(arg) % len(under)
			n := under[i]
			under = append(under[:i], under[i+1:]...)
			return n, true
		}
		for _, op := range program {
			arg := op >> 4
			switch op & 15 {
			case 0, 1, 2, 3:
				next += int64(arg&3) + 1
				inflight += 1200
				s.OnPacketSent(now, inflight, next, 1200)
				under = append(under, next)
			case 4, 5, 6:
				if n, ok := take(arg); ok {
					s.OnPacketAcked(now, n, 1200, inflight)
					inflight -= 1200
					told += 1200
				}
			case 7:
				if n, ok := take(arg); ok {
					inflight -= 1200
					s.OnPacketLost(n, 1200)
					lost += 1200
				}
			case 8:
				s.OnSpuriousLoss(int64(arg) * next / 16)
			case 9:
				s.OnCE(int64(arg) * next / 16)
			case 10:
				rtt := time.Duration(arg+1) * time.Millisecond / 2
				s.OnRTT(rtt, rtt, rtt/4, ackDelay)
			case 11:
				now += time.Microsecond << arg
			case 12:
				now += time.Millisecond << arg
			case 13:
				s.CanSend(inflight)
				s.HasPacingBudget(now)
				s.NextSend()
			case 14:
				control.Choose(Algorithm(arg) % 3)
				control.SetInitialWindow(int(arg))
				s.SetPacketSize(1200 + int64(arg)*10)
			case 15:
				if n, ok := take(arg); ok { // it goes without a word
					inflight -= 1200
					_ = n
				}
			}
			s.CanSend(inflight)
			window, rate := s.Window(), s.algo.rate()
			if window < 2*1200 || window > mostWindow*s.smss {
				t.Fatalf("a window of %d", window)
			}
			if !(rate > 0) || math.IsInf(rate, 0) {
				t.Fatalf("a rate of %v", rate)
			}
			if s.delivered != told || s.lost != lost || s.inflight != inflight {
				t.Fatalf("delivered %d, lost %d, under way %d; told %d, %d, %d", s.delivered, s.lost, s.inflight, told, lost, inflight)
			}
			if r := s.rs.deliveryRate; math.IsNaN(r) || r < 0 || r > 0 && (s.rs.interval < s.minRTT || s.rs.interval <= 0) {
				t.Fatalf("a sample of %v over %v", r, s.rs.interval)
			}
			if s.packets.live < 0 || s.packets.live > len(s.packets.slots) {
				t.Fatalf("%d live packets of %d", s.packets.live, len(s.packets.slots))
			}
			if s.algo.current() == StateNone || s.algo.current().String() == "" {
				t.Fatal("no state")
			}
		}
	})
}

// The time in which nothing was under way is in no sample, and each interval begins where the one before it ended.
func TestIdlenessIsInNoSample(t *testing.T) {
	c := newConnection(1000, 32_000)
	c.srtt, c.minRTT = 20*time.Millisecond, 20*time.Millisecond
	now := time.Hour
	var rs rateSample
	for i := range int64(3) {
		c.sent(now, 1000, 2*i, 1000)
		c.sent(now+time.Millisecond, 2000, 2*i+1, 1000)
		for j := range int64(2) {
			at := now + 20*time.Millisecond + time.Duration(j)*time.Millisecond
			c.begin(&rs, at)
			c.acked(&rs, at, 2*i+j, 1000)
			c.generate(&rs)
			if want := 20*time.Millisecond + time.Duration(j)*time.Millisecond; rs.interval != want || rs.sendElapsed != time.Duration(j)*time.Millisecond {
				t.Errorf("packet %d: %v, sent in %v", 2*i+j, rs.interval, rs.sendElapsed)
			}
		}
		now += time.Second
	}
	for i := range int64(50) { // all the time two under way
		c.sent(now, min(i+1, 2)*1000, 100+i, 1000)
		if i > 0 {
			c.begin(&rs, now+20*time.Millisecond)
			c.acked(&rs, now+20*time.Millisecond, 100+i-1, 1000)
			c.generate(&rs)
			if rs.sendElapsed > 40*time.Millisecond {
				t.Fatalf("packet %d was sent in %v", i, rs.sendElapsed)
			}
		}
		now += 20 * time.Millisecond
	}
}

// A connection that has sent nothing yet can be limited by its application, too.
func TestApplicationLimitedFromTheBegin(t *testing.T) {
	c := newConnection(1000, 32_000)
	c.markAppLimited()
	c.sent(time.Hour, 1000, 0, 1000)
	if p := c.packets.take(0); p == nil || !p.appLimited {
		t.Errorf("packet 0: %+v", p)
	}
}

// Against the maximum of all samples of the window.
func TestMaxFilterIsNearTheMaximum(t *testing.T) {
	type sample struct{ value, time int64 }
	for seed := range uint64(200) {
		var f maxFilter
		var all []sample
		rng := rand.New(rand.NewPCG(seed, 2))
		var now int64
		for range 300 {
			now += rng.Int64N(3)
			value := rng.Int64N(1000)
			all = append(all, sample{value, now})
			got := f.update(value, now, 10)
			var most, there int64 // of the window, and whether the filter's is a sample of it
			for _, s := range all {
				if now-s.time <= 10 {
					most = max(most, s.value)
					if s.value == got {
						there++
					}
				}
			}
			if got > most || there == 0 {
				t.Fatalf("seed %d at %d: %d, the maximum is %d", seed, now, got, most)
			}
		}
	}
}

// When the best has passed, the best of what came after its first quarter follows it, not what is newest.
func TestMaxFilterKeepsASecond(t *testing.T) {
	var f maxFilter
	for _, c := range []struct{ value, time, want int64 }{{100, 0, 100}, {50, 4, 100}, {10, 7, 100}, {5, 11, 50}, {5, 14, 50}, {5, 15, 10}} {
		if got := f.update(c.value, c.time, 10); got != c.want {
			t.Errorf("at %d: %d, want %d", c.time, got, c.want)
		}
	}
}
