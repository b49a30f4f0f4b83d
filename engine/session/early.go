package session

import (
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// Kinds of a session's streams. The values are those of enum zig_h3_wt_stream_kind.
const (
	Bidirectional  uint32 = 0
	Unidirectional uint32 = 1
)

// An earlyStream is one of the peer's that nobody was told of yet. Nothing of it is read but its header, so QUIC's window bounds what waits.
type earlyStream struct {
	session uint64
	kind    uint32
	send    sendSide // nil: unidirectional
	receive receiveSide
	header  int // bytes of its header
	since   time.Time
}

// refuse gives a stream back to its peer. unread, if not nil, is told on a goroutine of its own how many bytes there are behind its header, once
// that is known.
func (e *earlyStream) refuse(code http3.ErrCode, unread func(n uint64)) {
	if header := int64(e.header); unread != nil {
		e.receive.SetReceiveFinalSizeCallback(func(size int64) { // QUIC's own goroutine calls it: it must not wait
			if size > header {
				go sink.Guard("refused stream", func() { unread(uint64(size - header)) })
			}
		})
	}
	e.receive.CancelRead(quic.StreamErrorCode(code))
	if e.send != nil {
		e.send.CancelWrite(quic.StreamErrorCode(code))
	}
}

// keep finds the session of a stream. Where there is none yet the stream waits, if there is room, for nobody knows which of two streams
// comes first; where there is none any more, it is refused.
func (t *Set) keep(id uint64, e *earlyStream) *Session {
	t.mu.Lock()
	s := t.sessions[id]
	code := http3.ErrCode(0)
	switch {
	case s != nil:
	case t.gone || t.isPast(id):
		code = wire.ErrCodeSessionGone
	case len(t.early) >= t.o.EarlyStreams:
		code = wire.ErrCodeBufferedStreamRejected
		t.countRefused(id, e.kind)
	default:
		e.session, e.since = id, time.Now()
		t.early = append(t.early, *e)
		if len(t.early) == 1 {
			t.expireIn(t.o.EarlyTimeout)
		}
	}
	t.mu.Unlock()
	switch code {
	case 0:
	case wire.ErrCodeSessionGone:
		e.refuse(code, nil)
	default:
		e.refuse(code, func(n uint64) { t.unread(id, n) })
	}
	return s
}

// A refusal is how many streams were refused of a session that is not there yet, and their bytes: its peer counts them.
type refusal struct {
	session uint64 // its id plus one; 0: none
	streams [2]uint64
	bytes   uint64
}

// unread counts bytes of a stream that was refused of a session, which may be there by now.
func (t *Set) unread(session, n uint64) {
	t.mu.Lock()
	s := t.sessions[session]
	if s == nil {
		for i := range t.refused {
			if t.refused[i].session == session+1 {
				t.refused[i].bytes += n
			}
		}
	}
	t.mu.Unlock()
	if s != nil {
		s.unread(n)
	}
}

// countRefused remembers a stream that was refused. t.mu is held.
func (t *Set) countRefused(session uint64, kind uint32) {
	for i := range t.refused {
		if t.refused[i].session == session+1 {
			t.refused[i].streams[kind]++
			return
		}
	}
	r := &t.refused[t.refusals%rememberedSessions]
	t.refusals++
	*r = refusal{session: session + 1}
	r.streams[kind]++
}

// isPast reports whether a session with this id has gone. t.mu is held.
func (t *Set) isPast(id uint64) bool {
	for _, past := range t.past {
		if past == id+1 {
			return true
		}
	}
	return false
}

// adopt gives a new session the streams that have come before it. t.mu is held, and nobody else knows the session.
func (t *Set) adopt(s *Session) {
	rest := t.early[:0]
	for _, e := range t.early {
		if e.session == s.id {
			s.early = append(s.early, e)
		} else {
			rest = append(rest, e)
		}
	}
	clear(t.early[len(rest):])
	t.early = rest
	for i := range t.refused {
		if t.refused[i].session == s.id+1 {
			s.flow.theirsRefused(t.refused[i].streams, t.refused[i].bytes)
			t.refused[i] = refusal{}
		}
	}
}

// expireIn has expire called. t.mu is held.
func (t *Set) expireIn(d time.Duration) {
	if t.expiry == nil {
		t.expiry = time.AfterFunc(d, func() { sink.Guard("early streams", t.expire) })
	} else {
		t.expiry.Reset(d)
	}
}

// expire refuses the streams that have waited for too long for a session that nobody asks for.
func (t *Set) expire() {
	t.mu.Lock()
	n := 0
	for n < len(t.early) && time.Since(t.early[n].since) >= t.o.EarlyTimeout {
		n++
	}
	old := append([]earlyStream(nil), t.early[:n]...)
	for i := range old {
		t.countRefused(old[i].session, old[i].kind)
	}
	rest := copy(t.early, t.early[n:])
	clear(t.early[rest:])
	t.early = t.early[:rest]
	if rest > 0 && !t.gone {
		t.expireIn(t.o.EarlyTimeout - time.Since(t.early[0].since))
	}
	t.mu.Unlock()
	for i := range old {
		id := old[i].session
		old[i].refuse(wire.ErrCodeBufferedStreamRejected, func(n uint64) { t.unread(id, n) })
	}
}
