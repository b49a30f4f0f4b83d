package server

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"zigh3/engine/config"
	"zigh3/engine/sink"
)

func hello(c *consumer, e event) {
	if e.Type == sink.EventRequest {
		c.send(e, 200, "hello world")
	}
}

func TestL01_L04_StopAndStartAgain(t *testing.T) {
	withAndWithoutDatagram(t, testL01_L04_StopAndStartAgain)
}

func testL01_L04_StopAndStartAgain(t *testing.T) {
	f := serve(t, "", 0, hello)
	for range 3 {
		client := newClient(t)
		if status, body := fetch(t, client, f.url("/a")); status != 200 || body != "hello world" {
			t.Fatalf("%d %q", status, body)
		}
		if e := f.stop(-1); e.Code != sink.OK {
			t.Fatalf("stopped with %d", e.Code)
		}
		if f.server.Port() != 0 {
			t.Fatal("a port after the stop")
		}
		socket, err := net.ListenPacket("udp", f.addr)
		if err != nil {
			t.Fatalf("the port is not free: %v", err)
		}
		socket.Close()
		f.start()
	}
	f.stop(0)
	if n := f.Live(); n != 0 {
		t.Fatalf("%d handles are live", n)
	}
	f.Await(func() {
		if f.Count(sink.EventRequest) != 3 || f.Count(sink.EventStreamClosed) != 3 || f.Count(sink.EventConnOpened) != 3 || f.Count(sink.EventConnClosed) != 3 ||
			f.Count(sink.EventServerStarted) != 4 {
			t.Errorf("events: %v", f.Counts())
		}
	})
	f.start()
}

func TestL02_L03_StartAndStopTwice(t *testing.T) {
	withAndWithoutDatagram(t, testL02_L03_StartAndStopTwice)
}

func testL02_L03_StartAndStopTwice(t *testing.T) {
	f := serve(t, "", 0, hello)
	if err := f.server.Start(); err != nil {
		t.Fatal(err)
	}
	f.stop(0)
	f.server.Stop(0)
	f.server.Free()
	f.server.Free()
	within(t, "the end", f.server.Done())
	var e *sink.Error
	if err := f.server.Start(); !errors.As(err, &e) || e.Code != sink.ErrWrongState {
		t.Fatalf("%v", err)
	}
	f.Await(func() {
		if f.Count(sink.EventServerStarted) != 1 || f.Count(sink.EventServerStopped) != 1 {
			t.Errorf("events: %v", f.Counts())
		}
	})
}

// A server may be started again while it is just telling that it has stopped: that it runs is told behind that.
func TestAServerThatIsStartedAgainIsToldToRunAfterItsStop(t *testing.T) {
	w := &watched{Sink: newConsumer(t, nil)}
	s := newTestServer(t, w, "")
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	again := make(chan error, 1)
	w.stopping = func() {
		go func() { again <- s.Start() }()
		time.Sleep(50 * time.Millisecond) // time to get in front, if it can
	}
	s.Stop(0)
	if err := within(t, "the second start", again); err != nil {
		t.Fatal(err)
	}
	s.Free()
	within(t, "the end", s.Done())
	want := []sink.EventType{sink.EventServerStarted, sink.EventServerStopped, sink.EventServerStarted, sink.EventServerStopped}
	if got := w.told; !slices.Equal(got, want) {
		t.Errorf("events %v", got)
	}
}

// watched notes what is told of a server, when that is done.
type watched struct {
	sink.Sink
	stopping func() // while the first stop is told
	mu       sync.Mutex
	told     []sink.EventType
}

func (w *watched) Commit(r sink.Record, ev *sink.Event) {
	if ev.Type == sink.EventServerStopped && w.stopping != nil {
		w.stopping()
		w.stopping = nil
	}
	w.Sink.Commit(r, ev)
	if ev.Type == sink.EventServerStarted || ev.Type == sink.EventServerStopped {
		w.mu.Lock()
		w.told = append(w.told, ev.Type)
		w.mu.Unlock()
	}
}

