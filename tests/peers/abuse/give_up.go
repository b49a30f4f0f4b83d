package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// budget is the option reset_budget of the server.
const budget = 49

// giveUp gives up n things, on one connection after the other: each of them lives as long as its budget lasts, and is closed by the one
// thing more.
func giveUp(ctx context.Context, c *company, n int, one func(ctx context.Context, c *company, p *peer, nth int) error) (string, error) {
	closed := 0
	for done := 0; done < n; {
		p, err := dial(ctx, c.port, 0, nil)
		if err != nil {
			return "", err
		}
		go p.ignores(ctx)
		for range budget {
			done++
			if err := one(ctx, c, p, done); err != nil {
				return "", fmt.Errorf("number %d: %w", done, err)
			}
		}
		if err := p.get(ctx, "/alive"); err != nil {
			return "", fmt.Errorf("with its budget used up, after %d: %w", done, err)
		}
		done++
		if err := one(ctx, c, p, done); err != nil {
			return "", fmt.Errorf("number %d: %w", done, err)
		}
		code, err := p.end(ctx)
		if err != nil || code != quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad) {
			return "", fmt.Errorf("one more than the budget: code %#x, %w", uint64(code), err)
		}
		closed++
	}
	return fmt.Sprintf("closed %d", closed), nil
}

// held sends the header of a request whose body is said to be a byte, made by hand, since http3 would keep to its word; the server's host
// has it when this returns.
func held(ctx context.Context, c *company, p *peer, nth int) (*quic.Stream, error) {
	s, err := p.conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	var fields bytes.Buffer
	encoder := qpack.NewEncoder(&fields)
	for _, f := range []qpack.HeaderField{
		{Name: ":method", Value: http.MethodPost}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "localhost"},
		{Name: ":path", Value: "/held"}, {Name: "content-length", Value: "1"},
	} {
		if err := encoder.WriteField(f); err != nil {
			return nil, err
		}
	}
	if _, err := s.Write(frame(0x1, fields.Bytes())); err != nil {
		return nil, err
	}
	return s, c.await(ctx, eventRequest, nth)
}

func frame(kind uint64, payload []byte) []byte {
	return append(quicvarint.Append(quicvarint.Append(nil, kind), uint64(len(payload))), payload...)
}

// brokenRequest sends three bytes where it has said that there is one.
func brokenRequest(ctx context.Context, c *company, p *peer, nth int) error {
	s, err := held(ctx, c, p, nth)
	if err != nil {
		return err
	}
	if _, err := s.Write(frame(0x0, []byte("abc"))); err != nil {
		return err
	}
	return c.await(ctx, eventStreamClosed, nth)
}

func resetRequest(ctx context.Context, c *company, p *peer, nth int) error {
	s, err := held(ctx, c, p, nth)
	if err != nil {
		return err
	}
	s.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	s.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	return c.await(ctx, eventStreamClosed, nth)
}

// undecidedSession leaves before it is accepted or rejected.
func undecidedSession(ctx context.Context, c *company, p *peer, nth int) error {
	s, err := p.ask(ctx, http.MethodConnect, token, "/undecided")
	if err != nil {
		return err
	}
	if err := c.await(ctx, eventSessionRequest, nth); err != nil {
		return err
	}
	s.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	s.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	return c.await(ctx, eventSessionClosed, nth)
}

// endedSession ends its CONNECT stream before that, where nothing but capsules could have come.
func endedSession(ctx context.Context, c *company, p *peer, nth int) error {
	s, err := p.ask(ctx, http.MethodConnect, token, "/undecided")
	if err != nil {
		return err
	}
	if err := c.await(ctx, eventSessionRequest, nth); err != nil {
		return err
	}
	s.Close()
	return c.await(ctx, eventSessionClosed, nth)
}

// resetStream resets a stream of a session that the server's host has not answered on.
func resetStream(ctx context.Context, c *company, p *peer, nth int) error {
	if p.wt == nil {
		s, err := p.session(ctx, "/wt")
		if err != nil {
			return err
		}
		p.wt = s
	}
	s, err := p.conn.OpenStreamSync(ctx)
	if err != nil {
		return err
	}
	if _, err := s.Write(append(header(streamBidi, p.wt), 'x')); err != nil {
		return err
	}
	if err := c.await(ctx, eventStreamOpened, nth); err != nil {
		return err
	}
	s.CancelWrite(wireCode)
	s.CancelRead(wireCode)
	return c.await(ctx, eventStreamEnded, nth)
}
