package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// An upload's DATA frames are this long, as browsers make them.
const uploadFrame = 16 << 10

// downloading asks for GET /bytes/size.
func downloading(ctx context.Context, size int64) job {
	path := fmt.Sprintf("/bytes/%d", size)
	return job{size: size, run: parallel(func(c *client, buf []byte, a *answer) error {
		s, err := c.send(ctx, c.request("GET", path, -1))
		if err != nil {
			return err
		}
		if err := a.read(s, buf); err != nil {
			return fmt.Errorf("GET %s: %w", path, err)
		}
		if a.body != size {
			return fmt.Errorf("GET %s: %d bytes came", path, a.body)
		}
		return nil
	})}
}

// uploading sends POST /upload with size bytes and expects to hear how many came.
func uploading(ctx context.Context, size int64) job {
	frame := append(quicvarint.Append([]byte{frameData}, uploadFrame), make([]byte, uploadFrame)...)
	last := append(quicvarint.Append([]byte{frameData}, uint64(size%uploadFrame)), make([]byte, size%uploadFrame)...)
	expected := fmt.Sprintf(`{"bytes":%d}`, size)
	return job{size: size, run: parallel(func(c *client, buf []byte, a *answer) error {
		a.keep = true
		s, err := c.conn.OpenStreamSync(ctx)
		if err != nil {
			return err
		}
		if err := upload(s, c.request("POST", "/upload", size), frame, last, size); err != nil {
			return fmt.Errorf("POST /upload: %w", err)
		}
		if err := a.read(s, buf); err != nil {
			return fmt.Errorf("POST /upload: %w", err)
		}
		if string(a.kept) != expected {
			return fmt.Errorf("POST /upload: %q instead of %q", a.kept, expected)
		}
		return nil
	})}
}

func upload(s *quic.Stream, request, frame, last []byte, size int64) error {
	if _, err := s.Write(request); err != nil {
		return err
	}
	for range size / uploadFrame {
		if _, err := s.Write(frame); err != nil {
			return err
		}
	}
	if size%uploadFrame > 0 {
		if _, err := s.Write(last); err != nil {
			return err
		}
	}
	return s.Close()
}

// parallel repeats one request at a time on each of -streams goroutines.
func parallel(once func(c *client, buf []byte, a *answer) error) func(*client, func() bool, func(time.Duration)) error {
	return func(c *client, more func() bool, done func(time.Duration)) error {
		errs := make([]error, *streams)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				buf, a := make([]byte, 64<<10), answer{}
				for more() {
					at := time.Now()
					a.reset()
					if errs[i] = once(c, buf, &a); errs[i] != nil {
						return
					}
					done(time.Since(at))
				}
			})
		}
		wg.Wait()
		return errors.Join(errs...)
	}
}
