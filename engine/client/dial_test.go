package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"zigh3/engine/config"
	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// jsonText is a text as JSON has it.
func jsonText(s string) string { return `"` + strings.ReplaceAll(s, "\n", `\n`) + `"` }

// F08: whom a client believes.
func TestF08_Certificates(t *testing.T) {
	good, goodPEM := certificate(t, nil)
	_, otherPEM := certificate(t, nil)
	expired, expiredPEM := certificate(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	serve := func(cert tls.Certificate) *rawServer {
		return listenRawTLS(t, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h3"}}, nil, answering(headers(":status", "200")))
	}
	file := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(file, goodPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	r, old := serve(good), serve(expired)
	for _, c := range []struct {
		name, options string
		server        *rawServer
		authority     string
		code          sink.Code
	}{
		{"the system's authorities", `{"system_roots": true}`, r, "good.test", sink.ErrUnknownAuthority},
		{"others", `{"roots": ` + jsonText(string(otherPEM)) + `}`, r, "good.test", sink.ErrUnknownAuthority},
		{"its own", `{"roots": ` + jsonText(string(goodPEM)) + `}`, r, "good.test", sink.OK},
		{"its own in a file", `{"roots_path": ` + jsonText(file) + `}`, r, "good.test", sink.OK},
		{"its own beside the system's", `{"system_roots": true, "roots_path": ` + jsonText(file) + `}`, r, "good.test", sink.OK},
		{"an address", `{"roots": ` + jsonText(string(goodPEM)) + `}`, r, "127.0.0.1", sink.OK},
		{"another name", `{"roots": ` + jsonText(string(goodPEM)) + `}`, r, "bad.test", sink.ErrWrongName},
		{"another name, by option", `{"server_name": "good.test", "roots": ` + jsonText(string(goodPEM)) + `}`, r, "bad.test", sink.OK},
		{"the name, but not by option", `{"server_name": "bad.test", "roots": ` + jsonText(string(goodPEM)) + `}`, r, "good.test", sink.ErrWrongName},
		{"expired", `{"roots": ` + jsonText(string(expiredPEM)) + `}`, old, "good.test", sink.ErrExpired},
		{"anything", `{"insecure": true}`, old, "bad.test", sink.OK},
		{"its pin", fmt.Sprintf(`{"certificate_hashes": ["%x"]}`, hashOf(good)), r, "bad.test", sink.OK},
		{"one of several pins", fmt.Sprintf(`{"certificate_hashes": ["%x", "%x"]}`, hashOf(expired), hashOf(good)), r, "bad.test", sink.OK},
		{"another's pin", fmt.Sprintf(`{"certificate_hashes": ["%x"]}`, hashOf(expired)), r, "good.test", sink.ErrPin},
		{"its pin, expired", fmt.Sprintf(`{"certificate_hashes": ["%x"]}`, hashOf(expired)), old, "good.test", sink.ErrExpired},
	} {
		options := strings.TrimSuffix(c.options, "}") + fmt.Sprintf(`, "hosts": {"good.test": %q, "bad.test": %q, "127.0.0.1": %q}}`, c.server.addr, c.server.addr, c.server.addr)
		f := newFixture(t, options)
		for range 2 { // the second has a session to resume
			a := f.get(c.authority, "/")
			if a.end.Code != c.code || c.code != sink.OK && (len(a.end.Data) == 0 || a.end.Conn != 0) {
				t.Errorf("%s: %v", c.name, a)
			}
			f.client.pool.mu.Lock()
			for k := range f.client.pool.conns {
				k.Close(0x100, "")
			}
			f.client.pool.mu.Unlock()
			eventually(t, "the connection's end", func() bool { return f.stats[sink.StatConnectionsActive].Load() == 0 })
		}
	}
}

// The W3C's rules for a certificate that is believed for its hash.
func TestWhatMayBePinned(t *testing.T) {
	now := time.Now()
	key := func(c elliptic.Curve) *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	p256, p384, p224 := key(elliptic.P256()), key(elliptic.P384()), key(elliptic.P224())
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	valid := func(from, to time.Duration) func(c *x509.Certificate) {
		return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(from), now.Add(to) }
	}
	const day = 24 * time.Hour
	for _, c := range []struct {
		name        string
		key, public any
		change      func(c *x509.Certificate)
		code        sink.Code
	}{
		{"P-256", p256, p256.Public(), nil, sink.OK},
		{"P-384", p384, p384.Public(), nil, sink.OK},
		{"P-224", p256, p224.Public(), nil, sink.ErrPin},
		{"RSA", p256, rsaKey.Public(), nil, sink.ErrPin},
		{"Ed25519", p256, edKey.Public(), nil, sink.ErrPin},
		{"14 days", p256, p256.Public(), valid(-day, 13*day), sink.OK},
		{"a second more", p256, p256.Public(), valid(-day, 13*day+time.Second), sink.ErrPin},
		{"not yet", p256, p256.Public(), valid(time.Hour, day), sink.ErrExpired},
		{"not any more", p256, p256.Public(), valid(-day, -time.Hour), sink.ErrExpired},
	} {
		cert, _ := sign(t, c.key, c.public, c.change)
		err := checkPin([]*x509.Certificate{cert.Leaf}, [][32]byte{{}, hashOf(cert)}, now)
		var e *sink.Error
		if c.code == sink.OK && err != nil || c.code != sink.OK && (!errors.As(err, &e) || e.Code != c.code) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := checkPin(nil, nil, now); err == nil {
		t.Error("no certificate is pinned")
	}
}

// A server that wants a certificate gets the client's.
func TestTheClientsOwnCertificate(t *testing.T) {
	cert, _ := certificate(t, nil)
	own, ownPEM := certificate(t, nil)
	der, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	shown := make(chan [32]byte, 1)
	r := listenRawTLS(t, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h3"}, ClientAuth: tls.RequireAnyClientCert}, nil, func(c *rawConn) {
		shown <- hashOf(tls.Certificate{Certificate: [][]byte{c.ConnectionState().TLS.PeerCertificates[0].Raw}})
		answering(headers(":status", "200"))(c)
	})
	f := newFixture(t, `{"cert": `+jsonText(string(ownPEM))+`, "key": `+jsonText(string(pemKey(der)))+`}`)
	if a := f.get(r.addr, "/"); a.end.Code != sink.OK || within(t, "the certificate", shown) != hashOf(own) {
		t.Errorf("%v", a)
	}
	// Without one the server ends the connection, which the client learns of only behind its own handshake.
	if a := newFixture(t, "").get(r.addr, "/"); a.end.Code != sink.ErrClosed {
		t.Errorf("without one: %v", a)
	}
	for _, options := range []string{`{"cert": "x", "key": "y"}`, `{"roots": "x"}`, `{"roots_path": "/nowhere"}`, `{"cert_path": "/nowhere", "key": "y"}`} {
		o, err := config.ParseClientOptions([]byte(options))
		if err != nil {
			t.Fatal(err)
		}
		var e *sink.Error
		if _, err = New(o, 1, nil, new(sink.ClientStats)); !errors.As(err, &e) || e.Code != sink.ErrCertificate {
			t.Errorf("%s: %v", options, err)
		}
	}
}

// F09: each way in which no connection comes to be has its own code.
func TestF09_NoConnection(t *testing.T) {
	closed, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	silent, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	refused := closed.LocalAddr().String()
	closed.Close()
	cert, _ := certificate(t, nil)
	other := listenRawTLS(t, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"other"}}, nil, nil)
	for _, c := range []struct {
		name, authority, options string
		code                     sink.Code
		words                    string
	}{
		{"nobody listens", refused, `{"connect_timeout_ms": 8000}`, sink.ErrRefused, "ECONNREFUSED"},
		{"nobody answers", silent.LocalAddr().String(), `{"connect_timeout_ms": 1000}`, sink.ErrConnectTimeout, "no handshake in time"},
		{"no such name", "nowhere.test", "", sink.ErrResolve, `cannot resolve "nowhere.test"`},
		{"another protocol", other.addr, "", sink.ErrHandshake, "no application protocol"},
	} {
		f := newFixture(t, c.options)
		authority, found := c.authority, f.client.lookup
		if at, err := netip.ParseAddrPort(authority); err == nil {
			authority = fmt.Sprintf("peer.test:%d", at.Port())
			found = func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{at.Addr()}, nil }
		}
		f.client.lookup = func(ctx context.Context, host string) ([]netip.Addr, error) { // no attempt is quicker than the second fetch
			for ctx.Err() == nil && f.stats[sink.ClientStatFetchesQueued].Load() < 2 {
				time.Sleep(time.Millisecond)
			}
			return found(ctx, host)
		}
		a, b := f.startGet(authority), f.startGet(authority) // they wait for the same connection
		for _, x := range []*asked{a, b} {
			if x.wait(); x.end.Code != c.code || !strings.Contains(string(x.end.Data), c.words) || !strings.Contains(string(x.end.Data), strings.Split(authority, ":")[0]) {
				t.Errorf("%s: %v", c.name, x)
			}
		}
		if n := f.stats[sink.StatHandshakesFailed].Load(); n != 1 {
			t.Errorf("%s: %d attempts", c.name, n)
		}
	}
}

