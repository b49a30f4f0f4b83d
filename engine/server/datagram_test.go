package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/enginetest"
	"zigh3/engine/route"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// dialDatagrams opens a QUIC connection with DATAGRAM, with a control stream if settings is not nil.
func dialDatagrams(t testing.TB, addr string, settings []byte) *quic.Conn {
	t.Helper()
	q, err := quic.DialAddr(ctx(t), addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, &quic.Config{EnableDatagrams: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.CloseWithError(0x100, "") })
	if settings != nil {
		s, err := q.OpenUniStream()
		if err != nil {
			t.Fatal(err)
		}
		s.Write(append([]byte{enginetest.StreamControl}, frame(wire.FrameSettings, settings)...))
	}
	return q
}

func TestD01_RawDatagrams(t *testing.T) {
	for _, c := range []struct {
		name     string
		options  string
		settings []byte // nil: no control stream
		taken    bool
	}{
		{"no HTTP datagrams announced", `{"quic_datagrams": true}`, []byte{}, true},
		{"no SETTINGS", `{"quic_datagrams": true}`, nil, true},
		{"HTTP's announced", `{"quic_datagrams": true}`, varints(0x33, 1), false},
		{"raw only", `{"quic_datagrams": true, "raw_datagrams": true}`, varints(0x33, 1), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serve(t, c.options, 0, func(f *consumer, e event) {
				if e.Type != sink.EventQUICDatagram {
					return
				}
				q := f.Object(e.Object).(*conn)
				q.SendDatagram(append([]byte("re: "), e.Data...), 0)
			})
			q := dialDatagrams(t, f.addr, c.settings)
			q.SendDatagram([]byte("\x01hello"))
			if !c.taken {
				eventually(t, "the drop", func() bool { return f.stats[sink.StatDatagramsDroppedUnknown].Load() == 1 })
				if f.stats[sink.StatDatagramsDelivered].Load() != 0 {
					t.Error("it was delivered")
				}
				return
			}
			got, err := q.ReceiveDatagram(ctx(t))
			if err != nil || string(got) != "re: \x01hello" {
				t.Errorf("%q, %v", got, err)
			}
			eventually(t, "the count", func() bool { return f.stats[sink.StatDatagramsDelivered].Load() == 1 })
		})
	}
}

func TestD01_RawDatagramsAreOffUnlessWanted(t *testing.T) {
	f := serve(t, "", 0, hello)
	q := dialDatagrams(t, f.addr, []byte{})
	if err := q.SendDatagram([]byte("x")); err == nil {
		t.Error("the server offers DATAGRAM")
	}
}

func TestD02_DatagramsAndRawOnlyExcludeEachOther(t *testing.T) {
	s := newTestServer(t, newConsumer(t, nil), `{"raw_datagrams": true}`)
	for _, flags := range []uint32{route.Datagram, route.WebTransport} {
		var e *sink.Error
		if _, err := s.Route("", "/x", flags, 0); !errors.As(err, &e) || e.Code != sink.ErrBadRoute {
			t.Errorf("flags %d: %v", flags, err)
		}
	}
	var e *sink.Error
	if _, err := newTestServer(t, newConsumer(t, nil), "").Route("GET", "/x", route.WebTransport, 0); !errors.As(err, &e) || e.Code != sink.ErrBadRoute {
		t.Errorf("%v", err)
	}
	s.Free()
}

// datagramRequest sends a request whose datagrams the test uses.
func datagramRequest(t testing.TB, f *sessionFixture) *enginetest.RequestStream {
	t.Helper()
	str := openDatagramRequest(t, f)
	sendDatagramRequest(t, str)
	return str
}

// openDatagramRequest opens its stream, on a connection of its own, and sends nothing.
func openDatagramRequest(t testing.TB, f *sessionFixture) *enginetest.RequestStream {
	t.Helper()
	c := enginetest.Dial(t, f.addr, enginetest.Options{Datagrams: true})
	c.Settings()
	return c.OpenRequest()
}

func sendDatagramRequest(t testing.TB, str *enginetest.RequestStream) {
	t.Helper()
	if err := str.SendRequest("GET", "/datagrams"); err != nil {
		t.Fatal(err)
	}
}

