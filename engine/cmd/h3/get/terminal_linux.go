package get

import "golang.org/x/sys/unix"

// getTermios asks for a terminal's settings, which nothing else has.
const getTermios = unix.TCGETS
