package server

import (
	"errors"
	"io"
	"testing"

	"github.com/quic-go/quic-go"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// A peer that opens and ends streams, and gives its CONNECT stream no credit: what it is to be told is one capsule of each kind, however much
// of it there is, and after some time its session ends.
func TestW24_CapsulesThatThePeerDoesNotTake(t *testing.T) {
	f := serveSessions(t, `{"webtransport": {"capsule_timeout_ms": 300, "max_streams_uni": 4}}`, nil)
	c, str := connectLimited(t, f)
	header := varints(0x54, str.ID())
	ended := func() bool { return f.count(sink.EventSessionClosed) != 0 }
	for i := 0; !ended(); i++ {
		s, err := c.Conn.OpenUniStreamSync(ctx(t))
		if err != nil {
			t.Fatal(i, err)
		}
		s.Write(header)
		s.Close()
		eventually(t, "its end, or that of the session", func() bool { return ended() || f.count(sink.EventStreamEnded) > i })
	}
	if e := f.waitType(sink.EventSessionClosed); e.Code != sink.ErrProtocol || string(e.Data) != "the peer takes no capsules" {
		t.Errorf("%+v %q", e.Event, e.Data)
	}
}

// A peer that opens more streams than it may: webtransport-go ends the session, and nobody else would tell of it.
func TestW16_StreamsBeyondTheLimit(t *testing.T) {
	f := serveSessions(t, `{"webtransport": {"max_streams_uni": 3}}`, nil)
	c, str := connectLimited(t, f)
	for range 4 {
		s, err := c.Conn.OpenUniStreamSync(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		s.Write(varints(0x54, str.ID(), "x"))
	}
	if e := f.waitType(sink.EventSessionClosed); e.Code != sink.ErrProtocol || e.Flags&^sink.FlagCounters != sink.FlagAborted {
		t.Errorf("%+v %q", e.Event, e.Data)
	}
	_, err := io.ReadAll(str)
	var reset *quic.StreamError
	if !errors.As(err, &reset) || reset.ErrorCode != enginetest.CodeFlowControl || !reset.Remote {
		t.Errorf("the peer got %v", err)
	}
}

// connectLimited opens a session as a peer does that has limits for it, and gives no more than 1,000 bytes of credit on a stream.
func connectLimited(t *testing.T, f *sessionFixture) (*enginetest.Client, *enginetest.RequestStream) {
	t.Helper()
	c := enginetest.Dial(t, f.addr, enginetest.Options{Datagrams: true, StreamWindow: 1000, Settings: []enginetest.Setting{
		{ID: enginetest.SettingSessionMaxData, Value: 1 << 20}, {ID: enginetest.SettingSessionMaxStreamsUni, Value: 1}, {ID: enginetest.SettingSessionMaxStreamsBidi, Value: 1}}})
	c.Settings()
	str := c.OpenRequest()
	if err := str.SendHeaders(c.SessionFields("/wt")...); err != nil {
		t.Fatal(err)
	}
	if resp, err := str.ReadResponse(); err != nil || resp.Status != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	f.waitType(sink.EventSessionOpened)
	return c, str
}
