package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zigh3/engine/cmd/h3/peer"
	"zigh3/engine/cmd/h3/queue"
	"zigh3/engine/config"
	"zigh3/engine/route"
	"zigh3/engine/server"
	"zigh3/engine/session"
	"zigh3/engine/sink"
)

// privateKey writes the key of an authority.
func privateKey(t *testing.T, a *authority) string {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(a.pair.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	return place(t, filepath.Join(t.TempDir(), "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
}

// A hall is a server with sessions, by path: /echo, /close (with code 7 once something has come), /reset (its side of a stream, with 9),
// /refuse, /greet (opens streams of its own, and says which protocol was chosen), /ask (opens one both ways).
type hall struct {
	addr, pin string
	q         *queue.Queue
	paths     map[sink.Handle]string // of sessions
	closed    chan string            // how the first one was
	ended     chan sink.Code         // how the first stream of a session at /ask has
}

func (h *hall) url(path string) string { return "https://" + h.addr + path }

func serveSessions(t *testing.T) *hall {
	t.Helper()
	o, err := config.ParseOptions("127.0.0.1", 0, "", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &hall{q: queue.New(), paths: map[sink.Handle]string{}, closed: make(chan string, 1), ended: make(chan sink.Code, 1)}
	s, err := server.New(o, 1<<62, []sink.Sink{h.q}, new(sink.Stats))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Route("", "/*", route.WebTransport, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	hash := s.CertificateHash()
	h.addr, h.pin = fmt.Sprintf("127.0.0.1:%d", s.Port()), hex.EncodeToString(hash[:])
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.q.Run(h.handle)
	}()
	t.Cleanup(func() {
		s.Free()
		<-s.Done()
		h.q.Stop()
		<-done
	})
	return h
}

func (h *hall) handle(e *queue.Event) {
	sess, _ := h.q.Object(e.Object).(*session.Session)
	stream, _ := h.q.Object(e.Object).(*session.Stream)
	switch e.Type {
	case sink.EventSessionRequest:
		fields := peer.Unpack(e.Meta)
		h.paths[e.Object] = fields.Get(":path")
		switch {
		case sess == nil:
		case fields.Get(":path") == "/refuse":
			sess.Reject(403, nil, sink.Chunk{})
		case fields.Get(":path") == "/greet":
			sess.Accept("two", nil)
		default:
			sess.Accept("", nil)
		}
	case sink.EventSessionOpened:
		if h.paths[e.Object] == "/greet" && sess != nil {
			for _, unidirectional := range []bool{true, false} {
				s, _ := h.q.Give()
				sess.OpenStream(s, unidirectional, true)
				if st, ok := h.q.Object(s).(*session.Stream); ok {
					st.Write(sink.Chunk{Bytes: []byte("good")})
					st.Write(sink.Chunk{Bytes: []byte(" day\n")})
					st.End()
				}
			}
		}
		if h.paths[e.Object] == "/ask" && sess != nil {
			s, _ := h.q.Give()
			sess.OpenStream(s, false, true)
			if st, ok := h.q.Object(s).(*session.Stream); ok {
				st.Write(sink.Chunk{Bytes: []byte("well?\n")})
				st.End()
			}
		}
	case sink.EventSessionClosed:
		delete(h.paths, e.Object)
		select {
		case h.closed <- fmt.Sprintf("%d %s", e.Aux, e.Data):
		default:
		}
	case sink.EventSessionDatagram:
		if h.paths[e.Object] == "/close" && sess != nil {
			sess.CloseWith(7, "bye")
			return
		}
		if place, _, _ := h.q.TakePlace(e.Object, len(e.Data)); place == queue.Taken && sess != nil {
			sess.SendDatagram(e.Data, 0)
		}
	case sink.EventStreamEnded:
		if h.paths[e.Parent] == "/ask" {
			select {
			case h.ended <- e.Code:
			default:
			}
		}
	case sink.EventStreamData:
		if stream == nil {
			return
		}
		switch h.paths[e.Parent] {
		case "/close":
			if s, ok := h.q.Object(e.Parent).(*session.Session); ok {
				s.CloseWith(7, "bye")
			}
			return
		case "/reset":
			stream.Reset(9)
			return
		}
		stream.Write(sink.Chunk{Bytes: bytes.Clone(e.Data)})
		stream.Consumed(uint64(len(e.Data)))
		if e.Flags&sink.FlagEnd != 0 {
			stream.End()
		}
	}
}

func TestLinesGoOutOnAStreamAndComeBack(t *testing.T) {
	h := serveSessions(t)
	h3With(t, "one\ntwo\nno end", "wt", "--pin", h.pin, h.url("/echo")).want(t, 0, "one\ntwo\nno end", "")
	h3With(t, "", "wt", "--pin", h.pin, h.url("/echo")).want(t, 0, "", "")
	large := strings.Repeat("0123456789\n", 200_000)
	if got := h3With(t, large, "wt", "--pin", h.pin, h.url("/echo")); got.exit != 0 || got.out != large {
		t.Errorf("exit %d, %d bytes: %s", got.exit, len(got.out), got.err)
	}
	// A line is there as soon as it has come.
	r := begin(t, "wt", "--pin", h.pin, h.url("/echo"))
	for _, line := range []string{"first\n", "second\n"} {
		io.WriteString(r.in, line)
		r.await(line)
	}
	r.in.Close()
	if exit := r.wait(); exit != 0 || r.written() != "first\nsecond\n" {
		t.Errorf("exit %d, %q", exit, r.written())
	}
}

func TestLinesGoOutAsDatagramsAndComeBack(t *testing.T) {
	h := serveSessions(t)
	r := begin(t, "wt", "--datagrams", "--wait", "0", "--pin", h.pin, h.url("/echo"))
	for _, line := range []string{"first", "", "third"} {
		io.WriteString(r.in, line+"\n")
		r.await("(^|\n)" + line + "\n")
	}
	fmt.Fprintln(r.in, strings.Repeat("x", 5000))
	r.await(`h3: a line of 5000 bytes is not sent: a datagram may have \d+\n`)
	r.in.Close()
	if exit := r.wait(); exit != 0 || !strings.HasPrefix(r.written(), "first\n\nthird\n") {
		t.Errorf("exit %d, %q", exit, r.written())
	}
}

func TestSessionsShowHowTheyAreClosed(t *testing.T) {
	h := serveSessions(t)
	for _, args := range [][]string{nil, {"--datagrams"}} {
		r := begin(t, append([]string{"wt", "--pin", h.pin, h.url("/close")}, args...)...)
		io.WriteString(r.in, "x\n")
		if exit := r.wait(); exit != 111 || r.written() != "h3: the server has closed the session with code 7 and reason \"bye\"\n" {
			t.Errorf("%v: exit %d, %q", args, exit, r.written())
		}
	}
}

func TestStreamsOfTheServersAndSubprotocols(t *testing.T) {
	h := serveSessions(t)
	r := begin(t, "wt", "-v", "--protocol", "one", "--protocol", "two", "--pin", h.pin, h.url("/greet"))
	r.await(`(?s)the session is open, protocol "two", datagrams of at most \d+ bytes\n.*good day\n.*good day\n`)
	r.in.Close()
	if exit := r.wait(); exit != 0 {
		t.Errorf("exit %d, %q", exit, r.written())
	}
}

// A stream that the server opens gets nothing from this side, and the server learns that.
func TestTheServersOwnStreamsAreEnded(t *testing.T) {
	h := serveSessions(t)
	r := begin(t, "wt", "--pin", h.pin, h.url("/ask"))
	r.await("well\\?\n")
	select {
	case code := <-h.ended:
		if code != sink.OK {
			t.Errorf("it has ended with %d", code)
		}
	case <-time.After(patience):
		t.Error("it has not ended")
	}
	r.in.Close()
	if exit := r.wait(); exit != 0 || r.written() != "well?\n" {
		t.Errorf("exit %d, %q", exit, r.written())
	}
}

func TestTheServerHearsHowASessionIsClosed(t *testing.T) {
	h := serveSessions(t)
	h3With(t, "", "wt", "--close-code", "77", "--close-reason", "enough", "--pin", h.pin, h.url("/echo")).want(t, 0, "", "")
	if got := <-h.closed; got != "77 enough" {
		t.Errorf("the server heard %q", got)
	}
}
