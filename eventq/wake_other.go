//go:build unix && !linux

package eventq

import (
	"errors"
	"syscall"
)

var one = [8]byte{1}

// writeWake makes the consumer's pipe readable. That the pipe is full means that it is readable already.
func writeWake(fd int32) {
	for {
		if _, err := syscall.Write(int(fd), one[:]); !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}
