package server

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/config"
	"zigh3/engine/datagram"
	"zigh3/engine/identity"
	"zigh3/engine/link"
	"zigh3/engine/route"
	"zigh3/engine/session"
	"zigh3/engine/sink"
	"zigh3/engine/udp"
	"zigh3/engine/wire"
)

// maxSinks is how many queues one server delivers to.
const maxSinks = 64

// A Server serves HTTP/3 and tells its sinks what happens. Its methods may be called from any goroutine; only Start blocks.
type Server struct {
	options     *config.Options
	handle      sink.Handle
	stats       *sink.Stats
	router      *route.Router
	limits      *wire.FieldLimits
	identity    *identity.Identity
	env         link.Env
	datagrams   datagram.Options
	sessions    session.Options
	hasSessions bool       // some route takes sessions, and the peer is told
	streams     int        // bidirectional ones that a peer may have open
	bodies      byteBudget // of buffered bodies

	handshakes atomic.Int64 // unfinished
	done       chan struct{}

	mu      sync.Mutex
	sinks   []sink.Sink
	leaving []sink.Sink // were taken away, and still carry connections of the server that runs
	state   serverState
	running *listening
	pending *time.Duration // a Stop that came during Start
	freed   bool
	turn    int
}

type serverState uint8

const (
	stateIdle serverState = iota
	stateStarting
	stateRunning
	stateStopping
)

// New makes a server that delivers to sinks; handle is its own. Certificates are read here, nothing is bound. It fails with
// an *Error.
func New(o *config.Options, handle sink.Handle, sinks []sink.Sink, stats *sink.Stats) (*Server, error) {
	if len(sinks) == 0 || len(sinks) > maxSinks {
		return nil, &sink.Error{Code: sink.ErrLimit, Text: fmt.Sprintf("a server delivers to 1 to %d queues", maxSinks)}
	}
	id, err := identity.Load(o)
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, handle: handle, stats: stats, router: route.NewRouter(), limits: wire.NewFieldLimits(o.MaxHeaderBytes), identity: id, done: make(chan struct{})}
	s.sinks = append(s.sinks, sinks...)
	s.bodies.init(o.MaxBufferedBodyBytes, o.MaxRequestBodySize)
	return s, nil
}

// AddSink gives the server one more queue. Connections are pinned to its queues in turn.
func (s *Server) AddSink(to sink.Sink) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state != stateIdle:
		return &sink.Error{Code: sink.ErrWrongState, Text: "the server is running"}
	case len(s.sinks) == maxSinks:
		return &sink.Error{Code: sink.ErrLimit, Text: fmt.Sprintf("a server delivers to at most %d queues", maxSinks)}
	}
	s.sinks = append(s.sinks, to)
	return nil
}

// RemoveSink takes a queue away from the server: no later connection is pinned to it. Those that are get GOAWAY, and until deadline to finish
// what they have open, as with Stop; then EventServerStopped comes to this one, if EventServerStarted did. left is closed when nothing of the
// server reaches it any more. It fails with an *Error.
func (s *Server) RemoveSink(from sink.Sink, deadline time.Duration) (left <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.sinks, from)
	switch {
	case i < 0:
		return nil, &sink.Error{Code: sink.ErrInvalidArgument, Text: "the server does not deliver to this queue"}
	case len(s.sinks) == 1:
		return nil, &sink.Error{Code: sink.ErrWrongState, Text: "it is the server's last queue"}
	}
	s.sinks = slices.Delete(slices.Clone(s.sinks), i, i+1)
	done := make(chan struct{})
	l := s.running
	if l == nil { // it has heard of no start, or of the stop too
		close(done)
		return done, nil
	}
	s.leaving = append(s.leaving, from)
	go sink.Guard("leave", func() {
		defer close(done)
		ev := sink.Event{Type: sink.EventServerStopped, Object: s.handle, Parent: s.handle}
		if l.leave(from, deadline) {
			ev.Code = sink.ErrTimeout
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if i := slices.Index(s.leaving, from); i >= 0 { // else the server has stopped, and has said so
			s.leaving = slices.Delete(s.leaving, i, i+1)
			s.tell([]sink.Sink{from}, ev, "")()
		}
	})
	return done, nil
}