// A name that takes for ever to be looked up, and one without an address.
func TestLookingUp(t *testing.T) {
	f := newFixture(t, `{"connect_timeout_ms": 50}`)
	f.client.lookup = func(ctx context.Context, _ string) ([]netip.Addr, error) { <-ctx.Done(); return nil, ctx.Err() }
	if a := f.get("slow.test", "/"); a.end.Code != sink.ErrConnectTimeout {
		t.Errorf("%v", a)
	}
	f = newFixture(t, "")
	closed, cancel := context.WithCancel(t.Context())
	cancel()
	told := (*sink.Error)(nil)
	if _, err := f.client.addresses(closed, originKey{host: "slow.test", port: 443}); !errors.As(err, &told) || told.Code != sink.ErrShutdown {
		t.Errorf("a lookup that the client's end cuts: %v", err)
	}
	f.client.lookup = func(context.Context, string) ([]netip.Addr, error) { return nil, nil }
	if a := f.get("empty.test", "/"); a.end.Code != sink.ErrResolve {
		t.Errorf("%v", a)
	}
	h := holdRequests(t, 10)
	f = newFixture(t, "")
	var asked string
	f.client.lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
		asked = host
		return []netip.Addr{netip.MustParseAddr("::ffff:127.0.0.1")}, nil
	}
	a := f.startGet(fmt.Sprintf("Some.Test:%d", h.port))
	h.next().answer()
	if a.wait(); a.end.Code != sink.OK || asked != "some.test" {
		t.Errorf("%v, asked for %q", a, asked)
	}
}

