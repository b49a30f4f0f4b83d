package server

import (
	"strconv"
	"testing"

	"zigh3/engine/config"
	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// A conformanceConsumer answers every request, as soon as it is complete, with its body, and its trailers as headers.
type conformanceConsumer struct {
	*enginetest.Consumer
	bodies map[sink.Handle][]byte
}

func newConformanceConsumer(t testing.TB) *conformanceConsumer {
	c := &conformanceConsumer{bodies: map[sink.Handle][]byte{}}
	c.Consumer = enginetest.NewConsumer(t, c.react)
	return c
}

func (c *conformanceConsumer) react(e event) {
	request, _ := c.Object(e.Object).(*Request)
	if request == nil {
		delete(c.bodies, e.Object)
		return
	}
	switch e.Type {
	case sink.EventRequest:
		c.bodies[e.Object] = e.Data
		if e.Flags&sink.FlagEnd != 0 {
			c.answer(e.Object, request, nil)
		}
	case sink.EventBody:
		c.bodies[e.Object] = append(c.bodies[e.Object], e.Data...)
		request.Consumed(uint64(len(e.Data)))
	case sink.EventBodyEnd:
		c.answer(e.Object, request, e.Meta)
	}
}

func (c *conformanceConsumer) answer(h sink.Handle, request *Request, trailers []byte) {
	request.Send(200, trailers, sink.Chunk{Bytes: c.bodies[h]}, false)
	delete(c.bodies, h)
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
	to := newConformanceConsumer(t)
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
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Free()
		<-server.Done()
	})
	return server
}
