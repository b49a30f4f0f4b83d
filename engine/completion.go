package engine

import (
	"time"

	"github.com/quic-go/quic-go"
)

// Reading a request's stream to its end completes it, and quic-go then sends MAX_STREAMS in a packet of its own, which costs the
// client an ACK. So streams whose request was peeked at whole are read later, many together.

// largestGroup is the most streams that are completed together.
const largestGroup = 32

// completionGroup is how many finished streams a connection may keep open: so few that a peer which keeps all its streams in
// flight always has some to open.
func completionGroup(maxStreams int) int { return max(1, min(largestGroup, maxStreams/4)) }

// finish leaves a stream whose request is delivered to be completed with others. The connection's goroutine calls it.
func (c *conn) finish(s *quic.Stream) {
	c.mu.Lock()
	c.finished = append(c.finished, s)
	full := len(c.finished) >= c.s.group
	c.mu.Unlock()
	if full {
		c.complete()
	}
}

// complete reads the finished streams to their ends.
func (c *conn) complete() {
	c.mu.Lock()
	streams := c.finished
	c.finished = c.spare[:0]
	c.spare = nil
	c.mu.Unlock()
	buf := bodyBuffers.Get().(*[largestBody]byte)
	for i, s := range streams {
		s.SetReadDeadline(time.Time{})
		for {
			// All of it is there: neither of these waits.
			if n, err := s.Read(buf[:]); err != nil || n == 0 {
				break
			}
		}
		streams[i] = nil
	}
	bodyBuffers.Put(buf)
	c.mu.Lock()
	if c.spare == nil {
		c.spare = streams
	}
	c.mu.Unlock()
}
