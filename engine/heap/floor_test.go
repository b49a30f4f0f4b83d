package heap

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
)

// next is the size of the heap at which the next collection is due.
func next() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.NextGC
}

func TestSetFloor(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	const floor = 64 << 20
	least := next()
	if least >= floor {
		t.Fatalf("without a floor the next collection is due at %d bytes: too much is alive here to tell", least)
	}
	SetFloor(floor)
	if at := next(); at < 2*floor {
		t.Errorf("with a floor of %d bytes the next collection is due at %d", floor, at)
	}
	SetFloor(0)
	if at := next(); at >= floor {
		t.Errorf("without the floor the next collection is due at %d", at)
	}
}

func TestChosen(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	t.Setenv("GOGC", "")
	if !Chosen() {
		t.Error("GOGC is set")
	}
	os.Unsetenv("GOGC") // Setenv puts it back
	if Chosen() {
		t.Error("nothing is set")
	}
	debug.SetMemoryLimit(1 << 40)
	if !Chosen() {
		t.Error("there is a limit of memory")
	}
}
