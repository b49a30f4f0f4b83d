package client

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// The streams on which a connection stands may not end (RFC 9114, 6.2.1; RFC 9204, 4.2), in whatever way.
func TestCriticalStreamsThatEnd(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(k *rawConn)
	}{
		{"the control stream ends", func(k *rawConn) { k.control.Close() }},
		{"the control stream is reset", func(k *rawConn) {
			k.control.SetReliableBoundary() // else it may be reset before it has said what it is
			k.control.CancelWrite(0x100)
		}},
		{"QPACK's encoder stream ends", func(k *rawConn) { k.uni(enginetest.Varints(enginetest.StreamEncoder)).Close() }},
		{"QPACK's decoder stream is reset", func(k *rawConn) {
			s := k.uni(enginetest.Varints(enginetest.StreamDecoder))
			s.SetReliableBoundary()
			s.CancelWrite(0x100)
		}},
		{"ours is stopped", func(k *rawConn) {
			s, err := k.AcceptUniStream(context.Background())
			if err != nil {
				k.t.Error(err)
				return
			}
			s.CancelRead(0x100)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ends := make(chan error, 1)
			r := listenRaw(t, &quic.Config{EnableStreamResetPartialDelivery: true}, func(k *rawConn) {
				k.settle()
				k.next()
				c.end(k)
				<-k.Context().Done()
				ends <- context.Cause(k.Context())
			})
			f := newFixture(t, "")
			a := f.get(r.addr, "/")
			var app *quic.ApplicationError
			if err := within(t, "the end", ends); !errors.As(err, &app) || app.ErrorCode != 0x104 {
				t.Errorf("%v", err)
			}
			if a.end.Code != sink.ErrProtocol {
				t.Errorf("%v", a)
			}
		})
	}
}

// uni opens a unidirectional stream that begins so.
func (c *rawConn) uni(begin []byte) *quic.SendStream {
	s, err := c.OpenUniStreamSync(context.Background())
	if err != nil {
		c.t.Error(err)
		return c.control
	}
	s.Write(begin)
	return s
}

