package server

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// fuzzOptions let a target break off what it likes.
const fuzzOptions = `{"reset_budget": 1000000, "webtransport": {"decision_timeout_ms": 200, "capsule_budget": 100000, "max_early_streams": 4}}`

// consumeAndAnswer is consume for a server that answers requests as well.
func consumeAndAnswer(f *sessionFixture, e event) {
	consume(f, e)
	if e.Type == sink.EventRequest {
		f.send(e, 200, "")
	}
}

// FuzzConnectStream feeds bytes to a session's CONNECT stream, in DATA frames and in pieces of any size. What comes of it is what the reader
// of capsules makes of all of them at once, and one end of the session in any case.
func FuzzConnectStream(f *testing.F) {
	drain, closing := enginetest.CapsuleBytes(enginetest.CapsuleDrainSession), enginetest.CloseCapsule(7, "bye")
	for _, seed := range [][]byte{nil, drain, closing, join(drain, closing), closing[:7], join(closing, drain), enginetest.CapsuleBytes(enginetest.CapsuleMaxData, 5),
		enginetest.CapsuleBytes(enginetest.CapsuleMaxStreamData, 5), enginetest.CapsuleBytes(enginetest.Grease, "abc"), enginetest.CapsuleBytes(enginetest.CapsuleMaxStreamsUni, 1<<60+1)} {
		f.Add(seed, byte(3), byte(1))
	}
	f.Fuzz(func(t *testing.T, payload []byte, piece, inFrame byte) {
		if len(payload) > 8<<10 {
			return
		}
		server := serveSessions(t, fuzzOptions, consumeAndAnswer)
		c := enginetest.Dial(t, server.addr, withFlowControl)
		c.Settings()
		connect := c.OpenRequest()
		if err := connect.SendHeaders(c.SessionFields("/wt")...); err != nil {
			t.Fatal(err)
		}
		if resp, err := connect.ReadResponse(); err != nil || resp.Status != 200 {
			t.Fatal(resp, err)
		}
		var all []byte
		for p := payload; len(p) > 0; { // frames of any length, too
			n := min(len(p), int(inFrame)+1)
			all = append(all, frame(wire.FrameData, p[:n])...)
			p = p[n:]
		}
		for len(all) > 0 {
			n := min(len(all), int(piece)+1)
			if err := connect.WriteRaw(all[:n]); err != nil {
				break // the server has seen enough
			}
			all = all[n:]
		}
		_ = connect.Close() // like that
		_ = connect.SetReadDeadline(time.Now().Add(patience))
		_, err := io.Copy(io.Discard, connect)
		got := "ended"
		var reset *quic.StreamError
		if errors.As(err, &reset) {
			got = enginetest.CodeName(uint64(reset.ErrorCode))
		} else if err != nil {
			got = err.Error()
		}
		e := server.waitType(sink.EventSessionClosed)
		want, code := capsuleOutcome(payload)
		if got != want || code != fmt.Sprint(e.Code, e.Aux, string(e.Data)) && e.Code == sink.OK {
			t.Errorf("%x: %s, %+v %q; want %s, %s", payload, got, e.Event, e.Data, want, code)
		}
		c.Lives()
	})
}

// capsuleOutcome is how a session ends whose peer sends payload and the end of the stream.
func capsuleOutcome(payload []byte) (outcome, event string) {
	d, err := wire.DialectOf(wire.Settings{}, true)
	if err != nil { // no datagrams: the dialects read capsules alike
		settings, _ := wire.ParseSettings([]byte{0x33, 1})
		if d, err = wire.DialectOf(settings, true); err != nil {
			panic(err)
		}
	}
	r := d.Capsules(true)
	limits := map[uint64]uint64{wire.CapsuleMaxData: 1 << 20, wire.CapsuleMaxStreamsBidi: 100, wire.CapsuleMaxStreamsUni: 100}
	event = fmt.Sprint(sink.OK, 0, "")
	var breach *wire.CapsuleError
	err = r.Feed(payload, func(c wire.Capsule) error {
		switch c.Type {
		case wire.CapsuleClose:
			event = fmt.Sprint(sink.OK, c.Code, string(c.Reason))
		case wire.CapsuleMaxData, wire.CapsuleMaxStreamsBidi, wire.CapsuleMaxStreamsUni:
			if c.Value <= limits[c.Type] {
				return &wire.CapsuleError{Code: wire.ErrCodeFlowControl}
			}
			limits[c.Type] = c.Value
		}
		return nil
	})
	if err == nil {
		err = r.End()
	}
	if errors.As(err, &breach) {
		return enginetest.CodeName(uint64(breach.Code)), event
	}
	return "ended", event
}

// FuzzSessionStreamHeader opens a stream with bytes that may be those of a session's, of either kind, with or without its end. The connection
// lives or is closed for a code, and everybody else is served.
func FuzzSessionStreamHeader(f *testing.F) {
	for _, seed := range [][]byte{varints(streamOfSession, 0, "x"), varints(uniStreamOfSession, 0, "x"), varints(streamOfSession, 1), varints(streamOfSession, 4000), {0x40}, {0x40, 0x41, 0xc0}, spelledOut(varints(streamOfSession, 0))} {
		f.Add(seed, true, true)
		f.Add(seed, false, false)
	}
	f.Fuzz(func(t *testing.T, begin []byte, uni, end bool) {
		if len(begin) > 4<<10 {
			return
		}
		server := serveSessions(t, fuzzOptions, consumeAndAnswer)
		c := enginetest.Dial(t, server.addr, withFlowControl)
		c.MustOpen("/wt")
		if uni {
			st, err := c.Conn.OpenUniStream()
			if err != nil {
				t.Fatal(err)
			}
			_, _ = st.Write(begin) // which may be stopped
			if end {
				_ = st.Close()
			} else {
				st.CancelWrite(1)
			}
		} else {
			st := c.Open(begin, end)
			if !end {
				st.CancelWrite(1)
			}
		}
		other := enginetest.Dial(t, server.addr, withFlowControl)
		other.Lives()
	})
}
