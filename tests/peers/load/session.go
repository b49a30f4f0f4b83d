package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/webtransport-go"
)

// dialSessions connects as dial does, for WebTransport.
func dialSessions(ctx context.Context, addr string, count *datagrams) (*client, error) {
	socket, err := listenCounting(count)
	if err != nil {
		return nil, err
	}
	c := &client{transport: &quic.Transport{Conn: socket}, authority: addr}
	if c.conn, c.sessions, err = c.another(ctx); err != nil {
		c.transport.Close()
		socket.Close()
		return nil, err
	}
	return c, nil
}

// another makes a connection for WebTransport on a client's socket.
func (c *client) another(ctx context.Context) (*quic.Conn, *webtransport.ClientConn, error) {
	remote, err := resolve(c.authority)
	if err != nil {
		return nil, nil, err
	}
	config := &quic.Config{EnableDatagrams: true, EnableStreamResetPartialDelivery: true, KeepAlivePeriod: 10 * time.Second}
	conn, err := c.transport.Dial(ctx, remote, &tls.Config{ServerName: "localhost", InsecureSkipVerify: true, NextProtos: []string{"h3"}}, config)
	if err != nil {
		return nil, nil, fmt.Errorf("connecting to %s: %w", c.authority, err)
	}
	limits := &webtransport.Config{MaxIncomingStreams: 100, MaxIncomingUniStreams: 100, MaxIncomingData: 16 << 20}
	sessions, err := (&webtransport.Transport{Config: limits}).NewClientConn(conn)
	if err != nil {
		conn.CloseWithError(noError, "")
		return nil, nil, err
	}
	return conn, sessions, nil
}

func (c *client) session(ctx context.Context, path string) (*webtransport.Session, error) {
	_, session, err := c.sessions.Dial(ctx, c.url(path), nil)
	return session, err
}

func (c *client) url(path string) string { return "https://" + c.authority + path }

// echoing sends size bytes on a bidirectional stream and reads them back, -streams at a time in one session of each connection.
func echoing(ctx context.Context, size int) job {
	data := make([]byte, size)
	return job{size: int64(size), run: inSession(ctx, func(session *webtransport.Session, more func() bool, done func(time.Duration)) error {
		return together(*streams, func() error {
			buf := make([]byte, 64<<10)
			for more() {
				at := time.Now()
				if err := echoOnce(ctx, session, data, buf); err != nil {
					return err
				}
				done(time.Since(at))
			}
			return nil
		})
	})}
}

func echoOnce(ctx context.Context, session *webtransport.Session, data, buf []byte) error {
	stream, err := session.OpenStreamSync(ctx)
	if err != nil {
		return err
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := stream.Write(data)
		wrote <- errors.Join(err, stream.Close())
	}()
	back := 0
	for {
		n, err := stream.Read(buf)
		back += n
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if back != len(data) {
		return fmt.Errorf("%d bytes of %d came back", back, len(data))
	}
	return <-wrote
}

// visiting opens a session and closes it, -streams at a time on each connection.
func visiting(ctx context.Context) job {
	return job{run: func(c *client, more func() bool, done func(time.Duration)) error {
		return together(*streams, func() error {
			for more() {
				at := time.Now()
				session, err := c.session(ctx, "/echo")
				if err != nil {
					return err
				}
				if err := session.CloseWithError(0, ""); err != nil {
					return err
				}
				done(time.Since(at))
			}
			return nil
		})
	}}
}

// meeting opens a connection with a session in it and closes it, -streams at a time from each connection's socket.
func meeting(ctx context.Context) job {
	return job{run: func(c *client, more func() bool, done func(time.Duration)) error {
		return together(*streams, func() error {
			for more() {
				at := time.Now()
				conn, sessions, err := c.another(ctx)
				if err != nil {
					return err
				}
				if _, _, err := sessions.Dial(ctx, c.url("/echo"), nil); err != nil {
					return err
				}
				if err := conn.CloseWithError(noError, ""); err != nil {
					return err
				}
				done(time.Since(at))
			}
			return nil
		})
	}}
}

// inSession does something in one session of each connection.
func inSession(ctx context.Context, do func(*webtransport.Session, func() bool, func(time.Duration)) error) func(*client, func() bool, func(time.Duration)) error {
	return func(c *client, more func() bool, done func(time.Duration)) error {
		session, err := c.session(ctx, "/echo")
		if err != nil {
			return err
		}
		defer session.CloseWithError(0, "")
		return do(session, more, done)
	}
}

// together runs something on n goroutines.
func together(n int, do func() error) error {
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() { errs[i] = do() })
	}
	group.Wait()
	return errors.Join(errs...)
}
