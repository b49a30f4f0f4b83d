package client

import (
	"testing"

	"zigh3/engine/sink"
)

// An informational head is no response, also where the end of the stream is there with it. Whether it is, is up to the network: so it is asked for
// some times.
func TestAnInformationalHeadAlone(t *testing.T) {
	r := listenRaw(t, nil, answering(headers(":status", "103")))
	f := newFixture(t, "")
	for range 50 {
		if a := f.get(r.addr, "/"); a.end.Code != sink.ErrTruncated || a.status != 0 {
			t.Fatalf("%v", a)
		}
	}
}
