//go:build failpoint

package main

/*
#include "command.h"
#include "error.h"
#include "handle.h"

// Breaks the engine at a place of choice: 1 the reactor, 2 a goroutine, 3 a goroutine between a reservation and its commit.
__attribute__((visibility("default"))) int32_t zig_h3_failpoint(uint32_t place)
{
    struct command *command = command_new(COMMAND_FAILPOINT, NULL, NULL, 0);
    if (command == NULL)
        return ZIG_H3_ERR_NO_MEMORY;
    command->flags = place;
    return command_call(command, NULL);
}

static uint64_t live_handles(void)
{
    uint64_t live = 0;
    for (uint32_t i = 0; i < HANDLE_SLOTS; i++)
        live += (atomic_load(&handle_base()[i].word) & HANDLE_KIND_MASK) != 0;
    return live;
}

// Counts what is there: 1 goroutines, 2 bytes of the engine's heap that are in use, 3 live handles.
__attribute__((visibility("default"))) int32_t zig_h3_failpoint_count(uint32_t what, uint64_t *count)
{
    if (what == 3) {
        *count = live_handles();
        return ZIG_H3_OK;
    }
    struct command *command = command_new(COMMAND_FAILPOINT, NULL, NULL, 0);
    if (command == NULL)
        return ZIG_H3_ERR_NO_MEMORY;
    command->flags = 10 + what;
    return command_call(command, count);
}
*/
import "C"

import (
	"runtime"

	"zigh3/eventq"
)

// failpoint panics, the command unanswered; or it counts.
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
	case 11:
		answer(c, uint64(runtime.NumGoroutine()), nil)
	case 12:
		var m runtime.MemStats
		for range 2 { // what pools keep goes with the second
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		answer(c, m.HeapAlloc, nil)
	}
}
