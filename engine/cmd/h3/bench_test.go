package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// A count of requests is kept exactly, on as many connections as were asked for.
func TestBenchMakesSoManyRequests(t *testing.T) {
	var requests, conns atomic.Int64
	var known [3]atomic.Pointer[string]
	o := serveWith(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		for i := range known {
			if at := known[i].Load(); at == nil && known[i].CompareAndSwap(nil, &r.RemoteAddr) {
				conns.Add(1)
				break
			} else if at := known[i].Load(); *at == r.RemoteAddr {
				break
			}
		}
		n, _ := io.Copy(io.Discard, r.Body)
		if requests.Load()%2 == 0 {
			w.WriteHeader(404)
		}
		io.WriteString(w, strconv.FormatInt(n, 10))
	})
	got := h3(t, "bench", "--cacert", o.file, o.url("/"), "-c", "3", "-s", "4", "-n", "100", "--warm", "0", "--bytes", "1000", "--json", "--pid", strconv.Itoa(os.Getpid()))
	var r map[string]any
	if err := json.Unmarshal([]byte(got.out), &r); err != nil || got.exit != 0 {
		t.Fatalf("%v: %v", err, got)
	}
	statuses, _ := r["statuses"].(map[string]any)
	n200, _ := statuses["200"].(float64)
	n404, _ := statuses["404"].(float64)
	if r["requests"] != 100.0 || n200+n404 != 100 || r["failed"] != 0.0 || r["connections"] != 3.0 || r["streams"] != 4.0 || requests.Load() != 103 || conns.Load() != 3 {
		t.Errorf("%d requests on %d connections: %v", requests.Load(), conns.Load(), r)
	}
	last := 0.0
	for _, name := range []string{"p50_us", "p90_us", "p99_us", "p999_us", "max_us"} {
		if v, _ := r[name].(float64); v <= 0 || v < last {
			t.Errorf("%s is %v", name, r[name])
		} else {
			last = v
		}
	}
	for _, name := range []string{"requests_per_second", "megabytes_per_second", "client_cpu_us_per_request", "server_cpu_us_per_request", "seconds"} {
		if v, _ := r[name].(float64); v <= 0 {
			t.Errorf("%s is %v", name, r[name])
		}
	}
}

func TestBenchIsForPeopleToo(t *testing.T) {
	o := serveWith(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Method+r.Header.Get("X")) })
	got := h3(t, "bench", "--cacert", o.file, o.url("/"), "-t", "0.05", "--warm", "0", "-H", "x: y", "-X", "DELETE")
	if got.exit != 0 || !strings.HasPrefix(got.out, "1 connections, 16 requests in flight on each, ") || !strings.Contains(got.out, " with status 200\n") || !strings.Contains(got.out, "latency  p50 ") {
		t.Errorf("%v", got)
	}
}

func TestBenchTellsOfFailures(t *testing.T) {
	var n atomic.Int64
	o := serveWith(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%10 == 0 {
			panic(http.ErrAbortHandler)
		}
	})
	got := h3(t, "bench", "--cacert", o.file, o.url("/"), "-n", "100", "-s", "1", "--warm", "0", "--json")
	if got.exit != 56 || !strings.Contains(got.out, `"requests":90,"failed":10,"first_failure":"the server has reset the stream (0x102)"`) {
		t.Errorf("%v", got)
	}
	h3(t, "bench", o.url("/"), "-n", "10").want(t, 60, "", "unknown authority")
	o = serveWith(t, func(http.ResponseWriter, *http.Request) {})
	h3(t, "bench", "--cacert", o.file, o.url("/"), "-n", "10", "--pid", "4194304").want(t, 2, "", "--pid: ")
}
