package client

import (
	"net"
	"sync"
	"testing"
)

// A relay is a way to a server that a test can spoil.
type relay struct {
	addr string

	mu   sync.Mutex
	to   string
	came int              // packets of the server's since lose
	lost func(n int) bool // of these
}

// newRelay makes one that loses nothing yet.
func newRelay(t testing.TB, to string) *relay {
	t.Helper()
	front, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{addr: front.LocalAddr().String(), to: to}
	var all sync.WaitGroup
	t.Cleanup(func() {
		front.Close()
		all.Wait()
	})
	all.Go(func() {
		backs := map[string]net.Conn{}
		defer func() {
			for _, back := range backs {
				back.Close()
			}
		}()
		buf := make([]byte, 2048)
		for {
			n, from, err := front.ReadFromUDP(buf)
			if err != nil {
				return
			}
			r.mu.Lock()
			to := r.to
			r.mu.Unlock()
			way := from.String() + " " + to
			back := backs[way]
			if back == nil {
				if back, err = net.Dial("udp", to); err != nil {
					return
				}
				backs[way] = back
				all.Go(func() { r.back(front, back, from) })
			}
			back.Write(buf[:n]) // it fails where the server has gone
		}
	})
	return r
}

// back brings what the server sends to a client.
func (r *relay) back(front *net.UDPConn, back net.Conn, to *net.UDPAddr) {
	buf := make([]byte, 2048)
	for {
		n, err := back.Read(buf)
		if err != nil {
			return
		}
		r.mu.Lock()
		lost := r.lost != nil && r.lost(r.came)
		r.came++
		r.mu.Unlock()
		if !lost {
			front.WriteToUDP(buf[:n], to)
		}
	}
}

// turn has what comes from now on brought to another server.
func (r *relay) turn(to string) {
	r.mu.Lock()
	r.to = to
	r.mu.Unlock()
}

// lose has packets of the server's lost from now on: those of which lost says so, which is given their number.
func (r *relay) lose(lost func(n int) bool) {
	r.mu.Lock()
	r.lost, r.came = lost, 0
	r.mu.Unlock()
}
