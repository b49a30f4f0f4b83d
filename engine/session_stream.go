package engine

import (
	"context"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/webtransport-go"

	"zigh3/engine/sink"
)

// Kinds of a session's streams. The values are those of enum zig_h3_wt_stream_kind.
const (
	streamBidirectional  uint32 = 0
	streamUnidirectional uint32 = 1
)

// A Stream is a stream of a WebTransport session, from STREAM_OPENED to STREAM_ENDED. Sink.Issue gets it as the object of a handle
// of KindStream, or Sink.IssueFor. Its exported methods never block, may be called by one goroutine at a time (the reactor), and do
// nothing once the stream has ended.
type Stream struct {
	s      *Session
	handle sink.Handle
	kind   uint32
	rank   streamRank // of s.order

	mu       sync.Mutex
	send     sendSide // nil: not there yet, or the peer's unidirectional stream
	receive  receiveSide
	begun    bool // it is open: send and receive will not change
	sendDone bool
	readDone bool
	finished bool      // terminate was called
	code     sink.Code // why it ended, if not well
	running  int       // goroutines of its own, and the opener while it has it
	remote   bool      // the peer has opened it
	answered bool      // the consumer has done something with it
	givenUp  bool      // the peer has reset or stopped it
	patient  bool      // it waits for the peer's limit of streams
	gone     chan struct{}
	cutOff   bool // gone is closed

	queue     []part
	writing   bool
	header    bool    // the peer is to hear of the stream although nothing is written
	ending    bool    // End was called
	reset     *uint32 // Reset was called before the stream was there
	stop      *uint32
	stopping  bool                          // a STOP_SENDING waits to be sent
	afterStop *webtransport.StreamErrorCode // a reset waits for it
	unwatch   func() bool

	delivered, consumed uint64
	wake                chan struct{} // there is credit
}

// A sendSide is what webtransport-go has for writing.
type sendSide interface {
	Write([]byte) (int, error)
	Close() error
	CancelWrite(webtransport.StreamErrorCode)
	SetWriteDeadline(time.Time) error
	Context() context.Context
	StreamID() quic.StreamID
}

// A receiveSide is what it has for reading.
type receiveSide interface {
	Read([]byte) (int, error)
	CancelRead(webtransport.StreamErrorCode)
	SetReadDeadline(time.Time) error
	StreamID() quic.StreamID
}

