package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// many is a count for the suite, and what the case asks for when H3_STRESS=1.
func many(suite, stress int) int {
	if os.Getenv("H3_STRESS") == "1" {
		return stress
	}
	return suite
}

func TestN09_SlowHeaderHoldsNobodyUp(t *testing.T) {
	withAndWithoutDatagram(t, testN09_SlowHeaderHoldsNobodyUp)
}

func testN09_SlowHeaderHoldsNobodyUp(t *testing.T) {
	f := serve(t, "", 0, hello)
	q := dial(t, f.addr)
	slow, err := q.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	head := request("GET", "/slow")
	answer := func(s *quic.Stream) {
		t.Helper()
		if b, err := io.ReadAll(s); err != nil || !bytes.HasSuffix(b, []byte("hello world")) {
			t.Fatalf("%q, %v", b, err)
		}
	}
	for i := range head {
		slow.Write(head[i : i+1])
		if i == len(head)-1 {
			slow.Close()
		}
		if i%10 != 0 {
			time.Sleep(time.Millisecond)
			continue
		}
		var streams []*quic.Stream
		for range 50 {
			s, err := q.OpenStream()
			if err != nil {
				t.Fatal(err)
			}
			s.Write(request("GET", "/quick"))
			s.Close()
			streams = append(streams, s)
		}
		for _, s := range streams {
			answer(s)
		}
	}
	answer(slow)
}

func TestN10_AllStreamsAlwaysInFlight(t *testing.T) {
	withAndWithoutDatagram(t, testN10_AllStreamsAlwaysInFlight)
}

func testN10_AllStreamsAlwaysInFlight(t *testing.T) {
	const streams = 16
	f := serve(t, fmt.Sprintf(`{"max_incoming_streams": %d}`, streams), 0, hello)
	q := dial(t, f.addr)
	ask := func(n int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		var all sync.WaitGroup
		free := make(chan bool, streams)
		for range n {
			free <- true
			s, err := q.OpenStreamSync(ctx)
			if err != nil {
				t.Fatalf("blocked: %v\n%s", err, stacks())
			}
			s.Write(request("GET", "/"))
			s.Close()
			all.Go(func() {
				if b, err := io.ReadAll(s); err != nil || !bytes.HasSuffix(b, []byte("hello world")) {
					t.Errorf("%q, %v", b, err)
				}
				<-free
			})
		}
		all.Wait()
	}
	n := many(2000, 10_000)
	ask(n)
	// At rest everything is completed: all streams can be opened at once.
	for range 2 {
		var open []*quic.Stream
		eventually(t, "all streams free", func() bool {
			for len(open) < streams {
				s, err := q.OpenStream()
				if err != nil {
					return false
				}
				open = append(open, s)
			}
			return true
		})
		for _, s := range open {
			s.Write(request("GET", "/"))
			s.Close()
		}
		for _, s := range open {
			if b, err := io.ReadAll(s); err != nil || !bytes.HasSuffix(b, []byte("hello world")) {
				t.Errorf("%q, %v", b, err)
			}
		}
	}
	if got := f.stats[sink.StatRequestsTotal].Load(); got != uint64(n+2*streams) {
		t.Errorf("%d requests counted, not %d", got, n+2*streams)
	}
}

func TestN11_RapidReset(t *testing.T) {
	f := serve(t, `{"reset_budget": 200}`, 0, hello)
	client := newClient(t)
	fetch(t, client, f.url("/before"))
	q := dial(t, f.addr)
	var err error
	opened := 0
	for ; opened < many(20_000, 100_000); opened++ {
		var s *quic.Stream
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		s, err = q.OpenStreamSync(ctx)
		cancel()
		if err != nil {
			break
		}
		s.Write(request("GET", "/"))
		s.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
		s.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	}
	var app *quic.ApplicationError
	if !errors.As(err, &app) || !app.Remote || app.ErrorCode != quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad) {
		t.Fatalf("after %d: %v", opened, err)
	}
	if status, body := fetch(t, client, f.url("/after")); status != 200 || body != "hello world" {
		t.Errorf("%d %q", status, body)
	}
	eventually(t, "one connection", func() bool { return f.stats[sink.StatConnectionsActive].Load() == 1 })
}

func TestRequestsWaitAndAreAnsweredLater(t *testing.T) {
	withAndWithoutDatagram(t, testRequestsWaitAndAreAnsweredLater)
}

func testRequestsWaitAndAreAnsweredLater(t *testing.T) {
	const n = 200
	var held []event
	all := make(chan bool, 1)
	f := serve(t, "", 0, func(_ *consumer, e event) {
		if e.Type == sink.EventRequest {
			if held = append(held, e); len(held) == n {
				all <- true
			}
		}
	})
	before := runtime.NumGoroutine()
	q := dial(t, f.addr)
	var streams []*quic.Stream
	for range n {
		s, err := q.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		s.Write(request("GET", "/"))
		s.Close()
		streams = append(streams, s)
	}
	within(t, "all requests", all)
	eventually(t, "all promoted", func() bool {
		for _, c := range f.server.connsForTest() {
			return c.Promoted()
		}
		return false
	})
	if more := runtime.NumGoroutine() - before; more > 20 {
		t.Errorf("%d goroutines for %d waiting requests", more, n)
	}
	f.Do(func() {
		for _, e := range held {
			f.send(e, 200, "at last")
		}
	})
	for _, s := range streams {
		if b, err := io.ReadAll(s); err != nil || !bytes.HasSuffix(b, []byte("at last")) {
			t.Fatalf("%q, %v", b, err)
		}
	}
}

