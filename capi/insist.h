/*
 * What may not be refused: with no room in the submission ring it is noted in the slot of its object, on the attention stack, where the
 * reactor finds it (attention.go).
 */
#ifndef CAPI_INSIST_H
#define CAPI_INSIST_H

#include <stdint.h>

#include "../include/zig_h3.h"
#include "handle.h"

/* What the reactor finds there. */
enum {
    ATTENTION_WRITABLE = 1 << 0, /* a write found no room: tell when there is */
    ATTENTION_CONSUMED = 1 << 1, /* credit in slot.owed */
    ATTENTION_STOP = 1 << 2,
    ATTENTION_RESET = 1 << 3     /* with slot.codes */
};

/* Makes the reactor look at a slot: puts it on the attention stack unless it is there, and rings. */
void insist_by_attention(struct slot *slot, zig_h3_handle handle, uint64_t bits);

/* Posts a record without payload, or, with no room for it, these bits: the reactor finds them, and in the slot what they go with. The slot is
 * locked. */
void insist(struct slot *slot, zig_h3_handle handle, uint16_t type, uint64_t aux, uint64_t bits);

#endif
