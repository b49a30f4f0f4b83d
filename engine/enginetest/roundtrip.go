package enginetest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// A Transport sends the requests of an http.Client, with one connection for each address as long as that lasts.
type Transport struct {
	t testing.TB
	o Options

	mu      sync.Mutex
	clients map[string]*Client
}

// NewTransport makes one whose connections end with the test, or by Close.
func NewTransport(t testing.TB, o Options) *Transport {
	tr := &Transport{t: t, o: o, clients: map[string]*Client{}}
	t.Cleanup(tr.Close)
	return tr
}

// Close ends all connections.
func (tr *Transport) Close() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for addr, c := range tr.clients {
		c.Close()
		delete(tr.clients, addr)
	}
}

// RoundTrip is http.RoundTripper's.
func (tr *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	c, err := tr.client(req)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // of a request that is not sent
		}
		return nil, err
	}
	return c.RoundTrip(req)
}

func (tr *Transport) client(req *http.Request) (*Client, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	addr := req.URL.Host
	if c := tr.clients[addr]; c != nil {
		if c.Conn.Context().Err() == nil {
			return c, nil
		}
		c.Close()
	}
	c, err := connect(req.Context(), tr.t, addr, tr.o)
	if err != nil {
		return nil, err
	}
	tr.clients[addr] = c
	return c, nil
}

// RoundTrip is http.RoundTripper's, on this connection whatever the request's address.
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	r, err := c.openRequest(ctx)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // of a request that is not sent
		}
		return nil, err
	}
	release := context.AfterFunc(ctx, r.give)
	fail := func(err error) (*http.Response, error) {
		release()
		r.give()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	fields, length := requestFields(req)
	whole := req.Body == nil || req.Body == http.NoBody
	if err := r.SendHeaders(fields...); err != nil && whole {
		return fail(err)
	}
	if whole {
		// A server may have answered, and stopped it.
		_ = r.Close()
	} else {
		go r.upload(req, length) // which ends with the stream, or when the test lets go of its body
	}
	resp, err := r.ReadResponse()
	if err != nil {
		return fail(err)
	}
	out := &http.Response{Status: strconv.Itoa(resp.Status) + " " + http.StatusText(resp.Status), StatusCode: resp.Status,
		Proto: "HTTP/3.0", ProtoMajor: 3, Header: resp.Header, ContentLength: -1, Request: req}
	if n, err := strconv.ParseInt(resp.Header.Get("Content-Length"), 10, 64); err == nil {
		out.ContentLength = n
	}
	out.Body = &responseBody{r: r, resp: out, release: release, head: req.Method == "HEAD"}
	return out, nil
}

// requestFields are the fields of a request, and the length of its body; -1: not known.
func requestFields(req *http.Request) (fields []string, length int64) {
	method := req.Method
	if method == "" {
		method = "GET"
	}
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	fields = []string{":method", method, ":scheme", "https", ":authority", host, ":path", req.URL.RequestURI()}
	switch {
	case req.Body == nil || req.Body == http.NoBody:
		if method == "POST" || method == "PUT" || method == "PATCH" {
			fields = append(fields, "content-length", "0")
		}
	case req.ContentLength > 0:
		length = req.ContentLength
		fields = append(fields, "content-length", strconv.FormatInt(length, 10))
	default:
		length = -1
	}
	for name := range req.Trailer {
		fields = append(fields, "trailer", strings.ToLower(name))
	}
	return append(fields, fieldsOf(req.Header)...), length
}

// fieldsOf makes a list of a header, in the order of the names.
func fieldsOf(h http.Header) (fields []string) {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range h[name] {
			fields = append(fields, strings.ToLower(name), value)
		}
	}
	return fields
}

// upload sends a body, and trailers. A server that wants no more of it stops it, which is no failure of the request.
func (r *RequestStream) upload(req *http.Request, length int64) {
	defer req.Body.Close()
	buf := make([]byte, 16<<10)
	var sent int64
	for {
		n, err := req.Body.Read(buf)
		if n > 0 {
			if _, err := r.Write(buf[:n]); err != nil {
				return
			}
			sent += int64(n)
		}
		if err == io.EOF && (length < 0 || sent == length) {
			break
		}
		if err != nil {
			r.give()
			return
		}
	}
	if len(req.Trailer) > 0 && r.SendHeaders(fieldsOf(req.Trailer)...) != nil {
		return
	}
	_ = r.Close() // fails for a stream that was stopped
}

// A responseBody is the body of a response that is still coming.
type responseBody struct {
	r       *RequestStream
	resp    *http.Response
	release func() bool
	head    bool
	err     error // of the end
}

func (b *responseBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.r.Read(p)
	if b.head && n > 0 {
		err = errors.New("the answer to HEAD has a body")
	}
	if err != nil {
		if err == io.EOF {
			b.resp.Trailer = b.r.trailer
		} else if cause := b.resp.Request.Context().Err(); cause != nil {
			err = cause
		}
		b.release()
		b.err = err
	}
	return n, err
}

// Close gives up what was not read.
func (b *responseBody) Close() error {
	if b.err == nil {
		b.r.Stream.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
		b.err = http.ErrBodyReadAfterClose
		b.release()
	}
	return nil
}
