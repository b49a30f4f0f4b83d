package link

import (
	"bufio"
	"context"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/enginetest"
	"zigh3/engine/message"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A load is what the connections of these tests carry.
type load struct {
	wentAway atomic.Int32
	goneAway atomic.Int64 // one more than the id of the peer's GOAWAY
	settled  chan struct{}
	lost     chan struct{}
}

func newLoad() *load { return &load{settled: make(chan struct{}), lost: make(chan struct{})} }

func (l *load) Settled(*wire.Settings) *wire.ConnectionError         { close(l.settled); return nil }
func (l *load) UniStream(uint64, *quic.ReceiveStream) bool           { return false }
func (l *load) GoneAway(id uint64)                                   { l.goneAway.Store(int64(id) + 1) }
func (l *load) Prioritize(wire.PriorityUpdate) *wire.ConnectionError { return nil }
func (l *load) WentAway()                                            { l.wentAway.Add(1) }
func (l *load) Lost(error)                                           { close(l.lost) }

// An item is open, and says what happened to it.
type item struct {
	Node
	c        *Conn
	promoted atomic.Int32
	cut      atomic.Pointer[message.Outcome]
}

func (i *item) Promote() { i.promoted.Add(1) }
func (i *item) Cut(o message.Outcome) {
	i.cut.Store(&o)
	i.c.Remove(&i.Node)
}

// add opens one on c.
func add(c *Conn) *item {
	i := &item{c: c}
	c.Add(&i.Node, i)
	return i
}

func environment(role Role) *Env {
	return &Env{
		Spares: NewSpares(),
		Role:   role, Parent: 1, Stats: new(sink.Stats), Sweeper: NewSweeper(), Settings: OpenControl(nil),
		HeaderTimeout: enginetest.Patience, ResetBudget: 10, ResetPeriod: time.Hour, Group: 1,
	}
}

// A fixture is a connection of ours, and its peer, which a test plays.
type fixture struct {
	Conn
	t        testing.TB
	load     *load
	consumer *enginetest.Consumer
	peer     *quic.Conn
	control  *bufio.Reader // ours, behind its SETTINGS
	ended    chan struct{}
}

// newFixture makes one whose control stream the peer has.
func newFixture(t testing.TB, env *Env) *fixture {
	t.Helper()
	peer, q := enginetest.Pair(t, nil, nil)
	f := &fixture{t: t, load: newLoad(), consumer: enginetest.NewConsumer(t, nil), peer: peer, ended: make(chan struct{})}
	f.Init(env, q, f.consumer, f.load)
	if !f.Open(f, nil, func() {}) {
		t.Fatal("not opened")
	}
	f.serve()
	f.accept()
	return f
}

func (f *fixture) serve() {
	go func() {
		defer close(f.ended)
		f.Take(func(*quic.Stream) {})
	}()
	f.t.Cleanup(func() {
		f.QUIC.CloseWithError(0x100, "")
		<-f.ended
	})
}

// accept gets our control stream.
func (f *fixture) accept() {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), enginetest.Patience)
	defer cancel()
	s, err := f.peer.AcceptUniStream(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	s.SetReadDeadline(time.Now().Add(enginetest.Patience))
	f.control = bufio.NewReader(s)
	if typ, err := quicvarint.Read(f.control); err != nil || typ != streamControl {
		f.t.Fatalf("stream of type %d, %v", typ, err)
	}
	if typ, _ := f.frame(); typ != wire.FrameSettings {
		f.t.Fatalf("frame %#x", typ)
	}
}

// frame is the next one on our control stream.
func (f *fixture) frame() (typ uint64, payload []byte) {
	f.t.Helper()
	typ, err := quicvarint.Read(f.control)
	if err != nil {
		f.t.Fatal(err)
	}
	n, err := quicvarint.Read(f.control)
	if err != nil {
		f.t.Fatal(err)
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(f.control, payload); err != nil {
		f.t.Fatal(err)
	}
	return typ, payload
}

func (f *fixture) mustFrame(typ uint64, payload string) {
	f.t.Helper()
	if got, p := f.frame(); got != typ || string(p) != payload {
		f.t.Errorf("frame %#x %x, want %#x %x", got, p, typ, payload)
	}
}

// silent has the peer hear that nothing else was said, by a frame that is said now.
func (f *fixture) silent() {
	f.t.Helper()
	const marker = 0x40
	f.controlling.Lock()
	err := f.Conn.control.TryWriteAll(wire.AppendFrameHead(nil, marker, 0))
	f.controlling.Unlock()
	if err != nil {
		f.t.Fatal(err)
	}
	f.mustFrame(marker, "")
}

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(enginetest.Patience); !cond(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not so", what)
		}
	}
}

