package server

import (
	"slices"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/session"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A surrender is a way in which a peer ends something before it is answered.
type surrender struct {
	name string
	ends sink.EventType
	give func(c *wireClient, connect *quic.Stream)
}

// broken sends a request, and what breaks it once it was delivered.
func broken(request, rest []byte) func(c *wireClient, connect *quic.Stream) {
	return func(c *wireClient, _ *quic.Stream) {
		before := c.f.count(sink.EventRequest)
		s := c.Open(request, false)
		eventually(c.t, "the request", func() bool { return c.f.count(sink.EventRequest) > before })
		s.Write(rest)
	}
}

var surrendersOfRequests = []surrender{
	{"reset", sink.EventStreamClosed, func(c *wireClient, _ *quic.Stream) {
		before := c.f.count(sink.EventRequest)
		s := c.Open(post("/"), false)
		eventually(c.t, "the request", func() bool { return c.f.count(sink.EventRequest) > before })
		s.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
		s.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	}},
	{"a body that is too long", sink.EventStreamClosed, broken(post("/", "content-length", "1"), frame(wire.FrameData, "abc"))},
	{"malformed trailers", sink.EventStreamClosed, broken(post("/"), headers(":path", "/"))},
	{"trailers that are too long", sink.EventStreamClosed, broken(post("/"), frame(wire.FrameHeaders, make([]byte, 70<<10))[:1<<10])},
}

// streamOpened opens a stream of a session and waits until the consumer has heard of it.
func streamOpened(c *wireClient, connect *quic.Stream, uni bool) (s *quic.Stream, u *quic.SendStream) {
	before := c.f.count(sink.EventStreamOpened)
	if uni {
		u = c.Uni(varints(uniStreamOfSession, int(connect.StreamID()), "x"))
	} else {
		s = c.stream(connect, []byte("x"))
	}
	eventually(c.t, "the stream", func() bool { return c.f.count(sink.EventStreamOpened) > before })
	return s, u
}

var surrendersOfSessions = []surrender{
	{"a session before the decision", sink.EventSessionClosed, func(c *wireClient, _ *quic.Stream) {
		before := c.f.count(sink.EventSessionRequest)
		s := c.ask("/wt/undecided")
		eventually(c.t, "the request", func() bool { return c.f.count(sink.EventSessionRequest) > before })
		s.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
		s.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	}},
	{"a stream, reset and stopped", sink.EventStreamEnded, func(c *wireClient, connect *quic.Stream) {
		s, _ := streamOpened(c, connect, false)
		s.CancelWrite(wireCode)
		s.CancelRead(wireCode)
	}},
	{"a stream, ended and stopped", sink.EventStreamEnded, func(c *wireClient, connect *quic.Stream) {
		s, _ := streamOpened(c, connect, false)
		s.Close()
		s.CancelRead(wireCode)
	}},
	{"a unidirectional stream", sink.EventStreamEnded, func(c *wireClient, connect *quic.Stream) {
		_, s := streamOpened(c, connect, true)
		s.CancelWrite(wireCode)
	}},
}

// serveUnanswered answers GET and accepts sessions at /wt; it leaves all else alone.
func serveUnanswered(t *testing.T, options string, more func(f *sessionFixture, e event)) *sessionFixture {
	return serveSessions(t, options, func(f *sessionFixture, e event) {
		switch {
		case e.Type == sink.EventRequest && field(e.Meta, ":method") == "GET":
			f.send(e, 200, "")
		case e.Type == sink.EventSessionRequest && field(e.Meta, ":path") == "/wt":
			f.session(e.Object).Accept("", nil)
		case more != nil:
			more(f, e)
		}
	})
}

// givesUp has a client do so and waits for the end.
func (c *wireClient) givesUp(w surrender, connect *quic.Stream) {
	c.t.Helper()
	before := c.f.count(w.ends)
	w.give(c, connect)
	eventually(c.t, "the end of "+w.name, func() bool { return c.f.count(w.ends) > before })
}

// exhausts gives up all of ways, which is one more than the budget allows.
func (c *wireClient) exhausts(ways []surrender, connect *quic.Stream) {
	c.t.Helper()
	for _, w := range ways[:len(ways)-1] {
		c.givesUp(w, connect)
	}
	c.Lives()
	c.givesUp(ways[len(ways)-1], connect)
	if got := c.Closed(); got != "connection H3_EXCESSIVE_LOAD" {
		c.t.Errorf("one more than the budget: %s", got)
	}
	other, _ := dialHTTP(c.t, c.f.addr)
	other.Lives()
}

func TestN12_OneBudgetForAllThatThePeerGivesUp(t *testing.T) {
	for _, w := range surrendersOfRequests {
		t.Run(w.name, func(t *testing.T) {
			f := serveUnanswered(t, `{"reset_budget": 2}`, nil)
			c, _ := dialHTTP(t, f.addr)
			(&wireClient{c, t, f}).exhausts([]surrender{w, w, w}, nil)
		})
	}
	for _, w := range slices.Concat(surrendersOfRequests, surrendersOfSessions) {
		t.Run(w.name+", beside a session", func(t *testing.T) {
			f := serveUnanswered(t, `{"reset_budget": 2}`, nil)
			c := dialWire(t, f, 0, settingMaxData, 1<<20)
			connect, _ := c.session()
			c.exhausts([]surrender{w, w, w}, connect)
		})
	}
	t.Run("one of each", func(t *testing.T) {
		f := serveUnanswered(t, `{"reset_budget": 7}`, nil)
		c := dialWire(t, f, 0, settingMaxData, 1<<20)
		connect, _ := c.session()
		c.exhausts(slices.Concat(surrendersOfRequests, surrendersOfSessions), connect)
	})
}

// Streams that the consumer has dealt with are not given up: to reset them is what some applications do all the time.
func TestN12_WhatWasAnsweredIsNotInTheBudget(t *testing.T) {
	for name, answer := range map[string]func(st *session.Stream){
		"consumed": func(st *session.Stream) { st.Consumed(1) },
		"written":  func(st *session.Stream) { st.Write(sink.Chunk{Bytes: []byte("y")}) },
		"ended":    func(st *session.Stream) { st.End() },
		"reset":    func(st *session.Stream) { st.Reset(1) },
		"stopped":  func(st *session.Stream) { st.Stop(1) },
	} {
		t.Run(name, func(t *testing.T) {
			f := serveUnanswered(t, `{"reset_budget": 1}`, func(f *sessionFixture, e event) {
				if e.Type == sink.EventStreamData && len(e.Data) > 0 {
					answer(f.stream(e.Object))
				}
			})
			c := dialWire(t, f, 0, settingMaxData, 1<<20)
			connect, _ := c.session()
			for n := 1; n <= 5; n++ {
				s, _ := streamOpened(c, connect, false)
				eventually(t, "the byte", func() bool { return f.count(sink.EventStreamData) >= n })
				f.Await(func() {})
				s.CancelWrite(wireCode)
				s.CancelRead(wireCode)
				eventually(t, "the end", func() bool { return f.count(sink.EventStreamEnded) == n })
			}
			c.Lives()
		})
	}
}

// A page that lives for long may give up more than the budget in all.
func TestN11_TheBudgetIsOfAWindow(t *testing.T) {
	c := newConsumer(t, hello)
	f := &fixture{consumer: c, server: newTestServer(t, c, `{"reset_budget": 5}`)}
	f.server.options.ResetPeriod = 100 * time.Millisecond
	if _, err := f.server.Route("", "/*", 0, 7); err != nil {
		t.Fatal(err)
	}
	f.start()
	t.Cleanup(func() {
		f.server.Free()
		within(t, "the server's end", f.server.Done())
	})
	client, _ := dialHTTP(t, f.addr)
	for n := uint64(1); n <= 8; n++ {
		s := client.Open(request("GET", "/")[:4], false)
		s.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
		eventually(t, "the reset", func() bool { return f.server.stats[sink.StatRequestsReset].Load() == n })
		if n == 4 {
			time.Sleep(2 * f.server.options.ResetPeriod)
		}
	}
	if got := client.Answer(client.Open(headers(plainGet...), true)); got != "200 hello world" {
		t.Errorf("a request afterwards: %q", got)
	}
}
