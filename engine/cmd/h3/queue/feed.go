package queue

import (
	"errors"
	"io"

	"zigh3/engine/sink"
)

const (
	// feedBytes is how much of what is fed is read at a time, feedPieces how much of it may be on its way.
	feedBytes  = 64 << 10
	feedPieces = 8
)

// ErrShrunk: what was to be fed has become shorter.
var ErrShrunk = errors.New("the file has become shorter while it was sent")

// A Feed reads on a goroutine of its own and has the loop write what was read. Pieces come back once they have left, so no more than those are
// on their way.
type Feed struct {
	q     *Queue
	write func(piece sink.Chunk)
	end   func(err error)
	free  chan []byte
	quit  chan struct{}

	stopped bool // of the loop
}

// Feed begins to read from. all is how much there has to be, -1: as much as comes. The loop calls write with each piece, which write gives
// away, and then once end. The loop calls it.
func (q *Queue) Feed(from io.Reader, all int64, write func(piece sink.Chunk), end func(err error)) *Feed {
	f := &Feed{q: q, write: write, end: end, free: make(chan []byte, feedPieces), quit: make(chan struct{})}
	for range feedPieces {
		f.free <- make([]byte, feedBytes)
	}
	go sink.Guard("feed", func() {
		err := f.run(from, all)
		q.Do(func() {
			if !f.stopped {
				f.end(err)
			}
		})
	})
	return f
}

// Stop has nothing more written, and end not called. A read that waits, on a terminal for instance, is left alone. The loop calls it.
func (f *Feed) Stop() {
	if !f.stopped {
		f.stopped = true
		close(f.quit)
	}
}

// Release implements sink.ChunkOwner.
func (f *Feed) Release(b []byte) { f.free <- b[:cap(b)] }

// run reads to the end.
func (f *Feed) run(from io.Reader, left int64) error {
	for left != 0 {
		var piece []byte
		select {
		case piece = <-f.free:
		case <-f.quit:
			return nil
		}
		if left > 0 {
			piece = piece[:min(left, feedBytes)]
		}
		n, err := from.Read(piece)
		if n > 0 {
			chunk := sink.Chunk{Bytes: piece[:n], Owner: f}
			f.q.Do(func() {
				if f.stopped {
					chunk.Release()
				} else {
					f.write(chunk)
				}
			})
			if left > 0 {
				left -= int64(n)
			}
		} else {
			f.Release(piece)
		}
		switch {
		case err == io.EOF && left > 0:
			return ErrShrunk
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}
