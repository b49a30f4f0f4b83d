package engine

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"

	"zigh3/engine/config"
	"zigh3/engine/route"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// serveSession serves a session from its request to its acceptance, or to its end if it is not accepted.
func (c *conn) serveSession(w http.ResponseWriter, req *http.Request, x *h3Stream, head *wire.RequestHead, fields []byte) {
	answer := func(status int) {
		c.answer(&Request{x: x}, status, "")
		x.h.CancelRead(quic.StreamErrorCode(http3.ErrCodeNoError))
	}
	found := c.s.router.Match("CONNECT", head.Path)
	switch {
	case c.h3.sessions == nil || found.Status == 405 || found.Status == 0 && found.Flags&route.WebTransport == 0:
		answer(404)
		return
	case found.Status != 0:
		answer(found.Status)
		return
	case head.MetaLen > largestBody:
		answer(431)
		return
	case !allows(&c.s.options.WebTransport, req.Header.Get("Origin"), req.Host):
		c.stats.Add(sink.StatSessionsRejected, 1)
		answer(403)
		return
	}
	s := newSession(c, x)
	s.offered = offeredProtocols(req.Header)
	if !s.request(found, fields) {
		c.reject(x)
		return
	}
	if o, accepted := s.establish(w, req); !accepted {
		s.end(o)
		return
	}
	// This goroutine has a large stack by now, and http3's request: a session that does nothing should not keep them.
	c.enterStream()
	c.spawn("session", func() {
		defer c.leaveStream()
		s.end(s.await())
	})
}

// allows reports whether a page of origin may open a session with host.
func allows(o *config.WebTransportOptions, origin, host string) bool {
	if origin == "" {
		return true // no browser
	}
	if o.Origins == nil {
		u, err := url.Parse(origin)
		return err == nil && strings.EqualFold(u.Host, host)
	}
	return slices.Contains(o.Origins, "*") || slices.ContainsFunc(o.Origins, func(one string) bool { return strings.EqualFold(one, origin) })
}

// offeredProtocols are the names in WT-Available-Protocols; none if that is no list of strings.
func offeredProtocols(header http.Header) []string {
	list, err := httpsfv.UnmarshalList(header["Wt-Available-Protocols"])
	if err != nil {
		return nil
	}
	var names []string
	for _, member := range list {
		item, ok := member.(httpsfv.Item)
		if !ok {
			return nil
		}
		name, ok := item.Value.(string)
		if !ok {
			return nil
		}
		names = append(names, name)
	}
	return names
}

// request tells the consumer.
func (s *Session) request(route route.Match, fields []byte) bool {
	c := s.c
	var ok bool
	if s.handle, ok = c.sink.Issue(sink.KindSession, c.handle, s); !ok {
		return false
	}
	s.userData = route.UserData
	if len(s.offered) > 0 {
		c.sink.Offered(s.handle, s.offered)
	}
	// The account begins here: what comes before the decision waits in http3's queue.
	head := sink.Event{Type: sink.EventSessionDatagram, Parent: c.s.handle, Conn: c.handle}
	s.datagrams = newH3Datagrams(c, s.x.h, head, s.commit)
	s.datagrams.in.delivered = s.datagramDelivered
	rec, ok := c.sink.Reserve(sink.Bulk, sink.PayloadSize(len(fields), 0), c.done)
	if !ok || !c.addSession(s) {
		if ok {
			c.sink.Abort(rec)
		}
		s.datagrams.close()
		c.sink.Release(s.handle)
		return false
	}
	copy(rec.Payload, fields)
	c.stats.Add(sink.StatSessionsTotal, 1)
	c.sink.Commit(rec, &sink.Event{Type: sink.EventSessionRequest, Object: s.handle, Parent: c.s.handle, Conn: c.handle, UserData: s.userData,
		Status: route.ID, MetaLen: uint32(len(fields)), Aux: s.x.id()})
	return true
}

// A sessionEnd is how a session ended.
type sessionEnd struct {
	outcome
	closeCode uint32
}

