package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/quic-go/quic-go"
)

// waited is the outcome of wait mode: what is resident in the server, in bytes, with the connections open and idle, with every
// request waiting, and after the answers.
type waited struct {
	Mode        string  `json:"mode"`
	Connections int     `json:"connections"`
	Requests    int     `json:"requests"`
	Connected   int64   `json:"connected_bytes"`
	Waiting     int64   `json:"waiting_bytes"`
	Released    int64   `json:"released_bytes"`
	Growth      int64   `json:"growth_bytes"`
	GrowthEach  float64 `json:"growth_bytes_per_request"`
}

// settle is what a server is given to come to rest before its memory is read.
const settle = 300 * time.Millisecond

// wait opens each requests to /wait on every connection but the last, which asks /waiting until the server has them all, and then
// lets them go with /release.
func wait(ctx context.Context, clients []*client, server process, each int) (*waited, error) {
	if len(clients) < 2 {
		return nil, fmt.Errorf("wait needs a connection more than those that wait")
	}
	steering, clients := clients[len(clients)-1], clients[:len(clients)-1]
	for _, c := range clients { // what a connection's first request sets up is not of those that wait
		if _, err := c.text(ctx, "/"); err != nil {
			return nil, err
		}
	}
	if _, err := steering.text(ctx, "/waiting"); err != nil {
		return nil, err
	}
	out := &waited{Mode: "wait", Connections: len(clients), Requests: each * len(clients)}
	resident := func(to *int64) (err error) {
		time.Sleep(settle)
		*to, err = server.memory("VmRSS")
		return err
	}
	if err := resident(&out.Connected); err != nil {
		return nil, err
	}
	var open []*quic.Stream
	for range each {
		for _, c := range clients {
			s, err := c.send(ctx, c.request("GET", "/wait", -1))
			if err != nil {
				return nil, err
			}
			open = append(open, s)
		}
	}
	for {
		n, err := number(steering.text(ctx, "/waiting"))
		if err != nil {
			return nil, err
		}
		if n == len(open) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := resident(&out.Waiting); err != nil {
		return nil, err
	}
	n, err := number(steering.text(ctx, "/release"))
	if err != nil {
		return nil, err
	}
	if n != len(open) {
		return nil, fmt.Errorf("%d of %d requests released", n, len(open))
	}
	buf, a := make([]byte, 4<<10), answer{keep: true}
	for _, s := range open {
		a.reset()
		if err := a.read(s, buf); err != nil {
			return nil, fmt.Errorf("GET /wait: %w", err)
		}
		if string(a.kept) != "released" {
			return nil, fmt.Errorf("GET /wait: %q", a.kept)
		}
	}
	if err := resident(&out.Released); err != nil {
		return nil, err
	}
	out.Growth = out.Waiting - out.Connected
	out.GrowthEach = float64(out.Growth) / float64(len(open))
	return out, nil
}

func number(text string, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}
