package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"zigh3/engine/config"
	"zigh3/engine/sink"
)

// atOnce is how many fetches are under way in the benchmarks.
const atOnce = 64

// benchServer is the environment variable that makes a process of these tests the server of a benchmark.
const benchServer = "H3_CLIENT_BENCH_SERVER"

// startBenchServer starts a server that answers each GET with a few bytes, in a process of its own, so that only the client's time counts.
func startBenchServer(b *testing.B) (addr string) {
	b.Helper()
	server := exec.Command(os.Args[0], "-test.run=^TestServerOfTheBenchmarks$")
	server.Env = append(os.Environ(), benchServer+"=1")
	in, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		io.Copy(io.Discard, out)
		server.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if addr, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
			return addr
		}
	}
	b.Fatal("the server did not start")
	return ""
}

// TestServerOfTheBenchmarks is that process.
func TestServerOfTheBenchmarks(t *testing.T) {
	if os.Getenv(benchServer) == "" {
		t.Skip("only a benchmark asks for it")
	}
	p := serve(t, "", buffered, func(p *peer, e event) {
		if e.Type == sink.EventRequest {
			if r := p.request(e.Object); r != nil {
				p.Forget(e.Object)
				r.Send(200, fields("content-type", "text/plain"), sink.Chunk{Bytes: []byte("hello world")}, true)
			}
		}
	})
	fmt.Println("ready", p.addr)
	io.Copy(io.Discard, os.Stdin)
}

// costs reports what the benchmark's process has spent on each of b.N operations, since before.
func costs(b *testing.B, before time.Duration) {
	b.ReportMetric(float64((spent()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "fetches/s")
	b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines")
}

// spent is the time that this process's threads have run for.
func spent() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A benchSink hands events to its reactor as the queue of a library does: a copy each, and a batch at a time. It holds nothing against the
// contract, which costs more than a fetch.
type benchSink struct {
	sink.Sink
	mu    sync.Mutex
	more  sync.Cond
	queue []sink.Event
	last  atomic.Uint64
	free  sync.Pool
}

func newBenchSink() *benchSink {
	s := &benchSink{}
	s.more.L = &s.mu
	s.free.New = func() any { return new([sink.MaxPayload]byte) }
	return s
}

func (s *benchSink) Issue(sink.Kind, sink.Handle, any) (sink.Handle, bool) {
	return sink.Handle(s.last.Add(1)), true
}
func (s *benchSink) IssueFor(sink.Handle, any) bool  { return true }
func (s *benchSink) Release(sink.Handle) bool        { return true }
func (s *benchSink) Drained(sink.Handle, int)        {}
func (s *benchSink) Datagrams(sink.Handle, int, int) {}
func (s *benchSink) Lose(sink.EventType, uint64)     {}
func (s *benchSink) Abort(sink.Record)               {}
func (s *benchSink) Room() <-chan struct{}           { return nil }
func (s *benchSink) Commit(_ sink.Record, e *sink.Event) {
	s.mu.Lock()
	s.queue = append(s.queue, *e)
	s.mu.Unlock()
	s.more.Signal()
}

func (s *benchSink) Reserve(_ sink.Class, n int, _ <-chan struct{}) (sink.Record, bool) {
	p := s.free.Get().(*[sink.MaxPayload]byte)
	defer s.free.Put(p) // it is as good as copied
	return sink.Record{Payload: p[:n]}, true
}

// react calls handle for each event until it returns true.
func (s *benchSink) react(handle func(e *sink.Event) bool) {
	var batch []sink.Event
	for {
		s.mu.Lock()
		for len(s.queue) == 0 {
			s.more.Wait()
		}
		batch, s.queue = s.queue, batch[:0]
		s.mu.Unlock()
		for i := range batch {
			if handle(&batch[i]) {
				return
			}
		}
	}
}

// BenchmarkFetch has fetches of a small response under way on one connection.
func BenchmarkFetch(b *testing.B) {
	addr := startBenchServer(b)
	o, err := config.ParseClientOptions([]byte(`{"insecure": true, "max_connections_per_origin": 1}`))
	if err != nil {
		b.Fatal(err)
	}
	s := newBenchSink()
	c, err := New(o, 1<<41, s, new(sink.ClientStats))
	if err != nil {
		b.Fatal(err)
	}
	asked, answered, limit := 0, 0, 1
	request := Request{Method: "GET", Authority: addr, Path: "/", End: true}
	ask := func() {
		asked++
		c.Fetch(sink.Handle(s.last.Add(1)), &request)
	}
	run := func(n int) {
		limit += n
		for range min(atOnce, n) {
			ask()
		}
		s.react(func(e *sink.Event) bool {
			if e.Type != sink.EventFetchDone {
				return false
			}
			if e.Code != sink.OK {
				b.Fatalf("%+v", e)
			}
			if answered++; asked < limit {
				ask()
			}
			return answered == limit
		})
	}
	limit = 0
	run(atOnce)
	b.ReportAllocs()
	b.ResetTimer()
	before := spent()
	run(b.N)
	costs(b, before)
	b.StopTimer()
	c.Close(0)
	s.react(func(e *sink.Event) bool { return e.Type == sink.EventClientClosed })
}

// BenchmarkPlainHTTP3 is the same with quic-go's http3 as the client.
func BenchmarkPlainHTTP3(b *testing.B) {
	url := "https://" + startBenchServer(b) + "/"
	transport := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}}
	defer transport.Close()
	get := func() {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
		if err != nil {
			b.Error(err)
			return
		}
		res, err := transport.RoundTrip(req)
		if err != nil {
			b.Error(err)
			return
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			b.Error(err)
		}
		res.Body.Close()
	}
	get()
	b.ReportAllocs()
	b.ResetTimer()
	before := spent()
	var left atomic.Int64
	left.Store(int64(b.N))
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				get()
			}
		})
	}
	all.Wait()
	costs(b, before)
}