func TestEverythingIsGivenBack(t *testing.T) { withAndWithoutDatagram(t, testEverythingIsGivenBack) }

func testEverythingIsGivenBack(t *testing.T) {
	before := runtime.NumGoroutine()
	var holding [4]chan bool
	for i := range holding {
		holding[i] = make(chan bool, 1)
	}
	f := serve(t, "", 0, func(c *consumer, e event) {
		switch e.Type {
		case sink.EventRequest:
			if which, ok := strings.CutPrefix(field(e.Meta, ":path"), "/hold/"); ok {
				holding[which[0]-'0'] <- true
				return
			}
			c.send(e, 200, strings.Repeat("x", 20_000))
		case sink.EventBody:
			if r := c.request(e.Object); r != nil {
				r.Consumed(uint64(len(e.Data)))
			}
		}
	})
	answered := many(5, 20)
	for round := range many(3, 5) {
		var all sync.WaitGroup
		for which := range 4 {
			all.Go(func() {
				tr := enginetest.NewTransport(t, enginetest.Options{})
				defer tr.Close()
				client := &http.Client{Transport: tr}
				for range answered {
					if status, body := fetch(t, client, f.url("/")); status != 200 || len(body) != 20_000 {
						t.Errorf("%d, %d bytes", status, len(body))
					}
				}
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				go func() {
					<-holding[which]
					cancel()
				}()
				req, _ := http.NewRequestWithContext(ctx, "POST", f.url(fmt.Sprint("/hold/", which)), endless{ctx})
				if _, err := client.Do(req); err == nil {
					t.Error("a held request was answered")
				}
			})
		}
		all.Wait()
		if round%2 == 0 {
			f.stop(-1)
		} else {
			f.stop(0)
		}
		if n := f.Live(); n != 0 {
			t.Fatalf("%d handles are live", n)
		}
		if n := f.stats[sink.StatRequestsActive].Load(); n != 0 {
			t.Errorf("%d requests active", n)
		}
		if n := f.stats[sink.StatConnectionsActive].Load(); n != 0 {
			t.Errorf("%d connections active", n)
		}
		f.Await(func() {
			if want := 4 * (answered + 1) * (round + 1); f.Count(sink.EventRequest) != want || f.Count(sink.EventStreamClosed) != want {
				t.Errorf("round %d: %v", round, f.Counts())
			}
		})
		f.start()
	}
	f.stop(0)
	eventually(t, "the goroutines of the beginning", func() bool { return runtime.NumGoroutine() <= before+1 }) // the consumer's
	f.start()
}

func TestIdleServerDoesNotTick(t *testing.T) {
	f := serve(t, "", 0, hello)
	client := newClient(t)
	fetch(t, client, f.url("/"))
	eventually(t, "rest", func() bool {
		was, _ := f.server.env.Sweeper.Ticks()
		time.Sleep(40 * time.Millisecond)
		now, n := f.server.env.Sweeper.Ticks()
		return now == was && n == 0
	})
	fetch(t, client, f.url("/"))
}

func TestNoMoreHandles(t *testing.T) { withAndWithoutDatagram(t, testNoMoreHandles) }

func testNoMoreHandles(t *testing.T) {
	f := serve(t, "", 0, func(c *consumer, e event) {
		if e.Type == sink.EventRequest || e.Type == sink.EventBodyEnd {
			c.send(e, 200, "hello world")
		}
	})
	q := dial(t, f.addr)
	eventually(t, "the connection", func() bool { return f.stats[sink.StatConnectionsActive].Load() == 1 })
	f.SetFull(true)
	for _, whole := range []bool{true, false} {
		s, err := q.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		s.Write(request("POST", "/"))
		if whole {
			s.Close()
		}
		var reset *quic.StreamError
		if _, err := io.ReadAll(s); !asError(err, &reset) || reset.ErrorCode != quic.StreamErrorCode(http3.ErrCodeRequestRejected) {
			t.Errorf("whole %v: the client got %v", whole, err)
		}
	}
	other, cause := dialQUIC(t, f.addr, 0)
	if cause == nil {
		<-other.Context().Done()
		cause = context.Cause(other.Context())
	}
	var app *quic.ApplicationError
	if !asError(cause, &app) || app.ErrorCode != quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad) {
		t.Errorf("the other connection ended with %v", cause)
	}
	f.SetFull(false)
	s, err := q.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	s.Write(request("GET", "/"))
	s.Close()
	if b, err := io.ReadAll(s); err != nil || !bytes.HasSuffix(b, []byte("hello world")) {
		t.Errorf("%q, %v", b, err)
	}
	if n := f.stats[sink.StatRequestsRejected].Load(); n != 2 {
		t.Errorf("%d rejected", n)
	}
}
