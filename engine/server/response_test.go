package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"zigh3/engine/message"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// An owner counts what it gets back.
type owner struct{ given, back atomic.Int64 }

func (o *owner) Release([]byte) { o.back.Add(1) }

func (o *owner) chunk(b []byte) sink.Chunk {
	o.given.Add(1)
	return sink.Chunk{Bytes: b, Owner: o}
}

func packed(fields ...string) (list []byte) {
	for i := 0; i < len(fields); i += 2 {
		list = wire.AppendPacked(list, fields[i], fields[i+1])
	}
	return list
}

func TestP01_OneShotOfAnySize(t *testing.T) { withAndWithoutDatagram(t, testP01_OneShotOfAnySize) }

func testP01_OneShotOfAnySize(t *testing.T) {
	var o owner
	f := serve(t, "", 0, func(c *consumer, e event) {
		if e.Type == sink.EventRequest {
			var n int
			fmt.Sscanf(field(e.Meta, ":path"), "/%d", &n)
			c.request(e.Object).Send(201, packed("x-one", "a", "x-one", "b"), o.chunk(pattern(n)), false)
		}
	})
	client := newClient(t)
	for _, n := range []int{0, 1, 1000, message.InlineWrite, message.InlineWrite + 1, 100_000, 3 << 20} {
		resp, err := client.Get(f.url(fmt.Sprintf("/%d", n)))
		if err != nil {
			t.Fatal(err)
		}
		body := read(t, resp)
		if resp.StatusCode != 201 || body != string(pattern(n)) || resp.Header.Get("Content-Length") != fmt.Sprint(n) ||
			strings.Join(resp.Header["X-One"], ",") != "a,b" || resp.Header.Get("Date") == "" {
			t.Errorf("%d bytes: %d, %d bytes, %v", n, resp.StatusCode, len(body), resp.Header)
		}
	}
	eventually(t, "every chunk given back", func() bool { return o.given.Load() == 7 && o.back.Load() == 7 })
}

func TestP06_ResponsesWithoutBody(t *testing.T) {
	withAndWithoutDatagram(t, testP06_ResponsesWithoutBody)
}

