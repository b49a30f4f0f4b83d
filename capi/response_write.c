/* The body of a response that is given in parts, by credit. */
#include "body.h"
#include "error.h"
#include "handle.h"
#include "response.h"
#include "state.h"
#include "submission.h"
#include "versioned.h"

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

/* Sends what fits of the body, with the headers if they are still here. The slot is locked; *set gets what its word gains. */
static int32_t write_locked(struct slot *slot, uint64_t word, zig_h3_handle request, const uint8_t *data, size_t len, size_t *taken,
                            uint64_t *set)
{
    const uint64_t mark = atomic_load_explicit(&slot->high_water, memory_order_relaxed);
    const bool start = !(word & SLOT_GONE);
    size_t part = 0;
    if (!(word & SLOT_HEAD)) {
        do {
            uint64_t pending = atomic_load_explicit(&slot->credit, memory_order_acquire) >> 1;
            part = pending >= mark ? 0 : mark - pending < len ? (size_t)(mark - pending) : len;
        } while (len > 0 && part == 0 && !owe_writable(slot, mark / 2));
        if (len > 0 && part == 0)
            return error_set(ZIG_H3_ERR_WOULD_BLOCK, "the response has its high-water mark of bytes waiting for the network");
    }
    if (part == 0 && !start) {
        *taken = len; /* nothing to say: an empty write, or one to a HEAD request */
        return ZIG_H3_OK;
    }
    struct body body;
    int32_t code = body_prepare(&body, data, part);
    if (code != ZIG_H3_OK)
        return code;
    struct submission at;
    zig_h3_record *record = submission_claim(&at, (start ? response_headers_room(slot) : 0) + body_inline(&body));
    if (record == NULL) {
        body_drop(&body);
        atomic_fetch_or_explicit(&slot->credit, 1, memory_order_acq_rel);
        handle_attention(slot, request, ATTENTION_WRITABLE);
        return response_full();
    }
    record->type = SUBMIT_WRITE;
    record->flags = start ? SUBMIT_START : 0;
    record->object = request;
    record->aux = 0;
    size_t meta_len = start ? response_headers_fill(slot, record) : 0;
    body_fill(&body, record, meta_len);
    if (start) {
        response_headers_done(slot);
        *set = SLOT_GONE;
    }
    *taken = word & SLOT_HEAD ? len : part;
    bool late = charge(slot, part, *taken < len, mark / 2);
    submission_publish(&at, false);
    if (late)
        handle_attention(slot, request, ATTENTION_WRITABLE);
    return ZIG_H3_OK;
}

int32_t zig_h3_response_write(zig_h3_handle request, const void *data, size_t len, size_t *taken)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (taken == NULL || (data == NULL && len > 0))
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer");
    *taken = 0;
    uint64_t word, set = 0;
    struct slot *slot = handle_lock(request, KIND_REQUEST, &word);
    if (slot == NULL)
        return handle_error(request, KIND_REQUEST);
    code = word & SLOT_ENDED ? response_ended(word) : write_locked(slot, word, request, data, len, taken, &set);
    handle_unlock(slot, set);
    return code;
}
VERSIONED(zig_h3_response_write);
