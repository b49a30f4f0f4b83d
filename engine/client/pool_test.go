package client

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// holding serves connections whose requests wait for a word: then each gets an answer that names its connection.
type holding struct {
	*rawServer
	conns    atomic.Int32
	requests chan *heldRequest
}

type heldRequest struct {
	conn *rawConn
	s    *quic.Stream
}

func (h *heldRequest) answer() {
	h.s.Write(join(headers(":status", "200"), data(fmt.Sprint(h.conn.n))))
	h.s.Close()
	io.Copy(io.Discard, h.s) // QUIC has room for another stream once this one was read to its end
}

func holdRequests(t testing.TB, streams int64) *holding {
	h := &holding{requests: make(chan *heldRequest, 1000)}
	h.rawServer = listenRaw(t, &quic.Config{MaxIncomingStreams: streams}, func(c *rawConn) {
		h.conns.Add(1)
		c.settle()
		for s := c.next(); s != nil; s = c.next() {
			h.requests <- &heldRequest{c, s}
		}
	})
	return h
}

func (h *holding) next() *heldRequest {
	h.t.Helper()
	return within(h.t, "a request", h.requests)
}

func (f *fixture) startGet(addr string) *asked {
	return f.start(Request{Method: "GET", Authority: addr, Path: "/", End: true})
}

// F01, K01: what one connection has streams for goes over one; when it has none left, another is made, as many as there may be; and what has no
// room on any waits, and gets it.
func TestK01_K02_ConnectionsToOneOrigin(t *testing.T) {
	h := holdRequests(t, 10)
	f := newFixture(t, `{"max_connections_per_origin": 3}`)
	var all []*asked
	for range 50 {
		all = append(all, f.startGet(h.addr))
	}
	var held []*heldRequest
	for range 30 {
		held = append(held, h.next())
	}
	eventually(t, "20 that wait", func() bool { return f.stats[sink.ClientStatFetchesQueued].Load() == 20 })
	if n := h.conns.Load(); n != 3 {
		t.Errorf("%d connections", n)
	}
	for range 50 {
		if len(held) == 0 {
			held = append(held, h.next())
		}
		held[0].answer()
		held = held[1:]
	}
	by := map[string]int{}
	for _, a := range all {
		if a.wait(); a.end.Code != sink.OK {
			t.Fatalf("%v", a)
		}
		by[string(a.body)]++
	}
	if len(by) != 3 || h.conns.Load() != 3 {
		t.Errorf("by connection: %v, of %d", by, h.conns.Load())
	}
	if n := f.stats[sink.ClientStatFetchesReused].Load(); n != 47 {
		t.Errorf("%d of 50 found their connection there", n)
	}
}

// K02: the queue has a bound and a time limit, each with a code of its own; one that is cancelled makes room.
func TestK02_TheQueueHasBounds(t *testing.T) {
	h := holdRequests(t, 1)
	f := newFixture(t, `{"max_connections_per_origin": 1, "max_queued": 2}`)
	first := f.startGet(h.addr)
	held := h.next()
	second, third := f.startGet(h.addr), f.startGet(h.addr)
	if a := f.startGet(h.addr).wait(); a.end.Code != sink.ErrQueueFull || a.end.Conn != 0 {
		t.Errorf("one too many: %v", a)
	}
	second.do(func(x *Fetch) { x.Cancel(0x10c) })
	if second.wait(); second.end.Code != sink.ErrCancelled {
		t.Errorf("cancelled: %v", second)
	}
	fourth := f.startGet(h.addr)
	held.answer()
	if first.wait(); first.end.Code != sink.OK {
		t.Errorf("%v", first)
	}
	for _, a := range []*asked{third, fourth} {
		h.next().answer()
		if a.wait(); a.end.Code != sink.OK {
			t.Errorf("%v", a)
		}
	}

	g := newFixture(t, `{"max_connections_per_origin": 1, "queue_timeout_ms": 2000}`)
	first = g.startGet(h.addr)
	held = h.next()
	if a := g.startGet(h.addr).wait(); a.end.Code != sink.ErrPoolTimeout || !strings.Contains(string(a.end.Data), "queue_timeout_ms") {
		t.Errorf("too long: %v", a)
	}
	if a := g.start(Request{Method: "GET", Authority: h.addr, Path: "/", End: true, RequestTimeout: 20 * time.Millisecond}).wait(); a.end.Code != sink.ErrTimeout {
		t.Errorf("its own limit: %v", a)
	}
	held.answer()
	first.wait()
}

