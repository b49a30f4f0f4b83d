package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// serve runs an HTTP/3 server of another make on a port of its own, and gives its address.
func serve(t *testing.T, handler http.HandlerFunc) string {
	conn := listen(t)
	server := &http3.Server{Handler: handler, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate(t)}}}
	go server.Serve(conn)
	t.Cleanup(func() { server.Close() })
	return conn.LocalAddr().String()
}

func certificate(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func listen(t *testing.T) net.PacketConn {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// once runs a job until it has made the given number of requests.
func once(t *testing.T, addr string, j job, requests int) (done int, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := dial(ctx, addr, new(datagrams))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	*streams = 1
	err = j.run(c, func() bool { requests--; return requests >= 0 }, func(time.Duration) { done++ })
	return done, err
}

func TestRightAnswersCount(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			io.WriteString(w, hello)
		case "/bytes/100000":
			w.Write(make([]byte, 100000))
		case "/upload":
			n, _ := io.Copy(io.Discard, r.Body)
			fmt.Fprintf(w, `{"bytes":%d}`, n)
		}
	})
	for name, j := range map[string]job{
		"get": getting(t.Context()), "download": downloading(t.Context(), 100000), "upload": uploading(t.Context(), 100000), "upload of whole frames": uploading(t.Context(), 2*uploadFrame),
	} {
		if done, err := once(t, addr, j, 3); done != 3 || err != nil {
			t.Errorf("%s: %d answers, error %v, want 3 and none", name, done, err)
		}
	}
}

func TestWrongAnswersFailTheRun(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		job    job
		err    string
	}{
		"a status":        {http.NotFound, getting(t.Context()), "GET /: status 404"},
		"a body":          {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }, getting(t.Context()), `GET /: "hello" instead of "hello world"`},
		"a short content": {func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 9)) }, downloading(t.Context(), 10), "GET /bytes/10: 9 bytes came"},
		"a long content":  {func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 11)) }, downloading(t.Context(), 10), "GET /bytes/10: 11 bytes came"},
		"a wrong count": {func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			io.WriteString(w, `{"bytes":1}`)
		},
			uploading(t.Context(), 10), `POST /upload: "{\"bytes\":1}" instead of "{\"bytes\":10}"`},
	} {
		t.Run(name, func(t *testing.T) {
			if done, err := once(t, serve(t, c.answer), c.job, 1); done != 0 || message(err) != c.err {
				t.Errorf("%d answers, error %q, want 0 and %q", done, message(err), c.err)
			}
		})
	}
}
