// Plainclient is quic-go's http3 as a client, as a Go program would use it: one connection, an http.Client, a goroutine for each request in
// flight. It asks for the same thing again and again, checks every answer, and says as one line of JSON what that took and cost it.
//
//	plainclient -url https://127.0.0.1:4433 -mode get -streams 64 -seconds 3
//
// Modes: get (GET /, "hello world"), download (GET /bytes/n), upload (POST /upload with n bytes, whose answer counts them).
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/quic-go/quic-go/http3"
)

var (
	url     = flag.String("url", "https://127.0.0.1:4433", "server")
	mode    = flag.String("mode", "get", "get, download or upload")
	streams = flag.Int("streams", 64, "requests in flight")
	size    = flag.Int64("bytes", 16<<20, "download, upload: bytes of a body")
	warm    = flag.Duration("warm", 500*time.Millisecond, "how long to ask before the measurement")
	seconds = flag.Float64("seconds", 3, "how long to measure")
)

// report is named as those of tests/peers/load and tests/bench/fetch.ts.
type report struct {
	Requests        int     `json:"requests"`
	RequestsSecond  float64 `json:"requests_per_second"`
	MegabytesSecond float64 `json:"megabytes_per_second"` // 10^6 bytes of body, either direction
	P50             float64 `json:"p50_us"`
	P99             float64 `json:"p99_us"`
	ClientCPU       float64 `json:"client_cpu_us_per_request"`
}

func main() {
	flag.Parse()
	if err := measure(); err != nil {
		fmt.Fprintln(os.Stderr, "plainclient:", err)
		os.Exit(1)
	}
}

func measure() error {
	transport := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.Close()
	client := &http.Client{Transport: transport}
	once, moved := get, int64(0)
	switch *mode {
	case "get":
	case "download":
		once, moved = download, *size
	case "upload":
		once, moved = upload, *size
	default:
		return fmt.Errorf("no mode %q", *mode)
	}
	if _, _, err := phase(client, once, *warm); err != nil {
		return err
	}
	cpu := ownCPU()
	took, elapsed, err := phase(client, once, time.Duration(*seconds*float64(time.Second)))
	if err != nil {
		return err
	}
	cpu = ownCPU() - cpu
	if len(took) == 0 {
		return errors.New("no request came to its end")
	}
	slices.Sort(took)
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	n := float64(len(took))
	return json.NewEncoder(os.Stdout).Encode(report{
		Requests: len(took), RequestsSecond: n / elapsed.Seconds(), MegabytesSecond: n * float64(moved) / 1e6 / elapsed.Seconds(),
		P50: us(took[len(took)/2]), P99: us(took[len(took)*99/100]), ClientCPU: us(cpu) / n,
	})
}

// phase asks for a while, and gives how long each request took and all of them together.
func phase(client *http.Client, once func(context.Context, *http.Client) error, length time.Duration) ([]time.Duration, time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), length+20*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	all, errs := make([][]time.Duration, *streams), make([]error, *streams)
	start := time.Now()
	for i := range *streams {
		wg.Go(func() {
			for time.Since(start) < length && errs[i] == nil {
				begun := time.Now()
				if errs[i] = once(ctx, client); errs[i] == nil {
					all[i] = append(all[i], time.Since(begun))
				}
			}
		})
	}
	wg.Wait()
	return slices.Concat(all...), time.Since(start), errors.Join(errs...)
}

func get(ctx context.Context, client *http.Client) error {
	body, err := text(ctx, client, http.MethodGet, "/", nil)
	if err == nil && body != "hello world" {
		err = fmt.Errorf("GET / gave %q", body)
	}
	return err
}

func download(ctx context.Context, client *http.Client) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, *url+"/bytes/"+strconv.FormatInt(*size, 10), nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	n, err := io.Copy(io.Discard, answer.Body)
	if err == nil && n != *size {
		err = fmt.Errorf("%d bytes, not %d", n, *size)
	}
	return err
}

var uploaded = sync.OnceValue(func() []byte { return make([]byte, *size) })

func upload(ctx context.Context, client *http.Client) error {
	body, err := text(ctx, client, http.MethodPost, "/upload", uploaded())
	if err == nil && body != fmt.Sprintf(`{"bytes":%d}`, *size) {
		err = fmt.Errorf("POST /upload gave %q", body)
	}
	return err
}

// text is the body of an answer with status 200.
func text(ctx context.Context, client *http.Client, method, path string, body []byte) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, *url+path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	all, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s has status %d", method, path, answer.StatusCode)
	}
	return string(all), err
}

// ownCPU is the time that all threads of this process have run.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