// However many call Drain, and whenever the connection is announced meanwhile, the peer gets one GOAWAY.
func TestGoAwayOnce(t *testing.T) {
	for range 30 {
		env := environment(Server)
		peer, q := enginetest.Pair(t, nil, nil)
		f := &fixture{t: t, load: newLoad(), consumer: enginetest.NewConsumer(t, nil), peer: peer, ended: make(chan struct{})}
		f.Init(env, q, f.consumer, f.load)
		var drains sync.WaitGroup
		for range 4 {
			drains.Go(f.Drain)
		}
		if !f.Open(f, nil, func() {}) {
			t.Fatal("not opened")
		}
		f.next.Store(400) // what a second one would name is more, which is H3_ID_ERROR
		drains.Wait()
		f.goAway()
		f.serve()
		f.accept()
		if typ, _ := f.frame(); typ != wire.FrameGoAway {
			t.Errorf("frame %#x", typ)
		}
		f.silent()
		if n := f.load.wentAway.Load(); n != 1 || !f.Draining() {
			t.Errorf("told %d times", n)
		}
	}
}

// What cannot be sent because the peer has just closed the connection is nothing to be told of; other reasons are.
func TestWhatIsUnsentBehindTheEnd(t *testing.T) {
	f := newFixture(t, environment(Server))
	control := f.Conn.control
	f.peer.CloseWithError(0x100, "")
	<-f.ended
	f.Unsent("one", control.TryWriteAll([]byte("x")))
	f.Unsent("another", quic.ErrWouldBlock)
	eventually(t, "a log line", func() bool { return len(f.consumer.Logged()) > 0 })
	if logged := f.consumer.Logged(); len(logged) != 1 || !strings.HasPrefix(logged[0], "another was not sent: ") {
		t.Errorf("%q", logged)
	}
}

// A server names the stream that it serves no more, a client no push.
func TestWhatGoAwayNames(t *testing.T) {
	for role, want := range map[Role]string{Server: "\x08", Client: "\x00"} {
		f := newFixture(t, environment(role))
		f.next.Store(8)
		f.Drain()
		f.mustFrame(wire.FrameGoAway, want)
	}
}

// With something open and a peer that is silent a frame goes out, again and again; with a peer that is not, or nothing open, none does.
func TestKeepAlive(t *testing.T) {
	env := environment(Server)
	env.KeepAlive = time.Hour // looks come by hand
	f := newFixture(t, env)
	// looks has it look when nothing has come since the last look.
	looks := func() {
		for {
			n := f.QUIC.ConnectionStats().PacketsReceived
			f.mu.Lock()
			f.keepAlive.packets = n
			f.mu.Unlock()
			f.keepOn()
			f.mu.Lock()
			now := f.keepAlive.packets
			f.mu.Unlock()
			if now == n {
				return
			}
		}
	}
	begin := func() {
		f.mu.Lock()
		f.keep()
		f.mu.Unlock()
	}
	running := func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.keepAlive.running
	}
	i := add(&f.Conn)
	begin()
	looks()
	f.mustFrame(0x21, "")
	looks()
	f.mustFrame(0x21, "")

	f.mu.Lock()
	f.keepAlive.packets = 0 // the peer has sent something since
	f.mu.Unlock()
	f.keepOn()
	f.silent()

	f.Remove(&i.Node)
	looks()
	f.silent()
	if running() {
		t.Error("an idle connection is looked after")
	}
	i = add(&f.Conn)
	begin()
	if !running() {
		t.Fatal("a connection that is busy again is not looked after")
	}
	looks()
	f.mustFrame(0x21, "")
	f.QUIC.CloseWithError(0x100, "")
	<-f.ended
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keepAlive.running = false
	f.keep()
	if f.keepAlive.timer.Stop() || i.cut.Load() == nil {
		t.Error("one that has gone is looked after")
	}
}

