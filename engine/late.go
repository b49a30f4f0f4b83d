package engine

import (
	"errors"
	"io"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/route"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// late gives a stream whose request is not there at once a goroutine of its own. QUIC's limit of streams bounds how many there are.
func (c *conn) late(s *quic.Stream) {
	c.enterStream()
	c.spawn("stream", func() {
		defer c.leaveStream()
		if err := c.serveLate(s); err != nil {
			c.refuse(&rawStream{s: s}, err)
		}
	})
}

// enterStream counts a stream with a goroutine of its own, leaveStream its end.
func (c *conn) enterStream() {
	c.mu.Lock()
	c.streams++
	c.moves++
	c.mu.Unlock()
}

func (c *conn) leaveStream() {
	c.mu.Lock()
	c.streams--
	c.moves++
	c.mu.Unlock()
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
		return wire.ErrLargeList
	}
	fields := make([]byte, min(512+4*len(block), c.s.limits.PackedMax()))
	head, err := wire.DecodeRequest(fields, block, c.s.limits)
	if err == wire.ErrShort {
		fields = make([]byte, c.s.limits.PackedMax())
		head, err = wire.DecodeRequest(fields, block, c.s.limits)
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
	return c.serveBody(r, route, head.ContentLength, fields[:head.MetaLen])
}

// serveBody delivers a request and then its body, on the goroutine of its stream. An error means that nothing was delivered.
func (c *conn) serveBody(r *Request, found route.Match, length int64, meta []byte) error {
	var ev sink.Event
	buffered := found.Flags&route.Buffered != 0
	r.reader = newBodyReader(r, length, buffered)
	if !buffered {
		if !c.deliver(r, &ev, found, meta, nil, 0) {
			return errNotDelivered
		}
		r.reader.run()
		return nil
	}
	buf := bodyBuffers.Get().(*[largestBody]byte)
	n, err := r.reader.gather(buf[:])
	flags, whole := uint16(0), false
	if err == io.EOF && r.x.trailers() == nil && len(r.reader.extra) == 0 {
		flags, whole, err = sink.FlagEnd, true, nil
		r.bodyDone = true
	}
	if (err == nil || err == io.EOF) && !c.deliver(r, &ev, found, meta, buf[:n], flags) {
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

// errNotDelivered: the sink took the request not.
var errNotDelivered = errors.New("the request could not be delivered")