// K03: a connection without anything is closed after a while, and the next fetch makes another; a dead one is replaced as well.
func TestK03_IdleAndDeadConnections(t *testing.T) {
	h := holdRequests(t, 10)
	f := newFixture(t, `{"idle_connection_ms": 30}`)
	for n := range 2 {
		a := f.startGet(h.addr)
		h.next().answer()
		if a.wait(); string(a.body) != fmt.Sprint(n) {
			t.Errorf("fetch %d: %v", n, a)
		}
		eventually(t, "the connection's end", func() bool { return f.stats[sink.StatConnectionsActive].Load() == 0 })
	}
	if n := f.stats[sink.ClientStatConnectionsEvicted].Load(); n != 2 {
		t.Errorf("%d were closed for want of work", n)
	}
	f.Await(func() {
		for _, e := range f.conns {
			if e.Type == sink.EventConnClosed && (e.Code != sink.ErrShutdown || e.Aux != 0x100) {
				t.Errorf("%+v", e.Event)
			}
		}
	})

	g := newFixture(t, "")
	a := g.startGet(h.addr)
	held := h.next()
	held.answer()
	a.wait()
	held.conn.CloseWithError(0x100, "")
	eventually(t, "the connection's end", func() bool { return g.stats[sink.StatConnectionsActive].Load() == 0 })
	a = g.startGet(h.addr)
	h.next().answer()
	if a.wait(); a.end.Code != sink.OK || string(a.body) == fmt.Sprint(held.conn.n) {
		t.Errorf("%v", a)
	}
	if n := g.stats[sink.ClientStatConnectionsReplaced].Load(); n != 1 {
		t.Errorf("%d were lost", n)
	}
}

// With as many connections as there may be, one without work makes room for another origin; without one the fetch waits for an end.
func TestConnectionsInAll(t *testing.T) {
	h1, h2 := holdRequests(t, 10), holdRequests(t, 10)
	f := newFixture(t, `{"max_connections": 1, "max_connections_per_origin": 1}`)
	a := f.startGet(h1.addr)
	h1.next().answer()
	a.wait()
	b := f.startGet(h2.addr)
	held := h2.next()
	if n := f.stats[sink.ClientStatConnectionsEvicted].Load(); n != 1 {
		t.Errorf("%d made room", n)
	}
	c := f.startGet(h1.addr)
	held.answer()
	b.wait()
	h1.next().answer()
	for _, a := range []*asked{a, b, c} {
		if a.wait(); a.end.Code != sink.OK {
			t.Errorf("%v", a)
		}
	}
	if n := f.stats[sink.StatConnectionsTotal].Load(); n != 3 {
		t.Errorf("%d connections", n)
	}
}

// K04: origins share nothing.
func TestK04_OriginsShareNothing(t *testing.T) {
	h := holdRequests(t, 10)
	f := newFixture(t, fmt.Sprintf(`{"hosts": {"a.test": %q, "b.test": [%q]}}`, h.addr, h.addr))
	for _, authority := range []string{"a.test", "A.TEST:443", "b.test", "a.test:8443", "a.test"} {
		a := f.startGet(authority)
		h.next().answer()
		if a.wait(); a.end.Code != sink.OK {
			t.Errorf("%s: %v", authority, a)
		}
	}
	if n := h.conns.Load(); n != 3 {
		t.Errorf("%d connections", n)
	}
	f.Await(func() {
		names := ""
		for _, e := range f.conns {
			sni, _ := packedField(e.Meta, "sni")
			names += sni + " "
		}
		if names != "a.test b.test a.test " {
			t.Errorf("names: %s", names)
		}
	})
}

