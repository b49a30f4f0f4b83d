package server

import (
	"testing"

	"zigh3/engine/enginetest"
	"zigh3/engine/session"
	"zigh3/engine/sink"
)

// A client's GOAWAY, and its DRAIN capsules beside it, in whatever order: each session hears of it once, and lives until it is closed.
func TestW19_GoAwayOfTheClient(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(s *enginetest.Session)
	}{
		{"GOAWAY", func(s *enginetest.Session) { s.Client().SendGoAway(0) }},
		{"GOAWAY twice", func(s *enginetest.Session) { s.Client().SendGoAway(8); s.Client().SendGoAway(0) }},
		{"GOAWAY, then DRAIN", func(s *enginetest.Session) { s.Client().SendGoAway(0); s.Drain() }},
		{"DRAIN, then GOAWAY", func(s *enginetest.Session) { s.Drain(); s.Client().SendGoAway(0) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serveSessions(t, "", func(f *sessionFixture, e event) {
				echo(f, e)
				if e.Type == sink.EventRequest {
					f.send(e, 200, "")
				}
			})
			client := enginetest.Dial(t, f.addr, *dialer())
			first, second := client.MustOpen("/wt"), client.MustOpen("/wt")
			f.nth(sink.EventSessionOpened, 1)
			c.do(first)
			f.nth(sink.EventSessionDraining, 1)
			sessionWorks(t, first, 5000)
			sessionWorks(t, second, 5000)
			first.CloseWithError(3, "done")
			second.CloseWithError(4, "done")
			f.nth(sink.EventSessionClosed, 1)
			if n := f.count(sink.EventSessionDraining); n != 2 {
				t.Errorf("two sessions hear of it %d times", n)
			}
		})
	}
}

// A session that is pending when the client sends GOAWAY hears of it when it is open.
func TestW19_GoAwayBeforeTheDecision(t *testing.T) {
	f := serveSessions(t, "", func(*sessionFixture, event) {})
	c := enginetest.Dial(t, f.addr, *dialer())
	c.Settings()
	connect := c.OpenRequest()
	if err := connect.SendHeaders(c.SessionFields("/wt")...); err != nil {
		t.Fatal(err)
	}
	h := f.waitType(sink.EventSessionRequest).Object
	c.SendGoAway(0)
	c.SendGoAway(0)
	c.SendDatagramTo(connect.ID(), []byte("x"))
	stream := c.Open(varints(streamOfSession, connect.ID(), "x"), false)
	f.Await(func() { f.session(h).Accept("", nil) })
	if resp, err := connect.ReadResponse(); err != nil || resp.Status != 200 {
		t.Fatal(resp, err)
	}
	f.waitType(sink.EventSessionDraining)
	f.waitType(sink.EventStreamData)
	stream.Close()
	connect.Close()
	f.waitType(sink.EventSessionClosed)
	if n := f.count(sink.EventSessionDraining); n != 1 {
		t.Errorf("it hears of it %d times", n)
	}
}

// The server's drain: one GOAWAY and one DRAIN capsule for each session, however often it is asked for; sessions live on, and their end is
// that of the server.
func TestW19_DrainOfTheServer(t *testing.T) {
	f := serveSessions(t, "", echo)
	c := enginetest.Dial(t, f.addr, *dialer())
	first, second := c.MustOpen("/wt"), c.MustOpen("/wt")
	one := f.nth(sink.EventSessionOpened, 1).Object
	f.Await(func() {
		f.session(one).Drain()
		f.session(one).Drain()
	})
	f.server.Stop(-1)
	f.server.Stop(-1)
	if id := c.GoAway(); id != 8 {
		t.Errorf("GOAWAY %d", id)
	}
	for _, s := range []*enginetest.Session{first, second} {
		s.WaitCapsule(enginetest.CapsuleDrainSession)
		sessionWorks(t, s, 5000)
		f.Await(func() { f.eachSession((*session.Session).Drain) })
		sessionWorks(t, s, 5000)
		s.CloseWithError(0, "")
		n := 0
		for _, capsule := range s.Capsules() {
			if capsule.Type == enginetest.CapsuleDrainSession {
				n++
			}
		}
		if n != 1 {
			t.Errorf("it was asked to end %d times", n)
		}
	}
	if e := f.waitStopped(); e.Code != sink.OK {
		t.Errorf("stopped with %d", e.Code)
	}
}

// eachSession calls do for those that are live.
func (f *sessionFixture) eachSession(do func(s *session.Session)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.seen {
		if e.Type == sink.EventSessionOpened {
			if s := f.session(e.Object); s != nil {
				do(s)
			}
		}
	}
}
