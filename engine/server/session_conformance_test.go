package server

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// What draft-ietf-webtrans-http3 and RFC 9297 oblige a server to refuse or to ignore in sessions, each rule with bytes made by hand. The
// outcome is what the peer sees, as in conformance_test.go:
//
//	connection CODE    the connection ends
//	session reset CODE its CONNECT stream is reset; the connection lives
//	session ended      its CONNECT stream ends well; the connection lives
//	stream reset CODE  a stream of the session's is; the session lives
//	lives              so does the session, and what came of it
//
// and what the consumer hears of the session's end.

// A sessionPeer is a client with a session that was opened by hand.
type sessionPeer struct {
	*enginetest.Client
	t       *testing.T
	f       *sessionFixture
	connect *enginetest.RequestStream // the CONNECT stream
	id      uint64
	stream  *quic.Stream // the one that a row is about
}

// A sessionEndSeen is what the consumer is to hear of the session's end; nil: nothing.
type sessionEndSeen struct {
	code  sink.Code
	flags uint16
	aux   uint64
	text  string
}

var (
	breachSeen = &sessionEndSeen{code: sink.ErrProtocol, flags: sink.FlagAborted}
	closed7    = &sessionEndSeen{flags: sink.FlagRemote, aux: 7, text: "bye"}
)

// withFlowControl is a peer of the newest draft.
var withFlowControl = enginetest.Options{Dialect: enginetest.Draft15, MaxStreamsBidi: 100, MaxStreamsUni: 100, MaxData: 1 << 20}

// answerAll accepts sessions, sends their datagrams back and answers requests; what comes on streams it leaves where it is.
func answerAll(f *sessionFixture, e event) {
	switch e.Type {
	case sink.EventSessionRequest:
		f.session(e.Object).Accept("", nil)
	case sink.EventSessionDatagram:
		if s := f.session(e.Object); s != nil {
			s.SendDatagram(e.Data, 0)
		}
	case sink.EventRequest:
		f.send(e, 200, "")
	}
}

// send sends capsules, or parts of them.
func (p *sessionPeer) send(parts ...[]byte) {
	p.t.Helper()
	if _, err := p.connect.Write(join(parts...)); err != nil && p.Conn.Context().Err() == nil {
		p.t.Logf("the CONNECT stream takes no more: %v", err) // the server had seen enough
	}
}

// last sends them, and the end of the stream.
func (p *sessionPeer) last(parts ...[]byte) {
	p.t.Helper()
	p.send(parts...)
	_ = p.connect.Close() // which may have been stopped by now
}

// raw sends bytes on the CONNECT stream that need be no DATA frames.
func (p *sessionPeer) raw(parts ...[]byte) {
	p.t.Helper()
	if err := p.connect.WriteRaw(join(parts...)); err != nil && p.Conn.Context().Err() == nil {
		p.t.Logf("the CONNECT stream takes no more: %v", err)
	}
}

// sessionUni opens a stream of the session's that begins with data, and leaves it open.
func (p *sessionPeer) sessionUni(data []byte) *quic.SendStream {
	p.t.Helper()
	return p.Uni(varints(enginetest.StreamSessionUni, p.id, data))
}

// ended reads the CONNECT stream to its end and says how that is.
func (p *sessionPeer) ended() string {
	_ = p.connect.SetReadDeadline(time.Now().Add(patience)) // fails for no stream
	_, err := io.Copy(io.Discard, p.connect)
	var reset *quic.StreamError
	switch {
	case err == nil:
		return "session ended"
	case errors.As(err, &reset) && reset.Remote:
		return "session reset " + enginetest.CodeName(uint64(reset.ErrorCode))
	}
	return "session: " + err.Error()
}

// outcome waits for one like want.
func (p *sessionPeer) outcome(want string) string {
	p.t.Helper()
	switch kind, _, _ := strings.Cut(want, " "); kind {
	case "connection":
		return p.Closed()
	case "session":
		got := p.ended()
		p.Lives()
		return got
	case "stream":
		_ = p.stream.SetReadDeadline(time.Now().Add(patience)) // fails for no stream
		_, err := io.Copy(io.Discard, p.stream)
		var reset *quic.StreamError
		if !errors.As(err, &reset) || !reset.Remote {
			return fmt.Sprint("stream: ", err)
		}
		p.lives()
		return "stream reset " + enginetest.CodeName(uint64(reset.ErrorCode))
	}
	p.lives()
	return "lives"
}

