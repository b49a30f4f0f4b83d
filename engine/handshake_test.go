package engine

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	"github.com/quic-go/quic-go"
)

func TestN05_RetryWhileHandshakesAreUnfinished(t *testing.T) {
	onBothKinds(t, testN05_RetryWhileHandshakesAreUnfinished)
}

func testN05_RetryWhileHandshakesAreUnfinished(t *testing.T) {
	f := serve(t, `{"max_unverified_handshakes": 1}`, 0, hello)
	fetch(t, newClient(t), f.url("/"))
	if n := f.stats[StatRetriesSent].Load(); n != 0 {
		t.Fatalf("%d retries for one client at a time", n)
	}
	f.server.handshakes.Add(1)
	defer f.server.handshakes.Add(-1)
	if status, body := fetch(t, newClient(t), f.url("/")); status != 200 || body != "hello world" {
		t.Errorf("%d %q", status, body)
	}
	if n := f.stats[StatRetriesSent].Load(); n == 0 { // more than one where the client repeats itself
		t.Error("no retry")
	}
}

func TestN05_RetryForEverybody(t *testing.T) {
	f := serve(t, `{"max_unverified_handshakes": 0}`, 0, hello)
	if status, body := fetch(t, newClient(t), f.url("/")); status != 200 || body != "hello world" {
		t.Errorf("%d %q", status, body)
	}
	if n := f.stats[StatRetriesSent].Load(); n == 0 {
		t.Error("the first client was not asked")
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
	eventually(t, "the failed handshake counted", func() bool { return f.stats[StatHandshakesFailed].Load() == 1 })
	if n := f.stats[StatHandshakesPending].Load(); n != 0 {
		t.Errorf("%d handshakes pending", n)
	}
}
