//go:build !failpoint

package main

/*
#include "command.h"
*/
import "C"

// failpoint is what a build with the tag failpoint breaks things with. No public call posts this command.
func failpoint(c *C.struct_command) { answer(c, 0, errStale) }
