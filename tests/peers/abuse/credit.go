package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

const capsuleMaxData = 0x190b4d3d

// window is what the peer of takeNoCapsules lets the server send on its CONNECT stream.
const window = 1000

// takeNoCapsules opens streams in a session that has limits, so that the server has more of them to tell, and reads nothing of its CONNECT
// stream, until the session has ended. n is not used.
func takeNoCapsules(ctx context.Context, c *company, _ int) (string, error) {
	p, err := dial(ctx, c.port, window, map[uint64]uint64{settingMaxData: 1 << 20, settingMaxStreamsUni: 1, settingMaxStreamsBidi: 1})
	if err != nil {
		return "", err
	}
	go p.ignores(ctx)
	session, err := p.session(ctx, "/wt")
	if err != nil {
		return "", err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.await(ctx, eventSessionClosed, 1) }()
	for opened := 0; ; opened++ {
		select {
		case err := <-ended:
			if err != nil {
				return "", err
			}
			return "ended", errors.Join(c.get(ctx, "/alive"), p.get(ctx, "/alive"))
		default:
		}
		s, err := p.conn.OpenUniStreamSync(ctx)
		if err != nil {
			return "", fmt.Errorf("stream %d: %w", opened, err)
		}
		if _, err := s.Write(header(streamUni, session)); err != nil {
			return "", err
		}
		s.Close()
	}
}

// raiseByBytes lets the server send 10 bytes in a session, where 8,000 wait, and then one more with each of up to n capsules. It says how
// many the server has taken before it ended the session.
func raiseByBytes(ctx context.Context, c *company, n int) (string, error) {
	p, err := dial(ctx, c.port, 0, map[uint64]uint64{settingMaxData: 10, settingMaxStreamsUni: 10, settingMaxStreamsBidi: 10})
	if err != nil {
		return "", err
	}
	bad, err := p.session(ctx, "/writes")
	if err != nil {
		return "", err
	}
	var stream io.Reader
	for stream == nil {
		s, err := p.conn.AcceptUniStream(ctx)
		if err != nil {
			return "", err
		}
		r := quicvarint.NewReader(s)
		typ, err := quicvarint.Read(r)
		if err != nil {
			return "", err
		}
		if typ != streamUni {
			continue
		}
		if _, err := quicvarint.Read(r); err != nil {
			return "", err
		}
		stream = r
	}
	buffer := make([]byte, 10)
	if _, err := io.ReadFull(stream, buffer); err != nil {
		return "", err
	}
	taken := 0
	for ; taken < n; taken++ {
		limit := quicvarint.Append(nil, uint64(11+taken))
		capsule := quicvarint.Append(quicvarint.Append(nil, capsuleMaxData), uint64(len(limit)))
		if _, err := bad.Write(append(capsule, limit...)); err != nil {
			break
		}
		if _, err := io.ReadFull(stream, buffer[:1]); err != nil {
			break
		}
	}
	if taken == n {
		return "", fmt.Errorf("all %d are taken", n)
	}
	if err := c.await(ctx, eventSessionClosed, 1); err != nil {
		return "", err
	}
	other, err := p.session(ctx, "/wt")
	if err != nil {
		return "", fmt.Errorf("another session: %w", err)
	}
	s, err := p.conn.OpenStreamSync(ctx)
	if err != nil {
		return "", err
	}
	if _, err := s.Write(append(header(streamBidi, other), 'x')); err != nil {
		return "", err
	}
	if err := c.await(ctx, eventStreamOpened, 2); err != nil { // the one that was written to, and this
		return "", err
	}
	other.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	return fmt.Sprintf("taken %d", taken), errors.Join(p.get(ctx, "/alive"), c.get(ctx, "/alive"))
}
