package server

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/congestion"
	"zigh3/engine/sink"
)

// A listening is what a server has between a start and the end of the stop that follows: the socket, and the connections on it.
type listening struct {
	s         *Server
	socket    *net.UDPConn
	port      uint16
	transport *quic.Transport
	listener  *quic.Listener
	limits    *connectionLimits

	quit       chan struct{}  // closed when the last connection has ended
	accepting  sync.WaitGroup // the accept loop
	serving    sync.WaitGroup // connections
	goroutines sync.WaitGroup // others

	changed chan struct{} // the deadline has
	mu      sync.Mutex
	conns   map[*conn]struct{}
	// Those that have begun and not ended.
	handshakes map[*handshake]struct{}
	closed     bool          // no connection is taken any more
	began      time.Time     // of the stop
	until      time.Duration // after it, negative: for ever
	forced     bool          // the consumer wanted it now
	fault      error         // what it was that ended it, if it was not the consumer
}

// accept takes connections until the listener is closed.
func (l *listening) accept() {
	for {
		q, err := l.listener.Accept(context.Background())
		if err != nil {
			l.failed(err)
			return
		}
		h, ok := q.Context().Value(handshakeKey{}).(*handshake)
		if !ok {
			panic("a connection without a handshake") // every one begins with handshakeBegins
		}
		h.unwatch()
		h.end(-1)
		l.serve(q, h.place)
	}
}

// failed stops the server when it can take no connections any more though nobody has stopped it: its socket is dead.
func (l *listening) failed(err error) {
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.fault = err
	}
	l.mu.Unlock()
	if !closed {
		l.s.Stop(0)
	}
}

// serve serves a connection, whose place it gives back at its end.
func (l *listening) serve(q *quic.Conn, place *place) {
	s := l.s
	if !place.prove() {
		s.stats.Add(sink.StatConnectionsRefused, 1)
		place.give()
		l.turnAway(q, http3.ErrCodeExcessiveLoad, errTooMany.Error())
		return
	}
	if control, ok := congestion.Of(q); ok { // not with quic-go as it is: see capi/quicgo
		control.Choose(s.options.CongestionControl)
		control.SetInitialWindow(s.options.InitialWindow)
	}
	s.mu.Lock() // until it is among the connections, where a queue that is taken away looks for those of its own
	c := newConn(s, q, s.pick())
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.conns[c] = struct{}{}
		l.serving.Add(1)
	}
	l.mu.Unlock()
	s.mu.Unlock()
	if closed {
		l.turnAway(q, http3.ErrCodeNoError, "")
		place.give()
		return
	}
	go sink.Guard("connection", func() {
		defer func() {
			l.mu.Lock()
			delete(l.conns, c)
			l.mu.Unlock()
			place.give()
			l.serving.Done()
		}()
		c.serve()
	})
}

// turnAway closes a connection that is not served. A stop waits for it: without its last packet the client would wait in vain.
func (l *listening) turnAway(q *quic.Conn, code http3.ErrCode, text string) {
	l.accepting.Go(func() {
		sink.Guard("close", func() { q.CloseWithError(quic.ApplicationErrorCode(code), text) })
	})
}

// limit sets the deadline of a stop, or shortens it.
func (l *listening) limit(deadline time.Duration) {
	l.mu.Lock()
	if l.began.IsZero() {
		l.began, l.until = time.Now(), deadline
	} else if d := deadline; d >= 0 {
		if sum := time.Since(l.began) + d; l.until < 0 || sum < l.until {
			l.until = sum
		}
	}
	l.forced = l.forced || deadline == 0
	l.mu.Unlock()
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// left is the time to the deadline; ever is true if there is none.
func (l *listening) left() (d time.Duration, ever bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until < 0 {
		return 0, true
	}
	return l.until - time.Since(l.began), false
}

// open gives the connections that are pinned to a sink, or (nil) all.
func (l *listening) open(of sink.Sink) []*conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	conns := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		if of == nil || c.Sink == of {
			conns = append(conns, c)
		}
	}
	return conns
}

// drainEvery is how often a stop looks whether connections have come to rest.
const drainEvery = 5 * time.Millisecond

// shutDown ends everything. It reports whether the deadline cut requests off.
func (l *listening) shutDown() (overdue bool) {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	for _, c := range l.open(nil) {
		c.Drain()
	}
	if !l.drain(nil, l.left, l.changed) {
		overdue = l.cutsOff()
	}
	l.closeNow(nil)
	l.serving.Wait()
	l.listener.Close()
	l.accepting.Wait()
	close(l.quit)
	l.goroutines.Wait()
	l.transport.Close()
	l.endHandshakes()
	l.socket.Close()
	return overdue
}

