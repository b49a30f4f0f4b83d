package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/config"
	"zigh3/engine/enginetest"
	"zigh3/engine/route"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A consumer is a Sink with the promises of the real one, in Go memory: events come in the order of reservation, bulk producers wait
// while too much is queued, and one goroutine both handles events and calls the engine. It fails the test when the engine breaks a
// promise of its own.
type consumer struct {
	t        testing.TB
	capacity int // bytes of bulk that may be queued

	mu       sync.Mutex
	more     sync.Cond
	queue    []*slot
	reserved map[uint64]*slot // by token
	tokens   uint64
	bulk     int
	lossy    int // datagrams that are queued
	lossyMax int
	freeing  chan struct{}             // closed when lossy has shrunk; nil: nobody waits for that
	lost     map[sink.EventType]uint64 // by Lose
	room     chan struct{}             // closed when bulk has shrunk
	objects  map[sink.Handle]any
	last     sink.Handle
	commands []func()
	closed   bool
	stalled  bool
	full     bool // there is no handle to be had
	drained  map[sink.Handle]int
	given    map[sink.Handle]bool // by give, without an object
	limits   map[sink.Handle]int  // of datagrams
	rooms    map[sink.Handle]int
	offered  map[sink.Handle][]string
	sessions map[sink.Handle]sink.SessionStats
	logged   []string
	unwanted map[sink.Handle]bool // whose end the consumer does not want to hear of any more

	// Of the reactor's goroutine.
	handle  func(e event)
	open    map[sink.Handle]sink.Handle // requests and connections without terminal event -> connection
	forgot  map[sink.Handle]bool
	counts  map[sink.EventType]int
	stopped chan event
	ended   chan struct{}
}

type slot struct {
	payload  []byte
	class    sink.Class
	event    sink.Event
	ready    bool
	aborted  bool
	reserved int
}

type event struct {
	sink.Event
	meta, data []byte
}

func newConsumer(t testing.TB) *consumer {
	c := &consumer{t: t, capacity: 1 << 20, lossyMax: 1 << 30, room: make(chan struct{}), objects: map[sink.Handle]any{}, reserved: map[uint64]*slot{}, drained: map[sink.Handle]int{},
		given: map[sink.Handle]bool{}, limits: map[sink.Handle]int{}, rooms: map[sink.Handle]int{}, lost: map[sink.EventType]uint64{},
		offered: map[sink.Handle][]string{}, sessions: map[sink.Handle]sink.SessionStats{},
		open: map[sink.Handle]sink.Handle{}, counts: map[sink.EventType]int{}, forgot: map[sink.Handle]bool{}, stopped: make(chan event, 16), ended: make(chan struct{})}
	c.more.L = &c.mu
	go c.react()
	t.Cleanup(func() {
		c.mu.Lock()
		c.closed = true
		c.more.Broadcast()
		c.mu.Unlock()
		<-c.ended
	})
	return c
}

func (c *consumer) Issue(_ sink.Kind, _ sink.Handle, obj any) (sink.Handle, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.full {
		return 0, false
	}
	c.last++
	c.objects[c.last] = obj
	return c.last, true
}

func (c *consumer) Release(h sink.Handle) (wanted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.objects[h]; !ok {
		c.t.Errorf("handle %d released twice", h)
	}
	delete(c.objects, h)
	delete(c.drained, h)
	delete(c.limits, h)
	delete(c.rooms, h)
	return !c.unwanted[h]
}

func (c *consumer) Reserve(class sink.Class, n int, done <-chan struct{}) (sink.Record, bool) {
	if n > sink.MaxPayload {
		c.t.Errorf("a payload of %d bytes", n)
	}
	c.mu.Lock()
	for class == sink.Bulk && c.bulk+n > c.capacity && c.bulk > 0 {
		room := c.room
		c.mu.Unlock()
		select {
		case <-room:
		case <-done:
			return sink.Record{}, false
		}
		c.mu.Lock()
	}
	if class == sink.Bulk {
		c.bulk += n
	}
	if class == sink.Patient {
		if c.lossy >= c.lossyMax {
			c.mu.Unlock()
			return sink.Record{}, false
		}
		c.lossy++
	}
	s := &slot{payload: make([]byte, n), class: class, reserved: n}
	c.queue = append(c.queue, s)
	c.tokens++
	token := c.tokens
	c.reserved[token] = s
	c.mu.Unlock()
	return sink.Record{Payload: s.payload, Token: token}, true
}

