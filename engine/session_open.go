package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"zigh3/engine/sink"
)

// An opener opens a session's streams of one kind, in the order in which they were asked for. webtransport-go may keep whoever opens one
// waiting, for longer than anybody has: so a goroutine does it, never the reactor. Of its calls only those that wait are safe: the others
// hold a lock of the session's while they queue a capsule, and take it once more if there is no room for that.
type opener struct {
	mu      sync.Mutex
	waiting []*Stream
	runs    bool // its goroutine
	full    bool // the peer's limit is reached: the first stream waits for more
}

// openWait is how long a stream takes to open at most if the peer's limit lets it.
const openWait = 50 * time.Millisecond

// OpenStream opens a stream whose handle h the consumer's side has given out already. wait says that it waits for the peer's limit
// of streams instead of failing.
func (s *Session) OpenStream(h sink.Handle, unidirectional, wait bool) {
	st := newStream(s, streamBidirectional)
	if unidirectional {
		st.kind, st.readDone = streamUnidirectional, true
	}
	st.handle, st.patient = h, wait
	if !s.c.sink.IssueFor(h, st) {
		return
	}
	st.running++ // the opener's: until it is done with the stream, that does not end, and neither does the session
	if !s.add(st) {
		st.openedNot(sink.ErrClosed)
		return
	}
	o := &s.openers[st.kind]
	o.mu.Lock()
	if o.full && !wait {
		o.mu.Unlock()
		st.openedNot(sink.ErrQueueFull)
		return
	}
	o.waiting = append(o.waiting, st)
	begins := !o.runs
	o.runs = true
	o.mu.Unlock()
	if begins {
		s.spawn("open streams", func() { s.openStreams(o) })
	}
}

// openStreams is the opener's goroutine, for as long as there are streams to be opened.
func (s *Session) openStreams(o *opener) {
	for {
		o.mu.Lock()
		if len(o.waiting) == 0 {
			o.runs = false
			o.mu.Unlock()
			return
		}
		st := o.waiting[0]
		o.waiting = slices.Delete(o.waiting, 0, 1)
		o.mu.Unlock()
		s.openOne(o, st)
	}
}

func (s *Session) openOne(o *opener, st *Stream) {
	soon, cancel := context.WithTimeout(s.ctx, openWait)
	send, receive, err := s.openSync(soon, st.kind)
	cancel()
	if errors.Is(err, context.DeadlineExceeded) {
		for _, other := range o.limited() {
			other.openedNot(sink.ErrQueueFull)
		}
		if !st.patient {
			o.more()
			st.openedNot(sink.ErrQueueFull)
			return
		}
		send, receive, err = s.openSync(s.ctx, st.kind)
		o.more()
	}
	if err != nil {
		st.openedNot(sink.ErrClosed)
		return
	}
	st.opened(send, receive)
	st.mu.Lock()
	st.running--
	st.unlock()
}

// openSync opens a stream in the library.
func (s *Session) openSync(ctx context.Context, kind uint32) (sendSide, receiveSide, error) {
	if kind == streamUnidirectional {
		wt, err := s.wt.OpenUniStreamSync(ctx)
		return wt, nil, err
	}
	wt, err := s.wt.OpenStreamSync(ctx)
	return wt, wt, err
}

// limited notes that the peer's limit is reached, and gives the streams that do not wait for it.
func (o *opener) limited() (impatient []*Stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.full = true
	o.waiting = slices.DeleteFunc(o.waiting, func(st *Stream) bool {
		if !st.patient {
			impatient = append(impatient, st)
		}
		return !st.patient
	})
	return impatient
}

// more notes that the peer's limit may not be reached any more.
func (o *opener) more() {
	o.mu.Lock()
	o.full = false
	o.mu.Unlock()
}

// openedNot ends a stream that never was there, and that the opener had.
func (st *Stream) openedNot(code sink.Code) {
	st.mu.Lock()
	st.endSend(code)
	st.endRead(code)
	st.blame(code)
	st.running--
	st.unlock()
}
