package message

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// LargestPiece is the most that one event carries of what came.
const LargestPiece = 64 << 10

// pieces hold what lies between QUIC and a record. A reader has one only while there is something to read.
var pieces = sync.Pool{New: func() any { return new([LargestPiece]byte) }}

// A Source is where an inbox's bytes come from.
type Source interface {
	// Wait blocks until a byte, the end or an error is there; a timeout of 0 is none. The end is no error here.
	Wait(timeout time.Duration) error

	// Read takes bytes, at most len(p). It returns io.EOF with or after the last ones, and may return others beside any error. p is work
	// space: more than the n bytes returned may be overwritten.
	Read(p []byte) (n int, err error)
}

// ErrUnwanted: nobody wants what comes any more.
var ErrUnwanted = errors.New("what comes is not wanted any more")

// An Inbox reads one direction of a stream as far as its consumer has given credit. One goroutine calls Run; everything else is called
// with the owner's lock held, unless it says otherwise.
type Inbox struct {
	lock    sync.Locker
	source  Source
	window  uint64        // bytes that may be with the consumer; 0: no limit
	timeout time.Duration // without a byte; 0: none

	done  chan struct{} // closed once nobody wants anything any more
	wake  chan struct{} // there is credit, or the peer's side has ended
	ended atomic.Bool   // the peer's side has ended, by its end or by a reset

	// Under the owner's lock.
	gone      bool // done is closed
	delivered uint64
	consumed  uint64
}

// Init sets an inbox up. lock is the owner's.
func (b *Inbox) Init(lock sync.Locker, source Source, window int, timeout time.Duration) {
	b.lock, b.source, b.window, b.timeout = lock, source, uint64(window), timeout
	b.done, b.wake = make(chan struct{}), make(chan struct{}, 1)
}

// Done is closed once nobody wants anything any more. It may be called without the lock.
func (b *Inbox) Done() <-chan struct{} { return b.done }

// Gone reports whether nobody wants anything any more.
func (b *Inbox) Gone() bool { return b.gone }

// Quit says so.
func (b *Inbox) Quit() {
	if !b.gone {
		b.gone = true
		close(b.done)
	}
}

// Ended says that the peer's side has ended, so that one without credit looks whether it was reset. It needs no lock.
func (b *Inbox) Ended() {
	b.ended.Store(true)
	b.nudge()
}

func (b *Inbox) nudge() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Delivered counts n bytes that go to the consumer.
func (b *Inbox) Delivered(n int) { b.delivered += uint64(n) }

// Consumed gives credit for at most n bytes, as many as the consumer has, and says for how many.
func (b *Inbox) Consumed(n uint64) uint64 {
	n = min(n, b.delivered-b.consumed)
	b.consumed += n
	b.nudge()
	return n
}

// room waits until the consumer may be given more, and says how much.
func (b *Inbox) room() (int, error) {
	for {
		b.lock.Lock()
		waiting, gone := b.delivered-b.consumed, b.gone
		b.lock.Unlock()
		switch {
		case gone:
			return 0, ErrUnwanted
		case b.window == 0:
			return LargestPiece, nil
		case waiting < b.window:
			return int(min(b.window-waiting, LargestPiece)), nil
		}
		if b.ended.Load() {
			// The stream is not read now: a reset shows only to those who look.
			if err := b.source.Wait(0); err != nil {
				return 0, err
			}
		}
		select {
		case <-b.wake:
		case <-b.done:
			return 0, ErrUnwanted
		}
	}
}

// Run reads until the end (io.EOF), an error, or until give does not want any more. give gets what came, in order, with the end (io.EOF)
// if that came with it; it is called without the lock.
func (b *Inbox) Run(give func(data []byte, end bool) error) error {
	for {
		room, err := b.room()
		if err != nil {
			return err
		}
		if err := b.source.Wait(b.timeout); err != nil {
			return err
		}
		if err := b.once(room, give); err != nil {
			return err
		}
	}
}

// Once is Run for what is there, at most the largest piece, of a stream of which nothing was read yet. Its deadline is the caller's.
func (b *Inbox) Once(give func(data []byte, end bool) error) error {
	if err := b.source.Wait(0); err != nil {
		return err
	}
	room := LargestPiece
	if b.window > 0 {
		room = int(min(b.window, LargestPiece))
	}
	return b.once(room, give)
}

// Unconsumed is how many bytes the consumer has and gave no credit for. It gives that credit now.
func (b *Inbox) Unconsumed() uint64 {
	n := b.delivered - b.consumed
	b.consumed = b.delivered
	return n
}

// Timeout is how long the inbox waits for a byte; 0: for ever.
func (b *Inbox) Timeout() time.Duration { return b.timeout }

// GetPiece lends memory for the largest piece that there is, PutPiece takes it back.
func GetPiece() *[LargestPiece]byte { return pieces.Get().(*[LargestPiece]byte) }

// PutPiece gives back what GetPiece lent.
func PutPiece(p *[LargestPiece]byte) { pieces.Put(p) }

// once reads what is there, and gives it.
func (b *Inbox) once(room int, give func(data []byte, end bool) error) error {
	buf := pieces.Get().(*[LargestPiece]byte)
	defer pieces.Put(buf)
	n, err := b.source.Read(buf[:room])
	// A deadline may pass between two pieces of what was there.
	if err != nil && err != io.EOF && !(n > 0 && errors.Is(err, os.ErrDeadlineExceeded)) {
		return err
	}
	if n > 0 || err == io.EOF {
		if gerr := give(buf[:n], err == io.EOF); gerr != nil {
			return gerr
		}
	}
	return err
}
