package engine

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// routeBuffered is ZIG_H3_ROUTE_BUFFERED.
const routeBuffered = 0x1

const (
	// headerWait is what a stream may keep its connection waiting for a complete request. A later one goes to a goroutine. It is
	// a deadline in the future because a past one fails even where data is there.
	headerWait = 500 * time.Microsecond
	// largestPeek is the largest request, body included, that is delivered without a goroutine.
	largestPeek = 16 << 10
)

// A conn is a connection whose streams the engine frames itself. One goroutine accepts its requests, reads those that are there at
// once, and delivers them.
type conn struct {
	s      *Server
	q      *quic.Conn
	sink   Sink
	stats  *Stats
	handle Handle
	done   <-chan struct{} // closed once the connection is gone
	uni    uniStreams

	// Of the connection's goroutine.
	peek   []byte // what is there of a stream
	fields []byte // its fields, packed
	event  Event  // of its request

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
	resets      int    // of requests by the peer, since resetSince
	resetSince  time.Time

	sweep   connSweep
	counted quic.ConnectionStats // is in the server's counters
}

func newConn(s *Server, q *quic.Conn, sink Sink) *conn {
	c := &conn{s: s, q: q, sink: sink, stats: s.stats, done: q.Context().Done(), peek: make([]byte, 2<<10), fields: make([]byte, 2<<10)}
	c.empty.L = &c.mu
	return c
}

// serve runs the connection from its begin to its last event.
func (c *conn) serve() {
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
	var ok bool
	if c.handle, ok = c.sink.Issue(KindConn, c.s.handle, c); !ok {
		c.close(http3.ErrCodeExcessiveLoad, "too many connections")
		return false
	}
	state := c.q.ConnectionState().TLS
	meta := appendPacked(nil, "remote", c.q.RemoteAddr().String())
	meta = appendPacked(meta, "local", c.q.LocalAddr().String())
	meta = appendPacked(meta, "alpn", state.NegotiatedProtocol)
	meta = appendPacked(meta, "sni", state.ServerName)
	rec, ok := c.sink.Reserve(Bulk, PayloadSize(len(meta), 0), c.done)
	if !ok {
		c.sink.Release(c.handle)
		return false
	}
	copy(rec.Payload, meta)
	c.sink.Commit(rec, &Event{Type: EventConnOpened, Object: c.handle, Parent: c.s.handle, Conn: c.handle, MetaLen: uint32(len(meta))})
	c.stats.add(StatConnectionsTotal, 1)
	c.stats.add(StatConnectionsActive, 1)
	c.spawn("uni streams", c.acceptUni)
	c.mu.Lock()
	c.control = control
	c.mu.Unlock()
	if c.draining.Load() {
		c.goAway()
	}
	return true
}

// accept takes a stream that the peer has opened.
func (c *conn) accept(s *quic.Stream) {
	c.next.Store(uint64(s.StreamID()) + 4)
	if c.draining.Load() { // after the store: see drain
		c.reject(s)
		return
	}
	s.SetReadDeadline(time.Now().Add(headerWait))
	block, body, err := c.peekRequest(s)
	switch {
	case err == nil:
		c.request(s, block, body)
	case err == errNotAtOnce, errors.Is(err, os.ErrDeadlineExceeded):
		c.late(s)
	default:
		c.refuse(s, err)
	}
}

// errNotAtOnce: a stream holds something else than one request that is there as a whole.
var errNotAtOnce = errors.New("not there at once")

// peekRequest looks for a HEADERS frame, at most one DATA frame, and the end of the stream, and consumes nothing.
func (c *conn) peekRequest(s *quic.Stream) (block, body []byte, err error) {
	if _, err := s.Peek(c.peek[:3]); err != nil {
		if err == io.EOF {
			err = errNotAtOnce
		}
		return nil, nil, err
	}
	if c.peek[0] != frameHeaders {
		return nil, nil, errNotAtOnce
	}
	width := 1 << (c.peek[1] >> 6)
	if width > 2 {
		return nil, nil, errNotAtOnce
	}
	length, _, _ := quicvarint.Parse(c.peek[1:3])
	begin := 1 + width
	end := begin + int(length)
	n, err := c.peekTo(s, end+1)
	if err == io.EOF && n == end {
		return c.peek[begin:end], nil, nil
	}
	if err != nil {
		if err == io.EOF {
			err = errNotAtOnce
		}
		return nil, nil, err
	}
	if c.peek[end] != frameData {
		return nil, nil, errNotAtOnce
	}
	if _, err = c.peekTo(s, end+2); err != nil {
		return nil, nil, notAtOnce(err)
	}
	data := end + 1 + 1<<(c.peek[end+1]>>6)
	if data > end+5 {
		return nil, nil, errNotAtOnce
	}
	if _, err = c.peekTo(s, data); err != nil {
		return nil, nil, notAtOnce(err)
	}
	length, _, _ = quicvarint.Parse(c.peek[end+1 : data])
	all := data + int(length)
	if n, err = c.peekTo(s, all+1); err != io.EOF || n != all {
		return nil, nil, notAtOnce(err)
	}
	return c.peek[begin:end], c.peek[data:all], nil
}