// tell reserves a record of an event of the server's for each of these sinks. Calling what it returns commits them.
func (s *Server) tell(to []sink.Sink, ev sink.Event, text string) (commit func()) {
	ev.DataLen = uint32(len(text))
	records := make([]sink.Record, len(to))
	for i, one := range to {
		records[i], _ = one.Reserve(sink.Terminal, len(text), nil)
		copy(records[i].Payload, text)
	}
	return func() {
		for i, one := range to {
			each := ev
			one.Commit(records[i], &each)
		}
	}
}

// pick gives the queue that the next connection is pinned to: the next one in turn whose consumer takes something, or the next one in turn.
// s.mu is held.
func (s *Server) pick() sink.Sink {
	turn := s.turn
	s.turn++
	for i := range s.sinks {
		if one := s.sinks[(turn+i)%len(s.sinks)]; !one.Stalled() {
			return one
		}
	}
	return s.sinks[turn%len(s.sinks)]
}

// Route adds a route; method "" is any. Requests that come later see it. It fails with an *Error.
func (s *Server) Route(method, pattern string, flags uint32, userData uint64) (id uint32, err error) {
	switch {
	case flags&(route.Datagram|route.WebTransport) != 0 && s.options.RawDatagrams:
		return 0, route.BadRoute("pattern %q needs datagrams of HTTP, which raw_datagrams turns off", pattern)
	case flags&route.WebTransport != 0 && method != "" && method != "CONNECT":
		return 0, route.BadRoute("pattern %q takes sessions, whose method is CONNECT, not %q", pattern, method)
	case flags&route.WebTransport != 0:
		method = "CONNECT"
	}
	return s.router.Add(method, pattern, flags, userData)
}

// CertificateHash is the SHA-256 of the leaf certificate that clients without SNI get.
func (s *Server) CertificateHash() [32]byte { return s.identity.Hash }

// Port is the UDP port that the server is bound to, 0 if it does not run.
func (s *Server) Port() uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return 0
	}
	return s.running.port
}

// Done is closed when a freed server has stopped.
func (s *Server) Done() <-chan struct{} { return s.done }

// Start binds and serves; EventServerStarted follows. On a running server it does nothing. It fails with an *Error.
func (s *Server) Start() error {
	s.mu.Lock()
	switch {
	case s.freed:
		s.mu.Unlock()
		return &sink.Error{Code: sink.ErrWrongState, Text: "the server was freed"}
	case s.state == stateRunning:
		s.mu.Unlock()
		return nil
	case s.state != stateIdle:
		s.mu.Unlock()
		return &sink.Error{Code: sink.ErrWrongState, Text: "the server is still starting or stopping"}
	}
	s.state, s.pending = stateStarting, nil
	s.mu.Unlock()

	l, err := s.listen()

	s.mu.Lock()
	if err != nil {
		s.state = stateIdle
		s.finishFree()
		s.mu.Unlock()
		return err
	}
	s.running = l
	started := s.tell(s.sinks, sink.Event{Type: sink.EventServerStarted, Object: s.handle, Parent: s.handle, Status: uint32(l.port)}, "")
	started() // with the lock: a sink that is taken away now hears of the end behind that
	s.mu.Unlock()
	s.env.Spares.Until(l.quit)
	l.goroutines.Go(func() { sink.Guard("sweep", func() { s.env.Sweeper.Run(l.quit) }) })
	l.accepting.Go(func() { sink.Guard("accept", l.accept) })
	s.mu.Lock()
	s.state = stateRunning
	pending := s.pending
	s.mu.Unlock()
	if pending != nil {
		s.Stop(*pending)
	}
	return nil
}