// lives shows that the session does: a datagram comes back.
func (p *sessionPeer) lives() {
	p.t.Helper()
	if err := p.connect.SendDatagram([]byte("still there?")); err != nil {
		p.t.Fatal(err)
	}
	if got, err := p.connect.ReceiveDatagram(ctx(p.t)); err != nil || string(got) != "still there?" {
		p.t.Errorf("the session's datagram: %q, %v", got, err)
	}
	p.Lives()
}

// openByHand opens a session that must be accepted.
func openByHand(t *testing.T, f *sessionFixture, o enginetest.Options) *sessionPeer {
	t.Helper()
	p := &sessionPeer{Client: enginetest.Dial(t, f.addr, o), t: t, f: f}
	p.Settings()
	p.connect = p.OpenRequest()
	p.id = p.connect.ID()
	if err := p.connect.SendHeaders(p.SessionFields("/wt")...); err != nil {
		t.Fatal(err)
	}
	if resp, err := p.connect.ReadResponse(); err != nil || resp.Status != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	f.waitType(sink.EventSessionOpened)
	return p
}

// A sessionBreach is a row: what a peer does in a session that is open, and what comes of it.
type sessionBreach struct {
	name    string
	options string // of the server
	client  *enginetest.Options
	do      func(p *sessionPeer)
	want    string
	event   *sessionEndSeen
}

func runSessionBreaches(t *testing.T, rows []sessionBreach) {
	for _, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			f := serveSessions(t, c.options, answerAll)
			o := withFlowControl
			if c.client != nil {
				o = *c.client
			}
			p := openByHand(t, f, o)
			c.do(p)
			if got := p.outcome(c.want); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if c.event == nil {
				if n := f.count(sink.EventSessionClosed); n != 0 && !strings.HasPrefix(c.want, "connection") {
					t.Errorf("%d sessions ended", n)
				}
				return
			}
			e := f.waitType(sink.EventSessionClosed)
			if e.Code != c.event.code || e.Flags&^sink.FlagCounters != c.event.flags || e.Aux != c.event.aux || c.event.text != "" && string(e.Data) != c.event.text {
				t.Errorf("the consumer hears %+v %q, want %+v", e.Event, e.Data, *c.event)
			}
			if n := f.count(sink.EventSessionClosed); n != 1 {
				t.Errorf("it hears of %d ends", n)
			}
		})
	}
}

