package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

func TestS07_PeerAborts(t *testing.T) { withAndWithoutDatagram(t, testS07_PeerAborts) }

func testS07_PeerAborts(t *testing.T) {
	for _, c := range []struct {
		name    string
		consume bool // or the abort comes while the engine waits for credit
		post    bool
	}{{"upload", true, true}, {"upload without credit", false, true}, {"waiting for the answer", true, false}} {
		t.Run(c.name, func(t *testing.T) {
			begun, closed := make(chan event, 1000), make(chan event, 1)
			f := serve(t, "", 0, func(s *consumer, e event) {
				switch e.Type {
				case sink.EventRequest:
					if !c.post {
						begun <- e
					}
				case sink.EventBody:
					if r := s.request(e.Object); c.consume && r != nil {
						r.Consumed(uint64(len(e.Data)))
					}
					select {
					case begun <- e:
					default:
					}
				case sink.EventStreamClosed:
					closed <- e
				}
			})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			method, body := "GET", io.Reader(nil)
			if c.post {
				method, body = "POST", endless{ctx}
			}
			req, _ := http.NewRequestWithContext(ctx, method, f.url("/"), body)
			client := newClient(t)
			failed := make(chan error, 1)
			go func() {
				_, err := client.Do(req)
				failed <- err
			}()
			within(t, "the begin", begun)
			cancel()
			if err := within(t, "the client's error", failed); !errors.Is(err, context.Canceled) {
				t.Errorf("client: %v", err)
			}
			e := within(t, "the end", closed)
			if e.Code != sink.ErrReset || e.Flags != sink.FlagAborted|sink.FlagRemote || e.Aux != uint64(http3.ErrCodeRequestCanceled) || e.Status != 0 {
				t.Errorf("ended with %+v", e.Event)
			}
			if f.stats[sink.StatRequestsReset].Load() != 1 {
				t.Errorf("%d resets counted", f.stats[sink.StatRequestsReset].Load())
			}
		})
	}
}

func TestS07_ResetOfTheUploadAloneWhileWithoutCredit(t *testing.T) {
	withAndWithoutDatagram(t, testS07_ResetOfTheUploadAloneWhileWithoutCredit)
}

func testS07_ResetOfTheUploadAloneWhileWithoutCredit(t *testing.T) {
	full, closed := make(chan bool, 1), make(chan event, 1)
	total := 0
	f := serve(t, `{"receive_window": 4096}`, 0, func(_ *consumer, e event) {
		switch e.Type {
		case sink.EventBody:
			if total += len(e.Data); total == 4096 {
				full <- true
			}
		case sink.EventStreamClosed:
			closed <- e
		}
	})
	s, err := dial(t, f.addr).OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	s.Write(join(post("/"), frame(wire.FrameData, string(pattern(10_000)))))
	within(t, "the window", full)
	s.CancelWrite(0x10c)
	if e := within(t, "the end", closed); e.Code != sink.ErrReset || e.Aux != 0x10c {
		t.Errorf("ended with %+v", e.Event)
	}
}

func TestS08_ConnectionLostDuringUploads(t *testing.T) {
	withAndWithoutDatagram(t, testS08_ConnectionLostDuringUploads)
}

func testS08_ConnectionLostDuringUploads(t *testing.T) {
	begun, closed, conns := make(chan event, 100), make(chan event, 4), make(chan event, 4)
	f := serve(t, "", 0, func(c *consumer, e event) {
		switch e.Type {
		case sink.EventRequest:
			if field(e.Meta, ":path") == "/other" {
				c.send(e, 200, "fine")
				return
			}
			begun <- e
		case sink.EventStreamClosed:
			if e.Code != sink.OK {
				closed <- e
			}
		case sink.EventConnClosed:
			conns <- e
		}
	})
	q := dial(t, f.addr)
	for range 3 {
		s, err := q.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		s.Write(join(post("/up"), frame(wire.FrameData, "some")))
		within(t, "a request", begun)
	}
	client := newClient(t)
	fetch(t, client, f.url("/other"))
	q.CloseWithError(0x107, "gone")
	for range 3 {
		if e := within(t, "an end", closed); e.Code != sink.ErrClosed || e.Flags != sink.FlagAborted|sink.FlagRemote || e.Aux != 0x107 {
			t.Errorf("ended with %+v", e.Event)
		}
	}
	if e := within(t, "the connection's end", conns); e.Code != sink.ErrClosed || e.Flags != sink.FlagRemote || e.Aux != 0x107 || string(e.Data) != "gone" {
		t.Errorf("connection ended with %+v %q", e.Event, e.Data)
	}
	if status, body := fetch(t, client, f.url("/other")); status != 200 || body != "fine" {
		t.Errorf("the other connection: %d %q", status, body)
	}
}
