#include "writer.h"

#include <string.h>

#include "error.h"
#include "insist.h"
#include "refusal.h"
#include "state.h"
#include "submission.h"

/*
 * Notes that the host was refused, so that a WRITABLE event comes. False when the network has taken enough in the meantime that none
 * would: then there is room now.
 */
static bool owe_writable(struct slot *slot, uint64_t half)
{
    uint64_t credit = atomic_load_explicit(&slot->credit, memory_order_relaxed);
    do {
        if (credit >> 1 <= half)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&slot->credit, &credit, credit | 1, memory_order_acq_rel, memory_order_relaxed));
    return true;
}

/* Counts n more bytes as taken; true when a WRITABLE has to follow and nobody else will see to it. */
static bool charge(struct slot *slot, uint64_t n, bool cut, uint64_t half)
{
    uint64_t credit = atomic_load_explicit(&slot->credit, memory_order_relaxed);
    uint64_t next;
    do {
        next = (credit + (n << 1)) | (cut ? 1 : 0);
    } while (!atomic_compare_exchange_weak_explicit(&slot->credit, &credit, next, memory_order_acq_rel, memory_order_relaxed));
    return cut && next >> 1 <= half;
}

int32_t writer_copy(struct writing *writing, const struct slot *slot, const void *data)
{
    size_t part = 0;
    if (!writing->discard)
        part = (size_t)account_room(handle_account(slot), writing->len, atomic_load_explicit(&slot->credit, memory_order_acquire) >> 1);
    return body_prepare(&writing->body, data, part);
}

int32_t writer_write(struct slot *slot, zig_h3_handle handle, struct writing *writing, size_t *taken)
{
    struct account *const account = handle_account(slot);
    struct body *const body = &writing->body;
    writing->sent = false;
    size_t part = 0;
    if (!writing->discard && writing->len > 0) {
        part = (size_t)account_take(account, body->len, atomic_load_explicit(&slot->credit, memory_order_acquire) >> 1);
        if (part == 0) {
            body_drop(body);
            return owe_writable(slot, account_mark(account) / 2) ? refusal_of_mark() : WRITER_AGAIN;
        }
    }
    if (part == 0 && !writing->start) {
        *taken = writing->len; /* nothing to say: an empty write, or one to a HEAD request */
        return ZIG_H3_OK;
    }
    body->len = part;
    struct submission at;
    const size_t meta_room = writing->start ? (writing->meta_len + 7u) & ~(size_t)7 : 0;
    zig_h3_record *record = submission_claim(&at, meta_room + body_inline(body));
    if (record == NULL) {
        body_drop(body);
        account_give(account, part);
        atomic_fetch_or_explicit(&slot->credit, 1, memory_order_acq_rel);
        insist_by_attention(slot, handle, ATTENTION_WRITABLE);
        return refusal_error(REFUSAL_RING);
    }
    record->type = SUBMIT_WRITE;
    record->flags = writing->start ? SUBMIT_START : 0;
    record->object = handle;
    record->aux = 0;
    if (writing->start) {
        record->status = writing->status;
        memcpy(submission_payload(record), writing->meta, writing->meta_len);
    }
    body_fill(body, record, writing->start ? writing->meta_len : 0);
    writing->sent = true;
    *taken = writing->discard ? writing->len : part;
    bool late = charge(slot, part, *taken < writing->len, account_mark(account) / 2);
    submission_publish(&at, false);
    if (late)
        insist_by_attention(slot, handle, ATTENTION_WRITABLE);
    return ZIG_H3_OK;
}

int32_t writer_call(int32_t (*write)(zig_h3_handle handle, const void *data, size_t len, size_t *taken), zig_h3_handle handle,
                    const void *data, size_t len, size_t *taken)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (taken == NULL || (data == NULL && len > 0))
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer");
    size_t part;
    do {
        part = 0;
        code = write(handle, data, len, &part);
    } while (code == WRITER_AGAIN);
    *taken = part;
    return code;
}
