package server

import (
	"testing"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A peer that raises its limit a byte at a time, while there is something to send, has a budget for that: so many raises are taken, and with
// the next its session ends; its other session, requests and everybody else go on.
func TestW24_MaxDataAByteAtATime(t *testing.T) {
	const budget = 20
	f := serveSessions(t, `{"webtransport": {"capsule_budget": 20}}`, func(f *sessionFixture, e event) {
		echo(f, e)
		if e.Type == sink.EventRequest {
			f.send(e, 200, "")
		}
	})
	client := enginetest.Dial(t, f.addr, byHand(enginetest.Options{Dialect: enginetest.Draft15, MaxStreamsUni: 10, MaxStreamsBidi: 10, MaxData: 10}))
	bad := client.MustOpen("/wt")
	h := f.waitType(sink.EventSessionOpened).Object
	stream := f.Give()
	f.Await(func() {
		f.session(h).OpenStream(stream, true, false)
		f.stream(stream).Write(sink.Chunk{Bytes: make([]byte, 8000)})
	})
	in, err := bad.AcceptUniStream(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	readExactly(t, in, 10)
	for i := range budget {
		bad.SendCapsule(enginetest.CapsuleMaxData, 11+i)
		readExactly(t, in, 1)
	}
	bad.SendCapsule(enginetest.CapsuleMaxData, 11+budget+wire.MaxCloseReason) // 1024 at once are worth a capsule
	readExactly(t, in, 1025)
	if n := f.count(sink.EventSessionClosed); n != 0 {
		t.Fatal("the session has ended within its budget")
	}
	bad.SendCapsule(enginetest.CapsuleMaxData, 11+budget+wire.MaxCloseReason+1)
	if e := f.waitType(sink.EventSessionClosed); e.Object != h || e.Code != sink.ErrProtocol || string(e.Data) != "too many capsules that say nothing new" {
		t.Errorf("%+v %q", e.Event, e.Data)
	}
	works(t, enginetest.Dial(t, f.addr, *dialer()))
	client.Lives()
	other := client.MustOpen("/wt")
	other.SendCapsule(enginetest.CapsuleMaxData, 1<<20)
	sessionWorks(t, other, 5000)
}

// A peer that keeps to the rules is not held to that budget, however much it sends: it says once for each limit that this holds it up.
func TestW24_BlockedOnceForEachLimit(t *testing.T) {
	f := serveSessions(t, `{"webtransport": {"capsule_budget": 1, "max_data": 65536, "max_streams_uni": 1}}`, consume)
	s, _ := f.openSession(enginetest.Options{Dialect: enginetest.Draft15, MaxStreamsUni: 1, MaxStreamsBidi: 1, MaxData: 1})
	for range 10 {
		st, err := s.OpenUniStreamSync(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Write(make([]byte, 200<<10)); err != nil {
			t.Fatal(err)
		}
		st.Close()
	}
	eventually(t, "their ends", func() bool { return f.count(sink.EventStreamEnded) == 10 })
	if n := f.count(sink.EventSessionClosed); n != 0 {
		t.Error("the session has ended")
	}
}

// One that says so again and again is.
func TestW24_BlockedAgainAndAgain(t *testing.T) {
	for _, typ := range []uint64{enginetest.CapsuleDataBlocked, enginetest.CapsuleStreamsBlockedBidi, enginetest.CapsuleStreamsBlockedUni} {
		runSessionBreaches(t, []sessionBreach{
			{name: "within the budget", options: `{"webtransport": {"capsule_budget": 3}}`, want: "lives", do: func(p *sessionPeer) {
				for range 4 {
					p.send(enginetest.CapsuleBytes(typ, 5))
				}
			}},
			{name: "beyond it", options: `{"webtransport": {"capsule_budget": 3}}`, want: "session reset H3_EXCESSIVE_LOAD", event: breachSeen, do: func(p *sessionPeer) {
				for range 5 {
					p.send(enginetest.CapsuleBytes(typ, 5))
				}
			}},
		})
	}
}
