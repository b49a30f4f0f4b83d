// Client sends numbered requests to a server under test over quic-go's own HTTP/3 client and checks that each answer belongs to
// its request. The server answers GET /path/N and GET /parts/N with the path that was asked for, and POST /echo with the body, all
// as text/plain.
//
// It prints one line of JSON and exits with 1 if any request failed.
package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// A report is what the client prints.
type report struct {
	Requests    int      `json:"requests"`
	OK          int64    `json:"ok"`
	Failed      int64    `json:"failed"`
	Connections int      `json:"connections"`
	Seconds     float64  `json:"seconds"`
	PerSecond   float64  `json:"per_second"`
	Errors      []string `json:"errors,omitempty"` // the first few
}

const maxErrors = 5

func main() {
	url := flag.String("url", "", "server, as https://127.0.0.1:4433")
	requests := flag.Int("n", 10000, "requests in total")
	inFlight := flag.Int("c", 64, "requests in flight, over all connections")
	connections := flag.Int("connections", 4, "connections")
	insecure := flag.Bool("insecure", false, "accept any certificate")
	hash := flag.String("hash", "", "accept the certificate with this SHA-256, in hexadecimal")
	timeout := flag.Duration("timeout", 2*time.Minute, "for everything")
	flag.Parse()
	if *url == "" || flag.NArg() > 0 || *requests < 1 || *inFlight < 1 || *connections < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()

	result := run(ctx, strings.TrimRight(*url, "/"), *requests, *inFlight, dial(*connections, tlsConfig(*insecure, *hash)))
	line, err := json.Marshal(result)
	if err != nil {
		panic(err) // a struct of numbers and strings always marshals
	}
	fmt.Println(string(line))
	if result.Failed > 0 {
		os.Exit(1)
	}
}

// tlsConfig trusts every certificate, the one with the given hash, or those that the system trusts.
func tlsConfig(insecure bool, hash string) *tls.Config {
	if !insecure && hash == "" {
		return &tls.Config{}
	}
	config := &tls.Config{InsecureSkipVerify: true}
	if hash != "" {
		config.VerifyPeerCertificate = func(raw [][]byte, _ [][]*x509.Certificate) error {
			if got := sha256.Sum256(raw[0]); !strings.EqualFold(hex.EncodeToString(got[:]), hash) {
				return fmt.Errorf("certificate %x, not %s", got, hash)
			}
			return nil
		}
	}
	return config
}

// dial makes one transport for each connection, since a transport keeps to one connection by itself.
func dial(n int, config *tls.Config) []*http3.Transport {
	transports := make([]*http3.Transport, n)
	for i := range transports {
		transports[i] = &http3.Transport{
			TLSClientConfig:    config.Clone(),
			QUICConfig:         &quic.Config{MaxIdleTimeout: 30 * time.Second},
			DisableCompression: true,
		}
	}
	return transports
}

func run(ctx context.Context, url string, requests, inFlight int, transports []*http3.Transport) report {
	var next, ok, failed atomic.Int64
	var mu sync.Mutex
	var failures []string
	begin := time.Now()

	var workers sync.WaitGroup
	for w := range inFlight {
		transport := transports[w%len(transports)]
		workers.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(requests) {
					return
				}
				err := ask(ctx, transport, url, i)
				if err == nil {
					ok.Add(1)
					continue
				}
				failed.Add(1)
				mu.Lock()
				if len(failures) < maxErrors {
					failures = append(failures, fmt.Sprintf("request %d: %v", i, err))
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	seconds := time.Since(begin).Seconds()

	for _, transport := range transports {
		if err := transport.Close(); err != nil {
			failed.Add(1)
			failures = append(failures, fmt.Sprintf("closing: %v", err))
		}
	}
	return report{
		Requests: requests, OK: ok.Load(), Failed: failed.Load(), Connections: len(transports),
		Seconds: seconds, PerSecond: float64(ok.Load()) / seconds, Errors: failures,
	}
}

// ask sends request i and checks its answer: of ten requests eight are a small GET, one is answered in parts, one carries a body.
func ask(ctx context.Context, transport *http3.Transport, url string, i int64) error {
	method, path, body := http.MethodGet, fmt.Sprintf("/path/%d", i), ""
	want := path
	switch i % 10 {
	case 4:
		path = fmt.Sprintf("/parts/%d", i)
		want = path
	case 9:
		method, path = http.MethodPost, "/echo"
		body = fmt.Sprintf("body of request %d", i)
		want = body
	}
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, url+path, reader)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(io.LimitReader(response.Body, int64(len(want))+1))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || string(got) != want {
		return fmt.Errorf("%s %s: %d %q, not 200 %q", method, path, response.StatusCode, got, want)
	}
	if kind := response.Header.Get("Content-Type"); kind != "text/plain" {
		return fmt.Errorf("%s %s: content-type %q", method, path, kind)
	}
	return nil
}
