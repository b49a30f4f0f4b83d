package link

import (
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/congestion"
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

// Congestion tells what the connection's congestion control is doing: nothing with quic-go's own, of which nothing is known.
func (c *Conn) Congestion() (r congestion.Report) {
	if control, ok := congestion.Of(c.QUIC); ok {
		return control.Report()
	}
	return r
}

func (c *Conn) account() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.accountNow()
	}
}

// accountLast is account at the connection's end, which is no more one of those that there are.
func (c *Conn) accountLast() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.accountNow()
	c.depart()
}

// depart takes the connection out of what there is now; what was spurious has been.
func (c *Conn) depart() {
	c.over = true
	c.gauge(congestion.Report{Spurious: c.congestion.Spurious})
}

func (c *Conn) accountNow() {
	c.count(c.QUIC.ConnectionStats())
	c.gauge(c.Congestion())
}

// count adds what the connection has done since it was looked at last.
func (c *Conn) count(now quic.ConnectionStats) {
	was := c.counted
	c.counted = now
	c.Stats.Add(sink.StatBytesIn, now.BytesReceived-was.BytesReceived)
	c.Stats.Add(sink.StatBytesOut, now.BytesSent-was.BytesSent)
	c.Stats.Add(sink.StatPacketsIn, now.PacketsReceived-was.PacketsReceived)
	c.Stats.Add(sink.StatPacketsOut, now.PacketsSent-was.PacketsSent)
	c.Stats.Add(sink.StatPacketsLost, now.PacketsLost-was.PacketsLost)
}

// gauge has the counters say of this connection's congestion control what is so now, and no more what was.
func (c *Conn) gauge(now congestion.Report) {
	was := c.congestion
	c.congestion = now
	c.Stats.Add(sink.StatPacketsSpurious, now.Spurious-was.Spurious)
	c.Stats.Add(sink.StatSendRate, now.Bandwidth-was.Bandwidth)
	c.Stats.Change(sink.StatConnectionsBBR, was.Algorithm == congestion.BBR, now.Algorithm == congestion.BBR)
	c.Stats.Change(sink.StatConnectionsReno, was.Algorithm == congestion.NewReno, now.Algorithm == congestion.NewReno)
	c.Stats.Change(sink.StatConnectionsStarting, was.State.Starting(), now.State.Starting())
	c.Stats.Change(sink.StatConnectionsAtCapacity, was.AtCapacity, now.AtCapacity)
}
