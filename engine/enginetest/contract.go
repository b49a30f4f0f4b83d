package enginetest

import (
	"unicode/utf8"

	"zigh3/engine/sink"
)

// A Contract holds a consumer's events, one after the other, against what include/zig_h3.h promises: each object has one begin and one
// end, nothing of it comes before or behind these, what it carries ends first, each side of a stream ends once, positions follow on each
// other, and codes are those that the header names. One goroutine uses it.
type Contract struct {
	fail    func(format string, args ...any)
	live    func(h sink.Handle) bool // the handle is not stale
	counts  map[sink.EventType]int
	open    map[sink.Handle]*object
	ended   map[sink.Handle]sink.Kind
	forgot  map[sink.Handle]bool
	parents map[sink.Handle]int // what is open of a session, or of a connection
}

// An object is one that is open.
type object struct {
	kind     sink.Kind
	parent   sink.Handle // of a stream: its session
	conn     sink.Handle
	userData uint64

	// Of a request or a session.
	whole    bool // its body is
	accepted bool
	draining bool
	wish     bool // we have asked for it

	// Of a fetch; bytes and whole are those of its response.
	answered bool

	// Of a stream.
	remote, unidirectional bool
	sent                   bool // our side has ended in the regular way
	reset, stopped         bool
	bytes                  uint64

	ids map[uint64]bool // of a connection: whose streams of sessions they are
}

// NewContract makes a contract that tells fail of each breach. live says whether a handle is live.
func NewContract(fail func(format string, args ...any), live func(h sink.Handle) bool) *Contract {
	return &Contract{
		fail: fail, live: live, counts: map[sink.EventType]int{}, open: map[sink.Handle]*object{}, ended: map[sink.Handle]sink.Kind{},
		forgot: map[sink.Handle]bool{}, parents: map[sink.Handle]int{},
	}
}

// Forget says that the consumer gives up a request, whose end it will not hear of.
func (m *Contract) Forget(h sink.Handle) {
	if o := m.open[h]; o != nil {
		m.close(h, o)
		delete(m.ended, h)
		m.forgot[h] = true
	}
}

// Hold holds e against what came before.
func (m *Contract) Hold(e *Event) {
	m.counts[e.Type]++
	if m.fetch(e) {
		return
	}
	switch e.Type {
	case sink.EventConnectDone:
		m.connectDone(e)
	case sink.EventConnOpened:
		if o := m.begin(e, sink.KindConn); o != nil {
			o.conn, o.ids = e.Object, map[uint64]bool{}
		}
	case sink.EventConnClosed:
		m.connClosed(e)
	case sink.EventRequest, sink.EventBody, sink.EventBodyEnd, sink.EventStreamClosed:
		m.request(e)
	case sink.EventSessionRequest, sink.EventSessionOpened, sink.EventSessionDraining, sink.EventSessionClosed:
		m.session(e)
	case sink.EventStreamOpened:
		m.streamOpened(e)
	case sink.EventStreamData, sink.EventStreamReset, sink.EventStreamStopped, sink.EventWritable:
		m.side(e)
	case sink.EventStreamAtomic:
		m.atomic(e)
	case sink.EventStreamEnded:
		m.streamEnded(e)
	case sink.EventSessionDatagram:
		if o := m.of(e, sink.KindSession); o != nil && !o.accepted {
			m.fail("a datagram of session %d, which was not opened", e.Object)
		}
	case sink.EventH3Datagram:
		m.of(e, sink.KindRequest)
	case sink.EventQUICDatagram:
		m.of(e, sink.KindConn)
	case sink.EventDatagramsDropped:
		m.datagramsDropped(e)
	case sink.EventServerStopped:
		for h, o := range m.open {
			m.fail("the server has stopped, and %s %d has no end", kindName(o.kind), h)
		}
		if e.Code != sink.OK && e.Code != sink.ErrTimeout && e.Code != sink.ErrIO {
			m.fail("SERVER_STOPPED with code %d", e.Code)
		}
	}
}

func kindName(k sink.Kind) string {
	return [...]string{"object", "connection", "request", "session", "stream", "fetch", "wish"}[k]
}

// begin takes an object's first event.
func (m *Contract) begin(e *Event, kind sink.Kind) *object {
	name := kindName(kind)
	if m.open[e.Object] != nil {
		m.fail("%s %d began twice", name, e.Object)
		return nil
	}
	if _, ok := m.ended[e.Object]; ok || m.forgot[e.Object] {
		m.fail("%s %d began behind its end", name, e.Object)
		return nil
	}
	o := &object{kind: kind, conn: e.Conn, userData: e.UserData}
	if kind != sink.KindConn {
		o.parent = e.Conn
		if kind == sink.KindStream {
			o.parent = e.Parent
		}
		if c := m.open[e.Conn]; c == nil || c.kind != sink.KindConn {
			m.fail("%s %d on connection %d, which is not open", name, e.Object, e.Conn)
		}
		m.parents[o.parent]++
	}
	m.open[e.Object] = o
	return o
}

