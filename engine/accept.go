package engine

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/route"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

const (
	// headerWait is what a stream may keep its connection waiting for a complete request. A later one goes to a goroutine. It is
	// a deadline in the future because a past one fails even where data is there.
	headerWait = 500 * time.Microsecond
	// largestPeek is the largest request, body included, that is delivered without a goroutine.
	largestPeek = 16 << 10
)

// accept takes a stream that the peer has opened.
func (c *conn) accept(s *quic.Stream) {
	c.next.Store(uint64(s.StreamID()) + 4)
	if c.draining.Load() { // after the store: see drain
		c.reject(&rawStream{s: s})
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
		c.refuse(&rawStream{s: s}, err)
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
		c.refuse(&rawStream{s: s}, err)
		return
	}
	if head.ContentLength >= 0 && head.ContentLength != int64(len(body)) {
		c.refuse(&rawStream{s: s}, &wire.StreamError{Code: http3.ErrCodeMessageError, Reason: "the body is not as long as content-length says"})
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
	c.stats.Add(sink.StatBodyBytesIn, uint64(len(body)))
	if !c.deliver(r, &c.event, route, c.fields[:head.MetaLen], body, sink.FlagEnd) {
		c.reject(&rawStream{s: s})
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
	r.isHead = head.Method == "HEAD"
	if head.Method == "CONNECT" {
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
	if head.MetaLen > largestBody {
		c.answer(r, 431, "")
		return found, false
	}
	return found, true
}

// answer responds to a request that the consumer does not hear of.
func (c *conn) answer(r *Request, status int, allow string) {
	c.stats.Add(sink.StatRequestsAnswered, 1)
	p := part{head: true, status: status, length: 0, date: c.s.options.Date, end: true}
	if allow != "" {
		p.headers = wire.AppendPacked(nil, "allow", allow)
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
func (c *conn) deliver(r *Request, ev *sink.Event, found route.Match, meta, body []byte, flags uint16) bool {
	handle, ok := c.sink.Issue(sink.KindRequest, c.handle, r)
	if !ok {
		return false
	}
	rec, ok := c.sink.Reserve(sink.Bulk, sink.PayloadSize(len(meta), len(body)), c.done)
	if !ok {
		c.sink.Release(handle)
		return false
	}
	copy(rec.Payload, meta)
	copy(rec.Payload[sink.DataOffset(len(meta)):], body)
	r.handle, r.userData = handle, found.UserData
	if found.Flags&route.Buffered != 0 {
		flags |= sink.FlagBuffered
	}
	*ev = sink.Event{Type: sink.EventRequest, Flags: flags, Object: handle, Parent: c.s.handle, Conn: c.handle, UserData: found.UserData,
		Status: found.ID, MetaLen: uint32(len(meta)), DataLen: uint32(len(body)), Aux: r.x.id()}
	if !c.add(r) {
		c.sink.Abort(rec)
		c.sink.Release(handle)
		return false
	}
	c.stats.Add(sink.StatRequestsTotal, 1)
	c.stats.Add(sink.StatRequestsActive, 1)
	d := r.datagrams
	if d != nil {
		d.out.open(handle, true)
	}
	c.sink.Commit(rec, ev)
	if d != nil {
		d.start()
	}
	return true
}

// reject turns a stream away in a way that lets the peer try again elsewhere.
func (c *conn) reject(x exchange) {
	c.stats.Add(sink.StatRequestsRejected, 1)
	x.abort(http3.ErrCodeRequestRejected)
}

// refuse does away with a stream whose request was not delivered, as err calls for.
func (c *conn) refuse(x exchange, err error) {
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
		c.breach(breach.Code, breach.Reason)
		x.abort(breach.Code)
	case errors.As(err, &fields) && fields.Connection:
		c.breach(fields.Code, fields.Reason)
		x.abort(fields.Code)
	case errors.As(err, &fields) && fields.Status != 0:
		c.stats.Add(sink.StatRequestsInvalid, 1)
		c.answer(&Request{x: x}, fields.Status, "")
	case errors.As(err, &fields):
		c.stats.Add(sink.StatRequestsInvalid, 1)
		x.abort(fields.Code)
	case errors.As(err, &stream):
		c.stats.Add(sink.StatRequestsInvalid, 1)
		x.abort(stream.Code)
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.stats.Add(sink.StatTimeouts, 1)
		x.abort(http3.ErrCodeRequestRejected)
	case errors.As(err, &reset):
		c.stats.Add(sink.StatRequestsReset, 1)
		x.abort(http3.ErrCodeRequestCanceled)
		c.gaveUp()
	case errors.Is(err, errBodyTooLarge):
		c.answer(&Request{x: x}, 413, "")
	}
}
