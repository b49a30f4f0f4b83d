package link

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/congestion"
	"zigh3/engine/message"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A Role says which end of a connection this is.
type Role uint8

// The two roles.
const (
	Server Role = iota
	Client
)

// An Env is what the connections of one server, or of one client, have in common. Nothing in it changes once the first of them begins.
type Env struct {
	Role     Role
	Parent   sink.Handle // the server or client
	Stats    *sink.Stats
	Sweeper  *Sweeper
	Spares   *Spares
	Settings []byte // what our control stream begins with: its type and SETTINGS

	HeaderTimeout time.Duration // from a stream's first byte to the end of what it begins with
	KeepAlive     time.Duration // silence after which a connection with something open is kept alive; 0: never
	ResetBudget   int           // what a peer may break off within ResetPeriod
	ResetPeriod   time.Duration
	Group         int // streams that are completed together
}

// Carried is what a connection carries. Its methods are called by goroutines of the connection's and must not wait.
type Carried interface {
	// Settled is told once of the peer's SETTINGS. It returns what the connection is to be closed for, nil if they are well.
	Settled(s *wire.Settings) *wire.ConnectionError

	// UniStream takes a unidirectional stream of a type that this package does not know, with at least the varint behind its type there
	// to be peeked at. false: such streams are not wanted.
	UniStream(typ uint64, s *quic.ReceiveStream) bool

	// GoneAway is told of a GOAWAY of the peer's: the first, and those that say less than the one before.
	GoneAway(id uint64)

	// Prioritize is told of a PRIORITY_UPDATE for a request.
	Prioritize(u wire.PriorityUpdate) *wire.ConnectionError

	// WentAway is told, once, that our GOAWAY goes out, or is about to.
	WentAway()

	// Lost is told that the connection has gone, and why, before what is open on it is cut.
	Lost(err error)
}

// A Conn is a connection. Its exported methods may be called from any goroutine unless they say otherwise.
type Conn struct {
	*Env
	QUIC   *quic.Conn
	Sink   sink.Sink
	Handle sink.Handle     // set by Announce
	Done   <-chan struct{} // closed once the connection is gone

	carried Carried
	uni     uniStreams
	peer    atomic.Pointer[wire.Settings] // nil: not there yet

	next     atomic.Uint64 // id of the peer's bidirectional stream that comes next
	draining atomic.Bool   // GOAWAY was sent, or is about to be
	taking   atomic.Bool   // a stream is being looked at or delivered
	closing  atomic.Bool

	controlling sync.Mutex // one frame on our control stream at a time
	wentAway    bool       // GOAWAY was sent; under controlling

	mu          sync.Mutex
	gone        bool
	control     *quic.SendStream // nil until the connection is announced
	first, last *Node            // what is open, in order of its begin
	open        int
	busy        int // streams with a goroutine of their own that are not open yet
	goroutines  int // of streams and others
	empty       sync.Cond
	finished    []finishedStream // to be completed together
	spare       []finishedStream
	moves       uint64 // counts begins and ends: unchanged means at rest
	resets      int    // within the window that began at resetSince
	resetSince  time.Time
	keepAlive   keepAlive
	sweep       connSweep
	counted     quic.ConnectionStats // is in the counters
	countedAt   atomic.Uint64        // on the monotonic clock
	congestion  congestion.Report    // is in the counters
	over        bool                 // it is counted to its end
}

// Init sets up a connection that carries what carried says. It is called before anything else.
func (c *Conn) Init(env *Env, q *quic.Conn, to sink.Sink, carried Carried) {
	c.Env, c.QUIC, c.Sink, c.carried, c.Done = env, q, to, carried, q.Context().Done()
	c.empty.L = &c.mu
}

// Settings are the peer's, nil as long as they have not come.
func (c *Conn) Settings() *wire.Settings { return c.peer.Load() }

// Next is the id of the peer's bidirectional stream that comes next.
func (c *Conn) Next() uint64 { return c.next.Load() }

// KeepsReliable reports whether the peer's transport knows of RESET_STREAM_AT: what was made reliable arrives although a stream is reset.
func (c *Conn) KeepsReliable() bool {
	return c.QUIC.ConnectionState().SupportsStreamResetPartialDelivery.Remote
}

// Draining reports whether GOAWAY was sent, or is about to be.
func (c *Conn) Draining() bool { return c.draining.Load() }

// Closing reports whether the connection is about to end, by our doing.
func (c *Conn) Closing() bool { return c.closing.Load() }

// Gone reports whether the connection has ended.
func (c *Conn) Gone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone
}

// Open announces the connection: to the peer with our control stream, and to the consumer with CONN_OPENED, whose record holds meta. obj
// is what the consumer's handle stands for; issued is called with that handle before the event. It reports false when there is nothing
// to serve: it has closed the connection then.
func (c *Conn) Open(obj any, meta []byte, issued func()) bool {
	control, err := c.QUIC.OpenUniStream()
	if err == nil {
		control.SetPriority(0, true)
		err = control.TryWriteAll(c.Env.Settings)
	}
	if err != nil {
		c.Close(http3.ErrCodeStreamCreationError, "no room for a control stream")
		return false
	}
	if !c.announce(obj, meta, issued) {
		return false
	}
	c.Spawn("uni streams", func() { c.acceptUni(control) })
	c.mu.Lock()
	c.control = control
	c.mu.Unlock()
	if c.draining.Load() {
		c.goAway()
	}
	return true
}

