package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A conn is a connection whose streams the engine frames itself. One goroutine accepts its requests, reads those that are there at
// once, and delivers them.
type conn struct {
	s      *Server
	q      *quic.Conn
	sink   sink.Sink
	stats  *sink.Stats
	handle sink.Handle
	done   <-chan struct{} // closed once the connection is gone
	uni    uniStreams
	h3     *h3Server     // nil: the first kind of connection
	raw    *rawDatagrams // nil: the server has none, or the peer

	flows   datagramFlows // of the second kind
	stops   stopOrder     // of sessions' streams
	refresh sessionRefresh

	// Of the connection's goroutine.
	peek   []byte     // what is there of a stream
	fields []byte     // its fields, packed
	event  sink.Event // of its request

	next     atomic.Uint64 // id of the stream that comes next
	draining atomic.Bool   // GOAWAY was sent
	taking   atomic.Bool   // a stream is being looked at or delivered
	closing  atomic.Bool

	mu          sync.Mutex
	gone        bool
	control     *quic.SendStream // nil until the connection is announced
	first, last *Request         // delivered, not ended; in order of delivery
	requests    int
	streams     int // with a goroutine of their own
	goroutines  int // of streams and others
	empty       sync.Cond
	finished    []*quic.Stream // to be completed together
	spare       []*quic.Stream
	moves       uint64 // counts deliveries and ends: unchanged means at rest
	resets      int    // by gaveUp, since resetSince
	resetSince  time.Time
	sessions    map[*Session]struct{} // of the second kind
	leaving     map[*leave]struct{}

	sweep   connSweep
	counted quic.ConnectionStats // is in the server's counters
}

func newConn(s *Server, q *quic.Conn, sink sink.Sink) *conn {
	c := &conn{s: s, q: q, sink: sink, stats: s.stats, done: q.Context().Done(), peek: make([]byte, 2<<10), fields: make([]byte, 2<<10)}
	c.empty.L = &c.mu
	if t, ok := q.QlogTrace().(*datagramTrace); ok {
		t.c.Store(c)
	}
	return c
}

// serve runs the connection from its begin to its last event.
func (c *conn) serve() {
	if c.h3 != nil {
		c.serveH3()
		return
	}
	if !c.open() {
		return
	}
	for {
		s, err := c.q.AcceptStream(context.Background())
		if err != nil {
			c.lost(err)
			return
		}
		c.taking.Store(true)
		c.accept(s)
		c.taking.Store(false)
	}
}

// open announces the connection, to the peer and to the consumer.
func (c *conn) open() bool {
	control, err := c.q.OpenUniStream()
	if err == nil {
		err = control.TryWriteAll(c.s.settings)
	}
	if err != nil {
		c.close(http3.ErrCodeStreamCreationError, "no room for a control stream")
		return false
	}
	if !c.announce() {
		return false
	}
	c.spawn("uni streams", func() { c.acceptUni(control) })
	c.mu.Lock()
	c.control = control
	c.mu.Unlock()
	if c.draining.Load() {
		c.goAway()
	}
	return true
}

// serveH3 is serve on the second kind of connection.
func (c *conn) serveH3() {
	c.q.Context().Value(connKey{}).(*connRef).c = c
	if !c.announce() {
		return
	}
	c.spawn("http3", func() {
		if err := c.h3.run(c.q); err != nil {
			c.close(http3.ErrCodeStreamCreationError, "no room for a control stream")
		}
	})
	<-c.done
	c.lost(context.Cause(c.q.Context()))
}

// announce tells the consumer of the connection.
func (c *conn) announce() bool {
	var ok bool
	if c.handle, ok = c.sink.Issue(sink.KindConn, c.s.handle, c); !ok {
		c.close(http3.ErrCodeExcessiveLoad, "too many connections")
		return false
	}
	c.startRawDatagrams()
	state := c.q.ConnectionState().TLS
	meta := wire.AppendPacked(nil, "remote", c.q.RemoteAddr().String())
	meta = wire.AppendPacked(meta, "local", c.q.LocalAddr().String())
	meta = wire.AppendPacked(meta, "alpn", state.NegotiatedProtocol)
	meta = wire.AppendPacked(meta, "sni", state.ServerName)
	rec, ok := c.sink.Reserve(sink.Bulk, sink.PayloadSize(len(meta), 0), c.done)
	if !ok {
		c.sink.Release(c.handle)
		return false
	}
	copy(rec.Payload, meta)
	c.sink.Commit(rec, &sink.Event{Type: sink.EventConnOpened, Object: c.handle, Parent: c.s.handle, Conn: c.handle, MetaLen: uint32(len(meta))})
	c.stats.Add(sink.StatConnectionsTotal, 1)
	c.stats.Add(sink.StatConnectionsActive, 1)
	if c.raw != nil {
		c.spawn("raw datagrams", c.raw.move)
	}
	return true
}

// add puts a request into the connection's list, unless the connection has gone.
func (c *conn) add(r *Request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return false
	}
	r.tick = c.s.sweep.tick.Load()
	if c.sweep.from == nil {
		c.sweep.from = r
	}
	r.prev, r.next = c.last, nil
	if c.last != nil {
		c.last.next = r
	} else {
		c.first = r
	}
	c.last = r
	c.requests++
	c.moves++
	c.s.sweep.want(c)
	return true
}

// remove takes an ended request out of the list, and reports whether nobody else knows it.
func (c *conn) remove(r *Request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		c.first = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	} else {
		c.last = r.prev
	}
	if c.sweep.from == r {
		c.sweep.from = r.next
	}
	r.prev, r.next = nil, nil
	c.requests--
	c.moves++
	if c.gone && c.requests+c.goroutines == 0 {
		c.empty.Broadcast()
	}
	return !r.shared
}

