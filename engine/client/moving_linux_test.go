package client

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"zigh3/engine/enginetest"
	"zigh3/engine/sink"
)

// Two network namespaces: a server's, with an address that both ways lead to, and a client's, which has one of two addresses at a time. The server
// and the client are this test's program again, since a namespace is a thread's, and Go moves work between threads.
const (
	movingServer = "H3_CLIENT_MOVING_SERVER"
	movingClient = "H3_CLIENT_MOVING_CLIENT" // the server's port
	homeOfServer = "10.67.9.9"
)

// addresses are the client's, one at a time: its network, and the server's end of it.
var addresses = []struct{ own, gateway string }{{"10.67.1.2", "10.67.1.1"}, {"10.67.2.2", "10.67.2.1"}}

// ip runs the program of that name, and skips the test where may is set and it cannot do what it is asked for.
func ip(t *testing.T, may bool, command string, args ...any) {
	t.Helper()
	command = fmt.Sprintf(command, args...)
	if out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil && may {
		t.Skipf("no network namespaces here: ip %s: %v: %s", command, err, strings.TrimSpace(string(out)))
	} else if err != nil {
		t.Fatalf("ip %s: %v: %s", command, err, out)
	}
}

// again runs this program in a namespace.
func again(namespace, test, variable, value string) *exec.Cmd {
	program := exec.Command("ip", "netns", "exec", namespace, os.Args[0], "-test.run=^"+test+"$", "-test.v", "-test.timeout=100s")
	program.Env = append(os.Environ(), variable+"="+value)
	return program
}

// A connection whose address is lost goes on from another one, with all that is open on it.
func TestAConnectionWhoseAddressIsLost(t *testing.T) {
	client, server := fmt.Sprintf("zigh3-%d-mc", os.Getpid()), fmt.Sprintf("zigh3-%d-ms", os.Getpid())
	for _, ns := range []string{client, server} {
		ip(t, true, "netns add %s", ns)
		t.Cleanup(func() { ip(t, false, "netns del %s", ns) })
	}
	ip(t, true, "link add near netns %s type veth peer name far netns %s", client, server)
	for _, command := range []string{"link set lo up", "link set far up", "addr add " + homeOfServer + "/32 dev lo"} {
		ip(t, true, "-n %s %s", server, command)
	}
	for _, a := range addresses {
		ip(t, true, "-n %s addr add %s/24 dev far", server, a.gateway)
	}
	ip(t, true, "-n %s link set near up", client)

	serves := again(server, "TestServerOfTheMove", movingServer, "1")
	in, err := serves.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := serves.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serves.Start(); err != nil {
		t.Skipf("no network namespaces here: ip netns exec: %v", err)
	}
	defer serves.Wait()
	defer in.Close()
	port := ""
	for lines := bufio.NewScanner(out); port == "" && lines.Scan(); {
		_, port, _ = strings.Cut(lines.Text(), "ready ")
	}
	go io.Copy(io.Discard, out)
	if port == "" {
		t.Fatal("the server did not start")
	}
	if out, err := again(client, "TestClientOfTheMove", movingClient, port).CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestClientOfTheMove") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestServerOfTheMove is the server: each request, once it has ended, is answered with what came, and with where it comes from as the server sees it.
func TestServerOfTheMove(t *testing.T) {
	if os.Getenv(movingServer) == "" {
		t.Skip("only TestAConnectionWhoseAddressIsLost asks for it")
	}
	cert, _ := certificate(t, nil)
	ln, err := quic.ListenAddr("0.0.0.0:0", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h3"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := strings.Cut(ln.Addr().String(), "]:")
	fmt.Println("ready " + port)
	go func() {
		for n := 0; ; n++ {
			q, err := ln.Accept(t.Context())
			if err != nil {
				return
			}
			c := &rawConn{Conn: q, t: t, n: n}
			c.control, _ = q.OpenUniStream()
			c.settle()
			go func() {
				for s := c.next(); s != nil; s = c.next() {
					go func() {
						s.Write(join(headers(":status", "200"), data(fmt.Sprint(c.RemoteAddr(), " ", bodyBytes(s)))))
						s.Close()
					}()
				}
			}()
		}
	}()
	io.Copy(io.Discard, os.Stdin)
}

// bodyBytes is how many bytes the DATA frames of a request have, from its begin to its end.
func bodyBytes(r io.Reader) (n int64) {
	in := bufio.NewReader(r)
	for {
		typ, err := quicvarint.Read(in)
		if err != nil {
			return n
		}
		length, _ := quicvarint.Read(in)
		m, _ := io.CopyN(io.Discard, in, int64(length))
		if typ == enginetest.FrameData {
			n += m
		}
	}
}

// live gives the client's namespace one of its addresses, and none of the others.
func live(t *testing.T, n int) {
	a := addresses[n]
	ip(t, false, "addr add %s/24 dev near", a.own)
	ip(t, false, "route add default via %s src %s", a.gateway, a.own)
}

// TestClientOfTheMove is the client.
func TestClientOfTheMove(t *testing.T) {
	port := os.Getenv(movingClient)
	if port == "" {
		t.Skip("only TestAConnectionWhoseAddressIsLost asks for it")
	}
	live(t, 0)
	server := homeOfServer + ":" + port
	f := newFixture(t, `{"keep_alive_ms": 100}`)
	from := func(n int, a *asked) {
		t.Helper()
		if a.wait(); a.end.Code != sink.OK || !strings.HasPrefix(string(a.body), addresses[n].own+":") {
			t.Errorf("%v", a)
		}
	}
	from(0, f.get(server, "/"))
	upload := f.start(Request{Method: "POST", Authority: server, Path: "/"})
	upload.do(func(x *Fetch) { x.Write(sink.Chunk{Bytes: make([]byte, 50_000)}) })
	for i, n := range []int{1, 0} {
		ip(t, false, "addr del %s/24 dev near", addresses[1-n].own)
		waits := f.startGet(server) // there is no way just now
		upload.do(func(x *Fetch) { x.Write(sink.Chunk{Bytes: make([]byte, 50_000)}) })
		eventually(t, "packets without a way", func() bool {
			_, err := sourceOf(remote(server))
			return err != nil
		})
		live(t, n)
		eventually(t, "the connection has moved", func() bool { return f.stats[sink.ClientStatConnectionsMoved].Load() == uint64(i+1) })
		waits.wait()
		if waits.end.Code != sink.OK {
			t.Errorf("%v", waits)
		}
		from(n, f.get(server, "/"))
		eventually(t, "the connection is where its packets go out from: it need not move again", func() (there bool) {
			p := &f.client.pool
			p.mu.Lock()
			defer p.mu.Unlock()
			for c := range p.conns {
				c.movement.mu.Lock()
				there = c.movement.source.String() == addresses[n].own && !c.movement.moving
				c.movement.mu.Unlock()
			}
			return there
		})
	}
	upload.do(func(x *Fetch) { x.End(chunk("end")) })
	if from(0, upload); !strings.HasSuffix(string(upload.body), " 150003") {
		t.Errorf("%v", upload)
	}
	if n := f.stats[sink.StatConnectionsTotal].Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// remote is an address.
type remote string

func (r remote) Network() string { return "udp" }
func (r remote) String() string  { return string(r) }
