package enginetest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// A script is a server that does what a test says, with nothing in common with the engine.
type script struct {
	t    *testing.T
	addr string
	conn chan *quic.Conn
}

// serve accepts connections that begin with SETTINGS and answers their requests: CONNECT with 200 alone, others with method, body and
// trailers. Streams of sessions are the test's, and so is what a CONNECT stream carries.
func serve(t *testing.T, settings ...any) *script {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := quic.ListenAddr("127.0.0.1:0", &tls.Config{NextProtos: []string{"h3"}, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&quic.Config{EnableDatagrams: true, EnableStreamResetPartialDelivery: true})
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, addr: l.Addr().String(), conn: make(chan *quic.Conn, 1)}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			q, err := l.Accept(context.Background())
			if err != nil {
				return
			}
			control, err := q.OpenUniStream()
			if err != nil {
				return
			}
			all := append([]any{SettingConnectProtocol, 1, SettingDatagram, 1, SettingWebTransportEnabled, 1}, settings...)
			_, _ = control.Write(Join(Varints(StreamControl), Frame(FrameSettings, all...), Frame(FrameGoAway, 400))) // or the client has gone
			s.conn <- q
		}
	}()
	return s
}

// request takes the next request's stream and reads its header section.
func (s *script) request(q *quic.Conn) (*RequestStream, []string) {
	ctx, cancel := patient()
	defer cancel()
	str, err := q.AcceptStream(ctx)
	if err != nil {
		s.t.Error(err)
		return nil, nil
	}
	r := &RequestStream{Stream: str}
	typ, length, err := r.frame()
	if err != nil || typ != FrameHeaders {
		s.t.Errorf("frame %#x, %v", typ, err)
		return nil, nil
	}
	fields, err := r.section(length)
	if err != nil {
		s.t.Error(err)
	}
	return r, fields
}

// A failures is a testing.TB that keeps what the client complains of.
type failures struct {
	testing.TB
	mu   sync.Mutex
	text []string
}

func (f *failures) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text = append(f.text, fmt.Sprintf(format, args...))
}

func (f *failures) Error(args ...any) { f.Errorf("%s", fmt.Sprint(args...)) }

func (f *failures) wait(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(Patience); ; time.Sleep(time.Millisecond) {
		f.mu.Lock()
		found := slices.ContainsFunc(f.text, func(one string) bool { return strings.Contains(one, text) })
		f.mu.Unlock()
		if found {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%q is not among %q", text, f.text)
		}
	}
}

func TestCodes(t *testing.T) {
	for code, want := range map[uint32]quic.StreamErrorCode{0: 0x52e4a40fa8db, 1<<32 - 1: 0x52e5ac983162, 29: 0x52e4a40fa8f8, 30: 0x52e4a40fa8fa} {
		if got := StreamCode(code); got != want {
			t.Errorf("%d is %#x, not %#x", code, uint64(got), uint64(want))
		}
		if back, ok := AppCode(want); !ok || back != code {
			t.Errorf("%#x is %d, %v", uint64(want), back, ok)
		}
	}
	for _, code := range []quic.StreamErrorCode{0x52e4a40fa8da, 0x52e5ac983163, 0x52e4a40fa8f9, CodeSessionGone} {
		if n, ok := AppCode(code); ok {
			t.Errorf("%#x is %d", uint64(code), n)
		}
	}
}