// What RFC 9114 wants tolerated costs nothing, however much of it there is; what is only much is bounded, and so is what a server never sends.
func TestServersThatAreOnlyOdd(t *testing.T) {
	for _, c := range []struct {
		name, options string
		also          func(k *rawConn)
	}{
		{"streams of unknown types", "", func(k *rawConn) {
			for range 100 {
				s, err := k.OpenUniStreamSync(k.Context())
				if err != nil {
					return
				}
				s.Write(enginetest.Varints(enginetest.Grease, []byte("xx")))
				s.Close()
			}
		}},
		{"streams that say nothing", "", func(k *rawConn) {
			for range 100 {
				s, err := k.OpenUniStreamSync(k.Context())
				if err != nil {
					return
				}
				s.Close()
			}
		}},
		{"streams of sessions that there are not", "", func(k *rawConn) {
			for range 100 {
				s, err := k.OpenUniStreamSync(k.Context())
				if err != nil {
					return
				}
				s.Write(enginetest.Varints(enginetest.StreamSessionUni, 0, []byte("xx")))
				s.Close()
			}
		}},
		{"datagrams of nothing", "", func(k *rawConn) {
			for range 500 {
				k.SendDatagram(enginetest.Varints(0, []byte("xx")))
			}
		}},
		{"raw datagrams that nobody takes", `{"quic_datagrams": true}`, func(k *rawConn) {
			for range 500 {
				k.SendDatagram(make([]byte, 1000))
			}
		}},
		{"frames of unknown types on the control stream", "", func(k *rawConn) {
			for range 200 {
				k.send(frame(enginetest.Grease, make([]byte, 1000)))
			}
		}},
		{"a setting of an unknown kind, and GOAWAY from above", "", func(k *rawConn) {
			for id := uint64(4000); id > 3600; id -= 4 {
				k.send(frame(enginetest.FrameGoAway, id))
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			flooded := make(chan struct{})
			r := listenRaw(t, &quic.Config{EnableDatagrams: true}, func(k *rawConn) {
				k.settle(0x33, 1, 0x8, 1, enginetest.Grease, 7)
				first := k.next()
				if first == nil {
					return
				}
				c.also(k)
				close(flooded)
				first.Write(join(headers(":status", "200"), data("ok")))
				first.Close()
				for s := k.next(); s != nil; s = k.next() {
					s.Write(headers(":status", "204"))
					s.Close()
				}
			})
			f := newFixture(t, c.options)
			a := f.startGet(r.addr)
			within(t, "the flood", flooded)
			if a.wait(); a.end.Code != sink.OK || string(a.body) != "ok" {
				t.Errorf("%v", a)
			}
			if n := f.stats[sink.StatConnectionErrors].Load(); n != 0 {
				t.Errorf("%d connections were broken", n)
			}
		})
	}
}

// A datagram that is none of HTTP's costs the connection (RFC 9297, 2.1).
func TestADatagramThatIsNone(t *testing.T) {
	for _, datagram := range [][]byte{{}, {0xc0}, enginetest.Varints(uint64(1) << 60)} {
		ends := make(chan error, 1)
		r := listenRaw(t, &quic.Config{EnableDatagrams: true}, func(k *rawConn) {
			k.settle(0x33, 1)
			k.next()
			k.SendDatagram(datagram)
			<-k.Context().Done()
			ends <- context.Cause(k.Context())
		})
		f := newFixture(t, "")
		a := f.get(r.addr, "/")
		var app *quic.ApplicationError
		if err := within(t, "the end", ends); !errors.As(err, &app) || app.ErrorCode != 0x33 {
			t.Errorf("%x: %v", datagram, err)
		}
		if a.end.Code != sink.ErrProtocol {
			t.Errorf("%x: %v", datagram, a)
		}
	}
}

// Capsules that a server sends without end: those that mean nothing are passed over, those that make work are bounded.
func TestCapsulesWithoutEnd(t *testing.T) {
	for _, c := range []struct {
		name  string
		typ   uint64
		value []any
		code  sink.Code
	}{
		{"of an unknown type", 0x17, []any{make([]byte, 1000)}, sink.OK},
		{"DRAIN", enginetest.CapsuleDrainSession, nil, sink.ErrProtocol},
		{"blocked", enginetest.CapsuleDataBlocked, []any{5}, sink.ErrProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			const initialMaxData = 0x2b61
			r := listenRaw(t, &quic.Config{EnableDatagrams: true, EnableStreamResetPartialDelivery: true}, func(k *rawConn) {
				k.settle(0x8, 1, 0x33, 1, 0x2c7cf000, 1, initialMaxData, 1000)
				s := k.next()
				if s == nil {
					return
				}
				s.Write(headers(":status", "200"))
				for range 300 {
					s.Write(data(string(enginetest.CapsuleBytes(c.typ, c.value...))))
				}
				s.Write(data(string(enginetest.CapsuleBytes(enginetest.CapsuleCloseSession, []byte{0, 0, 0, 7}))))
				s.Close()
				<-k.Context().Done()
			})
			f := newFixture(t, `{"webtransport": {"capsule_budget": 50}}`)
			if e := f.want(SessionRequest{Authority: r.addr}).wait(sink.EventSessionClosed); e.Code != c.code || c.code == sink.OK && e.Aux != 7 {
				t.Errorf("%+v %q", e.Event, e.Data)
			}
		})
	}
}

// A server that never answers, never settles, or goes silent is waited for as long as the limits say.
func TestServersThatDoNotAnswer(t *testing.T) {
	silent := func(*rawConn) {}
	for _, c := range []struct {
		name    string
		serve   func(k *rawConn)
		request Request
		code    sink.Code
	}{
		{"no answer", func(k *rawConn) { k.settle(); k.next() }, Request{ResponseTimeout: 30 * time.Millisecond}, sink.ErrTimeout},
		{"no end", func(k *rawConn) {
			k.settle()
			if s := k.next(); s != nil {
				s.Write(join(headers(":status", "200"), data("x")))
			}
		}, Request{RequestTimeout: 300 * time.Millisecond}, sink.ErrTimeout},
		{"no SETTINGS", silent, Request{ResponseTimeout: 30 * time.Millisecond}, sink.ErrTimeout},
		{"only informational heads", func(k *rawConn) {
			k.settle()
			if s := k.next(); s != nil {
				s.Write(headers(":status", "103"))
			}
		}, Request{ResponseTimeout: 300 * time.Millisecond}, sink.ErrTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := listenRaw(t, nil, func(k *rawConn) {
				c.serve(k)
				<-k.Context().Done()
			})
			f := newFixture(t, "")
			c.request.Method, c.request.Authority, c.request.End = "GET", r.addr, true
			if a := f.start(c.request).wait(); a.end.Code != c.code || a.end.Flags&sink.FlagAborted == 0 {
				t.Errorf("%v", a)
			}
		})
	}
}
