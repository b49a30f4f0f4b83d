package session

import (
	"errors"
	"slices"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// waitingMost is how many streams of a kind may wait for the peer's limit, of a session or of a connection.
const waitingMost = 4096

// OpenStream opens a stream whose handle h the consumer's side has given out already. wait says that it waits for the peer's limit
// of streams instead of failing, as long as not too many do.
func (s *Session) OpenStream(h sink.Handle, unidirectional, wait bool) {
	if s.waits() {
		s.wish.refuseStream(h, s)
		return
	}
	kind := Bidirectional
	if unidirectional {
		kind = Unidirectional
	}
	st := newStream(s, kind)
	st.handle, st.ours, st.readDone = h, true, unidirectional
	if !s.c.Sink.IssueFor(h, st) {
		return
	}
	s.mu.Lock()
	code := sink.ErrClosed
	allowed := false
	if s.add(st) {
		var limit uint64
		// Those that wait already come first, and the peer was told.
		if allowed = len(s.waiting[kind]) == 0; allowed {
			if limit, allowed = s.flow.open(kind); !allowed {
				s.tellBlocked(kind, limit)
			}
		}
		switch {
		case allowed:
			code = sink.OK
		case wait && len(s.waiting[kind]) < waitingMost:
			s.waiting[kind] = append(s.waiting[kind], st)
			code = sink.OK
		default:
			code = sink.ErrQueueFull
		}
	}
	s.Unlock()
	switch {
	case code != sink.OK:
		st.fail(code)
	case allowed:
		s.set.open(st, wait)
	}
}

// moreStreams takes a limit that the peer has raised. s.mu is held.
func (s *Session) moreStreams(kind uint32, limit uint64) error {
	if err := s.flow.raiseStreams(kind, limit); err != nil {
		return err
	}
	s.openWaiting(kind)
	return nil
}

// openWaiting opens those that wait for the peer's limit, as far as it goes. s.mu is held.
func (s *Session) openWaiting(kind uint32) {
	for len(s.waiting[kind]) > 0 {
		if limit, ok := s.flow.open(kind); !ok {
			s.tellBlocked(kind, limit)
			break
		}
		s.later.some = true
		s.later.open = append(s.later.open, s.waiting[kind][0])
		s.waiting[kind][0] = nil
		s.waiting[kind] = s.waiting[kind][1:]
	}
}

// An openQueue is those of our streams that wait for QUIC's limit, in order. It belongs to the set's lock.
type openQueue struct {
	waiting []*Stream
	running bool // a goroutine opens them
}

// open opens a stream that its session allows.
func (t *Set) open(st *Stream, wait bool) {
	t.mu.Lock()
	q := &t.opening[st.kind]
	if len(q.waiting) > 0 { // in front of it
		t.wait(q, st, wait)
		return
	}
	t.mu.Unlock()
	send, receive, err := t.openNow(st.kind)
	if err == nil {
		st.opened(send, receive)
		return
	}
	var full *quic.StreamLimitReachedError
	if errors.As(err, &full) {
		t.mu.Lock()
		t.wait(q, st, wait)
		return
	}
	st.s.flow.unopen(st.kind)
	st.fail(sink.ErrClosed)
}

// wait leaves a stream to the goroutine that opens those that wait, if it is to wait. t.mu is held, and given up.
func (t *Set) wait(q *openQueue, st *Stream, wait bool) {
	if !wait || len(q.waiting) >= waitingMost {
		t.mu.Unlock()
		st.s.flow.unopen(st.kind)
		st.fail(sink.ErrQueueFull)
		return
	}
	q.waiting = append(q.waiting, st)
	start := !q.running
	q.running = true
	t.mu.Unlock()
	if start {
		t.c.Spawn("open streams", func() { t.openAll(st.kind) })
	}
}

// unwait takes a stream that has ended out of those that wait, so that it leaves its place to the next, and reports whether it was there.
func (t *Set) unwait(st *Stream) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := &t.opening[st.kind]
	i := slices.Index(q.waiting, st)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// openAll opens the streams that wait, as the peer lets it.
func (t *Set) openAll(kind uint32) {
	q := &t.opening[kind]
	for {
		send, receive, err := t.openSync(kind)
		t.mu.Lock()
		waiting := q.waiting
		if err == nil && len(waiting) > 1 {
			q.waiting = waiting[1:]
		} else {
			q.waiting, q.running = nil, false
		}
		t.mu.Unlock()
		switch {
		case err != nil:
			for _, st := range waiting {
				st.s.flow.unopen(kind)
				st.fail(sink.ErrClosed)
			}
			return
		case len(waiting) == 0: // all of them have ended: this one is nobody's
			cancel(send, receive, wire.ErrCodeSessionGone, wire.ErrCodeSessionGone)
			return
		}
		waiting[0].opened(send, receive)
		if len(waiting) == 1 {
			return
		}
	}
}

// cancel gives up what was opened.
func cancel(send sendSide, receive receiveSide, reset, stop http3.ErrCode) {
	if receive != nil {
		receive.CancelRead(quic.StreamErrorCode(stop))
	}
	send.CancelWrite(quic.StreamErrorCode(reset))
}

func (t *Set) openNow(kind uint32) (sendSide, receiveSide, error) {
	if kind == Unidirectional {
		s, err := t.c.QUIC.OpenUniStream()
		return s, nil, err
	}
	s, err := t.c.QUIC.OpenStream()
	return s, s, err
}

func (t *Set) openSync(kind uint32) (sendSide, receiveSide, error) {
	if kind == Unidirectional {
		s, err := t.c.QUIC.OpenUniStreamSync(t.ctx)
		return s, nil, err
	}
	s, err := t.c.QUIC.OpenStreamSync(t.ctx)
	return s, s, err
}

// opened tells the consumer that its stream is there, and does what it has asked for meanwhile.
func (st *Stream) opened(send sendSide, receive receiveSide) {
	c := st.s.c
	rec, _ := c.Sink.Reserve(sink.Terminal, 0, nil)
	st.mu.Lock()
	// The peer is to hear of the stream although nothing is written, and whose it is although it is reset: it counts all the session's. So
	// little is with QUIC at once, and where that takes nothing any more the watch says why.
	_, _ = send.Write(wire.AppendStreamHeader(nil, st.kind == Unidirectional, st.s.id))
	send.SetReliableBoundary()
	if st.cutOff || st.finished {
		st.gaveUp(send, receive)
		st.mu.Unlock()
		c.Sink.Abort(rec)
		return
	}
	st.send, st.receive = send, receive
	st.s.counters.streamsOut.Add(1)
	c.Sink.Commit(rec, st.event(&sink.Event{Type: sink.EventStreamOpened, Status: st.kind, Aux: uint64(send.StreamID())}))
	if receive != nil {
		st.startReading()
		st.watchSize(0)
	}
	if st.stop != nil {
		st.cancelRead(*st.stop)
	}
	if st.reset != nil {
		st.cancelWrite(*st.reset)
	}
	st.watch()
	if !st.sendDone {
		st.out.Kick()
	}
	if receive != nil && !st.readDone {
		st.spawn("stream", st.readOn)
	}
	st.Unlock()
	st.s.touch()
}

// gaveUp gives back what was opened for a stream that has ended meanwhile. st.mu is held.
func (st *Stream) gaveUp(send sendSide, receive receiveSide) {
	reset, stop := http3.ErrCode(wire.ErrCodeSessionGone), http3.ErrCode(wire.ErrCodeSessionGone)
	if st.reset != nil && !st.cutOff {
		reset = http3.ErrCode(wire.WTCode(*st.reset))
	}
	if st.stop != nil && !st.cutOff {
		stop = http3.ErrCode(wire.WTCode(*st.stop))
	}
	if st.receive = receive; receive != nil {
		st.unread.Store(true) // what its peer sends all the same counts
		st.watchSize(0)
	}
	cancel(send, receive, reset, stop)
}