func TestL09_ErrorsOfBinding(t *testing.T) {
	f := serve(t, "", 0, hello)
	_, port, _ := net.SplitHostPort(f.addr)
	busy, _ := strconv.Atoi(port)
	for _, c := range []struct {
		host string
		port int
		code sink.Code
		text string
	}{
		{"127.0.0.1", busy, sink.ErrAddressInUse, "EADDRINUSE"},
		{"192.0.2.1", 0, sink.ErrAddressUnavailable, "EADDRNOTAVAIL"},
		{"no such host.invalid", 0, sink.ErrResolve, "resolve"},
	} {
		s := newTestServer(t, f.consumer, "")
		s.options.Hostname, s.options.Port = c.host, uint16(c.port)
		var e *sink.Error
		if err := s.Start(); !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Text, c.text) {
			t.Errorf("%s:%d: %v", c.host, c.port, err)
		}
		s.Free()
		within(t, "the end", s.Done())
	}
}

func TestL10_WithoutAHostnameAllAddressesAreBound(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		probe, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Logf("this machine has no %s: %v", host, err)
			continue
		}
		probe.Close()
		o, err := config.ParseOptions("", 0, "", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(o, 1<<40, []sink.Sink{newConsumer(t, nil)}, new(sink.Stats))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := net.ListenPacket("udp", net.JoinHostPort(host, strconv.Itoa(int(s.Port())))); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s at the port of a server of all addresses: %v", host, err)
		}
		s.Free()
		within(t, "the end", s.Done())
	}
}

func TestL05_GracefulStop(t *testing.T) { withAndWithoutDatagram(t, testL05_GracefulStop) }

func testL05_GracefulStop(t *testing.T) {
	held := make(chan event, 3)
	f := serve(t, "", 0, func(c *consumer, e event) {
		if e.Type == sink.EventRequest {
			held <- e
		}
	})
	client := newClient(t)
	answers := make(chan string, 3)
	for range 3 {
		go func() {
			resp, err := client.Get(f.url("/slow"))
			if err != nil {
				answers <- err.Error()
				return
			}
			answers <- strconv.Itoa(resp.StatusCode) + read(t, resp)
		}()
	}
	var events []event
	for range 3 {
		events = append(events, within(t, "a request", held))
	}
	f.server.Stop(-1)
	eventually(t, "GOAWAY", func() bool {
		for _, c := range f.server.connsForTest() {
			return c.Draining()
		}
		return false
	})
	if _, err := client.Get(f.url("/new")); err == nil {
		t.Error("a request after the stop was answered")
	}
	f.Do(func() {
		for _, e := range events {
			f.send(e, 200, " done")
		}
	})
	for range 3 {
		if a := within(t, "an answer", answers); a != "200 done" {
			t.Errorf("answer %q", a)
		}
	}
	if e := f.waitStopped(); e.Code != sink.OK {
		t.Errorf("code %d", e.Code)
	}
}

func (s *Server) connsForTest() []*conn {
	s.mu.Lock()
	l := s.running
	s.mu.Unlock()
	if l == nil {
		return nil
	}
	return l.open(nil)
}

func TestL06_DeadlineAndForce(t *testing.T) { withAndWithoutDatagram(t, testL06_DeadlineAndForce) }

func testL06_DeadlineAndForce(t *testing.T) {
	for _, c := range []struct {
		name  string
		stops []time.Duration
		code  sink.Code
	}{
		{"deadline", []time.Duration{20 * time.Millisecond}, sink.ErrTimeout},
		{"force", []time.Duration{0}, sink.OK},
		{"force after waiting for ever", []time.Duration{-1, 0}, sink.OK},
		{"not lengthened", []time.Duration{20 * time.Millisecond, time.Hour}, sink.ErrTimeout},
		{"shortened", []time.Duration{time.Hour, 20 * time.Millisecond}, sink.ErrTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			held, closed := make(chan event, 1), make(chan event, 1)
			f := serve(t, "", 0, func(_ *consumer, e event) {
				switch e.Type {
				case sink.EventRequest:
					held <- e
				case sink.EventStreamClosed:
					closed <- e
				}
			})
			failed := make(chan error, 1)
			go func() {
				_, err := newClient(t).Get(f.url("/"))
				failed <- err
			}()
			within(t, "the request", held)
			for _, d := range c.stops {
				f.server.Stop(d)
			}
			if e := f.waitStopped(); e.Code != c.code {
				t.Errorf("stopped with %d", e.Code)
			}
			if e := within(t, "the end of the request", closed); e.Code != sink.ErrShutdown || e.Flags != sink.FlagAborted {
				t.Errorf("request ended with %d, flags %d", e.Code, e.Flags)
			}
			if err := within(t, "the client's error", failed); err == nil {
				t.Error("the client got an answer")
			}
		})
	}
}

