package session

import (
	"cmp"
	"errors"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/message"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// linger is what a peer gets to end its side of the CONNECT stream after ours has ended. QUIC sends what cancels a stream before the data of
// others, so until then nothing that the session has on the wire is cancelled: a browser would report a lost connection instead of code
// and reason, and a page's streams would fail for a network error before the page hears that the session was closed.
const linger = 500 * time.Millisecond

// A sessionEnd is how a session ended.
type sessionEnd struct {
	message.Outcome
	closeCode uint32
	status    int // by which a server has refused it
}

// later is what is to be done once the lock is given up: it wants locks that come before, or may wait.
type later struct {
	some    bool
	start   bool
	early   []earlyStream
	open    []*Stream // that the peer has made room for
	ended   bool
	cut     []*Stream
	release bool
}

// close ends the session with a code and a reason for the peer; why is the consumer's, if the consumer has not wanted it.
func (s *Session) close(code uint32, reason string, why sink.Code) {
	if s.waits() && s.GiveUp(message.Outcome{Code: cmp.Or(why, sink.ErrCancelled), Flags: sink.FlagAborted}) {
		return
	}
	s.mu.Lock()
	defer s.Unlock()
	if s.ending {
		return
	}
	end := sessionEnd{Outcome: message.Outcome{Code: why, Text: reason}, closeCode: code}
	if why != sink.OK {
		end.Flags = sink.FlagAborted
	}
	if !s.open {
		if end.Code == sink.OK {
			end.Code = sink.ErrCancelled
		}
		end.closeCode, end.Text = 0, ""
		if s.wish != nil {
			end.Flags = sink.FlagAborted
			s.abandon(end.Outcome)
			return
		}
		s.reject(500, nil, sink.Chunk{}, end)
		return
	}
	s.end(end)
	s.finishSending(wire.AppendClose(s.due.take(), code, reason))
}

// finishSending ends our side of the CONNECT stream, behind capsules, once it is decided how the session ends: that the peer takes no more
// of this side changes nothing about it. s.mu is held.
func (s *Session) finishSending(capsules []byte) {
	s.out.Put(&message.Part{Body: sink.Chunk{Bytes: capsules}, End: true})
}

// closedByPeer ends a session, which is open, that the peer has closed. s.mu is held.
func (s *Session) closedByPeer(code uint32, reason string) {
	if s.ending {
		return
	}
	end := sessionEnd{Outcome: message.Outcome{Flags: sink.FlagRemote, Text: reason}, closeCode: code}
	s.end(end)
	s.endsWithPeer = s.out.Idle() // else what is being written ends first
	if !s.endsWithPeer {
		s.finishSending(nil)
	}
}

// giveUp ends the session for something that the peer did wrong in it. s.mu is held.
func (s *Session) giveUp(breach *wire.CapsuleError) {
	s.out.Drop()
	s.x.Abort(breach.Code)
	s.end(sessionEnd{Outcome: message.Outcome{Code: sink.ErrProtocol, Flags: sink.FlagAborted, Text: breach.Reason}})
}

// abort ends the session for an error of its CONNECT stream. s.mu is held.
func (s *Session) abort(err error) {
	if s.ending {
		return
	}
	o := message.OutcomeOf(err)
	var reset *quic.StreamError
	if errors.As(err, &reset) && reset.Remote {
		if !s.open && s.wish == nil {
			s.c.BrokenOff()
		}
		s.x.Abort(http3.ErrCodeRequestCanceled)
	}
	if o.Code == sink.ErrIO {
		o.Code = sink.ErrProtocol
	}
	s.end(sessionEnd{Outcome: o})
}

// stopped is told by the watch that the peer does not take our side of the CONNECT stream any more, or that the connection has gone.
func (s *Session) stopped(cause error) {
	s.mu.Lock()
	s.cannotSend(cause)
	s.Unlock()
}

// cannotSend ends the session because nothing more can be sent on its CONNECT stream. Where the peer has stopped that side, its close may
// be on the way and says better how the session ends: webtransport-go sends CLOSE and STOP_SENDING in one packet. s.mu is held.
func (s *Session) cannotSend(cause error) {
	var stop *quic.StreamError
	switch {
	case s.ending || s.stoppedBy != nil:
	case s.wish != nil && !s.open && errors.As(cause, &stop) && stop.Remote: // its answer says why
	case s.open && errors.As(cause, &stop) && stop.Remote:
		s.stoppedBy = cause
		s.x.S.SetReadDeadline(time.Now().Add(linger))
	default:
		s.abort(cause)
	}
}

// Cut implements link.Item.
func (s *Session) Cut(o message.Outcome) {
	s.mu.Lock()
	s.out.Drop()
	s.end(sessionEnd{Outcome: o})
	s.Unlock()
}

// end decides how the session ends; the first decision stays. Its streams are cut once the lock is given up. s.mu is held.
func (s *Session) end(o sessionEnd) {
	if s.ending {
		return
	}
	s.ending, s.result = true, o
	s.nudge()
	s.accepted = nil
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.unwatch != nil {
		s.unwatch()
	}
	s.set.disclaim(s)
	for st := range s.streams {
		s.later.cut = append(s.later.cut, st)
	}
	s.waiting = [2][]*Stream{}
	s.later.early = append(s.later.early, s.early...)
	s.early = nil
	s.later.some, s.later.ended = true, true
	if s.open {
		s.x.S.SetReadDeadline(time.Now().Add(linger))
	} else {
		s.x.Stop(http3.ErrCodeNoError)
	}
}

// streamCode is why streams end that the session's end cuts. It is decided how the session ends.
func (s *Session) streamCode() sink.Code {
	switch {
	case s.result.Code != sink.OK:
		return s.result.Code
	case s.result.Flags&sink.FlagRemote == 0:
		return sink.ErrCancelled
	}
	return sink.ErrClosed
}

// goneCode is why a stream ends that the peer gives up with its session. Where that was us, the peer may be quicker than what cuts it.
func (s *Session) goneCode() sink.Code {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return s.streamCode()
	}
	return sink.ErrClosed // the session's end follows, or ought to
}