func testP06_ResponsesWithoutBody(t *testing.T) {
	f := serve(t, "", 0, func(c *consumer, e event) {
		if e.Type != sink.EventRequest {
			return
		}
		var status int
		var kind string
		fmt.Sscanf(field(e.Meta, ":path"), "/%d/%s", &status, &kind)
		r := c.request(e.Object)
		if kind == "once" {
			r.Send(status, nil, sink.Chunk{Bytes: []byte("content")}, false)
			return
		}
		r.Start(status, nil)
		r.Write(sink.Chunk{Bytes: []byte("con")})
		r.Write(sink.Chunk{Bytes: pattern(100_000)})
		r.Trailers(packed("x", "y"))
	})
	client := newClient(t)
	for _, c := range []struct{ method, path, length string }{
		{"GET", "/204/once", ""}, {"GET", "/304/once", ""}, {"HEAD", "/200/once", "7"},
		{"GET", "/204/parts", ""}, {"GET", "/304/parts", ""}, {"HEAD", "/200/parts", ""},
	} {
		req, _ := http.NewRequest(c.method, f.url(c.path), nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if body := read(t, resp); body != "" || resp.Header.Get("Content-Length") != c.length || len(resp.Trailer) != 0 {
			t.Errorf("%s %s: %d bytes, %v", c.method, c.path, len(body), resp.Header)
		}
	}
}

func TestP02_P08_ResponseInParts(t *testing.T) {
	withAndWithoutDatagram(t, testP02_P08_ResponseInParts)
}

func testP02_P08_ResponseInParts(t *testing.T) {
	for _, parts := range []int{0, 1, 3, 100} {
		f := serve(t, "", 0, func(c *consumer, e event) {
			if e.Type != sink.EventRequest {
				return
			}
			r := c.request(e.Object)
			r.Start(200, packed("trailer", "sum"))
			for i := range parts {
				r.Write(sink.Chunk{Bytes: pattern(1000 * i)})
			}
			r.Trailers(packed("sum", "42"))
		})
		resp, err := newClient(t).Get(f.url("/"))
		if err != nil {
			t.Fatal(err)
		}
		var want []byte
		for i := range parts {
			want = append(want, pattern(1000*i)...)
		}
		if body := read(t, resp); body != string(want) || resp.Trailer.Get("Sum") != "42" {
			t.Errorf("%d parts: %d bytes, trailers %v", parts, len(body), resp.Trailer)
		}
	}
}

func TestP02_ResetInTheMiddle(t *testing.T) { withAndWithoutDatagram(t, testP02_ResetInTheMiddle) }

func testP02_ResetInTheMiddle(t *testing.T) {
	closed := make(chan event, 1)
	f := serve(t, "", 0, func(c *consumer, e event) {
		switch r := c.request(e.Object); e.Type {
		case sink.EventRequest:
			r.Start(200, nil)
			r.Write(sink.Chunk{Bytes: []byte("some")})
			c.Do(func() { r.Reset(uint64(http3.ErrCodeInternalError)) })
		case sink.EventStreamClosed:
			closed <- e
		}
	})
	resp, err := newClient(t).Get(f.url("/"))
	if err == nil {
		_, err = io.ReadAll(resp.Body)
	}
	var reset *quic.StreamError
	if !asError(err, &reset) || reset.ErrorCode != quic.StreamErrorCode(http3.ErrCodeInternalError) || !reset.Remote {
		t.Errorf("the client got %v", err)
	}
	if e := within(t, "the end", closed); e.Code != sink.ErrCancelled || e.Flags != sink.FlagAborted || e.Status != 200 {
		t.Errorf("ended with %+v", e.Event)
	}
	if n := f.stats[sink.StatResponsesCut].Load(); n != 1 {
		t.Errorf("%d responses counted as cut", n)
	}
}

func TestL07_ForceDuringADownload(t *testing.T) {
	withAndWithoutDatagram(t, testL07_ForceDuringADownload)
}

func testL07_ForceDuringADownload(t *testing.T) {
	var o owner
	f := serve(t, "", 0, func(c *consumer, e event) {
		if e.Type == sink.EventRequest {
			c.request(e.Object).Send(200, nil, o.chunk(make([]byte, 100<<20)), false)
		}
	})
	resp, err := newClient(t).Get(f.url("/"))
	if err != nil {
		t.Fatal(err)
	}
	io.CopyN(io.Discard, resp.Body, 1<<20)
	if e := f.stop(0); e.Code != sink.OK {
		t.Errorf("stopped with %d", e.Code)
	}
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the client saw a clean end")
	}
	if o.back.Load() != 1 {
		t.Errorf("%d chunks given back", o.back.Load())
	}
}

func TestP09_LateCallsDoNothing(t *testing.T) { withAndWithoutDatagram(t, testP09_LateCallsDoNothing) }

func testP09_LateCallsDoNothing(t *testing.T) {
	var o owner
	closed := make(chan event, 10)
	f := serve(t, "", 0, func(c *consumer, e event) {
		switch e.Type {
		case sink.EventRequest:
			r := c.request(e.Object)
			r.Start(200, nil)
			r.Start(500, nil)
			r.Write(o.chunk([]byte("body")))
			c.Stall(false)
			r.Send(500, nil, o.chunk([]byte("other")), false)
			r.End(o.chunk([]byte(" end")))
		case sink.EventStreamClosed:
			closed <- e
		}
	})
	resp, err := newClient(t).Get(f.url("/"))
	if err != nil {
		t.Fatal(err)
	}
	if body := read(t, resp); resp.StatusCode != 200 || body != "body end" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if e := within(t, "the end", closed); e.Code != sink.OK || e.Status != 200 || e.Flags != 0 {
		t.Errorf("ended with %+v", e.Event)
	}
	if o.back.Load() != 3 {
		t.Errorf("%d chunks given back", o.back.Load())
	}
}

func TestForgottenRequestsHaveNoEnd(t *testing.T) {
	withAndWithoutDatagram(t, testForgottenRequestsHaveNoEnd)
}

