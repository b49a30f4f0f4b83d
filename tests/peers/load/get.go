package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

const hello = "hello world"

// getting asks for GET /.
func getting(ctx context.Context) job {
	if *style == "goroutines" {
		return job{size: int64(len(hello)), run: func(c *client, more func() bool, done func(time.Duration)) error { return getEach(ctx, c, more, done) }}
	}
	return job{size: int64(len(hello)), run: func(c *client, more func() bool, done func(time.Duration)) error { return getLoop(ctx, c, more, done) }}
}

type asked struct {
	stream *quic.Stream
	at     time.Time
}

// getLoop keeps a connection's requests in flight as an event loop does: it reads what has come, in the order asked, and asks anew
// for each answer.
func getLoop(ctx context.Context, c *client, more func() bool, done func(time.Duration)) error {
	request := c.request("GET", "/", -1)
	flight := make([]asked, *streams) // a ring: head is the oldest
	head, n := 0, 0
	ask := func() error {
		at := time.Now()
		s, err := c.send(ctx, request)
		if err != nil {
			return err
		}
		flight[(head+n)%len(flight)] = asked{s, at}
		n++
		return nil
	}
	for n < len(flight) && more() {
		if err := ask(); err != nil {
			return err
		}
	}
	buf, a := make([]byte, 4<<10), answer{keep: true}
	for n > 0 {
		oldest := flight[head]
		head, n = (head+1)%len(flight), n-1
		if err := a.readHello(oldest.stream, buf); err != nil {
			return err
		}
		done(time.Since(oldest.at))
		if more() {
			if err := ask(); err != nil {
				return err
			}
		}
	}
	return nil
}

// getEach keeps them in flight with a goroutine for each.
func getEach(ctx context.Context, c *client, more func() bool, done func(time.Duration)) error {
	request := c.request("GET", "/", -1)
	errs := make([]error, *streams)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			buf, a := make([]byte, 4<<10), answer{keep: true}
			for more() {
				at := time.Now()
				s, err := c.send(ctx, request)
				if err == nil {
					err = a.readHello(s, buf)
				}
				if err != nil {
					errs[i] = err
					return
				}
				done(time.Since(at))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (a *answer) readHello(s *quic.Stream, buf []byte) error {
	a.reset()
	if err := a.read(s, buf); err != nil {
		return fmt.Errorf("GET /: %w", err)
	}
	if string(a.kept) != hello {
		return fmt.Errorf("GET /: %q instead of %q", a.kept, hello)
	}
	return nil
}
