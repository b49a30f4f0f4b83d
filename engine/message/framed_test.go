package message

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"pgregory.net/rapid"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
	"zigh3/engine/wire"
)

// streams opens a stream on c and gives both of its ends. Its first byte, which shows it to the peer, is read.
func streams(t testing.TB, c, s *quic.Conn) (ours, theirs *quic.Stream) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), enginetest.Patience)
	defer cancel()
	ours, err := c.OpenStreamSync(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Write([]byte{0}); err != nil {
		t.Fatal(err)
	}
	if theirs, err = s.AcceptStream(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(theirs, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// A message goes through an outbox onto a stream of QUIC's and through an inbox off it, byte for byte, with what stands at its ends.
func TestAMessageGoesThrough(t *testing.T) {
	c, s := enginetest.Pair(t, &quic.Config{InitialStreamReceiveWindow: 40_000, MaxStreamReceiveWindow: 40_000}, &quic.Config{InitialStreamReceiveWindow: 40_000, MaxStreamReceiveWindow: 40_000})
	lim := wire.NewFieldLimits(1 << 12)
	rapid.Check(t, func(rt *rapid.T) {
		ours, theirs := streams(t, c, s)
		from := newSender(t, &Framed{S: ours}, 0)
		x := &Framed{S: theirs, Reader: NewReader(theirs, lim)}
		to := newReader(t, x, rapid.SampledFrom([]int{0, 1, 1000, LargestPiece}).Draw(rt, "window"), 0)
		pieces := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(0, 300), rapid.IntRange(15_000, 90_000)), 0, 8).Draw(rt, "pieces")
		if to.box.window == 1 { // byte by byte
			pieces = pieces[:min(len(pieces), 2)]
			for i := range pieces {
				pieces[i] %= 300
			}
		}
		trailers := wire.AppendPacked(nil, "x-sum", "1")
		hasTrailers := rapid.Bool().Draw(rt, "trailers")
		var want []byte
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			from.put(Part{Head: true, Status: 200, Length: -1})
			for i, n := range pieces {
				b := bytes.Repeat([]byte{byte(i + 1)}, n)
				want = append(want, b...)
				from.put(Part{Body: sink.Chunk{Bytes: b}, Counted: true})
			}
			end := Part{End: true, HasTrailers: hasTrailers}
			if hasTrailers {
				end.Trailers = trailers
			}
			from.put(end)
		}()
		block, tooLong, err := x.Reader.ReadHead(1 << 12)
		if err != nil || tooLong || len(block) == 0 {
			rt.Fatalf("%x, %v, %v", block, tooLong, err)
		}
		to.run()
		for err = nil; err == nil; {
			select {
			case err = <-to.over:
			case <-time.After(time.Millisecond):
				to.consumed(1 << 40)
			default:
				to.consumed(1 << 40)
			}
		}
		<-sent
		from.rest()
		if err != io.EOF || to.ends != 1 || !bytes.Equal(to.got, want) {
			rt.Fatalf("%v, %d ends, %d of %d bytes", err, to.ends, len(to.got), len(want))
		}
		if hasTrailers && !bytes.Equal(x.Trailers(), trailers) || !hasTrailers && x.Trailers() != nil {
			rt.Fatalf("trailers %q", x.Trailers())
		}
		if from.has() != "flushed" || from.left[true] != len(want) || from.left[false] != 0 {
			rt.Fatalf("%s, %v left of %d", from.has(), from.left, len(want))
		}
		theirs.Close()
		if _, err := ours.Read(make([]byte, 1)); err != io.EOF {
			rt.Fatal(err)
		}
	})
}

// Where the peer takes nothing for as long as stall, a write fails.
func TestAStalledWriteFails(t *testing.T) {
	const window = 20_000
	c, s := enginetest.Pair(t, nil, &quic.Config{InitialStreamReceiveWindow: window, MaxStreamReceiveWindow: window})
	ours, theirs := streams(t, c, s)
	from := newSender(t, &Framed{S: ours}, 50*time.Millisecond)
	from.put(body(long(3 * window)))
	from.rest()
	if !errors.Is(from.err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", from.err)
	}
	ours.CancelWrite(1)
	theirs.CancelRead(1)
}

