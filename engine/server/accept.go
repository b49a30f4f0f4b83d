package server

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/link"
	"zigh3/engine/message"
	"zigh3/engine/route"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// largestPeek is the largest request, body included, that is delivered without a goroutine.
const largestPeek = 16 << 10

// accept takes a stream that the peer has opened.
func (c *conn) accept(s *quic.Stream) {
	s.SetReadDeadline(time.Now().Add(link.HeaderWait))
	block, body, err := c.peekRequest(s)
	switch {
	case err == nil:
		c.request(s, block, body)
	case err == errSession:
		c.sessionRequest(s, block)
	case err == errSessionStream:
		c.sessionStreamHere(s)
	case err == errNotAtOnce, errors.Is(err, os.ErrDeadlineExceeded):
		c.late(s)
	default:
		c.refuse(&message.Framed{S: s}, err)
	}
	if len(c.peek) > usualBuffer {
		c.peek = make([]byte, usualBuffer)
	}
	if len(c.fields) > usualBuffer {
		c.fields = make([]byte, usualBuffer)
	}
}

var (
	// errSession: the header block is there, and is likely to be that of a session's request.
	errSession = errors.New("a request for a session")
	// errSessionStream: the stream begins as one of a session does, and its header is there.
	errSessionStream = errors.New("a stream of a session")
)

