package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// report is the outcome of a measurement. Datagrams are counted at the client's sockets, acknowledgements included.
type report struct {
	Mode             string  `json:"mode"`
	Connections      int     `json:"connections"`
	Streams          int     `json:"streams"`
	Seconds          float64 `json:"seconds"`
	Requests         int     `json:"requests"`
	RequestsSecond   float64 `json:"requests_per_second"`
	MegabytesSecond  float64 `json:"megabytes_per_second"` // 10^6 bytes of body, either direction
	P50              float64 `json:"p50_us"`
	P99              float64 `json:"p99_us"`
	Datagrams        float64 `json:"datagrams_per_request"`
	DatagramsSent    float64 `json:"datagrams_sent_per_request"`
	DatagramsArrived float64 `json:"datagrams_received_per_request"`
	ServerCPU        float64 `json:"server_cpu_us_per_request"`
	ServerMainCPU    float64 `json:"server_main_thread_cpu_us_per_request"`
	ServerPeak       int64   `json:"server_peak_bytes"`
	ServerMallocs    float64 `json:"server_allocations_per_request,omitempty"` // with -mallocs
	ClientCPU        float64 `json:"client_cpu_us_per_request"`
}

// a job keeps one connection busy: it makes requests, as many at a time as -streams says, until more answers false, and then lets
// those in flight come to their end. done is told of every answer that came as it should.
type job struct {
	size int64 // bytes of body that a request moves
	run  func(c *client, more func() bool, done func(took time.Duration)) error
}

// repeat runs a job on every connection, first to warm up and then to measure.
func repeat(ctx context.Context, clients []*client, count *datagrams, server process, j job) (*report, error) {
	if _, _, err := phase(clients, j, *warm); err != nil {
		return nil, err
	}
	if err := server.forgetPeak(); err != nil {
		return nil, err
	}
	allocated, err := mallocs(ctx, clients[0])
	if err != nil {
		return nil, err
	}
	cpu, err := server.cpu()
	if err != nil {
		return nil, err
	}
	mainCPU, err := server.mainCPU()
	if err != nil {
		return nil, err
	}
	sent, received := count.total()
	own := ownCPU()
	took, elapsed, err := phase(clients, j, time.Duration(*seconds*float64(time.Second)))
	if err != nil {
		return nil, err
	}
	ownAfter := ownCPU()
	sentAfter, receivedAfter := count.total()
	cpuAfter, err := server.cpu()
	if err != nil {
		return nil, err
	}
	mainCPUAfter, err := server.mainCPU()
	if err != nil {
		return nil, err
	}
	allocatedAfter, err := mallocs(ctx, clients[0])
	if err != nil {
		return nil, err
	}
	peak, err := server.memory("VmHWM")
	if err != nil {
		return nil, err
	}
	n := float64(len(took))
	if n == 0 {
		return nil, errors.New("no request came to its end")
	}
	slices.Sort(took)
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	return &report{
		Mode: *mode, Connections: *connections, Streams: *streams, Seconds: elapsed.Seconds(), Requests: len(took),
		RequestsSecond: n / elapsed.Seconds(), MegabytesSecond: n * float64(j.size) / 1e6 / elapsed.Seconds(),
		P50: us(took[len(took)/2]), P99: us(took[len(took)*99/100]),
		Datagrams:     float64(sentAfter-sent+receivedAfter-received) / n,
		DatagramsSent: float64(sentAfter-sent) / n, DatagramsArrived: float64(receivedAfter-received) / n,
		ServerCPU: us(cpuAfter-cpu) / n, ServerMainCPU: us(mainCPUAfter-mainCPU) / n, ServerPeak: peak, ServerMallocs: float64(allocatedAfter-allocated) / n, ClientCPU: us(ownAfter-own) / n,
	}, nil
}

// phase runs a job on every connection for a while, and gives how long each request took and all of them together.
func phase(clients []*client, j job, length time.Duration) ([]time.Duration, time.Duration, error) {
	var made atomic.Int64
	var failed atomic.Bool
	var wg sync.WaitGroup
	all := make([][]time.Duration, len(clients))
	errs := make([]error, len(clients))
	start := time.Now()
	more := func() bool { return made.Add(1) <= *limit && !failed.Load() && time.Since(start) < length }
	for i, c := range clients {
		wg.Go(func() {
			var mu sync.Mutex // a job may have several goroutines
			errs[i] = j.run(c, more, func(took time.Duration) {
				mu.Lock()
				all[i] = append(all[i], took)
				mu.Unlock()
			})
			if errs[i] != nil {
				failed.Store(true)
			}
		})
	}
	wg.Wait()
	return slices.Concat(all...), time.Since(start), errors.Join(errs...)
}
