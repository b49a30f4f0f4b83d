package congestion

import "time"

const (
	// burstPackets may leave at once after a silence: what RFC 9002, 7.7 lets a sender that cannot pace at all have.
	burstPackets = 10

	// timerSlack is how late the timers of a busy machine are; what was not sent in it may be caught up with.
	timerSlack = 2 * time.Millisecond

	// catchUp is the part of a round trip that may be caught up with.
	catchUp = 0.5
)

// A pacer spreads packets over time (5.6.2) with a bucket of bytes that fills at the rate. It may be overdrawn by one packet.
//
// It holds what a silence may be followed by, and more when a packet had to wait and was asked for late: a busy machine catches up, with up
// to a part of a round trip. Else samples would be the machine's, the rate would follow them down, and from there the machine be late again.
type pacer struct {
	bucket float64
	filled instant // when it was brought up to date; 0: never, then it is full
	due    instant // when the packet that waits may go; 0: none waits
	behind bool    // more is in the bucket than may follow a silence
}

// fill brings the bucket up to date and returns what is in it.
func (p *pacer) fill(now instant, c *connection, rate float64, quantum int64) float64 {
	if now <= p.filled {
		return p.bucket
	}
	capacity := max(float64(quantum)+rate*seconds(timerSlack), float64(burstPackets*c.smss))
	if p.filled == 0 {
		p.bucket = capacity
	} else if p.bucket += rate * seconds(now-p.filled); p.bucket <= capacity {
		p.behind = false
	} else {
		if p.behind = p.behind || p.due != 0 && now > p.due+timerSlack; p.behind {
			capacity = max(capacity, rate*seconds(c.srtt)*catchUp)
		}
		p.bucket = min(p.bucket, capacity)
	}
	p.filled = now
	return p.bucket
}

// wait is told that a packet waits.
func (p *pacer) wait(rate float64, quantum int64) {
	if p.due == 0 {
		p.due = p.next(rate, quantum)
	}
}

// idle is told that none does.
func (p *pacer) idle() { p.due, p.behind = 0, false }

func (p *pacer) spend(size int64) { p.bucket -= float64(size) }

// next is when the bucket will hold a quantum; the sender does not wake for less.
func (p *pacer) next(rate float64, quantum int64) instant {
	missing := float64(quantum) - p.bucket
	if missing <= 0 {
		return p.filled
	}
	return p.filled + time.Duration(missing/rate*1e9) + 1
}
