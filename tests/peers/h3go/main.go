// H3go makes one HTTP/3 request over http3's own client and prints what came back, a fact a line:
//
//	h3go PORT METHOD PATH [BODY-BYTES [abort|hold]]
//
//	status 200
//	header name: value
//	body 5 hello         (length, and the bytes if they are few)
//	trailer name: value
//	error H3_INTERNAL_ERROR (local or remote)
//
// With abort the request is given up as soon as the response's headers are there; with hold the body is read only after a second, so
// that a response larger than the stream's window cannot end before. See datagrams.go for what it does with datagrams, drain.go for
// what it does in a session, and readers.go for many requests at once.
package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quic-go/quic-go/http3"
)

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: peer PORT METHOD PATH [BODY-BYTES [abort|hold]]")
		os.Exit(2)
	}
	if os.Args[2] == "datagrams" && len(os.Args) == 5 {
		tellDatagrams(os.Args[3:])
		return
	}
	if os.Args[2] == "drain" && len(os.Args) == 4 {
		if err := drain(os.Args[1], os.Args[3]); err != nil {
			tell(err)
		}
		return
	}
	if os.Args[2] == "readers" && len(os.Args) == 5 {
		if err := readers(os.Args[1], os.Args[3], os.Args[4]); err != nil {
			tell(err)
		}
		return
	}
	var body io.Reader
	if len(os.Args) > 4 {
		n, err := strconv.Atoi(os.Args[4])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		if n > 0 {
			body = strings.NewReader(strings.Repeat("x", n))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	transport := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableCompression: true}
	defer transport.Close()
	request, err := http.NewRequestWithContext(ctx, os.Args[2], "https://127.0.0.1:"+os.Args[1]+os.Args[3], body)
	if err != nil {
		tell(err)
		return
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		tell(err)
		return
	}
	fmt.Println("status", response.StatusCode)
	fields("header", response.Header)
	mode := ""
	if len(os.Args) > 5 {
		mode = os.Args[5]
	}
	switch mode {
	case "abort":
		cancel()
	case "hold":
		time.Sleep(time.Second)
	}
	data, err := io.ReadAll(response.Body)
	if len(data) <= 100 {
		fmt.Printf("body %d %s\n", len(data), data)
	} else {
		fmt.Printf("body %d sha256 %x\n", len(data), sha256.Sum256(data))
	}
	if err != nil {
		tell(err)
	}
	fields("trailer", response.Trailer)
	if mode == "abort" {
		time.Sleep(time.Second) // closing the connection at once would overtake the reset
	}
}

func fields(what string, h http.Header) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			fmt.Printf("%s %s: %s\n", what, strings.ToLower(name), value)
		}
	}
}

func tell(err error) {
	var e *http3.Error
	if errors.As(err, &e) {
		fmt.Println("error", e.ErrorCode, e.Remote)
		return
	}
	fmt.Println("error", err)
}