// establish waits for the decision and does what it says. It returns when the session is open (accepted), or is to end.
func (s *Session) establish(w http.ResponseWriter, req *http.Request) (o sessionEnd, accepted bool) {
	timer := time.NewTimer(s.c.s.options.WebTransport.DecisionTimeout)
	defer timer.Stop()
	gone := s.x.s.Context()
	select {
	case d := <-s.decision:
		if d.accept {
			return s.accept(w, req, d)
		}
		s.reject(d)
		return sessionEnd{outcome: outcome{code: sink.ErrCancelled}}, false
	case <-s.closing:
		s.reject(sessionDecision{status: 500})
		end := sessionEnd{outcome: outcome{code: sink.ErrCancelled}}
		if s.closeWhy != sink.OK {
			end.code = s.closeWhy
		}
		return end, false
	case <-timer.C:
		s.c.stats.Add(sink.StatTimeouts, 1)
		s.reject(sessionDecision{status: 503})
		return sessionEnd{outcome: outcome{code: sink.ErrTimeout, flags: sink.FlagAborted}}, false
	case <-gone.Done():
		s.x.abort(http3.ErrCodeRequestCanceled)
		o := outcomeOf(context.Cause(gone))
		if o.code == sink.ErrReset {
			s.c.gaveUp()
		}
		return sessionEnd{outcome: o}, false
	}
}

// reject answers.
func (s *Session) reject(d sessionDecision) {
	s.c.stats.Add(sink.StatSessionsRejected, 1)
	p := part{head: true, status: d.status, headers: d.headers, length: int64(len(d.body.Bytes)), date: s.c.s.options.Date, body: d.body, end: true}
	if s.x.write(&p, s.c.s.options.WriteTimeout, func(int) {}) != nil {
		s.x.abort(http3.ErrCodeRequestCanceled)
	}
	p.body.Release()
	s.x.stop(http3.ErrCodeNoError)
}

// opened tells the consumer, and lets things come.
func (s *Session) opened(wt *webtransport.Session, protocol string) {
	c := s.c
	meta := wire.AppendPacked(nil, "protocol", protocol)
	rec, _ := c.sink.Reserve(sink.Terminal, sink.PayloadSize(len(meta), 0), nil)
	copy(rec.Payload, meta)
	s.datagrams.out.open(s.handle, true)
	s.refreshNow()
	s.mu.Lock()
	s.wt, s.open = wt, true
	if s.leaving != nil {
		s.makesRoom()
	}
	drain, drained := s.wantsDrain, s.peerDrained
	c.sink.Commit(rec, &sink.Event{Type: sink.EventSessionOpened, Object: s.handle, Parent: c.s.handle, Conn: c.handle, UserData: s.userData,
		Status: uint32(s.datagrams.out.limit), MetaLen: uint32(len(meta))})
	s.mu.Unlock()
	c.stats.Add(sink.StatSessionsActive, 1)
	if drained {
		s.tellDraining()
	}
	s.datagrams.start()
	if drain || c.draining.Load() {
		s.Drain()
	}
	s.touch()
}

// await waits for the end of an open session, and brings it about on our side. Of the peer's streams it notices the first ones.
func (s *Session) await() sessionEnd {
	ended := s.wt.Context().Done()
	bidi, uni, known := arrivalsOf(s.wt)
	if !known {
		s.takeStreams()
		s.takeUniStreams()
	}
	for waiting := true; waiting; {
		select {
		case <-s.closing:
			return s.closeNow()
		case <-bidi:
			bidi = nil
			s.takeStreams()
		case <-uni:
			uni = nil
			s.takeUniStreams()
		case <-ended:
			waiting = false
		case <-s.c.done:
			<-ended
			waiting = false
		}
	}
	_, err := s.wt.AcceptStream(context.Background()) // which says why there are no streams any more
	var closed *webtransport.SessionError
	if errors.As(err, &closed) {
		return sessionEnd{outcome: outcome{flags: sink.FlagRemote, text: closed.Message}, closeCode: uint32(closed.ErrorCode)}
	}
	if cause := context.Cause(s.c.q.Context()); cause != nil {
		return sessionEnd{outcome: outcomeOf(cause)}
	}
	return s.broken(err)
}

