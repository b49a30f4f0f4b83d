package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	"golang.org/x/sys/unix"
)

// A routedPath is three network namespaces: a client's, a router's and a server's. Between router and client the MTU is 1280, which the server
// learns of only by what does not arrive, or from the router.
type routedPath struct{ client, router, server string }

const (
	routedServer = "10.66.2.2"
	routedClient = "10.66.1.2"
)

// newRoutedPath makes one, or skips the test where that is not to be had.
func newRoutedPath(t *testing.T) routedPath {
	t.Helper()
	name := fmt.Sprintf("zigh3-%d-", os.Getpid())
	client, router, server := name+"c", name+"r", name+"s"
	for i, ns := range []string{client, router, server} {
		if out, err := exec.Command("ip", "netns", "add", ns).CombinedOutput(); err != nil {
			if i > 0 {
				t.Fatalf("ip netns add: %v: %s", err, out)
			}
			t.Skipf("no network namespaces here: ip netns add: %v: %s", err, strings.TrimSpace(string(out)))
		}
		t.Cleanup(func() {
			if out, err := exec.Command("ip", "netns", "del", ns).CombinedOutput(); err != nil {
				t.Errorf("ip netns del: %v: %s", err, out)
			}
		})
	}
	for _, command := range []string{
		"ip link add narrow netns " + client + " mtu 1280 type veth peer name narrow netns " + router + " mtu 1280",
		"ip link add wide netns " + server + " type veth peer name wide netns " + router,
		"ip -n " + client + " addr add " + routedClient + "/24 dev narrow",
		"ip -n " + router + " addr add 10.66.1.1/24 dev narrow",
		"ip -n " + router + " addr add 10.66.2.1/24 dev wide",
		"ip -n " + server + " addr add " + routedServer + "/24 dev wide",
		"ip -n " + client + " link set narrow up",
		"ip -n " + router + " link set narrow up",
		"ip -n " + router + " link set wide up",
		"ip -n " + server + " link set wide up",
		"ip -n " + client + " route add default via 10.66.1.1",
		"ip -n " + server + " route add default via 10.66.2.1",
		"ip netns exec " + router + " sysctl -qw net.ipv4.ip_forward=1",
	} {
		words := strings.Fields(command)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Skipf("no routed network here: %s: %v: %s", command, err, strings.TrimSpace(string(out)))
		}
	}
	return routedPath{client, router, server}
}

// within runs f on a thread that is in a namespace, and ends with f: sockets that f makes are there.
func (p routedPath) within(t *testing.T, namespace string, f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and not unlocked: the thread ends with the goroutine
		file, err := os.Open("/var/run/netns/" + namespace)
		if err == nil {
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
			file.Close()
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// asker starts a server with these options; what it gives asks that for a page through the path.
func (p routedPath) asker(t *testing.T, options string) func(ctx context.Context) ([]byte, error) {
	t.Helper()
	f := serverOn(t, routedServer, options, long)
	p.within(t, p.server, f.server.Start)
	var socket *net.UDPConn
	p.within(t, p.client, func() (err error) {
		socket, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(routedClient)})
		return err
	})
	transport := &quic.Transport{Conn: socket}
	t.Cleanup(func() {
		transport.Close()
		socket.Close()
	})
	to := &net.UDPAddr{IP: net.ParseIP(routedServer), Port: int(f.server.Port())}
	return func(ctx context.Context) ([]byte, error) { return askThrough(ctx, transport, to) }
}

func askThrough(ctx context.Context, transport *quic.Transport, to net.Addr) ([]byte, error) {
	q, err := transport.Dial(ctx, to, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, &quic.Config{InitialPacketSize: 1200})
	if err != nil {
		return nil, err
	}
	defer q.CloseWithError(0x100, "")
	s, err := q.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { s.CancelRead(0x10c) })
	defer stop()
	s.Write(request("GET", "/"))
	s.Close()
	return io.ReadAll(s)
}

// As TestAPathOfMTU1280 and TestInitialPacketSize have it, with a router's kernel for the path.
func TestARoutedPathOfMTU1280(t *testing.T) {
	p := newRoutedPath(t)
	for _, options := range []string{"", `{"initial_packet_size": 1252}`, `{"max_packet_size": 1252}`} {
		if b, err := p.asker(t, options)(ctx(t)); err != nil || len(b) < 256<<10 {
			t.Errorf("%s: %d bytes, %v", options, len(b), err)
		}
	}
	if n := p.tooLarge(t); n == 0 { // what path MTU discovery has tried
		t.Error("the router found no packet too large: the path is not narrow")
	}
	// One byte more is too much for the router: the handshake does not come through, however often the server repeats itself.
	asking, give := context.WithCancel(ctx(t))
	answered := make(chan error, 1)
	ask, before := p.asker(t, `{"initial_packet_size": 1253}`), p.tooLarge(t)
	go func() {
		_, err := ask(asking)
		answered <- err
	}()
	eventually(t, "packets that are too large for the router", func() bool { return p.tooLarge(t) >= before+3 })
	give()
	if err := within(t, "the client's end", answered); !errors.Is(err, context.Canceled) {
		t.Errorf("a handshake through a path that is too narrow: %v", err)
	}
}

// tooLarge is how many packets the router did not pass on because they are too large.
func (p routedPath) tooLarge(t *testing.T) int {
	out, err := exec.Command("ip", "netns", "exec", p.router, "cat", "/proc/net/snmp").Output()
	if err != nil {
		t.Fatal(err)
	}
	var names, values []string
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); fields[0] == "Ip:" && names == nil {
			names = fields
		} else if fields[0] == "Ip:" {
			values = fields
		}
	}
	n, err := strconv.Atoi(values[slices.Index(names, "FragFails")])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