func (c *consumer) Room() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.freeing == nil {
		c.freeing = make(chan struct{})
	}
	return c.freeing
}

// freed says that there may be room for a datagram. c.mu is held.
func (c *consumer) freed() {
	if c.freeing != nil {
		close(c.freeing)
		c.freeing = nil
	}
}

func (c *consumer) Lose(t sink.EventType, n uint64) {
	c.mu.Lock()
	c.lost[t] += n
	c.mu.Unlock()
}

// take ends a reservation. c.mu is held.
func (c *consumer) take(r sink.Record) *slot {
	s := c.reserved[r.Token]
	if s == nil {
		panic("a record was committed or aborted twice, or never reserved")
	}
	delete(c.reserved, r.Token)
	return s
}

func (c *consumer) Commit(r sink.Record, ev *sink.Event) {
	c.mu.Lock()
	s := c.take(r)
	s.event, s.ready = *ev, true
	c.more.Signal()
	c.mu.Unlock()
}

func (c *consumer) Abort(r sink.Record) {
	c.mu.Lock()
	s := c.take(r)
	s.ready, s.aborted = true, true
	c.more.Signal()
	c.mu.Unlock()
}

func (c *consumer) Drained(h sink.Handle, n int) {
	c.mu.Lock()
	c.drained[h] += n
	c.mu.Unlock()
}

func (c *consumer) IssueFor(h sink.Handle, obj any) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.given[h] {
		return false
	}
	delete(c.given, h)
	c.objects[h] = obj
	return true
}

func (c *consumer) Datagrams(h sink.Handle, limit, returned int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.objects[h]; !ok {
		c.t.Errorf("datagrams of %d, whose handle is stale", h)
	}
	c.limits[h] = limit
	c.rooms[h] += returned
}

func (c *consumer) Offered(h sink.Handle, protocols []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offered[h] = protocols
}

func (c *consumer) SessionStats(h sink.Handle, values *sink.SessionStats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions[h] = *values
}

// places is how many datagrams more may be queued, and how large they may be.
func (c *consumer) places(h sink.Handle) (room, limit int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rooms[h], c.limits[h]
}

// offers are the protocols that the peer of a session offered.
func (c *consumer) offers(h sink.Handle) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offered[h]
}

// give is a handle as the C side gives one out for a stream that is to be opened.
func (c *consumer) give() sink.Handle {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	c.given[c.last] = true
	return c.last
}

// do runs f on the goroutine that handles events.
func (c *consumer) do(f func()) {
	c.mu.Lock()
	c.commands = append(c.commands, f)
	c.more.Signal()
	c.mu.Unlock()
}

// await runs f there and waits for it.
func (c *consumer) await(f func()) {
	done := make(chan struct{})
	c.do(func() { defer close(done); f() })
	<-done
}

// lossyRoom sets how many datagrams may be queued.
func (c *consumer) lossyRoom(n int) {
	c.mu.Lock()
	c.lossyMax = n
	c.freed()
	c.mu.Unlock()
}

// stall keeps events queued, or takes them again.
func (c *consumer) stall(on bool) {
	c.mu.Lock()
	c.stalled = on
	c.more.Signal()
	c.mu.Unlock()
}

// request is the live request of a handle, nil if it is stale.
func (c *consumer) request(h sink.Handle) *Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, _ := c.objects[h].(*Request)
	return r
}

func (c *consumer) live() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.objects)
}

