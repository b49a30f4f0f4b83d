package session

import (
	"errors"
	"slices"
	"strconv"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/message"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A Wish is a session that the consumer wants: what there is of it as long as it has no connection.
type Wish struct {
	Handle   sink.Handle // that the consumer's side has given out
	UserData uint64
	To       sink.Sink
	Parent   sink.Handle // the client
	Ended    func()      // called once, when nothing of the session is left
}

// A Head is what a session is asked for with.
type Head struct {
	Dialect *wire.Dialect
	Fields  []byte   // packed list, pseudo-fields first
	Offered []string // subprotocols, which stand in Fields as well
}

// Wanted makes a session of a wish. It is nil where the handle is not one of those that were given out (any more).
func Wanted(w *Wish) *Session {
	s := &Session{wish: w, handle: w.Handle, userData: w.UserData, decided: true, wake: make(chan struct{}, 1)}
	s.MarkShared()
	if !w.To.IssueFor(w.Handle, s) {
		return nil
	}
	return s
}

var errNoConnection = errors.New("the session has no connection yet")

// waits reports whether it is one of ours that has no connection. It needs no lock.
func (s *Session) waits() bool { return s.wish != nil && !s.attached.Load() }

// GiveUp ends a session of ours that has no connection yet, and reports whether it was one.
func (s *Session) GiveUp(o message.Outcome) bool {
	s.mu.Lock()
	if s.attached.Load() || s.ending {
		s.mu.Unlock()
		return false
	}
	s.ending, s.finished, s.told, s.released = true, true, true, true
	s.mu.Unlock()
	s.neverThere(o)
	return true
}

// neverThere emits the end of a session that had no connection.
func (s *Session) neverThere(o message.Outcome) {
	w := s.wish
	text := o.Text[:min(len(o.Text), 1<<10)]
	rec, _ := w.To.Reserve(sink.Terminal, len(text), nil)
	copy(rec.Payload, text)
	w.To.Release(w.Handle)
	w.To.Commit(rec, &sink.Event{Type: sink.EventSessionClosed, Flags: o.Flags, Object: w.Handle, Parent: w.Parent, UserData: w.UserData, Code: o.Code,
		DataLen: uint32(len(text))})
	w.Ended()
}

// refuseStream ends a stream that was wanted before its session had a connection.
func (w *Wish) refuseStream(h sink.Handle, s *Session) {
	if !w.To.IssueFor(h, &Stream{}) {
		return
	}
	rec, _ := w.To.Reserve(sink.Terminal, 0, nil)
	w.To.Release(h)
	w.To.Commit(rec, &sink.Event{Type: sink.EventStreamEnded, Flags: sink.FlagAborted, Object: h, Parent: s.handle, UserData: s.userData, Code: sink.ErrClosed})
}

// ErrFull: the server takes no more sessions on this connection.
var ErrFull = errors.New("the server takes no more sessions on this connection")

// ErrOver: the session has ended.
var ErrOver = errors.New("the session has ended")

// Connect asks the peer for a session of ours on a stream on which nothing was sent. Its SETTINGS have come. With an error the stream is still
// the caller's.
func (t *Set) Connect(s *Session, stream *quic.Stream, h *Head) error {
	c := t.c
	s.mu.Lock()
	if s.ending {
		s.mu.Unlock()
		return ErrOver
	}
	peer := c.Settings()
	if !t.claim(s, h.Dialect.MaxSessions(peer, h.Dialect.FlowControl(&t.o.Own, peer))) {
		s.mu.Unlock()
		return ErrFull
	}
	s.set, s.c, s.id, s.dialect, s.offered = t, c, uint64(stream.StreamID()), h.Dialect, h.Offered
	s.x = message.Framed{S: stream, Reader: message.NewResponseReader(stream, t.o.Limits)}
	s.out.Init(s, &s.x, t.o.CapsuleTimeout)
	s.datagrams = t.flows.Open(s.id, sink.Event{Type: sink.EventSessionDatagram, Parent: c.Parent, Conn: c.Handle}, s.commit)
	s.datagrams.Notify(s.touch)
	if !s.begin() {
		s.ending, s.finished, s.told, s.released = true, true, true, true
		s.mu.Unlock()
		s.datagrams.Close()
		t.disclaim(s)
		s.neverThere(message.Outcome{Code: sink.ErrClosed, Flags: sink.FlagAborted | sink.FlagRemote, Text: "the connection has ended"})
		return ErrOver
	}
	s.attached.Store(true)
	c.Stats.Add(sink.StatSessionsTotal, 1)
	c.Spawn("session", s.readAnswer)
	s.out.Put(&message.Part{Head: true, Headers: h.Fields, Length: -1})
	s.Unlock()
	return nil
}

// abandon gives a session of ours up that is not open. s.mu is held.
func (s *Session) abandon(o message.Outcome) {
	s.out.Drop()
	s.x.Abort(http3.ErrCodeRequestCanceled)
	s.end(sessionEnd{Outcome: o})
}

// Unserved ends the sessions of ours that the peer has said it does not serve, being from this id on (RFC 9114, 5.2), and that are not open.
func (t *Set) Unserved(id uint64) {
	t.Each(func(s *Session) {
		s.mu.Lock()
		if s.wish != nil && s.id >= id && !s.open && !s.ending {
			s.abandon(message.Outcome{Code: sink.ErrRejected, Flags: sink.FlagAborted | sink.FlagRemote, Text: "the server goes away (GOAWAY) and does not look at the request"})
		}
		s.Unlock()
	})
}

// readAnswer reads the answer to a wish, and then what follows on the CONNECT stream. It is the session's goroutine.
func (s *Session) readAnswer() {
	err := s.x.Reader.ReadResponse(s.answerHead)
	if err == nil {
		s.read()
		return
	}
	s.mu.Lock()
	s.noAnswer(err)
	s.readerGone = true
	s.settle()
	s.Unlock()
}

// errRefused: the answer has no session.
var errRefused = errors.New("the server has refused the session")

// answerHead takes a head of the answer: its own opens the session or ends it.
func (s *Session) answerHead(head *wire.ResponseHead, fields []byte) error {
	switch {
	case len(fields) > message.LargestPiece/2: // with what stands beside them
		return wire.ErrLargeList
	case head.Informational():
		return nil
	}
	s.x.Reader.DataOnly()
	return s.takeAnswer(head.Status, fields)
}

// takeAnswer takes the server's answer.
func (s *Session) takeAnswer(status int, fields []byte) error {
	s.mu.Lock()
	defer s.Unlock()
	if s.ending {
		return errRefused
	}
	if status < 200 || status > 299 {
		s.c.Stats.Add(sink.StatSessionsRejected, 1)
		s.end(sessionEnd{status: status, Outcome: message.Outcome{Code: sink.ErrRejected, Flags: sink.FlagAborted | sink.FlagRemote,
			Text: "the server has answered with status " + strconv.Itoa(status)}})
		s.finishSending(nil)
		return errRefused
	}
	protocol, err := chosenProtocol(fields, s.offered)
	if err != nil {
		return err
	}
	peer, own := s.c.Settings(), &s.set.o.Own
	flowControl := s.dialect.FlowControl(own, peer)
	s.flow.begin(flowControl, own.Limits(), peer.Limits())
	s.incoming = s.dialect.Capsules(flowControl)
	s.opened(protocol, fields)
	return nil
}

// chosenProtocol is the subprotocol that the server has chosen, empty if it has chosen none, or none was offered: then the field means nothing
// (draft-ietf-webtrans-http3, 3.3).
func chosenProtocol(fields []byte, offered []string) (string, error) {
	var values []string
	for list := (wire.PackedReader{Rest: fields}); ; {
		name, value, ok := list.Next()
		if !ok {
			break
		}
		if string(name) == wire.FieldProtocol {
			values = append(values, string(value))
		}
	}
	if len(values) == 0 || len(offered) == 0 {
		return "", nil
	}
	name, ok := wire.ParseProtocol(values)
	switch {
	case !ok:
		return "", nil
	case !slices.Contains(offered, name):
		return "", &wire.StreamError{Code: http3.ErrCodeMessageError, Reason: "the server has chosen a protocol that was not offered"}
	}
	return name, nil
}

// noAnswer ends a session for want of an answer. s.mu is held.
func (s *Session) noAnswer(err error) {
	var (
		breach *wire.ConnectionError
		fields *wire.FieldError
		stream *wire.StreamError
	)
	switch {
	case s.ending:
	case errors.As(err, &breach):
		s.c.Breach(breach.Code, breach.Reason)
		s.abort(err)
	case errors.As(err, &fields) && fields.Connection:
		s.c.Breach(fields.Code, fields.Reason)
		s.abort(&wire.ConnectionError{Code: fields.Code, Reason: fields.Reason})
	case errors.As(err, &fields):
		s.giveUp(&wire.CapsuleError{Code: fields.Code, Reason: fields.Reason})
	case errors.As(err, &stream) && stream.Code == http3.ErrCodeRequestIncomplete:
		s.abandon(message.Outcome{Code: sink.ErrTruncated, Flags: sink.FlagAborted | sink.FlagRemote, Text: "the server has ended the stream without an answer"})
	case errors.As(err, &stream):
		s.giveUp(&wire.CapsuleError{Code: stream.Code, Reason: stream.Reason})
	default:
		s.abort(err)
	}
}
