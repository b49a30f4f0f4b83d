package serve

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"zigh3/engine/cmd/h3/cli"
	"zigh3/engine/enginetest"
)

// As many responses as may have a file have one; others are answered 503, until one ends.
func TestResponsesAreBounded(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "large"), make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	f := newFolder(&options{}, &cli.Std{Err: os.Stderr}, root)
	f.places = make(chan struct{}, 1)
	if err := f.start("127.0.0.1", 0); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- f.run(t.Context()) }()
	c := enginetest.Dial(t, fmt.Sprintf("127.0.0.1:%d", f.server.Port()), enginetest.Options{StreamWindow: 64 << 10, ConnWindow: 128 << 10})
	first := c.OpenRequest()
	if err := first.SendRequest("GET", "/large"); err != nil {
		t.Fatal(err)
	}
	first.Close()
	if got, err := first.ReadResponse(); err != nil || got.Status != 200 {
		t.Fatal(got, err)
	}
	if got := c.Get("/large"); got.Status != 503 || got.Header.Get("retry-after") != "1" {
		t.Errorf("%d, retry-after %q", got.Status, got.Header.Get("retry-after"))
	}
	if n, err := io.Copy(io.Discard, first); n != 4<<20 || err != nil {
		t.Fatal(n, err)
	}
	for { // its place is free a moment after its end
		if got := c.Get("/nothing"); got.Status == 404 {
			break
		} else if got.Status != 503 {
			t.Fatal(got.Status)
		}
	}
	c.Close()
	f.server.Stop(0)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
