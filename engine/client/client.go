package client

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/config"
	"zigh3/engine/datagram"
	"zigh3/engine/link"
	"zigh3/engine/session"
	"zigh3/engine/sink"
	"zigh3/engine/udp"
	"zigh3/engine/wire"
)

// completionGroup is how many of the peer's streams are completed together: a server opens none that is read whole.
const completionGroup = 1

// mostSessions is what a client says of sessions on a connection where the dialect has a number: the server's counts.
const mostSessions = 256

// A Client fetches over HTTP/3 and tells its sink what happens. Its methods may be called from any goroutine and do not wait.
type Client struct {
	options       *config.ClientOptions
	handle        sink.Handle
	sink          sink.Sink
	stats         *sink.ClientStats
	limits        *wire.FieldLimits
	env           link.Env
	datagrams     datagram.Options
	tls           *tls.Config
	keyLog        *keyLog // nil: none
	trace         tracer  // nil: none
	quic          *quic.Config
	lookup        func(ctx context.Context, host string) ([]netip.Addr, error)
	pool          pool
	known         known
	ways          chan struct{} // what packets go out by may have changed
	watch         time.Duration // see usualWatch
	earlyPatience time.Duration // see usualEarly
	sessions      session.Options
	alone         atomic.Uint64 // sessions that share no connection

	ctx    context.Context // of connections that are being made; done once they are not wanted any more
	cancel context.CancelFunc
	quit   chan struct{} // closed once nothing is left
	done   chan struct{} // and CLIENT_CLOSED was emitted

	serving    sync.WaitGroup // connections, from the wish for one to its end
	goroutines sync.WaitGroup // others

	mu        sync.Mutex
	transport *quic.Transport // nil: no connection was wanted yet
	socket    *net.UDPConn
	closing   bool
	until     time.Time // when what is open is cut; zero: never
	forced    bool      // the consumer wanted it now
	changed   chan struct{}
}

// New makes a client that delivers to to; handle is its own. Certificates are read here, nothing is bound. It fails with an *Error.
func New(o *config.ClientOptions, handle sink.Handle, to sink.Sink, stats *sink.ClientStats) (*Client, error) {
	c := &Client{options: o, handle: handle, sink: to, stats: stats, limits: wire.NewFieldLimits(o.MaxHeaderBytes), watch: usualWatch, earlyPatience: usualEarly,
		quit: make(chan struct{}), done: make(chan struct{}), changed: make(chan struct{}, 1), ways: make(chan struct{}, 1)}
	if err := c.configureTLS(); err != nil {
		return nil, err
	}
	if o.QlogPath != "" {
		q, err := newQlog(c)
		if err != nil {
			return nil, err
		}
		c.trace = q.trace
	}
	if o.KeyLogPath != "" { // last: it is a file that is to be closed
		k, err := openKeyLog(c)
		if err != nil {
			return nil, err
		}
		c.keyLog, c.tls.KeyLogWriter = k, k
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}
	c.configure()
	c.pool.init(c)
	c.env.Spares.Until(c.quit)
	c.goroutines.Go(func() { sink.Guard("sweep", func() { c.env.Sweeper.Run(c.quit) }) })
	return c, nil
}

// configure sets up what connections have in common, and what QUIC is to do for it.
func (c *Client) configure() {
	o, w := c.options, c.options.WebTransport
	c.quic = &quic.Config{
		HandshakeIdleTimeout:           o.ConnectTimeout,
		MaxIdleTimeout:                 o.IdleTimeout,
		InitialStreamReceiveWindow:     min(512<<10, o.StreamReceiveWindow),
		MaxStreamReceiveWindow:         o.StreamReceiveWindow,
		InitialConnectionReceiveWindow: min(768<<10, o.ConnectionReceiveWindow),
		MaxConnectionReceiveWindow:     o.ConnectionReceiveWindow,
		MaxIncomingStreams:             -1, // a server opens none (RFC 9114, 6.1)
		MaxIncomingUniStreams:          link.MaxUniStreams,
		EnableDatagrams:                o.QUICDatagrams || w != nil,
		InitialPacketSize:              o.InitialPacketSize,
		TokenStore:                     quic.NewLRUTokenStore(rememberedServers, rememberedTokens),
	}
	if o.MaxPacketSize != 0 {
		// quic-go has no limit for what it discovers: so nothing is discovered, and all packets are as large as they may be.
		c.quic.InitialPacketSize, c.quic.DisablePathMTUDiscovery = o.MaxPacketSize, true
	}
	stats := c.stats.Shared()
	c.quic.Tracer = c.trace
	if o.Datagrams.CountLost && c.quic.EnableDatagrams {
		c.quic.Tracer = datagram.NewTracer(stats)
		if c.trace != nil {
			c.quic.Tracer = bothTracers(c.trace, c.quic.Tracer)
		}
	}
	settings := []wire.Setting{{ID: wire.SettingMaxFieldSectionSize, Value: uint64(o.MaxHeaderBytes)}}
	if w != nil {
		c.quic.EnableStreamResetPartialDelivery = true
		c.quic.MaxIncomingStreams = int64(w.MaxStreamsBidi)
		c.quic.MaxIncomingUniStreams += int64(w.MaxStreamsUni)
		offer := wire.Offer{Sessions: mostSessions, Limits: wire.Limits{Data: uint64(w.MaxData), StreamsBidi: uint64(w.MaxStreamsBidi), StreamsUni: uint64(w.MaxStreamsUni)}}
		settings = append(settings, offer.ClientSettings()...)
		c.sessions = session.Options{
			Own: wire.NewSettings(settings), Limits: c.limits, ReceiveWindow: o.ReceiveWindow, DecisionTimeout: w.DecisionTimeout, CapsuleTimeout: w.CapsuleTimeout,
			CapsuleBudget: w.CapsuleBudget, WriteTimeout: o.WriteTimeout, EarlyStreams: w.MaxEarlyStreams, EarlyTimeout: w.DecisionTimeout,
		}
	}
	c.env = link.Env{
		Role: link.Client, Parent: c.handle, Stats: stats, Sweeper: link.NewSweeper(), Spares: link.NewSpares(), Settings: link.OpenControl(settings),
		HeaderTimeout: o.HeaderTimeout, KeepAlive: link.KeepAliveAfter(o.KeepAlive, o.IdleTimeout), ResetBudget: o.ResetBudget, ResetPeriod: o.ResetPeriod,
		Group: completionGroup,
	}
	c.datagrams = datagram.Options{Incoming: o.Datagrams.Incoming, Outgoing: o.Datagrams.Outgoing, HTTP: w != nil, Raw: o.QUICDatagrams}
}

