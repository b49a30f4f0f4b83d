package session

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/link"
	"zigh3/engine/message"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A streamSource is a stream as the source of its inbox.
type streamSource Stream

// Wait implements message.Source.
func (s *streamSource) Wait(time.Duration) error {
	var one [1]byte
	if _, err := s.receive.Peek(one[:]); err != io.EOF {
		return err
	}
	return nil
}

// Read implements message.Source.
func (s *streamSource) Read(p []byte) (int, error) { return s.receive.Read(p) }

// startReading sets up the inbox. st.mu is held.
func (st *Stream) startReading() {
	st.in.Init(&st.mu, (*streamSource)(st), st.s.set.o.ReceiveWindow, 0)
	if st.readDone {
		st.in.Quit()
	}
}

// readHere delivers what is there already, without a goroutine: all of it where the stream is short. What else comes is for a goroutine.
func (st *Stream) readHere() {
	st.mu.Lock()
	if st.readDone {
		st.mu.Unlock()
		return
	}
	st.running++
	st.receive.SetReadDeadline(time.Now().Add(link.HeaderWait))
	st.mu.Unlock()
	// This is the connection's own goroutine, which is also the one that tells of its end: where there is no room it waits for nothing but that.
	err := st.in.Once(func(data []byte, end bool) error { return st.deliver(data, end, st.s.c.Done) })
	st.mu.Lock()
	if !st.cutOff {
		st.receive.SetReadDeadline(time.Time{})
	}
	st.running--
	switch {
	case err == errGone: // the end of the connection ends the stream
	case err != nil && !(errors.Is(err, os.ErrDeadlineExceeded) && !st.cutOff):
		st.readOver(err)
	case !st.readDone:
		st.spawn("stream", st.readOn)
	}
	st.Unlock()
}

// readOn delivers what comes.
func (st *Stream) readOn() {
	err := st.in.Run(st.give)
	st.mu.Lock()
	st.readOver(err)
	st.mu.Unlock()
}

// give delivers bytes, unless nobody wants them any more.
func (st *Stream) give(data []byte, end bool) error {
	err := st.deliver(data, end, st.in.Done())
	if err == errGone {
		err = message.ErrUnwanted
	}
	return err
}

// errGone: there was no room for what came until it was too late.
var errGone = errors.New("no room until the end")

// deliver is give, waiting for room until done is closed.
func (st *Stream) deliver(data []byte, end bool, done <-chan struct{}) error {
	c := st.s.c
	before := st.read.Load()
	st.read.Add(int64(len(data)))
	if !st.count(before + int64(len(data))) {
		return errDataOverrun
	}
	rec, ok := c.Sink.Reserve(sink.Bulk, len(data), done)
	if !ok {
		st.s.consumed(uint64(len(data)))
		return errGone
	}
	copy(rec.Payload, data)
	ev := sink.Event{Type: sink.EventStreamData, DataLen: uint32(len(data)), Aux: uint64(before)}
	if end {
		ev.Flags = sink.FlagEnd
	}
	st.mu.Lock()
	wanted := !st.readDone
	if wanted {
		st.in.Delivered(len(data))
		c.Sink.Commit(rec, st.event(&ev))
	}
	st.mu.Unlock()
	if !wanted {
		c.Sink.Abort(rec)
		st.s.consumed(uint64(len(data)))
		return message.ErrUnwanted
	}
	st.s.counters.bytesIn.Add(uint64(len(data)))
	st.s.touch()
	return nil
}

var errDataOverrun = errOverrun("bytes")

