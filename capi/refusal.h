/*
 * Calls that returned ZIG_H3_ERR_WOULD_BLOCK, by the object that they were made for: a WRITABLE event of it says when they can be made
 * again (refusal.go). Only writes that have reached the high-water mark are noted elsewhere, with their credit (writer.c).
 *
 * What is noted stands beside the slots, since a call may be refused without having its slot locked: the object may end meanwhile, and the
 * slot come to another. Then the older one has nobody to be told of it, and the note of the newer one stays.
 */
#ifndef CAPI_REFUSAL_H
#define CAPI_REFUSAL_H

#include <stdatomic.h>
#include <stdint.h>

#include "../include/zig_h3.h"
#include "given.h"

/* What a call waits for: bits beyond those of a handle. */
#define REFUSAL_RING ((uint64_t)1 << 63)    /* room in the submission ring */
#define REFUSAL_ACCOUNT ((uint64_t)1 << 62) /* room in the server's account, of ACCOUNT_ROOM */

/* refusal.go mirrors it. */
struct refusal {
    _Atomic uint64_t object; /* and what it waits for; not 0 while it is on the stack */
    _Atomic uint32_t next;   /* index + 1 */
};

/* The last one that was noted, index + 1: a stack that the reactor takes whole. */
extern _Atomic uint32_t refusal_last;

/* For cgo. */
struct refusal *refusal_base(void);

/* Notes that a call of an object waits for this, and rings the reactor. */
void refusal_note(zig_h3_handle object, uint64_t what);

/* What a call returns that waits for this: ZIG_H3_ERR_WOULD_BLOCK, with the words set that zig_h3_last_refusal() knows. */
int32_t refusal_error(uint64_t what);

/* What a write returns that has reached the high-water mark. */
int32_t refusal_of_mark(void);

/* Both: notes it, and says so. */
int32_t refuse(zig_h3_handle object, uint64_t what);

/* The same for want of room in the ring, of a call that has a header list, unless there is something wrong with that: more room makes it no better, so
 * that is said now. */
int32_t refuse_list(zig_h3_handle object, const struct given *list, size_t len);

/* Refuses a stream of a session whose queue has no room for the ends of more. */
int32_t refuse_flooded(zig_h3_handle session);

#endif
