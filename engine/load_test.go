package engine

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// many is a count for the suite, and what the case asks for when H3_STRESS=1.
func many(suite, stress int) int {
	if os.Getenv("H3_STRESS") == "1" {
		return stress
	}
	return suite
}

func TestN07_VanishedPeer(t *testing.T) { onBothKinds(t, testN07_VanishedPeer) }

func testN07_VanishedPeer(t *testing.T) {
	begun, ends, conns := make(chan event, 2), make(chan event, 2), make(chan event, 1)
	f := serve(t, `{"idle_timeout_ms": 200}`, 0, func(_ *consumer, e event) {
		switch e.Type {
		case EventRequest:
			begun <- e
		case EventStreamClosed:
			ends <- e
		case EventConnClosed:
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
		if e := within(t, "an end", ends); e.Code != ErrIdle || e.Flags&FlagAborted == 0 {
			t.Errorf("ended with %+v", e.Event)
		}
	}
	if e := within(t, "the connection's end", conns); e.Code != ErrIdle || string(e.data) != "idle timeout" {
		t.Errorf("connection ended with %+v %q", e.Event, e.data)
	}
	eventually(t, "no handle", func() bool { return f.live() == 0 })
}

func TestN09_SlowHeaderHoldsNobodyUp(t *testing.T) { onBothKinds(t, testN09_SlowHeaderHoldsNobodyUp) }

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

func TestN10_AllStreamsAlwaysInFlight(t *testing.T) { onBothKinds(t, testN10_AllStreamsAlwaysInFlight) }

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
	if got := f.stats[StatRequestsTotal].Load(); got != uint64(n+2*streams) {
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
	eventually(t, "one connection", func() bool { return f.stats[StatConnectionsActive].Load() == 1 })
}

func TestN06_Timeouts(t *testing.T) { onBothKinds(t, testN06_Timeouts) }

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
		if c.name == "header" && secondKind {
			continue // http3 waits for ever
		}
		t.Run(c.name, func(t *testing.T) {
			f := serve(t, c.options, 0, func(_ *consumer, e event) {
				if e.Type == EventStreamClosed {
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
				if want := (&frameEncoder{fields: newFieldEncoder()}).encode(&part{head: true, status: int(c.status), date: true}, false); err != nil || len(b) != len(want) || !bytes.Equal(b[:6], want[:6]) {
					t.Errorf("answer %x, %v", b, err)
				}
			} else if reset := (*quic.StreamError)(nil); !asError(err, &reset) || reset.ErrorCode != quic.StreamErrorCode(c.reset) {
				t.Errorf("the client got %v", err)
			}
			if c.events {
				if e := within(t, "the end", closed); e.Code != ErrTimeout || e.Flags != FlagAborted || e.Status != c.status {
					t.Errorf("ended with %+v", e.Event)
				}
			}
			if n := f.stats[StatTimeouts].Load(); n != 1 {
				t.Errorf("%d timeouts counted", n)
			}
		})
	}
}

func TestRequestTimeoutEndsWithTheResponsesBegin(t *testing.T) {
	onBothKinds(t, testRequestTimeoutEndsWithTheResponsesBegin)
}

func testRequestTimeoutEndsWithTheResponsesBegin(t *testing.T) {
	begun := make(chan event, 1)
	f := serve(t, `{"request_timeout_ms": 20}`, 0, func(c *consumer, e event) {
		if e.Type == EventRequest {
			c.request(e.Object).Start(200, nil)
			begun <- e
		}
	})
	go func() {
		e := within(t, "the request", begun)
		time.Sleep(60 * time.Millisecond)
		f.do(func() { f.request(e.Object).End(Chunk{Bytes: []byte("late")}) })
	}()
	if status, body := fetch(t, newClient(t), f.url("/")); status != 200 || body != "late" {
		t.Errorf("%d %q", status, body)
	}
}

func TestRequestsWaitAndAreAnsweredLater(t *testing.T) {
	onBothKinds(t, testRequestsWaitAndAreAnsweredLater)
}

func testRequestsWaitAndAreAnsweredLater(t *testing.T) {
	const n = 200
	var held []event
	all := make(chan bool, 1)
	f := serve(t, "", 0, func(_ *consumer, e event) {
		if e.Type == EventRequest {
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
			c.mu.Lock()
			from := c.sweep.from
			c.mu.Unlock()
			return from == nil
		}
		return false
	})
	if more := runtime.NumGoroutine() - before; more > 20 {
		t.Errorf("%d goroutines for %d waiting requests", more, n)
	}
	f.do(func() {
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

func TestEverythingIsGivenBack(t *testing.T) { onBothKinds(t, testEverythingIsGivenBack) }

func testEverythingIsGivenBack(t *testing.T) {
	before := runtime.NumGoroutine()
	var holding [4]chan bool
	for i := range holding {
		holding[i] = make(chan bool, 1)
	}
	f := serve(t, "", 0, func(c *consumer, e event) {
		switch e.Type {
		case EventRequest:
			if which, ok := strings.CutPrefix(field(e.meta, ":path"), "/hold/"); ok {
				holding[which[0]-'0'] <- true
				return
			}
			c.send(e, 200, strings.Repeat("x", 20_000))
		case EventBody:
			if r := c.request(e.Object); r != nil {
				r.Consumed(uint64(len(e.data)))
			}
		}
	})
	for round := range 5 {
		var all sync.WaitGroup
		for which := range 4 {
			all.Go(func() {
				tr := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
				defer tr.Close()
				client := &http.Client{Transport: tr}
				for range 20 {
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
		if n := f.live(); n != 0 {
			t.Fatalf("%d handles are live", n)
		}
		if n := f.stats[StatRequestsActive].Load(); n != 0 {
			t.Errorf("%d requests active", n)
		}
		if n := f.stats[StatConnectionsActive].Load(); n != 0 {
			t.Errorf("%d connections active", n)
		}
		f.await(func() {
			if want := 4 * 21 * (round + 1); f.counts[EventRequest] != want || f.counts[EventStreamClosed] != want {
				t.Errorf("round %d: %v", round, f.counts)
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
		was := f.server.sweep.tick.Load()
		time.Sleep(10 * sweepEvery)
		return f.server.sweep.tick.Load() == was
	})
	f.server.sweep.mu.Lock()
	n := len(f.server.sweep.conns)
	f.server.sweep.mu.Unlock()
	if n != 0 {
		t.Errorf("%d connections in the sweep", n)
	}
	fetch(t, client, f.url("/"))
}

func TestGuardKeepsAPanic(t *testing.T) {
	var got string
	SetFaultHandler(func(name string, v any, stack []byte) { got = fmt.Sprint(name, ": ", v, len(stack) > 0) })
	defer SetFaultHandler(nil)
	Guard("test", func() { panic("ouch") })
	if got != "test: ouchtrue" {
		t.Errorf("%q", got)
	}
}

func TestL05_RequestsWhileDrainingAreRejected(t *testing.T) {
	held := make(chan event, 1)
	f := serve(t, "", 0, func(_ *consumer, e event) {
		if e.Type == EventRequest {
			held <- e
		}
	})
	q := dial(t, f.addr)
	first, err := q.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	first.Write(request("GET", "/"))
	first.Close()
	e := within(t, "the request", held)
	control, err := q.AcceptUniStream(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	io.ReadFull(control, make([]byte, len(f.server.settings)))
	f.server.Stop(-1)
	goAway := make([]byte, 3)
	if _, err := io.ReadFull(control, goAway); err != nil || !bytes.Equal(goAway, []byte{frameGoAway, 1, 4}) {
		t.Fatalf("GOAWAY %x, %v", goAway, err)
	}
	second, err := q.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	second.Write(request("GET", "/"))
	second.Close()
	var reset *quic.StreamError
	if _, err := io.ReadAll(second); !asError(err, &reset) || reset.ErrorCode != quic.StreamErrorCode(http3.ErrCodeRequestRejected) {
		t.Errorf("the second request got %v", err)
	}
	f.do(func() { f.send(e, 200, "done") })
	if b, err := io.ReadAll(first); err != nil || !bytes.HasSuffix(b, []byte("done")) {
		t.Errorf("the first request got %q, %v", b, err)
	}
	if e := f.waitStopped(); e.Code != OK {
		t.Errorf("stopped with %d", e.Code)
	}
	if n := f.stats[StatRequestsRejected].Load(); n != 1 {
		t.Errorf("%d rejected", n)
	}
}

// A request that waits for room in the queue was taken: a graceful stop must not close its connection.
func TestL05_StopWaitsForARequestThatIsNotDeliveredYet(t *testing.T) {
	f := serve(t, "", 0, hello)
	q := dial(t, f.addr)
	s, err := q.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection", func() bool { return f.stats[StatConnectionsActive].Load() == 1 })
	f.mu.Lock()
	f.capacity = 1
	f.mu.Unlock()
	full, _ := f.Reserve(Bulk, 1, nil)
	s.Write(request("GET", "/"))
	s.Close()
	eventually(t, "a request that waits", func() bool { return f.server.connsForTest()[0].taking.Load() })
	f.server.Stop(-1)
	time.Sleep(4 * shortestRest)
	f.Abort(full)
	if b, err := io.ReadAll(s); err != nil || !bytes.HasSuffix(b, []byte("hello world")) {
		t.Errorf("%q, %v", b, err)
	}
	f.waitStopped()
}

func TestN05_RetryWhileHandshakesAreUnfinished(t *testing.T) {
	onBothKinds(t, testN05_RetryWhileHandshakesAreUnfinished)
}

func testN05_RetryWhileHandshakesAreUnfinished(t *testing.T) {
	f := serve(t, `{"max_unverified_handshakes": 1}`, 0, hello)
	fetch(t, newClient(t), f.url("/"))
	if n := f.stats[StatRetriesSent].Load(); n != 0 {
		t.Fatalf("%d retries for one client at a time", n)
	}
	f.server.handshakes.Add(1)
	defer f.server.handshakes.Add(-1)
	if status, body := fetch(t, newClient(t), f.url("/")); status != 200 || body != "hello world" {
		t.Errorf("%d %q", status, body)
	}
	if n := f.stats[StatRetriesSent].Load(); n == 0 { // more than one where the client repeats itself
		t.Error("no retry")
	}
}

func TestN05_RetryForEverybody(t *testing.T) {
	f := serve(t, `{"max_unverified_handshakes": 0}`, 0, hello)
	if status, body := fetch(t, newClient(t), f.url("/")); status != 200 || body != "hello world" {
		t.Errorf("%d %q", status, body)
	}
	if n := f.stats[StatRetriesSent].Load(); n == 0 {
		t.Error("the first client was not asked")
	}
}

func TestN05_OtherProtocolsAndRubbish(t *testing.T) {
	f := serve(t, "", 0, hello)
	_, err := quic.DialAddr(context.Background(), f.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"other"}}, &quic.Config{})
	if err == nil {
		t.Error("a connection for another protocol was taken")
	}
	socket, err := net.Dial("udp4", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for n := range 1400 {
		socket.Write(pattern(n))
	}
	if status, body := fetch(t, newClient(t), f.url("/")); status != 200 || body != "hello world" {
		t.Errorf("%d %q", status, body)
	}
	eventually(t, "the failed handshake counted", func() bool { return f.stats[StatHandshakesFailed].Load() == 1 })
	if n := f.stats[StatHandshakesPending].Load(); n != 0 {
		t.Errorf("%d handshakes pending", n)
	}
}

func TestNoMoreHandles(t *testing.T) { onBothKinds(t, testNoMoreHandles) }

func testNoMoreHandles(t *testing.T) {
	f := serve(t, "", 0, func(c *consumer, e event) {
		if e.Type == EventRequest || e.Type == EventBodyEnd {
			c.send(e, 200, "hello world")
		}
	})
	q := dial(t, f.addr)
	eventually(t, "the connection", func() bool { return f.stats[StatConnectionsActive].Load() == 1 })
	full := func(on bool) {
		f.mu.Lock()
		f.full = on
		f.mu.Unlock()
	}
	full(true)
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
	other := dial(t, f.addr)
	<-other.Context().Done()
	var app *quic.ApplicationError
	if cause := context.Cause(other.Context()); !asError(cause, &app) || app.ErrorCode != quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad) {
		t.Errorf("the other connection ended with %v", cause)
	}
	full(false)
	s, err := q.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	s.Write(request("GET", "/"))
	s.Close()
	if b, err := io.ReadAll(s); err != nil || !bytes.HasSuffix(b, []byte("hello world")) {
		t.Errorf("%q, %v", b, err)
	}
	if n := f.stats[StatRequestsRejected].Load(); n != 2 {
		t.Errorf("%d rejected", n)
	}
}
