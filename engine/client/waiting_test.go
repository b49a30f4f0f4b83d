package client

import (
	"runtime"
	"testing"
)

// A fetch that waits for its response holds none of the memory that reading it takes: long polls are many.
func TestAFetchThatWaitsForItsResponseHoldsLittle(t *testing.T) {
	const n = 400
	h := holdRequests(t, n+10)
	f := newFixture(t, "")
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what a pool keeps goes with the second
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	f.startGet(h.addr)
	held := []any{h.next()}
	before := heap()
	for range n {
		f.startGet(h.addr)
		held = append(held, h.next())
	}
	after := heap()
	if each := (int64(after) - int64(before)) / n; each > 32<<10 {
		t.Errorf("%d bytes each", each)
	} else {
		t.Logf("%d bytes each", each)
	}
	runtime.KeepAlive(held)
}
