package enginetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// A Session is one of WebTransport that the server has accepted.
type Session struct {
	// Connect is its CONNECT stream, for what is made by hand. Unless the client leaves capsules, the session reads from it.
	Connect *RequestStream
	// Protocol is the one that the server has chosen; "": none.
	Protocol string

	c       *Client
	ctx     context.Context
	end     context.CancelCauseFunc
	credit  *sessionCredit // nil: without flow control
	streams struct {
		sync.Mutex
		all   map[*Stream]struct{}
		ended bool
	}
	bidi, uni arrivals

	sending struct {
		sync.Mutex
		queue [][]byte
		more  chan struct{}
	}
	received struct {
		sync.Mutex
		all  []Capsule
		seen int
		more chan struct{}
	}
}

// arrivals are streams of the server that the test has not taken yet.
type arrivals struct {
	mu    sync.Mutex
	queue []*Stream
	more  chan struct{}
}

// Session asks for a session, as the client's dialect does, with further fields: name, value. It gives the response, and the session if
// that is 2xx. A server that says nothing of sessions, or does not answer, fails the test.
func (c *Client) Session(path string, fields ...string) (*Session, *Response) {
	c.t.Helper()
	s, resp, err := c.askSession(path, fields)
	if err != nil {
		c.t.Fatalf("a session at %s: %v", path, err)
	}
	return s, resp
}

// MustOpen asks for a session that the server must accept.
func (c *Client) MustOpen(path string, fields ...string) *Session {
	c.t.Helper()
	s, resp := c.Session(path, fields...)
	if s == nil {
		c.t.Fatalf("a session at %s: status %d", path, resp.Status)
	}
	return s
}

// SessionFields are the fields of the CONNECT request that asks for a session as the client's dialect does.
func (c *Client) SessionFields(path string, fields ...string) []string {
	d := c.o.Dialect
	if d == nil {
		d = Draft02
	}
	all := []string{":method", "CONNECT", ":protocol", d.Token, ":scheme", "https", ":authority", c.Authority, ":path", path}
	all = append(all, d.Fields...)
	if len(c.o.Protocols) > 0 {
		all = append(all, "wt-available-protocols", `"`+strings.Join(c.o.Protocols, `", "`)+`"`)
	}
	return append(all, fields...)
}

func (c *Client) askSession(path string, fields []string) (*Session, *Response, error) {
	c.t.Helper()
	settings := c.Settings()
	if d := c.o.Dialect; d != nil && (settings[d.Needs] == 0 || settings[SettingConnectProtocol] != 1 || settings[SettingDatagram] != 1) {
		return nil, nil, fmt.Errorf("the server's SETTINGS %v offer no sessions of %s", settings, d.Name)
	}
	r := c.OpenRequest()
	s := c.newSession(r, settings)
	resp, err := s.ask(c.SessionFields(path, fields...))
	if err != nil || resp.Status/100 != 2 {
		s.stop(errors.New("not accepted"))
		return nil, resp, err
	}
	if chosen := resp.Header.Get("Wt-Protocol"); chosen != "" {
		s.Protocol = strings.Trim(chosen, `"`)
	}
	c.running.Go(s.writeCapsules)
	if !c.o.LeaveCapsules {
		c.running.Go(s.readCapsules)
	}
	context.AfterFunc(c.Conn.Context(), func() { s.stop(context.Cause(c.Conn.Context())) })
	return s, resp, nil
}

func (c *Client) newSession(r *RequestStream, settings map[uint64]uint64) *Session {
	s := &Session{Connect: r, c: c}
	s.ctx, s.end = context.WithCancelCause(context.Background())
	s.streams.all = map[*Stream]struct{}{}
	for _, a := range []*arrivals{&s.bidi, &s.uni} {
		a.more = make(chan struct{}, 1)
	}
	s.sending.more = make(chan struct{}, 1)
	s.received.more = make(chan struct{})
	if c.o.limits() {
		s.credit = newSessionCredit(&c.o, settings, s.SendCapsule)
	}
	// From now on: the server's streams may be quicker than its response.
	c.mu.Lock()
	c.sessions[r.ID()] = s
	c.mu.Unlock()
	return s
}

func (s *Session) ask(fields []string) (*Response, error) {
	if err := s.Connect.SendHeaders(fields...); err != nil {
		return nil, err
	}
	_ = s.Connect.SetReadDeadline(time.Now().Add(Patience)) // fails for no stream
	resp, err := s.Connect.ReadResponse()
	_ = s.Connect.SetReadDeadline(time.Time{})
	if err == nil && resp.Status/100 != 2 {
		_ = s.Connect.Close() // which the server may have stopped
	}
	return resp, err
}

// ID is the session's: that of its CONNECT stream.
func (s *Session) ID() uint64 { return s.Connect.ID() }

// Client is that of the session's connection.
func (s *Session) Client() *Client { return s.c }

// Context ends with the session; its cause is how.
func (s *Session) Context() context.Context { return s.ctx }

// Closed waits for the session's end and gives how it ended: a *SessionError if it was closed.
func (s *Session) Closed() error {
	s.c.t.Helper()
	await(s.c.t, "the session's end", s.ctx.Done())
	return context.Cause(s.ctx)
}

// stop ends the session here: its streams are cancelled as draft-ietf-webtrans-http3 has it.
func (s *Session) stop(why error) {
	s.end(why)
	s.c.mu.Lock()
	delete(s.c.sessions, s.ID())
	s.c.mu.Unlock()
	s.streams.Lock()
	s.streams.ended = true
	all := s.streams.all
	s.streams.all = nil
	s.streams.Unlock()
	for st := range all {
		st.cancel(CodeSessionGone)
	}
}