func TestH01_DatagramsOfARequest(t *testing.T) {
	f := serveSessions(t, "", func(f *sessionFixture, e event) {
		if e.Type == sink.EventH3Datagram {
			r := f.request(e.Object)
			r.SendDatagram(append([]byte("re: "), e.Data...), 0)
			if string(e.Data) == "last" {
				r.Send(200, nil, sink.Chunk{Bytes: []byte("done")}, false)
			}
		}
	})
	str := datagramRequest(t, f)
	e := f.waitType(sink.EventRequest)
	if room, limit := f.Places(e.Object); room != 256 || limit < 1000 {
		t.Errorf("room %d, limit %d", room, limit)
	}
	for _, text := range []string{"", "one", "last"} {
		if err := str.SendDatagram([]byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := str.ReceiveDatagram(ctx(t))
		if err != nil || string(got) != "re: "+text {
			t.Fatalf("%q, %v", got, err)
		}
	}
	resp, err := str.ReadResponse()
	if err != nil || resp.Status != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	d := f.waitType(sink.EventH3Datagram)
	if d.Object != e.Object || d.Status != e.Status || d.UserData != 9 || d.Aux == 0 || d.Aux > sink.Monotonic() || sink.Monotonic()-d.Aux > uint64(time.Minute) {
		t.Errorf("%+v", d.Event)
	}
}

func TestH01_DatagramsOnAServerWithoutSessions(t *testing.T) {
	f := &sessionFixture{}
	f.fixture = serve(t, "", route.Datagram, func(c *consumer, e event) {
		if e.Type == sink.EventH3Datagram {
			c.request(e.Object).SendDatagram(e.Data, 0)
		}
	})
	str := datagramRequest(t, f)
	eventually(t, "the request", func() bool { return f.stats[sink.StatRequestsActive].Load() == 1 })
	str.SendDatagram([]byte("x"))
	if got, err := str.ReceiveDatagram(ctx(t)); err != nil || string(got) != "x" {
		t.Errorf("%q, %v", got, err)
	}
}

// H03: one that comes before its request waits for it, though http3 would drop it. So many times and no more is waited for requests
// that never come: what other flows have waits meanwhile.
func TestH03_DatagramsBeforeTheirRequest(t *testing.T) {
	f := &sessionFixture{}
	f.fixture = serve(t, "", route.Datagram, func(c *consumer, e event) {
		if e.Type == sink.EventH3Datagram {
			c.request(e.Object).SendDatagram(append([]byte("re: "), e.Data...), 0)
		}
	})
	defer f.stop(0)
	str := openDatagramRequest(t, f)
	for _, text := range []string{"", "second"} {
		if err := str.SendDatagram([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both", func() bool { return f.stats[sink.StatDatagramsIn].Load() == 2 })
	sendDatagramRequest(t, str)
	for _, text := range []string{"", "second"} {
		if got, err := str.ReceiveDatagram(ctx(t)); err != nil || string(got) != "re: "+text {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if n := f.stats[sink.StatDatagramsDroppedUnknown].Load(); n != 0 {
		t.Errorf("%d dropped", n)
	}
}

func TestH02_DatagramsForNobody(t *testing.T) {
	f := serveSessions(t, "", nil)
	q := dialDatagrams(t, f.addr, varints(0x33, 1))
	q.SendDatagram([]byte{9, 'x'})
	eventually(t, "the drop", func() bool { return f.stats[sink.StatDatagramsDroppedUnknown].Load() == 1 })
	if f.stats[sink.StatDatagramsIn].Load() != 1 {
		t.Error("not counted as one that came")
	}
	// A flow id that is none ends the connection, as RFC 9297 wants it.
	q.SendDatagram([]byte{0xff})
	e := f.waitType(sink.EventConnClosed)
	if e.Aux != uint64(http3.ErrCodeDatagramError) {
		t.Errorf("%+v", e.Event)
	}
}

func TestD05_DatagramsOfASession(t *testing.T) {
	f := serveSessions(t, "", echo)
	s, o := f.mustOpen("/wt")
	for _, text := range []string{"", "hello"} {
		s.SendDatagram([]byte(text))
		got, err := s.ReceiveDatagram(ctx(t))
		if err != nil || string(got) != text {
			t.Fatalf("%q, %v", got, err)
		}
	}
	eventually(t, "counters", func() bool {
		n := f.Counters(o.Object)
		return n[sink.SessionStatDatagramsIn] == 2 && n[sink.SessionStatDatagramsOut] == 2 && n[sink.SessionStatSmoothedRTT] > 0
	})
}

func TestD05_DatagramsBeforeTheDecision(t *testing.T) {
	held := make(chan sink.Handle, 1)
	f := serveSessions(t, `{"datagrams": {"incoming": 32}}`, func(f *sessionFixture, e event) {
		if e.Type == sink.EventSessionRequest {
			held <- e.Object
		}
	})
	str := dialConnect(t, f).request(f)
	h := within(t, "the request", held)
	for range 40 {
		str.SendDatagram([]byte("early"))
	}
	eventually(t, "all of them", func() bool { return f.stats[sink.StatDatagramsIn].Load() == 40 })
	f.Await(func() { f.session(h).Accept("", nil) })
	eventually(t, "the early ones", func() bool {
		return f.stats[sink.StatDatagramsDelivered].Load() == 32 && f.stats[sink.StatDatagramsDroppedEarly].Load() == 8
	})
	eventually(t, "their events", func() bool { return f.count(sink.EventSessionDatagram) == 32 })
}

func TestD06_AgeAndSize(t *testing.T) {
	f := serveSessions(t, "", nil)
	s, o := f.mustOpen("/wt")
	f.Await(func() {
		d := f.session(o.Object)
		d.SendDatagram(make([]byte, 60_000), 0)
		d.SendDatagram([]byte("old"), time.Nanosecond)
		d.SendDatagram([]byte("good"), time.Minute)
	})
	got, err := s.ReceiveDatagram(ctx(t))
	if err != nil || string(got) != "good" {
		t.Errorf("%q, %v", got, err)
	}
	var codes []sink.Code
	eventually(t, "two drops", func() bool { return f.count(sink.EventDatagramsDropped) == 2 })
	f.mu.Lock()
	for _, e := range f.seen {
		if e.Type == sink.EventDatagramsDropped && e.Object == o.Object && e.Aux == 1 {
			codes = append(codes, e.Code)
		}
	}
	f.mu.Unlock()
	if fmt.Sprint(codes) != fmt.Sprint([]sink.Code{sink.ErrDatagramTooLarge, sink.ErrTimeout}) {
		t.Errorf("%v", codes)
	}
	eventually(t, "all places", func() bool {
		room, _ := f.Places(o.Object)
		return room == 256+3
	})
}

// A burst into a consumer that sleeps: each datagram is delivered or counted.
func TestD07_BurstIntoASleepingConsumer(t *testing.T) {
	f := serveSessions(t, "", nil)
	s, o := f.mustOpen("/wt")
	f.SetPlaces(1000)
	f.Stall(true)
	// So few at a time that none is lost in the socket's buffer: who sends them all at once learns only by guess which have arrived.
	const burst, atOnce = 10_000, 50
	for sent := 0; sent < burst; {
		for range atOnce {
			if err := s.SendDatagram([]byte("0123456789abcdef")); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		eventually(t, "all of them", func() bool { return f.stats[sink.StatDatagramsIn].Load() == uint64(sent) })
	}
	time.Sleep(50 * time.Millisecond)
	f.Stall(false)
	f.SetPlaces(1 << 30)
	var sum uint64
	eventually(t, "the sum", func() bool {
		sum = 0
		for _, i := range []int{sink.StatDatagramsDelivered, sink.StatDatagramsDroppedRing, sink.StatDatagramsDroppedEarly, sink.StatDatagramsDroppedUnknown, sink.StatDatagramsDroppedInternal} {
			sum += f.stats[i].Load()
		}
		return sum == f.stats[sink.StatDatagramsIn].Load()
	})
	eventually(t, "the events", func() bool {
		return f.count(sink.EventSessionDatagram) == int(f.stats[sink.StatDatagramsDelivered].Load())
	})
	t.Logf("in %d, delivered %d, ring %d, early %d, internal %d; object %d", f.stats[sink.StatDatagramsIn].Load(), f.stats[sink.StatDatagramsDelivered].Load(),
		f.stats[sink.StatDatagramsDroppedRing].Load(), f.stats[sink.StatDatagramsDroppedEarly].Load(), f.stats[sink.StatDatagramsDroppedInternal].Load(), o.Object)
}

// What a consumer has no room for waits, a bounded number: the newest. It comes, in order, once there is room.
func TestA08_TheOldestDatagramsAreDropped(t *testing.T) {
	const ring, wait, burst = 20, 8, 100
	f := serveSessions(t, `{"datagrams": {"incoming": 8}}`, nil)
	s, o := f.mustOpen("/wt")
	f.SetPlaces(ring)
	f.Stall(true)
	for i := range burst {
		if err := s.SendDatagram([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "each", func() bool { return f.stats[sink.StatDatagramsIn].Load() == uint64(i+1) })
	}
	eventually(t, "the drops", func() bool { return f.stats[sink.StatDatagramsDroppedRing].Load() == burst-ring-wait })
	f.Stall(false)
	eventually(t, "what waited", func() bool { return f.count(sink.EventSessionDatagram) == ring+wait })
	var want []byte
	for i := range burst {
		if i < ring || i >= burst-wait {
			want = append(want, byte(i))
		}
	}
	var got []byte
	var last uint64
	f.mu.Lock()
	for _, e := range f.seen {
		if e.Type == sink.EventSessionDatagram {
			got = append(got, e.Data...)
			if e.Aux < last {
				t.Errorf("%d came before the one in front of it", e.Data)
			}
			last = e.Aux
		}
	}
	f.mu.Unlock()
	if string(got) != string(want) {
		t.Errorf("%d", got)
	}
	if n := f.stats[sink.StatDatagramsDelivered].Load(); n != ring+wait {
		t.Errorf("%d delivered", n)
	}
	lost := f.LostOf(sink.EventSessionDatagram)
	if lost != burst-ring-wait {
		t.Errorf("%d told to be lost", lost)
	}
	eventually(t, "the session's count", func() bool {
		n := f.Counters(o.Object)
		return n[sink.SessionStatDatagramsIn] == ring+wait && n[sink.SessionStatDatagramsDroppedIn] == burst-ring-wait
	})
}

// What waits when its session ends, or its connection, is counted, and keeps nobody.
func TestA08_DatagramsThatWaitWhenAllEnds(t *testing.T) {
	for _, kind := range []string{"session", "raw"} {
		t.Run(kind, func(t *testing.T) {
			f := serveSessions(t, `{"quic_datagrams": true}`, nil)
			var send func([]byte) error
			var q *quic.Conn
			if kind == "raw" {
				q = dialDatagrams(t, f.addr, []byte{})
				send = q.SendDatagram
			} else {
				s, _ := f.mustOpen("/wt")
				send = s.SendDatagram
				q = s.Client().Conn
			}
			f.SetPlaces(0)
			const burst = 10
			for i := range burst {
				if err := send([]byte{byte(i)}); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "all", func() bool { return f.stats[sink.StatDatagramsIn].Load() == burst })
			if n := f.stats[sink.StatDatagramsDroppedRing].Load(); n != 0 {
				t.Errorf("%d dropped before", n)
			}
			q.CloseWithError(0x100, "")
			f.waitType(sink.EventConnClosed)
			if n := f.stats[sink.StatDatagramsDroppedRing].Load(); n != burst {
				t.Errorf("%d counted", n)
			}
		})
	}
}

// Requests that end while their datagrams come, are delivered and wait.
func TestA08_RequestsEndWhileDatagramsWait(t *testing.T) {
	f := serveSessions(t, `{"datagrams": {"incoming": 4}}`, func(f *sessionFixture, e event) {
		if e.Type == sink.EventH3Datagram && string(e.Data) == "last" {
			if r := f.request(e.Object); r != nil {
				r.Send(200, nil, sink.Chunk{}, false)
			}
		}
	})
	f.SetPlaces(2)
	c := datagramRequest(t, f).Client()
	for range many(100, 1000) {
		str := c.OpenRequest()
		sendDatagramRequest(t, str)
		done := make(chan struct{})
		go func() {
			defer close(done)
			str.ReadResponse()
		}()
		for ended := false; !ended; {
			for range 20 {
				str.SendDatagram([]byte("last"))
			}
			select {
			case <-done:
				ended = true
			case <-time.After(time.Millisecond):
			}
		}
	}
	eventually(t, "the ends", func() bool { return f.stats[sink.StatRequestsActive].Load() <= 1 })
}
