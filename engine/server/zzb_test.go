package server

import (
	"sync"
	"testing"

	"zigh3/engine/enginetest"
)

func BenchmarkZZ(b *testing.B) {
	f := serveSessions(b, `{"max_incoming_streams": 1000}`, nil)
	f.mu.Lock()
	f.mu.Unlock()
	var wg sync.WaitGroup
	cs := make([]*enginetest.Client, 4)
	for i := range cs {
		cs[i] = enginetest.Dial(b, f.addr, enginetest.Options{Dialect: enginetest.Draft15, MaxStreamsBidi: 100, MaxStreamsUni: 100, MaxData: 1 << 20})
		cs[i].Settings()
	}
	b.ResetTimer()
	for i := 0; i < 64; i++ {
		c := cs[i%4]
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := 0; n < b.N/64+1; n++ {
				s := c.MustOpen("/wt")
				s.CloseWithError(0, "")
			}
		}()
	}
	wg.Wait()
}
