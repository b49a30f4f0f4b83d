package engine

import "testing"

// Both ways to take a stream from http3 serve requests.
func TestStreamsAreTakenFromHTTP3(t *testing.T) {
	secondKind = true
	defer func() { secondKind = false }()
	f := serve(t, "", 0, hello)
	client := newClient(t)
	for _, slowly := range []bool{false, true} {
		if status, body := fetch(t, client, f.url("/")); status != 200 || body != "hello world" {
			t.Errorf("slowly %v: %d %q", slowly, status, body)
		}
		layout := knownWriter.Load()
		if layout == nil || !layout.known {
			t.Fatal("http3's ResponseWriter has another layout than take_stream.go knows")
		}
		avoiding := *layout
		avoiding.avoid = !slowly
		knownWriter.Store(&avoiding)
	}
}
