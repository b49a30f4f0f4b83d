package server

import (
	"strconv"
	"sync"
	"testing"

	"zigh3/engine/config"
	"zigh3/engine/sink"
)

// A conformanceSink is a consumer in memory: one goroutine answers every request as soon as it is complete.
type conformanceSink struct {
	mu      sync.Mutex
	more    sync.Cond
	objects map[sink.Handle]any
	last    sink.Handle
	events  []conformanceEvent
	closed  bool
	bodies  map[sink.Handle][]byte
}

type conformanceEvent struct {
	sink.Event
	meta, data []byte
}

func newConformanceSink() *conformanceSink {
	s := &conformanceSink{objects: map[sink.Handle]any{}, bodies: map[sink.Handle][]byte{}}
	s.more.L = &s.mu
	return s
}

func (s *conformanceSink) Issue(_ sink.Kind, _ sink.Handle, obj any) (sink.Handle, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.objects[s.last] = obj
	return s.last, true
}

func (s *conformanceSink) Release(h sink.Handle) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, h)
	return true
}

func (s *conformanceSink) Reserve(_ sink.Class, n int, _ <-chan struct{}) (sink.Record, bool) {
	return sink.Record{Payload: make([]byte, n)}, true
}

func (s *conformanceSink) Commit(r sink.Record, ev *sink.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := sink.DataOffset(int(ev.MetaLen))
	e := conformanceEvent{Event: *ev, meta: r.Payload[:ev.MetaLen]}
	if ev.DataLen > 0 {
		e.data = r.Payload[at : at+int(ev.DataLen)]
	}
	s.events = append(s.events, e)
	s.more.Broadcast()
}

func (s *conformanceSink) Abort(sink.Record) {}

func (s *conformanceSink) Room() <-chan struct{} { return nil } // there always is

func (s *conformanceSink) Lose(sink.EventType, uint64) {}

func (s *conformanceSink) Drained(sink.Handle, int) {}

func (s *conformanceSink) IssueFor(sink.Handle, any) bool { return false }

func (s *conformanceSink) Datagrams(sink.Handle, int, int) {}

func (s *conformanceSink) Offered(sink.Handle, []string) {}

func (s *conformanceSink) SessionStats(sink.Handle, *sink.SessionStats) {}

// react is the reactor.
func (s *conformanceSink) react() {
	for {
		s.mu.Lock()
		for len(s.events) == 0 && !s.closed {
			s.more.Wait()
		}
		if len(s.events) == 0 {
			s.mu.Unlock()
			return
		}
		e := s.events[0]
		s.events = s.events[1:]
		request, _ := s.objects[e.Object].(*Request)
		s.mu.Unlock()
		if request == nil {
			continue
		}
		switch e.Type {
		case sink.EventRequest:
			s.bodies[e.Object] = e.data
			if e.Flags&sink.FlagEnd != 0 {
				s.answer(e.Object, request, nil)
			}
		case sink.EventBody:
			s.bodies[e.Object] = append(s.bodies[e.Object], e.data...)
			request.Consumed(uint64(len(e.data)))
		case sink.EventBodyEnd:
			s.answer(e.Object, request, e.meta)
		case sink.EventStreamClosed:
			delete(s.bodies, e.Object)
		}
	}
}

// answer sends the body back, and the trailers as headers.
func (s *conformanceSink) answer(h sink.Handle, request *Request, trailers []byte) {
	request.Send(200, trailers, sink.Chunk{Bytes: s.bodies[h]}, false)
	delete(s.bodies, h)
}

func (s *conformanceSink) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.more.Broadcast()
}

// startConformanceServer runs a server for one test and gives its address.
func startConformanceServer(t testing.TB, options string) string {
	t.Helper()
	return addressOf(conformanceServer(t, options))
}

func addressOf(s *Server) string { return "127.0.0.1:" + strconv.Itoa(int(s.Port())) }

func conformanceServer(t testing.TB, options string) *Server {
	t.Helper()
	o, err := config.ParseOptions("127.0.0.1", 0, "", "", []byte(options))
	if err != nil {
		t.Fatal(err)
	}
	to := newConformanceSink()
	server, err := New(o, 1<<40, []sink.Sink{to}, new(sink.Stats))
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range [][2]string{{"", "/"}, {"", "/echo"}, {"GET", "/get"}} {
		if _, err := server.Route(route[0], route[1], 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	prepare(t, server)
	done := make(chan struct{})
	go func() {
		defer close(done)
		to.react()
	}()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Free()
		<-server.Done()
		to.close()
		<-done
	})
	return server
}
