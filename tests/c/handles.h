/* The handles that a program which plays at random was given, and what came of its calls. */
#ifndef TESTS_C_HANDLES_H
#define TESTS_C_HANDLES_H

#include <stdatomic.h>

#include "dice.h"
#include "zig_h3.h"

enum { POOL = 24, SEEN = 1 << 20 };
enum kind { QUEUE, SERVER, CONN, REQUEST, SESSION, STREAM, CLIENT, FETCH, KINDS };

/* Handles by kind that were given out, the latest ones, and all of them: in the end each is stale. */
static _Atomic uint64_t pool[KINDS][POOL];
static _Atomic uint64_t seen[SEEN];
static _Atomic uint32_t seen_count;
static _Atomic uint32_t unknown; /* results that the header does not name */
static _Atomic uint64_t calls;

static inline void remember(struct dice *dice, enum kind kind, zig_h3_handle handle)
{
    atomic_store(&pool[kind][below(dice, POOL)], handle);
    uint32_t at = atomic_fetch_add(&seen_count, 1);
    if (at < SEEN)
        atomic_store(&seen[at], handle);
}

/* Most often a handle of that kind that may be live; else another kind's, an old one, one with a bit turned over, or rubbish. */
static inline zig_h3_handle pick(struct dice *dice, enum kind kind)
{
    uint32_t count = atomic_load(&seen_count);
    switch (below(dice, 16)) {
    case 0:
        return roll(dice) >> below(dice, 64);
    case 1:
        return atomic_load(&pool[kind][below(dice, POOL)]) ^ (uint64_t)1 << below(dice, 64);
    case 2:
        return atomic_load(&pool[below(dice, KINDS)][below(dice, POOL)]);
    case 3:
        return count == 0 ? 0 : atomic_load(&seen[below(dice, count < SEEN ? count : SEEN)]);
    default:
        return atomic_load(&pool[kind][below(dice, POOL)]);
    }
}

static inline void note(int32_t result)
{
    atomic_fetch_add(&calls, 1);
    if (result < 0 && strcmp(zig_h3_error_name(result), "ZIG_H3_ERR_UNKNOWN") == 0)
        atomic_fetch_add(&unknown, 1);
}

/* What a handle is told to be, by a call of another kind: live things are of the wrong one. */
static inline int live(zig_h3_handle handle)
{
    return zig_h3_request_stop(handle) == 0 || zig_h3_server_stop(handle, 0) == 0 || zig_h3_queue_wake(handle) == 0 ||
           zig_h3_request_stop(handle) == ZIG_H3_ERR_WRONG_KIND;
}

#endif
