package session

import (
	"context"
	"errors"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/message"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// Write sends bytes. The sink is told with Drained once they have left.
func (st *Stream) Write(body sink.Chunk) {
	st.put(&message.Part{Body: body}, len(body.Bytes) > 0)
}

// WriteAtomic sends all of body as soon as it is its turn, or nothing. EventStreamAtomic tells which: ErrWouldBlock says that the peer's
// flow control has no room for all of it, or that the stream is not there yet.
func (st *Stream) WriteAtomic(body sink.Chunk) {
	st.mu.Lock()
	st.answered = true
	switch n := len(body.Bytes); {
	case st.finished:
		body.Release()
	case st.sendDone || st.ending || st.resetting != nil:
		body.Release()
		st.Atomic(n, message.ErrUnwanted)
	case st.send == nil:
		body.Release()
		st.Atomic(n, quic.ErrWouldBlock)
	default:
		st.out.Put(&message.Part{Body: body, Atomic: true})
	}
	st.Unlock()
}

// Commit makes reliable what was written so far: it arrives also if the stream is reset afterwards, where the peer's transport knows of
// that (RESET_STREAM_AT). It may come behind End.
func (st *Stream) Commit() {
	st.mu.Lock()
	st.answered = true
	if !st.sendDone && st.resetting == nil {
		st.out.Vow()
	}
	st.Unlock()
}

// End finishes this side, after what was written.
func (st *Stream) End() {
	st.put(&message.Part{End: true}, true)
}

// put sends a part, unless it says nothing or this side has ended.
func (st *Stream) put(p *message.Part, some bool) {
	st.mu.Lock()
	st.answered = true
	if st.sendDone || st.ending || st.resetting != nil || !some {
		n := len(p.Body.Bytes)
		p.Body.Release()
		if st.resetting != nil {
			st.s.c.Sink.Drained(st.handle, n) // what is to arrive still counts, this does not
		}
	} else {
		st.ending = p.End
		st.out.Put(p)
	}
	st.Unlock()
}

// A streamLine is a stream as the line of its outbox.
type streamLine Stream

// TryWrite implements message.Line.
func (l *streamLine) TryWrite(p *message.Part) error {
	st := (*Stream)(l)
	if st.send == nil {
		return quic.ErrWouldBlock
	}
	b := p.Body.Bytes
	flow := &st.s.flow
	switch {
	case len(b) == 0:
	case p.Atomic: // which does not wait for those before it, but goes behind them as far as QUIC has levels
		st.s.order.pass(&st.rank, st.send)
	case flow.enabled() || !st.s.order.mayPass(&st.rank):
		// What is with QUIC and was not sent when the stream is reset never was, and its credit would be lost: so only what must go so.
		return quic.ErrWouldBlock
	}
	if !flow.takeAll(len(b)) {
		return quic.ErrWouldBlock
	}
	if len(b) > 0 {
		if err := st.send.TryWriteAll(b); err != nil {
			flow.giveBack(len(b))
			return err
		}
	}
	if p.Reliable {
		st.send.SetReliableBoundary()
	}
	if p.End {
		return st.close()
	}
	return nil
}

// Write implements message.Line. Its caller is the stream's writer.
func (l *streamLine) Write(p *message.Part, _ time.Duration, progress func(n int)) error {
	st := (*Stream)(l)
	order := &st.s.order
	for b := p.Body.Bytes; len(b) > 0; {
		n := min(len(b), message.WritePiece)
		if order.enter(&st.rank, st.send, st.gone) {
			n = min(n, rankedPiece)
		}
		m, err := st.writeSome(b[:n])
		if m > 0 {
			progress(m)
		}
		if err != nil {
			return err
		}
		b = b[m:]
	}
	if p.Reliable {
		st.send.SetReliableBoundary()
	}
	if p.End {
		return st.close()
	}
	return nil
}

// writeSome writes, as far as the session's flow control goes and at least a byte.
func (st *Stream) writeSome(b []byte) (int, error) {
	flow := &st.s.flow
	for {
		n, err := st.send.WriteWithLimit(b, flow.take)
		if n > 0 || !errors.Is(err, quic.ErrWriteLimitReached) {
			if errors.Is(err, quic.ErrWriteLimitReached) {
				err = nil
			}
			return n, err
		}
		raised, limit := flow.credit()
		if raised == nil {
			continue
		}
		st.s.blocked(limit)
		select {
		case <-raised:
		case <-st.send.Context().Done():
			return 0, context.Cause(st.send.Context())
		case <-st.gone:
			return 0, message.ErrUnwanted
		}
	}
}

// blocked tells the peer that its limit of bytes holds the session up.
func (s *Session) blocked(limit uint64) {
	s.mu.Lock()
	s.tellBlocked(ofBytes, limit)
	s.Unlock()
}

func (st *Stream) close() error { return message.CloseSend(st.send) }

// Begin implements message.Sender.
func (st *Stream) Begin(name string, f func()) bool {
	if st.send == nil || st.sendDone {
		return false
	}
	st.running++
	st.s.c.Spawn(name, f)
	return true
}

// Leave implements message.Sender.
func (st *Stream) Leave() {
	st.running--
	st.s.order.leave(&st.rank)
}

// Left implements message.Sender.
func (st *Stream) Left(p *message.Part, n int) {
	st.s.counters.bytesOut.Add(uint64(n))
	if !p.Atomic { // EventStreamAtomic says it
		st.s.c.Sink.Drained(st.handle, n)
	}
	st.s.touch()
}

// Atomic implements message.Sender.
func (st *Stream) Atomic(n int, err error) {
	code := sink.OK
	switch {
	case err == nil:
	case errors.Is(err, quic.ErrWouldBlock):
		code = sink.ErrWouldBlock
	case err == message.ErrUnwanted && st.sendDone:
		code = st.sendCode
	case err == message.ErrUnwanted:
		code = sink.ErrCancelled // finished, or about to be reset
	default:
		code = st.sendCodeOf(err)
	}
	rec, _ := st.s.c.Sink.Reserve(sink.Terminal, 0, nil)
	st.s.c.Sink.Commit(rec, st.event(&sink.Event{Type: sink.EventStreamAtomic, Code: code, Aux: uint64(n)}))
}

// Flushed implements message.Sender: this side has ended, all of it, its end included, is with QUIC.
func (st *Stream) Flushed() {
	if st.sendDone {
		return
	}
	st.closed = true
	st.endSend(sink.OK)
	if st.readDone {
		return // STREAM_ENDED says it
	}
	rec, _ := st.s.c.Sink.Reserve(sink.Terminal, 0, nil)
	st.s.c.Sink.Commit(rec, st.event(&sink.Event{Type: sink.EventWritable, Flags: sink.FlagEnd}))
}

// Failed implements message.Sender.
func (st *Stream) Failed(err error) { st.broken(err) }

// Rested implements message.Sender: what had to arrive before a reset is with QUIC.
func (st *Stream) Rested() {
	if st.resetting != nil && !st.sendDone {
		st.cancelWrite(*st.resetting)
		st.endSend(sink.ErrCancelled)
	}
}

// Over implements message.Sender.
func (st *Stream) Over() bool { return st.sendDone }

// stopped is told by the watch on the stream.
func (st *Stream) stopped(cause error) {
	if cause == nil || errors.Is(cause, context.Canceled) {
		return // this side has ended in the regular way
	}
	st.mu.Lock()
	st.broken(cause)
	st.Unlock()
}

// broken ends this side for an error of it. st.mu is held.
func (st *Stream) broken(err error) {
	if st.sendDone {
		return
	}
	end := st.sendCodeOf(err)
	if st.resetting != nil {
		end = sink.ErrCancelled
	}
	var stop *quic.StreamError
	switch {
	case errors.As(err, &stop) && stop.Remote && (st.resetting != nil || http3.ErrCode(stop.ErrorCode) == wire.ErrCodeSessionGone):
		st.closed = true
		st.send.CancelWrite(stop.ErrorCode)
		st.endSend(end) // the session's end follows, or ought to; or the consumer has reset it before
	case errors.As(err, &stop) && stop.Remote:
		code, _ := wire.AppCode(uint64(stop.ErrorCode))
		rec, _ := st.s.c.Sink.Reserve(sink.Terminal, 0, nil)
		st.s.c.Sink.Commit(rec, st.event(&sink.Event{Type: sink.EventStreamStopped, Flags: sink.FlagRemote, Aux: uint64(code)}))
		st.closed, st.givenUp = true, true
		st.send.CancelWrite(stop.ErrorCode)
		st.endSend(end)
	default:
		st.endSend(end)
	}
}

// sendCodeOf is why a side has ended for an error of it.
func (st *Stream) sendCodeOf(err error) sink.Code {
	var stop *quic.StreamError
	if errors.As(err, &stop) && stop.Remote && http3.ErrCode(stop.ErrorCode) == wire.ErrCodeSessionGone {
		return st.s.goneCode()
	}
	return message.OutcomeOf(err).Code
}
