package main

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
)

// measureGets makes three requests to a server whose /mallocs says what mallocs does, given how many it has answered.
func measureGets(t *testing.T, mallocs func(answered int64) string) (*report, error) {
	var answered atomic.Int64
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/mallocs" {
			io.WriteString(w, mallocs(answered.Load()))
			return
		}
		answered.Add(1)
		io.WriteString(w, hello)
	})
	c, err := dial(t.Context(), addr, new(datagrams))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	*streams, *warm, *seconds, *limit, *allocations = 1, 0, 60, 3, true // limit ends it
	defer func() { *allocations = false }()
	return repeat(t.Context(), []*client{c}, new(datagrams), 0, getting(t.Context()))
}

func TestAllocationsAreThoseBetweenTheAnswers(t *testing.T) {
	r, err := measureGets(t, func(answered int64) string { return fmt.Sprint(1000 + 40*answered) })
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests != 3 || r.ServerMallocs != 40 {
		t.Errorf("%d requests of %v allocations, want 3 of 40", r.Requests, r.ServerMallocs)
	}
}

func TestWhatIsNoNumberOfAllocationsFailsTheRun(t *testing.T) {
	const want = `GET /mallocs: "many" is no number`
	if _, err := measureGets(t, func(int64) string { return "many" }); message(err) != want {
		t.Errorf("error %q, want %q", message(err), want)
	}
}
