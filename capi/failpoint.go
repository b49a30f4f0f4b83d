//go:build failpoint

package main

/*
#include "command.h"
#include "error.h"

// Breaks the engine at a place of choice: 1 the reactor, 2 a goroutine, 3 a goroutine between a reservation and its commit.
__attribute__((visibility("default"))) int32_t zig_h3_failpoint(uint32_t place)
{
    struct command *command = command_new(COMMAND_FAILPOINT, NULL, NULL, 0);
    if (command == NULL)
        return ZIG_H3_ERR_NO_MEMORY;
    command->flags = place;
    return command_call(command, NULL);
}
*/
import "C"

import "zigh3/eventq"

// failpoint panics, the command unanswered.
func failpoint(c *C.struct_command) {
	switch c.flags {
	case 1:
		panic("failpoint in the reactor")
	case 2:
		aside("failpoint", func() { panic("failpoint in a goroutine") })
	case 3:
		registry.Lock()
		for _, q := range registry.queues {
			q.events.Reserve(eventq.Lossless, 64, nil)
		}
		registry.Unlock()
		aside("failpoint", func() { panic("failpoint with a record reserved") })
	}
}
