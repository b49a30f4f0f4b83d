package session

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/message"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A Stream is a stream of a session, from STREAM_OPENED to STREAM_ENDED. Sink.Issue gets it as the object of a handle of KindStream, or
// Sink.IssueFor. Its exported methods never block, may be called by one goroutine at a time (the reactor), and do nothing once the stream
// has ended.
type Stream struct {
	s      *Session
	handle sink.Handle
	kind   uint32
	ours   bool
	rank   streamRank // of s.order

	// Of the peer's side, for flow control.
	read    atomic.Int64 // bytes that were read, without the header
	counted atomic.Int64 // of it, bytes that are in the session's account
	final   atomic.Int64 // 0: it is not known how many there are, else one more than that, with the header
	head    int64        // bytes of the header
	unread  atomic.Bool  // the stream has ended, and what was not read is still to be counted

	mu       sync.Mutex
	send     sendSide // nil: not there yet, or the peer's unidirectional stream
	receive  receiveSide
	out      message.Outbox
	in       message.Inbox
	sendDone bool
	sendCode sink.Code // why our side has ended
	readDone bool
	closed   bool // our side was ended on the wire
	readEnd  bool // the peer's side has ended
	answered bool // the consumer has done something with it
	givenUp  bool // the peer has reset or stopped it
	finished bool // terminate was called
	cutOff   bool // the session has ended
	gone     chan struct{}
	code     sink.Code // why it ended, if not well
	running  int       // goroutines of its own
	ending   bool      // End was called
	reset    *uint32   // Reset was called before the stream was there
	// resetting is the code of a reset that waits until what was committed is with QUIC.
	resetting *uint32
	stop      *uint32
	stopping  stopping
	unwatch   func() bool
}

// A sendSide is a stream of QUIC's for writing.
type sendSide interface {
	Write([]byte) (int, error)
	WriteWithLimit([]byte, func(int) int) (int, error)
	TryWriteAll([]byte) error
	Close() error
	CancelWrite(quic.StreamErrorCode)
	SetReliableBoundary()
	SetPriority(urgency int8, incremental bool)
	SetWriteDeadline(time.Time) error
	Context() context.Context
	StreamID() quic.StreamID
}

// A receiveSide is a stream of QUIC's for reading.
type receiveSide interface {
	Read([]byte) (int, error)
	Peek([]byte) (int, error)
	CancelRead(quic.StreamErrorCode)
	SetReadDeadline(time.Time) error
	SetReceiveFinalSizeCallback(func(int64))
	StreamID() quic.StreamID
}

// past is a deadline that has passed.
var past = time.Unix(1, 0)

func newStream(s *Session, kind uint32) *Stream {
	st := &Stream{s: s, kind: kind, gone: make(chan struct{})}
	st.out.Init(st, (*streamLine)(st), 0)
	return st
}

// arrived takes a stream of the peer's.
func (s *Session) arrived(e earlyStream) {
	s.mu.Lock()
	code := wire.ErrCodeSessionGone
	switch {
	case s.ending:
	case s.open:
		s.mu.Unlock()
		s.announce(e)
		return
	case len(s.early) >= s.set.o.EarlyStreams:
		code = wire.ErrCodeBufferedStreamRejected
		s.flow.theirStream(e.kind) // its peer counts it
		s.flow.theirStreamEnded(e.kind)
	default:
		s.early = append(s.early, e)
		code = 0
	}
	s.mu.Unlock()
	if code != 0 {
		e.refuse(code, s.unread)
	}
}

// announce tells the consumer of a stream that the peer has opened, and reads what is there of it. It may wait for room in the consumer's
// queue.
func (s *Session) announce(e earlyStream) {
	if !s.flow.theirStream(e.kind) {
		e.refuse(wire.ErrCodeFlowControl, nil)
		s.mu.Lock()
		s.giveUp(errOverrun("streams"))
		s.Unlock()
		return
	}
	c := s.c
	st := newStream(s, e.kind)
	st.send, st.receive, st.sendDone = e.send, e.receive, e.send == nil
	h, ok := c.Sink.Issue(sink.KindStream, s.handle, st)
	if !ok {
		s.refuse(&e)
		return
	}
	st.handle = h
	rec, ok := c.Sink.Reserve(sink.Bulk, 0, c.Done)
	if !ok {
		c.Sink.Release(h)
		s.refuse(&e)
		return
	}
	st.mu.Lock()
	s.mu.Lock()
	ok = s.add(st)
	if ok {
		s.counters.streamsIn.Add(1)
		c.Sink.Commit(rec, st.event(&sink.Event{Type: sink.EventStreamOpened, Flags: sink.FlagRemote, Status: st.kind, Aux: uint64(st.receive.StreamID())}))
	}
	s.mu.Unlock()
	if !ok {
		st.mu.Unlock()
		c.Sink.Abort(rec)
		c.Sink.Release(h)
		s.refuse(&e)
		return
	}
	st.startReading()
	st.watchSize(e.header)
	st.watch()
	st.Unlock()
	s.touch()
	st.readHere()
}

// refuse gives back a stream that cannot be told of. It counts as one that has ended.
func (s *Session) refuse(e *earlyStream) {
	e.refuse(wire.ErrCodeSessionGone, s.unread)
	if limit := s.flow.theirStreamEnded(e.kind); limit > 0 {
		s.mu.Lock()
		s.grant(e.kind, limit)
		s.Unlock()
	}
}