func TestConnectionsAreDealtToSinksInTurn(t *testing.T) {
	withAndWithoutDatagram(t, testConnectionsAreDealtToSinksInTurn)
}

func testConnectionsAreDealtToSinksInTurn(t *testing.T) {
	f := serve(t, "", 0, hello)
	f.stop(0)
	second := newConsumer(t, hello)
	if err := f.server.AddSink(second); err != nil {
		t.Fatal(err)
	}
	f.start()
	var e *sink.Error
	if err := f.server.AddSink(second); !errors.As(err, &e) || e.Code != sink.ErrWrongState {
		t.Fatalf("%v", err)
	}
	for range 4 {
		if status, _ := fetch(t, newClient(t), f.url("/")); status != 200 {
			t.Fatal(status)
		}
	}
	for i, c := range []*consumer{f.consumer, second} {
		c.Await(func() {
			if c.Count(sink.EventConnOpened) != 2 || c.Count(sink.EventRequest) != 2 {
				t.Errorf("queue %d: %v", i, c.Counts())
			}
		})
	}
}

// Connections are dealt to two queues, of which one is taken away with a request open there: it has until the deadline, and the other queue
// does not notice.
func TestAQueueIsTakenAway(t *testing.T) {
	for _, c := range []struct {
		name     string
		deadline time.Duration
		code     sink.Code // of SERVER_STOPPED
		reason   sink.Code // of the request's end
	}{
		{"what is open may end", -1, sink.OK, sink.OK},
		{"until the deadline", 100 * time.Millisecond, sink.ErrTimeout, sink.ErrShutdown},
		{"at once", 0, sink.OK, sink.ErrShutdown},
	} {
		t.Run(c.name, func(t *testing.T) {
			held, closed := make(chan event, 1), make(chan event, 1)
			second := newConsumer(t, func(_ *consumer, e event) {
				switch e.Type {
				case sink.EventRequest:
					held <- e
				case sink.EventStreamClosed:
					closed <- e
				}
			})
			f := serve(t, "", 0, hello)
			refuses(t, f.server, f.consumer, sink.ErrWrongState)
			f.stop(0)
			refuses(t, f.server, second, sink.ErrInvalidArgument)
			if err := f.server.AddSink(second); err != nil {
				t.Fatal(err)
			}
			f.start()
			first := newClient(t)
			ask := func(client *http.Client) {
				t.Helper()
				if status, _ := fetch(t, client, f.url("/")); status != 200 {
					t.Fatal(status)
				}
			}
			ask(first)
			go newClient(t).Get(f.url("/"))
			e := within(t, "a request to the second queue", held)
			left, err := f.server.RemoveSink(second, c.deadline)
			if err != nil {
				t.Fatal(err)
			}
			refuses(t, f.server, second, sink.ErrInvalidArgument)
			if c.deadline < 0 {
				select {
				case <-left:
					t.Fatal("it has left, with a request open")
				case <-time.After(50 * time.Millisecond):
				}
				eventually(t, "GOAWAY", func() bool {
					return slices.ContainsFunc(f.server.connsForTest(), func(q *conn) bool { return q.Sink == second && q.Draining() })
				})
				second.Do(func() { second.send(e, 200, "") })
			}
			within(t, "its end", left)
			if e := within(t, "SERVER_STOPPED", second.Stopped()); e.Code != c.code {
				t.Errorf("SERVER_STOPPED with code %d", e.Code)
			}
			if e := within(t, "the end of the request", closed); e.Code != c.reason {
				t.Errorf("the request ended with code %d", e.Code)
			}
			ask(first)
			ask(newClient(t))
			ask(newClient(t))
			f.stop(0)
			f.Await(func() {
				if f.Count(sink.EventConnOpened) != 3 || f.Count(sink.EventServerStarted) != 2 || f.Count(sink.EventServerStopped) != 2 {
					t.Errorf("events: %v", f.Counts())
				}
			})
			second.Await(func() {
				if second.Count(sink.EventConnClosed) != 1 || second.Count(sink.EventServerStarted) != 1 || second.Count(sink.EventServerStopped) != 1 {
					t.Errorf("events: %v", second.Counts())
				}
			})
		})
	}
}