// notAtOnce leaves what is wrong with the rest of a stream to the goroutine that it goes to.
func notAtOnce(err error) error {
	var reset *quic.StreamError
	if errors.As(err, &reset) {
		return err
	}
	return errNotAtOnce
}

func (c *conn) peekTo(s *quic.Stream, n int) (int, error) {
	if n > len(c.peek) {
		if n > largestPeek {
			return 0, errNotAtOnce
		}
		c.peek = make([]byte, largestPeek)
		// What was there is still to be read: peeking again gives all of it.
	}
	return s.Peek(c.peek[:n])
}

// request delivers a request that is there as a whole.
func (c *conn) request(s *quic.Stream, block, body []byte) {
	head, err := c.decode(block)
	if err != nil {
		c.refuse(s, err)
		return
	}
	if head.ContentLength >= 0 && head.ContentLength != int64(len(body)) {
		c.refuse(s, &streamError{http3.ErrCodeMessageError, "the body is not as long as content-length says"})
		return
	}
	r := newRequest(c)
	r.raw.s = s
	r.x = &r.raw
	r.bodyDone = true
	route, ok := c.admit(r, &head, int64(len(body)))
	if !ok {
		r.recycle()
		c.finish(s)
		return
	}
	c.stats.add(StatBodyBytesIn, uint64(len(body)))
	if !c.deliver(r, &c.event, route, c.fields[:head.MetaLen], body, FlagEnd) {
		s.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestRejected))
		s.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestRejected))
		r.recycle()
		return
	}
	// From here on r is the consumer's: it may be answered and used again already.
	if len(body) > 1<<10 {
		c.finish(s)
		c.complete() // the peer's windows open again only by this
		return
	}
	c.finish(s)
}

// decode packs a field section into c.fields. It is copied from there into a record: to decode inside a record would keep every
// later event of the queue waiting for it, and its size would have to be guessed.
func (c *conn) decode(block []byte) (requestHead, error) {
	for {
		head, err := decodeRequest(c.fields, block, c.s.limits)
		if err != errShort {
			return head, err
		}
		c.fields = make([]byte, min(4*len(c.fields), c.s.limits.packedMax()))
	}
}

// admit finds the route of a request, or answers it here and reports false. size is that of its body, -1 if it is not known.
func (c *conn) admit(r *Request, head *requestHead, size int64) (route routeMatch, ok bool) {
	r.isHead = head.Method == "HEAD"
	if head.Method == "CONNECT" {
		c.answer(r, 501, "")
		return route, false
	}
	route = c.s.router.Match(head.Method, head.Path)
	if route.Status != 0 {
		c.answer(r, route.Status, route.Allow)
		return route, false
	}
	if route.Flags&routeBuffered != 0 && max(size, head.ContentLength) > c.s.options.MaxRequestBodySize {
		c.answer(r, 413, "")
		return route, false
	}
	if head.MetaLen > largestBody {
		c.answer(r, 431, "")
		return route, false
	}
	return route, true
}

// answer responds to a request that the consumer does not hear of.
func (c *conn) answer(r *Request, status int, allow string) {
	c.stats.add(StatRequestsAnswered, 1)
	p := part{head: true, status: status, length: 0, date: c.s.options.Date, end: true}
	if allow != "" {
		p.headers = appendPacked(nil, "allow", allow)
	}
	if r.x.tryWrite(&p) != nil {
		r.x.abort(http3.ErrCodeRequestRejected)
		return
	}
	if !r.bodyDone {
		r.x.stop(http3.ErrCodeNoError)
	}
}