// bind gives the socket that all connections share, which is made for the first of them.
func (c *Client) bind() (*quic.Transport, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.transport == nil {
		socket, err := net.ListenUDP("udp", nil)
		if err != nil {
			return nil, &sink.Error{Code: sink.ErrIO, Text: "no socket: " + err.Error(), Err: err}
		}
		c.socket = socket
		c.transport = &quic.Transport{Conn: udp.NewLastingSocket(socket, c.wayChanged)}
		c.goroutines.Go(func() { sink.Guard("ways", c.watchWays) })
	}
	return c.transport, nil
}

// Close takes no more fetches, lets those that there are end until deadline, and then closes all connections. 0 is now, a negative deadline
// never. A later call may shorten the deadline. It returns at once; CLIENT_CLOSED comes last.
func (c *Client) Close(deadline time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := !c.closing
	c.closing = true
	c.forced = c.forced || deadline == 0
	if until := time.Now().Add(deadline); deadline >= 0 && (c.until.IsZero() || until.Before(c.until)) {
		c.until = until
	}
	if first {
		c.pool.close(deadline != 0)
		go sink.Guard("close", c.shut)
		return
	}
	c.nudge()
}

// warn emits a message about the client.
func (c *Client) warn(text string) { sink.EmitLog(c.sink, sink.LogWarn, c.handle, c.handle, text) }

// nudge has what closes the client look again.
func (c *Client) nudge() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// Done is closed once a client that was closed has emitted CLIENT_CLOSED.
func (c *Client) Done() <-chan struct{} { return c.done }

// shut runs on a goroutine of its own until all has ended.
func (c *Client) shut() {
	overdue := c.awaitFetches()
	c.cancel()
	c.pool.endSessions()
	c.pool.cut()
	c.serving.Wait()
	c.pool.awaitNone()
	c.mu.Lock()
	transport, socket, forced := c.transport, c.socket, c.forced
	c.mu.Unlock()
	var fault error
	if transport != nil {
		fault = transport.Close()
		socket.Close()
	}
	close(c.quit)
	c.goroutines.Wait()
	if c.keyLog != nil {
		c.keyLog.close()
	}
	ev := sink.Event{Type: sink.EventClientClosed, Object: c.handle, Parent: c.handle}
	text := ""
	switch {
	case fault != nil:
		ev.Code, text = sink.ErrIO, fault.Error()
	case overdue && !forced:
		ev.Code = sink.ErrTimeout
	}
	ev.DataLen = uint32(len(text))
	rec, _ := c.sink.Reserve(sink.Terminal, len(text), nil)
	copy(rec.Payload, text)
	c.sink.Commit(rec, &ev)
	close(c.done)
}

// awaitFetches waits until no fetch is left, and reports whether the deadline was earlier.
func (c *Client) awaitFetches() (overdue bool) {
	for c.pool.busy() {
		c.mu.Lock()
		until := c.until
		c.mu.Unlock()
		if until.IsZero() {
			<-c.changed
			continue
		}
		left := time.Until(until)
		if left <= 0 {
			return true
		}
		timer := time.NewTimer(left)
		select {
		case <-c.changed:
		case <-timer.C:
		}
		timer.Stop()
	}
	return false
}
