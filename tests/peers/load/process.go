package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

// process is the server's, seen from outside. The zero value is none: then nothing of it is reported.
type process int

// cpu is the time that all threads of the process, ended ones too, have run: what clock_getcpuclockid(3) names. Its grain is
// nanoseconds, where /proc/<pid>/stat counts hundredths of a second.
func (p process) cpu() (time.Duration, error) {
	if p == 0 {
		return 0, nil
	}
	const perProcessSchedulerClock = 2 // CPUCLOCK_SCHED
	clock := ^int(p)<<3 | perProcessSchedulerClock
	var t syscall.Timespec
	if _, _, e := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&t)), 0); e != 0 {
		return 0, fmt.Errorf("the CPU clock of process %d: %w", p, e)
	}
	return time.Duration(t.Nano()), nil
}

// mainCPU is the part of it that the process's first thread has run, which in a JavaScript runtime is the one that runs JavaScript.
func (p process) mainCPU() (time.Duration, error) {
	if p == 0 {
		return 0, nil
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/schedstat", p, p))
	if err != nil {
		return 0, err
	}
	var ran int64
	if _, err := fmt.Sscan(string(stat), &ran); err != nil {
		return 0, fmt.Errorf("the time of thread %d: %w", p, err)
	}
	return time.Duration(ran), nil
}

// forgetPeak makes the kernel count the peak of memory from now on. A kernel that does not let us leaves the peak since the
// process began, which the report cannot tell from a later one: so it is an error.
func (p process) forgetPeak() error {
	if p == 0 {
		return nil
	}
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p), []byte("5"), 0)
}

// memory gives a line of /proc/<pid>/status in bytes: VmRSS for what is resident now, VmHWM for its peak.
func (p process) memory(line string) (int64, error) {
	if p == 0 {
		return 0, nil
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
		if value, ok := bytes.CutPrefix(lines.Bytes(), []byte(line+":")); ok {
			kib, err := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(" kB"))), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in the status of process %d", line, p)
}

// ownCPU is what this client has used itself: on a machine that it shares with the server, the other half of the story.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
