#include "body.h"

#include <string.h>

#include "chunk.h"
#include "error.h"
#include "submission.h"

int32_t body_prepare(struct body *body, const void *data, size_t len)
{
    *body = (struct body){.data = data, .len = len};
    if (len > BODY_INLINE_MAX) {
        body->chunk = chunk_take(len);
        if (body->chunk == NULL)
            return error_set(ZIG_H3_ERR_NO_MEMORY, "no memory for the body");
        memcpy(body->chunk, data, len);
        chunk_filled(body->chunk);
    }
    return ZIG_H3_OK;
}

void body_drop(struct body *body)
{
    if (body->chunk != NULL)
        chunk_give(body->chunk);
}

void body_fill(const struct body *body, zig_h3_record *record, size_t meta_len)
{
    record->meta_len = (uint32_t)meta_len;
    record->data_len = (uint32_t)body->len;
    if (body->chunk != NULL) {
        record->flags |= SUBMIT_CHUNK;
        record->aux = (uint64_t)(uintptr_t)body->chunk;
    } else if (body->len > 0) {
        memcpy(submission_payload(record) + ((meta_len + 7) & ~(size_t)7), body->data, body->len);
    }
}
