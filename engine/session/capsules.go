package session

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/message"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A dueCapsules is what the peer is to be told and was not yet. Of each kind only the newest matters, so that a peer which takes nothing
// makes nothing grow. The zero value is nothing.
type dueCapsules struct {
	drain          bool
	maxData        uint64
	maxStreams     [2]uint64
	dataBlocked    uint64 // the limit that is used up
	streamsBlocked [2]uint64
	blocked        [3]bool // of the limits that are used up: a limit may be 0
}

var (
	maxStreamsCapsule     = [2]uint64{wire.CapsuleMaxStreamsBidi, wire.CapsuleMaxStreamsUni}
	streamsBlockedCapsule = [2]uint64{wire.CapsuleStreamsBlockedBidi, wire.CapsuleStreamsBlockedUni}
)

// take makes capsules of what is due.
func (d *dueCapsules) take() (b []byte) {
	if d.drain {
		b = wire.AppendCapsule(b, wire.CapsuleDrain, nil)
	}
	if d.maxData > 0 {
		b = wire.AppendCapsuleVarint(b, wire.CapsuleMaxData, d.maxData)
	}
	if d.blocked[ofBytes] {
		b = wire.AppendCapsuleVarint(b, wire.CapsuleDataBlocked, d.dataBlocked)
	}
	for kind := range d.maxStreams {
		if d.maxStreams[kind] > 0 {
			b = wire.AppendCapsuleVarint(b, maxStreamsCapsule[kind], d.maxStreams[kind])
		}
		if d.blocked[kind] {
			b = wire.AppendCapsuleVarint(b, streamsBlockedCapsule[kind], d.streamsBlocked[kind])
		}
	}
	*d = dueCapsules{}
	return b
}

// tellBlocked tells the peer that a limit of its holds us up: once for each limit. s.mu is held.
func (s *Session) tellBlocked(what uint32, limit uint64) {
	if s.blockedAt[what] == limit+1 {
		return
	}
	s.blockedAt[what] = limit + 1
	s.due.blocked[what] = true
	if what == ofBytes {
		s.due.dataBlocked = limit
	} else {
		s.due.streamsBlocked[what] = limit
	}
	s.flush()
}

// grant tells the peer of a limit that is higher than before, unless it was told of a still higher one meanwhile: those who raise one do so
// on goroutines of their own, and may come here in another order. s.mu is held.
func (s *Session) grant(what uint32, limit uint64) {
	if limit <= s.granted[what] {
		return
	}
	s.granted[what] = limit
	if what == ofBytes {
		s.due.maxData = limit
	} else {
		s.due.maxStreams[what] = limit
	}
	s.flush()
}

// flush sends what is due, unless something is being written: then it is sent behind that. s.mu is held.
func (s *Session) flush() {
	if !s.open || s.ending || !s.out.Idle() {
		return
	}
	if b := s.due.take(); len(b) > 0 {
		s.out.Put(&message.Part{Body: sink.Chunk{Bytes: b}})
		s.out.Fresh()
	}
}

// Begin implements message.Sender. The writer of the CONNECT stream is not waited for: the end of a session does not depend on its peer.
func (s *Session) Begin(name string, f func()) bool {
	s.c.Spawn(name, f)
	return true
}

// Leave implements message.Sender.
func (s *Session) Leave() {}

// Left implements message.Sender.
func (s *Session) Left(*message.Part, int) {}

// Atomic implements message.Sender.
func (s *Session) Atomic(int, error) {}

// Flushed implements message.Sender.
func (s *Session) Flushed() {}

// Over implements message.Sender.
func (s *Session) Over() bool { return s.released }

// Rested implements message.Sender.
func (s *Session) Rested() {
	s.flush()
	s.settle()
}

// Failed implements message.Sender.
func (s *Session) Failed(err error) {
	s.out.Drop()
	switch {
	case s.ending:
		s.settle()
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.c.Stats.Add(sink.StatTimeouts, 1)
		s.giveUp(&wire.CapsuleError{Code: http3.ErrCodeExcessiveLoad, Reason: "the peer takes no capsules"})
	default:
		s.cannotSend(err)
	}
}

// A capsuleBudget counts capsules that tell nothing new: a peer must not keep us busy with them.
type capsuleBudget struct {
	n     int
	since time.Time
}

// spend counts one, and reports whether there may be no more.
func (b *capsuleBudget) spend(most int, window time.Duration) bool {
	if now := time.Now(); now.Sub(b.since) > window {
		b.since, b.n = now, 0
	}
	b.n++
	return b.n > most
}

// capsuleBuffers hold what was read of a CONNECT stream. A session has one only while something is there.
var capsuleBuffers = sync.Pool{New: func() any { return new([2 << 10]byte) }}

// read reads the CONNECT stream until nothing of the session is left on the wire. It is the session's goroutine.
func (s *Session) read() {
	err := s.readAll()
	s.mu.Lock()
	s.readEnd(err)
	s.peerEnded = err == io.EOF
	s.readerGone = true
	s.settle()
	s.Unlock()
}

