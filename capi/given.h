/*
 * What a caller gave, copied before anything is locked or claimed, and read once: his memory may change meanwhile, or take seconds to read
 * (a page that comes over a network, a debugger), and neither another thread's call nor the engine waits for that. What is checked is
 * what is sent.
 */
#ifndef CAPI_GIVEN_H
#define CAPI_GIVEN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../include/zig_h3.h"

/* Up to here it lies on the caller's stack. */
#define GIVEN_ROOM 4096

struct given {
    uint8_t *bytes;
    uint8_t *chunk; /* what is longer is there; else NULL */
    uint8_t room[GIVEN_ROOM];
};

/* The same as given_copy() and given_drop(), for what is longer than the room: a small reply has no call on its way but for this. */
int32_t given_copy_long(struct given *given, const void *data, size_t len);
void given_drop_long(struct given *given);

/* Copies len bytes. 0, or ZIG_H3_ERR_NO_MEMORY with the words set. */
static inline int32_t given_copy(struct given *given, const void *data, size_t len)
{
    if (len > sizeof given->room)
        return given_copy_long(given, data, len);
    given->bytes = given->room;
    given->chunk = NULL;
    if (len > 0)
        memcpy(given->room, data, len);
    return ZIG_H3_OK;
}

/*
 * A copy from malloc() of a text that a NUL ends, with a NUL behind it; where the end is and what stands before it is found in one reading.
 * Of a longer text most bytes are copied, one more is read, and *len is most + 1. NULL is empty. NULL if there is no
 * memory, with the words set.
 */
char *given_text(const char *text, size_t most, size_t *len);

/* Gives the copy's memory back. */
static inline void given_drop(struct given *given)
{
    if (given->chunk != NULL)
        given_drop_long(given);
}

#endif
