package link

import (
	"time"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A keepAlive keeps a connection from its idle timeout while something that lasts is open on it: a request that waits for its answer, a
// stream of events that is silent, an idle session. It belongs to the connection's lock.
type keepAlive struct {
	timer   *time.Timer // nil: nothing has lasted yet
	running bool
	packets uint64 // received by the last look
}

// keepAliveShare is which part of the idle timeout a connection may be silent at most between two looks of what keeps it alive. Up to two
// such times pass before the peer is heard of again.
const keepAliveShare = 3

// KeepAliveAfter is the silence after which a connection with something open is kept alive: as much as is wished, within the idle timeout.
func KeepAliveAfter(wished, idleTimeout time.Duration) time.Duration {
	return min(wished, idleTimeout/keepAliveShare)
}

// reservedFrame is a frame that means nothing (RFC 9114, 7.2.8). Whoever gets it has to acknowledge its packet.
var reservedFrame = wire.AppendFrameHead(nil, 0x21, 0)

// keep begins to keep the connection alive. c.mu is held.
func (c *Conn) keep() {
	k := &c.keepAlive
	if c.KeepAlive <= 0 || k.running || c.gone {
		return
	}
	k.running = true
	k.packets = c.QUIC.ConnectionStats().PacketsReceived
	if k.timer == nil {
		k.timer = time.AfterFunc(c.KeepAlive, func() { sink.Guard("keep alive", c.keepOn) })
	} else {
		k.timer.Reset(c.KeepAlive)
	}
}

// keepOn looks once more, and ends when nothing is open any more.
func (c *Conn) keepOn() {
	c.mu.Lock()
	k := &c.keepAlive
	if c.gone || c.open == 0 {
		k.running = false
		c.mu.Unlock()
		return
	}
	packets := c.QUIC.ConnectionStats().PacketsReceived
	silent := packets == k.packets
	k.packets = packets
	k.timer.Reset(c.KeepAlive)
	control := c.control
	c.mu.Unlock()
	if !silent || control == nil {
		return
	}
	c.controlling.Lock()
	defer c.controlling.Unlock()
	if err := control.TryWriteAll(reservedFrame); err != nil {
		c.Unsent("a frame that keeps the connection alive", err)
	}
}

// stopKeepAlive ends it for good. c.mu is held.
func (c *Conn) stopKeepAlive() {
	if c.keepAlive.timer != nil {
		c.keepAlive.timer.Stop()
	}
}

// SendNothing sends a frame that means nothing, behind what was written before.
func (c *Conn) SendNothing() error { return c.SendControl(reservedFrame) }
