// Sessionclient is the Go engine's client alone, without C, rings or JavaScript: one goroutine takes its events out of a queue in memory and
// does the same again and again in WebTransport sessions with a server that echoes at /echo. It checks what comes back, and says as one line of
// JSON what that took and cost it.
//
//	sessionclient -addr 127.0.0.1:4433 -mode datagram -connections 4 -streams 16 -bytes 64 -seconds 3
//
// Modes: datagram (back and forth), stream (back and forth on bidirectional streams), session (opened and closed, on a connection that is there),
// connect (the same with a connection for each).
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"zigh3/engine/client"
	"zigh3/engine/cmd/h3/queue"
	"zigh3/engine/config"
	"zigh3/engine/sink"
)

var (
	addr        = flag.String("addr", "127.0.0.1:4433", "address of the server")
	mode        = flag.String("mode", "datagram", "datagram, stream, session or connect")
	connections = flag.Int("connections", 1, "sessions with a connection each, or connections to open them on")
	streams     = flag.Int("streams", 1, "in flight on each")
	size        = flag.Int("bytes", 64, "bytes of a datagram, or of a stream each way")
	warm        = flag.Duration("warm", 500*time.Millisecond, "how long to do so before the measurement")
	seconds     = flag.Float64("seconds", 3, "how long to measure")
)

// report is named as those of tests/peers/load and tests/bench/session.ts.
type report struct {
	Requests        int     `json:"requests"`
	RequestsSecond  float64 `json:"requests_per_second"`
	MegabytesSecond float64 `json:"megabytes_per_second"` // 10^6 bytes of payload, either direction
	P50             float64 `json:"p50_us"`
	P99             float64 `json:"p99_us"`
	ClientCPU       float64 `json:"client_cpu_us_per_request"`
}

// patience is how long after its time a run may still wait for what is in flight.
const patience = 20 * time.Second

func main() {
	flag.Parse()
	length := time.Duration(*seconds * float64(time.Second))
	time.AfterFunc(*warm+length+patience, func() { fail(fmt.Errorf("no end after %s", patience)) })
	sink.SetFaultHandler(func(name string, v any, stack []byte) {
		fmt.Fprintf(os.Stderr, "%s: %v\n%s", name, v, stack)
		os.Exit(1)
	})
	l, err := newLoop()
	if err != nil {
		fail(err)
	}
	go l.queue.Run(l.handle)
	l.await(l.open)
	l.phase(*warm)
	cpu, begun := ownCPU(), time.Now()
	l.phase(length)
	elapsed := time.Since(begun)
	cpu = ownCPU() - cpu
	took := l.took
	if len(took) == 0 {
		fail(errors.New("nothing came to its end"))
	}
	slices.Sort(took)
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	n := float64(len(took))
	if err := json.NewEncoder(os.Stdout).Encode(report{
		Requests: len(took), RequestsSecond: n / elapsed.Seconds(), MegabytesSecond: n * float64(*size) / 1e6 / elapsed.Seconds(),
		P50: us(took[len(took)/2]), P99: us(took[len(took)*99/100]), ClientCPU: us(cpu) / n,
	}); err != nil {
		fail(err)
	}
}

func newLoop() (*loop, error) {
	o, err := config.ParseClientOptions([]byte(`{"insecure": true, "max_connections_per_origin": 1}`))
	if err != nil {
		return nil, err
	}
	l := &loop{queue: queue.New(), lanes: map[sink.Handle]*lane{}, sessions: map[sink.Handle]*pings{}, payload: make([]byte, *size), idle: make(chan struct{}, 1)}
	modes := map[string]func(*loop){"datagram": (*loop).openSessions, "stream": (*loop).openSessions, "session": (*loop).nothing, "connect": (*loop).nothing}
	if l.begin = modes[*mode]; l.begin == nil {
		return nil, fmt.Errorf("no mode %q", *mode)
	}
	const clients = 1 << 62 // no handle of the queue's is as large
	for i := range *connections {
		c, err := client.New(o, clients+sink.Handle(i), l.queue, new(sink.ClientStats))
		if err != nil {
			return nil, err
		}
		l.clients = append(l.clients, c)
	}
	return l, nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "sessionclient:", err)
	os.Exit(1)
}

// ownCPU is the time that all threads of this process have run.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
