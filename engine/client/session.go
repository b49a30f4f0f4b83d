package client

import (
	"errors"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/congestion"
	"zigh3/engine/message"
	"zigh3/engine/session"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A SessionRequest is what a WebTransport session is asked for with. What it points to is valid during the call that takes it.
type SessionRequest struct {
	Authority string // host, and port if it is not 443, as they stand in the URL
	Path      string // and query; empty: "/"
	Headers   []byte // packed list, names lower-case; origin is one of them, if it is not to be the client's option
	Protocols []string
	// CongestionControl, with HasCongestionControl, is that of the session's connection, unless it is shared, instead of the client's option. What a
	// page calls "throughput" is NewReno, "low-latency" BBR, and "default" Auto.
	CongestionControl    congestion.Algorithm
	HasCongestionControl bool

	Pooled   bool // it may share its connection with fetches and other such sessions, as far as the server lets it
	UserData uint64
}

// An opening is a session on its way to the stream that it is asked for on.
type opening struct {
	waiter
	client    *Client
	session   *session.Session
	request   Request // its head
	fields    []byte  // what that is in the newest dialect, and how large
	size      int
	protocols []string
	control   congestion.Algorithm
	controls  bool // control was wished for
	entered   bool // the pool counts it

	mu    sync.Mutex
	tries int         // connections that were turned away
	conn  *conn       // that counts it; nil: none yet, or not any more
	over  bool        // nothing of the session is left
	timer *time.Timer // of what it waits for
}

// OpenSession asks for a WebTransport session and binds it to h, a handle that the consumer's side has given out: a *session.Session, as the
// peer's are. SESSION_OPENED follows, or SESSION_CLOSED says why not: ErrNotNegotiated names what the server's SETTINGS lack, ErrRejected has
// the status that it has answered with.
func (c *Client) OpenSession(h sink.Handle, r *SessionRequest) {
	w := &opening{client: c, protocols: append([]string(nil), r.Protocols...), control: r.CongestionControl, controls: r.HasCongestionControl}
	w.taker = w
	w.request = Request{Method: "CONNECT", Authority: r.Authority, Path: r.Path, Headers: append([]byte(nil), r.Headers...)}
	if origin := c.options.Origin; origin != "" && !hasField(r.Headers, "origin") {
		w.request.Headers = wire.AppendPacked(w.request.Headers, "origin", origin)
	}
	w.session = session.Wanted(&session.Wish{Handle: h, UserData: r.UserData, To: c.sink, Parent: c.handle, Ended: w.ended})
	if w.session == nil {
		return
	}
	var err error
	switch w.key, err = originOf(r.Authority); {
	case err != nil:
	case c.options.WebTransport == nil:
		err = &sink.Error{Code: sink.ErrNotNegotiated, Text: "the client's option webtransport is false"}
	case w.controls && w.control == congestion.BBR && !congestion.Installed():
		err = &sink.Error{Code: sink.ErrConfig, Text: "the session cannot have BBR: this build has quic-go's own congestion control, which is NewReno"}
	default:
		w.fields, w.size, err = w.head(*wire.Newest()) // as good as any other to find what is wrong with it
	}
	if err != nil {
		w.session.GiveUp(refusal(err))
		return
	}
	if w.entered = c.pool.enter(); !w.entered {
		w.session.GiveUp(errShutdown)
		return
	}
	if !r.Pooled {
		w.key.alone = c.alone.Add(1)
	}
	c.pool.submit(&w.waiter)
}

// head is what the session is asked for with in a dialect, and how large that is as RFC 9114, 4.2.2 counts it.
func (w *opening) head(d wire.Dialect) (fields []byte, size int, err error) {
	fields, size, err = w.request.sessionHead(d.Token)
	if err != nil {
		return nil, 0, err
	}
	add := func(name, value string) {
		fields = wire.AppendPacked(fields, name, value)
		size += len(name) + len(value) + 32
	}
	if len(w.protocols) > 0 {
		value, err := wire.FormatAvailableProtocols(w.protocols)
		if err != nil {
			return nil, 0, &sink.Error{Code: sink.ErrInvalidArgument, Text: err.Error(), Err: err}
		}
		add(wire.FieldAvailableProtocols, value)
	}
	if d.RequestField.Name != "" {
		add(d.RequestField.Name, d.RequestField.Value)
	}
	return fields, size, nil
}

// send implements taker.
func (w *opening) send(c *conn, s *quic.Stream) {
	w.mu.Lock()
	if w.over {
		w.mu.Unlock()
		discard(s)
		c.client.pool.release(c)
		return
	}
	w.conn = c
	settled := c.isSettled() // most are: then there is nothing to wait for
	if settled {
		w.stopTimer()
	} else {
		w.limit(w.client.options.WebTransport.DecisionTimeout, message.Outcome{Code: sink.ErrTimeout, Flags: sink.FlagAborted, Text: "the server has sent no SETTINGS in time"})
	}
	w.mu.Unlock()
	if control, ok := congestion.Of(c.QUIC); ok && w.controls && w.key.alone != 0 {
		control.Choose(w.control)
	}
	if settled {
		w.connect(c, s)
		return
	}
	c.whenSettled(func() {
		w.unlimit()
		w.connect(c, s)
	})
}

// limit sets a time limit for what the session waits for now, instead of the one before. w.mu is held.
func (w *opening) limit(d time.Duration, o message.Outcome) {
	w.stopTimer()
	w.timer = time.AfterFunc(d, func() { sink.Guard("session timeout", func() { w.session.GiveUp(o) }) })
}

// unlimit ends it.
func (w *opening) unlimit() {
	w.mu.Lock()
	w.stopTimer()
	w.mu.Unlock()
}

// stopTimer ends it. w.mu is held.
func (w *opening) stopTimer() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// connect asks for the session. The server's SETTINGS are there, or its connection has gone.
func (w *opening) connect(c *conn, s *quic.Stream) {
	settings := c.Settings()
	if settings == nil && c.turnedAway(nil) {
		w.anew(c)
		return
	}
	if settings == nil {
		w.session.GiveUp(message.Outcome{Code: sink.ErrClosed, Flags: sink.FlagAborted | sink.FlagRemote, Text: "the connection has ended"})
		return
	}
	d, err := wire.DialectOf(*settings, false)
	var breach *wire.ConnectionError
	switch {
	case errors.As(err, &breach):
		discard(s)
		c.Breach(breach.Code, breach.Reason)
		w.session.GiveUp(message.Outcome{Code: sink.ErrProtocol, Flags: sink.FlagAborted | sink.FlagRemote, Text: breach.Reason})
		return
	case err == nil && d.ReliableReset && !c.KeepsReliable():
		err = errors.New("the peer does not offer WebTransport: its transport parameters have no reset_stream_at")
		fallthrough
	case err != nil:
		discard(s)
		w.session.GiveUp(message.Outcome{Code: sink.ErrNotNegotiated, Flags: sink.FlagAborted, Text: err.Error()})
		return
	}
	fields, size := w.fields, w.size
	if d != wire.Newest() {
		fields, size, err = w.head(*d)
	}
	switch {
	case err != nil:
		discard(s)
		w.session.GiveUp(refusal(err))
		return
	case uint64(size) > settings.MaxFieldSectionSize():
		discard(s)
		w.session.GiveUp(errLargeHead)
		return
	}
	switch err := c.connect(w.session, s, &session.Head{Dialect: d, Fields: fields, Offered: w.protocols}); {
	case err == nil:
	case err == session.ErrFull && w.key.alone == 0:
		discard(s)
		if w.leave(c) {
			w.key.alone = w.client.alone.Add(1) // nobody else looks at it: it does not wait
			w.client.pool.submit(&w.waiter)
		}
	case err == session.ErrFull:
		discard(s)
		w.session.GiveUp(message.Outcome{Code: sink.ErrNotNegotiated, Flags: sink.FlagAborted, Text: err.Error()})
	default:
		discard(s)
	}
}

// leave takes the session off a connection that is not to be its own. It reports false when nothing of the session is left: then that was done.
func (w *opening) leave(c *conn) bool {
	w.mu.Lock()
	over := w.over
	w.conn = nil
	w.mu.Unlock()
	if over {
		return false
	}
	w.client.pool.release(c)
	return true
}

// anew has the session asked for on another connection, since its server has turned this one away; not for ever.
func (w *opening) anew(c *conn) {
	w.mu.Lock()
	w.tries++
	again := w.tries < mostTries
	w.mu.Unlock()
	if !again {
		w.session.GiveUp(errTurnedAway)
		return
	}
	if w.leave(c) {
		w.client.pool.submit(&w.waiter)
	}
}

// fail implements taker.
func (w *opening) fail(o message.Outcome) { w.session.GiveUp(o) }

// waits implements taker.
func (w *opening) waits() {
	w.mu.Lock()
	if w.conn == nil && !w.over {
		w.limit(w.client.options.QueueTimeout, errPoolTimeout)
	}
	over := w.over
	w.mu.Unlock()
	if over { // since just before it was queued
		w.client.pool.gone(&w.waiter)
	}
}

// ended is called once nothing of the session is left.
func (w *opening) ended() {
	w.mu.Lock()
	w.over = true
	c := w.conn
	w.conn = nil
	w.stopTimer()
	w.mu.Unlock()
	if !w.entered {
		return
	}
	p := &w.client.pool
	p.gone(&w.waiter)
	if c != nil {
		p.release(c)
	}
	p.leave()
}
