package heap

import (
	"math"
	"os"
	"runtime/debug"
	"sync"
)

// Usual is the floor of the library and of the command line program, in bytes: so much garbage more stands in memory before a collection.
const Usual = 4 << 20

var floor struct {
	sync.Mutex
	bytes []byte // never touched: it has addresses, and no memory of the machine
}

// SetFloor has the collector count n bytes as alive that are not there. It belongs to the whole process; the last call counts. 0 takes it back.
func SetFloor(n int) {
	floor.Lock()
	defer floor.Unlock()
	floor.bytes = nil
	if n > 0 {
		floor.bytes = make([]byte, n)
	}
}

// Chosen reports whether somebody has said how the collector is to run: by the environment, GOGC or GOMEMLIMIT, or to Go's runtime itself.
func Chosen() bool {
	_, percent := os.LookupEnv("GOGC")
	return percent || debug.SetMemoryLimit(-1) != math.MaxInt64
}