// doLater does what had to wait for the lock to be given up.
func (s *Session) doLater(l *later) {
	if l.start {
		s.datagrams.Start()
		if len(l.early) > 0 {
			early := l.early
			s.c.Spawn("early streams", func() {
				for _, e := range early {
					s.announce(e)
				}
			})
		}
	}
	for _, st := range l.open {
		s.set.open(st, true)
	}
	if l.ended {
		s.datagrams.Close()
		for i := range l.early {
			if !l.start { // else they are announced, which finds that the session has ended
				l.early[i].refuse(wire.ErrCodeSessionGone, nil)
			}
		}
		code := s.streamCode()
		for _, st := range l.cut {
			st.cut(code)
		}
	}
	if l.release {
		s.release()
	}
}

// terminate emits SESSION_CLOSED. What the session has on the wire may last a little longer.
func (s *Session) terminate() {
	c := s.c
	s.set.refresh.forget(s)
	o := &s.result
	text := o.Text[:min(len(o.Text), 1<<10)]
	meta, flags := 0, o.Flags
	if s.announced {
		meta, flags = sink.SessionStatsSize, flags|sink.FlagCounters
	}
	rec, _ := c.Sink.Reserve(sink.Terminal, sink.PayloadSize(meta, len(text)), nil)
	if s.announced {
		now := s.stats(0)
		now.Put(rec.Payload)
	}
	copy(rec.Payload[sink.DataOffset(meta):], text)
	c.Sink.Release(s.handle)
	c.Sink.Commit(rec, s.event(&sink.Event{Type: sink.EventSessionClosed, Flags: flags, Code: o.Code, Status: uint32(s.result.status), Aux: uint64(o.closeCode), MetaLen: uint32(meta),
		DataLen: uint32(len(text))}))
	if s.open {
		c.Stats.Sub(sink.StatSessionsActive)
	}
}

// settle lets go of the session once its end was told, nobody reads its CONNECT stream any more, and what is still to be written was: an
// answer that rejects it. s.mu is held.
func (s *Session) settle() {
	if s.told && s.readerGone && !s.released && (s.open || s.out.Idle()) {
		s.released = true
		s.later.some, s.later.release = true, true
	}
}

// release does away with what the session still has on the wire.
func (s *Session) release() {
	for _, st := range s.cutStreams {
		st.giveBack()
	}
	s.cutStreams = nil
	s.mu.Lock()
	idle := s.out.Idle()
	s.out.Drop()
	ended := s.peerEnded
	s.mu.Unlock()
	switch {
	case ended && s.endsWithPeer:
		s.c.FinishBoth(s.x.S)
	case ended:
		s.c.Finish(s.x.S, false)
	default:
		s.x.S.CancelRead(quic.StreamErrorCode(wire.ErrCodeSessionGone))
	}
	if !ended && s.endsWithPeer {
		message.CloseSend(s.x.S)
	}
	if !idle {
		s.x.S.CancelWrite(quic.StreamErrorCode(wire.ErrCodeSessionGone))
	}
	s.set.forget(s)
	s.c.Remove(&s.Node)
	if s.wish != nil {
		s.wish.Ended()
	}
}
