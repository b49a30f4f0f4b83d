package engine

import (
	"context"
	"errors"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/webtransport-go"
)

// rankedPiece is how much of a stream goes to QUIC at once where streams are ranked: a higher one waits for no more than this.
const rankedPiece = 16 << 10

// Write sends bytes. The sink is told with Drained once they have left.
func (st *Stream) Write(body Chunk) {
	st.mu.Lock()
	defer st.unlock()
	if st.sendDone || st.ending || len(body.Bytes) == 0 {
		body.release()
		return
	}
	p := part{body: body}
	if n := len(st.queue); n > 0 && body.Owner == nil {
		// Small pieces become one, so that what waits costs no more than its bytes.
		last := &st.queue[n-1].body
		if last.Owner == nil && len(last.Bytes)+len(body.Bytes) <= writePiece {
			last.Bytes = append(last.Bytes, body.Bytes...)
			return
		}
	}
	p.body.keep()
	st.queue = append(st.queue, p)
	st.kick()
}

// WriteAtomic sends bytes all at once or not at all, and tells by STREAM_ATOMIC which it was. webtransport-go cannot say what a stream takes
// at once, so only an empty write is ever taken.
func (st *Stream) WriteAtomic(body Chunk) {
	n := len(body.Bytes)
	body.release()
	code := ErrWouldBlock
	if n == 0 {
		code = OK
	}
	st.mu.Lock()
	st.tellAtomic(code, n)
	st.unlock()
}

// tellAtomic tells what became of an atomic write of n bytes. st.mu is held.
func (st *Stream) tellAtomic(code Code, n int) {
	if st.finished {
		return
	}
	if st.sendDone {
		code = st.code
		if code == OK {
			code = ErrClosed
		}
	}
	rec, _ := st.s.c.sink.Reserve(Terminal, 0, nil)
	st.s.c.sink.Commit(rec, st.event(&Event{Type: EventStreamAtomic, Code: code, Aux: uint64(n)}))
}

// Commit has what was written so far reach the peer even if this side is reset later. webtransport-go keeps a stream's header so, and
// nothing else.
func (st *Stream) Commit() {}

// End finishes this side, after what was written.
func (st *Stream) End() {
	st.mu.Lock()
	st.ending = true
	st.kick()
	st.unlock()
}

// kick starts the writer if there is something to do. QUIC's calls may wait, so a goroutine makes them. st.mu is held.
func (st *Stream) kick() {
	if st.send == nil || st.sendDone || st.writing || len(st.queue) == 0 && !st.header && !st.ending {
		return
	}
	st.writing = true
	st.running++
	if !st.s.spawn("stream out", st.write) {
		st.writing = false
		st.running--
	}
}

// write is the writer.
func (st *Stream) write() {
	order := &st.s.order
	st.mu.Lock()
	for !st.sendDone {
		var err error
		switch {
		case len(st.queue) > 0:
			p := st.queue[0]
			n := copy(st.queue, st.queue[1:])
			st.queue[n] = part{}
			st.queue = st.queue[:n]
			st.header = false
			st.mu.Unlock()
			err = st.writeAll(p.body.Bytes)
			p.body.release()
			st.mu.Lock()
		case st.header:
			st.header = false
			st.mu.Unlock()
			_, err = st.send.Write(nil)
			st.mu.Lock()
		case st.ending:
			st.mu.Unlock()
			err = st.send.Close()
			st.mu.Lock()
			if err == nil && !st.sendDone {
				st.flushed()
			}
		default:
			st.writing = false
			st.running--
			order.leave(&st.rank)
			st.unlock()
			return
		}
		if err != nil {
			st.broken(err)
		}
	}
	st.writing = false
	st.running--
	order.leave(&st.rank)
	st.unlock()
}

// flushed ends this side because all of it, its end included, is with QUIC. st.mu is held.
func (st *Stream) flushed() {
	st.endSend(OK)
	if st.readDone {
		return // STREAM_ENDED says it
	}
	rec, _ := st.s.c.sink.Reserve(Terminal, 0, nil)
	st.s.c.sink.Commit(rec, st.event(&Event{Type: EventWritable, Flags: FlagEnd}))
}

func (st *Stream) writeAll(b []byte) error {
	order := &st.s.order
	for len(b) > 0 {
		n := min(len(b), writePiece)
		if order.ranked.Load() {
			n = min(n, rankedPiece)
			order.enter(&st.rank, st.gone)
		}
		m, err := st.send.Write(b[:n])
		order.wrote(&st.rank)
		st.mu.Lock()
		if m > 0 && !st.finished {
			st.s.counters.bytesOut.Add(uint64(m))
			st.s.c.sink.Drained(st.handle, m)
		}
		st.mu.Unlock()
		if err != nil {
			return err
		}
		b = b[n:]
	}
	st.s.touch()
	return nil
}

// stopped is told by the watch on the stream.
func (st *Stream) stopped(cause error) {
	if cause == nil || errors.Is(cause, context.Canceled) || errors.Is(cause, quic.ErrStreamClosed) {
		return // this side has ended in the regular way
	}
	st.mu.Lock()
	st.broken(cause)
	st.unlock()
}

// broken ends this side for an error of it. st.mu is held.
func (st *Stream) broken(err error) {
	if st.sendDone {
		return
	}
	var (
		stop *webtransport.StreamError
		raw  *quic.StreamError
	)
	switch {
	case errors.As(err, &stop) && stop.Remote:
		st.stoppedBy(uint32(stop.ErrorCode))
	case errors.As(err, &raw) && raw.ErrorCode == webtransport.WTSessionGoneErrorCode:
		// The session's end follows, and ends the stream.
	case errors.As(err, &raw) && raw.Remote:
		st.stoppedBy(applicationCode(raw.ErrorCode))
	default:
		st.endSend(outcomeOf(err).code)
	}
}

func (st *Stream) stoppedBy(code uint32) {
	rec, _ := st.s.c.sink.Reserve(Terminal, 0, nil)
	st.s.c.sink.Commit(rec, st.event(&Event{Type: EventStreamStopped, Flags: FlagRemote, Aux: uint64(code)}))
	st.endSend(ErrReset)
}

// applicationCode is the 32-bit code that stands for code on the wire (draft-ietf-webtrans-http3, 4.4); 0 for one that is none.
func applicationCode(code quic.StreamErrorCode) uint32 {
	const first, last = 0x52e4a40fa8db, 0x52e5ac983162
	if code < first || code > last || (code-0x21)%0x1f == 0 {
		return 0
	}
	shifted := code - first
	return uint32(shifted - shifted/0x1f)
}
