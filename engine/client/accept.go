package client

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/link"
	"zigh3/engine/wire"
)

// errNoSessionStream: only sessions have streams that a server opens both ways (RFC 9114, 6.1).
var errNoSessionStream = errors.New("the server has opened a bidirectional stream that is none of a session")

// accept takes a stream that the server has opened.
func (c *conn) accept(s *quic.Stream) {
	s.SetReadDeadline(time.Now().Add(link.HeaderWait))
	if err := c.sessionStream(s); errors.Is(err, os.ErrDeadlineExceeded) {
		c.EnterStream()
		c.Spawn("stream", func() {
			defer c.LeaveStream()
			s.SetReadDeadline(time.Now().Add(c.HeaderTimeout))
			c.refuse(s, c.sessionStream(s))
		})
	} else {
		c.refuse(s, err)
	}
}

// refuse does away with a stream that err keeps from being one of a session's.
func (c *conn) refuse(s *quic.Stream, err error) {
	if err == nil {
		return
	}
	discard(s)
	if err == errNoSessionStream {
		c.Breach(http3.ErrCodeStreamCreationError, err.Error())
	}
}

// sessionStream brings a stream to its session, whose header is read.
func (c *conn) sessionStream(s *quic.Stream) error {
	var b [16]byte
	if _, err := s.Peek(b[:1]); err != nil {
		return err
	}
	n := 1 << (b[0] >> 6)
	if _, err := s.Peek(b[:n]); err != nil {
		return err
	}
	if typ, _, err := quicvarint.Parse(b[:n]); err != nil || typ != wire.StreamTypeBidi || c.client.options.WebTransport == nil {
		return errNoSessionStream
	}
	if _, err := s.Peek(b[:n+1]); err != nil {
		return err
	}
	end := n + 1<<(b[n]>>6)
	if _, err := s.Peek(b[:end]); err != nil {
		return err
	}
	s.SetReadDeadline(time.Time{})
	if _, err := io.ReadFull(s, b[:end]); err != nil {
		return err
	}
	id, _, err := quicvarint.Parse(b[n:end])
	if err != nil {
		return err
	}
	c.sessions.Stream(id, s)
	return nil
}