// cutsOff reports whether the end of the deadline, and not the consumer, ends what is still open.
func (l *listening) cutsOff() bool {
	l.mu.Lock()
	forced := l.forced
	l.mu.Unlock()
	return !forced && slices.ContainsFunc(l.open(nil), (*conn).isOpen)
}

// isOpen reports whether something on the connection has not ended.
func (c *conn) isOpen() bool { return c.OpenCount() > 0 }

// leave ends the connections that are pinned to a sink, to which no later one is pinned, as a stop with that deadline ends all. It reports
// whether that cut requests off.
func (l *listening) leave(from sink.Sink, deadline time.Duration) (overdue bool) {
	for _, c := range l.open(from) {
		c.Drain()
	}
	began := time.Now()
	if !l.drain(from, func() (time.Duration, bool) { return deadline - time.Since(began), deadline < 0 }, nil) {
		overdue = deadline > 0 && slices.ContainsFunc(l.open(from), (*conn).isOpen)
	}
	l.closeNow(from)
	for len(l.open(from)) > 0 { // their last events are on their way
		time.Sleep(drainEvery)
	}
	return overdue
}

// closeNow closes the connections of a sink, or (nil) all.
func (l *listening) closeNow(of sink.Sink) {
	l.closeSessions(of)
	for _, c := range l.open(of) {
		c.closeNow()
	}
}

// sessionsEnd is what peers get, at a stop, to hear of the end of their sessions before that of their connection.
const sessionsEnd = 100 * time.Millisecond

// closeSessions closes what sessions there still are.
func (l *listening) closeSessions(of sink.Sink) {
	for end := time.Now().Add(sessionsEnd); time.Now().Before(end); time.Sleep(drainEvery) {
		n := 0
		for _, c := range l.open(of) {
			n += c.sessions.CloseAll(sink.ErrShutdown)
		}
		if n == 0 {
			return
		}
	}
}

// drain closes connections as they come to rest, until none is left, or reports false because the time that left gives has run out; changed
// tells that it has changed.
func (l *listening) drain(of sink.Sink, left func() (d time.Duration, ever bool), changed <-chan struct{}) bool {
	rests := make(map[*conn]*rest)
	ticker := time.NewTicker(drainEvery)
	defer ticker.Stop()
	for {
		conns := l.open(of)
		if len(conns) == 0 {
			return true
		}
		if d, ever := left(); !ever && d <= 0 {
			return false
		}
		for _, c := range conns {
			if rests[c] == nil {
				rests[c] = new(rest)
			}
			if rests[c].reachedBy(c) {
				c.closeNow()
			}
		}
		select {
		case <-ticker.C:
		case <-changed:
		}
	}
}

// A rest watches a draining connection. That its last response is closed does not mean that the peer has it: quic-go tells of no
// acknowledgement, and closing the connection drops what is still to be sent. So it must have been silent for a while too. On a busy machine it may
// be silent because QUIC's goroutine has not come to run since: so it is given something to send behind all that, and only counts as silent once
// that has left. Nor does it mean that the peer has read it, and many forget what they have not read when the connection is closed (quic-go does): one
// that was just answered is given more time, in which those who have it usually close the connection themselves.
type rest struct {
	packets uint64
	since   time.Time
	marked  bool // something was given to it since it was busy
	awaited bool // and has not left
	worked  bool // it was busy during the stop
}

const (
	shortestRest = 25 * time.Millisecond
	answeredRest = 250 * time.Millisecond
)

// reached looks at a connection that has sent so many packets by now and is to be silent for so long; mark gives it something to send.
func (r *rest) reached(busy bool, packets uint64, quiet time.Duration, now time.Time, mark func() error) bool {
	switch {
	case busy:
		r.marked, r.worked = false, true
	case !r.marked:
		r.marked, r.awaited = true, mark() == nil // else its peer takes nothing more, or it has ended
	case packets != r.packets:
		r.awaited = false
	default:
		if r.worked {
			quiet = max(quiet, answeredRest)
		}
		return !r.awaited && now.Sub(r.since) >= quiet
	}
	r.packets, r.since = packets, now
	return false
}

func (r *rest) reachedBy(c *conn) bool {
	stats := c.QUIC.ConnectionStats()
	return r.reached(c.Busy() > 0 || c.Taking(), stats.PacketsSent, max(shortestRest, 3*stats.SmoothedRTT), time.Now(), c.SendNothing)
}