// Addresses of IPv4 are that, however the resolver writes them.
func TestFamiliesOfAddresses(t *testing.T) {
	f := newFixture(t, "")
	f.client.lookup = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, nil
	}
	at, err := f.client.addresses(t.Context(), originKey{host: "two.test", port: 7})
	if got := fmt.Sprint(at); err != nil || got != "[[2001:db8::1]:7 192.0.2.1:7]" {
		t.Errorf("%s, %v", got, err)
	}
}

// RFC 8305: addresses are tried one behind the other, families in turn, and the first that answers is taken.
func TestHappyEyeballs(t *testing.T) {
	var in []netip.AddrPort
	for _, a := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2"} {
		in = append(in, netip.AddrPortFrom(netip.MustParseAddr(a), 1))
	}
	var out []string
	for _, a := range interleave(in) {
		out = append(out, a.Addr().String())
	}
	if got := strings.Join(out, " "); got != "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 192.0.2.3" {
		t.Error(got)
	}

	client, _ := enginetest.Pair(t, nil, nil)
	at := interleave(in)
	late, bad := &quic.IdleTimeoutError{}, errors.New("refused")
	silent := func(ctx context.Context) (*quic.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	for _, c := range []struct {
		name  string
		delay time.Duration
		dial  func(n int, ctx context.Context) (*quic.Conn, error)
		tries int
		err   error
	}{
		{"the first answers", time.Hour, func(int, context.Context) (*quic.Conn, error) { return client, nil }, 1, nil},
		{"the first fails", time.Hour, func(n int, _ context.Context) (*quic.Conn, error) {
			if n == 0 {
				return nil, bad
			}
			return client, nil
		}, 2, nil},
		{"two are silent", time.Millisecond, func(n int, ctx context.Context) (*quic.Conn, error) {
			if n < 4 {
				return silent(ctx)
			}
			return client, nil
		}, 5, nil},
		{"all fail", time.Hour, func(n int, _ context.Context) (*quic.Conn, error) {
			if n == 3 {
				return nil, bad
			}
			return nil, late
		}, 5, bad},
		{"all are late", time.Hour, func(int, context.Context) (*quic.Conn, error) { return nil, late }, 5, late},
	} {
		tries := make(chan netip.AddrPort, 10)
		q, err := race(t.Context(), at, c.delay, func(ctx context.Context, a netip.AddrPort) (*quic.Conn, error) {
			tries <- a
			return c.dial(slices.Index(at, a), ctx)
		})
		close(tries)
		i := 0
		for a := range tries {
			if c.delay == time.Hour && a != at[i] {
				t.Errorf("%s: try %d goes to %v", c.name, i, a)
			}
			i++
		}
		if i != c.tries || err != c.err || (q == client) != (c.err == nil) {
			t.Errorf("%s: %d tries, %v", c.name, i, err)
		}
	}
}