func newStream(s *Session, kind uint32) *Stream {
	return &Stream{s: s, kind: kind, gone: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// takeStreams and takeUniStreams start the goroutines that take the peer's streams. Where it can be helped they do so when the first
// stream comes.
func (s *Session) takeStreams() { s.spawn("streams in", s.acceptStreams) }

func (s *Session) takeUniStreams() { s.spawn("uni streams in", s.acceptUniStreams) }

// acceptStreams takes the peer's bidirectional streams, acceptUniStreams its unidirectional ones.
func (s *Session) acceptStreams() {
	for {
		wt, err := s.wt.AcceptStream(s.ctx)
		if err != nil {
			return
		}
		s.accepted(streamBidirectional, wt, wt)
	}
}

func (s *Session) acceptUniStreams() {
	for {
		wt, err := s.wt.AcceptUniStream(s.ctx)
		if err != nil {
			return
		}
		s.accepted(streamUnidirectional, nil, wt)
	}
}

// accepted tells the consumer of a stream that the peer has opened.
func (s *Session) accepted(kind uint32, send sendSide, receive receiveSide) {
	st := newStream(s, kind)
	refuse := func() {
		receive.CancelRead(0)
		if send != nil {
			send.CancelWrite(0)
		}
	}
	if !s.add(st) {
		refuse()
		return
	}
	c := s.c
	h, ok := c.sink.Issue(sink.KindStream, s.handle, st)
	if !ok {
		s.remove(st)
		refuse()
		return
	}
	st.handle = h
	rec, ok := c.sink.Reserve(sink.Bulk, 0, s.ctx.Done())
	if !ok {
		c.sink.Release(h)
		s.remove(st)
		refuse()
		return
	}
	s.counters.streamsIn.Add(1)
	st.mu.Lock()
	st.send, st.receive, st.begun, st.sendDone, st.remote = send, receive, true, send == nil, true
	c.sink.Commit(rec, st.event(&sink.Event{Type: sink.EventStreamOpened, Flags: sink.FlagRemote, Status: kind, Aux: uint64(receive.StreamID())}))
	st.start()
	st.unlock()
	s.touch()
}

// opened tells the consumer that its stream is there, and does what it has asked for meanwhile.
func (st *Stream) opened(send sendSide, receive receiveSide) {
	c := st.s.c
	rec, _ := c.sink.Reserve(sink.Terminal, 0, nil)
	st.mu.Lock()
	st.send, st.receive, st.begun = send, receive, true
	if st.cutOff {
		c.sink.Abort(rec)
		send.CancelWrite(0)
		if receive != nil {
			receive.CancelRead(0)
		}
		st.unlock()
		return
	}
	st.s.counters.streamsOut.Add(1)
	c.sink.Commit(rec, st.event(&sink.Event{Type: sink.EventStreamOpened, Status: st.kind, Aux: uint64(send.StreamID())}))
	if st.stop != nil && receive != nil {
		st.cancelRead(webtransport.StreamErrorCode(*st.stop))
	}
	if st.reset != nil {
		st.cancelWrite(webtransport.StreamErrorCode(*st.reset))
	}
	st.header = !st.sendDone
	st.start()
	st.kick()
	st.unlock()
	st.s.touch()
}

// start sets up reading, and the watch for the peer's STOP_SENDING. st.mu is held.
func (st *Stream) start() {
	if st.receive != nil && !st.readDone {
		st.running++
		if !st.s.spawn("stream", st.read) {
			st.running--
		}
	}
	if st.send != nil && !st.sendDone {
		ctx := st.send.Context()
		st.unwatch = context.AfterFunc(ctx, func() { sink.Guard("stream stopped", func() { st.stopped(context.Cause(ctx)) }) })
	}
}

// event completes an event of the stream.
func (st *Stream) event(ev *sink.Event) *sink.Event {
	ev.Object, ev.Parent, ev.Conn, ev.UserData = st.handle, st.s.handle, st.s.c.handle, st.s.userData
	return ev
}

// unlock ends a critical section. Whoever leaves last after both sides have ended tells the end.
func (st *Stream) unlock() {
	last := st.sendDone && st.readDone && st.running == 0 && !st.finished
	if last {
		st.finished = true
	}
	unanswered := st.remote && st.givenUp && !st.answered
	st.mu.Unlock()
	if !last {
		return
	}
	c := st.s.c
	if unanswered {
		c.gaveUp()
	}
	rec, _ := c.sink.Reserve(sink.Terminal, 0, nil)
	c.sink.Release(st.handle)
	c.sink.Commit(rec, st.event(&sink.Event{Type: sink.EventStreamEnded, Code: st.code}))
	st.s.remove(st)
}

// endSend and endRead end a side; code is why, if not well. st.mu is held.
func (st *Stream) endSend(code sink.Code) {
	if st.sendDone {
		return
	}
	st.sendDone = true
	st.blame(code)
	for i := range st.queue {
		st.queue[i].body.Release()
		st.queue[i] = part{}
	}
	st.queue = st.queue[:0]
	if st.unwatch != nil {
		st.unwatch()
	}
}

func (st *Stream) endRead(code sink.Code) {
	if !st.readDone {
		st.readDone = true
		st.blame(code)
		st.quit()
	}
}

func (st *Stream) blame(code sink.Code) {
	if st.code == sink.OK {
		st.code = code
	}
}

// quit lets the reader go.
func (st *Stream) quit() {
	if !st.cutOff {
		st.cutOff = st.sendDone && st.readDone
		if st.cutOff {
			close(st.gone)
		}
	}
	select {
	case st.wake <- struct{}{}:
	default:
	}
}

// cut ends the stream because its session has ended. The library cancels it when the session is closed there.
func (st *Stream) cut(code sink.Code) {
	st.mu.Lock()
	st.endSend(code)
	st.endRead(code)
	if !st.cutOff {
		st.cutOff = true
		close(st.gone)
	}
	if st.send != nil {
		st.send.SetWriteDeadline(past)
	}
	if st.receive != nil {
		st.receive.SetReadDeadline(past)
	}
	st.unlock()
}

// Live calls f unless the stream has ended; until f returns it does not end, and its handle is nobody else's.
func (st *Stream) Live(f func()) {
	st.mu.Lock()
	if !st.finished {
		f()
	}
	st.unlock()
}

// SetPriority ranks the stream against others of its session for sending: in one group those with a higher order go first, groups
// share.
func (st *Stream) SetPriority(group uint32, order int64) { st.s.order.rank(&st.rank, group, order) }

// Stop tells the peer that no more of its side is wanted, with an application code.
func (st *Stream) Stop(code uint32) {
	st.mu.Lock()
	st.answered = true
	if !st.readDone {
		if st.receive != nil {
			st.cancelRead(webtransport.StreamErrorCode(code))
		}
		st.stop = &code
		st.endRead(sink.ErrCancelled)
	}
	st.unlock()
}

// Reset gives this side up, with an application code for the peer.
func (st *Stream) Reset(code uint32) {
	st.mu.Lock()
	st.answered = true
	if !st.sendDone {
		if st.send != nil {
			st.cancelWrite(webtransport.StreamErrorCode(code))
		}
		st.reset = &code
		st.endSend(sink.ErrCancelled)
	}
	st.unlock()
}
