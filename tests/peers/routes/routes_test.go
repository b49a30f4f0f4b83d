package routes

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
)

func ask(t *testing.T, h http.Handler, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, http.NoBody))
	return w
}

func TestAnswers(t *testing.T) {
	h := New()
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/", 200, "hello world"},
		{"GET", "/bytes/3", 200, "\x00\x00\x00"},
		{"GET", "/bytes/67108865", 400, "bad length\n"},
		{"GET", "/bytes/some", 400, "bad length\n"},
		{"POST", "/upload", 200, `{"bytes":0}`},
		{"GET", "/waiting", 200, "0"},
		{"GET", "/release", 200, "0"},
		{"GET", "/else", 404, "404 page not found\n"},
	} {
		if w := ask(t, h, c.method, c.path); w.Code != c.status || w.Body.String() != c.body {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, w.Code, w.Body, c.status, c.body)
		}
	}
}

var kept [1000]*int // so that the compiler leaves them on the heap

func TestMallocsCountsObjects(t *testing.T) {
	h := New()
	number := func() int {
		n, err := strconv.Atoi(ask(t, h, "GET", "/mallocs").Body.String())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := number()
	for i := range kept {
		kept[i] = new(int)
	}
	if more := number() - before; more < len(kept) {
		t.Errorf("%d more after %d allocations", more, len(kept))
	}
}