// share says that others than the reactor hold r from now on.
func (c *conn) share(r *Request) {
	c.mu.Lock()
	r.shared = true
	c.mu.Unlock()
}

// lost ends all that the connection carried, and then the connection.
func (c *conn) lost(err error) {
	o := outcomeOf(err)
	c.mu.Lock()
	c.gone = true
	var active []*Request
	for r := c.first; r != nil; r = r.next {
		r.shared = true
		active = append(active, r)
	}
	c.finished = nil
	c.mu.Unlock()
	if c.raw != nil {
		c.raw.out.close() // before the wait below: what is submitted from now on starts no goroutine
		c.raw.in.close()
	}
	of := o
	if of.flags&sink.FlagRemote == 0 {
		of.aux = 0
	}
	for _, r := range active {
		r.cut(of)
	}
	c.mu.Lock()
	for c.requests+c.goroutines > 0 {
		c.empty.Wait()
	}
	c.mu.Unlock()

	c.account()
	c.stats.Sub(sink.StatConnectionsActive)
	text := o.text[:min(len(o.text), 1<<10)]
	rec, _ := c.sink.Reserve(sink.Terminal, len(text), nil)
	copy(rec.Payload, text)
	c.sink.Release(c.handle)
	c.sink.Commit(rec, &sink.Event{Type: sink.EventConnClosed, Flags: o.flags &^ sink.FlagAborted, Object: c.handle, Parent: c.s.handle, Conn: c.handle,
		Code: o.code, Aux: o.aux, DataLen: uint32(len(text))})
}

// close ends the connection. It does not wait.
func (c *conn) close(code http3.ErrCode, text string) {
	if c.closing.Swap(true) {
		return
	}
	go sink.Guard("close", func() { c.q.CloseWithError(quic.ApplicationErrorCode(code), text) })
}

// breach closes the connection because the peer broke the protocol.
func (c *conn) breach(code http3.ErrCode, text string) {
	if c.closing.Load() {
		return
	}
	c.stats.Add(sink.StatConnectionErrors, 1)
	c.close(code, text)
	sink.EmitLog(c.sink, sink.LogWarn, c.s.handle, c.handle, code.String()+": "+text)
}

// addSession takes a session up, unless the connection goes.
func (c *conn) addSession(s *Session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return false
	}
	if c.sessions == nil {
		c.sessions = make(map[*Session]struct{})
	}
	c.sessions[s] = struct{}{}
	return true
}

func (c *conn) removeSession(s *Session) {
	c.mu.Lock()
	delete(c.sessions, s)
	c.mu.Unlock()
}

// eachSession calls f for the sessions that there are now.
func (c *conn) eachSession(f func(s *Session)) (n int) {
	c.mu.Lock()
	sessions := make([]*Session, 0, len(c.sessions))
	for s := range c.sessions {
		sessions = append(sessions, s)
	}
	c.mu.Unlock()
	for _, s := range sessions {
		f(s)
	}
	return len(sessions)
}

// drain tells the peer with GOAWAY that requests which come from now on are not served. The order matters: next is read after
// draining is set, and accept looks at draining after it has set next, so no request between the two is lost without a word.
func (c *conn) drain() {
	if !c.draining.Swap(true) {
		c.goAway()
		c.eachSession((*Session).Drain)
	}
}

// goAway sends GOAWAY, unless the connection is so new that it will do so itself.
func (c *conn) goAway() {
	c.mu.Lock()
	control := c.control
	c.mu.Unlock()
	if control == nil {
		return
	}
	id := c.next.Load()
	frame := wire.AppendFrameHead(nil, wire.FrameGoAway, uint64(quicvarint.Len(id)))
	if err := control.TryWriteAll(quicvarint.Append(frame, id)); err != nil {
		sink.EmitLog(c.sink, sink.LogDebug, c.s.handle, c.handle, "GOAWAY was not sent: "+err.Error())
	}
}

// gaveUp counts a request, a session or a stream that has ended by the peer's doing before its answer: reset, or broken so that we had to
// reset it. That costs a peer next to nothing, and its place is free at once for another one, so there is a budget for all of it.
func (c *conn) gaveUp() {
	c.mu.Lock()
	now := time.Now()
	if now.Sub(c.resetSince) > c.s.options.ResetWindow {
		c.resetSince, c.resets = now, 0
	}
	c.resets++
	over := c.resets > c.s.options.ResetBudget
	c.mu.Unlock()
	if over {
		c.breach(http3.ErrCodeExcessiveLoad, "too much was given up")
	}
}

// spawn runs f on a goroutine that the connection's end waits for.
func (c *conn) spawn(name string, f func()) {
	c.mu.Lock()
	c.goroutines++
	c.mu.Unlock()
	go sink.Guard(name, func() {
		defer func() {
			c.mu.Lock()
			c.goroutines--
			if c.gone && c.requests+c.goroutines == 0 {
				c.empty.Broadcast()
			}
			c.mu.Unlock()
		}()
		f()
	})
}

// account brings the server's byte counters up to date.
func (c *conn) account() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, was := c.q.ConnectionStats(), c.counted
	c.counted = now
	c.stats.Add(sink.StatBytesIn, now.BytesReceived-was.BytesReceived)
	c.stats.Add(sink.StatBytesOut, now.BytesSent-was.BytesSent)
	c.stats.Add(sink.StatPacketsIn, now.PacketsReceived-was.PacketsReceived)
	c.stats.Add(sink.StatPacketsOut, now.PacketsSent-was.PacketsSent)
}