// F12: behind GOAWAY what is below its id ends, and what is not goes out once more on another connection.
func TestF12_GoAway(t *testing.T) {
	h := holdRequests(t, 10)
	f := newFixture(t, "")
	a, b := f.startGet(h.addr), f.startGet(h.addr)
	first, second := h.next(), h.next()
	c := f.start(Request{Method: "POST", Authority: h.addr, Path: "/", Body: chunk("in parts")})
	third := h.next()
	if first.conn != second.conn || third.conn != first.conn {
		t.Fatal("more than one connection")
	}
	first.conn.send(frame(enginetest.FrameGoAway, uint64(second.s.StreamID())+8)) // which changes nothing for these
	first.conn.send(frame(enginetest.FrameGoAway, uint64(second.s.StreamID())))
	again := h.next()
	var reset *quic.StreamError
	if _, err := second.s.Read(make([]byte, 1)); err != io.EOF && (!errors.As(err, &reset) || reset.ErrorCode != 0x10c) {
		t.Errorf("the server reads on: %v", err)
	}
	within(t, "STOP_SENDING", second.s.Context().Done())
	if again.conn == first.conn {
		t.Error("sent again to the server that has gone away")
	}
	if c.wait(); c.end.Code != sink.ErrRejected || c.end.Flags&sink.FlagRemote == 0 {
		t.Errorf("a body in parts: %v", c)
	}
	first.answer()
	again.answer()
	if a.wait(); a.end.Code != sink.OK || string(a.body) != "0" {
		t.Errorf("below: %v", a)
	}
	if b.wait(); b.end.Code != sink.OK || string(b.body) != "1" {
		t.Errorf("above: %v", b)
	}
	d := f.startGet(h.addr)
	h.next().answer()
	if d.wait(); string(d.body) != "1" {
		t.Errorf("afterwards: %v", d)
	}
	within(t, "the end of a connection on which nothing is left", first.conn.Context().Done())
	if n := f.stats[sink.ClientStatFetchesRetried].Load(); n != 1 {
		t.Errorf("%d were sent again", n)
	}
}

// A request that a server rejects was not looked at: it is sent again, whatever its method, but not for ever; one in parts is not.
func TestRejectedRequests(t *testing.T) {
	h := holdRequests(t, 100)
	reject := func() { h.next().s.CancelWrite(0x10b) }
	f := newFixture(t, "")
	a := f.start(Request{Method: "POST", Authority: h.addr, Path: "/", Body: chunk("whole"), End: true})
	reject()
	reject()
	h.next().answer()
	if a.wait(); a.end.Code != sink.OK {
		t.Errorf("%v", a)
	}
	a = f.startGet(h.addr)
	for range mostTries {
		reject()
	}
	if a.wait(); a.end.Code != sink.ErrRejected || a.end.Aux != 0x10b {
		t.Errorf("each time: %v", a)
	}
	a = f.start(Request{Method: "POST", Authority: h.addr, Path: "/", Body: chunk("part")})
	reject()
	if a.wait(); a.end.Code != sink.ErrRejected {
		t.Errorf("in parts: %v", a)
	}
	if n := f.stats[sink.ClientStatFetchesRetried].Load(); n != 2+mostTries-1 {
		t.Errorf("%d were sent again", n)
	}
	// What a server has begun to answer was looked at.
	a = f.startGet(h.addr)
	held := h.next()
	came := make(chan struct{})
	f.Await(func() {
		a.on = func(e event) {
			if e.Type == sink.EventInformational {
				close(came)
			}
		}
	})
	held.s.Write(headers(":status", "103"))
	within(t, "the informational head", came)
	held.s.CancelWrite(0x10b)
	if a.wait(); a.end.Code != sink.ErrRejected {
		t.Errorf("behind a head: %v", a)
	}
}

