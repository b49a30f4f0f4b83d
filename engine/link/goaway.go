package link

import (
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/wire"
)

// Drain tells the peer with GOAWAY that what it asks for from now on is not served. The order matters: next is read after draining is
// set, and who takes streams looks at Draining after next was set, so no stream between the two is lost without a word.
func (c *Conn) Drain() {
	if !c.draining.Swap(true) {
		c.goAway()
		c.carried.WentAway()
	}
}

// goAway sends GOAWAY, unless the connection is so new that it will do so itself. A server names the stream that it serves no more; a
// client promises that it takes no more pushes, of which there are none.
func (c *Conn) goAway() {
	c.controlling.Lock()
	defer c.controlling.Unlock()
	c.mu.Lock()
	control := c.control
	c.mu.Unlock()
	if control == nil || c.wentAway {
		return
	}
	c.wentAway = true
	id := uint64(0)
	if c.Role == Server {
		id = c.next.Load()
	}
	frame := wire.AppendFrameHead(nil, wire.FrameGoAway, uint64(quicvarint.Len(id)))
	if err := control.TryWriteAll(quicvarint.Append(frame, id)); err != nil {
		c.Unsent("GOAWAY", err)
	}
}

// goneAway takes the id of a GOAWAY of the peer's (RFC 9114, 5.2).
func (r *controlReader) goneAway(length uint64) error {
	id, err := r.id(length)
	if err != nil {
		return err
	}
	if r.c.Role == Client && id%4 != 0 {
		return &wire.ConnectionError{Code: http3.ErrCodeIDError, Reason: "the id of GOAWAY is not that of a request"}
	}
	if r.wentAway && id > r.goAway {
		return &wire.ConnectionError{Code: http3.ErrCodeIDError, Reason: "the id of GOAWAY went up"}
	}
	news := !r.wentAway || id < r.goAway
	r.goAway, r.wentAway = id, true
	if news {
		r.c.carried.GoneAway(id)
	}
	return nil
}
