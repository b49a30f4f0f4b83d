package server

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A connectClient is a peer that opens sessions with frames and capsules made by hand, as old drafts do.
type connectClient struct{ *enginetest.Client }

func dialConnect(t testing.TB, f *sessionFixture) *connectClient {
	t.Helper()
	c := &connectClient{enginetest.Dial(t, f.addr, enginetest.Options{Dialect: enginetest.Draft02})}
	c.Settings()
	return c
}

// connect opens a session as Chromium does.
func (c *connectClient) connect(f *sessionFixture) *enginetest.RequestStream {
	f.t.Helper()
	status, str := c.ask(f)
	if status != 200 {
		f.t.Fatalf("status %d", status)
	}
	return str
}

// ask asks for a session.
func (c *connectClient) ask(f *sessionFixture) (status int, str *enginetest.RequestStream) {
	f.t.Helper()
	str = c.request(f)
	resp, err := str.ReadResponse()
	if err != nil {
		f.t.Fatal(err)
	}
	return resp.Status, str
}

// request asks for one and waits for nothing.
func (c *connectClient) request(f *sessionFixture) *enginetest.RequestStream {
	f.t.Helper()
	str := c.OpenRequest()
	if err := str.SendHeaders(c.SessionFields("/wt", "origin", "https://"+f.addr)...); err != nil {
		f.t.Fatal(err)
	}
	return str
}

func TestW11_DrainCapsules(t *testing.T) {
	f := serveSessions(t, "", nil)
	str := dialConnect(t, f).connect(f)
	o := f.waitType(sink.EventSessionOpened)
	str.Write(join(varints(0x1234, 3, "abc"), varints(wire.CapsuleDrain)))
	str.Write(varints(0)) // in two halves
	if e := f.waitType(sink.EventSessionDraining); e.Object != o.Object {
		t.Errorf("%+v", e.Event)
	}
	f.Await(func() { f.session(o.Object).Drain() })
	got := make([]byte, 5)
	if _, err := io.ReadFull(str, got); err != nil || string(got) != string(varints(wire.CapsuleDrain, 0)) {
		t.Errorf("%x, %v", got, err)
	}
	if n := f.count(sink.EventSessionDraining); n != 1 {
		t.Errorf("%d events", n)
	}
}

// However often a peer asks for the end, and however early, the consumer hears of it once: the event is never dropped.
func TestW11_DrainCapsulesAgainAndAgain(t *testing.T) {
	f := serveSessions(t, "", nil)
	c := dialConnect(t, f)
	str := c.request(f)
	drain := varints(wire.CapsuleDrain, 0)
	for range 1000 {
		if _, err := str.Write(drain); err != nil {
			t.Fatal(err)
		}
	}
	str.Write(varints(wire.CapsuleClose, 4, "\x00\x00\x00\x00"))
	f.waitType(sink.EventSessionClosed)
	if n := f.count(sink.EventSessionDraining); n != 1 {
		t.Errorf("%d events", n)
	}
}

// A browser takes code and reason only when the capsule and the end of the stream come before anything that cancels.
func TestW09_CloseCancelsNothingBeforeThePeerHasEnded(t *testing.T) {
	f := serveSessions(t, "", nil)
	str := dialConnect(t, f).connect(f)
	o := f.waitType(sink.EventSessionOpened)
	f.Await(func() { f.session(o.Object).CloseWith(7, "done") })
	got, err := io.ReadAll(str)
	if want := varints(wire.CapsuleClose, 8, "\x00\x00\x00\x07done"); string(got) != string(want) || err != nil {
		t.Fatalf("%x, want %x; %v", got, want, err)
	}
	f.waitType(sink.EventSessionClosed) // which the consumer has at once, whatever the peer does
	if _, err := str.Write([]byte{}); err != nil {
		t.Errorf("the peer was stopped: %v", err)
	}
	str.Close()
}

func TestW09_PeerThatNeverEndsItsSideIsCutOff(t *testing.T) {
	f := serveSessions(t, "", nil)
	str := dialConnect(t, f).connect(f)
	o := f.waitType(sink.EventSessionOpened)
	f.Await(func() { f.session(o.Object).CloseWith(0, "") })
	var stop *quic.StreamError
	eventually(t, "STOP_SENDING", func() bool {
		_, err := str.Write([]byte{0x21, 0})
		return errors.As(err, &stop) && stop.Remote && stop.ErrorCode == 0x170d7b68
	})
}