// of finds the object of a later event.
func (m *Contract) of(e *Event, kind sink.Kind) *object {
	o := m.open[e.Object]
	name := kindName(kind)
	switch {
	case o != nil && o.kind != kind:
		m.fail("event %d of %s %d, which is a %s", e.Type, name, e.Object, kindName(o.kind))
		return nil
	case o != nil:
		if e.Conn != o.conn {
			m.fail("event %d of %s %d is of connection %d, not %d", e.Type, name, e.Object, e.Conn, o.conn)
		}
		if (kind == sink.KindSession || kind == sink.KindStream) && e.UserData != o.userData {
			m.fail("event %d of %s %d has user data %d, not %d", e.Type, name, e.Object, e.UserData, o.userData)
		}
		if kind == sink.KindStream && e.Parent != o.parent {
			m.fail("event %d of stream %d is of session %d, not %d", e.Type, e.Object, e.Parent, o.parent)
		}
		return o
	case m.forgot[e.Object]:
		return nil // what was queued by then
	}
	if _, ok := m.ended[e.Object]; ok {
		m.fail("event %d of %s %d behind its end", e.Type, name, e.Object)
	} else {
		m.fail("event %d of %s %d before its begin", e.Type, name, e.Object)
	}
	return nil
}

// end takes an object's last event.
func (m *Contract) end(e *Event, kind sink.Kind) *object {
	o := m.of(e, kind)
	if m.live(e.Object) {
		m.fail("%s %d ended, but its handle is live", kindName(kind), e.Object)
	}
	if o == nil {
		return nil
	}
	if m.parents[e.Object] > 0 {
		for h, carried := range m.open {
			if carried.parent == e.Object {
				m.fail("%s %d ended before its %s %d", kindName(kind), e.Object, kindName(carried.kind), h)
			}
		}
	}
	m.close(e.Object, o)
	return o
}

func (m *Contract) close(h sink.Handle, o *object) {
	delete(m.open, h)
	delete(m.parents, h)
	m.ended[h] = o.kind
	if o.kind != sink.KindConn {
		if m.parents[o.parent]--; m.parents[o.parent] <= 0 {
			delete(m.parents, o.parent)
		}
	}
}

func (m *Contract) connClosed(e *Event) {
	m.end(e, sink.KindConn)
	remote := e.Flags&sink.FlagRemote != 0
	switch e.Code {
	case sink.ErrClosed, sink.ErrIdle:
		if !remote {
			m.fail("connection %d was closed by this side, and the code is %d", e.Object, e.Code)
		}
	case sink.ErrProtocol, sink.ErrShutdown, sink.ErrIO:
		if remote {
			m.fail("connection %d was closed by the peer, and the code is %d", e.Object, e.Code)
		}
	default:
		m.fail("CONN_CLOSED of %d with code %d", e.Object, e.Code)
	}
}

func (m *Contract) request(e *Event) {
	if e.Type == sink.EventRequest {
		if o := m.begin(e, sink.KindRequest); o != nil {
			o.whole = e.Flags&sink.FlagEnd != 0
			o.bytes = uint64(len(e.Data))
		}
		return
	}
	if e.Type == sink.EventStreamClosed {
		o := m.end(e, sink.KindRequest)
		if o != nil && (e.Code != sink.OK) != (e.Flags&sink.FlagAborted != 0) {
			m.fail("request %d ended with code %d and flags %#x", e.Object, e.Code, e.Flags)
		}
		return
	}
	o := m.of(e, sink.KindRequest)
	if o == nil {
		return
	}
	if o.whole {
		m.fail("event %d of request %d behind the end of its body", e.Type, e.Object)
	}
	if e.Aux != o.bytes {
		m.fail("event %d of request %d at byte %d, not %d", e.Type, e.Object, e.Aux, o.bytes)
	}
	o.bytes += uint64(len(e.Data))
	o.whole = e.Type == sink.EventBodyEnd
}

