package engine

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"
)

// A peer that opens and ends streams, and gives its CONNECT stream no credit: each end leaves a capsule of webtransport-go's waiting.
// Were 4,096 to wait when a stream is opened here, that call would never come back, and the reactor with it.
func TestW16_CapsulesThatThePeerDoesNotTake(t *testing.T) {
	f := serveSessions(t, "", nil)
	q, str := connectLimited(t, f)
	header := varints(0x54, int(str.StreamID()))
	for i := range 2 * maxBehind {
		s, err := q.OpenUniStreamSync(ctx(t))
		if err != nil {
			t.Fatal(i, err)
		}
		s.Write(header)
		s.Close()
		ended := false
		eventually(t, "the ends of all but a few", func() bool {
			ended = f.count(EventSessionClosed) != 0
			return ended || f.count(EventStreamEnded) > i-50
		})
		if ended {
			break
		}
	}
	if e := f.waitType(EventSessionClosed); e.Code != ErrProtocol || string(e.data) != "the peer takes no capsules" {
		t.Errorf("%+v %q", e.Event, e.data)
	}
}

// A peer that opens more streams than it may: webtransport-go ends the session, and nobody else would tell of it.
func TestW16_StreamsBeyondTheLimit(t *testing.T) {
	f := serveSessions(t, `{"webtransport": {"max_streams_uni": 3}}`, nil)
	q, str := connectLimited(t, f)
	for range 4 {
		s, err := q.OpenUniStreamSync(ctx(t))
		if err != nil {
			t.Fatal(err)
		}
		s.Write(varints(0x54, int(str.StreamID()), "x"))
	}
	if e := f.waitType(EventSessionClosed); e.Code != ErrProtocol || e.Flags != FlagAborted {
		t.Errorf("%+v %q", e.Event, e.data)
	}
	_, err := io.ReadAll(str)
	var reset *http3.Error
	if !errors.As(err, &reset) || reset.ErrorCode != http3.ErrCode(webtransport.WTFlowControlErrorCode) || !reset.Remote {
		t.Errorf("the peer got %v", err)
	}
}

// connectLimited opens a session as a peer does that has limits for it, and gives no more than 1,000 bytes of credit on a stream.
func connectLimited(t *testing.T, f *sessionFixture) (*quic.Conn, *http3.RequestStream) {
	t.Helper()
	q, err := quic.DialAddr(ctx(t), f.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}},
		&quic.Config{EnableDatagrams: true, InitialStreamReceiveWindow: 1000, MaxStreamReceiveWindow: 1000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.CloseWithError(0x100, "") })
	limits := map[uint64]uint64{settingsOfFlowControl[0]: 1 << 20, settingsOfFlowControl[1]: 1, settingsOfFlowControl[2]: 1}
	cc := (&http3.Transport{EnableDatagrams: true, AdditionalSettings: limits}).NewClientConn(q)
	within(t, "SETTINGS", cc.ReceivedSettings())
	str, err := cc.OpenRequestStream(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequest("CONNECT", f.url("/wt"), nil)
	req.Proto = "webtransport"
	if err := str.SendRequestHeader(req); err != nil {
		t.Fatal(err)
	}
	if resp, err := str.ReadResponse(); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	f.waitType(EventSessionOpened)
	return q, str
}
