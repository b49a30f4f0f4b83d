/* The library's state as every call sees it: fine, dead of a fault of its own, or on the wrong side of a fork. */
#ifndef CAPI_STATE_H
#define CAPI_STATE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* 0, or the code that calls return from now on: ZIG_H3_ERR_FATAL or ZIG_H3_ERR_FORKED. */
extern _Atomic int32_t library_state;

static inline int32_t state_now(void)
{
    return atomic_load_explicit(&library_state, memory_order_relaxed);
}

/* 0, or the state's code with the words of zig_h3_last_error() set. */
int32_t state_check(void);

/* Declares the engine dead, once; text says of what. A fork that happened before stays what is told. */
void state_fatal(const char *text, size_t len);

#endif
