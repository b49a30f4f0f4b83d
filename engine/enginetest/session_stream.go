package enginetest

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

type sendSide interface {
	io.WriteCloser
	WriteWithLimit([]byte, func(int) int) (int, error)
	CancelWrite(quic.StreamErrorCode)
	Context() context.Context
	SetWriteDeadline(time.Time) error
	SetReliableBoundary()
	StreamID() quic.StreamID
}

type receiveSide interface {
	io.Reader
	CancelRead(quic.StreamErrorCode)
	SetReadDeadline(time.Time) error
	SetReceiveFinalSizeCallback(func(int64))
	StreamID() quic.StreamID
}

// errNoSide is what the side of a unidirectional stream answers that it does not have.
var errNoSide = errors.New("the stream does not go this way")

// A Stream is one of a session's, of either kind.
type Stream struct {
	s       *Session
	send    sendSide    // nil: the server's unidirectional one
	receive receiveSide // nil: the client's
	remote  bool        // the server has opened it

	mu       sync.Mutex
	deadline time.Time     // of writes
	moved    chan struct{} // closed and made anew with it
	header   int64         // bytes in front of the server's data
	counted  int64         // of the server's data, by reads or by the final size
	final    bool          // counted is all
	sent     bool          // the client's side has ended
	read     bool          // the server's has
	gone     bool          // both have, and the session knows
}

func (s *Session) newStream(send sendSide, receive receiveSide) *Stream {
	return &Stream{s: s, send: send, receive: receive, moved: make(chan struct{}), sent: send == nil, read: receive == nil}
}

// take is given the server's streams once their header is read, with the length of the session's id.
func (s *Session) take(st *Stream, idLength int) {
	st.s, st.remote, st.moved = s, true, make(chan struct{})
	st.sent = st.send == nil
	st.header = int64(2 + idLength) // both types take two bytes
	uni := st.send == nil
	if err := s.credit.tookStream(uni); err != nil {
		s.c.t.Errorf("streams, unidirectional %v: %v", uni, err)
	}
	if !s.keep(st) {
		return
	}
	a := &s.bidi
	if uni {
		a = &s.uni
	}
	a.mu.Lock()
	a.queue = append(a.queue, st)
	a.mu.Unlock()
	wake(a.more)
}

// keep makes a stream one of the session's; false: that has ended.
func (s *Session) keep(st *Stream) bool {
	if st.receive != nil && s.credit != nil {
		st.receive.SetReceiveFinalSizeCallback(st.finalSize)
	}
	s.streams.Lock()
	ended := s.streams.ended
	if !ended {
		s.streams.all[st] = struct{}{}
	}
	s.streams.Unlock()
	if ended {
		st.cancel(CodeSessionGone)
	}
	return !ended
}