// readAll reads until the peer's side has ended, or is not waited for any more. What stands in front of the decision is left where it is, but
// for the end: a peer that does not want its session any more is not to be decided about.
func (s *Session) readAll() error {
	for watching := false; ; {
		if err := s.x.Wait(0); err != nil {
			return err
		}
		s.mu.Lock()
		read := s.open || s.ending
		s.mu.Unlock()
		end := s.atEnd()
		switch {
		case end && s.x.Reader.Between():
			return io.EOF // which is left to be read later
		case end, read:
			if err := s.readOnce(); err != nil {
				return err
			}
			continue
		}
		if !watching {
			watching = true
			s.x.OnEnd(s.nudge) // a reset shows although something was not read
		}
		<-s.wake
	}
}

// atEnd reports whether nothing came before the end of the peer's side.
func (s *Session) atEnd() bool {
	var one [1]byte
	_, err := s.x.S.Peek(one[:])
	return err == io.EOF
}

// nudge has the reader look again.
func (s *Session) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Session) readOnce() error {
	buf := capsuleBuffers.Get().(*[2 << 10]byte)
	defer capsuleBuffers.Put(buf)
	n, err := s.x.Read(buf[:])
	s.mu.Lock()
	defer s.Unlock()
	if n > 0 && (err == nil || err == io.EOF) {
		if cerr := s.feed(buf[:n]); cerr != nil {
			return cerr
		}
	}
	return err
}

var errBehindClose = &wire.CapsuleError{Code: http3.ErrCodeMessageError, Reason: "more behind the CLOSE capsule"}

var errCutCapsule = &wire.CapsuleError{Code: http3.ErrCodeMessageError, Reason: "the stream ended inside a capsule"}

// feed takes bytes of capsules. s.mu is held.
func (s *Session) feed(p []byte) error {
	if s.peerClosed {
		return errBehindClose
	}
	if s.ending {
		return nil
	}
	return s.incoming.Feed(p, s.capsule)
}

// capsule deals with one capsule of the peer's. s.mu is held.
func (s *Session) capsule(c wire.Capsule) error {
	useless := false
	var err error
	switch c.Type {
	case wire.CapsuleClose:
		if s.peerClosed {
			return errBehindClose
		}
		s.peerClosed = true
		s.closedByPeer(c.Code, string(c.Reason))
	case wire.CapsuleDrain:
		useless = s.peerDrained
		s.peerDrained = true
		if !useless && !s.ending {
			s.tellDraining()
		}
	case wire.CapsuleMaxData:
		useless, err = s.flow.raiseData(c.Value)
	case wire.CapsuleMaxStreamsBidi:
		err = s.moreStreams(Bidirectional, c.Value)
	case wire.CapsuleMaxStreamsUni:
		err = s.moreStreams(Unidirectional, c.Value)
	case wire.CapsuleDataBlocked: // there is nothing that we would do about these three
		useless = !s.flow.blocked(ofBytes)
	case wire.CapsuleStreamsBlockedBidi:
		useless = !s.flow.blocked(Bidirectional)
	case wire.CapsuleStreamsBlockedUni:
		useless = !s.flow.blocked(Unidirectional)
	}
	if err == nil && s.peerClosed && c.Type != wire.CapsuleClose {
		err = errBehindClose
	}
	if err == nil && useless && s.budget.spend(s.set.o.CapsuleBudget, s.c.ResetPeriod) {
		err = &wire.CapsuleError{Code: http3.ErrCodeExcessiveLoad, Reason: "too many capsules that say nothing new"}
	}
	return err
}

// readEnd ends the session for the end of the peer's side, if nothing else has. s.mu is held.
func (s *Session) readEnd(err error) {
	var (
		capsule *wire.CapsuleError
		breach  *wire.ConnectionError
		stream  *wire.StreamError
		fields  *wire.FieldError
	)
	if s.stoppedBy != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		err = s.stoppedBy
	}
	switch {
	case err == io.EOF && s.ending: // as most end
	case errors.As(err, &capsule):
		s.giveUp(capsule)
	case errors.As(err, &breach):
		s.c.Breach(breach.Code, breach.Reason)
		s.abort(err)
	case errors.As(err, &fields):
		s.giveUp(&wire.CapsuleError{Code: fields.Code, Reason: fields.Reason})
	case errors.As(err, &stream):
		s.giveUp(&wire.CapsuleError{Code: stream.Code, Reason: stream.Reason})
	case s.ending:
	case err == io.EOF && s.open && s.incoming.End() != nil:
		s.giveUp(errCutCapsule)
	case err == io.EOF && s.open:
		s.closedByPeer(0, "") // a clean end is a close with code 0
	case err == io.EOF:
		s.c.BrokenOff()
		s.x.Abort(http3.ErrCodeRequestCanceled)
		s.end(sessionEnd{Outcome: message.Outcome{Code: sink.ErrReset, Flags: sink.FlagRemote | sink.FlagAborted, Text: "the peer ended its request"}})
	default:
		s.abort(err)
	}
}
