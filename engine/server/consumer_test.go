package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/config"
	"zigh3/engine/enginetest"
	"zigh3/engine/route"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A consumer is the model of one, with what requests need.
type consumer struct {
	*enginetest.Consumer
	t      testing.TB
	handle func(c *consumer, e event) // of the reactor's goroutine
}

type event = enginetest.Event

// newConsumer makes a consumer that does with each event what handle says, and nothing if there is none.
func newConsumer(t testing.TB, handle func(c *consumer, e event)) *consumer {
	c := &consumer{t: t, handle: handle}
	c.Consumer = enginetest.NewConsumer(t, func(e event) {
		if c.handle != nil {
			c.handle(c, e)
		}
	})
	return c
}

// request is the live request of a handle, nil if it is stale.
func (c *consumer) request(h sink.Handle) *Request {
	r, _ := c.Object(h).(*Request)
	return r
}

// send answers e, if its request is live.
func (c *consumer) send(e event, status int, body string) {
	if r := c.request(e.Object); r != nil {
		r.Send(status, nil, sink.Chunk{Bytes: []byte(body)}, false)
	}
}

// forget answers e for good.
func (c *consumer) forget(e event, status int, body string) {
	if r := c.request(e.Object); r != nil {
		c.Forget(e.Object)
		r.Send(status, nil, sink.Chunk{Bytes: []byte(body)}, true)
	}
}

// field is a field of a request's packed list.
func field(meta []byte, name string) string {
	for r := (wire.PackedReader{Rest: meta}); ; {
		n, v, ok := r.Next()
		if !ok {
			return ""
		}
		if string(n) == name {
			return string(v)
		}
	}
}

// A fixture is a running server with its consumer.
type fixture struct {
	*consumer
	server *Server
	stats  *sink.Stats
	addr   string
}

// serve starts a server with every route at one handler.
func serve(t testing.TB, options string, flags uint32, handle func(c *consumer, e event)) *fixture {
	t.Helper()
	c := newConsumer(t, handle)
	f := &fixture{consumer: c, server: newTestServer(t, c, options)}
	f.stats = f.server.stats
	if _, err := f.server.Route("", "/*", flags, 7); err != nil {
		t.Fatal(err)
	}
	f.prepare()
	f.start()
	t.Cleanup(func() {
		f.server.Free()
		within(t, "the server's end", f.server.Done())
	})
	return f
}

// offersDatagram says whether clients of a test offer DATAGRAM, and its servers take sessions: nobody runs tests side by side here.
var offersDatagram bool

// withAndWithoutDatagram runs a test with clients that do not offer DATAGRAM, and with clients that do, as browsers.
func withAndWithoutDatagram(t *testing.T, test func(t *testing.T)) {
	for _, offers := range []bool{false, true} {
		name := "without DATAGRAM"
		if offers {
			name = "with DATAGRAM"
		}
		t.Run(name, func(t *testing.T) {
			offersDatagram = offers
			defer func() { offersDatagram = false }()
			test(t)
		})
	}
}

// sessionsPath is where servers of clients that offer DATAGRAM take sessions.
const sessionsPath = "/sessions"

// prepare gives a server something that it offers DATAGRAM for.
func (f *fixture) prepare() { prepare(f.t, f.server) }

func prepare(t testing.TB, s *Server) {
	t.Helper()
	if !offersDatagram {
		return
	}
	if _, err := s.Route("", sessionsPath, route.WebTransport, 8); err != nil {
		t.Fatal(err)
	}
}

func newTestServer(t testing.TB, to sink.Sink, options string) *Server {
	t.Helper()
	o, err := config.ParseOptions("127.0.0.1", 0, "", "", []byte(options))
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(o, 1<<40, []sink.Sink{to}, new(sink.Stats))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (f *fixture) start() {
	f.t.Helper()
	if err := f.server.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.addr = fmt.Sprintf("127.0.0.1:%d", f.server.Port())
}

func (f *fixture) url(path string) string { return "https://" + f.addr + path }

// stop stops the server and gives SERVER_STOPPED.
func (f *fixture) stop(deadline time.Duration) event {
	f.t.Helper()
	f.server.Stop(deadline)
	return f.waitStopped()
}

func (f *fixture) waitStopped() event {
	f.t.Helper()
	select {
	case e := <-f.Stopped():
		return e
	case <-time.After(patience):
		f.t.Fatalf("the server did not stop\n%s", stacks())
		return event{}
	}
}

func stacks() []byte {
	buf := make([]byte, 1<<20)
	return buf[:runtime.Stack(buf, true)]
}

func within[T any](t testing.TB, what string, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		t.Fatalf("%s did not come\n%s", what, stacks())
	}
	return v
}

// eventually waits until cond holds; it is for states that nothing announces.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not so\n%s", what, stacks())
		}
	}
}

// newClient is a client with connections of its own.
func newClient(t testing.TB) *http.Client {
	return &http.Client{Transport: enginetest.NewTransport(t, enginetest.Options{Datagrams: offersDatagram})}
}

func fetch(t testing.TB, client *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, read(t, resp)
}

func read(t testing.TB, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// dial opens a QUIC connection with a control stream, for frames made by hand.
func dial(t testing.TB, addr string) *quic.Conn { return dialWindow(t, addr, 0) }

// dialWindow takes no more than window bytes on a stream that nobody reads; 0 is quic-go's default.
func dialWindow(t testing.TB, addr string, window uint64) *quic.Conn {
	t.Helper()
	q, err := dialQUIC(t, addr, window)
	if err != nil {
		t.Fatal(err)
	}
	s, err := q.OpenUniStream()
	if err != nil {
		t.Fatal(err)
	}
	s.Write([]byte{enginetest.StreamControl, wire.FrameSettings, 0})
	return q
}

// dialQUIC opens no stream.
func dialQUIC(t testing.TB, addr string, window uint64) (*quic.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	q, err := quic.DialAddr(ctx, addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, &quic.Config{InitialStreamReceiveWindow: window, MaxStreamReceiveWindow: window, EnableDatagrams: offersDatagram})
	if err == nil {
		t.Cleanup(func() { q.CloseWithError(0x100, "") })
	}
	return q, err
}

func asError[E error](err error, target *E) bool { return errors.As(err, target) }
