/* Datagrams on their way out: what one of them and many of them have in common. */
#ifndef CAPI_DATAGRAM_H
#define CAPI_DATAGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "../include/zig_h3.h"
#include "handle.h"

/* No datagram is larger: limits have 16 bits in a slot. */
#define DATAGRAM_MAX 65535u

/* Takes a place for a datagram of len bytes from the queue of the object, whose slot is locked, or says why not. */
int32_t datagram_place(struct slot *slot, uint64_t word, zig_h3_handle object, enum handle_kind kind, size_t len);

/* What a datagram gets that found no room in the submission ring: ZIG_H3_ERR_QUEUE_FULL, with the words set. */
int32_t datagram_full(void);

/* Gives it back, unused. */
static inline void datagram_unplace(struct slot *slot)
{
    atomic_fetch_add_explicit(&slot->datagrams, 1, memory_order_relaxed);
}

#endif
