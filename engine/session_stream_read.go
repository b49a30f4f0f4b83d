package engine

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/quic-go/webtransport-go"

	"zigh3/engine/sink"
)

const (
	// idleRead is how much room a stream holds while it waits for data. webtransport-go has no way to wait without.
	idleRead = 2 << 10
	// busyRead is how long one that has filled its room waits for more with a large one.
	busyRead = 5 * time.Millisecond
)

var idleBuffers = sync.Pool{New: func() any { return new([idleRead]byte) }}

// read delivers what comes on the stream. It runs on a goroutine of its own.
func (st *Stream) read() {
	code, err := st.deliver()
	st.mu.Lock()
	var reset *webtransport.StreamError
	switch {
	case st.readDone: // stopped or cut
	case err == io.EOF:
		st.endRead(sink.OK)
	case errors.As(err, &reset) && reset.Remote:
		st.resetBy(uint32(reset.ErrorCode))
	case err != nil && strings.HasPrefix(err.Error(), noApplicationCode):
		st.resetBy(0)
	default:
		st.endRead(code)
	}
	st.running--
	st.unlock()
}

// noApplicationCode is how webtransport-go begins to tell of a reset whose code is not one of WebTransport's. It says no more.
const noApplicationCode = "stream reset, but failed to convert"

func (st *Stream) resetBy(code uint32) {
	st.givenUp = true
	rec, _ := st.s.c.sink.Reserve(sink.Terminal, 0, nil)
	st.s.c.sink.Commit(rec, st.event(&sink.Event{Type: sink.EventStreamReset, Flags: sink.FlagRemote, Aux: uint64(code)}))
	st.endRead(sink.ErrReset)
}

// deliver runs until the peer's side ends, or nobody wants it. code says why, where err is not the peer's doing.
func (st *Stream) deliver() (code sink.Code, err error) {
	var total uint64
	large := false
	for {
		room, ok := st.room()
		if !ok {
			return sink.ErrCancelled, errNobodyWants
		}
		var n int
		n, large, err = st.readSome(room, large, total)
		total += uint64(n)
		if err != nil {
			return outcomeOf(err).code, err
		}
	}
}

// readSome reads once and delivers what came.
func (st *Stream) readSome(room int, large bool, total uint64) (n int, more bool, err error) {
	var buf []byte
	if large {
		b := bodyBuffers.Get().(*[largestBody]byte)
		defer bodyBuffers.Put(b)
		buf = b[:min(room, largestBody)]
		st.deadline(time.Now().Add(busyRead))
	} else {
		b := idleBuffers.Get().(*[idleRead]byte)
		defer idleBuffers.Put(b)
		buf = b[:min(room, idleRead)]
	}
	n, err = st.receive.Read(buf)
	if large {
		st.deadline(time.Time{})
	}
	late := errors.Is(err, os.ErrDeadlineExceeded)
	if late && large {
		err = nil
	}
	if (n > 0 || err == io.EOF) && !st.emit(buf[:n], total, err == io.EOF) {
		return n, false, errNobodyWants
	}
	return n, n >= idleRead && !late, err
}

// deadline sets the reader's, unless the stream was cut, which has set its own for good.
func (st *Stream) deadline(t time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.cutOff {
		st.receive.SetReadDeadline(t)
	}
}

// room waits until the consumer may be given more, and says how much.
func (st *Stream) room() (int, bool) {
	window := uint64(st.s.c.s.options.ReceiveWindow)
	for {
		st.mu.Lock()
		waiting, done := st.delivered-st.consumed, st.readDone
		st.mu.Unlock()
		switch {
		case done:
			return 0, false
		case waiting < window:
			return int(min(window-waiting, largestBody)), true
		}
		<-st.wake
	}
}

// emit delivers bytes, unless nobody wants them any more.
func (st *Stream) emit(data []byte, before uint64, end bool) bool {
	c := st.s.c
	rec, ok := c.sink.Reserve(sink.Bulk, len(data), st.gone)
	if !ok {
		return false
	}
	copy(rec.Payload, data)
	ev := sink.Event{Type: sink.EventStreamData, DataLen: uint32(len(data)), Aux: before}
	if end {
		ev.Flags = sink.FlagEnd
	}
	st.mu.Lock()
	wanted := !st.readDone
	if wanted {
		st.delivered += uint64(len(data))
		c.sink.Commit(rec, st.event(&ev))
	}
	st.mu.Unlock()
	if !wanted {
		c.sink.Abort(rec)
		return false
	}
	st.s.counters.bytesIn.Add(uint64(len(data)))
	st.s.touch()
	return true
}

// Consumed says that the consumer has dealt with n bytes.
func (st *Stream) Consumed(n uint64) {
	st.mu.Lock()
	st.answered = true
	st.consumed = min(st.consumed+n, st.delivered)
	st.mu.Unlock()
	select {
	case st.wake <- struct{}{}:
	default:
	}
}