// readOver ends the peer's side for what ended it. st.mu is held.
func (st *Stream) readOver(err error) {
	var reset *quic.StreamError
	remote := errors.As(err, &reset) && reset.Remote
	if err == io.EOF || remote {
		st.readEnd = true
	}
	if remote {
		var one [1]byte
		st.receive.Read(one[:]) // to have peeked at the reset is not enough: QUIC keeps the stream until it was read
	}
	switch {
	case err == errDataOverrun:
		st.receive.CancelRead(quic.StreamErrorCode(wire.ErrCodeFlowControl))
		st.readEnd = true
		st.endRead(sink.ErrProtocol)
		go sink.Guard("overrun", st.s.overran) // its session's end wants this stream's lock
	case st.readDone: // stopped or cut
	case err == io.EOF:
		st.endRead(sink.OK)
	case remote && http3.ErrCode(reset.ErrorCode) == wire.ErrCodeSessionGone:
		st.endRead(st.s.goneCode())
	case remote:
		code, _ := wire.AppCode(uint64(reset.ErrorCode))
		rec, _ := st.s.c.Sink.Reserve(sink.Terminal, 0, nil)
		st.s.c.Sink.Commit(rec, st.event(&sink.Event{Type: sink.EventStreamReset, Flags: sink.FlagRemote, Aux: uint64(code)}))
		st.givenUp = true
		st.endRead(sink.ErrReset)
	case errors.Is(err, message.ErrUnwanted):
		st.endRead(sink.ErrCancelled)
	default:
		st.endRead(message.OutcomeOf(err).Code)
	}
}

// Consumed says that the consumer has dealt with n bytes.
func (st *Stream) Consumed(n uint64) {
	st.mu.Lock()
	st.answered = true
	if st.receive != nil {
		n = st.in.Consumed(n)
	} else {
		n = 0
	}
	st.mu.Unlock()
	if n > 0 {
		st.s.consumed(n)
	}
}

// consumed counts bytes that nobody waits for any more.
func (s *Session) consumed(n uint64) {
	limit := s.flow.consumed(n)
	if limit == 0 {
		return
	}
	s.mu.Lock()
	s.grant(ofBytes, limit)
	s.Unlock()
}

// unread counts bytes of a stream that was refused, so that nobody reads them: its peer has counted them, too.
func (s *Session) unread(n uint64) {
	if !s.flow.receive(int(n)) {
		s.overran()
		return
	}
	s.consumed(n)
}

// overran ends the session because the peer sent more bytes than it may.
func (s *Session) overran() {
	s.mu.Lock()
	s.giveUp(errDataOverrun)
	s.Unlock()
}

// watchSize learns of the end of the peer's side, so that a reset shows although the consumer gives no credit, and how long that is: where
// there is flow control, what is never read counts all the same, as far as it was sent. st.mu is held.
func (st *Stream) watchSize(header int) {
	st.head = int64(header)
	flowControl := st.s.flow.enabled()
	// QUIC's own goroutine calls this: it must not wait.
	st.receive.SetReceiveFinalSizeCallback(func(size int64) {
		defer sink.Catch("final size")
		st.in.Ended()
		if !flowControl {
			return
		}
		st.final.Store(size + 1)
		if !st.count(size - st.head) {
			go sink.Guard("overrun", st.s.overran)
		}
		if st.unread.Load() {
			go sink.Guard("unread", st.settleUnread)
		}
	})
}

// count counts the peer's bytes up to the n-th, once each, and reports whether they may be there.
func (st *Stream) count(n int64) bool {
	for {
		counted := st.counted.Load()
		if n <= counted {
			return true
		}
		if st.counted.CompareAndSwap(counted, n) {
			return st.s.flow.receive(int(n - counted))
		}
	}
}

// settleFlow gives back, once the stream has ended, the credit of what the consumer has not read.
func (st *Stream) settleFlow() {
	if !st.s.flow.enabled() {
		return
	}
	st.mu.Lock() // it may be opened just now, though it has ended
	receive, left := st.receive, st.in.Unconsumed()
	st.mu.Unlock()
	if receive == nil {
		return
	}
	if left > 0 {
		st.s.consumed(left)
	}
	st.unread.Store(true)
	if st.final.Load() > 0 {
		st.settleUnread()
	}
}

// settleUnread does so, once, for what was sent and not even read.
func (st *Stream) settleUnread() {
	if !st.unread.CompareAndSwap(true, false) {
		return
	}
	if n := st.final.Load() - 1 - st.head - st.read.Load(); n > 0 {
		st.s.consumed(uint64(n))
	}
}
