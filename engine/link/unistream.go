package link

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/wire"
)

// Types of unidirectional streams (RFC 9114, 6.2; RFC 9204, 4.2).
const (
	streamControl      = 0x0
	streamPush         = 0x1
	streamQPACKEncoder = 0x2
	streamQPACKDecoder = 0x3
)

// MaxUniStreams is how many unidirectional streams a peer may have open besides those of sessions: three have a meaning, the rest is for
// extensions.
const MaxUniStreams = 16

// HeaderWait is what a stream may keep its connection waiting for what it begins with. A later one goes to a goroutine. It is a deadline in
// the future because a past one fails even where data is there.
const HeaderWait = 500 * time.Microsecond

// uniStreams are the peer's streams of which there may be one of each.
type uniStreams struct {
	mu   sync.Mutex
	open [4]bool
}

// claim reports whether the peer had no stream of this type yet.
func (u *uniStreams) claim(typ uint64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	had := u.open[typ]
	u.open[typ] = true
	return !had
}

// acceptUni takes the peer's unidirectional streams, as long as the peer takes ours: our control stream is as critical as its own
// (RFC 9114, 6.2.1).
func (c *Conn) acceptUni(control *quic.SendStream) {
	open := control.Context()
	for {
		s, err := c.QUIC.AcceptUniStream(open)
		if err != nil {
			var stopped *quic.StreamError
			if errors.As(context.Cause(open), &stopped) && stopped.Remote {
				c.Breach(http3.ErrCodeClosedCriticalStream, "our control stream was stopped")
			}
			return
		}
		s.SetReadDeadline(time.Now().Add(HeaderWait))
		typ, n, err := peekUniType(s)
		if err == nil && typ > streamQPACKDecoder {
			s.SetReadDeadline(time.Time{})
			c.otherUni(typ, n, s)
			continue
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			// Ended before it said what it is: RFC 9114, 6.2 wants that tolerated. Given up, so that the peer may open another for it.
			s.CancelRead(quic.StreamErrorCode(http3.ErrCodeStreamCreationError))
			continue
		}
		c.Spawn("uni stream", func() {
			if err := c.serveUni(s); err != nil {
				c.Breach(err.Code, err.Reason)
			}
		})
	}
}

// peekUniType looks at a stream's type and at what stands behind it, if it is one of those that have an id there; n is how long the type is.
func peekUniType(s *quic.ReceiveStream) (typ uint64, n int, err error) {
	var b [16]byte
	if _, err = s.Peek(b[:1]); err != nil {
		return 0, 0, err
	}
	n = 1 << (b[0] >> 6)
	if _, err = s.Peek(b[:n]); err != nil {
		return 0, 0, err
	}
	if typ, _, err = quicvarint.Parse(b[:n]); err != nil || typ != wire.StreamTypeUni {
		return typ, n, err
	}
	if _, err = s.Peek(b[:n+1]); err != nil {
		return 0, 0, err
	}
	_, err = s.Peek(b[:n+1<<(b[n]>>6)])
	return typ, n, err
}

// otherUni hands a stream on whose type is not HTTP/3's own, or refuses it.
func (c *Conn) otherUni(typ uint64, n int, s *quic.ReceiveStream) {
	var b [8]byte
	if _, err := io.ReadFull(s, b[:n]); err == nil && c.carried.UniStream(typ, s) {
		return
	}
	s.CancelRead(quic.StreamErrorCode(http3.ErrCodeStreamCreationError))
}

// serveUni reads one unidirectional stream, to its end if it is one of HTTP/3's own. It returns what the connection is to be closed for.
func (c *Conn) serveUni(s *quic.ReceiveStream) *wire.ConnectionError {
	s.SetReadDeadline(time.Now().Add(c.HeaderTimeout))
	typ, n, err := peekUniType(s)
	s.SetReadDeadline(time.Time{})
	switch {
	case err != nil: // nothing came in time, or it ended before it said what it is
		s.CancelRead(quic.StreamErrorCode(http3.ErrCodeStreamCreationError))
		return nil
	case typ > streamQPACKDecoder:
		c.otherUni(typ, n, s)
		return nil
	case typ == streamPush && c.Role == Server:
		return &wire.ConnectionError{Code: http3.ErrCodeStreamCreationError, Reason: "push stream from a client"}
	case typ == streamPush:
		return &wire.ConnectionError{Code: http3.ErrCodeIDError, Reason: "push stream though no push was allowed"}
	case !c.uni.claim(typ):
		return &wire.ConnectionError{Code: http3.ErrCodeStreamCreationError, Reason: "second stream of type 0x" + wire.Hex(typ)}
	}
	in := bufio.NewReaderSize(s, 64)
	in.Discard(n)
	switch typ {
	case streamControl:
		control := controlReader{c: c, in: in}
		err = control.run()
	case streamQPACKEncoder:
		err = wire.ReadEncoderStream(in)
	default:
		err = wire.ReadDecoderStream(in)
	}
	var (
		breach *wire.ConnectionError
		reset  *quic.StreamError
	)
	switch {
	case errors.As(err, &breach):
		return breach
	case err == io.EOF, err == io.ErrUnexpectedEOF, errors.As(err, &reset) && reset.Remote:
		return &wire.ConnectionError{Code: http3.ErrCodeClosedCriticalStream, Reason: "stream of type 0x" + wire.Hex(typ) + " was closed"}
	}
	return nil // the connection has gone
}

// Opened reports whether the peer has opened its stream of a type of HTTP/3's own, and the type was read.
func (c *Conn) Opened(typ uint64) bool {
	c.uni.mu.Lock()
	defer c.uni.mu.Unlock()
	return typ < uint64(len(c.uni.open)) && c.uni.open[typ]
}