func TestW12_EndsWithoutACapsule(t *testing.T) {
	for _, c := range []struct {
		name  string
		end   func(str *enginetest.RequestStream)
		code  sink.Code
		flags uint16
	}{
		{"end", func(str *enginetest.RequestStream) { str.Close() }, sink.OK, sink.FlagRemote},
		{"reset", func(str *enginetest.RequestStream) { str.CancelWrite(0x10c) }, sink.ErrReset, sink.FlagRemote | sink.FlagAborted},
		{"cut capsule", func(str *enginetest.RequestStream) { str.Write(varints(wire.CapsuleClose, 8, "\x00")); str.Close() }, sink.ErrProtocol, sink.FlagAborted},
		{"empty close", func(str *enginetest.RequestStream) { str.Write(varints(wire.CapsuleClose, 0)) }, sink.ErrProtocol, sink.FlagAborted},
		{"reason too long", func(str *enginetest.RequestStream) {
			str.Write(varints(wire.CapsuleClose, 4+1025, "\x00\x00\x00\x01"+strings.Repeat("r", 1025)))
		}, sink.ErrProtocol, sink.FlagAborted},
		{"reason without end", func(str *enginetest.RequestStream) {
			str.Write(varints(wire.CapsuleClose, 1<<40, "\x00\x00\x00\x01"))
		}, sink.ErrProtocol, sink.FlagAborted},
		{"reason that is no UTF-8", func(str *enginetest.RequestStream) {
			str.Write(varints(wire.CapsuleClose, 8, "\x00\x00\x00\x01ab\xe2\x82"))
		}, sink.ErrProtocol, sink.FlagAborted},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serveSessions(t, "", nil)
			str := dialConnect(t, f).connect(f)
			f.waitType(sink.EventSessionOpened)
			c.end(str)
			if e := f.waitType(sink.EventSessionClosed); e.Code != c.code || e.Flags&^sink.FlagCounters != c.flags {
				t.Errorf("%+v %q", e.Event, e.Data)
			}
		})
	}
}

// webtransport-go stops our side of the CONNECT stream with its close, in one packet: the close is what counts. One that only stops it, and says
// no more, has given the session up.
func TestW11_CloseBehindAStop(t *testing.T) {
	for _, c := range []struct {
		name  string
		then  func(str *enginetest.RequestStream)
		code  sink.Code
		flags uint16
		aux   uint64
	}{
		{"close", func(str *enginetest.RequestStream) {
			str.Write(varints(wire.CapsuleClose, 7, "\x00\x00\x00\x09bye"))
			str.Close()
		}, sink.OK, sink.FlagRemote, 9},
		{"end", func(str *enginetest.RequestStream) { str.Close() }, sink.OK, sink.FlagRemote, 0},
		{"reset", func(str *enginetest.RequestStream) { str.CancelWrite(0x10c) }, sink.ErrReset, sink.FlagRemote | sink.FlagAborted, 0},
		{"nothing", func(*enginetest.RequestStream) {}, sink.ErrReset, sink.FlagRemote | sink.FlagAborted, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serveSessions(t, "", nil)
			client := dialConnect(t, f)
			str := client.connect(f)
			o := f.waitType(sink.EventSessionOpened)
			str.CancelRead(0x170d7b68)
			client.Do("PUT", "/", nil) // answered: the stop has come
			f.Await(func() { f.session(o.Object).Drain() })
			c.then(str)
			if e := f.waitType(sink.EventSessionClosed); e.Code != c.code || e.Flags&^sink.FlagCounters != c.flags || e.Aux != c.aux {
				t.Errorf("%+v %q", e.Event, e.Data)
			}
		})
	}
}

func TestW13_SessionsOfOneConnection(t *testing.T) {
	f := serveSessions(t, "", echo)
	c := enginetest.Dial(t, f.addr, *dialer())
	for i := range 20 {
		s := c.MustOpen("/wt")
		text := strings.Repeat("x", i+1)
		s.SendDatagram([]byte(text))
		if got, err := s.ReceiveDatagram(ctx(t)); err != nil || string(got) != text {
			t.Fatalf("%d: %q, %v", i, got, err)
		}
	}
	c.Close()
	f.waitType(sink.EventConnClosed)
	if n := f.count(sink.EventSessionClosed); n != 20 {
		t.Errorf("%d sessions ended", n)
	}
}

