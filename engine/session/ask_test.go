package session

import (
	"context"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/datagram"
	"zigh3/engine/enginetest"
	"zigh3/engine/link"
	"zigh3/engine/message"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// A server is one end of a connection that carries sessions, and nothing else.
type server struct {
	link.Conn
	datagrams datagram.Flows
	sessions  Set
}

func (s *server) Settled(*wire.Settings) *wire.ConnectionError         { return nil }
func (s *server) UniStream(uint64, *quic.ReceiveStream) bool           { return false }
func (s *server) GoneAway(uint64)                                      {}
func (s *server) Prioritize(wire.PriorityUpdate) *wire.ConnectionError { return nil }
func (s *server) WentAway()                                            {}
func (s *server) Lost(error)                                           { s.datagrams.Lost(); s.sessions.Lost() }

// A request that the end of its connection overtakes, between the two places where a session is entered, is none: whoever ends what the
// connection carries may have it in hand already, and the connection waits for nothing of it.
func TestRequestThatTheEndOvertakes(t *testing.T) {
	client, q := enginetest.Pair(t, &quic.Config{EnableDatagrams: true}, &quic.Config{EnableDatagrams: true})
	to := enginetest.NewConsumer(t, nil)
	s := &server{}
	env := &link.Env{Parent: 1, Stats: new(sink.Stats), Spares: link.NewSpares(), Sweeper: &link.Sweeper{}, Settings: link.OpenControl(nil), HeaderTimeout: time.Second}
	s.Init(env, q, to, s)
	s.datagrams.Init(&s.Conn, datagram.Options{})
	s.sessions.Init(&s.Conn, &Options{CapsuleTimeout: time.Second, Limits: &wire.FieldLimits{}}, &s.datagrams)
	if !s.Open(s, nil, func() {}) {
		t.Fatal("not opened")
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Take(func(stream *quic.Stream) {
			s.sessions.Lost() // which the connection's end has called by now
			if s.sessions.Ask(stream, &Request{}) {
				t.Error("it is a session")
			}
			s.Find(func(item link.Item) bool {
				t.Errorf("%v is open on the connection", item)
				return false
			})
		})
	}()
	stream, err := client.OpenStreamSync(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	stream.Write([]byte("x"))
	deadline := time.Now().Add(enginetest.Patience)
	for s.Next() == 0 || s.Taking() {
		if time.Now().After(deadline) {
			t.Fatal("the stream was not taken")
		}
		time.Sleep(time.Millisecond)
	}
	client.CloseWithError(0x100, "")
	select {
	case <-ended:
	case <-time.After(enginetest.Patience):
		t.Fatal("the connection waits for it")
	}
	if n := to.Live(); n != 0 {
		t.Errorf("%d handles are live", n)
	}
}

// Whoever has a session in hand that is none can do nothing with it.
func TestSessionThatIsNone(t *testing.T) {
	s := &Session{ending: true, finished: true, released: true}
	s.Cut(message.Outcome{Code: sink.ErrClosed})
	s.CloseWith(1, "")
	s.Drain()
	s.Accept("", nil)
	s.Reject(404, nil, sink.Chunk{})
	if s.later.some || s.open || s.accepted != nil {
		t.Error("it does something")
	}
}