func TestRequests(t *testing.T) {
	s := serve(t)
	c := Dial(t, s.addr, Options{QPACKStreams: true})
	go func() {
		q := <-s.conn
		for range 2 {
			r, fields := s.request(q)
			body, err := io.ReadAll(r)
			if err != nil {
				t.Error(err)
			}
			answer := Join(Frame(Grease, "?"), Headers(":status", "103"), Headers(":status", "200", "x", fields[1]), Frame(FrameData, body), Frame(FrameData),
				Frame(Grease), Frame(FrameData, r.Trailer().Get("Sum")), Headers("sum", "42"))
			for i := range answer { // one at a time
				_ = r.WriteRaw(answer[i : i+1])
			}
			_ = r.Close()
		}
	}()
	resp := c.Do("POST", "/", []byte("body"))
	if resp.Status != 200 || resp.Header.Get("X") != "POST" || string(resp.Body) != "body" || resp.Trailer.Get("Sum") != "42" || len(resp.Interim) != 1 {
		t.Errorf("%+v", resp)
	}
	req, _ := http.NewRequest("PUT", "https://"+s.addr+"/", strings.NewReader("body"))
	req.Trailer = http.Header{"Sum": {"1"}}
	got, err := (&http.Client{Transport: c}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(got.Body); string(body) != "body1" || err != nil || got.Trailer.Get("Sum") != "42" || got.Header.Get("X") != "PUT" {
		t.Errorf("%q, %v, %+v", body, err, got)
	}
	if id := c.GoAway(); id != 400 {
		t.Errorf("GOAWAY %d", id)
	}
}

// openSession opens one at a scripted server that allows 3 bytes and a stream of each kind, with the server's ends of it.
func openSession(t *testing.T, tb testing.TB, o Options) (*Session, *quic.Conn, *RequestStream) {
	t.Helper()
	s := serve(t, SettingSessionMaxData, 3, SettingSessionMaxStreamsUni, 1, SettingSessionMaxStreamsBidi, 1)
	conns, connects := make(chan *quic.Conn, 1), make(chan *RequestStream, 1)
	go func() {
		q := <-s.conn
		r, _ := s.request(q)
		_ = r.SendHeaders(":status", "200")
		conns <- q
		connects <- r
	}()
	o.Dialect = Draft15
	session := Dial(tb, s.addr, o).MustOpen("/")
	return session, <-conns, <-connects
}

// A client waits for a session's credit, says so, and goes on when it has some.
func TestCreditOfASession(t *testing.T) {
	s, q, connect := openSession(t, t, Options{MaxData: 4, MaxStreamsUni: 1})
	ctx, cancel := patient()
	defer cancel()
	st, err := s.OpenUniStreamSync(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.OpenUniStream(); err != ErrStreamLimit {
		t.Errorf("a stream too many: %v", err)
	}
	written := make(chan error, 1)
	go func() {
		_, err := st.Write([]byte("hello"))
		st.Close()
		written <- err
	}()
	in, err := acceptUni(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	head := make([]byte, len(Varints(StreamSessionUni, s.ID()))+3)
	if _, err := io.ReadFull(in, head); err != nil || !strings.HasSuffix(string(head), "hel") {
		t.Fatalf("%q, %v", head, err)
	}
	// The client's capsules: it has no stream more, and no byte.
	var got []byte
	want := Join(CapsuleBytes(CapsuleStreamsBlockedUni, 1), CapsuleBytes(CapsuleDataBlocked, 3))
	for len(got) < len(want) {
		p := make([]byte, len(want)-len(got))
		n, err := connect.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p[:n]...)
	}
	if string(got) != string(want) {
		t.Errorf("%x, want %x", got, want)
	}
	_, _ = connect.Write(Join(CapsuleBytes(CapsuleMaxData, 5), CapsuleBytes(CapsuleMaxStreamsUni, 2)))
	if err := await(t, "the end of the write", written); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(in); string(rest) != "lo" || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	if _, err := s.OpenUniStreamSync(ctx); err != nil {
		t.Error(err)
	}
}

// acceptUni takes the first stream that is not the control stream.
func acceptUni(ctx context.Context, q *quic.Conn) (*quic.ReceiveStream, error) {
	for {
		in, err := q.AcceptUniStream(ctx)
		if err != nil {
			return nil, err
		}
		if typ, err := quicvarint.Peek(in); err != nil || typ != StreamControl {
			return in, err
		}
	}
}

// What a server must not do fails the test.
func TestServersThatBreakTheRules(t *testing.T) {
	uni := func(q *quic.Conn, s *Session, data string) {
		st, err := q.OpenUniStream()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = st.Write(Varints(StreamSessionUni, s.ID(), data))
		_ = st.Close()
	}
	for _, c := range []struct {
		name string
		do   func(q *quic.Conn, connect *RequestStream, s *Session)
		want string
	}{
		{"a stream too many", func(q *quic.Conn, _ *RequestStream, s *Session) { uni(q, s, ""); uni(q, s, "") }, "streams, unidirectional true: the server has used 2 of a limit of 1"},
		{"a byte too many", func(q *quic.Conn, _ *RequestStream, s *Session) { uni(q, s, "hello") }, "the server has used 5 of a limit of 4"},
		{"limit that stays", func(_ *quic.Conn, r *RequestStream, _ *Session) { _, _ = r.Write(CapsuleBytes(CapsuleMaxData, 3)) }, "does not raise the limit"},
		{"forbidden capsule", func(_ *quic.Conn, r *RequestStream, _ *Session) {
			_, _ = r.Write(CapsuleBytes(CapsuleMaxStreamData, 0, 9))
		}, "none of HTTP/3's"},
		{"data behind the close", func(_ *quic.Conn, r *RequestStream, _ *Session) {
			_, _ = r.Write(Join(CloseCapsule(1, ""), []byte("?")))
			_ = r.Close()
		}, "1 bytes behind the close"},
		{"second control stream", func(q *quic.Conn, _ *RequestStream, _ *Session) {
			st, err := q.OpenUniStream()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = st.Write(Varints(StreamControl))
		}, "second control stream"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &failures{TB: t}
			s, q, connect := openSession(t, f, Options{MaxData: 4, MaxStreamsUni: 1, WithholdSessionCredit: true})
			c.do(q, connect, s)
			f.wait(t, c.want)
		})
	}
}

// How a session ends is what its context and its streams say.
func TestEndsOfASession(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(connect *RequestStream)
		want SessionError
	}{
		{"close", func(r *RequestStream) { _, _ = r.Write(CloseCapsule(7, "bye")); _ = r.Close() }, SessionError{7, "bye", true}},
		{"end", func(r *RequestStream) { _ = r.Close() }, SessionError{0, "", true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _, connect := openSession(t, t, Options{})
			c.do(connect)
			var closed *SessionError
			if err := s.Closed(); !errors.As(err, &closed) || *closed != c.want {
				t.Errorf("%v", err)
			}
			if _, err := s.OpenStream(); !errors.As(err, &closed) {
				t.Errorf("a stream behind it: %v", err)
			}
			if _, err := io.ReadAll(connect); err != nil {
				t.Errorf("the client's side: %v", err)
			}
		})
	}
}
