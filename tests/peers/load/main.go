// Load asks an HTTP/3 server for the same thing again and again, checks every answer, and says as one line of JSON how long that
// took and what it cost the server.
//
//	load -addr 127.0.0.1:4433 -mode get -connections 4 -streams 16 -seconds 3 -pid 123
//
// Modes: get (GET /, "hello world"), download (GET /bytes/n), upload (POST /upload with n bytes, whose answer names n), wait (opens
// 1,000 requests to /wait and measures the server's memory while they stand, until GET /release). Of WebTransport, at /echo and with
// webtransport-go's client: wt-datagram, wt-stream (back and forth on bidirectional streams), wt-session (open and close), wt-connect
// (the same with a connection for each), wt-idle (the server's memory for sessions that do nothing), wt-burst (at /burst, whose
// handler sleeps meanwhile). tests/bench/wtload does some of these with a client of another make.
//
// A measurement begins and ends with nothing in flight, so that requests, CPU time and datagrams are those of the same requests.
// The client is one for every server: quic-go's defaults, segmentation offload as the kernel gives it, no HTTP library.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

var (
	addr        = flag.String("addr", "127.0.0.1:4433", "address of the server")
	mode        = flag.String("mode", "get", "get, download, upload, wait, wt-datagram, wt-stream, wt-session, wt-connect, wt-idle or wt-burst")
	connections = flag.Int("connections", 4, "connections")
	streams     = flag.Int("streams", 16, "requests in flight on each connection")
	style       = flag.String("style", "loop", "get: how a connection keeps its requests in flight: loop (one goroutine, as an event loop does) or goroutines (one for each)")
	offer       = flag.Bool("datagrams", false, "get, download, upload, wait: offer DATAGRAM, as browsers do")
	size        = flag.Int64("bytes", 16<<20, "download, upload: bytes of a body")
	allocations = flag.Bool("mallocs", false, "count what the server allocates for a request, by its route /mallocs; not wait, wt-idle, wt-burst")
	sessions    = flag.Int("sessions", 5000, "wt-idle: sessions; wt-burst: datagrams")
	warm        = flag.Duration("warm", 500*time.Millisecond, "how long to ask before the measurement")
	seconds     = flag.Float64("seconds", 3, "how long to measure")
	limit       = flag.Int64("max", 10_000_000, "requests after which a measurement ends")
	pid         = flag.Int("pid", 0, "process of the server, for its CPU time and memory")
)

// patience is how long after its time a run may still be waiting for answers before it is given up.
const patience = 20 * time.Second

func main() {
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *warm+time.Duration(*seconds*float64(time.Second))+patience)
	defer cancel()
	time.AfterFunc(*warm+time.Duration(*seconds*float64(time.Second))+patience+time.Second, func() { fail(fmt.Errorf("no end after %s", patience)) })
	result, err := measure(ctx)
	if err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fail(err)
	}
}

func measure(ctx context.Context) (any, error) {
	count := new(datagrams)
	connect := dial
	if strings.HasPrefix(*mode, "wt-") {
		connect = dialSessions
	}
	clients := make([]*client, *connections)
	for i := range clients {
		c, err := connect(ctx, *addr, count)
		if err != nil {
			return nil, err
		}
		defer c.close()
		clients[i] = c
	}
	server := process(*pid)
	switch *mode {
	case "get":
		return repeat(ctx, clients, count, server, getting(ctx))
	case "download":
		return repeat(ctx, clients, count, server, downloading(ctx, *size))
	case "upload":
		return repeat(ctx, clients, count, server, uploading(ctx, *size))
	case "wait":
		return wait(ctx, clients, server, *streams)
	case "wt-datagram":
		return repeat(ctx, clients, count, server, pinging(ctx, int(*size)))
	case "wt-stream":
		return repeat(ctx, clients, count, server, echoing(ctx, int(*size)))
	case "wt-session":
		return repeat(ctx, clients, count, server, visiting(ctx))
	case "wt-connect":
		return repeat(ctx, clients, count, server, meeting(ctx))
	case "wt-idle":
		return idle(ctx, clients, server, *sessions)
	case "wt-burst":
		return burst(ctx, clients[0], *sessions)
	}
	return nil, fmt.Errorf("no mode %q", *mode)
}

func resolve(addr string) (*net.UDPAddr, error) { return net.ResolveUDPAddr("udp4", addr) }

func fail(err error) {
	fmt.Fprintln(os.Stderr, "load:", err)
	os.Exit(1)
}