// deliver emits the REQUEST event, with ev as its work space. It reports false when the request cannot be delivered: too many objects, or the connection is
// gone. After true the caller may touch r only if it is shared.
func (c *conn) deliver(r *Request, ev *Event, route routeMatch, meta, body []byte, flags uint16) bool {
	handle, ok := c.sink.Issue(KindRequest, c.handle, r)
	if !ok {
		return false
	}
	rec, ok := c.sink.Reserve(Bulk, PayloadSize(len(meta), len(body)), c.done)
	if !ok {
		c.sink.Release(handle)
		return false
	}
	copy(rec.Payload, meta)
	copy(rec.Payload[DataOffset(len(meta)):], body)
	r.handle, r.userData = handle, route.UserData
	if route.Flags&routeBuffered != 0 {
		flags |= FlagBuffered
	}
	*ev = Event{Type: EventRequest, Flags: flags, Object: handle, Parent: c.s.handle, Conn: c.handle, UserData: route.UserData,
		Status: route.ID, MetaLen: uint32(len(meta)), DataLen: uint32(len(body)), Aux: r.x.id()}
	if !c.add(r) {
		c.sink.Abort(rec)
		c.sink.Release(handle)
		return false
	}
	c.stats.add(StatRequestsTotal, 1)
	c.stats.add(StatRequestsActive, 1)
	c.sink.Commit(rec, ev)
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
	of := o
	if of.flags&FlagRemote == 0 {
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
	c.stats.sub(StatConnectionsActive)
	text := o.text[:min(len(o.text), 1<<10)]
	rec, _ := c.sink.Reserve(Terminal, len(text), nil)
	copy(rec.Payload, text)
	c.sink.Release(c.handle)
	c.sink.Commit(rec, &Event{Type: EventConnClosed, Flags: o.flags &^ FlagAborted, Object: c.handle, Parent: c.s.handle, Conn: c.handle,
		Code: o.code, Aux: o.aux, DataLen: uint32(len(text))})
}

// close ends the connection. It does not wait.
func (c *conn) close(code http3.ErrCode, text string) {
	if c.closing.Swap(true) {
		return
	}
	go Guard("close", func() { c.q.CloseWithError(quic.ApplicationErrorCode(code), text) })
}

// breach closes the connection because the peer broke the protocol.
func (c *conn) breach(code http3.ErrCode, text string) {
	if c.closing.Load() {
		return
	}
	c.stats.add(StatConnectionErrors, 1)
	c.close(code, text)
	emitLog(c.sink, LogWarn, c.s.handle, c.handle, code.String()+": "+text)
}

// drain tells the peer with GOAWAY that requests which come from now on are not served. The order matters: next is read after
// draining is set, and accept looks at draining after it has set next, so no request between the two is lost without a word.
func (c *conn) drain() {
	if !c.draining.Swap(true) {
		c.goAway()
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
	frame := appendFrameHead(nil, frameGoAway, uint64(quicvarint.Len(id)))
	if err := control.TryWriteAll(quicvarint.Append(frame, id)); err != nil {
		emitLog(c.sink, LogDebug, c.s.handle, c.handle, "GOAWAY was not sent: "+err.Error())
	}
}

// reject turns a stream away in a way that lets the peer try again elsewhere.
func (c *conn) reject(s *quic.Stream) {
	c.stats.add(StatRequestsRejected, 1)
	s.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestRejected))
	s.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestRejected))
}

// peerReset counts a request that the peer gave up. Opening and resetting costs a peer next to nothing, so there is a budget.
func (c *conn) peerReset() {
	c.mu.Lock()
	now := time.Now()
	if now.Sub(c.resetSince) > ResetWindow {
		c.resetSince, c.resets = now, 0
	}
	c.resets++
	over := c.resets > c.s.options.ResetBudget
	c.mu.Unlock()
	if over {
		c.breach(http3.ErrCodeExcessiveLoad, "too many requests were reset")
	}
}