func TestN15_CapsulesOfSessions(t *testing.T) {
	capsule, closing := enginetest.CapsuleBytes, enginetest.CloseCapsule
	drain := capsule(enginetest.CapsuleDrainSession)
	maxData := func(n int) []byte { return capsule(enginetest.CapsuleMaxData, n) }
	unlimited := &enginetest.Options{Dialect: enginetest.Draft02}
	var rows []sessionBreach
	add := func(want string, event *sessionEndSeen, name string, client *enginetest.Options, do func(p *sessionPeer)) {
		rows = append(rows, sessionBreach{name: name, client: client, do: do, want: want, event: event})
	}
	malformed := func(name string, do func(p *sessionPeer)) {
		add("session reset H3_MESSAGE_ERROR", breachSeen, name, nil, do)
	}
	overrun := func(name string, do func(p *sessionPeer)) {
		add("session reset WT_FLOW_CONTROL_ERROR", breachSeen, name, nil, do)
	}
	ignored := func(name string, do func(p *sessionPeer)) { add("lives", nil, name, nil, do) }

	// RFC 9297, 3.2 and 3.3
	ignored("unknown capsule", func(p *sessionPeer) { p.send(capsule(enginetest.Grease, "abc")) })
	ignored("unknown capsule without a value", func(p *sessionPeer) { p.send(capsule(enginetest.Grease)) })
	ignored("unknown capsule of 100 KiB", func(p *sessionPeer) { p.send(capsule(enginetest.Grease, make([]byte, 100<<10))) })
	ignored("unknown capsule that never ends", func(p *sessionPeer) {
		p.send(enginetest.FrameHead(enginetest.Grease, 1<<62-1), make([]byte, 50<<10))
	})
	ignored("capsule that comes byte by byte", func(p *sessionPeer) {
		for _, b := range join(capsule(enginetest.Grease, "abc"), maxData(2<<20)) {
			p.send([]byte{b})
		}
	})
	ignored("types and lengths spelled at length", func(p *sessionPeer) { p.send(spelledOut(capsule(enginetest.Grease, "abc")), spelledOut(drain)) })
	ignored("empty DATA frames between capsules", func(p *sessionPeer) {
		p.raw(frame(wire.FrameData), frame(wire.FrameData, drain), frame(wire.FrameData))
	})
	ignored("unknown frames between capsules", func(p *sessionPeer) { p.raw(frame(grease, "?"), frame(wire.FrameData, drain), frame(grease)) })
	ignored("capsules in pieces", func(p *sessionPeer) {
		all := join(capsule(enginetest.Grease, "abc"), drain, maxData(2<<20))
		for i := 0; i < len(all); i += 3 {
			p.raw(frame(wire.FrameData, all[i:min(i+3, len(all))]))
		}
	})
	malformed("cut in its type", func(p *sessionPeer) { p.last([]byte{0x68}) })
	malformed("cut before its length", func(p *sessionPeer) { p.last(drain[:len(drain)-1]) })
	malformed("cut in its value", func(p *sessionPeer) { p.last(capsule(enginetest.Grease, "abc")[:4]) })
	malformed("limit without its value", func(p *sessionPeer) { p.send(capsule(enginetest.CapsuleMaxData)) })
	malformed("limit cut off", func(p *sessionPeer) { p.send(capsule(enginetest.CapsuleMaxStreamsUni, []byte{0xc0, 0})) })
	malformed("limit with more behind", func(p *sessionPeer) { p.send(capsule(enginetest.CapsuleMaxStreamsBidi, 1000, "?")) })
	malformed("DRAIN with a value", func(p *sessionPeer) { p.send(capsule(enginetest.CapsuleDrainSession, "?")) })

	// draft-ietf-webtrans-http3-16, 5.4
	malformed("WT_MAX_STREAM_DATA", func(p *sessionPeer) { p.send(capsule(enginetest.CapsuleMaxStreamData, 0, 1<<20)) })
	malformed("WT_STREAM_DATA_BLOCKED", func(p *sessionPeer) { p.send(capsule(enginetest.CapsuleStreamDataBlocked, 0, 1<<20)) })

	// 5.1: without flow control its capsules mean nothing
	for _, typ := range []uint64{enginetest.CapsuleMaxData, enginetest.CapsuleMaxStreamsBidi, enginetest.CapsuleMaxStreamsUni, enginetest.CapsuleDataBlocked} {
		add("lives", nil, fmt.Sprintf("capsule %#x without flow control", typ), unlimited, func(p *sessionPeer) {
			p.send(capsule(typ, 5), capsule(typ, 4))
		})
	}

	// 5.6
	ignored("limits that grow", func(p *sessionPeer) {
		p.send(maxData(2<<20), maxData(3<<20), capsule(enginetest.CapsuleMaxStreamsBidi, 101), capsule(enginetest.CapsuleMaxStreamsUni, 1<<60))
	})
	ignored("blocked", func(p *sessionPeer) {
		p.send(capsule(enginetest.CapsuleDataBlocked, 1<<40), capsule(enginetest.CapsuleStreamsBlockedBidi, 1<<60), capsule(enginetest.CapsuleStreamsBlockedUni, 0))
	})
	overrun("WT_MAX_DATA that shrinks", func(p *sessionPeer) { p.send(maxData(1000)) })
	overrun("WT_MAX_DATA that stays", func(p *sessionPeer) { p.send(maxData(1 << 20)) })
	overrun("WT_MAX_STREAMS that shrinks, bidirectional", func(p *sessionPeer) { p.send(capsule(enginetest.CapsuleMaxStreamsBidi, 99)) })
	overrun("WT_MAX_STREAMS that stays, unidirectional", func(p *sessionPeer) { p.send(capsule(enginetest.CapsuleMaxStreamsUni, 100)) })
	for _, typ := range []uint64{enginetest.CapsuleMaxStreamsBidi, enginetest.CapsuleMaxStreamsUni, enginetest.CapsuleStreamsBlockedBidi, enginetest.CapsuleStreamsBlockedUni} {
		overrun(fmt.Sprintf("capsule %#x beyond 2^60 streams", typ), func(p *sessionPeer) { p.send(capsule(typ, 1<<60+1)) })
	}

	// 6
	add("session ended", closed7, "close", nil, func(p *sessionPeer) { p.last(closing(7, "bye")) })
	add("session ended", &sessionEndSeen{flags: sink.FlagRemote, aux: 1<<32 - 1, text: strings.Repeat("r", 1024)}, "close with the longest reason", nil, func(p *sessionPeer) {
		p.last(closing(1<<32-1, strings.Repeat("r", 1024)))
	})
	add("session ended", &sessionEndSeen{flags: sink.FlagRemote}, "end without a close", nil, func(p *sessionPeer) { p.last() })
	malformed("close without a code", func(p *sessionPeer) { p.send(capsule(enginetest.CapsuleCloseSession)) })
	malformed("close with half a code", func(p *sessionPeer) { p.send(capsule(enginetest.CapsuleCloseSession, "\x00\x00\x00")) })
	malformed("close cut off", func(p *sessionPeer) { p.last(closing(7, "bye")[:8]) })
	malformed("reason of 1,025 bytes", func(p *sessionPeer) { p.send(closing(7, strings.Repeat("r", 1025))) })
	malformed("reason that never ends", func(p *sessionPeer) {
		p.send(enginetest.FrameHead(enginetest.CapsuleCloseSession, 1<<40), []byte("\x00\x00\x00\x07bye"))
	})
	malformed("reason that is no UTF-8", func(p *sessionPeer) { p.send(closing(7, "ab\xe2\x82")) })
	add("session reset H3_MESSAGE_ERROR", closed7, "data behind the close", nil, func(p *sessionPeer) { p.send(closing(7, "bye"), []byte("?")) })
	add("session reset H3_MESSAGE_ERROR", closed7, "a second close", nil, func(p *sessionPeer) { p.send(closing(7, "bye"), closing(8, "again")) })
	add("session reset H3_MESSAGE_ERROR", closed7, "DRAIN behind the close, in a frame of its own", nil, func(p *sessionPeer) {
		p.raw(frame(wire.FrameData, closing(7, "bye")), frame(wire.FrameData, drain))
	})
	runSessionBreaches(t, rows)
}

