/* A body on its way to the engine: in the record up to BODY_INLINE_MAX, in a chunk beyond. It is copied before anything is locked or
 * claimed: see given.h. */
#ifndef CAPI_BODY_H
#define CAPI_BODY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../include/zig_h3.h"
#include "handle.h"

/* Bodies up to here ride in the submission ring. */
#define BODY_INLINE_MAX 4096

/* Most bytes of one call that takes a body whole. */
#define BODY_MAX ((size_t)2 << 30)

struct body {
    const uint8_t *bytes; /* in room, or in the chunk */
    size_t len;
    uint8_t *chunk;
    struct account *account; /* that has room taken for it, or NULL */
    size_t unsent;           /* bytes of a body that is not sent, but whose length is told: to a HEAD. Then the rest is empty */
    uint8_t room[BODY_INLINE_MAX];
};

/* A body of bytes that are a copy already, and ride in the record. */
static inline void body_of(struct body *body, const uint8_t *bytes, size_t len)
{
    body->bytes = bytes;
    body->len = len;
    body->chunk = NULL;
    body->account = NULL;
    body->unsent = 0;
}

/* A body that is not sent: nothing of it is read. */
static inline void body_unsent(struct body *body, size_t len)
{
    body_of(body, NULL, 0);
    body->unsent = len;
}

/* The same as body_prepare() and body_admit(), for what does not ride in the record: a small reply has no call on its way but for this. */
int32_t body_prepare_chunk(struct body *body, const void *data, size_t len);
int32_t body_admit_chunk(struct body *body, const struct slot *slot, zig_h3_handle object, const void *data, size_t len);

/* Copies it. 0, or a code with the words set. */
static inline int32_t body_prepare(struct body *body, const void *data, size_t len)
{
    if (len > BODY_INLINE_MAX)
        return body_prepare_chunk(body, data, len);
    body_of(body, body->room, len);
    if (len > 0)
        memcpy(body->room, data, len);
    return ZIG_H3_OK;
}

/* The same for a body that is taken whole, and counts against the server's limit if it does not ride in the record: the record that it
 * rides in is bounded otherwise. ZIG_H3_ERR_WOULD_BLOCK, with nothing copied, when others have reached that: the call is noted as refused.
 * slot is that of the object, which need not be locked: whoever finds that it has ended meanwhile drops the body. */
static inline int32_t body_admit(struct body *body, const struct slot *slot, zig_h3_handle object, const void *data, size_t len)
{
    return len > BODY_INLINE_MAX ? body_admit_chunk(body, slot, object, data, len) : body_prepare(body, data, len);
}

/* Notes in the slot, which is locked, what was admitted. */
static inline void body_charge(const struct body *body, struct slot *slot)
{
    if (body->account != NULL)
        handle_charge(slot, body->len);
}

/* Gives the copy back, and the room: the body was not sent. */
void body_drop(struct body *body);

/* Puts the body behind meta_len bytes that are in the record already, and says so in its head. */
void body_fill(const struct body *body, zig_h3_record *record, size_t meta_len);

/* Bytes of it that ride in the record. */
static inline size_t body_inline(const struct body *body)
{
    return body->chunk == NULL ? body->len : 0;
}

#endif