// A peer that wants no more says so with a code, also to one that ends.
func TestTheWatchTellsOfTheCode(t *testing.T) {
	c, s := enginetest.Pair(t, nil, nil)
	ours, theirs := streams(t, c, s)
	x := &Framed{S: ours}
	told := make(chan error, 1)
	stop := x.Watch(func(cause error) { told <- cause })
	theirs.CancelRead(0x17)
	var stopped *quic.StreamError
	select {
	case err := <-told:
		if !errors.As(err, &stopped) || stopped.ErrorCode != 0x17 || !stopped.Remote {
			t.Errorf("%v", err)
		}
	case <-time.After(enginetest.Patience):
		t.Fatal("nobody is told")
	}
	if stop() {
		t.Error("it watches still")
	}
	if err := CloseSend(ours); !errors.As(err, &stopped) || stopped.ErrorCode != 0x17 {
		t.Errorf("%v", err)
	}
}

// The end of a message is no cause, and the end of the peer's side is told.
func TestTheWatchIsSilentForAnEnd(t *testing.T) {
	c, s := enginetest.Pair(t, nil, nil)
	ours, theirs := streams(t, c, s)
	told := make(chan error, 1)
	(&Framed{S: ours}).Watch(func(cause error) { told <- cause })
	ended := make(chan struct{})
	(&Framed{S: theirs}).OnEnd(func() { close(ended) })
	if err := CloseSend(ours); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	case <-time.After(enginetest.Patience):
		t.Fatal("the end is not told")
	}
	if _, err := io.ReadAll(theirs); err != nil {
		t.Error(err)
	}
	theirs.Close()
	<-ours.Context().Done()
	(&Framed{S: theirs}).Abort(0x10c)
	select {
	case err := <-told:
		t.Errorf("told of %v", err)
	default:
	}
}

// read takes a whole message out of raw bytes, and says what ended it.
func readRaw(t *testing.T, c, s *quic.Conn, raw []byte, reset bool) (string, error) {
	t.Helper()
	ours, theirs := streams(t, c, s)
	lim := wire.NewFieldLimits(200)
	if _, err := ours.Write(raw); err != nil {
		t.Fatal(err)
	}
	if reset {
		ours.CancelWrite(7)
	} else {
		ours.Close()
	}
	r := NewReader(theirs, lim)
	_, tooLong, err := r.ReadHead(100)
	if tooLong {
		return "too long", nil
	}
	if err != nil {
		return "", err
	}
	var got []byte
	buf := make([]byte, 7)
	for {
		n, err := r.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			return string(got), err
		}
	}
}

// What frames may not do on a stream of a message (RFC 9114, 4.1 and 7).
func TestRulesOfFrames(t *testing.T) {
	c, s := enginetest.Pair(t, nil, nil)
	frame := func(typ uint64, payload string) []byte {
		return append(wire.AppendFrameHead(nil, typ, uint64(len(payload))), payload...)
	}
	head := frame(wire.FrameHeaders, "block")
	trailers := frame(wire.FrameHeaders, string(enginetest.Section("x", "y")))
	for _, c2 := range []struct {
		name string
		raw  []byte
		want string // bytes of the body
		code uint64 // 0: it ended well
	}{
		{"a body in frames", slices.Concat(head, frame(0, "ab"), frame(0x21, "grease"), frame(0, ""), frame(0, "cdefghijk")), "abcdefghijk", 0},
		{"frames that mean nothing in front", slices.Concat(frame(0x21, "zz"), head), "", 0},
		{"trailers", slices.Concat(head, frame(0, "ab"), trailers), "ab", 0},
		{"DATA first", frame(0, "ab"), "", 0x105},
		{"SETTINGS", slices.Concat(head, frame(4, "")), "", 0x105},
		{"DATA behind trailers", slices.Concat(head, trailers, frame(0, "x")), "", 0x105},
		{"trailers twice", slices.Concat(head, trailers, trailers), "", 0x105},
		{"a cut frame", slices.Concat(head, []byte{0, 9, 'a', 'b'}), "ab", 0x106},
		{"a cut head", head[:4], "", 0x106},
		{"nothing", nil, "", 0x10d},
		{"trailers that are too long", slices.Concat(head, frame(wire.FrameHeaders, strings.Repeat("x", 300))), "", 0x107},
		{"more that means nothing than is bearable", slices.Concat(head, frame(0x21, strings.Repeat("x", maxUnknown))), "", 0x107},
		{"a block beyond the limit", frame(wire.FrameHeaders, strings.Repeat("x", 101)), "too long", 0},
	} {
		got, err := readRaw(t, c, s, c2.raw, false)
		var (
			conn   *wire.ConnectionError
			stream *wire.StreamError
			code   uint64
		)
		switch {
		case errors.As(err, &conn):
			code = uint64(conn.Code)
		case errors.As(err, &stream):
			code = uint64(stream.Code)
		case err != nil && err != io.EOF:
			t.Errorf("%s: %v", c2.name, err)
		}
		if got != c2.want || code != c2.code {
			t.Errorf("%s: %q, code %#x (%v), want %q, %#x", c2.name, got, code, err, c2.want, c2.code)
		}
	}
}

