package congestion

import (
	"syscall"
	"testing"
	"time"
)

// What the controller costs for a packet: sent, acknowledged two by two, one in 200 lost, with all the questions that come between.
// cpu-ns/op is what counts on a machine that others use too.
func BenchmarkPacket(b *testing.B) {
	for _, a := range []Algorithm{BBR, NewReno} {
		b.Run(a.String(), func(b *testing.B) {
			control := new(Control)
			control.Choose(a)
			const size, under = 1200, 256
			now := time.Hour
			s := NewSender(control, now, size, 1)
			s.OnRTT(20*time.Millisecond, 20*time.Millisecond, time.Millisecond, ackDelay)
			var number, oldest, inflight int64
			b.ReportAllocs()
			before := cpuTime()
			for b.Loop() {
				now += 80 * time.Microsecond
				for !s.CanSend(inflight) || number-oldest >= under {
					prior := inflight
					s.OnRTT(20*time.Millisecond, 20*time.Millisecond, time.Millisecond, ackDelay)
					for range min(2, number-oldest) {
						inflight -= size
						if oldest%200 == 0 {
							s.OnPacketLost(oldest, size)
						} else {
							s.OnPacketAcked(now, oldest, size, prior)
						}
						oldest++
					}
				}
				s.HasPacingBudget(now)
				inflight += size
				s.OnPacketSent(now, inflight, number, size)
				number++
				s.NextSend()
			}
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpuTime is what this process has used of processors.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
