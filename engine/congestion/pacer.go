package congestion

import "time"

const (
	// burstPackets may leave at once after a silence: what RFC 9002, 7.7 lets a sender that cannot pace at all have.
	burstPackets = 10

	// timerSlack is how late the timers of a busy machine are; what was not sent in it may be caught up with.
	timerSlack = 2 * time.Millisecond
)

// A pacer spreads packets over time (5.6.2) with a bucket of bytes that fills at the rate. It may be overdrawn by one packet.
type pacer struct {
	bucket float64
	filled instant // when it was brought up to date; 0: never, then it is full
}

// fill brings the bucket up to date and returns what is in it.
func (p *pacer) fill(now instant, c *connection, rate float64, quantum int64) float64 {
	if now <= p.filled {
		return p.bucket
	}
	capacity := max(float64(quantum)+rate*timerSlack.Seconds(), float64(burstPackets*c.smss))
	if p.filled == 0 {
		p.bucket = capacity
	} else {
		p.bucket = min(p.bucket+rate*float64(now-p.filled)*1e-9, capacity)
	}
	p.filled = now
	return p.bucket
}

func (p *pacer) spend(size int64) { p.bucket -= float64(size) }

// next is when the bucket will hold a quantum; the sender does not wake for less.
func (p *pacer) next(rate float64, quantum int64) instant {
	missing := float64(quantum) - p.bucket
	if missing <= 0 {
		return p.filled
	}
	return p.filled + time.Duration(missing/rate*1e9) + 1
}