// Stop ends what runs: no new connections, GOAWAY on the open ones, and everything closed once nothing runs or deadline has passed.
// 0 is now, a negative deadline never. A later call may shorten the deadline. It returns at once; EventServerStopped comes last.
func (s *Server) Stop(deadline time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.state {
	case stateStarting:
		if s.pending == nil || sooner(deadline, *s.pending) {
			s.pending = &deadline
		}
	case stateRunning:
		s.state = stateStopping
		l := s.running
		l.limit(deadline)
		go sink.Guard("stop", func() { s.stop(l) })
	case stateStopping:
		s.running.limit(deadline)
	}
}

func sooner(a, b time.Duration) bool { return a >= 0 && (b < 0 || a < b) }

// Free is Stop(0) for good: Done is closed once the server has stopped.
func (s *Server) Free() {
	s.mu.Lock()
	s.freed = true
	if s.state == stateIdle {
		s.finishFree()
	}
	s.mu.Unlock()
	s.Stop(0)
}

// finishFree closes done on a freed server that does not run. s.mu is held.
func (s *Server) finishFree() {
	if !s.freed {
		return
	}
	select {
	case <-s.done:
	default:
		close(s.done)
	}
}

// stop runs on a goroutine of its own until all has ended.
func (s *Server) stop(l *listening) {
	overdue := l.shutDown()
	ev := sink.Event{Type: sink.EventServerStopped, Object: s.handle, Parent: s.handle}
	text := ""
	switch {
	case l.fault != nil:
		ev.Code, text = sink.ErrIO, l.fault.Error()
	case overdue:
		ev.Code = sink.ErrTimeout
	}
	// Whoever sees the event may start again; whoever starts again before must not see it late. So the record is reserved first.
	s.mu.Lock()
	stopped := s.tell(append(slices.Clone(s.sinks), s.leaving...), ev, text)
	s.leaving = nil
	s.state, s.running = stateIdle, nil
	stopped() // with the lock: a server that is started again has its port, and that stays, behind this
	if s.state == stateIdle {
		s.finishFree()
	}
	s.mu.Unlock()
}

// listen binds the socket and makes QUIC listen on it.
func (s *Server) listen() (*listening, error) {
	o := s.options
	address := net.JoinHostPort(o.Hostname, strconv.Itoa(int(o.Port)))
	at, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, &sink.Error{Code: sink.ErrResolve, Text: fmt.Sprintf("cannot resolve %q: %v", o.Hostname, err), Err: err}
	}
	network := "udp"
	if at.IP.To4() != nil {
		network = "udp4" // or 0.0.0.0 would mean IPv6 too
	}
	socket, err := net.ListenUDP(network, at)
	if err != nil {
		return nil, bindError(address, err)
	}
	l := &listening{s: s, socket: socket, port: uint16(socket.LocalAddr().(*net.UDPAddr).Port), conns: make(map[*conn]struct{}), handshakes: make(map[*handshake]struct{}),
		quit: make(chan struct{}), changed: make(chan struct{}, 1), until: -1, limits: newConnectionLimits(o.MaxConnections, o.MaxConnectionsPerAddress)}
	config := s.configure()
	l.transport = &quic.Transport{Conn: udp.NewSocket(socket), ConnContext: l.handshakeBegins, VerifySourceAddress: l.mustVerify}
	l.listener, err = l.transport.Listen(s.identity.TLSConfig(), config)
	if err != nil {
		l.transport.Close()
		socket.Close()
		return nil, &sink.Error{Code: sink.ErrIO, Text: "cannot listen on " + address + ": " + err.Error(), Err: err}
	}
	return l, nil
}