// watch sets up the watch for the peer's STOP_SENDING. st.mu is held.
func (st *Stream) watch() {
	if st.send != nil && !st.sendDone {
		st.unwatch = message.WatchSend(st.send, st.stopped)
	}
}

// event completes an event of the stream.
func (st *Stream) event(ev *sink.Event) *sink.Event {
	ev.Object, ev.Parent, ev.Conn, ev.UserData = st.handle, st.s.handle, st.s.c.Handle, st.s.userData
	return ev
}

// Lock implements message.Sender.
func (st *Stream) Lock() { st.mu.Lock() }

// Unlock implements message.Sender. Whoever leaves last after both sides have ended tells the end.
func (st *Stream) Unlock() {
	last := st.sendDone && st.readDone && st.running == 0 && !st.finished
	if last {
		st.finished = true
	}
	brokenOff := !st.ours && st.givenUp && !st.answered
	st.mu.Unlock()
	if !last {
		return
	}
	c := st.s.c
	if brokenOff {
		c.BrokenOff()
	}
	st.settleFlow()
	rec, _ := c.Sink.Reserve(sink.Terminal, 0, nil)
	c.Sink.Release(st.handle)
	c.Sink.Commit(rec, st.event(&sink.Event{Type: sink.EventStreamEnded, Code: st.code}))
	st.s.remove(st)
}

// spawn runs f on a goroutine that the stream's end waits for. st.mu is held.
func (st *Stream) spawn(name string, f func()) {
	st.running++
	st.s.c.Spawn(name, func() {
		defer func() {
			st.mu.Lock()
			st.running--
			st.Unlock()
		}()
		f()
	})
}

// endSend and endRead end a side; code is why, if not well. st.mu is held.
func (st *Stream) endSend(code sink.Code) {
	if st.sendDone {
		return
	}
	st.sendDone, st.sendCode = true, code
	st.blame(code)
	if n := st.out.Drop(); st.resetting != nil && n > 0 {
		st.s.c.Sink.Drained(st.handle, n) // it waits no more; at the reset the rest did
	}
	if st.unwatch != nil {
		st.unwatch()
	}
	st.over()
}

func (st *Stream) endRead(code sink.Code) {
	if !st.readDone {
		st.readDone = true
		st.blame(code)
		if st.receive != nil {
			st.in.Quit()
		}
		st.over()
	}
}

// over says that nobody waits for anything any more, once both sides have ended. st.mu is held.
func (st *Stream) over() {
	if st.sendDone && st.readDone {
		close(st.gone)
	}
}

func (st *Stream) blame(code sink.Code) {
	if st.code == sink.OK {
		st.code = code
	}
}

// fail ends a stream that was never there.
func (st *Stream) fail(code sink.Code) {
	st.mu.Lock()
	st.endSend(code)
	st.endRead(code)
	st.blame(code)
	st.Unlock()
}

// cut ends the stream because its session has ended. Its streams of QUIC's are given back later.
func (st *Stream) cut(code sink.Code) {
	st.mu.Lock()
	st.cutOff = true
	st.endSend(code)
	st.endRead(code)
	if st.send != nil {
		st.send.SetWriteDeadline(past)
	}
	if st.receive != nil {
		st.receive.SetReadDeadline(past)
	}
	if st.send != nil && !st.closed || st.receive != nil && !st.readEnd {
		st.s.mu.Lock()
		st.s.cutStreams = append(st.s.cutStreams, st)
		st.s.mu.Unlock()
	}
	st.Unlock()
}

// giveBack cancels what is left of a stream that was cut.
func (st *Stream) giveBack() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.send != nil && !st.closed {
		st.send.CancelWrite(quic.StreamErrorCode(wire.ErrCodeSessionGone))
	}
	if st.receive != nil && !st.readEnd {
		st.receive.CancelRead(quic.StreamErrorCode(wire.ErrCodeSessionGone))
	}
}

// Live calls f unless the stream has ended; until f returns it does not end, and its handle is nobody else's.
func (st *Stream) Live(f func()) {
	st.mu.Lock()
	if !st.finished {
		f()
	}
	st.Unlock()
}

// Silent calls f if the stream has not ended, but this side has: what was taken and did not leave never will. As long as what was committed
// is to arrive, it has not. Until f returns the stream does not end.
func (st *Stream) Silent(f func()) {
	st.mu.Lock()
	if !st.finished && st.sendDone {
		f()
	}
	st.Unlock()
}

// SetPriority ranks the stream against others of its session for sending: in one group those with a higher order go first, groups
// share.
func (st *Stream) SetPriority(group uint32, order int64) {
	st.mu.Lock()
	st.s.order.rank(&st.rank, group, order)
	st.Unlock()
}

// Stop tells the peer that no more of its side is wanted, with an application code.
func (st *Stream) Stop(code uint32) {
	st.mu.Lock()
	st.answered = true
	if !st.readDone {
		if st.receive != nil {
			st.cancelRead(code)
		} else {
			st.stop = &code
		}
		st.endRead(sink.ErrCancelled)
	}
	st.Unlock()
}

// Reset gives this side up, with an application code for the peer. What Commit has made reliable still arrives.
func (st *Stream) Reset(code uint32) {
	st.mu.Lock()
	st.answered = true
	if !st.sendDone && st.resetting == nil {
		switch {
		case st.send == nil:
			st.reset = &code
		case st.out.Owes() && st.s.c.KeepsReliable():
			st.resetting = &code
			st.out.Cut()
			st.Unlock()
			return
		default:
			st.cancelWrite(code)
		}
		st.endSend(sink.ErrCancelled)
	}
	st.Unlock()
}