// closeNow closes the session as the consumer wants it, or the server.
func (s *Session) closeNow() sessionEnd {
	if s.connect != nil {
		s.connect.close(s.closeCode, s.closeText)
	}
	end := sessionEnd{outcome: outcome{code: s.closeWhy, text: s.closeText}, closeCode: s.closeCode}
	if s.closeWhy != sink.OK {
		end.flags = sink.FlagAborted
	}
	return end
}

// broken says how a session ended whose CONNECT stream ended without a capsule.
func (s *Session) broken(err error) sessionEnd {
	if s.connect != nil {
		switch failure := s.connect.failure(); {
		case s.connect.bad.Load():
			return sessionEnd{outcome: outcome{code: sink.ErrProtocol, flags: sink.FlagAborted, text: errBadClose.Error()}}
		case failure == io.EOF && s.connect.between():
			return sessionEnd{outcome: outcome{flags: sink.FlagRemote}} // a clean end is a close with code 0
		case failure != nil && failure != io.EOF && !errors.Is(failure, os.ErrDeadlineExceeded):
			err = failure
		}
	}
	o := outcomeOf(err)
	if o.code == sink.ErrIO {
		o.code = sink.ErrProtocol
	}
	return sessionEnd{outcome: o}
}

// peerDrains is told of the peer's DRAIN capsules. The consumer hears of the first one, once it knows of the session.
func (s *Session) peerDrains() {
	s.mu.Lock()
	first := !s.peerDrained
	s.peerDrained = true
	open := s.open
	s.mu.Unlock()
	if first && open {
		s.tellDraining()
	}
}

func (s *Session) tellDraining() {
	rec, _ := s.c.sink.Reserve(sink.Terminal, 0, nil)
	if !s.commit(rec, &sink.Event{Type: sink.EventSessionDraining, Parent: s.c.s.handle, Conn: s.c.handle}) {
		s.c.sink.Abort(rec)
	}
}

// end ends the session's streams, and then the session.
func (s *Session) end(o sessionEnd) {
	c := s.c
	s.mu.Lock()
	wasOpen := s.open
	s.decided = true
	if !s.closed {
		s.leaves()
	}
	streams := make([]*Stream, 0, len(s.streams))
	for st := range s.streams {
		streams = append(streams, st)
	}
	s.mu.Unlock()
	s.cancel()
	s.datagrams.close()
	code := o.code
	if code == sink.OK {
		code = sink.ErrClosed
		if o.flags&sink.FlagRemote == 0 {
			code = sink.ErrCancelled
		}
	}
	for _, st := range streams {
		st.cut(code)
	}
	s.mu.Lock()
	for s.goroutines+len(s.streams) > 0 {
		s.empty.Wait()
	}
	s.ended = true
	wt, x := s.wt, s.connect
	s.mu.Unlock()
	c.mu.Lock()
	s.claimed = false
	c.mu.Unlock()
	select {
	case d := <-s.decision:
		d.body.Release()
	default:
	}
	c.refresh.forget(s)
	text := o.text[:min(len(o.text), 1<<10)]
	meta := 0
	if wasOpen {
		meta = sink.StatsSize
	}
	rec, _ := c.sink.Reserve(sink.Terminal, sink.PayloadSize(meta, len(text)), nil)
	if wasOpen {
		now := s.stats()
		now.Put(rec.Payload)
	}
	copy(rec.Payload[sink.DataOffset(meta):], text)
	c.sink.Release(s.handle)
	aux := uint64(o.closeCode)
	c.sink.Commit(rec, &sink.Event{Type: sink.EventSessionClosed, Flags: o.flags, Object: s.handle, Parent: c.s.handle, Conn: c.handle,
		UserData: s.userData, Code: o.code, Aux: aux, MetaLen: uint32(meta), DataLen: uint32(len(text))})
	if wasOpen {
		c.stats.Sub(sink.StatSessionsActive)
	}
	c.removeSession(s)
	switch {
	case x != nil:
		s.linger(wt, x)
	case wt != nil:
		wt.CloseWithError(webtransport.SessionErrorCode(s.closeCode), s.closeText)
		s.x.abort(http3.ErrCode(webtransport.WTSessionGoneErrorCode))
	default:
		s.x.stop(http3.ErrCodeNoError) // it was answered
	}
	s.left()
}
