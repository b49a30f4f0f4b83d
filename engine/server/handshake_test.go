package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"testing"

	"github.com/quic-go/quic-go"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

func TestN05_RetryWhileHandshakesAreUnfinished(t *testing.T) {
	withAndWithoutDatagram(t, testN05_RetryWhileHandshakesAreUnfinished)
}

func testN05_RetryWhileHandshakesAreUnfinished(t *testing.T) {
	f := serve(t, `{"max_unverified_handshakes": 1}`, 0, hello)
	fetch(t, newClient(t), f.url("/"))
	if n := f.stats[sink.StatRetriesSent].Load(); n != 0 {
		t.Fatalf("%d retries for one client at a time", n)
	}
	f.server.handshakes.Add(1)
	defer f.server.handshakes.Add(-1)
	if status, body := fetch(t, newClient(t), f.url("/")); status != 200 || body != "hello world" {
		t.Errorf("%d %q", status, body)
	}
	if n := f.stats[sink.StatRetriesSent].Load(); n == 0 { // more than one where the client repeats itself
		t.Error("no retry")
	}
}

func TestN05_RetryForEverybody(t *testing.T) {
	f := serve(t, `{"max_unverified_handshakes": 0}`, 0, hello)
	if status, body := fetch(t, newClient(t), f.url("/")); status != 200 || body != "hello world" {
		t.Errorf("%d %q", status, body)
	}
	if n := f.stats[sink.StatRetriesSent].Load(); n == 0 {
		t.Error("the first client was not asked")
	}
}

// caddyserver/caddy#7481: data before the handshake could be replayed. A client that resumes a connection may not send any.
func TestNoDataBeforeTheHandshake(t *testing.T) {
	f := serve(t, "", 0, hello)
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for _, resumed := range []bool{false, true} {
		q, err := quic.DialAddrEarly(ctx(t), f.addr, config, &quic.Config{})
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: enginetest.New(t, q, enginetest.Options{})}
		if status, body := fetch(t, client, f.url("/")); status != 200 || body != "hello world" {
			t.Errorf("%d %q", status, body)
		}
		<-q.HandshakeComplete()
		if state := q.ConnectionState(); state.Used0RTT || state.TLS.DidResume != resumed {
			t.Errorf("0-RTT: %v, resumed: %v", state.Used0RTT, state.TLS.DidResume)
		}
		q.CloseWithError(0x100, "")
	}
}

func TestN05_OtherProtocolsAndRubbish(t *testing.T) {
	f := serve(t, "", 0, hello)
	_, err := quic.DialAddr(context.Background(), f.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"other"}}, &quic.Config{})
	if err == nil {
		t.Error("a connection for another protocol was taken")
	}
	socket, err := net.Dial("udp4", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for n := range 1400 {
		socket.Write(pattern(n))
	}
	if status, body := fetch(t, newClient(t), f.url("/")); status != 200 || body != "hello world" {
		t.Errorf("%d %q", status, body)
	}
	eventually(t, "the failed handshake counted", func() bool { return f.stats[sink.StatHandshakesFailed].Load() == 1 })
	if n := f.stats[sink.StatHandshakesPending].Load(); n != 0 {
		t.Errorf("%d handshakes pending", n)
	}
}

// Handshakes that a stop finds unfinished have ended when it is told of, whenever quic-go tells of their ends.
func TestL01_HandshakesEndWithAStop(t *testing.T) {
	const unfinished = 20
	for range many(10, 200) {
		f := serve(t, "", 0, hello)
		begin(t, unfinished, "127.0.0.3", f)
		eventually(t, "the handshakes", func() bool { return f.stats[sink.StatHandshakesPending].Load() == unfinished })
		f.server.Stop(0)
		f.waitStopped()
		pending, failed, counted := f.stats[sink.StatHandshakesPending].Load(), f.stats[sink.StatHandshakesFailed].Load(), f.server.handshakes.Load()
		if pending != 0 || failed != unfinished || counted != 0 {
			t.Errorf("%d pending, %d failed, %d counted", pending, failed, counted)
		}
	}
}
