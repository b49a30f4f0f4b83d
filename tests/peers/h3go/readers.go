package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// readersWindow is what the peer lets QUIC take of each response before it reads.
const readersWindow = 32 << 10

// readers asks for /held many times, some on each connection, and reads nothing of the responses before GET /go is answered. Then it reads
// all of them, or goes:
//
//	h3go PORT readers COUNT read|quit
//
//	read 200 of 262144    (responses, each of as many bytes k%251)
func readers(port, count, then string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	const perConnection = 100
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	url := "https://127.0.0.1:" + port
	var transports []*http3.Transport
	responses := make([]*http.Response, n)
	for i := range responses {
		if i%perConnection == 0 {
			transports = append(transports, &http3.Transport{
				TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableCompression: true,
				QUICConfig: &quic.Config{InitialStreamReceiveWindow: readersWindow, InitialConnectionReceiveWindow: 8 << 20},
			})
			defer transports[len(transports)-1].Close()
		}
		if responses[i], err = get(ctx, transports[len(transports)-1], url+"/held"); err != nil {
			return err
		}
	}
	response, err := get(ctx, transports[0], url+"/go")
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil || then == "quit" {
		return err
	}
	var wg sync.WaitGroup
	var whole, bytes atomic.Int64
	for _, response := range responses {
		wg.Go(func() {
			body, err := io.ReadAll(response.Body)
			if err != nil {
				return
			}
			for k, b := range body {
				if b != byte(k%251) {
					return
				}
			}
			whole.Add(1)
			bytes.Store(int64(len(body)))
		})
	}
	wg.Wait()
	fmt.Println("read", whole.Load(), "of", bytes.Load())
	return nil
}

func get(ctx context.Context, transport *http3.Transport, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return transport.RoundTrip(request)
}