// The CONNECT stream carries frames as any request's does (RFC 9114, 4.4 and 7).
func TestN15_FramesOfCONNECTStreams(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts []byte
		end   bool
		want  string
	}{
		{"HEADERS", headers("x-t", "1"), false, "connection H3_FRAME_UNEXPECTED"},
		{"SETTINGS", frame(wire.FrameSettings), false, "connection H3_FRAME_UNEXPECTED"},
		{"GOAWAY", frame(wire.FrameGoAway, 0), false, "connection H3_FRAME_UNEXPECTED"},
		{"frame 0x6 of HTTP/2", frame(0x6), false, "connection H3_FRAME_UNEXPECTED"},
		{"DATA cut off", frame(wire.FrameData, "12345")[:4], true, "connection H3_FRAME_ERROR"},
		{"the signal of a session's stream", varints(enginetest.FrameSessionBidi, 0), false, "connection H3_FRAME_ERROR"},
	} {
		runSessionBreaches(t, []sessionBreach{{name: c.name, want: c.want, do: func(p *sessionPeer) {
			p.raw(c.parts)
			if c.end {
				_ = p.connect.Close() // which the server may have stopped
			}
		}}})
	}
}

func TestN15_StreamsOfSessions(t *testing.T) {
	small := `{"receive_window": 4096, "webtransport": {"max_streams_bidi": 3, "max_streams_uni": 3, "max_data": 65536}}`
	soon := `{"webtransport": {"decision_timeout_ms": 1000}}`
	var rows []sessionBreach
	for _, id := range []int{1, 2, 3, 401, 1<<62 - 1} {
		rows = append(rows, sessionBreach{name: fmt.Sprintf("session id %d, bidirectional", id), want: "connection H3_ID_ERROR", do: func(p *sessionPeer) {
			p.Open(varints(enginetest.FrameSessionBidi, id, "x"), false)
		}}, sessionBreach{name: fmt.Sprintf("session id %d, unidirectional", id), want: "connection H3_ID_ERROR", do: func(p *sessionPeer) {
			p.Uni(varints(enginetest.StreamSessionUni, id, "x"))
		}})
	}
	refused := "stream reset WT_BUFFERED_STREAM_REJECTED"
	rows = append(rows,
		// 4.6
		sessionBreach{name: "id of a session that never comes", options: soon, want: refused, do: func(p *sessionPeer) {
			p.stream = p.Open(varints(enginetest.FrameSessionBidi, 4000, "x"), false)
		}},
		sessionBreach{name: "id of a request that is none", options: soon, want: refused, do: func(p *sessionPeer) {
			plain := p.OpenRequest()
			if err := plain.SendRequest("GET", "/"); err != nil {
				p.t.Fatal(err)
			}
			plain.Close()
			if resp, err := plain.ReadResponse(); err != nil || resp.Status != 200 {
				p.t.Fatal(resp, err)
			}
			p.stream = p.Open(varints(enginetest.FrameSessionBidi, plain.ID(), "x"), false)
		}},
		sessionBreach{name: "id of a request that is still coming", options: soon, want: refused, do: func(p *sessionPeer) {
			plain := p.Open(headers(plainGet...)[:3], false)
			p.stream = p.Open(varints(enginetest.FrameSessionBidi, int(plain.StreamID()), "x"), false)
		}},
		sessionBreach{name: "a stream that is its own session", options: soon, want: refused, do: func(p *sessionPeer) {
			next := p.OpenRequest()
			p.stream = next.Stream
			if err := next.WriteRaw(varints(enginetest.FrameSessionBidi, next.ID(), "x")); err != nil {
				p.t.Fatal(err)
			}
		}},
		// 2.2 of RFC 9114, 6.2
		sessionBreach{name: "unidirectional stream that ends inside its header", want: "lives", do: func(p *sessionPeer) {
			p.Uni([]byte{0x40, 0x54}).Close()
			p.Uni([]byte{0x40, 0x54, 0x40}).Close()
		}},
		sessionBreach{name: "streams that are reset inside their header", want: "lives", do: func(p *sessionPeer) {
			p.Uni([]byte{0x40, 0x54}).CancelWrite(enginetest.StreamCode(1))
			p.Open([]byte{0x40, 0x41}, false).CancelWrite(enginetest.StreamCode(1))
		}},
		sessionBreach{name: "header that comes byte by byte", want: "lives", do: func(p *sessionPeer) {
			s := p.Uni(nil)
			for _, b := range spelledOut(varints(enginetest.StreamSessionUni, p.id, "x")) {
				s.Write([]byte{b})
			}
			p.f.waitType(sink.EventStreamData)
		}},
		// 5.3
		sessionBreach{name: "as many streams as allowed", options: small, want: "lives", do: func(p *sessionPeer) {
			for range 3 {
				p.sessionUni([]byte("x"))
				p.Open(varints(enginetest.FrameSessionBidi, p.id, "x"), false)
			}
			eventually(p.t, "all of them", func() bool { return p.f.count(sink.EventStreamOpened) == 6 })
		}},
		sessionBreach{name: "a unidirectional stream too many", options: small, want: "session reset WT_FLOW_CONTROL_ERROR", event: breachSeen, do: func(p *sessionPeer) {
			for range 4 {
				p.sessionUni([]byte("x"))
			}
		}},
		sessionBreach{name: "a bidirectional stream too many", options: small, want: "session reset WT_FLOW_CONTROL_ERROR", event: breachSeen, do: func(p *sessionPeer) {
			for range 4 {
				p.Open(varints(enginetest.FrameSessionBidi, p.id, "x"), false)
			}
		}},
		// 5.4: what counts is where a stream ends
		sessionBreach{name: "as much data as allowed", options: small, want: "lives", do: func(p *sessionPeer) {
			p.sessionUni(make([]byte, 32<<10)).Close()
			p.sessionUni(make([]byte, 32<<10)).Close()
			eventually(p.t, "both", func() bool { return p.f.count(sink.EventStreamOpened) == 2 })
		}},
		// The consumer takes nothing: what the engine holds for it, 4 KiB a stream, is all that could be given back.
		sessionBreach{name: "too much data", options: small, want: "session reset WT_FLOW_CONTROL_ERROR", event: breachSeen, do: func(p *sessionPeer) {
			p.sessionUni(make([]byte, 80<<10)).Close()
		}},
		sessionBreach{name: "too much data on two streams", options: small, want: "session reset WT_FLOW_CONTROL_ERROR", event: breachSeen, do: func(p *sessionPeer) {
			p.sessionUni(make([]byte, 40<<10)).Close()
			p.Open(varints(enginetest.FrameSessionBidi, p.id, make([]byte, 40<<10)), true)
		}},
		sessionBreach{name: "too much data on a stream that is reset", options: small, want: "session reset WT_FLOW_CONTROL_ERROR", event: breachSeen, do: func(p *sessionPeer) {
			s := p.sessionUni(make([]byte, 80<<10))
			p.f.waitType(sink.EventStreamData) // or the header would be lost with the rest
			s.CancelWrite(enginetest.StreamCode(1))
		}},
	)
	runSessionBreaches(t, rows)
}

