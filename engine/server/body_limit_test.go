package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"
	"zigh3/engine/link"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/route"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

func TestB02_BodyLimit(t *testing.T) { withAndWithoutDatagram(t, testB02_BodyLimit) }

func testB02_BodyLimit(t *testing.T) {
	f := serve(t, `{"max_request_body_size": 100000}`, route.Buffered, collect(true))
	client := newClient(t)
	post := func(n int, known bool) (int, string) {
		var body io.Reader = bytes.NewReader(pattern(n))
		if !known {
			body = struct{ io.Reader }{body}
		}
		resp, err := client.Post(f.url("/"), "", body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, read(t, resp)
	}
	for _, known := range []bool{true, false} {
		if status, body := post(100_000, known); status != 200 || body != fmt.Sprintf("100000 %x false", sha256.Sum256(pattern(100_000))) {
			t.Errorf("the limit, length known %v: %d %q", known, status, body)
		}
		f.stopAndStart() // or the end of the first may be counted with the second
		f.Await(func() { f.ClearCounts() })
		if status, body := post(100_001, known); status != 413 || body != "" {
			t.Errorf("one more, length known %v: %d %q", known, status, body)
		}
		f.stopAndStart()
		f.Await(func() {
			if known && f.Count(sink.EventRequest) != 0 {
				t.Error("a REQUEST event for a body that is too large by its length")
			}
			if f.Count(sink.EventRequest) != f.Count(sink.EventStreamClosed) {
				t.Errorf("events: %v", f.Counts())
			}
		})
	}
}

// stopAndStart brings all events so far out.
func (f *fixture) stopAndStart() {
	f.t.Helper()
	f.stop(0)
	f.start()
}

func TestB02_TooLargeAfterDelivery(t *testing.T) {
	withAndWithoutDatagram(t, testB02_TooLargeAfterDelivery)
}

func testB02_TooLargeAfterDelivery(t *testing.T) {
	closed := make(chan event, 1)
	f := serve(t, `{"max_request_body_size": 100000}`, route.Buffered, func(_ *consumer, e event) {
		if e.Type == sink.EventStreamClosed {
			closed <- e
		}
	})
	resp, err := newClient(t).Post(f.url("/"), "", struct{ io.Reader }{bytes.NewReader(pattern(200_000))})
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 413 {
		t.Errorf("status %d", resp.StatusCode)
	}
	if e := within(t, "the end", closed); e.Code != sink.ErrTooLarge || e.Status != 413 || e.Flags != sink.FlagAborted {
		t.Errorf("ended with %+v", e.Event)
	}
}

// A consumer that finds a body too large stops it and answers, wherever the body is by then: still coming, just complete, reset.
func TestB02_AnAnswerBehindAStopAlwaysArrives(t *testing.T) {
	withAndWithoutDatagram(t, testB02_AnAnswerBehindAStopAlwaysArrives)
}

func testB02_AnAnswerBehindAStopAlwaysArrives(t *testing.T) {
	const limit = 3000
	f := serve(t, "", 0, func(c *consumer, e event) {
		r := c.request(e.Object)
		if r == nil {
			return
		}
		switch e.Type {
		case sink.EventBody, sink.EventRequest:
			if e.Type == sink.EventBody && e.Aux+uint64(len(e.Data)) > limit || e.Flags&sink.FlagEnd != 0 { // of a request that is there at once, body and all
				r.Stop()
				c.forget(e, 413, "too large")
			}
		case sink.EventBodyEnd:
			c.forget(e, 200, "fits")
		}
	})
	q := dial(t, f.addr)
	var clients sync.WaitGroup
	for n := range many(2*3*5*7, 2000) { // every combination of what follows
		clients.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			s, err := q.OpenStreamSync(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			s.Write(request("POST", "/"))
			time.Sleep(time.Duration(n%5) * link.HeaderWait)
			s.Write(frame(wire.FrameData, pattern(limit+1)))
			if n%2 == 0 {
				time.Sleep(time.Duration(n%7) * link.HeaderWait / 8)
			}
			if n%3 == 0 {
				s.CancelWrite(quic.StreamErrorCode(http3.ErrCodeNoError)) // as RFC 9114, 4.1 has a client do that was told to stop
			} else {
				s.Close()
			}
			s.SetReadDeadline(time.Now().Add(patience))
			answer, err := io.ReadAll(s)
			if n%3 == 0 && err != nil {
				return // its reset was quicker than its body
			}
			if err != nil || !bytes.HasSuffix(answer, []byte("too large")) {
				t.Errorf("request %d: %q, %v", n, answer, err)
			}
		})
	}
	clients.Wait()
}
