package client

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"zigh3/engine/config"
	"zigh3/engine/enginetest"
	"zigh3/engine/route"
	"zigh3/engine/server"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

type event = enginetest.Event

// patience is how long a machine that is busy with others may take.
const patience = 4 * enginetest.Patience

// A fixture is a client with its consumer.
type fixture struct {
	*enginetest.Consumer
	t      testing.TB
	client *Client
	stats  *sink.ClientStats
	asked  map[sink.Handle]*asked // of the reactor
	conns  []event                // CONN_OPENED and CONN_CLOSED, of the reactor
	closed chan event
	on     map[sink.Handle]func(e event) // of the reactor
	any    func(e event)                 // likewise
}

// An asked is a fetch as its consumer sees it. The reactor fills it; the test reads it once done is closed.
type asked struct {
	f       *fixture
	h       sink.Handle
	on      func(e event) // of the reactor, before the usual
	hold    bool          // no credit is given
	events  []event
	status  int
	fields  string
	body    []byte
	trailed string
	info    []int
	end     event
	stopped bool
	done    chan struct{}
}

func (a *asked) String() string {
	return fmt.Sprintf("%d %q [%s] info %v, code %d aux %#x %q", a.status, a.body, a.fields, a.info, a.end.Code, a.end.Aux, a.end.Data)
}

// newFixture makes a client that believes any certificate, unless the options say something of that.
func newFixture(t testing.TB, options string) *fixture {
	t.Helper()
	if !strings.Contains(options, "roots") && !strings.Contains(options, "hashes") && !strings.Contains(options, "insecure") {
		rest := strings.TrimSuffix(strings.TrimPrefix(options, "{"), "}")
		if rest != "" {
			rest = ", " + rest
		}
		options = `{"insecure": true` + rest + "}"
	}
	o, err := config.ParseClientOptions([]byte(options))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, stats: new(sink.ClientStats), asked: map[sink.Handle]*asked{}, on: map[sink.Handle]func(e event){}, closed: make(chan event, 1)}
	f.Consumer = enginetest.NewConsumer(t, f.handle)
	if f.client, err = New(o, 1<<41, f.Consumer, f.stats); err != nil {
		t.Fatal(err)
	}
	f.client.lookup = func(_ context.Context, host string) ([]netip.Addr, error) { return nil, fmt.Errorf("no %s here", host) }
	t.Cleanup(func() {
		f.client.Close(0)
		within(t, "the client's end", f.client.Done())
		within(t, "CLIENT_CLOSED", f.closed)
		if n := f.Live(); n != 0 {
			t.Errorf("%d handles are live at the end", n)
		}
		for i, name := range sink.ClientStatNames {
			if v := f.stats[i].Load(); v != 0 && (strings.HasSuffix(name, "_active") || strings.HasSuffix(name, "_pending") || strings.HasSuffix(name, "_queued")) {
				t.Errorf("%s is %d at the end", name, v)
			}
		}
	})
	return f
}

func (f *fixture) handle(e event) {
	switch e.Type {
	case sink.EventConnOpened, sink.EventConnClosed:
		f.conns = append(f.conns, keepEvent(e))
	case sink.EventClientClosed:
		f.closed <- keepEvent(e)
	}
	if on := f.on[e.Object]; on != nil {
		on(keepEvent(e))
	}
	if f.any != nil {
		f.any(e)
	}
	if a := f.asked[e.Object]; a != nil {
		a.take(keepEvent(e))
	}
}

func keepEvent(e event) event {
	return event{Event: e.Event, Meta: append([]byte(nil), e.Meta...), Data: append([]byte(nil), e.Data...)}
}

func (a *asked) take(e event) {
	a.events = append(a.events, e)
	if a.on != nil {
		a.on(e)
	}
	switch e.Type {
	case sink.EventInformational:
		a.info = append(a.info, int(e.Status))
	case sink.EventResponse:
		a.status, a.fields, a.body = int(e.Status), list(e.Meta), append(a.body, e.Data...)
	case sink.EventBody:
		a.body = append(a.body, e.Data...)
		if x := a.f.fetch(a.h); x != nil && !a.hold {
			x.Consumed(uint64(len(e.Data)))
		}
	case sink.EventBodyEnd:
		a.trailed = list(e.Meta)
	case sink.EventStreamStopped:
		a.stopped = true
	case sink.EventFetchDone:
		a.end = e
		delete(a.f.asked, a.h)
		close(a.done)
	}
}

