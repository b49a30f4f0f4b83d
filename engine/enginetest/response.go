package enginetest

import (
	"context"
	"fmt"
	"io"

	"github.com/quic-go/quic-go/http3"
)

// Get sends a GET and waits for the whole response.
func (c *Client) Get(path string, fields ...string) *Response {
	c.t.Helper()
	return c.Do("GET", path, nil, fields...)
}

// Do sends a request and waits for the whole response.
func (c *Client) Do(method, path string, body []byte, fields ...string) *Response {
	c.t.Helper()
	ctx, cancel := patient()
	defer cancel()
	resp, err := c.do(ctx, method, path, body, fields)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp
}

func (c *Client) do(ctx context.Context, method, path string, body []byte, fields []string) (*Response, error) {
	r, err := c.openRequest(ctx)
	if err != nil {
		return nil, err
	}
	// What is too late is cancelled: reads and writes then fail.
	defer context.AfterFunc(ctx, r.give)()
	all := Headers(c.fields(method, path, fields)...)
	if len(body) > 0 {
		all = append(all, Frame(FrameData, body)...)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		// A server may answer and stop what is still coming.
		if r.WriteRaw(all) == nil {
			_ = r.Close()
		}
	}()
	resp, err := r.ReadResponse()
	if err == nil {
		resp.Body, err = io.ReadAll(r)
		resp.Trailer = r.trailer
	}
	if err != nil {
		r.give()
		if ctx.Err() != nil {
			err = fmt.Errorf("no response: %w", ctx.Err())
		}
	}
	<-sent
	return resp, err
}

// give gives the request up.
func (r *RequestStream) give() {
	r.CancelRead(uint64(http3.ErrCodeRequestCanceled))
	r.CancelWrite(uint64(http3.ErrCodeRequestCanceled))
}
