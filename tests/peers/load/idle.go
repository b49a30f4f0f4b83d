package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// idleReport is what sessions that do nothing cost the server.
type idleReport struct {
	Mode            string  `json:"mode"`
	Sessions        int     `json:"sessions"`
	Connections     int     `json:"connections"`
	GrowthBytes     int64   `json:"growth_bytes"`
	BytesPerSession float64 `json:"growth_bytes_per_session"`
	Seconds         float64 `json:"open_seconds"`
}

// idle opens so many sessions, in equal parts on all connections, and measures the server's memory once they are at rest. The
// connections themselves are there before.
func idle(ctx context.Context, clients []*client, server process, n int) (*idleReport, error) {
	time.Sleep(time.Second)
	before, err := server.memory("VmRSS")
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	work := make(chan *client, n)
	for i := range n {
		work <- clients[i%len(clients)]
	}
	close(work)
	err = together(32, func() error {
		for c := range work {
			if _, err := c.session(ctx, "/echo"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	took := time.Since(begin)
	time.Sleep(2 * time.Second)
	after, err := server.memory("VmRSS")
	if err != nil {
		return nil, err
	}
	return &idleReport{Mode: *mode, Sessions: n, Connections: len(clients), GrowthBytes: after - before,
		BytesPerSession: float64(after-before) / float64(n), Seconds: took.Seconds()}, nil
}

// A burst goes out in steps of so many datagrams, at this pace.
const (
	burstStep = 50
	burstPace = 10 * time.Microsecond
)

// burst sends so many datagrams to a handler that sleeps when the first one comes, and asks the server what became of them: GET
// /burst answers with JSON, which is the report. A packet of the client has one datagram in it, so a lost packet counts as one.
func burst(ctx context.Context, c *client, n int) (any, error) {
	session, err := c.session(ctx, "/burst")
	if err != nil {
		return nil, err
	}
	defer session.CloseWithError(0, "")
	datagram := make([]byte, 64)
	begin := time.Now()
	for i := range n {
		if i%burstStep == 0 { // as fast as a kernel with a small receive buffer bears: what it drops nobody can count
			time.Sleep(time.Until(begin.Add(time.Duration(i) * burstPace)))
		}
		if err := session.SendDatagram(datagram); err != nil {
			return nil, err
		}
	}
	time.Sleep(500 * time.Millisecond)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url("/burst"), nil)
	if err != nil {
		return nil, err
	}
	response, err := c.sessions.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	became := map[string]float64{}
	if err := json.Unmarshal(body, &became); err != nil {
		return nil, fmt.Errorf("GET /burst: %q: %w", body, err)
	}
	accounted := 0.0
	for _, count := range became {
		accounted += count
	}
	became["sent"], became["unaccounted"] = float64(n), float64(n)-accounted
	return became, nil
}