// One that is sent again may wait for a stream as long as the first time, however long ago that was.
func TestARejectedRequestWaitsAnew(t *testing.T) {
	h := holdRequests(t, 1)
	f := newFixture(t, `{"max_connections_per_origin": 1}`)
	a := f.startGet(h.addr)
	held := h.next()
	b := f.startGet(h.addr)
	a.do(func(x *Fetch) {
		x.mu.Lock()
		x.queueLimit = time.Unix(1, 0)
		x.mu.Unlock()
	})
	held.s.CancelWrite(0x10b)
	io.Copy(io.Discard, held.s)
	h.next().answer() // b was in front of it
	if b.wait(); b.end.Code != sink.OK {
		t.Errorf("%v", b)
	}
	eventually(t, "the second try, or the end", func() bool { return len(h.requests) == 1 || a.over() })
	if a.over() {
		t.Fatalf("%v", a)
	}
	h.next().answer()
	if a.wait(); a.end.Code != sink.OK {
		t.Errorf("%v", a)
	}
}

// A GOAWAY that comes between the choice of a stream and the request is heeded.
func TestAStreamBehindGoAway(t *testing.T) {
	h := holdRequests(t, 100)
	f := newFixture(t, "")
	a := f.startGet(h.addr)
	h.next().answer()
	a.wait()
	f.client.pool.mu.Lock()
	for c := range f.client.pool.conns {
		c.goAway.Store(4)
	}
	f.client.pool.mu.Unlock()
	if a := f.startGet(h.addr).wait(); a.end.Code != sink.ErrRejected {
		t.Errorf("%v", a)
	}
	if len(h.requests) != 0 {
		t.Error("a request was sent")
	}
}

// A request that was sent is not sent again when its connection ends: nobody knows what became of it.
func TestASentRequestIsNotRepeated(t *testing.T) {
	h := holdRequests(t, 1)
	f := newFixture(t, `{"max_connections_per_origin": 1}`)
	a, b := f.startGet(h.addr), f.startGet(h.addr)
	held := h.next()
	held.conn.CloseWithError(0x100, "")
	if a.wait(); a.end.Code != sink.ErrClosed {
		t.Errorf("sent: %v", a)
	}
	h.next().answer() // that which waited
	if b.wait(); b.end.Code != sink.OK || string(b.body) != "1" {
		t.Errorf("unsent: %v", b)
	}
}

// What a server says it does not take is not sent.
func TestAHeadThatIsTooLargeForTheServer(t *testing.T) {
	r := listenRaw(t, nil, func(c *rawConn) {
		c.settle(6, 200)
		for s := c.next(); s != nil; s = c.next() {
			s.Write(headers(":status", "200"))
			s.Close()
		}
	})
	f := newFixture(t, "")
	f.get(r.addr, "/")
	conn := func() *conn {
		f.client.pool.mu.Lock()
		defer f.client.pool.mu.Unlock()
		for c := range f.client.pool.conns {
			return c
		}
		return nil
	}()
	eventually(t, "SETTINGS", func() bool { return conn.Settings() != nil })
	if a := f.start(Request{Method: "GET", Authority: r.addr, Path: "/", Headers: fields("a", strings.Repeat("x", 200)), End: true}).wait(); a.end.Code != sink.ErrTooLarge {
		t.Errorf("%v", a)
	}
	if a := f.get(r.addr, "/"); a.end.Code != sink.OK {
		t.Errorf("a smaller one: %v", a)
	}
}

