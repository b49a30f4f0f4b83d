package client

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
)

// Tickets of one port are not those of another, where another server may be; a session's own connection has those of its origin.
func TestTicketsAreOfOneOrigin(t *testing.T) {
	f := newFixture(t, "")
	of := func(key originKey) (tls.ClientSessionCache, string) {
		c := f.client.tlsFor(key)
		return c.ClientSessionCache, c.ServerName
	}
	cache, name := of(originKey{host: "a.test", port: 443})
	ticket := new(tls.ClientSessionState)
	cache.Put(name, ticket)
	for _, c := range []struct {
		key  originKey
		want *tls.ClientSessionState
	}{
		{originKey{host: "a.test", port: 443}, ticket},
		{originKey{host: "a.test", port: 443, alone: 1}, ticket},
		{originKey{host: "a.test", port: 444}, nil},
		{originKey{host: "b.test", port: 443}, nil},
	} {
		cache, name := of(c.key)
		if got, ok := cache.Get(name); got != c.want || ok != (c.want != nil) {
			t.Errorf("%+v: %p, %v", c.key, got, ok)
		}
	}
}

// So it is with address tokens, also where the option server_name gives all servers one name.
func TestTokensAreOfOneOrigin(t *testing.T) {
	f := newFixture(t, `{"server_name": "good.test"}`)
	of := func(key originKey) quic.TokenStore { return f.client.quicFor(key).TokenStore }
	token := new(quic.ClientToken)
	of(originKey{host: "a.test", port: 443}).Put("good.test", token)
	for _, c := range []struct {
		key  originKey
		want *quic.ClientToken
	}{
		{originKey{host: "a.test", port: 444}, nil},
		{originKey{host: "b.test", port: 443}, nil},
		{originKey{host: "a.test", port: 443, alone: 1}, token},
		{originKey{host: "a.test", port: 443}, nil}, // it was used
	} {
		if got := of(c.key).Pop("good.test"); got != c.want {
			t.Errorf("%+v: %p", c.key, got)
		}
	}
}

// What a server has given out takes the place of a proof of the address there the next time, and is shown to nobody else before.
func TestTokensAreUsedWhereTheyCameFrom(t *testing.T) {
	proven := make(chan bool, 1)
	cert, _ := certificate(t, nil)
	listen := func() (*quic.Listener, string, originKey) {
		socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		tr := &quic.Transport{Conn: socket, TokenGeneratorKey: &quic.TokenGeneratorKey{1}} // they would take each other's
		ln, err := tr.Listen(&tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h3"}}, &quic.Config{
			GetConfigForClient: func(info *quic.ClientInfo) (*quic.Config, error) {
				proven <- info.AddrVerified
				return nil, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			tr.Close()
			socket.Close()
		})
		key, err := originOf(socket.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		return ln, socket.LocalAddr().String(), key
	}
	one, at, key := listen()
	_, other, _ := listen()
	f := newFixture(t, `{"insecure": true}`)
	connect := func(addr string, want bool) {
		t.Helper()
		_, done := f.connect(addr, 1)
		if e := within(t, "CONNECT_DONE", done); e.Code != sink.OK {
			t.Fatalf("%+v %q", e.Event, e.Data)
		}
		if got := within(t, "the handshake", proven); got != want {
			t.Errorf("%s: proven %v", addr, got)
		}
	}
	connect(at, false)
	tokens := f.client.quicFor(key).TokenStore
	eventually(t, "a token", func() bool {
		token := tokens.Pop(key.host)
		if token != nil {
			tokens.Put(key.host, token)
		}
		return token != nil
	})
	connect(other, false)
	q, err := one.Accept(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	q.CloseWithError(0x100, "")
	eventually(t, "its end", func() bool { return f.stats[sink.ClientStatConnectionsReplaced].Load() == 1 })
	connect(at, true)
}
