package main

import (
	"context"
	"crypto/tls"
	"io"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/enginetest"
)

// A server closes a session, and the end of its streams is heard of first: what counts is how the session was closed.
func TestStreamsMayEndBeforeTheirSession(t *testing.T) {
	const gone = 0x170d7b68 // WT_SESSION_GONE
	a := certificate(t)
	l, err := quic.ListenAddr("127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{a.pair}, NextProtos: []string{"h3"}}, &quic.Config{EnableDatagrams: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept(context.Background())
		if err != nil {
			return
		}
		control, _ := c.OpenUniStream()
		control.Write(enginetest.Join(enginetest.Varints(enginetest.StreamControl), enginetest.Frame(enginetest.FrameSettings, 0x8, 1, 0x33, 1, uint64(0xc671706a), 4)))
		connect, err := c.AcceptStream(c.Context())
		if err != nil {
			return
		}
		connect.Write(enginetest.Headers(":status", "200"))
		if s, err := c.AcceptStream(c.Context()); err == nil {
			s.CancelWrite(gone)
			s.CancelRead(gone)
		}
		time.Sleep(200 * time.Millisecond) // so that the program has most likely heard of it, which is no must
		connect.Write(enginetest.Frame(enginetest.FrameData, enginetest.CloseCapsule(7, "bye")))
		connect.Close()
	}()
	r := begin(t, "wt", "--pin", a.pin, "https://"+l.Addr().String())
	io.WriteString(r.in, "x\n")
	if exit := r.wait(); exit != 111 || r.written() != "h3: the server has closed the session with code 7 and reason \"bye\"\n" {
		t.Errorf("exit %d, %q", exit, r.written())
	}
}