// refuse does away with a stream whose request was not delivered, as err calls for.
func (c *conn) refuse(s *quic.Stream, err error) {
	var (
		breach *connError
		fields *fieldError
		stream *streamError
		reset  *quic.StreamError
	)
	abort := func(code http3.ErrCode) {
		s.CancelRead(quic.StreamErrorCode(code))
		s.CancelWrite(quic.StreamErrorCode(code))
	}
	switch {
	case errors.As(err, &breach):
		c.breach(breach.code, breach.text)
		abort(breach.code)
	case errors.As(err, &fields) && fields.Connection:
		c.breach(fields.Code, fields.Reason)
		abort(fields.Code)
	case errors.As(err, &fields) && fields.Status != 0:
		c.stats.add(StatRequestsInvalid, 1)
		s.SetReadDeadline(time.Time{})
		r := Request{raw: rawStream{s: s}}
		r.x = &r.raw
		c.answer(&r, fields.Status, "")
	case errors.As(err, &fields):
		c.stats.add(StatRequestsInvalid, 1)
		abort(fields.Code)
	case errors.As(err, &stream):
		c.stats.add(StatRequestsInvalid, 1)
		abort(stream.code)
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.stats.add(StatTimeouts, 1)
		abort(http3.ErrCodeRequestRejected)
	case errors.As(err, &reset):
		c.stats.add(StatRequestsReset, 1)
		abort(http3.ErrCodeRequestCanceled)
		c.peerReset()
	case errors.Is(err, errBodyTooLarge):
		r := Request{raw: rawStream{s: s}}
		r.x = &r.raw
		c.answer(&r, 413, "")
	}
}

// late gives a stream whose request is not there at once a goroutine of its own. QUIC's limit of streams bounds how many there are.
func (c *conn) late(s *quic.Stream) {
	c.mu.Lock()
	c.streams++
	c.moves++
	c.mu.Unlock()
	c.spawn("stream", func() {
		if err := c.serveLate(s); err != nil {
			c.refuse(s, err)
		}
		c.mu.Lock()
		c.streams--
		c.moves++
		c.mu.Unlock()
	})
}

// spawn runs f on a goroutine that the connection's end waits for.
func (c *conn) spawn(name string, f func()) {
	c.mu.Lock()
	c.goroutines++
	c.mu.Unlock()
	go Guard(name, func() {
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

// serveLate reads a request from its stream, delivers it, and then its body. An error means that nothing was delivered.
func (c *conn) serveLate(s *quic.Stream) error {
	o := c.s.options
	s.SetReadDeadline(time.Now().Add(o.HeaderTimeout))
	body := &streamBody{s: s, lim: c.s.limits}
	block, tooLong, err := body.readHead(o.MaxHeaderBytes)
	if err != nil {
		return err
	}
	s.SetReadDeadline(time.Time{})
	if tooLong {
		return errLargeList
	}
	fields := make([]byte, min(512+4*len(block), c.s.limits.packedMax()))
	head, err := decodeRequest(fields, block, c.s.limits)
	if err == errShort {
		fields = make([]byte, c.s.limits.packedMax())
		head, err = decodeRequest(fields, block, c.s.limits)
	}
	if err != nil {
		return err
	}
	r := &Request{c: c, raw: rawStream{s: s, body: body}, shared: true, running: 1}
	r.x = &r.raw
	route, ok := c.admit(r, &head, -1)
	if !ok {
		return nil
	}
	var ev Event
	buffered := route.Flags&routeBuffered != 0
	r.reader = newBodyReader(r, head.ContentLength, buffered)
	meta := fields[:head.MetaLen]
	if !buffered {
		if !c.deliver(r, &ev, route, meta, nil, 0) {
			return errNotDelivered
		}
		r.reader.run()
		return nil
	}
	buf := bodyBuffers.Get().(*[largestBody]byte)
	n, err := r.reader.gather(buf[:])
	flags, whole := uint16(0), false
	if err == io.EOF && r.x.trailers() == nil && len(r.reader.extra) == 0 {
		flags, whole, err = FlagEnd, true, nil
		r.bodyDone = true
	}
	if (err == nil || err == io.EOF) && !c.deliver(r, &ev, route, meta, buf[:n], flags) {
		err = errNotDelivered
	}
	bodyBuffers.Put(buf)
	switch {
	case err != nil && err != io.EOF:
		return err
	case whole:
		r.mu.Lock()
		r.running--
		r.unlock()
	default:
		r.reader.run()
	}
	return nil
}

var errNotDelivered = &streamError{http3.ErrCodeRequestRejected, "the request could not be delivered"}

// account brings the server's byte counters up to date.
func (c *conn) account() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, was := c.q.ConnectionStats(), c.counted
	c.counted = now
	c.stats.add(StatBytesIn, now.BytesReceived-was.BytesReceived)
	c.stats.add(StatBytesOut, now.BytesSent-was.BytesSent)
	c.stats.add(StatPacketsIn, now.PacketsReceived-was.PacketsReceived)
	c.stats.add(StatPacketsOut, now.PacketsSent-was.PacketsSent)
}