// refuses checks that a queue cannot be taken away.
func refuses(t *testing.T, s *Server, from sink.Sink, code sink.Code) {
	t.Helper()
	var e *sink.Error
	if _, err := s.RemoveSink(from, 0); !errors.As(err, &e) || e.Code != code {
		t.Fatalf("%v", err)
	}
}

// What is about the server itself goes to each queue, the end of a stop to one that is about to leave too.
func TestEachQueueHearsOfStartAndStop(t *testing.T) {
	f := serve(t, "", 0, hello)
	f.stop(0)
	second, third := newConsumer(t, nil), newConsumer(t, nil)
	for _, one := range []*consumer{second, third} {
		if err := f.server.AddSink(one); err != nil {
			t.Fatal(err)
		}
	}
	f.start()
	fetch(t, newClient(t), f.url("/"))
	go newClient(t).Get(f.url("/")) // which nobody answers
	eventually(t, "a request to the second queue", func() (there bool) {
		second.Await(func() { there = second.Count(sink.EventRequest) == 1 })
		return there
	})
	left, err := f.server.RemoveSink(second, -1)
	if err != nil {
		t.Fatal(err)
	}
	f.stop(0)
	within(t, "its end", left)
	for _, one := range []*consumer{second, third} {
		within(t, "SERVER_STOPPED", one.Stopped())
		one.Await(func() {
			if one.Count(sink.EventServerStarted) != 1 || one.Count(sink.EventServerStopped) != 1 {
				t.Errorf("events: %v", one.Counts())
			}
		})
	}
}

// No connection goes where nobody takes anything, as long as there is another queue where somebody does.
func TestConnectionsGoWhereTheyAreTaken(t *testing.T) {
	f := serve(t, "", 0, hello)
	f.stop(0)
	second := newConsumer(t, hello)
	if err := f.server.AddSink(second); err != nil {
		t.Fatal(err)
	}
	f.start()
	second.Stall(true)
	for range 4 {
		if status, _ := fetch(t, newClient(t), f.url("/")); status != 200 {
			t.Fatal(status)
		}
	}
	second.Stall(false)
	for range 2 {
		if status, _ := fetch(t, newClient(t), f.url("/")); status != 200 {
			t.Fatal(status)
		}
	}
	for i, c := range []struct {
		of   *consumer
		want int
	}{{f.consumer, 5}, {second, 1}} {
		c.of.Await(func() {
			if n := c.of.Count(sink.EventConnOpened); n != c.want {
				t.Errorf("queue %d has %d connections, not %d", i, n, c.want)
			}
		})
	}
}

func TestASocketThatDiesStopsTheServer(t *testing.T) {
	var waiting []event
	f := serve(t, "", 0, func(c *consumer, e event) {
		if e.Type == sink.EventRequest {
			waiting = append(waiting, e)
		}
	})
	q := dial(t, f.addr)
	s, err := q.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	s.Write(request("GET", "/"))
	s.Close()
	eventually(t, "the request", func() bool { return f.stats[sink.StatRequestsActive].Load() == 1 })
	f.server.mu.Lock()
	l := f.server.running
	f.server.mu.Unlock()
	l.socket.Close()
	if e := f.waitStopped(); e.Code != sink.ErrIO {
		t.Errorf("code %d, not %d", e.Code, sink.ErrIO)
	}
	if f.server.Port() != 0 {
		t.Error("it has a port still")
	}
	f.Await(func() {
		if n := f.Count(sink.EventStreamClosed); n != 1 {
			t.Errorf("%d ends of one request", n)
		}
	})
	f.start()
	f.Await(func() { f.handle = hello })
	if status, body := fetch(t, newClient(t), f.url("/")); status != 200 || body != "hello world" {
		t.Errorf("after another start: %d %q", status, body)
	}
}