func (m *Contract) session(e *Event) {
	switch e.Type {
	case sink.EventSessionRequest:
		m.begin(e, sink.KindSession)
		return
	case sink.EventSessionClosed:
		m.sessionClosed(e)
		return
	}
	if w := m.open[e.Object]; w != nil && w.wish {
		m.wishConn(e, w)
	}
	o := m.of(e, sink.KindSession)
	if o == nil {
		return
	}
	if e.Type == sink.EventSessionOpened {
		if o.accepted {
			m.fail("session %d was opened twice", e.Object)
		}
		o.accepted = true
		return
	}
	if !o.accepted {
		m.fail("session %d drains, which was not opened", e.Object)
	}
	if o.draining {
		m.fail("session %d drains twice", e.Object)
	}
	o.draining = true
}

func (m *Contract) sessionClosed(e *Event) {
	if w := m.open[e.Object]; w != nil && w.wish {
		m.wishConn(e, w)
	}
	o := m.end(e, sink.KindSession)
	if o == nil {
		return
	}
	switch e.Code {
	case sink.OK:
		if e.Flags&sink.FlagAborted != 0 {
			m.fail("session %d was closed in the regular way and aborted", e.Object)
		}
	case sink.ErrTimeout, sink.ErrCancelled, sink.ErrClosed, sink.ErrReset, sink.ErrIdle, sink.ErrProtocol, sink.ErrShutdown:
	case sink.ErrRejected, sink.ErrTruncated, sink.ErrTooLarge, sink.ErrPoolTimeout, sink.ErrQueueFull, sink.ErrRefused, sink.ErrConnectTimeout, sink.ErrResolve, sink.ErrHandshake, sink.ErrBadHeader, sink.ErrBadURL,
		sink.ErrUnknownAuthority, sink.ErrWrongName, sink.ErrExpired, sink.ErrPin: // of ours
		if !o.wish || o.accepted {
			m.fail("session %d, of ours: %v, open: %v, ended with code %d", e.Object, o.wish, o.accepted, e.Code)
		}
	case sink.ErrNotNegotiated, sink.ErrInvalidArgument: // it was accepted in vain
		if o.accepted {
			m.fail("session %d was open, and ended with code %d", e.Object, e.Code)
		}
	default:
		m.fail("SESSION_CLOSED of %d with code %d", e.Object, e.Code)
	}
	counters := 0
	if o.accepted {
		counters = sink.SessionStatsSize
	}
	if len(e.Meta) != counters {
		m.fail("session %d ended with %d bytes of counters, not %d", e.Object, len(e.Meta), counters)
	}
	if o.accepted != (e.Flags&sink.FlagCounters != 0) {
		m.fail("session %d ended with flags %#x, opened: %t", e.Object, e.Flags, o.accepted)
	}
	if e.Aux > 1<<32-1 || len(e.Data) > 1024 || !utf8.Valid(e.Data) {
		m.fail("session %d ended with close code %#x and reason %q", e.Object, e.Aux, e.Data)
	}
}

func (m *Contract) streamOpened(e *Event) {
	o := m.begin(e, sink.KindStream)
	if o == nil {
		return
	}
	if s := m.open[e.Parent]; s == nil || s.kind != sink.KindSession || !s.accepted {
		m.fail("stream %d of session %d, which is not open", e.Object, e.Parent)
	} else if s.userData != e.UserData {
		m.fail("stream %d has user data %d, not its session's %d", e.Object, e.UserData, s.userData)
	}
	o.remote, o.unidirectional = e.Flags&sink.FlagRemote != 0, e.Status == 1
	if e.Status > 1 || e.Aux&2 != uint64(e.Status)<<1 {
		m.fail("stream %d of kind %d has QUIC's id %d", e.Object, e.Status, e.Aux)
	}
	if c := m.open[e.Conn]; c != nil && c.ids != nil {
		if c.ids[e.Aux] {
			m.fail("two streams with QUIC's id %d", e.Aux)
		}
		c.ids[e.Aux] = true
	}
}

// side takes what happens on one side of a stream. WRITABLE without END is the sink's own.
func (m *Contract) side(e *Event) {
	if e.Type == sink.EventWritable && e.Flags&sink.FlagEnd == 0 {
		return
	}
	o := m.of(e, sink.KindStream)
	if o == nil {
		return
	}
	switch e.Type {
	case sink.EventStreamData:
		m.received(e, o)
		if e.Aux != o.bytes {
			m.fail("data of stream %d at byte %d, not %d", e.Object, e.Aux, o.bytes)
		}
		if len(e.Data) > 64<<10 {
			m.fail("%d bytes of stream %d in one", len(e.Data), e.Object)
		}
		o.bytes += uint64(len(e.Data))
		o.whole = e.Flags&sink.FlagEnd != 0
	case sink.EventStreamReset:
		m.received(e, o)
		m.code(e)
		o.reset = true
	case sink.EventStreamStopped:
		m.sends(e, o)
		m.code(e)
		o.stopped = true
	default:
		m.sends(e, o)
		o.sent = true
	}
}