// A stream that comes behind the close of its session is refused as the session's streams were (draft-ietf-webtrans-http3-16, 6).
func TestN15_StreamsBehindTheEndOfTheirSession(t *testing.T) {
	f := serveSessions(t, "", answerAll)
	p := openByHand(t, f, withFlowControl)
	p.last(enginetest.CloseCapsule(7, "bye"))
	f.waitType(sink.EventSessionClosed)
	if got := p.ended(); got != "session ended" {
		t.Fatal(got)
	}
	s := p.Open(varints(enginetest.FrameSessionBidi, p.id, "x"), false)
	if got := p.Answer(s); got != "reset WT_SESSION_GONE" {
		t.Errorf("%q", got)
	}
	uni := p.sessionUni([]byte("x"))
	within(t, "STOP_SENDING", uni.Context().Done())
	if _, err := uni.Write([]byte("x")); err == nil || !strings.Contains(err.Error(), fmt.Sprint(uint64(enginetest.CodeSessionGone))) {
		t.Errorf("the unidirectional one: %v", err)
	}
	p.Lives()
	if n := f.count(sink.EventStreamOpened); n != 0 {
		t.Errorf("%d streams opened", n)
	}
}

func TestN15_DatagramsOfSessions(t *testing.T) {
	datagram := func(parts ...any) func(p *sessionPeer) {
		return func(p *sessionPeer) {
			if err := p.SendRawDatagram(varints(parts...)); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	runSessionBreaches(t, []sessionBreach{
		// RFC 9297, 2.1
		{name: "for nobody", want: "lives", do: datagram(4000, "x")},
		{name: "for a stream that cannot be opened", want: "lives", do: datagram(1<<60-1, "x")},
		{name: "for a request", want: "lives", do: func(p *sessionPeer) {
			r := p.OpenRequest()
			if err := r.SendRequest("GET", "/"); err != nil {
				p.t.Fatal(err)
			}
			r.Close()
			if err := r.SendDatagram([]byte("x")); err != nil {
				p.t.Fatal(err)
			}
		}},
		{name: "empty", want: "connection H3_DATAGRAM_ERROR", do: datagram()},
		{name: "cut in its quarter stream id", want: "connection H3_DATAGRAM_ERROR", do: datagram([]byte{0xff})},
		{name: "quarter stream id beyond 2^60", want: "connection H3_DATAGRAM_ERROR", do: datagram(1<<60, "x")},
		{name: "behind the close", want: "session ended", event: closed7, do: func(p *sessionPeer) {
			p.last(enginetest.CloseCapsule(7, "bye"))
			for range 100 {
				if err := p.connect.SendDatagram([]byte("x")); err != nil {
					p.t.Fatal(err)
				}
			}
		}},
	})
}

// SETTINGS that a peer with sessions can get wrong (RFC 9114, 7.2.4; RFC 9297, 2.1.1; the drafts).
func TestN15_SettingsOfSessions(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings []byte
		want     string
	}{
		{"all known", frame(wire.FrameSettings, 0x8, 1, 0x33, 1, enginetest.SettingEnableWebTransport, 1, enginetest.SettingMaxSessions07, 1,
			enginetest.SettingMaxSessions14, 1<<62-1, enginetest.SettingWebTransportEnabled, 1, enginetest.SettingSessionMaxData, 1<<62-1), "200"},
		{"twice", join(frame(wire.FrameSettings, 0x33, 1), frame(wire.FrameSettings)), "connection H3_FRAME_UNEXPECTED"},
		{"ENABLE_WEBTRANSPORT given twice", frame(wire.FrameSettings, 0x33, 1, enginetest.SettingEnableWebTransport, 1, enginetest.SettingEnableWebTransport, 1), "connection H3_SETTINGS_ERROR"},
		{"WT_INITIAL_MAX_DATA given twice", frame(wire.FrameSettings, enginetest.SettingSessionMaxData, 1, enginetest.SettingSessionMaxData, 2), "connection H3_SETTINGS_ERROR"},
		{"ENABLE_WEBTRANSPORT 2", frame(wire.FrameSettings, 0x33, 1, enginetest.SettingEnableWebTransport, 2), "connection H3_SETTINGS_ERROR"},
		{"H3_DATAGRAM 2", frame(wire.FrameSettings, 0x33, 2), "connection H3_SETTINGS_ERROR"},
		{"the signal of a session's stream behind them", join(frame(wire.FrameSettings, 0x33, 1), varints(enginetest.FrameSessionBidi, 0)), "connection H3_FRAME_ERROR"},
		{"ENABLE_CONNECT_PROTOCOL 2", frame(wire.FrameSettings, 0x33, 1, 0x8, 2), "connection H3_SETTINGS_ERROR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := serveSessions(t, "", answerAll)
			client := enginetest.Dial(t, f.addr, enginetest.Options{Dialect: enginetest.Draft15, NoControl: true})
			client.Uni(append([]byte{enginetest.StreamControl}, c.settings...))
			got := ""
			if strings.HasPrefix(c.want, "connection") {
				got = client.Closed()
			} else {
				got = client.Answer(client.Open(headers(plainGet...), true))
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// A session is asked for before the peer's SETTINGS are there: it is taken up when they come (draft-ietf-webtrans-http3-16, 3.1).
func TestN15_SessionBeforeSettings(t *testing.T) {
	for name, settings := range map[string][]byte{
		"of the newest draft":     frame(wire.FrameSettings, 0x33, 1, enginetest.SettingWebTransportEnabled, 1),
		"that say datagrams only": frame(wire.FrameSettings, 0x33, 1),
	} {
		t.Run(name, func(t *testing.T) {
			f := serveSessions(t, "", answerAll)
			client := enginetest.Dial(t, f.addr, enginetest.Options{Dialect: enginetest.Draft15, NoControl: true})
			r := client.OpenRequest()
			if err := r.SendHeaders(client.SessionFields("/wt")...); err != nil {
				t.Fatal(err)
			}
			client.Lives() // behind the request, which waits
			if n := f.count(sink.EventSessionOpened); n != 0 {
				t.Errorf("%d sessions opened without SETTINGS", n)
			}
			client.Uni(append([]byte{enginetest.StreamControl}, settings...))
			resp, err := r.ReadResponse()
			if err != nil || resp.Status != 200 {
				t.Errorf("%v, %v", resp, err)
			}
		})
	}
}
