/* The library's state as every call sees it: fine, dead of a fault of its own, or on the wrong side of a fork. */
#ifndef CAPI_STATE_H
#define CAPI_STATE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "../include/zig_h3.h"

#define STATE_FINE 1

/*
 * STATE_FINE, or the code that calls return from now on: ZIG_H3_ERR_FATAL or ZIG_H3_ERR_FORKED. It stands on a page of its own, which the
 * kernel clears in a child process, however that was made: pthread_atfork() hears of fork() only. So 0 is a child, too.
 */
extern struct library_state {
    _Alignas(4096) _Atomic int32_t now;
    char page[4096 - sizeof(int32_t)];
} library_state;

/* 0, or the code that calls return from now on. */
static inline int32_t state_of(memory_order order)
{
    const int32_t state = atomic_load_explicit(&library_state.now, order);
    return state == STATE_FINE ? 0 : state == 0 ? ZIG_H3_ERR_FORKED : state;
}

static inline int32_t state_now(void)
{
    return state_of(memory_order_relaxed);
}

/* 0, or the state's code with the words of zig_h3_last_error() set. */
int32_t state_check(void);

/* Declares the engine dead, once; text says of what. A fork that happened before stays what is told. */
void state_fatal(const char *text, size_t len);

#endif