// connectField is a byte that the header block of nearly every CONNECT request has: the field line of its method, an entry of QPACK's static
// table. In that of another request it is seldom, and costs no more than that its block is decoded twice.
const connectField = 0xc0 | 15

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
	if c.peek[0] == sessionStreamType[0] && c.peek[1] == sessionStreamType[1] {
		if _, err := s.Peek(c.peek[:2+1<<(c.peek[2]>>6)]); err != nil {
			return nil, nil, notAtOnce(err)
		}
		return nil, nil, errSessionStream
	}
	if c.peek[0] != wire.FrameHeaders {
		return nil, nil, errNotAtOnce
	}
	width := 1 << (c.peek[1] >> 6)
	if width > 2 {
		return nil, nil, errNotAtOnce
	}
	length, _, _ := quicvarint.Parse(c.peek[1:3])
	if length > uint64(c.s.options.MaxHeaderBytes) {
		return nil, nil, errNotAtOnce // its answer is 431, which is not given here
	}
	begin := 1 + width
	end := begin + int(length)
	n, err := c.peekTo(s, end)
	if err == nil && c.s.hasSessions && bytes.IndexByte(c.peek[begin:end], connectField) >= 0 {
		return c.peek[begin:end], nil, errSession
	}
	if err == nil {
		n, err = c.peekTo(s, end+1)
	}
	if err == io.EOF && n == end {
		return c.peek[begin:end], nil, nil
	}
	if err != nil {
		if err == io.EOF {
			err = errNotAtOnce
		}
		return nil, nil, err
	}
	if c.peek[end] != wire.FrameData {
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

// sessionStreamType is the type of a bidirectional stream of a session as it is always written.
var sessionStreamType = quicvarint.Append(nil, wire.StreamTypeBidi)

// sessionStreamHere brings a stream to its session whose header was peeked at.
func (c *conn) sessionStreamHere(s *quic.Stream) {
	n := 2 + 1<<(c.peek[2]>>6)
	s.SetReadDeadline(time.Time{}) // one that has passed meanwhile fails even where data is there
	if m, err := s.Read(c.peek[:n]); m < n && err != nil {
		c.refuse(&message.Framed{S: s}, err)
		return
	}
	id, _, _ := quicvarint.Parse(c.peek[2:n])
	c.sessionStream(id, s)
}

// sessionRequest takes what is likely to be the request for a session, whose header block was peeked at.
func (c *conn) sessionRequest(s *quic.Stream, block []byte) {
	head, err := c.decode(block)
	if err != nil || !wire.IsToken(head.Protocol) {
		c.late(s)
		return
	}
	// What was peeked at is read now: the frame's type and length, and the block.
	s.SetReadDeadline(time.Time{})
	for left := 1 + 1<<(c.peek[1]>>6) + len(block); left > 0; {
		n, err := s.Read(c.peek[:left])
		if left -= n; left > 0 && err != nil {
			c.refuse(&message.Framed{S: s}, err)
			return
		}
	}
	c.ask(s, &head, c.fields[:head.MetaLen])
	c.seen(s)
}

// seen tells the datagrams that a stream has its flow, or will have none.
func (c *conn) seen(s *quic.Stream) {
	if c.s.datagrams.HTTP {
		c.datagrams.Seen(uint64(s.StreamID()))
	}
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
	left := false // to a goroutine
	defer func() {
		if !left {
			c.seen(s)
		}
	}()
	x := message.Framed{S: s}
	if c.Draining() { // after the stream was counted: see link.Conn.Drain
		c.reject(&x)
		return
	}
	head, err := c.decode(block)
	if err != nil {
		c.refuse(&x, err)
		return
	}
	if head.ContentLength >= 0 && head.ContentLength != int64(len(body)) {
		c.refuse(&x, errBodyLength)
		return
	}
	r := newRequest(c)
	r.x = x
	r.bodyDone = true
	found, ok := c.admit(r, &head, int64(len(body)))
	if !ok {
		r.recycle()
		c.Finish(s, false)
		return
	}
	if found.Flags&route.Buffered != 0 && len(body) > 0 && !c.s.bodies.whole(&r.share, int64(len(body))) {
		r.recycle()
		left = true
		c.late(s) // it waits for room
		return
	}
	c.prioritized(s, &head)
	if found.Flags&route.Datagram != 0 {
		r.openFlow(found.ID)
	}
	c.Stats.Add(sink.StatBodyBytesIn, uint64(len(body)))
	if !c.deliver(r, &c.event, found, c.fields[:head.MetaLen], body, sink.FlagEnd) {
		c.reject(&x)
		r.undelivered()
		r.share.give()
		return
	}
	// From here on r is the consumer's: it may be answered and used again already.
	c.Finish(s, len(body) > 1<<10) // the peer's windows open again only by this
}

// errBodyLength: see RFC 9114, 4.1.2.
var errBodyLength = &wire.StreamError{Code: http3.ErrCodeMessageError, Reason: "the body is not as long as content-length says"}

// decode packs a field section into c.fields. It is copied from there into a record: to decode inside a record would keep every
// later event of the queue waiting for it, and its size would have to be guessed.
func (c *conn) decode(block []byte) (wire.RequestHead, error) {
	for {
		head, err := wire.DecodeRequest(c.fields, block, c.s.limits)
		if err != wire.ErrShort {
			return head, err
		}
		c.fields = make([]byte, min(4*len(c.fields), c.s.limits.PackedMax()))
	}
}

// admit finds the route of a request, or answers it here and reports false. size is that of its body, -1 if it is not known.
func (c *conn) admit(r *Request, head *wire.RequestHead, size int64) (found route.Match, ok bool) {
	r.isHead = string(head.Method) == "HEAD"
	if string(head.Method) == "CONNECT" {
		c.answer(r, 501, "")
		return found, false
	}
	found = c.s.router.Match(head.Method, head.Path)
	if found.Status != 0 {
		c.answer(r, found.Status, found.Allow)
		return found, false
	}
	if found.Flags&route.Buffered != 0 && max(size, head.ContentLength) > c.s.options.MaxRequestBodySize {
		c.answer(r, 413, "")
		return found, false
	}
	if head.MetaLen > message.LargestPiece {
		c.answer(r, 431, "")
		return found, false
	}
	return found, true
}

// answer responds to a request that the consumer does not hear of.
func (c *conn) answer(r *Request, status int, allow string) {
	c.Stats.Add(sink.StatRequestsAnswered, 1)
	p := message.Part{Head: true, Status: status, Length: 0, Date: c.s.options.Date, End: true}
	if allow != "" {
		p.Headers = wire.AppendPacked(nil, "allow", allow)
	}
	if r.x.TryWrite(&p) != nil {
		r.x.Abort(http3.ErrCodeRequestRejected)
		return
	}
	if !r.bodyDone {
		r.x.Stop(http3.ErrCodeNoError)
	}
}

// deliver emits the REQUEST event, with ev as its work space. It reports false when the request cannot be delivered: too many objects, or the connection is
// gone. After true the caller may touch r only if it is shared.
func (c *conn) deliver(r *Request, ev *sink.Event, found route.Match, meta, body []byte, flags uint16) bool {
	handle, ok := c.Sink.Issue(sink.KindRequest, c.Handle, r)
	if !ok {
		return false
	}
	rec, ok := c.Sink.Reserve(sink.Bulk, sink.PayloadSize(len(meta), len(body)), c.Done)
	if !ok {
		c.Sink.Release(handle)
		return false
	}
	copy(rec.Payload, meta)
	copy(rec.Payload[sink.DataOffset(len(meta)):], body)
	r.handle, r.userData = handle, found.UserData
	if found.Flags&route.Buffered != 0 {
		flags |= sink.FlagBuffered
	}
	*ev = sink.Event{Type: sink.EventRequest, Flags: flags, Object: handle, Parent: c.Parent, Conn: c.Handle, UserData: found.UserData,
		Status: found.ID, MetaLen: uint32(len(meta)), DataLen: uint32(len(body)), Aux: r.x.ID()}
	c.Stats.Add(sink.StatRequestsActive, 1) // before the sweep can find it, and its end take it off
	if !c.Add(&r.Node, r) {
		c.Stats.Sub(sink.StatRequestsActive)
		c.Sink.Abort(rec)
		c.Sink.Release(handle)
		return false
	}
	c.reprioritized(r.x.S)
	c.Stats.Add(sink.StatRequestsTotal, 1)
	flow := r.flow
	if flow != nil {
		flow.Announce(handle)
	}
	c.Sink.Commit(rec, ev)
	if flow != nil {
		flow.Start()
	}
	return true
}

// reject turns a stream away in a way that lets the peer try again elsewhere.
func (c *conn) reject(x *message.Framed) {
	c.Stats.Add(sink.StatRequestsRejected, 1)
	x.Abort(http3.ErrCodeRequestRejected)
}

// refuse does away with a stream whose request was not delivered, as err calls for.
func (c *conn) refuse(x *message.Framed, err error) {
	var (
		breach *wire.ConnectionError
		fields *wire.FieldError
		stream *wire.StreamError
		reset  *quic.StreamError
	)
	switch {
	case err == errNotDelivered:
		c.reject(x)
	case errors.As(err, &breach):
		c.Breach(breach.Code, breach.Reason)
		x.Abort(breach.Code)
	case errors.As(err, &fields) && fields.Connection:
		c.Breach(fields.Code, fields.Reason)
		x.Abort(fields.Code)
	case errors.As(err, &fields) && fields.Status != 0:
		c.Stats.Add(sink.StatRequestsInvalid, 1)
		c.answer(&Request{x: *x}, fields.Status, "")
	case errors.As(err, &fields):
		c.Stats.Add(sink.StatRequestsInvalid, 1)
		x.Abort(fields.Code)
	case errors.As(err, &stream):
		c.Stats.Add(sink.StatRequestsInvalid, 1)
		x.Abort(stream.Code)
	case errors.Is(err, os.ErrDeadlineExceeded): // of a header block
		c.Stats.Add(sink.StatTimeouts, 1)
		x.Abort(http3.ErrCodeRequestRejected)
	case errors.As(err, &reset):
		c.Stats.Add(sink.StatRequestsReset, 1)
		x.Abort(http3.ErrCodeRequestCanceled)
		c.BrokenOff()
	case errors.Is(err, errBodyTooLarge):
		c.answer(&Request{x: *x}, 413, "")
	case errors.Is(err, errBodyLate):
		c.Stats.Add(sink.StatTimeouts, 1)
		c.answer(&Request{x: *x}, 408, "")
	case errors.Is(err, errNoRoom):
		c.answer(&Request{x: *x}, 503, "")
	}
}