// A stream of a session shows by how it begins.
func TestAStreamOfASession(t *testing.T) {
	c, s := enginetest.Pair(t, nil, nil)
	_, err := readRaw(t, c, s, []byte{0x40, 0x41, 0x08, 'x'}, false)
	var session SessionStream
	if !errors.As(err, &session) || session != 8 {
		t.Errorf("%v", err)
	}
}

func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Outcome
	}{
		{&quic.StreamError{ErrorCode: 7, Remote: true}, Outcome{Code: -504, Flags: 0x4 | 0x2, Aux: 7}},
		{&quic.StreamError{ErrorCode: 7}, Outcome{Code: -499, Flags: 0x4}},
		{&quic.ApplicationError{Remote: true, ErrorCode: 0x100, ErrorMessage: "bye"}, Outcome{Code: -503, Flags: 0x4 | 0x2, Aux: 0x100, Text: "bye"}},
		{&quic.ApplicationError{ErrorCode: 0x100}, Outcome{Code: -507, Flags: 0x4, Aux: 0x100}},
		{&quic.ApplicationError{ErrorCode: 0x101}, Outcome{Code: -506, Flags: 0x4, Aux: 0x101}},
		{&quic.IdleTimeoutError{}, Outcome{Code: -505, Flags: 0x4 | 0x2, Text: "idle timeout"}},
		{&quic.StatelessResetError{}, Outcome{Code: -503, Flags: 0x4 | 0x2, Text: "stateless reset"}},
		{&quic.TransportError{ErrorCode: 1, Remote: true, ErrorMessage: "x"}, Outcome{Code: -503, Flags: 0x4 | 0x2, Aux: 1, Text: "x"}},
		{&quic.TransportError{ErrorCode: 1, ErrorMessage: "x"}, Outcome{Code: -506, Flags: 0x4, Aux: 1, Text: "x"}},
		{&wire.StreamError{Code: 1}, Outcome{Code: -506, Flags: 0x4}},
		{quic.ErrServerClosed, Outcome{Code: -507, Flags: 0x4}},
		{context.Canceled, Outcome{Code: -507, Flags: 0x4}},
		{io.ErrUnexpectedEOF, Outcome{Code: -17, Flags: 0x4}},
		{nil, Outcome{Code: -17, Flags: 0x4}},
	} {
		got := OutcomeOf(c.err)
		if c.want.Text == "" {
			got.Text = ""
		}
		if got != c.want {
			t.Errorf("%v: %+v, want %+v", c.err, got, c.want)
		}
	}
}

// Whether a message has a body is known as soon as the stream's end has come, however late it is asked for and however it came.
func TestTheEndBehindAHeadIsSeenAtOnce(t *testing.T) {
	c, s := enginetest.Pair(t, nil, nil)
	head := append(wire.AppendFrameHead(nil, wire.FrameHeaders, 5), "block"...)
	for name, k := range map[string]struct {
		end  func(ours *quic.Stream)
		want bool
	}{
		"an end":              {func(ours *quic.Stream) { ours.Close() }, true},
		"a reset":             {func(ours *quic.Stream) { ours.CancelWrite(7) }, false},
		"a body and the end":  {func(ours *quic.Stream) { ours.Write([]byte{0, 1, 'x'}); ours.Close() }, false},
		"a frame and the end": {func(ours *quic.Stream) { ours.Write([]byte{0x21, 0}); ours.Close() }, false},
	} {
		ours, theirs := streams(t, c, s)
		x := &Framed{S: theirs, Reader: NewReader(theirs, wire.NewFieldLimits(100))}
		x.Reader.taken = 1 // by streams
		ended := make(chan struct{})
		x.OnEnd(func() { close(ended) })
		if _, err := ours.Write(head); err != nil {
			t.Fatal(err)
		}
		if block, _, err := x.Reader.ReadHead(100); err != nil || string(block) != "block" {
			t.Fatalf("%s: %q, %v", name, block, err)
		}
		if x.Reader.Ended() {
			t.Errorf("%s: it has ended before it has", name)
		}
		k.end(ours)
		select {
		case <-ended:
		case <-time.After(enginetest.Patience):
			t.Fatalf("%s did not come", name)
		}
		if got := x.Reader.Ended(); got != k.want {
			t.Errorf("%s: %v", name, got)
		}
		theirs.CancelRead(7)
		theirs.CancelWrite(7)
	}
}
