package engine

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
	"github.com/quic-go/webtransport-go"
)

// Settings and capsules of sessions, as draft-ietf-webtrans-http3-14 numbers them.
const (
	settingH3Datagram     = 0x33
	settingMaxData        = 0x2b61
	settingMaxStreamsUni  = 0x2b64
	settingMaxStreamsBidi = 0x2b65
	capsuleMaxData        = 0x190b4d3d
	capsuleMaxStreamsBidi = 0x190b4d3f
	streamOfSession       = 0x41
	uniStreamOfSession    = 0x54
)

// A wireClient opens sessions with frames made by hand.
type wireClient struct {
	*rawClient
	f *sessionFixture
}

// dialWire connects and sends SETTINGS, name and value in turn, behind SETTINGS_H3_DATAGRAM. Of a stream that nobody reads it takes
// window bytes; 0 is quic-go's default.
func dialWire(t testing.TB, f *sessionFixture, window uint64, settings ...any) *wireClient {
	t.Helper()
	q, err := quic.DialAddr(ctx(t), f.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, &quic.Config{
		EnableDatagrams: true, EnableStreamResetPartialDelivery: true, InitialStreamReceiveWindow: window, MaxStreamReceiveWindow: window})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.CloseWithError(0x100, "") })
	c := &wireClient{&rawClient{t, q}, f}
	c.uni(join(varints(0), frame(frameSettings, append([]any{settingH3Datagram, 1}, settings...)...)))
	return c
}

// ask asks for a session.
func (c *wireClient) ask(path string) *quic.Stream {
	c.t.Helper()
	return c.rawClient.open(headers(":method", "CONNECT", ":protocol", "webtransport", ":scheme", "https", ":authority", c.f.addr, ":path", path), false)
}

// session opens a session, and gives its CONNECT stream and its SESSION_OPENED.
func (c *wireClient) session() (*quic.Stream, event) {
	c.t.Helper()
	before := c.f.count(EventSessionOpened)
	s := c.ask("/wt")
	if got := c.parse(readFrame(c.t, s)); !strings.HasPrefix(got, "200") {
		c.t.Fatalf("the answer is %q", got)
	}
	n := 0
	return s, c.f.wait("the session", func(e event) bool {
		if e.Type == EventSessionOpened {
			n++
		}
		return e.Type == EventSessionOpened && n > before
	})
}

// stream opens a bidirectional stream in the session of a CONNECT stream.
func (c *wireClient) stream(connect *quic.Stream, p []byte) *quic.Stream {
	c.t.Helper()
	return c.rawClient.open(join(varints(streamOfSession, int(connect.StreamID())), p), false)
}

// capsule is one in a DATA frame of its own.
func capsule(typ int, parts ...any) []byte {
	payload := varints(parts...)
	return frame(frameData, typ, len(payload), payload)
}

// limits tells the values of a CONNECT stream's capsules of a type. It runs until the stream ends.
func limits(connect *quic.Stream, typ uint64) <-chan int {
	values := make(chan int, 1000)
	connect.SetReadDeadline(time.Time{})
	go func() {
		defer close(values)
		in := bufio.NewReader(connect)
		next := func() uint64 { v, _ := quicvarint.Read(in); return v } // 0 behind the end
		for {
			if _, err := in.Peek(1); err != nil {
				return
			}
			next() // DATA
			next()
			if got, n := next(), next(); got == typ {
				values <- int(next())
			} else {
				in.Discard(int(n))
			}
		}
	}()
	return values
}

// readFrame reads one frame, and not a byte further.
func readFrame(t testing.TB, r io.Reader) []byte {
	t.Helper()
	one := bufio.NewReaderSize(oneByte{r}, 16)
	typ, err := quicvarint.Read(one)
	if err != nil {
		t.Fatal(err)
	}
	length, err := quicvarint.Read(one)
	if err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(one, payload); err != nil {
		t.Fatal(err)
	}
	return append(appendFrameHead(nil, typ, length), payload...)
}

// oneByte keeps a bufio.Reader from reading ahead.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), 1)]) }

// patientWithCapsules sets how long the servers of a test wait for a peer to take a capsule. It comes before the server.
func patientWithCapsules(t testing.TB, d time.Duration) {
	was := capsuleWait
	capsuleWait = d
	t.Cleanup(func() { capsuleWait = was })
}

// A peer that gives its CONNECT stream no credit, lets the engine write byte by byte and so has webtransport-go queue a capsule for each:
// with 4,096 in the queue, to ask the library for a stream took the reactor with it, for ever.
func TestW16_AStreamIsOpenedWhileCapsulesWait(t *testing.T) {
	patientWithCapsules(t, time.Hour)
	f := serveSessions(t, "", echo)
	c := dialWire(t, f, 512, settingMaxData, 1)
	connect, o := c.session()
	session := f.session(o.Object)
	data := c.stream(connect, make([]byte, 8000)) // comes back, byte by byte
	one := make([]byte, 1)
	for limit, before := 2, 0; ; limit++ {
		if _, err := io.ReadFull(data, one); err != nil {
			t.Fatal(err)
		}
		if limit > 400 { // those before may leave
			eventually(t, "one capsule more", func() bool { return queuedCapsules(session) > before })
		}
		if before = queuedCapsules(session); before == maxCapsulesOfTheLibrary {
			break
		}
		connect.Write(capsule(capsuleMaxData, limit))
	}
	done := make(chan struct{})
	h := f.give()
	f.do(func() { // on the reactor
		defer close(done)
		session.OpenStream(h, true, false)
	})
	within(t, "the reactor", done)
	if e := f.wait("the end of the stream", func(e event) bool { return e.Type == EventStreamEnded && e.Object == h }); e.Code != ErrClosed {
		t.Errorf("%+v", e.Event)
	}
	if e := f.waitType(EventSessionClosed); e.Code != ErrProtocol {
		t.Errorf("%+v %q", e.Event, e.data)
	}
}

// Nobody counts all the capsules of webtransport-go; but a peer that takes nothing of one for some seconds holds up its session alone.
func TestW16_CapsulesThatWaitForTooLong(t *testing.T) {
	patientWithCapsules(t, 200*time.Millisecond)
	f := serveSessions(t, "", nil)
	c := dialWire(t, f, 512, settingMaxData, 1<<20)
	connect, _ := c.session()
	for n := 1; n <= 400; n++ { // fewer than maxBehind, and more than there is credit for and QUIC keeps
		s := c.uni(varints(uniStreamOfSession, int(connect.StreamID())))
		s.Close()
		eventually(t, "its end", func() bool { return f.count(EventStreamEnded) >= n || f.count(EventSessionClosed) != 0 })
	}
	if e := f.waitType(EventSessionClosed); e.Code != ErrProtocol || string(e.data) != "the peer takes no capsules" {
		t.Errorf("%+v %q", e.Event, e.data)
	}
	_, err := io.ReadAll(connect)
	var reset *quic.StreamError
	if !errors.As(err, &reset) || reset.ErrorCode != webtransport.WTSessionGoneErrorCode {
		t.Errorf("the peer got %v", err)
	}
}
