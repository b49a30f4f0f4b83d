package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/webtransport-go"
)

// dataLimit is what the server may send in a session before this side takes more: said whenever the streams are limited, since a
// server has session flow control only with peers that name all three.
func dataLimit(c *command) int64 {
	if c.MaxBidi == 0 && c.MaxUni == 0 {
		return 0
	}
	return 64 << 20
}

// burst sends count numbered datagrams, a moment apart if it is to. It does not wait for answers.
func (d *driver) burst(c *command) (any, error) {
	s, err := find(d, d.sessions, c.Session)
	if err != nil {
		return nil, err
	}
	datagram := make([]byte, max(c.Size, 8))
	begin := time.Now()
	for i := range c.Count {
		binary.BigEndian.PutUint64(datagram, uint64(i))
		if err := s.SendDatagram(datagram); err != nil {
			return nil, err
		}
		if c.PaceUS > 0 {
			time.Sleep(time.Until(begin.Add(time.Duration((i+1)*c.PaceUS) * time.Microsecond)))
		}
	}
	return c.Count, nil
}

// pingpong sends count datagrams to a server that echoes them, so many in flight. One that is not back within a second is lost.
func (d *driver) pingpong(c *command) (any, error) {
	s, err := find(d, d.sessions, c.Session)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.context()
	defer cancel()
	size := max(c.Size, 8)
	slots := make(chan struct{}, max(c.Inside, 1))
	var answered, wrong atomic.Int64
	done := make(chan error, 1)
	go func() {
		for range c.Count {
			datagram, err := s.ReceiveDatagram(ctx)
			if err != nil {
				done <- err
				return
			}
			answered.Add(1)
			if len(datagram) != size {
				wrong.Add(1)
			}
			select {
			case <-slots:
			default:
			}
		}
		done <- nil
	}()
	lost := 0
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	for i := range c.Count {
		timer.Reset(time.Second)
		select {
		case slots <- struct{}{}:
		case <-timer.C:
			lost++ // its slot is free again
		}
		datagram := make([]byte, size)
		binary.BigEndian.PutUint64(datagram, uint64(i))
		if err := s.SendDatagram(datagram); err != nil {
			return nil, err
		}
	}
	select {
	case err = <-done:
	case <-time.After(time.Second):
		cancel()
		err = <-done
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	return map[string]any{"sent": c.Count, "answered": answered.Load(), "wrong": wrong.Load()}, nil
}

// echoes opens count streams to a server that echoes them, so many side by side, and compares what comes back.
func (d *driver) echoes(c *command) (any, error) {
	s, err := find(d, d.sessions, c.Session)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.context()
	defer cancel()
	data := pattern(c.Size)
	return each(c, func() error {
		if c.Uni {
			return echoUnidirectional(ctx, s, data)
		}
		return echo(ctx, s, data)
	})
}

func echo(ctx context.Context, s *session, data []byte) error {
	stream, err := s.OpenStreamSync(ctx)
	if err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	stream.SetDeadline(deadline)
	go func() {
		stream.Write(data)
		stream.Close()
	}()
	return same(stream, data)
}

func echoUnidirectional(ctx context.Context, s *session, data []byte) error {
	out, err := s.OpenUniStreamSync(ctx)
	if err != nil {
		return err
	}
	go func() {
		out.Write(data)
		out.Close()
	}()
	in, err := s.AcceptUniStream(ctx)
	if err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	in.SetReadDeadline(deadline)
	return same(in, data)
}

func same(in io.Reader, data []byte) error {
	came, err := io.ReadAll(in)
	if err != nil {
		return failure(err)
	}
	if !bytes.Equal(came, data) {
		return fmt.Errorf("%d bytes came back, not those %d", len(came), len(data))
	}
	return nil
}

// churn opens and closes count sessions, so many at a time, each on a connection of its own, or on the one named. Each session sends a
// datagram and waits for the answer when size is given.
func (d *driver) churn(c *command) (any, error) {
	ctx, cancel := c.context()
	defer cancel()
	var shared *connection
	if c.Conn != 0 {
		var err error
		if shared, err = find(d, d.conns, c.Conn); err != nil {
			return nil, err
		}
	}
	return each(c, func() error {
		conn := shared
		if conn == nil {
			var err error
			if conn, err = newConnection(ctx, c); err != nil {
				return err
			}
			defer conn.end()
		}
		_, s, err := conn.client.Dial(ctx, "https://"+conn.host+c.Path, nil)
		if err != nil {
			return err
		}
		if c.Size > 0 {
			if err := s.SendDatagram(make([]byte, c.Size)); err != nil {
				return err
			}
			if _, err := s.ReceiveDatagram(ctx); err != nil {
				return err
			}
		}
		if err := s.CloseWithError(webtransport.SessionErrorCode(c.Code), c.Reason); err != nil {
			return err
		}
		<-s.Context().Done()
		return nil
	})
}

// hold opens count sessions on a connection, so many at a time, and leaves them be.
func (d *driver) hold(c *command) (any, error) {
	conn, err := find(d, d.conns, c.Conn)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.context()
	defer cancel()
	return each(c, func() error {
		_, _, err := conn.client.Dial(ctx, "https://"+conn.host+c.Path, nil)
		return err
	})
}

// each does something count times, so many side by side, and tells how often it went well, and the first errors.
func each(c *command, do func() error) (any, error) {
	var mu sync.Mutex
	var group sync.WaitGroup
	var well atomic.Int64
	failures := []string{}
	slots := make(chan struct{}, max(c.Inside, 1))
	for range c.Count {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			if err := do(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				if len(failures) < 5 {
					failures = append(failures, err.Error())
				}
				return
			}
			well.Add(1)
		})
	}
	group.Wait()
	return map[string]any{"well": well.Load(), "failures": failures}, nil
}