// The sweep begins it for what lasts, and its own timer goes on with it.
func TestKeepAliveByTheSweep(t *testing.T) {
	env := environment(Server)
	env.KeepAlive = 10 * time.Millisecond
	done := make(chan struct{})
	defer close(done)
	go env.Sweeper.Run(done)
	f := newFixture(t, env)
	i := add(&f.Conn)
	for range 3 {
		f.mustFrame(0x21, "")
	}
	if n := i.promoted.Load(); n != 1 || !f.Promoted() {
		t.Errorf("promoted %d times", n)
	}
}

// A peer may break off as much as the budget says within its window, and begins anew behind it.
func TestTheBudgetHasAWindow(t *testing.T) {
	env := environment(Server)
	f := newFixture(t, env)
	for range 3 {
		for range env.ResetBudget {
			f.BrokenOff()
		}
		f.mu.Lock()
		f.resetSince = f.resetSince.Add(-env.ResetPeriod - time.Second)
		f.mu.Unlock()
	}
	if f.closing.Load() {
		t.Fatal("closed within the budget")
	}
	for range env.ResetBudget {
		f.BrokenOff()
	}
	if f.closing.Load() {
		t.Fatal("closed within the budget")
	}
	f.BrokenOff()
	f.BrokenOff()
	<-f.ended
	<-f.peer.Context().Done()
	closed, _ := context.Cause(f.peer.Context()).(*quic.ApplicationError)
	if closed == nil || closed.ErrorCode != 0x107 || env.Stats[sink.StatConnectionErrors].Load() != 1 {
		t.Errorf("%v, %d errors", closed, env.Stats[sink.StatConnectionErrors].Load())
	}
}

// What is open is cut when the connection goes, in the order of its begin, and CONN_CLOSED waits for all of it.
func TestTheEndWaitsForWhatIsOpen(t *testing.T) {
	f := newFixture(t, environment(Server))
	a, b := add(&f.Conn), add(&f.Conn)
	release := make(chan struct{})
	f.Spawn("held", func() { <-release })
	f.peer.CloseWithError(0x101, "bye")
	<-f.load.lost
	eventually(t, "the cuts", func() bool { return a.cut.Load() != nil && b.cut.Load() != nil })
	if o := a.cut.Load(); o.Code != sink.ErrClosed || o.Aux != 0x101 || o.Text != "bye" || o.Flags != sink.FlagAborted|sink.FlagRemote {
		t.Errorf("%+v", o)
	}
	f.consumer.Await(func() {
		if f.consumer.Count(sink.EventConnClosed) != 0 {
			t.Error("CONN_CLOSED before a goroutine's end")
		}
	})
	close(release)
	<-f.ended
	eventually(t, "CONN_CLOSED", func() (came bool) {
		f.consumer.Await(func() { came = f.consumer.Count(sink.EventConnClosed) == 1 })
		return came
	})
	if f.Add(&Node{}, a) || f.Busy() != 0 || !f.Gone() {
		t.Error("something is open on a connection that has gone")
	}
}

// The first SETTINGS and each GOAWAY of the peer's are told, and GOAWAY may only go down.
func TestThePeersControlStream(t *testing.T) {
	f := newFixture(t, environment(Server))
	s, err := f.peer.OpenUniStream()
	if err != nil {
		t.Fatal(err)
	}
	s.Write([]byte{streamControl, wire.FrameSettings, 0, wire.FrameGoAway, 1, 8, wire.FrameGoAway, 1, 4})
	<-f.load.settled
	eventually(t, "GOAWAY", func() bool { return f.load.goneAway.Load() == 5 })
	if f.Settings() == nil || !f.Opened(streamControl) || f.Opened(streamQPACKEncoder) {
		t.Error("not known")
	}
	s.Write([]byte{wire.FrameGoAway, 1, 8})
	<-f.peer.Context().Done()
	if closed, _ := context.Cause(f.peer.Context()).(*quic.ApplicationError); closed == nil || closed.ErrorCode != 0x108 {
		t.Errorf("%v", context.Cause(f.peer.Context()))
	}
}
