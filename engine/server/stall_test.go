package server

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/sink"
)

func TestAReaderWhoStallsIsGivenUp(t *testing.T) {
	closed := make(chan event, 1)
	f := serve(t, `{"write_timeout_ms": 100}`, 0, func(c *consumer, e event) {
		switch e.Type {
		case sink.EventRequest:
			c.request(e.Object).Send(200, nil, sink.Chunk{Bytes: pattern(1 << 20)}, false)
		case sink.EventStreamClosed:
			closed <- e
		}
	})
	s, err := dialWindow(t, f.addr, 4096).OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	s.Write(request("GET", "/"))
	s.Close()
	if e := within(t, "the end", closed); e.Code != sink.ErrTimeout || e.Flags != sink.FlagAborted || e.Status != 200 {
		t.Errorf("ended with %+v", e.Event)
	}
	var reset *quic.StreamError
	if _, err := io.ReadAll(s); !errors.As(err, &reset) || reset.ErrorCode != quic.StreamErrorCode(http3.ErrCodeRequestCanceled) {
		t.Errorf("the reader sees %v", err)
	}
	if n := f.stats[sink.StatTimeouts].Load(); n != 1 {
		t.Errorf("%d timeouts", n)
	}
}

// What counts is the last byte, not the last piece: who reads little at a time may take as long as it likes.
func TestAReaderWhoIsSlowIsNot(t *testing.T) {
	const length = 64 << 10 // one piece
	f := serve(t, `{"write_timeout_ms": 2000}`, 0, func(c *consumer, e event) {
		if e.Type == sink.EventRequest {
			c.request(e.Object).Send(200, nil, sink.Chunk{Bytes: pattern(length)}, false)
		}
	})
	s, err := dialWindow(t, f.addr, 8192).OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	s.Write(request("GET", "/"))
	s.Close()
	total := 0
	for buf := make([]byte, 4096); ; time.Sleep(200 * time.Millisecond) {
		n, err := s.Read(buf)
		total += n
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("after %d bytes: %v", total, err)
		}
	}
	if total < length {
		t.Errorf("%d bytes", total)
	}
}