// A peer without flow control for sessions may have one a connection; the second is turned away so that it comes on another.
func TestW13_SecondSessionWithoutFlowControl(t *testing.T) {
	f := serveSessions(t, "", nil)
	c := &connectClient{enginetest.Dial(t, f.addr, enginetest.Options{Dialect: enginetest.Draft07})}
	c.Settings()
	c.connect(f)
	_, err := c.request(f).ReadResponse()
	var e *quic.StreamError
	if !errors.As(err, &e) || e.ErrorCode != quic.StreamErrorCode(http3.ErrCodeRequestRejected) {
		t.Errorf("%v", err)
	}
	if e := f.waitType(sink.EventSessionClosed); e.Code != sink.ErrNotNegotiated {
		t.Errorf("%+v", e.Event)
	}
}

func TestL05_HTTP3ConnectionsRejectWhileDraining(t *testing.T) {
	f := serveSessions(t, "", nil)
	c := dialConnect(t, f)
	c.connect(f)
	o := f.waitType(sink.EventSessionOpened)
	f.server.Stop(-1)
	eventually(t, "the drain", func() bool {
		for _, c := range f.server.connsForTest() {
			return c.Draining()
		}
		return false
	})
	str := c.OpenRequest()
	str.SendRequest("GET", "/")
	_, err := str.ReadResponse()
	var e *quic.StreamError
	if !errors.As(err, &e) || e.ErrorCode != quic.StreamErrorCode(http3.ErrCodeRequestRejected) {
		t.Errorf("%v", err)
	}
	f.Await(func() { f.session(o.Object).CloseWith(0, "") })
	if e := f.waitStopped(); e.Code != sink.OK {
		t.Errorf("stopped with %d", e.Code)
	}
}

func TestRequestsOnHTTP3KeepWhatMatters(t *testing.T) {
	f := serveSessions(t, "", func(f *sessionFixture, e event) {
		if e.Type == sink.EventRequest {
			f.send(e, 200, "")
		}
	})
	c := dialConnect(t, f)
	s, err := c.Conn.OpenStreamSync(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Write(headers(":method", "GET", ":scheme", "https", ":authority", "h", ":path", "/a%2Fb/%C3%BC?q=%20", "cookie", "a=1", "x", "1", "cookie", "b=2", "x", "2"))
	s.Close()
	e := f.waitType(sink.EventRequest)
	if got := string(e.Meta[:30]); !strings.Contains(got, ":method") || field(e.Meta, ":path") != "/a%2Fb/%C3%BC?q=%20" || field(e.Meta, "cookie") != "a=1; b=2" {
		t.Errorf("%q", e.Meta)
	}
	var xs []string
	for r := (wire.PackedReader{Rest: e.Meta}); ; {
		name, value, ok := r.Next()
		if !ok {
			break
		}
		if string(name) == "x" {
			xs = append(xs, string(value))
		}
	}
	if strings.Join(xs, ",") != "1,2" || e.Flags&sink.FlagEnd == 0 {
		t.Errorf("%v, flags %d", xs, e.Flags)
	}
}

// Whoever accepts a session just when its connection goes hears of no SESSION_OPENED, and then of no counters; which of the two comes first is
// chance.
func TestASessionWhoseAnswerDoesNotGetOutHasNoCounters(t *testing.T) {
	for range many(20, 200) {
		f := serveSessions(t, "", func(f *sessionFixture, e event) {
			if e.Type == sink.EventSessionRequest {
				s := f.session(e.Object)
				for _, c := range f.server.connsForTest() {
					c.QUIC.CloseWithError(0, "")
				}
				s.Accept("", nil)
			}
		})
		client := enginetest.Dial(t, f.addr, *dialer())
		client.Settings()
		if err := client.OpenRequest().SendHeaders(client.SessionFields("/wt")...); err != nil {
			t.Fatal(err)
		}
		e := f.waitType(sink.EventSessionClosed)
		if told := f.count(sink.EventSessionOpened) == 1; told != (e.Flags&sink.FlagCounters != 0) || told != (len(e.Meta) != 0) {
			t.Fatalf("opened: %v; flags %#x, %d bytes of counters", told, e.Flags, len(e.Meta))
		}
	}
}
