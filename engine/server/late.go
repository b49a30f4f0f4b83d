package server

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/message"
	"zigh3/engine/route"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// late gives a stream whose request is not there at once a goroutine of its own. QUIC's limit of streams bounds how many there are.
func (c *conn) late(s *quic.Stream) {
	if c.s.datagrams.HTTP {
		c.datagrams.Expect(uint64(s.StreamID()))
	}
	c.EnterStream()
	c.Spawn("stream", func() {
		defer c.LeaveStream()
		if err := c.serveLate(s); err != nil {
			c.refuse(&message.Framed{S: s}, err)
		}
		c.seen(s)
	})
}

// serveLate reads a request from its stream, delivers it, and then its body. An error means that nothing was delivered.
func (c *conn) serveLate(s *quic.Stream) error {
	o := c.s.options
	s.SetReadDeadline(time.Now().Add(o.HeaderTimeout))
	reader := message.NewReader(s, c.s.limits)
	block, tooLong, err := reader.ReadHead(o.MaxHeaderBytes)
	if err != nil {
		var ofSession message.SessionStream
		if errors.As(err, &ofSession) {
			s.SetReadDeadline(time.Time{})
			c.sessionStream(uint64(ofSession), s)
			return nil
		}
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
	if wire.IsToken(head.Protocol) {
		c.ask(s, &head, fields[:head.MetaLen])
		return nil
	}
	if c.Draining() {
		return errNotDelivered
	}
	r := newRequest(c)
	r.x = message.Framed{S: s, Reader: reader}
	r.MarkShared()
	r.running = 1
	found, ok := c.admit(r, &head, -1)
	if !ok {
		return nil
	}
	c.prioritized(s, &head)
	if found.Flags&route.Datagram != 0 {
		r.openFlow(found.ID)
	}
	c.seen(s)
	return c.serveBody(r, found, head.ContentLength, fields[:head.MetaLen])
}

// serveBody delivers a request and then its body, on the goroutine of its stream. An error means that nothing was delivered.
func (c *conn) serveBody(r *Request, found route.Match, length int64, meta []byte) error {
	var ev sink.Event
	buffered := found.Flags&route.Buffered != 0
	r.body = newBody(r, length, buffered)
	if !buffered && r.x.Reader.Ended() {
		return c.serveEnded(r, &ev, found, length, meta)
	}
	if !buffered {
		if !c.deliver(r, &ev, found, meta, nil, 0) {
			r.undelivered()
			return errNotDelivered
		}
		r.body.run()
		return nil
	}
	first, err := r.body.gather()
	flags, whole := uint16(0), false
	if err == io.EOF && r.x.Trailers() == nil && len(r.body.extra) == 0 {
		flags, whole, err = sink.FlagEnd, true, nil
		r.bodyDone = true
	}
	if (err == nil || err == io.EOF) && !c.deliver(r, &ev, found, meta, first, flags) {
		err = errNotDelivered
	}
	switch {
	case err != nil && err != io.EOF:
		r.share.give()
		r.undelivered()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = errBodyLate
		}
		return err
	case whole:
		r.Lock()
		r.Leave()
		r.Unlock()
	default:
		r.body.run()
	}
	return nil
}

// serveEnded delivers a request without a body, whose stream ended with its head.
func (c *conn) serveEnded(r *Request, ev *sink.Event, found route.Match, length int64, meta []byte) error {
	err := errNotDelivered
	if length > 0 {
		err = errBodyLength
	}
	r.bodyDone = true
	if length > 0 || !c.deliver(r, ev, found, meta, nil, sink.FlagEnd) {
		r.undelivered()
		return err
	}
	r.Lock()
	r.Leave()
	r.Unlock()
	return nil
}

// errNotDelivered: the sink took the request not, or the connection takes no more.
var errNotDelivered = errors.New("the request could not be delivered")
