package link

import (
	"time"

	"github.com/quic-go/quic-go/http3"
)

// BrokenOff counts something that ended by the peer's doing before it was answered: a request reset or broken, a session given up before
// the decision, a stream of a session reset. Beginning and breaking off costs a peer next to nothing, so there is one budget for all of it.
func (c *Conn) BrokenOff() {
	c.mu.Lock()
	now := time.Now()
	if now.Sub(c.resetSince) > c.ResetPeriod {
		c.resetSince, c.resets = now, 0
	}
	c.resets++
	over := c.resets > c.ResetBudget
	c.mu.Unlock()
	if over {
		c.Breach(http3.ErrCodeExcessiveLoad, "too many requests were reset")
	}
}
