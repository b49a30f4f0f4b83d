package client

import (
	"testing"

	"zigh3/engine/sink"
)

// BenchmarkFetch has 64 fetches of a small response under way on one connection, from a server in the same process.
func BenchmarkFetch(b *testing.B) {
	p := serve(b, "", buffered, func(p *peer, e event) {
		if e.Type == sink.EventRequest {
			if r := p.request(e.Object); r != nil {
				p.Forget(e.Object)
				r.Send(200, nil, sink.Chunk{Bytes: []byte("hello world")}, true)
			}
		}
	})
	f := newFixture(b, `{"max_connections_per_origin": 1}`)
	f.get(p.addr, "/")
	left, done := b.N, make(chan struct{})
	b.ReportAllocs()
	b.ResetTimer()
	var next func()
	running := 0
	next = func() {
		if left == 0 {
			if running == 0 {
				close(done)
			}
			return
		}
		left--
		running++
		h := f.Ask(0)
		f.on[h] = func(e event) {
			if e.Type == sink.EventFetchDone {
				running--
				delete(f.on, h)
				next()
			}
		}
		f.client.Fetch(h, &Request{Method: "GET", Authority: p.addr, Path: "/", End: true})
	}
	f.Await(func() {
		for range 64 {
			if left > 0 {
				next()
			}
		}
	})
	<-done
}
