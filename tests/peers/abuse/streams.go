package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// endOwnStreams opens n streams of each kind, far more than may be open at once, ends each, and stops what it could answer.
func endOwnStreams(ctx context.Context, c *company, n int) (string, error) {
	p, err := dial(ctx, c.port, 0, nil)
	if err != nil {
		return "", err
	}
	go p.ignores(ctx)
	session, err := p.session(ctx, "/wt")
	if err != nil {
		return "", err
	}
	for i := range n {
		s, err := p.conn.OpenStreamSync(ctx)
		if err != nil {
			return "", fmt.Errorf("stream %d: %w", i, err)
		}
		if _, err := s.Write(append(header(streamBidi, session), 'x')); err != nil {
			return "", err
		}
		s.Close()
		s.CancelRead(wireCode)
		u, err := p.conn.OpenUniStreamSync(ctx)
		if err != nil {
			return "", fmt.Errorf("unidirectional stream %d: %w", i, err)
		}
		if _, err := u.Write(append(header(streamUni, session), 'x')); err != nil {
			return "", err
		}
		u.Close()
	}
	if err := c.await(ctx, eventStreamEnded, 2*n); err != nil {
		return "", err
	}
	return fmt.Sprintf("ended %d", 2*n), p.get(ctx, "/alive")
}

// stopTheirStreams stops n streams that the server opens, half of them of each kind, and resets its own side of those that have one.
func stopTheirStreams(ctx context.Context, c *company, n int) (string, error) {
	p, err := dial(ctx, c.port, 0, nil)
	if err != nil {
		return "", err
	}
	session, err := p.session(ctx, "/opens")
	if err != nil {
		return "", err
	}
	var both sync.WaitGroup
	failures := make(chan error, 2)
	stop := func(kind uint64, accept func() (quicvarint.Reader, func(), error)) {
		both.Go(func() {
			for stopped := 0; stopped < n/2; {
				from, end, err := accept()
				if err != nil {
					failures <- err
					return
				}
				typ, err := quicvarint.Read(from)
				if err != nil {
					failures <- err
					return
				}
				if typ == kind { // the server has others, too
					end()
					stopped++
				}
			}
		})
	}
	stop(streamUni, func() (quicvarint.Reader, func(), error) {
		s, err := p.conn.AcceptUniStream(ctx)
		if err != nil {
			return nil, nil, err
		}
		return quicvarint.NewReader(s), func() { s.CancelRead(wireCode) }, nil
	})
	stop(streamBidi, func() (quicvarint.Reader, func(), error) {
		s, err := p.conn.AcceptStream(ctx)
		if err != nil {
			return nil, nil, err
		}
		return quicvarint.NewReader(s), func() { s.CancelRead(wireCode); s.CancelWrite(wireCode) }, nil
	})
	both.Wait()
	select {
	case err := <-failures:
		return "", err
	default:
	}
	if err := c.await(ctx, eventStreamEnded, n); err != nil {
		return "", err
	}
	session.CancelRead(quic.StreamErrorCode(wireCode))
	return fmt.Sprintf("stopped %d", n), p.get(ctx, "/alive")
}