func (s *Session) accept(ctx context.Context, a *arrivals) (*Stream, error) {
	for {
		if cause := context.Cause(s.ctx); cause != nil {
			return nil, cause
		}
		a.mu.Lock()
		if len(a.queue) > 0 {
			st := a.queue[0]
			a.queue = a.queue[1:]
			if len(a.queue) > 0 {
				wake(a.more)
			}
			a.mu.Unlock()
			return st, nil
		}
		a.mu.Unlock()
		select {
		case <-a.more:
		case <-s.ctx.Done():
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// AcceptStream waits for a bidirectional stream of the server's. Behind the session's end the error is that.
func (s *Session) AcceptStream(ctx context.Context) (*Stream, error) { return s.accept(ctx, &s.bidi) }

// AcceptUniStream waits for a unidirectional one.
func (s *Session) AcceptUniStream(ctx context.Context) (*Stream, error) {
	return s.accept(ctx, &s.uni)
}

// open opens a stream, at once or not at all unless it may wait.
func (s *Session) open(ctx context.Context, uni, mayWait bool) (*Stream, error) {
	for {
		if cause := context.Cause(s.ctx); cause != nil {
			return nil, cause
		}
		credit := s.credit.open(uni)
		if credit == nil {
			break
		}
		if !mayWait {
			return nil, ErrStreamLimit
		}
		select {
		case <-credit:
		case <-s.ctx.Done():
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	st, err := s.openQUIC(ctx, uni, mayWait)
	if err != nil {
		s.credit.unopen(uni)
		return nil, err
	}
	typ := FrameSessionBidi
	if uni {
		typ = StreamSessionUni
	}
	if _, err := st.send.Write(Varints(typ, s.ID())); err != nil {
		st.cancel(CodeSessionGone)
		return nil, err
	}
	st.send.SetReliableBoundary()
	if !s.keep(st) {
		return nil, context.Cause(s.ctx)
	}
	return st, nil
}

func (s *Session) openQUIC(ctx context.Context, uni, mayWait bool) (*Stream, error) {
	q := s.c.Conn
	switch {
	case uni && mayWait:
		st, err := q.OpenUniStreamSync(ctx)
		return s.newStream(st, nil), err
	case uni:
		st, err := q.OpenUniStream()
		return s.newStream(st, nil), err
	case mayWait:
		st, err := q.OpenStreamSync(ctx)
		return s.newStream(st, st), err
	default:
		st, err := q.OpenStream()
		return s.newStream(st, st), err
	}
}

// OpenStream opens a bidirectional stream, if the limits of the connection and the session allow it now: ErrStreamLimit is the session's.
func (s *Session) OpenStream() (*Stream, error) { return s.open(s.ctx, false, false) }

// OpenUniStream opens a unidirectional one.
func (s *Session) OpenUniStream() (*Stream, error) { return s.open(s.ctx, true, false) }

// OpenStreamSync opens a bidirectional stream as soon as the limits allow it.
func (s *Session) OpenStreamSync(ctx context.Context) (*Stream, error) {
	return s.open(ctx, false, true)
}

// OpenUniStreamSync opens a unidirectional one.
func (s *Session) OpenUniStreamSync(ctx context.Context) (*Stream, error) {
	return s.open(ctx, true, true)
}

// StreamID is the stream's.
func (st *Stream) StreamID() quic.StreamID {
	if st.send != nil {
		return st.send.StreamID()
	}
	return st.receive.StreamID()
}

// Context ends with the client's side of the stream.
func (st *Stream) Context() context.Context { return st.send.Context() }

// Write sends data, as the credit of QUIC and of the session allows.
func (st *Stream) Write(p []byte) (int, error) {
	if st.send == nil {
		return 0, errNoSide
	}
	n, err := st.write(p)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		st.end(true)
	}
	return n, st.because(err)
}

func (st *Stream) write(p []byte) (written int, err error) {
	credit := st.s.credit
	if credit == nil || credit.ignore || len(p) == 0 {
		return st.send.Write(p)
	}
	for {
		update := credit.update()
		n, err := st.send.WriteWithLimit(p[written:], credit.spend)
		written += n
		if !errors.Is(err, quic.ErrWriteLimitReached) {
			return written, err
		}
		credit.tellBlocked()
		if err := st.waitForCredit(update); err != nil {
			return written, err
		}
	}
}

func (st *Stream) waitForCredit(update <-chan struct{}) error {
	for {
		st.mu.Lock()
		deadline, moved := st.deadline, st.moved
		st.mu.Unlock()
		var late <-chan time.Time
		if !deadline.IsZero() {
			late = time.After(time.Until(deadline))
		}
		select {
		case <-update:
			return nil
		case <-st.send.Context().Done():
			return context.Cause(st.send.Context())
		case <-late:
			return os.ErrDeadlineExceeded
		case <-moved:
		}
	}
}

// Read reads data of the server's.
func (st *Stream) Read(p []byte) (int, error) {
	if st.receive == nil {
		return 0, errNoSide
	}
	n, err := st.receive.Read(p)
	st.mu.Lock()
	count := uint64(n)
	if st.final {
		count = 0
	}
	st.counted += int64(count)
	st.mu.Unlock()
	st.count(count)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		st.end(false)
	}
	return n, st.because(err)
}

// finalSize is told by quic-go how long the server's side is in all, header included.
func (st *Stream) finalSize(size int64) {
	st.mu.Lock()
	rest := size - st.header - st.counted
	st.counted += rest
	st.final = true
	st.mu.Unlock()
	st.count(uint64(max(rest, 0)))
}

func (st *Stream) count(n uint64) {
	if err := st.s.credit.tookData(n); err != nil {
		st.s.c.t.Errorf("bytes of a session: %v", err)
	}
}

// because makes of an error of QUIC's one of the stream's, or of the session's if that is why.
func (st *Stream) because(err error) error {
	var reset *quic.StreamError
	if !errors.As(err, &reset) {
		return err
	}
	if reset.ErrorCode == CodeSessionGone {
		// The streams of a session may be quicker than its end.
		ctx, cancel := patient()
		defer cancel()
		select {
		case <-st.s.ctx.Done():
			return context.Cause(st.s.ctx)
		case <-ctx.Done():
			return err
		}
	}
	if code, ok := AppCode(reset.ErrorCode); ok {
		return &StreamError{Code: code, Remote: reset.Remote}
	}
	return err
}

// Close ends the client's side.
func (st *Stream) Close() error {
	if st.send == nil {
		return errNoSide
	}
	err := st.send.Close()
	st.end(true)
	return st.because(err)
}

// CancelWrite resets the client's side with a code of the application.
func (st *Stream) CancelWrite(code uint32) {
	if st.send != nil {
		st.send.CancelWrite(StreamCode(code))
		st.end(true)
	}
}

// CancelRead stops the server's.
func (st *Stream) CancelRead(code uint32) { st.CancelReadWith(StreamCode(code)) }

// CancelReadWith stops it with a code that is no application's.
func (st *Stream) CancelReadWith(code quic.StreamErrorCode) {
	if st.receive != nil {
		st.receive.CancelRead(code)
		st.end(false)
	}
}

// cancel ends both sides with a code of QUIC's.
func (st *Stream) cancel(code quic.StreamErrorCode) {
	if st.receive != nil {
		st.receive.CancelRead(code)
	}
	if st.send != nil {
		st.send.CancelWrite(code)
	}
}

// end notes the end of a side. With the second the session has room for another stream.
func (st *Stream) end(client bool) {
	st.mu.Lock()
	if client {
		st.sent = true
	} else {
		st.read = true
	}
	first := st.sent && st.read && !st.gone
	st.gone = st.gone || first
	st.mu.Unlock()
	if !first {
		return
	}
	st.s.streams.Lock()
	delete(st.s.streams.all, st)
	st.s.streams.Unlock()
	if st.remote {
		st.s.credit.endedStream(st.send == nil)
	}
}

// SetDeadline bounds reads and writes.
func (st *Stream) SetDeadline(t time.Time) error {
	return errors.Join(st.SetReadDeadline(t), st.SetWriteDeadline(t))
}

// SetReadDeadline bounds reads.
func (st *Stream) SetReadDeadline(t time.Time) error {
	if st.receive == nil {
		return nil
	}
	return st.receive.SetReadDeadline(t)
}

// SetWriteDeadline bounds writes.
func (st *Stream) SetWriteDeadline(t time.Time) error {
	if st.send == nil {
		return nil
	}
	st.mu.Lock()
	st.deadline = t
	close(st.moved)
	st.moved = make(chan struct{})
	st.mu.Unlock()
	return st.send.SetWriteDeadline(t)
}