func (c *consumer) react() {
	defer close(c.ended)
	for {
		c.mu.Lock()
		for !c.closed && len(c.commands) == 0 && (c.stalled || len(c.queue) == 0 || !c.queue[0].ready) {
			c.more.Wait()
		}
		if c.closed {
			c.mu.Unlock()
			return
		}
		if len(c.commands) > 0 {
			f := c.commands[0]
			c.commands = c.commands[1:]
			c.mu.Unlock()
			f()
			continue
		}
		s := c.queue[0]
		c.queue = c.queue[1:]
		if s.class == sink.Bulk {
			c.bulk -= s.reserved
			close(c.room)
			c.room = make(chan struct{})
		}
		if s.class == sink.Patient {
			c.lossy--
			c.freed()
		}
		c.mu.Unlock()
		if s.aborted {
			continue
		}
		e := event{Event: s.event, meta: s.payload[:s.event.MetaLen]}
		e.data = s.payload[sink.DataOffset(len(e.meta)):][:s.event.DataLen]
		c.check(&e)
		if c.handle != nil {
			c.handle(e)
		}
	}
}

// check holds an event against what the contract promises.
func (c *consumer) check(e *event) {
	c.counts[e.Type]++
	stale := func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, ok := c.objects[e.Object]
		return !ok
	}
	switch e.Type {
	case sink.EventConnOpened, sink.EventRequest:
		if _, ok := c.open[e.Object]; ok {
			c.t.Errorf("%v opened twice", e.Object)
		}
		c.open[e.Object] = e.Conn
		if _, ok := c.open[e.Conn]; !ok {
			c.t.Errorf("event %d on connection %d, which is not open", e.Type, e.Conn)
		}
	case sink.EventBody, sink.EventBodyEnd:
		if _, ok := c.open[e.Object]; !ok && !c.forgot[e.Object] {
			c.t.Errorf("event %d for request %d, which is not open", e.Type, e.Object)
		}
	case sink.EventStreamClosed:
		if _, ok := c.open[e.Object]; !ok {
			c.t.Errorf("request %d ended, but is not open", e.Object)
		}
		if !stale() {
			c.t.Errorf("request %d ended, but its handle is live", e.Object)
		}
		delete(c.open, e.Object)
	case sink.EventConnClosed:
		delete(c.open, e.Object)
		for h, conn := range c.open {
			if conn == e.Object {
				c.t.Errorf("connection %d ended before its request %d", conn, h)
			}
		}
		if !stale() {
			c.t.Errorf("connection %d ended, but its handle is live", e.Object)
		}
	case sink.EventServerStopped:
		if len(c.open) > 0 {
			c.t.Errorf("server stopped with %d objects open", len(c.open))
		}
		c.stopped <- *e
	case sink.EventLog:
		c.mu.Lock()
		c.logged = append(c.logged, string(e.data))
		c.mu.Unlock()
	}
}

// send answers e, if its request is live.
func (c *consumer) send(e event, status int, body string) {
	if r := c.request(e.Object); r != nil {
		r.Send(status, nil, sink.Chunk{Bytes: []byte(body)}, false)
	}
}

// forget answers e for good.
func (c *consumer) forget(e event, status int, body string) {
	if r := c.request(e.Object); r != nil {
		delete(c.open, e.Object)
		c.forgot[e.Object] = true // what was queued by then may still come
		r.Send(status, nil, sink.Chunk{Bytes: []byte(body)}, true)
	}
}

// field is a field of a request's packed list.
func field(meta []byte, name string) string {
	for r := (wire.PackedReader{Rest: meta}); ; {
		n, v, ok := r.Next()
		if !ok {
			return ""
		}
		if string(n) == name {
			return string(v)
		}
	}
}

// A fixture is a running server with its consumer.
type fixture struct {
	*consumer
	server *Server
	stats  *sink.Stats
	addr   string
}

// serve starts a server with every route at one handler.
func serve(t testing.TB, options string, flags uint32, handle func(c *consumer, e event)) *fixture {
	t.Helper()
	c := newConsumer(t)
	c.handle = func(e event) { handle(c, e) }
	f := &fixture{consumer: c, server: newTestServer(t, c, options)}
	f.stats = f.server.stats
	if _, err := f.server.Route("", "/*", flags, 7); err != nil {
		t.Fatal(err)
	}
	f.prepare()
	f.start()
	t.Cleanup(func() {
		f.server.Free()
		within(t, "the server's end", f.server.Done())
	})
	return f
}