// Of two connections that come to be at once one is taken, and the other is closed.
func TestOneConnectionOfTwo(t *testing.T) {
	conns := map[netip.AddrPort]*quic.Conn{}
	at := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:1")}
	for _, a := range at {
		conns[a], _ = enginetest.Pair(t, nil, nil)
	}
	both := make(chan struct{})
	q, err := race(t.Context(), at, time.Millisecond, func(_ context.Context, a netip.AddrPort) (*quic.Conn, error) {
		if a == at[0] {
			<-both
		} else {
			close(both)
		}
		return conns[a], nil
	})
	if err != nil || q == nil || q.Context().Err() != nil {
		t.Fatalf("no connection: %v", err)
	}
	for _, c := range conns {
		if c != q && c.Context().Err() == nil {
			t.Error("the other is open still")
		}
	}
}

// An address that nobody listens at does not hold up the next.
func TestAServerWithTwoAddresses(t *testing.T) {
	closed, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	refused := closed.LocalAddr().String()
	closed.Close()
	h := holdRequests(t, 10)
	f := newFixture(t, fmt.Sprintf(`{"hosts": {"two.test": [%q, %q]}}`, refused, h.addr))
	a := f.startGet("two.test")
	h.next().answer()
	if a.wait(); a.end.Code != sink.OK {
		t.Errorf("%v", a)
	}
}

// What a connection took to come to be is told with it.
func TestConnectionsTellWhatTheyTook(t *testing.T) {
	p := serve(t, "", 0, echo)
	f := newFixture(t, "")
	const slow = 30 * time.Millisecond
	f.client.lookup = func(context.Context, string) ([]netip.Addr, error) {
		time.Sleep(slow)
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	_, port, _ := strings.Cut(p.addr, ":")
	began := time.Now()
	if a := f.get("some.test:"+port, "/"); a.status != 200 {
		t.Fatal(a)
	}
	all := time.Since(began)
	f.Await(func() {
		took := map[string]time.Duration{}
		for _, name := range []string{"lookup_us", "attempt_us", "handshake_us"} {
			value, _ := packedField(f.conns[0].Meta, name)
			us, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				t.Errorf("%s is %q", name, value)
			}
			took[name] = time.Duration(us) * time.Microsecond
		}
		if sum := took["lookup_us"] + took["attempt_us"] + took["handshake_us"]; took["lookup_us"] < slow || took["handshake_us"] <= 0 || took["attempt_us"] < 0 || sum > all {
			t.Errorf("%v of %v", took, all)
		}
	})
}

func TestARefusalNamesTheAddressOnce(t *testing.T) {
	address := netip.MustParseAddrPort("127.0.0.1:4433")
	told := addressError(address, syscall.ECONNREFUSED)
	for _, c := range []struct{ host, text string }{
		{"127.0.0.1", "127.0.0.1:4433: ECONNREFUSED: nobody listens there"},
		{"one.test", "one.test:4433: 127.0.0.1:4433: ECONNREFUSED: nobody listens there"},
	} {
		if e := dialError(originKey{host: c.host, port: 4433}, told); e.Code != sink.ErrRefused || e.Text != c.text {
			t.Errorf("at %s: %v %q, not %q", c.host, e.Code, e.Text, c.text)
		}
	}
}
