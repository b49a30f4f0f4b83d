package eventq

import (
	"syscall"
	"unsafe"
)

// one is what a wake-up adds to an eventfd.
var one uint64 = 1

// writeWake makes the consumer's eventfd readable. The raw system call keeps the scheduler slot, which syscall.Write would offer to
// others: the write cannot block, since it does so only at a count of 2^64-2. Its one other failure, a descriptor that the host
// closed, is nothing to be done about here: the queue's records stay where they are.
func writeWake(fd int32) {
	for {
		_, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one)), 8)
		if errno != syscall.EINTR {
			return
		}
	}
}
