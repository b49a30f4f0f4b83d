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
	remote, err := resolve(addr)
	if err != nil {
		return nil, err
	}
	transport := &quic.Transport{Conn: socket}
	config := &quic.Config{EnableDatagrams: true, EnableStreamResetPartialDelivery: true, KeepAlivePeriod: 10 * time.Second}
	conn, err := transport.Dial(ctx, remote, &tls.Config{ServerName: "localhost", InsecureSkipVerify: true, NextProtos: []string{"h3"}}, config)
	if err != nil {
		transport.Close()
		socket.Close()
		return nil, fmt.Errorf("connecting to %s: %w", addr, err)
	}
	c := &client{conn: conn, transport: transport, authority: addr}
	limits := &webtransport.Config{MaxIncomingStreams: 100, MaxIncomingUniStreams: 100, MaxIncomingData: 16 << 20}
	c.sessions, err = (&webtransport.Transport{Config: limits}).NewClientConn(conn)
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *client) session(ctx context.Context, path string) (*webtransport.Session, error) {
	_, session, err := c.sessions.Dial(ctx, "https://"+c.authority+path, nil)
	return session, err
}

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
