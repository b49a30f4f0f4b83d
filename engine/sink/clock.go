package sink

import (
	"time"

	"golang.org/x/sys/unix"
)

// Go tells times on the system's monotonic clock only relative to each other. One look at both gives the rest.
var (
	clockStart  = time.Now()
	clockOffset = func() uint64 {
		var ts unix.Timespec
		if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
			return 0
		}
		return uint64(ts.Nano())
	}()
)

// Monotonic is the time on the system's monotonic clock, in nanoseconds.
func Monotonic() uint64 { return clockOffset + uint64(time.Since(clockStart)) }
