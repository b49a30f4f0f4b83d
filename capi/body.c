#include "body.h"

#include <string.h>

#include "chunk.h"
#include "error.h"
#include "refusal.h"
#include "submission.h"

int32_t body_prepare_chunk(struct body *body, const void *data, size_t len)
{
    uint8_t *const chunk = chunk_take(len);
    if (chunk == NULL)
        return error_set(ZIG_H3_ERR_NO_MEMORY, "no memory for the body");
    body_of(body, chunk, len);
    body->chunk = chunk;
    memcpy(chunk, data, len);
    chunk_filled(chunk);
    return ZIG_H3_OK;
}

int32_t body_admit_chunk(struct body *body, const struct slot *slot, zig_h3_handle object, const void *data, size_t len)
{
    struct account *account = handle_account(slot);
    if (!account_admit(account, len))
        return refuse(object, REFUSAL_ACCOUNT);
    int32_t code = body_prepare_chunk(body, data, len);
    body->account = account;
    if (code != ZIG_H3_OK)
        account_give(account, len);
    return code;
}

void body_drop(struct body *body)
{
    if (body->chunk != NULL)
        chunk_give(body->chunk);
    if (body->account != NULL)
        account_give(body->account, body->len);
}

void body_fill(const struct body *body, zig_h3_record *record, size_t meta_len)
{
    record->meta_len = (uint32_t)meta_len;
    record->data_len = (uint32_t)body->len;
    if (body->chunk != NULL) {
        record->flags |= SUBMIT_CHUNK;
        record->aux = (uint64_t)(uintptr_t)body->chunk;
    } else if (body->unsent > 0) {
        record->flags |= SUBMIT_UNSENT;
        record->aux = body->unsent;
    } else if (body->len > 0) {
        memcpy(submission_payload(record) + ((meta_len + 7) & ~(size_t)7), body->bytes, body->len);
    }
}