func testForgottenRequestsHaveNoEnd(t *testing.T) {
	f := serve(t, "", 0, func(c *consumer, e event) {
		if e.Type == sink.EventRequest {
			c.forget(e, 200, strings.Repeat("x", len(field(e.Meta, ":path"))*10_000))
		}
	})
	client := newClient(t)
	for _, path := range []string{"/", "/larger"} {
		if status, body := fetch(t, client, f.url(path)); status != 200 || len(body) != len(path)*10_000 {
			t.Errorf("%d, %d bytes", status, len(body))
		}
	}
	f.stop(-1)
	if n := f.Live(); n != 0 {
		t.Errorf("%d handles are live", n)
	}
	f.Await(func() {
		if f.Count(sink.EventRequest) != 2 || f.Count(sink.EventStreamClosed) != 0 {
			t.Errorf("events: %v", f.Counts())
		}
	})
}

// The consumer has forgotten a request, and the answer with which it did is still on its way when the peer gives up.
func TestForgottenRequestsHaveNoEndThoughTheyAreReset(t *testing.T) {
	asked := make(chan sink.Handle, 1)
	f := serve(t, "", 0, func(c *consumer, e event) {
		if e.Type != sink.EventRequest {
			return
		}
		c.Unwant(e.Object)
		asked <- e.Object
	})
	s, err := dial(t, f.addr).OpenStreamSync(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Write(request("GET", "/"))
	s.Close()
	h := within(t, "the request", asked)
	s.CancelRead(0x10c)
	eventually(t, "its end", func() bool { return f.request(h) == nil })
	f.stopAndStart()
	f.Await(func() {
		if f.Count(sink.EventStreamClosed) != 0 {
			t.Error("STREAM_CLOSED of a request that was forgotten")
		}
	})
}

// Who answers with FORGET hears no more of the upload, however long its answer takes: it is stopped at once.
func TestForgottenRequestsHaveNoMoreBody(t *testing.T) {
	withAndWithoutDatagram(t, testForgottenRequestsHaveNoMoreBody)
}

func testForgottenRequestsHaveNoMoreBody(t *testing.T) {
	answered := make(chan bool, 1)
	f := serve(t, "", 0, func(c *consumer, e event) {
		if e.Type == sink.EventRequest {
			c.forget(e, 200, string(pattern(1<<20)))
			answered <- true
		}
	})
	s, err := dialWindow(t, f.addr, 1<<10).OpenStreamSync(ctx(t)) // the answer waits for the client
	if err != nil {
		t.Fatal(err)
	}
	s.Write(post("/"))
	within(t, "the answer", answered)
	s.SetWriteDeadline(time.Now().Add(10 * time.Second))
	var stopped *quic.StreamError
	for err == nil {
		_, err = s.Write(frame(wire.FrameData, string(pattern(1000))))
	}
	if !errors.As(err, &stopped) || !stopped.Remote || stopped.ErrorCode != quic.StreamErrorCode(http3.ErrCodeNoError) {
		t.Errorf("the upload ended with %v", err)
	}
	f.Await(func() {
		if f.Count(sink.EventRequest) != 1 || f.Count(sink.EventBody) != 0 || f.Count(sink.EventBodyEnd) != 0 {
			t.Errorf("events: %v", f.Counts())
		}
	})
	s.CancelRead(0x10c)
}

func TestResponseBeforeTheUploadEnds(t *testing.T) {
	withAndWithoutDatagram(t, testResponseBeforeTheUploadEnds)
}

func testResponseBeforeTheUploadEnds(t *testing.T) {
	closed := make(chan event, 1)
	f := serve(t, "", 0, func(c *consumer, e event) {
		switch e.Type {
		case sink.EventRequest:
			c.send(e, 403, "no")
		case sink.EventStreamClosed:
			closed <- e
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	resp, err := newClient(t).Post(f.url("/"), "", endless{ctx})
	if err != nil {
		t.Fatal(err)
	}
	if body := read(t, resp); resp.StatusCode != 403 || body != "no" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if e := within(t, "the end", closed); e.Code != sink.OK || e.Status != 403 || e.Flags != 0 {
		t.Errorf("ended with %+v", e.Event)
	}
}
