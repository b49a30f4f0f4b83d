package sink

import (
	"runtime/debug"
	"sync/atomic"
)

// A FaultHandler learns of a panic that Guard caught: in which goroutine, with what value, and where.
type FaultHandler func(name string, value any, stack []byte)

var faultHandler atomic.Pointer[FaultHandler]

// SetFaultHandler sets what Guard tells of a panic. There is one for the process, since a fault means that no object of the engine
// can be trusted any more.
func SetFaultHandler(h FaultHandler) { faultHandler.Store(&h) }

// Guard runs fn on the calling goroutine and keeps a panic of it from reaching the host: every goroutine of the engine starts
// through it. name says which goroutine it was.
func Guard(name string, fn func()) {
	defer Catch(name)
	fn()
}

// Catch is Guard for a function that somebody else calls: it is to be deferred first of all.
func Catch(name string) {
	if v := recover(); v != nil {
		if h := faultHandler.Load(); h != nil && *h != nil {
			(*h)(name, v, debug.Stack())
		}
	}
}
