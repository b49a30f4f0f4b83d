/* Writes that are sent all at once or not at all, and the part of a stream that a reset leaves standing. */
#include "body.h"
#include "error.h"
#include "refusal.h"
#include "state.h"
#include "stream.h"
#include "submission.h"
#include "versioned.h"

/* Most bytes of one such write: QUIC takes as much of one call. */
#define ATOMIC_MAX ((size_t)64 << 10)

/* Says that there is no room for a write: there may be as soon as bytes of the stream have left, or, where it has none, others'. The slot is
 * locked. */
static int32_t no_room(struct slot *slot, zig_h3_handle stream)
{
    uint64_t credit = atomic_load_explicit(&slot->credit, memory_order_relaxed);
    do {
        if (credit >> 1 == 0)
            return refuse(stream, REFUSAL_ACCOUNT);
    } while (!atomic_compare_exchange_weak_explicit(&slot->credit, &credit, credit | 1, memory_order_acq_rel, memory_order_relaxed));
    return error_set(ZIG_H3_ERR_WOULD_BLOCK, "the high-water mark of bytes waits for the network");
}

/* Hands a write over, or says why not. The slot is locked. */
static int32_t submit_atomic(struct slot *slot, zig_h3_handle stream, const struct body *body)
{
    struct account *const account = handle_account(slot);
    const uint64_t room = account_take(account, body->len, atomic_load_explicit(&slot->credit, memory_order_acquire) >> 1);
    if (room < body->len) {
        account_give(account, room);
        return no_room(slot, stream);
    }
    struct submission at;
    zig_h3_record *record = submission_claim(&at, body_inline(body));
    if (record == NULL) {
        account_give(account, body->len);
        return refuse(stream, REFUSAL_RING);
    }
    *record = (zig_h3_record){.type = SUBMIT_ATOMIC, .object = stream};
    body_fill(body, record, 0);
    handle_charge(slot, body->len);
    submission_publish(&at, false);
    return ZIG_H3_OK;
}

int32_t zig_h3_wt_stream_write_atomic(zig_h3_handle stream, const void *data, size_t len)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (data == NULL && len > 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer with a length");
    if (len > ATOMIC_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "an atomic write of more than 64 KiB");
    uint64_t word;
    struct body body;
    struct slot *slot = stream_find(stream, SLOT_ENDED, &code);
    if (slot == NULL)
        return code;
    const struct account *account = handle_account(slot);
    if (len > atomic_load_explicit(&account->high_water, memory_order_relaxed))
        return error_set(ZIG_H3_ERR_TOO_LARGE, "an atomic write of more than the high-water mark");
    /* What does not fit is not copied. */
    const bool fits = account_room(account, len, atomic_load_explicit(&slot->credit, memory_order_acquire) >> 1) >= len;
    if (fits && (code = body_prepare(&body, data, len)) != ZIG_H3_OK)
        return code;
    slot = stream_lock(stream, &word, SLOT_ENDED, &code);
    if (slot != NULL) {
        code = fits ? submit_atomic(slot, stream, &body) : no_room(slot, stream);
        handle_unlock(slot, 0);
    }
    if (fits && code != ZIG_H3_OK)
        body_drop(&body);
    return code;
}
VERSIONED(zig_h3_wt_stream_write_atomic);

int32_t zig_h3_wt_stream_commit(zig_h3_handle stream)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    uint64_t word;
    struct slot *slot = stream_lock(stream, &word, SLOT_RESET, &code);
    if (slot == NULL)
        return code;
    code = submission_put(&(zig_h3_record){.type = SUBMIT_COMMIT, .object = stream});
    handle_unlock(slot, 0);
    return code;
}
VERSIONED(zig_h3_wt_stream_commit);
