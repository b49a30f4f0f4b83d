package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/quic-go/quic-go"

	"zigh3/engine/sink"
)

// A narrowPath is a network between a client and a server that drops datagrams with more payload than it has room for.
type narrowPath struct {
	client, server *net.UDPConn
	room           int

	mu    sync.Mutex
	peer  *net.UDPAddr
	sizes []int // of the datagrams that the server sent
}

func newNarrowPath(t *testing.T, f *fixture, room int) *narrowPath {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp4", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	server, err := net.DialUDP("udp4", nil, to)
	if err != nil {
		t.Fatal(err)
	}
	p := &narrowPath{client: listenLoopback(t), server: server, room: room}
	var running sync.WaitGroup
	running.Go(func() { p.carry(p.client, p.fromClient) })
	running.Go(func() { p.carry(p.server, p.fromServer) })
	t.Cleanup(func() {
		p.client.Close()
		p.server.Close()
		running.Wait()
	})
	return p
}

func (p *narrowPath) carry(from *net.UDPConn, pass func(b []byte, addr *net.UDPAddr)) {
	for b := make([]byte, 64<<10); ; {
		n, addr, err := from.ReadFromUDP(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			pass(b[:n], addr)
		}
	}
}

func (p *narrowPath) fromClient(b []byte, addr *net.UDPAddr) {
	p.mu.Lock()
	p.peer = addr
	p.mu.Unlock()
	if len(b) <= p.room {
		p.server.Write(b)
	}
}

func (p *narrowPath) fromServer(b []byte, _ *net.UDPAddr) {
	p.mu.Lock()
	p.sizes = append(p.sizes, len(b))
	peer := p.peer
	p.mu.Unlock()
	if len(b) <= p.room {
		p.client.WriteToUDP(b, peer)
	}
}

// sent are the sizes of the server's datagrams so far.
func (p *narrowPath) sent() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]int(nil), p.sizes...)
}

// ask asks for a page through the path, with packets that it has room for.
func (p *narrowPath) ask(ctx context.Context) ([]byte, error) {
	q, err := quic.DialAddr(ctx, p.client.LocalAddr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, &quic.Config{InitialPacketSize: 1200})
	if err != nil {
		return nil, err
	}
	defer q.CloseWithError(0x100, "")
	s, err := q.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		s.SetReadDeadline(deadline)
	}
	s.Write(request("GET", "/"))
	s.Close()
	return io.ReadAll(s)
}

// largest is the size of the largest datagram.
func largest(sizes []int) (n int) {
	for _, size := range sizes {
		n = max(n, size)
	}
	return n
}

// payloadOf1280 is what a path of MTU 1280 has room for: WireGuard's, with IPv6.
const payloadOf1280 = 1280 - 40 - 8

// long answers with more than a packet holds.
func long(c *consumer, e event) {
	if e.Type == sink.EventRequest {
		c.request(e.Object).Send(200, nil, sink.Chunk{Bytes: pattern(256 << 10)}, false)
	}
}

func TestAPathOfMTU1280(t *testing.T) {
	f := serve(t, "", 0, long)
	p := newNarrowPath(t, f, payloadOf1280)
	b, err := p.ask(ctx(t))
	if err != nil || len(b) < 256<<10 {
		t.Errorf("%d bytes, %v; the server's datagrams: %v", len(b), err, p.sent())
	}
}

func TestInitialPacketSize(t *testing.T) {
	f := serve(t, `{"initial_packet_size": 1280}`, 0, long)
	p := newNarrowPath(t, f, payloadOf1280)
	asking, give := context.WithCancel(ctx(t))
	answered := make(chan error, 1)
	go func() {
		_, err := p.ask(asking)
		answered <- err
	}()
	eventually(t, "a datagram of the server's that is too large", func() bool { return largest(p.sent()) == 1280 })
	give()
	if err := within(t, "the client's end", answered); !errors.Is(err, context.Canceled) {
		t.Errorf("a handshake through a path that is too narrow: %v", err)
	}
}

func TestMaxPacketSize(t *testing.T) {
	largestOf := func(options string, enough int) (n int) {
		f := serve(t, options, 0, long)
		p := newNarrowPath(t, f, 1500)
		eventually(t, "packets that are large enough", func() bool {
			if _, err := p.ask(ctx(t)); err != nil {
				t.Fatal(err)
			}
			n = largest(p.sent())
			return n >= enough
		})
		return n
	}
	if n := largestOf(`{"max_packet_size": 1300}`, 1300); n != 1300 {
		t.Errorf("the largest datagram has %d bytes, not 1300", n)
	}
	largestOf("", 1301)
}
