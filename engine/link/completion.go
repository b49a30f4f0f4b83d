package link

import (
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// Reading a request's stream to its end completes it, and quic-go then sends MAX_STREAMS in a packet of its own, which costs the
// client an ACK. So streams whose request was peeked at whole are read later, many together.

// largestGroup is the most streams that are completed together.
const largestGroup = 32

// CompletionGroup is how many finished streams a connection may keep open: so few that a peer which keeps all its streams in
// flight always has some to open.
func CompletionGroup(maxStreams int) int { return max(1, min(largestGroup, maxStreams/4)) }

// scraps hold what is read of streams only to be done with them.
var scraps = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// A finishedStream is one with which nothing is left to be done but to end it.
type finishedStream struct {
	s     *quic.Stream
	close bool // our side, too
}

// Finish leaves a stream all of which is there, and known, to be completed with others. now says not to wait for others: the peer's windows
// open again only by this.
func (c *Conn) Finish(s *quic.Stream, now bool) { c.finish(finishedStream{s: s}, now) }

// FinishBoth is Finish for a stream whose other side, ours, is to end as well.
func (c *Conn) FinishBoth(s *quic.Stream) { c.finish(finishedStream{s, true}, false) }

func (c *Conn) finish(f finishedStream, now bool) {
	c.mu.Lock()
	if c.gone {
		c.mu.Unlock()
		return
	}
	c.finished = append(c.finished, f)
	full := now || len(c.finished) >= c.Group
	c.Sweeper.want(c)
	c.mu.Unlock()
	if full {
		c.complete()
	}
}

// complete reads the finished streams to their ends.
func (c *Conn) complete() {
	c.mu.Lock()
	streams := c.finished
	c.finished = c.spare[:0]
	c.spare = nil
	c.mu.Unlock()
	buf := scraps.Get().(*[16 << 10]byte)
	for i, f := range streams {
		if f.close {
			f.s.Close() // it fails where the peer has stopped it, which is as good
		}
		f.s.SetReadDeadline(time.Time{})
		for {
			// All of it is there: neither of these waits.
			if n, err := f.s.Read(buf[:]); err != nil || n == 0 {
				break
			}
		}
		streams[i] = finishedStream{}
	}
	scraps.Put(buf)
	c.mu.Lock()
	if c.spare == nil {
		c.spare = streams
	}
	c.mu.Unlock()
}
