package engine

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/route"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// An h3Stream is the exchange on a stream whose header block http3 has read. From there on it is framed as on the first kind of
// connection; http3 has only to be told when the peer's side is done with, since it keeps its streams in a table.
type h3Stream struct {
	rawStream
	h    *http3.Stream
	keep bool // not yet: it drops the datagrams of such a stream, and this one has some
}

func (x *h3Stream) read(p []byte) (int, error) {
	n, err := x.rawStream.read(p)
	if err != nil {
		x.forget()
	}
	return n, err
}

// forget tells http3 that the peer's side has ended. Of a stream that was read to its end nobody else hears.
func (x *h3Stream) forget() {
	if !x.keep {
		x.h.CancelRead(quic.StreamErrorCode(http3.ErrCodeNoError))
	}
}

func (x *h3Stream) stop(code http3.ErrCode) { x.h.CancelRead(quic.StreamErrorCode(code)) }

func (x *h3Stream) abort(code http3.ErrCode) {
	x.h.CancelRead(quic.StreamErrorCode(code))
	x.h.CancelWrite(quic.StreamErrorCode(code))
}

// packedBuffers hold the fields of requests until they are in a record. They are not on the stack: each request has a goroutine, and to
// grow its stack once more costs more than all that is done here.
var packedBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

// serveHTTP serves one request, or one session to its end.
func (c *conn) serveHTTP(w http.ResponseWriter, req *http.Request) {
	h := takeStream(w)
	c.requestCame(uint64(h.StreamID()))
	x := h3Stream{rawStream: rawStream{s: h.QUICStream()}, h: h}
	if c.draining.Load() {
		c.reject(&x)
		return
	}
	buf := packedBuffers.Get().(*[]byte)
	defer packedBuffers.Put(buf)
	fields := appendRequest((*buf)[:0], req)
	if cap(fields) <= 4<<10 {
		*buf = fields
	}
	if !withinLimits(req.Header, c.s.limits) {
		c.refuse(&x, wire.ErrLargeList)
		return
	}
	head := wire.RequestHead{Method: req.Method, Scheme: "https", Authority: req.Host, Path: req.RequestURI, MetaLen: len(fields), ContentLength: req.ContentLength}
	if _, given := req.Header["Content-Length"]; !given {
		head.ContentLength = -1
	}
	if req.Method == http.MethodConnect {
		head.Protocol = extendedProtocol(req)
		if head.Protocol == "" {
			head.Path = ""
		}
	}
	if err := checkHTTP(&head); err != nil {
		c.refuse(&x, err)
		return
	}
	if head.Protocol == "webtransport" || head.Protocol == "webtransport-h3" {
		c.serveSession(w, req, &x, &head, fields)
		return
	}
	c.serveRequest(&x, &head, fields)
}

// extendedProtocol is the :protocol of an extended CONNECT (RFC 9220), "" of a plain one.
func extendedProtocol(req *http.Request) string {
	if req.Proto == "HTTP/3.0" {
		return ""
	}
	return req.Proto
}

// checkHTTP holds a request against what http3 does not check.
func checkHTTP(head *wire.RequestHead) error {
	if !wire.ValidAuthority([]byte(head.Authority)) {
		return wire.ErrAuthority
	}
	if head.Path != "" && !wire.ConsistsOf([]byte(head.Path), wire.InPath) {
		return wire.ErrPathBytes
	}
	return nil
}

// withinLimits holds fields against the limits that http3 does not have.
func withinLimits(header http.Header, limits *wire.FieldLimits) bool {
	n := 0
	for name, values := range header {
		n += len(values)
		if len(name) > limits.Name || n > limits.Fields {
			return false
		}
		for _, value := range values {
			if len(value) > limits.Value {
				return false
			}
		}
	}
	return true
}

// appendRequest packs a request that http3 has decoded. It keeps neither the order of fields with different names nor the scheme.
func appendRequest(dst []byte, req *http.Request) []byte {
	protocol := ""
	path, scheme := req.RequestURI, "https"
	if req.Method == http.MethodConnect {
		if protocol = extendedProtocol(req); protocol == "" {
			path, scheme = "", ""
		}
	}
	dst = wire.AppendPacked(dst, ":method", req.Method)
	dst = wire.AppendPacked(dst, ":scheme", scheme)
	dst = wire.AppendPacked(dst, ":authority", req.Host)
	dst = wire.AppendPacked(dst, ":path", path)
	if protocol != "" {
		dst = wire.AppendPacked(dst, ":protocol", protocol)
	}
	// A map gives them in another order each time. Like requests are to look alike: consumers know again what they have seen.
	var room [16]string
	names := room[:0]
	for name := range req.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range req.Header[name] {
			at := len(dst) + wire.PackedHead
			dst = wire.AppendPacked(dst, name, value)
			lower(dst[at : at+len(name)])
		}
	}
	return dst
}

// lower puts the letters of a field's name into lower case, as they were before http3 made them canonical.
func lower(name []byte) {
	for i, b := range name {
		if 'A' <= b && b <= 'Z' {
			name[i] = b + 'a' - 'A'
		}
	}
}

// serveRequest delivers a request, and then its body.
func (c *conn) serveRequest(x *h3Stream, head *wire.RequestHead, fields []byte) {
	s := x.s
	s.SetReadDeadline(time.Now().Add(headerWait))
	var one [1]byte
	_, err := s.Peek(one[:])
	whole := err == io.EOF
	if !whole {
		s.SetReadDeadline(time.Time{})
	}
	if err != nil && !whole && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.refuse(x, err)
		return
	}
	if whole && head.ContentLength > 0 {
		c.refuse(x, &wire.StreamError{Code: http3.ErrCodeMessageError, Reason: "the body is not as long as content-length says"})
		return
	}
	r := newRequest(c)
	r.h3 = *x
	r.x = &r.h3
	r.bodyDone = whole
	found, ok := c.admit(r, head, -1)
	if !ok {
		r.recycle()
		if whole {
			x.finish()
		}
		return
	}
	if found.Flags&route.Datagram != 0 {
		r.shared = true
		x.keep, r.h3.keep = true, true
		r.datagrams = newRequestDatagrams(r, found.ID)
	}
	if whole {
		var ev sink.Event
		if !c.deliver(r, &ev, found, fields, nil, sink.FlagEnd) {
			c.reject(x)
			if r.datagrams != nil {
				r.datagrams.close()
			}
			return
		}
		x.finish()
		return
	}
	r.shared, r.running = true, 1
	r.h3.body = &streamBody{s: s, lim: c.s.limits}
	if err := c.serveBody(r, found, head.ContentLength, fields); err != nil {
		c.refuse(x, err)
		if r.datagrams != nil {
			r.datagrams.close()
		}
	}
}

// finish completes the peer's side of a stream whose end is there.
func (x *h3Stream) finish() {
	var one [1]byte
	x.s.Read(one[:])
	x.forget()
}
