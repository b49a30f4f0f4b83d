// Plain is what the others are measured against: a server on quic-go's own http3, with its defaults, written as its documentation
// shows. It prints "ready <port>" and serves until it is killed.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/quic-go/quic-go/http3"
)

var (
	addr = flag.String("addr", "127.0.0.1:0", "address to listen on")
	cert = flag.String("cert", "", "PEM file with the certificate")
	key  = flag.String("key", "", "PEM file with its key")
)

func main() {
	flag.Parse()
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		log.Fatal(err)
	}
	conn, err := net.ListenPacket("udp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	server := &http3.Server{Handler: handler(), TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}}
	fmt.Println("ready", conn.LocalAddr().(*net.UDPAddr).Port)
	log.Fatal(server.Serve(conn))
}

func handler() http.Handler {
	mux := http.NewServeMux()
	// Made when first asked for: with so much on the heap the collector would hardly ever run, and every other scenario look cheaper.
	content := sync.OnceValue(func() []byte { return make([]byte, 64<<20) })
	var parked lot
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { text(w, "hello world") })
	mux.HandleFunc("GET /bytes/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("n"))
		bytes := content()
		if err != nil || n < 0 || n > len(bytes) {
			http.Error(w, "bad length", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(n))
		w.Write(bytes[:n])
	})
	mux.HandleFunc("POST /upload", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return // the client has gone
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"bytes":%d}`, n)
	})
	mux.HandleFunc("GET /wait", func(w http.ResponseWriter, r *http.Request) {
		gate := parked.enter()
		select {
		case <-gate:
			text(w, "released")
		case <-r.Context().Done():
			parked.leave(gate)
		}
	})
	mux.HandleFunc("GET /waiting", func(w http.ResponseWriter, r *http.Request) { text(w, strconv.Itoa(parked.count())) })
	mux.HandleFunc("GET /release", func(w http.ResponseWriter, r *http.Request) { text(w, strconv.Itoa(parked.release())) })
	return mux
}

func text(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, body)
}

// lot is where requests to /wait stand until all of them are let go.
type lot struct {
	mu   sync.Mutex
	n    int
	gate chan struct{}
}

func (l *lot) enter() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate == nil {
		l.gate = make(chan struct{})
	}
	l.n++
	return l.gate
}

func (l *lot) leave(gate <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate == gate { // not yet let go
		l.n--
	}
}

func (l *lot) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

func (l *lot) release() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.n
	if l.gate != nil {
		close(l.gate)
		l.gate = nil
	}
	l.n = 0
	return n
}
