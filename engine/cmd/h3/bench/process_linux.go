package bench

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuOf is the time that all threads of a process, ended ones too, have run: what clock_getcpuclockid(3) names. pid 0 is none.
func cpuOf(pid int) (time.Duration, error) {
	if pid == 0 {
		return 0, nil
	}
	const perProcessSchedulerClock = 2 // CPUCLOCK_SCHED
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|perProcessSchedulerClock), &t); err != nil {
		return 0, err
	}
	return time.Duration(t.Nano()), nil
}
