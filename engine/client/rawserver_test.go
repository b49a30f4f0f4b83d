package client

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/enginetest"
)

// A rawServer is a server whose every byte a test writes.
type rawServer struct {
	t    testing.TB
	addr string
	port uint16
	ln   *quic.Listener
}

// A rawConn is a connection to one. Its control stream is open, and SETTINGS were sent, unless the server is silent.
type rawConn struct {
	*quic.Conn
	t       testing.TB
	n       int // of the connection, from 0
	control *quic.SendStream
}

// certificate makes a self-signed certificate, which change may make another.
func certificate(t testing.TB, change func(c *x509.Certificate)) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return sign(t, key, key.Public(), change)
}

func sign(t testing.TB, key any, public any, change func(c *x509.Certificate)) (tls.Certificate, []byte) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"good.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: true,
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// hashOf is what a certificate is pinned by.
func hashOf(c tls.Certificate) [32]byte { return sha256.Sum256(c.Certificate[0]) }

// listenRaw starts a server that calls serve for each connection, on a goroutine of its own.
func listenRaw(t testing.TB, conf *quic.Config, serve func(c *rawConn)) *rawServer {
	t.Helper()
	cert, _ := certificate(t, nil)
	return listenRawTLS(t, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h3"}}, conf, serve)
}

func listenRawTLS(t testing.TB, conf *tls.Config, qconf *quic.Config, serve func(c *rawConn)) *rawServer {
	t.Helper()
	ln, err := quic.ListenAddr("127.0.0.1:0", conf, qconf)
	if err != nil {
		t.Fatal(err)
	}
	r := &rawServer{t: t, addr: ln.Addr().String(), port: uint16(ln.Addr().(*net.UDPAddr).Port), ln: ln}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			q, err := ln.Accept(context.Background())
			if err != nil {
				return
			}
			go func() {
				c := &rawConn{Conn: q, t: t, n: n}
				if serve != nil {
					c.control, _ = q.OpenUniStream()
					serve(c)
				}
			}()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-ended
	})
	return r
}

// settle sends SETTINGS.
func (c *rawConn) settle(settings ...any) {
	c.send(enginetest.Varints(enginetest.StreamControl), enginetest.Frame(enginetest.FrameSettings, settings...))
}

// send writes to the control stream.
func (c *rawConn) send(parts ...[]byte) {
	if c.control != nil { // there was a connection to open it on
		c.control.Write(enginetest.Join(parts...)) // fails where the client has gone already
	}
}

// next takes a request, and reads its head; nil: the connection has gone.
func (c *rawConn) next() *quic.Stream {
	s, _ := c.nextHead()
	return s
}

// nextHead is next that gives the head's fields as well.
func (c *rawConn) nextHead() (*quic.Stream, []string) {
	for {
		s, err := c.AcceptStream(context.Background())
		if err != nil {
			return nil, nil
		}
		r := bufio.NewReader(oneByOne{s})
		if _, err := quicvarint.Read(r); err != nil {
			continue // it was reset at once
		}
		if length, err := quicvarint.Read(r); err == nil {
			section := make([]byte, length)
			io.ReadFull(r, section)
			fields, err := enginetest.Fields(section)
			if err != nil {
				c.t.Error(err)
			}
			return s, fields
		}
	}
}

// oneByOne gives a byte at a time, so that what is behind them is not consumed.
type oneByOne struct{ s *quic.Stream }

func (o oneByOne) Read(p []byte) (int, error) { return o.s.Read(p[:1]) }

// answering serves a connection whose every request gets these bytes and the end of its stream.
func answering(answer []byte) func(c *rawConn) {
	return func(c *rawConn) {
		c.settle()
		for s := c.next(); s != nil; s = c.next() {
			s.Write(answer)
			s.Close()
		}
	}
}

var (
	frame   = enginetest.Frame
	headers = enginetest.Headers
	join    = enginetest.Join
)

func data(s string) []byte { return frame(enginetest.FrameData, s) }

func pemKey(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
