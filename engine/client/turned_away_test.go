package client

import (
	"context"
	"crypto/tls"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
)

// A crowd is a server in front of which as many connections wait to be accepted as quic-go lets wait: it turns away whoever comes, until it finds
// time for them.
type crowd struct {
	t    *testing.T
	addr string
	ln   *quic.Listener
	full atomic.Bool
	came atomic.Int32 // handshakes that began since it is full
	room int32        // the one of these that finds room; 0: none

	answer func(c *rawConn) // serves a connection that was accepted
}

func newCrowd(t *testing.T, room int32, answer func(c *rawConn)) *crowd {
	c := &crowd{t: t, room: room, answer: answer}
	cert, _ := certificate(t, nil)
	conf := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h3"}}
	conf.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if c.full.Load() && c.came.Add(1) == c.room {
			c.serve()
		}
		return nil, nil
	}
	var err error
	if c.ln, err = quic.ListenAddr("127.0.0.1:0", conf, &quic.Config{EnableDatagrams: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.ln.Close() })
	c.addr = c.ln.Addr().String()
	for !c.turnsAway() {
	}
	c.full.Store(true)
	return c
}

// turnsAway adds a connection, and reports whether it is seen to be turned away.
func (c *crowd) turnsAway() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	q, err := quic.DialAddr(ctx, c.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, nil)
	if err == nil {
		soon, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		_, err = q.AcceptUniStream(soon)
	}
	if away := turnedAway(err); away || errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return away
	}
	c.t.Fatal(err)
	return false
}

// serve accepts the first of those that wait, and has the others accepted.
func (c *crowd) serve() {
	q, err := c.ln.Accept(context.Background())
	if err != nil {
		return
	}
	go func() {
		r := &rawConn{Conn: q, t: c.t}
		r.control, _ = q.OpenUniStream()
		c.answer(r)
	}()
	go c.serve()
}

// What was turned away with its connection goes out once more, if it is safe: it was looked at by nobody.
func TestWhatWasTurnedAwayGoesOutOnceMore(t *testing.T) {
	c := newCrowd(t, 2, answering(headers(":status", "200")))
	f := newFixture(t, "")
	a := f.startGet(c.addr)
	if a.wait(); a.end.Code != sink.OK || c.came.Load() != 2 {
		t.Errorf("%v, after %d handshakes", a, c.came.Load())
	}
}

func TestASessionWhoseConnectionWasTurnedAway(t *testing.T) {
	c := newCrowd(t, 2, func(k *rawConn) {
		k.settle(0x8, 1, 0x33, 1, uint64(0xc671706a), 4)
		if s := k.next(); s != nil {
			s.Write(headers(":status", "200"))
		}
		<-k.Context().Done()
	})
	f := newFixture(t, "")
	f.want(SessionRequest{Authority: c.addr}).wait(sink.EventSessionOpened)
	if n := c.came.Load(); n != 2 {
		t.Errorf("after %d handshakes", n)
	}
}

// Nobody tries for ever.
func TestAServerThatTurnsEverybodyAway(t *testing.T) {
	c := newCrowd(t, 0, nil)
	f := newFixture(t, "")
	a, w := f.startGet(c.addr), f.want(SessionRequest{Authority: c.addr})
	if a.wait(); a.end.Code != sink.ErrHandshake {
		t.Errorf("the fetch: %v", a)
	}
	if e := w.wait(sink.EventSessionClosed); e.Code != sink.ErrHandshake {
		t.Errorf("the session: %+v", e.Event)
	}
}

// What is not safe was sent, and ends as what a server has turned away.
func TestWhatIsNotSafeIsNotTakenForUnsent(t *testing.T) {
	for safe, code := range map[bool]sink.Code{true: sink.ErrHandshake, false: sink.ErrRejected} {
		if o := (&Fetch{safe: safe}).turnedAway(); o.Code != code || o.Aux != uint64(quic.ConnectionRefused) {
			t.Errorf("safe %v: %+v", safe, o)
		}
	}
}