// secondKind says which kind of connection servers and clients of a test are made for: nobody runs tests side by side here.
var secondKind bool

// onBothKinds runs a test on connections that the engine frames itself, and on those of http3.
func onBothKinds(t *testing.T, test func(t *testing.T)) {
	for _, second := range []bool{false, true} {
		name := "own"
		if second {
			name = "http3"
		}
		t.Run(name, func(t *testing.T) {
			secondKind = second
			defer func() { secondKind = false }()
			test(t)
		})
	}
}

// sessionsPath is where servers of the second kind of connection take sessions.
const sessionsPath = "/sessions"

// prepare gives a server what makes its connections the second kind.
func (f *fixture) prepare() { prepare(f.t, f.server) }

func prepare(t testing.TB, s *Server) {
	t.Helper()
	if !secondKind {
		return
	}
	if _, err := s.Route("", sessionsPath, route.WebTransport, 8); err != nil {
		t.Fatal(err)
	}
}

func newTestServer(t testing.TB, to sink.Sink, options string) *Server {
	t.Helper()
	o, err := config.ParseOptions("127.0.0.1", 0, "", "", []byte(options))
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(o, 1<<40, []sink.Sink{to}, new(sink.Stats))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (f *fixture) start() {
	f.t.Helper()
	if err := f.server.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.addr = fmt.Sprintf("127.0.0.1:%d", f.server.Port())
}

func (f *fixture) url(path string) string { return "https://" + f.addr + path }

// stop stops the server and gives SERVER_STOPPED.
func (f *fixture) stop(deadline time.Duration) event {
	f.t.Helper()
	f.server.Stop(deadline)
	return f.waitStopped()
}

func (f *fixture) waitStopped() event {
	f.t.Helper()
	select {
	case e := <-f.stopped:
		return e
	case <-time.After(patience):
		f.t.Fatalf("the server did not stop\n%s", stacks())
		return event{}
	}
}

func stacks() []byte {
	buf := make([]byte, 1<<20)
	return buf[:runtime.Stack(buf, true)]
}

func within[T any](t testing.TB, what string, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		t.Fatalf("%s did not come\n%s", what, stacks())
	}
	return v
}

// eventually waits until cond holds; it is for states that nothing announces.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not so\n%s", what, stacks())
		}
	}
}

// newClient is a client with connections of its own.
func newClient(t testing.TB) *http.Client {
	return &http.Client{Transport: enginetest.NewTransport(t, enginetest.Options{Datagrams: secondKind})}
}

func fetch(t testing.TB, client *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, read(t, resp)
}

func read(t testing.TB, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// dial opens a QUIC connection with a control stream, for frames made by hand.
func dial(t testing.TB, addr string) *quic.Conn { return dialWindow(t, addr, 0) }

// dialWindow takes no more than window bytes on a stream that nobody reads; 0 is quic-go's default.
func dialWindow(t testing.TB, addr string, window uint64) *quic.Conn {
	t.Helper()
	q, err := dialQUIC(t, addr, window)
	if err != nil {
		t.Fatal(err)
	}
	s, err := q.OpenUniStream()
	if err != nil {
		t.Fatal(err)
	}
	s.Write([]byte{enginetest.StreamControl, wire.FrameSettings, 0})
	return q
}

// dialQUIC opens no stream.
func dialQUIC(t testing.TB, addr string, window uint64) (*quic.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	q, err := quic.DialAddr(ctx, addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, &quic.Config{InitialStreamReceiveWindow: window, MaxStreamReceiveWindow: window, EnableDatagrams: secondKind})
	if err == nil {
		t.Cleanup(func() { q.CloseWithError(0x100, "") })
	}
	return q, err
}

func asError[E error](err error, target *E) bool { return errors.As(err, target) }
