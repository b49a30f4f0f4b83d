//go:build ignore

// Beside server.go in quic-go's package quic: how many connections may come before the first of them is accepted.

package quic

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"testing"
	"time"
)

func TestConnectionsThatComeAtOnceAreNotRefused(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	serving := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{"test"}}
	ln, err := ListenAddr("127.0.0.1:0", serving, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	const burst = 100
	conns := make([]*Conn, burst)
	for i := range conns {
		if conns[i], err = DialAddr(ctx, ln.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"test"}}, nil); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	// What each sends comes back: the server has it, and has not turned it away.
	for i := range conns {
		accepted, err := ln.Accept(ctx)
		if err != nil {
			t.Fatalf("accepting %d: %v", i, err)
		}
		s, err := accepted.OpenUniStream()
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		s.Close()
	}
	for i, c := range conns {
		if _, err := c.AcceptUniStream(ctx); err != nil {
			t.Errorf("connection %d: %v", i, err)
		}
		c.CloseWithError(0, "")
	}
}