// configure sets up what connections have in common, by the options and by what routes there are, and what QUIC is to do for it.
func (s *Server) configure() *quic.Config {
	o, w := s.options, &s.options.WebTransport
	flags := s.router.Flags()
	http := flags&(route.Datagram|route.WebTransport) != 0 && !o.RawDatagrams
	s.hasSessions = flags&route.WebTransport != 0 && !o.RawDatagrams
	config := &quic.Config{
		HandshakeIdleTimeout:             o.HandshakeTimeout,
		MaxIdleTimeout:                   o.IdleTimeout,
		InitialStreamReceiveWindow:       min(512<<10, o.StreamReceiveWindow),
		MaxStreamReceiveWindow:           o.StreamReceiveWindow,
		InitialConnectionReceiveWindow:   min(768<<10, o.ConnectionReceiveWindow),
		MaxConnectionReceiveWindow:       o.ConnectionReceiveWindow,
		MaxIncomingStreams:               int64(o.MaxIncomingStreams),
		MaxIncomingUniStreams:            link.MaxUniStreams,
		EnableDatagrams:                  o.QUICDatagrams || http,
		EnableStreamResetPartialDelivery: s.hasSessions,
		InitialPacketSize:                o.InitialPacketSize,
	}
	if o.MaxPacketSize != 0 {
		// quic-go has no limit for what it discovers: so nothing is discovered, and all packets are as large as they may be.
		config.InitialPacketSize, config.DisablePathMTUDiscovery = o.MaxPacketSize, true
	}
	if o.Datagrams.CountLost && config.EnableDatagrams {
		config.Tracer = datagram.NewTracer(s.stats)
	}
	settings := []wire.Setting{{ID: wire.SettingMaxFieldSectionSize, Value: uint64(o.MaxHeaderBytes)}}
	switch {
	case s.hasSessions:
		config.MaxIncomingStreams += int64(w.MaxStreamsBidi)
		config.MaxIncomingUniStreams += int64(w.MaxStreamsUni)
		// Without limits Safari refuses, and a connection could have but one session.
		offer := wire.Offer{Sessions: uint64(o.MaxIncomingStreams),
			Limits: wire.Limits{Data: uint64(w.MaxData), StreamsBidi: uint64(w.MaxStreamsBidi), StreamsUni: uint64(w.MaxStreamsUni)}}
		settings = append(settings, offer.ServerSettings()...)
	case http:
		settings = append(settings, wire.Setting{ID: wire.SettingH3Datagram, Value: 1})
	}
	s.streams = int(config.MaxIncomingStreams)
	s.env = link.Env{
		Role: link.Server, Parent: s.handle, Stats: s.stats, Sweeper: link.NewSweeper(), Spares: link.NewSpares(), Settings: link.OpenControl(settings),
		HeaderTimeout: o.HeaderTimeout, KeepAlive: link.KeepAliveAfter(o.KeepAlive, o.IdleTimeout), ResetBudget: o.ResetBudget, ResetPeriod: o.ResetPeriod,
		Group: link.CompletionGroup(s.streams),
	}
	s.datagrams = datagram.Options{Incoming: o.Datagrams.Incoming, Outgoing: o.Datagrams.Outgoing, HTTP: http, Raw: o.QUICDatagrams, RawOnly: o.RawDatagrams}
	s.sessions = session.Options{
		Own: wire.NewSettings(settings), Limits: s.limits, ReceiveWindow: o.ReceiveWindow, DecisionTimeout: w.DecisionTimeout,
		CapsuleTimeout: w.CapsuleTimeout, CapsuleBudget: w.CapsuleBudget, WriteTimeout: o.WriteTimeout, EarlyStreams: w.MaxEarlyStreams,
		EarlyTimeout: w.DecisionTimeout, Date: o.Date,
	}
	return config
}

func bindError(address string, err error) *sink.Error {
	e := &sink.Error{Code: sink.ErrIO, Err: err}
	name := ""
	for _, known := range []struct {
		errno syscall.Errno
		code  sink.Code
		name  string
	}{
		{syscall.EADDRINUSE, sink.ErrAddressInUse, "EADDRINUSE: "},
		{syscall.EADDRNOTAVAIL, sink.ErrAddressUnavailable, "EADDRNOTAVAIL: "},
		{syscall.EACCES, sink.ErrPermission, "EACCES: "},
		{syscall.EPERM, sink.ErrPermission, "EPERM: "},
	} {
		if errors.Is(err, known.errno) {
			e.Code, name = known.code, known.name
			err = known.errno
			break
		}
	}
	e.Text = "cannot bind " + address + ": " + name + err.Error()
	return e
}
