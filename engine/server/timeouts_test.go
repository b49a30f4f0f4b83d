package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"testing"
	"zigh3/engine/message"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/sink"
)

func TestN07_VanishedPeer(t *testing.T) { withAndWithoutDatagram(t, testN07_VanishedPeer) }

func testN07_VanishedPeer(t *testing.T) {
	begun, ends, conns := make(chan event, 2), make(chan event, 2), make(chan event, 1)
	f := serve(t, `{"idle_timeout_ms": 2000}`, 0, func(_ *consumer, e event) {
		switch e.Type {
		case sink.EventRequest:
			begun <- e
		case sink.EventStreamClosed:
			ends <- e
		case sink.EventConnClosed:
			conns <- e
		}
	})
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	tr := &quic.Transport{Conn: socket}
	addr, _ := net.ResolveUDPAddr("udp4", f.addr)
	q, err := tr.Dial(context.Background(), addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, &quic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, whole := range []bool{true, false} {
		s, err := q.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		s.Write(request("POST", "/"))
		if whole {
			s.Close()
		}
		within(t, "a request", begun)
	}
	tr.Close() // sends nothing
	for range 2 {
		if e := within(t, "an end", ends); e.Code != sink.ErrIdle || e.Flags&sink.FlagAborted == 0 {
			t.Errorf("ended with %+v", e.Event)
		}
	}
	if e := within(t, "the connection's end", conns); e.Code != sink.ErrIdle || string(e.Data) != "idle timeout" {
		t.Errorf("connection ended with %+v %q", e.Event, e.Data)
	}
	eventually(t, "no handle", func() bool { return f.Live() == 0 })
}

func TestN06_Timeouts(t *testing.T) { withAndWithoutDatagram(t, testN06_Timeouts) }

func testN06_Timeouts(t *testing.T) {
	closed := make(chan event, 1)
	for _, c := range []struct {
		name    string
		options string
		sent    []byte
		end     bool
		status  uint32 // of the answer, 0: the stream is reset with reset
		reset   http3.ErrCode
		events  bool
	}{
		{"header", `{"header_timeout_ms": 30}`, request("GET", "/")[:10], false, 0, http3.ErrCodeRequestRejected, false},
		{"body", `{"body_timeout_ms": 30}`, request("POST", "/"), false, 408, 0, true},
		{"response", `{"request_timeout_ms": 30}`, request("GET", "/"), true, 504, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serve(t, c.options, 0, func(_ *consumer, e event) {
				if e.Type == sink.EventStreamClosed {
					closed <- e
				}
			})
			s, err := dial(t, f.addr).OpenStream()
			if err != nil {
				t.Fatal(err)
			}
			s.Write(c.sent)
			if c.end {
				s.Close()
			}
			b, err := io.ReadAll(s)
			if c.status != 0 {
				if want := message.Encode(&message.Part{Head: true, Status: int(c.status), Date: true}); err != nil || len(b) != len(want) || !bytes.Equal(b[:6], want[:6]) {
					t.Errorf("answer %x, %v", b, err)
				}
			} else if reset := (*quic.StreamError)(nil); !asError(err, &reset) || reset.ErrorCode != quic.StreamErrorCode(c.reset) {
				t.Errorf("the client got %v", err)
			}
			if c.events {
				if e := within(t, "the end", closed); e.Code != sink.ErrTimeout || e.Flags != sink.FlagAborted || e.Status != c.status {
					t.Errorf("ended with %+v", e.Event)
				}
			}
			if n := f.stats[sink.StatTimeouts].Load(); n != 1 {
				t.Errorf("%d timeouts counted", n)
			}
		})
	}
}

func TestRequestTimeoutEndsWithTheResponsesBegin(t *testing.T) {
	withAndWithoutDatagram(t, testRequestTimeoutEndsWithTheResponsesBegin)
}

func testRequestTimeoutEndsWithTheResponsesBegin(t *testing.T) {
	begun := make(chan event, 1)
	f := serve(t, `{"request_timeout_ms": 600000}`, 0, func(c *consumer, e event) {
		if e.Type == sink.EventRequest {
			if field(e.Meta, ":path") == "/at-once" {
				c.request(e.Object).Start(200, nil)
			}
			begun <- e
		}
	})
	ask := func(path string, promoted func(r *Request)) {
		t.Helper()
		answered, client := make(chan string, 1), newClient(t)
		go func() {
			resp, err := client.Get(f.url(path))
			if err != nil {
				answered <- err.Error()
				return
			}
			body, err := io.ReadAll(resp.Body)
			answered <- fmt.Sprint(resp.StatusCode, " ", string(body), " ", err)
		}()
		e := within(t, "the request", begun)
		r := f.request(e.Object)
		eventually(t, "a request that lasts", func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.unwatch != nil
		})
		f.Await(func() { promoted(r) })
		f.Do(func() { r.End(sink.Chunk{Bytes: []byte("late")}) })
		if got := within(t, "the answer", answered); got != "200 late <nil>" {
			t.Errorf("%s: %s", path, got)
		}
	}
	ask("/at-once", func(r *Request) {
		if r.timer != nil {
			t.Error("a response that has begun has a timer")
		}
	})
	ask("/in-time", func(r *Request) {
		r.Start(200, nil)
		if r.timer == nil || r.timer.Stop() {
			t.Error("the timer goes on")
		}
		r.timedOut() // which had run out just before, and waited for the lock
	})
}
