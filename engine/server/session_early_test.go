package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/quic-go/quic-go"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// W18: streams and datagrams that come before the request for their session, and before it is accepted, are delivered once it is open, whatever
// the kind; nothing is told of them before.
func TestW18_BeforeTheSessionIsOpen(t *testing.T) {
	for _, d := range enginetest.Dialects {
		t.Run(d.Name, func(t *testing.T) {
			f := serveSessions(t, "", func(f *sessionFixture, e event) {
				if e.Type == sink.EventRequest {
					f.send(e, 200, "")
				}
			})
			c := enginetest.Dial(t, f.addr, enginetest.Options{Dialect: d})
			c.Settings()
			connect := c.OpenRequest()
			id := connect.ID()
			send := func(when string) {
				t.Helper()
				c.Uni(varints(uniStreamOfSession, id, "uni "+when))
				c.Open(varints(streamOfSession, id, "bidi "+when), false)
				if err := connect.SendDatagram([]byte("datagram " + when)); err != nil {
					t.Fatal(err)
				}
				c.Lives() // what the connection's goroutine takes it has taken
			}
			send("before the request")
			if err := connect.SendHeaders(c.SessionFields("/wt")...); err != nil {
				t.Fatal(err)
			}
			session := f.waitType(sink.EventSessionRequest).Object
			send("before the accept")
			for _, typ := range []sink.EventType{sink.EventStreamOpened, sink.EventStreamData, sink.EventSessionDatagram} {
				if n := f.count(typ); n != 0 {
					t.Errorf("%d events %d before the session is open", n, typ)
				}
			}
			f.Await(func() { f.session(session).Accept("", nil) })
			var got, want []string
			for _, what := range []string{"bidi", "datagram", "uni"} {
				want = append(want, what+" before the accept", what+" before the request")
			}
			eventually(t, "all of it", func() bool {
				f.mu.Lock()
				defer f.mu.Unlock()
				got = nil
				for _, e := range f.seen {
					if e.Type == sink.EventStreamData || e.Type == sink.EventSessionDatagram {
						got = append(got, string(e.Data))
					}
				}
				return len(got) >= len(want)
			})
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%q", got)
			}
			if n := f.count(sink.EventStreamOpened); n != 4 {
				t.Errorf("%d streams", n)
			}
		})
	}
}

// refusedWith says with what a stream of the client's was refused: both its sides, if it has two.
func refusedWith(t *testing.T, s interface{ Context() context.Context }) string {
	t.Helper()
	within(t, "the refusal", s.Context().Done())
	var stop, reset *quic.StreamError
	if err := context.Cause(s.Context()); !errors.As(err, &stop) || !stop.Remote {
		return fmt.Sprint(err)
	}
	text := "stopped " + enginetest.CodeName(uint64(stop.ErrorCode))
	if r, ok := s.(io.Reader); ok {
		if _, err := io.ReadAll(r); !errors.As(err, &reset) || !reset.Remote {
			return fmt.Sprint(text, ", ", err)
		}
		text += ", reset " + enginetest.CodeName(uint64(reset.ErrorCode))
	}
	return text
}

// W18: as many as are allowed wait, and not one more: of a connection before the request, of each session after it. Those that are refused cost
// neither their session nor another anything.
func TestW18_BeyondTheBound(t *testing.T) {
	f := serveSessions(t, `{"webtransport": {"max_early_streams": 2}}`, func(f *sessionFixture, e event) {
		if e.Type == sink.EventRequest {
			f.send(e, 200, "")
		}
	})
	c := enginetest.Dial(t, f.addr, enginetest.Options{Dialect: enginetest.Draft02})
	c.Settings()
	first, second := c.OpenRequest(), c.OpenRequest()
	open := func(connect *enginetest.RequestStream) *quic.Stream {
		return c.Open(varints(streamOfSession, connect.ID(), "x"), false)
	}
	const rejected = "stopped WT_BUFFERED_STREAM_REJECTED, reset WT_BUFFERED_STREAM_REJECTED"
	open(first)
	open(second)
	if got := refusedWith(t, open(first)); got != rejected {
		t.Errorf("before the requests: %s", got)
	}
	for _, connect := range []*enginetest.RequestStream{first, second} {
		n := f.count(sink.EventSessionRequest)
		if err := connect.SendHeaders(c.SessionFields("/wt")...); err != nil {
			t.Fatal(err)
		}
		f.nth(sink.EventSessionRequest, n)
		open(connect) // besides the one before
		if got := refusedWith(t, open(connect)); got != rejected {
			t.Errorf("before the accept: %s", got)
		}
		uni := c.Uni(varints(uniStreamOfSession, connect.ID(), "x"))
		if got := refusedWith(t, uni); got != "stopped WT_BUFFERED_STREAM_REJECTED" {
			t.Errorf("before the accept, unidirectional: %s", got)
		}
	}
	accepted, rejectedSession := f.nth(sink.EventSessionRequest, 0).Object, f.nth(sink.EventSessionRequest, 1).Object
	f.Await(func() { f.session(accepted).Accept("", nil) })
	f.nth(sink.EventStreamData, 1)
	f.Await(func() { f.session(rejectedSession).Reject(404, nil, sink.Chunk{}) })
	f.waitType(sink.EventSessionClosed)
	if got := refusedWith(t, open(second)); got != "stopped WT_SESSION_GONE, reset WT_SESSION_GONE" {
		t.Errorf("behind the rejection: %s", got)
	}
	c.Lives()
	if n := f.count(sink.EventStreamOpened); n != 2 {
		t.Errorf("%d streams", n)
	}
}

// W18: early streams of a session that nobody asks for are refused in the end.
func TestW18_OfASessionThatDoesNotCome(t *testing.T) {
	f := serveSessions(t, `{"webtransport": {"decision_timeout_ms": 100}}`, nil)
	c := enginetest.Dial(t, f.addr, enginetest.Options{Dialect: enginetest.Draft02})
	c.Settings()
	if got := refusedWith(t, c.Open(varints(streamOfSession, 400, "x"), false)); got != "stopped WT_BUFFERED_STREAM_REJECTED, reset WT_BUFFERED_STREAM_REJECTED" {
		t.Error(got)
	}
	if got := refusedWith(t, c.Uni(varints(uniStreamOfSession, 404, "x"))); got != "stopped WT_BUFFERED_STREAM_REJECTED" {
		t.Error(got)
	}
}
