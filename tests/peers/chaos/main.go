// Chaos is a client that behaves as badly as a client can: it aborts uploads and downloads, reads slowly or not at all, sends bodies
// in drops, opens streams to reset them, opens sessions at "/wt" and leaves them, their streams and their datagrams in every state,
// writes capsules, stream headers and datagrams that mean nothing, closes connections in the middle, and vanishes without a word. It
// says nothing about the answers; who runs it looks at what is left of the server afterwards.
//
//	chaos -port PORT [-seconds 5] [-seed 1] [-connections 4]
//
// It prints how many requests it made and how many of them it saw an answer to, how many sessions it asked for and how many of them
// were opened, and how many connections it had.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
)

var paths = []string{"/", "/hello", "/json", "/echo", "/upload", "/bytes/3000000", "/bytes/100", "/slow?ms=20", "/trailers", "/throw",
	"/params/a/b", "/missing", "/stats", "/a/b/c?d=e"}

type counts struct{ requests, answers, sessions, opened, connections atomic.Int64 }

func main() {
	port := flag.Int("port", 0, "UDP port on 127.0.0.1")
	seconds := flag.Float64("seconds", 5, "how long")
	seed := flag.Uint64("seed", 1, "what the choices follow from")
	connections := flag.Int("connections", 4, "at a time")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(*seconds*float64(time.Second)))
	defer cancel()
	var (
		n  counts
		wg sync.WaitGroup
	)
	for i := range *connections {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(*seed, uint64(i)))
			for ctx.Err() == nil {
				if err := connect(ctx, r, *port, &n); err != nil {
					time.Sleep(10 * time.Millisecond) // the server may be between two lives
				}
			}
		})
	}
	wg.Wait()
	fmt.Printf("%d requests, %d answers, %d sessions, %d opened, %d connections\n", n.requests.Load(), n.answers.Load(),
		n.sessions.Load(), n.opened.Load(), n.connections.Load())
}

// connect opens a connection, misuses it for a while, and ends it in one way or another.
func connect(ctx context.Context, r *rand.Rand, port int, n *counts) error {
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	transport := &quic.Transport{Conn: socket}
	defer func() {
		transport.Close()
		socket.Close()
	}()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(20+r.IntN(800))*time.Millisecond)
	defer cancel()
	kind := r.IntN(kinds)
	conn, err := transport.Dial(ctx, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port},
		&tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}, ServerName: "localhost"}, quicConfig(kind, r))
	if err != nil {
		return err
	}
	n.connections.Add(1)
	p, err := newPeer(ctx, conn, kind, n)
	if err != nil {
		conn.CloseWithError(0, "")
		return err
	}
	var wg sync.WaitGroup
	for range 1 + r.IntN(16) {
		own := rand.New(rand.NewPCG(r.Uint64(), r.Uint64()))
		wg.Go(func() {
			for ctx.Err() == nil && conn.Context().Err() == nil {
				p.act(own)
			}
		})
	}
	if r.IntN(4) == 0 { // in the middle of everything
		time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
	} else {
		<-ctx.Done()
	}
	if r.IntN(3) == 0 {
		socket.Close() // gone without a word
	} else {
		conn.CloseWithError(quic.ApplicationErrorCode(0x100+r.IntN(16)), "enough")
	}
	cancel()
	wg.Wait()
	return nil
}

// request makes one request and reports whether a status came back.
func request(ctx context.Context, client http.RoundTripper, r *rand.Rand) bool {
	if r.IntN(3) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.IntN(30))*time.Millisecond)
		defer cancel()
	}
	method, body := http.MethodGet, io.Reader(nil)
	switch r.IntN(5) {
	case 0:
		method = http.MethodHead
	case 1, 2:
		method, body = http.MethodPost, &drops{ctx: ctx, r: rand.New(rand.NewPCG(r.Uint64(), r.Uint64())), left: r.IntN(1 << (4 + r.IntN(18)))}
	}
	req, err := http.NewRequestWithContext(ctx, method, "https://localhost"+paths[r.IntN(len(paths))], body)
	if err != nil {
		panic(err) // of our own making
	}
	response, err := client.RoundTrip(req)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	switch r.IntN(6) {
	case 0: // reads nothing
	case 1:
		io.CopyN(io.Discard, response.Body, 100)
	case 2:
		for buf := make([]byte, 4096); ; time.Sleep(time.Millisecond) {
			if _, err := response.Body.Read(buf); err != nil || ctx.Err() != nil {
				break
			}
		}
	default:
		io.Copy(io.Discard, response.Body)
	}
	return true
}

// drops is a body that comes in pieces, with pauses, and may fail before its end.
type drops struct {
	ctx  context.Context
	r    *rand.Rand
	left int
}

func (d *drops) Read(p []byte) (int, error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	switch d.r.IntN(20) {
	case 0:
		return 0, io.ErrUnexpectedEOF
	case 1:
		select {
		case <-time.After(time.Duration(d.r.IntN(10)) * time.Millisecond):
		case <-d.ctx.Done():
			return 0, d.ctx.Err()
		}
	}
	n := min(len(p), d.left, 1+d.r.IntN(20000))
	d.left -= n
	return n, nil
}
