package client

import (
	"strings"
	"testing"

	"zigh3/engine/sink"
)

// connect wishes for a connection; what it comes to is in the channel.
func (f *fixture) connect(authority string, userData uint64) (h sink.Handle, done <-chan event) {
	came := make(chan event, 1)
	f.Await(func() {
		h = f.AskConnect(userData)
		f.on[h] = func(e event) { came <- e }
		f.client.Connect(h, &ConnectRequest{Authority: authority, UserData: userData})
	})
	return h, came
}

// A connection that was wished for is there for the fetches that come, and one that is there already will do.
func TestConnect(t *testing.T) {
	h := holdRequests(t, 10)
	f := newFixture(t, "")
	_, first := f.connect(h.addr, 7)
	_, second := f.connect(h.addr, 8) // as long as the first waits, or behind it
	conn := within(t, "CONNECT_DONE", first)
	if conn.Code != sink.OK || conn.Conn == 0 || conn.UserData != 7 {
		t.Errorf("%+v", conn.Event)
	}
	if e := within(t, "CONNECT_DONE", second); e.Code != sink.OK || e.Conn != conn.Conn || e.UserData != 8 {
		t.Errorf("%+v", e.Event)
	}
	a := f.startGet(h.addr)
	h.next().answer()
	if a.wait(); a.end.Code != sink.OK || a.end.Conn != conn.Conn {
		t.Errorf("%v", a)
	}
	_, third := f.connect(h.addr, 9)
	if e := within(t, "CONNECT_DONE", third); e.Conn != conn.Conn {
		t.Errorf("%+v", e.Event)
	}
	if n := h.conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	if n := f.stats[sink.StatConnectionsTotal].Load(); n != 1 {
		t.Errorf("%d connections are counted", n)
	}
}

// A wish does not stand behind fetches that wait for a stream.
func TestConnectIsNoFetch(t *testing.T) {
	h := holdRequests(t, 1)
	f := newFixture(t, `{"max_connections_per_origin": 1}`)
	first := f.startGet(h.addr)
	held := h.next()
	second := f.startGet(h.addr)
	eventually(t, "one that waits", func() bool { return f.stats[sink.ClientStatFetchesQueued].Load() == 1 })
	_, done := f.connect(h.addr, 0)
	if e := within(t, "CONNECT_DONE", done); e.Code != sink.OK {
		t.Errorf("%+v", e.Event)
	}
	held.answer()
	first.wait()
	h.next().answer()
	if second.wait(); second.end.Code != sink.OK {
		t.Errorf("%v", second)
	}
}

// What keeps a connection from being made has the codes that a fetch gets.
func TestConnectFails(t *testing.T) {
	f := newFixture(t, `{"max_queued": 1}`)
	for _, c := range []struct {
		authority string
		code      sink.Code
		says      string
	}{
		{"", sink.ErrBadURL, "no host and port"},
		{"127.0.0.1:0", sink.ErrBadURL, "no port"},
		{"[x]", sink.ErrBadURL, `no host: "[x]"`},
		{"127.0.0.1:9", sink.ErrRefused, "ECONNREFUSED"},
		{"nowhere.test", sink.ErrResolve, "nowhere.test"},
	} {
		_, done := f.connect(c.authority, 1)
		if e := within(t, "CONNECT_DONE", done); e.Code != c.code || !strings.Contains(string(e.Data), c.says) {
			t.Errorf("%q: %+v %q", c.authority, e.Event, e.Data)
		}
	}
	f.client.lookup = blocked
	h, waits := f.connect("slow.test", 2)
	_, full := f.connect("slow.test", 3)
	if e := within(t, "CONNECT_DONE", full); e.Code != sink.ErrQueueFull {
		t.Errorf("one too many: %+v", e.Event)
	}
	f.Await(func() {
		if w, _ := f.Object(h).(*Connecting); w != nil {
			w.Cancel()
		}
	})
	if e := within(t, "CONNECT_DONE", waits); e.Code != sink.ErrCancelled {
		t.Errorf("cancelled: %+v", e.Event)
	}
	g := newFixture(t, `{"queue_timeout_ms": 50, "connect_timeout_ms": 600000}`)
	g.client.lookup = blocked
	_, late := g.connect("slow.test", 4)
	if e := within(t, "CONNECT_DONE", late); e.Code != sink.ErrPoolTimeout {
		t.Errorf("too long: %+v", e.Event)
	}
}

// A client that ends tells those that wait, and those that come too late.
func TestConnectAndTheEnd(t *testing.T) {
	f := newFixture(t, "")
	f.client.lookup = blocked
	_, waits := f.connect("slow.test", 1)
	f.client.Close(0)
	if e := within(t, "CONNECT_DONE", waits); e.Code != sink.ErrShutdown {
		t.Errorf("%+v", e.Event)
	}
}
