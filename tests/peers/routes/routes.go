// Package routes is what the servers on quic-go's http3 answer in the benchmark, the one with sessions as the one without, so that
// nothing but the sessions makes them differ: GET / with "hello world", GET /bytes/n, POST /upload, GET /wait until GET /release,
// GET /waiting with how many do, and GET /mallocs with how many objects the process has allocated since it began.
package routes

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"sync"
)

// New makes a handler with a state of its own.
func New() *http.ServeMux {
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
	mux.HandleFunc("GET /mallocs", func(w http.ResponseWriter, r *http.Request) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		text(w, strconv.FormatUint(m.Mallocs, 10))
	})
	mux.HandleFunc("GET /waiting", func(w http.ResponseWriter, r *http.Request) { text(w, strconv.Itoa(parked.count())) })
	mux.HandleFunc("GET /release", func(w http.ResponseWriter, r *http.Request) { text(w, strconv.Itoa(parked.release())) })
	return mux
}

func text(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, body)
}