// list shows a packed list.
func list(packed []byte) string {
	var all []string
	for r := (wire.PackedReader{Rest: packed}); ; {
		name, value, ok := r.Next()
		if !ok {
			return strings.Join(all, "|")
		}
		all = append(all, string(name)+"="+string(value))
	}
}

// packedField is a field of a packed list.
func packedField(packed []byte, name string) (value string, ok bool) {
	for list := (wire.PackedReader{Rest: packed}); ; {
		n, v, more := list.Next()
		if !more {
			return "", false
		}
		if string(n) == name {
			return string(v), true
		}
	}
}

// fetch is the live fetch of a handle, nil if it is stale. The reactor calls it.
func (f *fixture) fetch(h sink.Handle) *Fetch {
	x, _ := f.Object(h).(*Fetch)
	return x
}

// start sends a request and does not wait.
func (f *fixture) start(r Request, how ...func(a *asked)) *asked {
	a := &asked{f: f, done: make(chan struct{})}
	for _, h := range how {
		h(a)
	}
	f.Await(func() { f.begin(a, r) })
	return a
}

// begin is start for the reactor.
func (f *fixture) begin(a *asked, r Request) {
	a.h = f.Ask(r.UserData)
	f.asked[a.h] = a
	f.client.Fetch(a.h, &r)
}

// wait gives the fetch when it has ended.
func (a *asked) wait() *asked {
	a.f.t.Helper()
	within(a.f.t, "the end of a fetch", a.done)
	return a
}

// over reports whether the fetch has ended.
func (a *asked) over() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

// get fetches a path with GET, and waits.
func (f *fixture) get(addr, path string) *asked {
	f.t.Helper()
	return f.start(Request{Method: "GET", Authority: addr, Path: path, End: true, UserData: 5}).wait()
}

// do runs fn with the fetch on the reactor, if it is live.
func (a *asked) do(fn func(x *Fetch)) {
	a.f.Await(func() {
		if x := a.f.fetch(a.h); x != nil {
			fn(x)
		}
	})
}

func chunk(s string) sink.Chunk { return sink.Chunk{Bytes: []byte(s)} }

// fields makes a packed list.
func fields(nameValue ...string) (packed []byte) {
	for i := 0; i < len(nameValue); i += 2 {
		packed = wire.AppendPacked(packed, nameValue[i], nameValue[i+1])
	}
	return packed
}

func within[T any](t testing.TB, what string, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		buf := make([]byte, 1<<20)
		t.Fatalf("%s did not come\n%s", what, buf[:runtime.Stack(buf, true)])
	}
	return v
}

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not so", what)
		}
	}
}

// A peer is the engine's own server.
type peer struct {
	*enginetest.Consumer
	t      testing.TB
	server *server.Server
	addr   string
	handle func(p *peer, e event) // of its reactor
}

// serve starts one whose every route is handled by handle; flags are the routes'.
func serve(t testing.TB, options string, flags uint32, handle func(p *peer, e event)) *peer {
	t.Helper()
	p := &peer{t: t, handle: handle}
	p.Consumer = enginetest.NewConsumer(t, func(e event) {
		if p.handle != nil {
			p.handle(p, e)
		}
	})
	o, err := config.ParseOptions("127.0.0.1", 0, "", "", []byte(options))
	if err != nil {
		t.Fatal(err)
	}
	if p.server, err = server.New(o, 1<<40, []sink.Sink{p.Consumer}, new(sink.Stats)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.server.Route("", "/*", flags, 7); err != nil {
		t.Fatal(err)
	}
	if err := p.server.Start(); err != nil {
		t.Fatal(err)
	}
	p.addr = fmt.Sprintf("127.0.0.1:%d", p.server.Port())
	t.Cleanup(func() {
		p.server.Free()
		within(t, "the server's end", p.server.Done())
	})
	return p
}

// request is the live request of a handle.
func (p *peer) request(h sink.Handle) *server.Request {
	r, _ := p.Object(h).(*server.Request)
	return r
}

// echo answers with what it was asked: method, path, a field, and the body on a buffered route.
func echo(p *peer, e event) {
	if e.Type != sink.EventRequest {
		return
	}
	if r := p.request(e.Object); r != nil {
		method, _ := packedField(e.Meta, ":method")
		path, _ := packedField(e.Meta, ":path")
		x, _ := packedField(e.Meta, "x-ask")
		r.Send(200, fields("x-method", method, "x-path", path, "x-answer", x), sink.Chunk{Bytes: e.Data}, false)
	}
}

// blocked is a lookup that does not end.
func blocked(ctx context.Context, _ string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// buffered is the flag of routes whose requests come whole.
const buffered = route.Buffered