// received looks whether something of the peer's side may come.
func (m *Contract) received(e *Event, o *object) {
	switch {
	case o.unidirectional && !o.remote:
		m.fail("event %d of stream %d, which the peer sends nothing on", e.Type, e.Object)
	case o.whole:
		m.fail("event %d of stream %d behind END", e.Type, e.Object)
	case o.reset:
		m.fail("event %d of stream %d behind STREAM_RESET", e.Type, e.Object)
	}
}

// sends looks whether something of our side may come.
func (m *Contract) sends(e *Event, o *object) {
	switch {
	case o.unidirectional && o.remote:
		m.fail("event %d of stream %d, which only the peer sends on", e.Type, e.Object)
	case o.stopped:
		m.fail("event %d of stream %d behind STREAM_STOPPED", e.Type, e.Object)
	case o.sent:
		m.fail("event %d of stream %d behind WRITABLE with END", e.Type, e.Object)
	}
}

// code looks at an application's code.
func (m *Contract) code(e *Event) {
	if e.Aux > 1<<32-1 || e.Flags&sink.FlagRemote == 0 {
		m.fail("event %d of stream %d with code %#x and flags %#x", e.Type, e.Object, e.Aux, e.Flags)
	}
}

// atomic takes the outcome of an atomic write, which one of ours may have before it is there.
func (m *Contract) atomic(e *Event) {
	if _, ended := m.ended[e.Object]; m.open[e.Object] != nil || ended {
		if o := m.of(e, sink.KindStream); o != nil && o.unidirectional && o.remote {
			m.fail("an atomic write on stream %d, which only the peer sends on", e.Object)
		}
	}
	switch e.Code {
	case sink.OK, sink.ErrWouldBlock, sink.ErrReset, sink.ErrCancelled, sink.ErrClosed:
	default:
		m.fail("STREAM_ATOMIC of %d with code %d", e.Object, e.Code)
	}
}

func (m *Contract) streamEnded(e *Event) {
	_, ended := m.ended[e.Object]
	if m.open[e.Object] == nil && !ended { // one of ours that was never there
		m.neverOpened(e)
		return
	}
	o := m.end(e, sink.KindStream)
	if o == nil {
		return
	}
	receives := o.remote || !o.unidirectional
	switch e.Code {
	case sink.OK:
		if o.reset || o.stopped || receives && !o.whole {
			m.fail("stream %d ended well, but reset: %v, stopped: %v, all of it came: %v", e.Object, o.reset, o.stopped, o.whole)
		}
	case sink.ErrReset:
		if !o.reset && !o.stopped {
			m.fail("stream %d ended for a reset that nobody was told of", e.Object)
		}
	case sink.ErrCancelled, sink.ErrClosed, sink.ErrIdle, sink.ErrProtocol, sink.ErrShutdown:
	default:
		m.fail("STREAM_ENDED of %d with code %d", e.Object, e.Code)
	}
}

// neverOpened takes the end of a stream of ours without a begin. It belongs to an open session, or its session had just ended.
func (m *Contract) neverOpened(e *Event) {
	if m.live(e.Object) {
		m.fail("stream %d ended, but its handle is live", e.Object)
	}
	m.ended[e.Object] = sink.KindStream
	s := m.open[e.Parent]
	kind, past := m.ended[e.Parent]
	switch {
	case s != nil && s.kind == sink.KindSession && s.accepted:
	case past && kind == sink.KindSession && e.Code == sink.ErrClosed:
	default:
		m.fail("stream %d of session %d, which is not open, ended with code %d", e.Object, e.Parent, e.Code)
	}
	switch e.Code {
	case sink.ErrQueueFull, sink.ErrCancelled, sink.ErrClosed, sink.ErrReset, sink.ErrIdle, sink.ErrProtocol, sink.ErrShutdown:
	default:
		m.fail("stream %d was never opened and ended with code %d", e.Object, e.Code)
	}
}

func (m *Contract) datagramsDropped(e *Event) {
	if o := m.open[e.Object]; o != nil {
		m.of(e, o.kind)
	} else if !m.forgot[e.Object] {
		m.fail("datagrams of %d were dropped, which is not open", e.Object)
	}
	if e.Code != sink.ErrTimeout && e.Code != sink.ErrDatagramTooLarge && e.Code != sink.ErrClosed || e.Aux == 0 {
		m.fail("%d datagrams of %d were dropped with code %d", e.Aux, e.Object, e.Code)
	}
}