func (c *Conn) announce(obj any, meta []byte, issued func()) bool {
	var ok bool
	if c.Handle, ok = c.Sink.Issue(sink.KindConn, c.Parent, obj); !ok {
		c.Close(http3.ErrCodeExcessiveLoad, "too many connections")
		return false
	}
	issued()
	rec, ok := c.Sink.Reserve(sink.Bulk, sink.PayloadSize(len(meta), 0), c.Done)
	if !ok {
		c.Sink.Release(c.Handle)
		return false
	}
	copy(rec.Payload, meta)
	c.Sink.Commit(rec, &sink.Event{Type: sink.EventConnOpened, Object: c.Handle, Parent: c.Parent, Conn: c.Handle, MetaLen: uint32(len(meta))})
	c.Stats.Add(sink.StatConnectionsTotal, 1)
	c.Stats.Add(sink.StatConnectionsActive, 1)
	c.account()
	return true
}

// Take has take look at each stream that the peer opens, one after the other, until the connection is gone, and then ends the connection.
// The connection's own goroutine calls it, once.
func (c *Conn) Take(take func(s *quic.Stream)) {
	for {
		s, err := c.QUIC.AcceptStream(context.Background())
		if err != nil {
			c.lost(err)
			return
		}
		c.taking.Store(true)
		c.next.Store(uint64(s.StreamID()) + 4)
		take(s)
		c.taking.Store(false)
	}
}

// lost ends all that the connection carried, and then the connection.
func (c *Conn) lost(err error) {
	o := message.OutcomeOf(err)
	c.mu.Lock()
	c.gone = true
	c.stopKeepAlive()
	var active []*Node
	for n := c.first; n != nil; n = n.next {
		n.shared = true
		active = append(active, n)
	}
	c.finished = nil
	c.mu.Unlock()
	c.carried.Lost(err) // before the wait below: nothing starts a goroutine from now on
	of := o
	if of.Flags&sink.FlagRemote == 0 {
		of.Aux = 0
	}
	for _, n := range active {
		n.item.Cut(of)
	}
	c.mu.Lock()
	for c.open+c.goroutines > 0 {
		c.empty.Wait()
	}
	c.mu.Unlock()

	c.accountLast()
	c.Stats.Sub(sink.StatConnectionsActive)
	text := o.Text[:min(len(o.Text), 1<<10)]
	rec, _ := c.Sink.Reserve(sink.Terminal, len(text), nil)
	copy(rec.Payload, text)
	c.Sink.Release(c.Handle)
	c.Sink.Commit(rec, &sink.Event{Type: sink.EventConnClosed, Flags: o.Flags &^ sink.FlagAborted, Object: c.Handle, Parent: c.Parent, Conn: c.Handle,
		Code: o.Code, Aux: o.Aux, DataLen: uint32(len(text))})
}

// Close ends the connection. It does not wait.
func (c *Conn) Close(code http3.ErrCode, text string) {
	if c.closing.Swap(true) {
		return
	}
	go sink.Guard("close", func() { c.QUIC.CloseWithError(quic.ApplicationErrorCode(code), text) })
}

// Breach closes the connection because the peer broke the protocol.
func (c *Conn) Breach(code http3.ErrCode, text string) {
	if c.closing.Load() {
		return
	}
	c.Stats.Add(sink.StatConnectionErrors, 1)
	c.Close(code, text)
	c.Log(sink.LogWarn, code.String()+": "+text)
}

// Log emits a message about the connection.
func (c *Conn) Log(level uint32, text string) { sink.EmitLog(c.Sink, level, c.Parent, c.Handle, text) }

// Spawn runs f on a goroutine that the connection's end waits for.
func (c *Conn) Spawn(name string, f func()) {
	c.mu.Lock()
	c.goroutines++
	c.mu.Unlock()
	c.Spares.do(job{name, func() {
		defer c.leave()
		f()
	}})
}

// leave is the end of a goroutine.
func (c *Conn) leave() {
	c.mu.Lock()
	c.goroutines--
	c.emptied()
	c.mu.Unlock()
}

// emptied tells the end that it need not wait any more. c.mu is held.
func (c *Conn) emptied() {
	if c.gone && c.open+c.goroutines == 0 {
		c.empty.Broadcast()
	}
}

// EnterStream counts a stream with a goroutine of its own that is not open yet, LeaveStream its end or its begin.
func (c *Conn) EnterStream() { c.countBusy(1) }

// LeaveStream ends what EnterStream began.
func (c *Conn) LeaveStream() { c.countBusy(-1) }

func (c *Conn) countBusy(n int) {
	c.mu.Lock()
	c.busy += n
	c.moves++
	c.mu.Unlock()
}

// Busy is how much the connection has to do: what is open, and streams that may come to be.
func (c *Conn) Busy() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open + c.busy
}

// Coming reports whether there are streams that may come to be: of those that EnterStream counted one has not left.
func (c *Conn) Coming() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.busy > 0
}

// OpenCount is how much is open.
func (c *Conn) OpenCount() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// Taking reports whether a stream is being looked at or delivered.
func (c *Conn) Taking() bool { return c.taking.Load() }