// A client that is closed lets what there is end, or cuts it; nothing new is taken.
func TestClose(t *testing.T) {
	h := holdRequests(t, 1)
	f := newFixture(t, `{"max_connections_per_origin": 1}`)
	a, b := f.startGet(h.addr), f.startGet(h.addr)
	held := h.next()
	f.client.Close(-1)
	if c := f.startGet(h.addr).wait(); c.end.Code != sink.ErrShutdown {
		t.Errorf("a new one: %v", c)
	}
	held.answer()
	h.next().answer()
	for _, x := range []*asked{a, b} {
		if x.wait(); x.end.Code != sink.OK {
			t.Errorf("%v", x)
		}
	}
	within(t, "the end", f.client.Done())

	for name, c := range map[string]struct {
		close func(c *Client)
		code  sink.Code
	}{
		"now":   {func(c *Client) { c.Close(0) }, sink.OK},
		"later": {func(c *Client) { c.Close(20 * time.Millisecond) }, sink.ErrTimeout},
		"shortened": {func(c *Client) {
			c.Close(-1)
			time.Sleep(20 * time.Millisecond) // it waits by now, which nothing shows
			c.Close(20 * time.Millisecond)
			c.Close(time.Hour)
		}, sink.ErrTimeout},
	} {
		g := newFixture(t, `{"max_connections_per_origin": 1}`)
		a, b := g.startGet(h.addr), g.startGet(h.addr)
		h.next()
		c.close(g.client)
		for _, x := range []*asked{a, b} {
			if x.wait(); x.end.Code != sink.ErrShutdown {
				t.Errorf("%s: %v", name, x)
			}
		}
		end := within(t, "CLIENT_CLOSED", g.closed)
		if end.Code != c.code {
			t.Errorf("%s: %+v", name, end.Event)
		}
		g.closed <- end
	}
}

// A server that goes away on each connection at once is not tried for ever.
func TestAServerThatGoesAwayAtOnce(t *testing.T) {
	var conns atomic.Int32
	r := listenRaw(t, nil, func(c *rawConn) {
		conns.Add(1)
		c.settle()
		c.send(frame(enginetest.FrameGoAway, 0))
		<-c.Context().Done()
	})
	f := newFixture(t, "")
	if a := f.startGet(r.addr).wait(); a.end.Code != sink.ErrRejected {
		t.Errorf("%v", a)
	}
	if n := conns.Load(); n < 1 || n > mostTries+mostGoneAway {
		t.Errorf("%d connections", n)
	}
}

// Only servers that go away in a row count: a connection that serves begins the count anew.
func TestGoingAwayIsCountedInARow(t *testing.T) {
	h := holdRequests(t, 10)
	f := newFixture(t, "")
	key, err := originOf(h.addr)
	if err != nil {
		t.Fatal(err)
	}
	p := &f.client.pool
	p.mu.Lock()
	p.origin(key).goneAway = mostGoneAway - 1
	p.mu.Unlock()
	a := f.startGet(h.addr)
	h.next().answer()
	if a.wait(); a.end.Code != sink.OK {
		t.Errorf("%v", a)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.origin(key).goneAway; n != 0 {
		t.Errorf("%d are counted", n)
	}
}

// An origin that lets no second connection come to be is not asked for one again and again.
func TestAnOriginWithOneConnection(t *testing.T) {
	requests := make(chan event, 10)
	p := serve(t, `{"max_connections_per_address": 1, "max_incoming_streams": 1}`, 0, func(_ *peer, e event) {
		if e.Type == sink.EventRequest {
			requests <- e
		}
	})
	f := newFixture(t, "")
	f.client.pool.pause = time.Hour
	a := f.startGet(p.addr)
	first := within(t, "a request", requests)
	b := f.startGet(p.addr)
	eventually(t, "a connection that is refused", func() bool { return f.stats[sink.StatHandshakesFailed].Load() == 1 })
	c := f.startGet(p.addr)
	for _, next := range []*asked{b, c, nil} {
		p.Await(func() { p.request(first.Object).Send(200, nil, chunk("ok"), false) })
		if next != nil {
			first = within(t, "a request", requests)
		}
	}
	for _, x := range []*asked{a, b, c} {
		if x.wait(); x.end.Code != sink.OK {
			t.Errorf("%v", x)
		}
	}
	if n := f.stats[sink.StatHandshakesFailed].Load(); n != 1 {
		t.Errorf("%d connections were refused", n)
	}
}
