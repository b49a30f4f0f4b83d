package session

import (
	"errors"

	"github.com/quic-go/quic-go"

	"zigh3/engine/message"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// OpenStream opens a stream whose handle h the consumer's side has given out already. wait says that it waits for the peer's limit
// of streams instead of failing.
func (s *Session) OpenStream(h sink.Handle, unidirectional, wait bool) {
	kind := Bidirectional
	if unidirectional {
		kind = Unidirectional
	}
	st := newStream(s, kind)
	st.handle, st.ours, st.header, st.readDone = h, true, true, unidirectional
	if !s.c.Sink.IssueFor(h, st) {
		return
	}
	s.mu.Lock()
	code := sink.ErrClosed
	allowed := false
	if s.add(st) {
		var limit uint64
		// Those that wait already come first.
		if allowed = len(s.waiting[kind]) == 0; allowed {
			limit, allowed = s.flow.open(kind)
		}
		switch {
		case allowed:
			code = sink.OK
		case wait:
			s.waiting[kind] = append(s.waiting[kind], st)
			code = sink.OK
		default:
			code = sink.ErrQueueFull
		}
		if !allowed {
			s.due.blocked[kind], s.due.streamsBlocked[kind] = true, limit
			s.flush()
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
	for len(s.waiting[kind]) > 0 {
		if _, ok := s.flow.open(kind); !ok {
			break
		}
		s.later.some = true
		s.later.open = append(s.later.open, s.waiting[kind][0])
		s.waiting[kind][0] = nil
		s.waiting[kind] = s.waiting[kind][1:]
	}
	return nil
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
	if !wait {
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

// openAll opens the streams that wait, as the peer lets it. One that has ended meanwhile leaves its place to the next.
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
		if err != nil {
			for _, st := range waiting {
				st.s.flow.unopen(kind)
				st.fail(sink.ErrClosed)
			}
			return
		}
		waiting[0].opened(send, receive)
		if len(waiting) == 1 {
			return
		}
	}
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
	if st.cutOff || st.finished {
		st.mu.Unlock()
		c.Sink.Abort(rec)
		send.CancelWrite(quic.StreamErrorCode(wire.ErrCodeSessionGone))
		if receive != nil {
			receive.CancelRead(quic.StreamErrorCode(wire.ErrCodeSessionGone))
		}
		return
	}
	st.send, st.receive = send, receive
	st.s.counters.streamsOut.Add(1)
	c.Sink.Commit(rec, st.event(&sink.Event{Type: sink.EventStreamOpened, Status: st.kind, Aux: uint64(send.StreamID())}))
	if receive != nil {
		st.watchSize(0)
		st.startReading()
	}
	if st.stop != nil {
		st.cancelRead(*st.stop)
	}
	if st.reset != nil {
		st.header = false
		if send.TryWriteAll(st.appendHeader(nil)) == nil { // else the peer could not know whose it is
			send.SetReliableBoundary()
		}
		st.cancelWrite(*st.reset)
	}
	st.watch()
	if !st.sendDone {
		if st.out.Idle() {
			st.out.Put(&message.Part{}) // the peer is to hear of the stream although nothing is written
		} else {
			st.out.Kick()
		}
	}
	if receive != nil && !st.readDone {
		st.spawn("stream", st.readOn)
	}
	st.Unlock()
	st.s.touch()
}