// readCapsules reads the CONNECT stream until it ends.
func (s *Session) readCapsules() {
	r := bufio.NewReader(s.Connect)
	for {
		capsule, err := readCapsule(r)
		if err != nil {
			s.broken(err)
			return
		}
		s.note(capsule)
		switch capsule.Type {
		case CapsuleCloseSession:
			closed, err := capsule.closeOf()
			if err != nil {
				s.c.t.Error(err)
			}
			if s.ctx.Err() == nil {
				s.closeConnect(nil)
				s.stop(closed)
			}
			if n, err := io.Copy(io.Discard, r); n > 0 {
				s.c.t.Errorf("%d bytes behind the close of a session, %v", n, err)
			}
			return
		case CapsuleMaxStreamData, CapsuleStreamDataBlocked:
			s.c.t.Errorf("capsule %#x, which is none of HTTP/3's", capsule.Type)
		default:
			if err := s.credit.take(capsule); err != nil {
				s.c.t.Error(err)
			}
		}
	}
}

// broken is the end of the CONNECT stream without a close.
func (s *Session) broken(err error) {
	var reset *quic.StreamError
	switch {
	case s.ctx.Err() != nil:
	case err == io.EOF:
		s.closeConnect(nil)
		s.stop(&SessionError{Remote: true})
	case errors.As(err, &reset):
		s.Connect.CancelWrite(uint64(CodeSessionGone))
		s.stop(err)
	default:
		if s.c.Conn.Context().Err() == nil && !isShutdown(err) {
			s.c.t.Errorf("a session's CONNECT stream: %v", err)
		}
		s.stop(err)
	}
}

func (s *Session) note(c Capsule) {
	s.received.Lock()
	defer s.received.Unlock()
	s.received.all = append(s.received.all, c)
	close(s.received.more)
	s.received.more = make(chan struct{})
}

// Capsules are all that have come.
func (s *Session) Capsules() []Capsule {
	s.received.Lock()
	defer s.received.Unlock()
	return append([]Capsule(nil), s.received.all...)
}

// WaitCapsule waits for the next one of a type behind the last that was waited for, and gives it.
func (s *Session) WaitCapsule(typ uint64) Capsule {
	s.c.t.Helper()
	timeout := time.After(Patience)
	for {
		s.received.Lock()
		for s.received.seen < len(s.received.all) {
			c := s.received.all[s.received.seen]
			s.received.seen++
			if c.Type == typ {
				s.received.Unlock()
				return c
			}
		}
		more := s.received.more
		s.received.Unlock()
		select {
		case <-more:
		case <-s.ctx.Done():
			s.received.Lock()
			last := s.received.seen == len(s.received.all)
			s.received.Unlock()
			if last {
				s.c.t.Fatalf("the session ends without capsule %#x: %v", typ, context.Cause(s.ctx))
			}
		case <-timeout:
			s.c.t.Fatalf("capsule %#x did not come", typ)
		}
	}
}

// SendCapsule sends one, behind those that wait. It does not wait for the peer's credit.
func (s *Session) SendCapsule(typ uint64, parts ...any) {
	s.sending.Lock()
	s.sending.queue = append(s.sending.queue, CapsuleBytes(typ, parts...))
	s.sending.Unlock()
	wake(s.sending.more)
}

// Drain asks the server to end the session.
func (s *Session) Drain() { s.SendCapsule(CapsuleDrainSession) }

func wake(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func (s *Session) writeCapsules() {
	for {
		select {
		case <-s.sending.more:
		case <-s.ctx.Done():
			return
		}
		if s.flush() != nil {
			return // the reader sees why
		}
	}
}

// flush sends the capsules that wait.
func (s *Session) flush() error {
	for {
		s.sending.Lock()
		if len(s.sending.queue) == 0 {
			s.sending.Unlock()
			return nil
		}
		p := s.sending.queue[0]
		s.sending.queue = s.sending.queue[1:]
		s.sending.Unlock()
		if _, err := s.Connect.Write(p); err != nil {
			return err
		}
	}
}

// closeConnect ends the client's side of the CONNECT stream, with a last capsule.
func (s *Session) closeConnect(capsule []byte) {
	if len(capsule) > 0 {
		if _, err := s.Connect.Write(capsule); err != nil {
			s.Connect.CancelWrite(uint64(CodeSessionGone))
			return
		}
	}
	_ = s.Connect.Close() // which the server may have stopped
}

// CloseWithError closes the session: with the capsule, the end of the CONNECT stream, and then of its streams. It does nothing to a
// session that has ended.
func (s *Session) CloseWithError(code uint32, reason string) {
	if s.ctx.Err() != nil {
		return
	}
	_ = s.Connect.Stream.SetWriteDeadline(time.Now().Add(Patience)) // a server that takes no capsules gets a reset
	s.closeConnect(CloseCapsule(code, reason))
	s.stop(&SessionError{Code: code, Reason: reason})
}

// SendDatagram sends one.
func (s *Session) SendDatagram(p []byte) error { return s.Connect.SendDatagram(p) }

// ReceiveDatagram waits for one.
func (s *Session) ReceiveDatagram(ctx context.Context) ([]byte, error) {
	return s.Connect.flow.next(ctx, s.ctx)
}
