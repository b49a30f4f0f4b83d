/* Writes that are sent all at once or not at all, and the part of a stream that a reset leaves standing. */
#include "body.h"
#include "error.h"
#include "state.h"
#include "stream.h"
#include "submission.h"
#include "versioned.h"

/* Most bytes of one such write: QUIC takes as much of one call. */
#define ATOMIC_MAX ((size_t)64 << 10)

static int32_t no_room(void)
{
    return error_set(ZIG_H3_ERR_WOULD_BLOCK, "the high-water mark of bytes waits for the network");
}

/* Why a write cannot be taken now, before it is copied; or 0. */
static int32_t unfit(const struct slot *slot, size_t len)
{
    const struct account *account = handle_account(slot);
    if (len > atomic_load_explicit(&account->high_water, memory_order_relaxed))
        return error_set(ZIG_H3_ERR_TOO_LARGE, "an atomic write of more than the high-water mark");
    return account_room(account, len, atomic_load_explicit(&slot->credit, memory_order_acquire) >> 1) < len ? no_room() : ZIG_H3_OK;
}

/* Hands a write over, or says why not. The slot is locked. */
static int32_t submit_atomic(struct slot *slot, zig_h3_handle stream, const struct body *body)
{
    struct account *const account = handle_account(slot);
    const uint64_t room = account_take(account, body->len, atomic_load_explicit(&slot->credit, memory_order_acquire) >> 1);
    if (room < body->len) {
        account_give(account, room);
        return no_room();
    }
    struct submission at;
    zig_h3_record *record = submission_claim(&at, body_inline(body));
    if (record == NULL) {
        account_give(account, body->len);
        return submission_full();
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
    if (slot == NULL || (code = unfit(slot, len)) != ZIG_H3_OK || (code = body_prepare(&body, data, len)) != ZIG_H3_OK)
        return code;
    slot = stream_lock(stream, &word, SLOT_ENDED, &code);
    if (slot != NULL) {
        code = submit_atomic(slot, stream, &body);
        handle_unlock(slot, 0);
    }
    if (code != ZIG_H3_OK)
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
