package client

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

const (
	uploadLength = 128 << 10
	uploadWindow = 32 << 10
)

// A request's priority is that of its body as well, from the start or since it was changed: the more urgent of two uploads goes first where the
// server has little credit for both.
func TestPriorityOfUploads(t *testing.T) {
	urgent, usual := wire.Priority{Urgency: 0}, wire.Priority{Urgency: 3}
	for name, c := range map[string]struct {
		first, second *wire.Priority // of the requests; nil: they say nothing
		change        *wire.Priority // of the second, before there is a body; nil: it stays
		want          string
	}{
		"alike":                     {nil, nil, nil, "together"},
		"the first is urgent":       {&urgent, nil, nil, "first"},
		"the second is urgent":      {nil, &urgent, nil, "second"},
		"the second becomes urgent": {nil, nil, &urgent, "second"},
		"it is urgent no more":      {&urgent, &urgent, &usual, "first"},
	} {
		streams := make(chan *quic.Stream, 2)
		r := listenRaw(t, &quic.Config{InitialStreamReceiveWindow: 2 * uploadLength, InitialConnectionReceiveWindow: uploadWindow, MaxConnectionReceiveWindow: uploadWindow},
			func(c *rawConn) {
				c.settle()
				for s := c.next(); s != nil; s = c.next() {
					streams <- s
				}
			})
		f := newFixture(t, "")
		var all [2]*asked
		var bodies [2]*quic.Stream
		for i, p := range []*wire.Priority{c.first, c.second} {
			request := Request{Method: "POST", Authority: r.addr, Path: "/"}
			if p != nil {
				request.Priority, request.HasPriority = *p, true
			}
			all[i] = f.start(request)
			bodies[i] = within(t, "a request", streams)
		}
		f.Await(func() {
			if c.change != nil {
				f.fetch(all[1].h).Prioritize(*c.change)
			}
			for _, a := range all {
				f.fetch(a.h).End(sink.Chunk{Bytes: make([]byte, uploadLength)})
			}
		})
		if got := through(t, bodies); got != c.want {
			t.Errorf("%s: %s, not %s", name, got, c.want)
		}
		for i, a := range all {
			bodies[i].Write(headers(":status", "200"))
			bodies[i].Close()
			if a.wait(); a.end.Code != sink.OK {
				t.Errorf("%v", a)
			}
		}
	}
}

// through reads two streams and says whose end comes before the other has half: "first", "second", or "together". They are read by turns and little
// at a time: what comes then is what their sender prefers, however quick its goroutines are.
func through(t *testing.T, streams [2]*quic.Stream) (who string) {
	t.Helper()
	var got [2]int
	open := streams
	for end, left := time.Now().Add(patience), 2; left > 0; {
		if time.Now().After(end) {
			t.Fatalf("read %v", got)
		}
		for i, s := range open {
			if s == nil {
				continue
			}
			s.SetReadDeadline(time.Now().Add(time.Millisecond))
			n, err := s.Read(make([]byte, uploadWindow/32))
			got[i] += n
			switch {
			case err == nil, errors.Is(err, os.ErrDeadlineExceeded):
				continue
			case err != io.EOF:
				t.Fatal(err)
			}
			if open[i], left = nil, left-1; left == 0 {
				break
			}
			who = []string{"first", "second"}[i]
			if got[1-i] >= uploadLength/2 {
				who = "together"
			}
		}
	}
	return who
}
