package link

import (
	"time"

	"zigh3/engine/sink"
)

// accountEach is the least time between two updates by what reads and writes.
const accountEach = 100 * time.Millisecond

// Account brings the byte counters up to date, now and then: the sweep looks only after connections on which something comes and goes.
func (c *Conn) Account() {
	now, last := sink.Monotonic(), c.countedAt.Load()
	if now-last >= uint64(accountEach) && c.countedAt.CompareAndSwap(last, now) {
		c.account()
	}
}

func (c *Conn) account() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, was := c.QUIC.ConnectionStats(), c.counted
	c.counted = now
	c.Stats.Add(sink.StatBytesIn, now.BytesReceived-was.BytesReceived)
	c.Stats.Add(sink.StatBytesOut, now.BytesSent-was.BytesSent)
	c.Stats.Add(sink.StatPacketsIn, now.PacketsReceived-was.PacketsReceived)
	c.Stats.Add(sink.StatPacketsOut, now.PacketsSent-was.PacketsSent)
}
