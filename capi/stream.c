/* The streams of a session: the state of each stands in the word of its handle's slot. A side that a stream does not have counts as
 * ended from the start. */
#include "body.h"
#include "error.h"
#include "handle.h"
#include "inflow.h"
#include "insist.h"
#include "refusal.h"
#include "session.h"
#include "state.h"
#include "submission.h"
#include "versioned.h"
#include "writer.h"

/* Where struct slot keeps the two codes of a stream. */
#define STOP_CODE_SHIFT 32
#define RESET_CODE_MASK ((uint64_t)UINT32_MAX)

static int32_t stream_ended(uint64_t word, uint64_t none_of)
{
    return error_set(ZIG_H3_ERR_ENDED, word & none_of & SLOT_STOPPED ? "the peer's side of the stream has ended, or was stopped"
                                       : word & SLOT_RESET           ? "this side was reset or stopped, or is not there"
                                                                     : "this side of the stream has ended");
}

/* The slot of a stream, not locked, as long as its word has none of these bits; NULL with *code set. For what comes before the lock. */
static struct slot *stream_find(zig_h3_handle stream, uint64_t none_of, int32_t *code)
{
    uint64_t word;
    struct slot *slot = handle_find(stream, KIND_STREAM, &word);
    if (slot == NULL)
        *code = handle_error(stream, KIND_STREAM);
    else if (word & none_of)
        *code = stream_ended(word, none_of);
    else
        return slot;
    return NULL;
}

/* The slot of a stream, locked, as long as its word has none of these bits; NULL with *code set. */
static struct slot *stream_lock(zig_h3_handle stream, uint64_t *word, uint64_t none_of, int32_t *code)
{
    struct slot *slot = handle_lock(stream, KIND_STREAM, word);
    if (slot == NULL) {
        *code = handle_error(stream, KIND_STREAM);
        return NULL;
    }
    if (*word & none_of) {
        handle_unlock(slot, 0);
        *code = stream_ended(*word, none_of);
        return NULL;
    }
    return slot;
}

/* The handle is issued here, so that it can be used at once. */
int32_t zig_h3_wt_open_stream(zig_h3_handle session, uint32_t kind, uint32_t flags, zig_h3_handle *out)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (out == NULL)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "out is NULL");
    if (kind != ZIG_H3_WT_BIDIRECTIONAL && kind != ZIG_H3_WT_UNIDIRECTIONAL)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a kind of stream that there is not");
    if (flags & ~(uint32_t)ZIG_H3_WT_OPEN_WAIT)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "unknown flags");
    uint64_t word;
    struct slot *slot = handle_lock(session, KIND_SESSION, &word);
    if (slot == NULL)
        return handle_error(session, KIND_SESSION);
    struct slot *own;
    struct submission at;
    zig_h3_handle stream = 0;
    const bool unidirectional = kind == ZIG_H3_WT_UNIDIRECTIONAL;
    if ((word & (SLOT_OPEN | SLOT_ENDED)) != SLOT_OPEN) {
        code = session_not_open(word);
    } else if (word & SLOT_FLOODED) {
        code = refuse_flooded(session);
    } else if ((stream = handle_issue(KIND_STREAM, SLOT_UNTOLD | (unidirectional ? SLOT_STOPPED : 0), &own)) == 0) {
        code = error_set(ZIG_H3_ERR_LIMIT, "a million objects are open");
    } else if (submission_claim(&at, 0) == NULL) {
        handle_withdraw(own);
        code = refuse(session, REFUSAL_RING);
    } else {
        atomic_store_explicit(&own->account, atomic_load_explicit(&slot->account, memory_order_relaxed), memory_order_relaxed);
        *at.record = (zig_h3_record){
            .type = SUBMIT_OPEN,
            .flags = (uint16_t)((unidirectional ? SUBMIT_UNIDIRECTIONAL : 0) | (flags & ZIG_H3_WT_OPEN_WAIT ? SUBMIT_WAIT : 0)),
            .object = session,
            .status = (uint32_t)atomic_load_explicit(&slot->codes, memory_order_relaxed),
            .aux = stream,
        };
        handle_tell(own);
        submission_publish(&at, false);
    }
    handle_unlock(slot, 0);
    if (code == ZIG_H3_OK)
        *out = stream;
    return code;
}
VERSIONED(zig_h3_wt_open_stream);

static int32_t write_stream_part(zig_h3_handle stream, const void *data, size_t len, size_t *taken)
{
    int32_t code;
    struct slot *slot = stream_find(stream, SLOT_ENDED, &code);
    if (slot == NULL)
        return code;
    struct writing writing;
    writing.len = len;
    writing.start = writing.discard = false;
    code = writer_copy(&writing, slot, data);
    if (code != ZIG_H3_OK)
        return code;
    uint64_t word;
    slot = stream_lock(stream, &word, SLOT_ENDED, &code);
    if (slot == NULL) {
        body_drop(&writing.body);
        return code;
    }
    code = writer_write(slot, stream, &writing, taken);
    handle_unlock(slot, 0);
    return code;
}

int32_t zig_h3_wt_stream_write(zig_h3_handle stream, const void *data, size_t len, size_t *taken)
{
    return writer_call(write_stream_part, stream, data, len, taken);
}
VERSIONED(zig_h3_wt_stream_write);

/* Hands a record about a stream over, as long as the stream's word has none of these bits, and sets those. */
static int32_t stream_put(const zig_h3_record *record, uint64_t none_of, uint64_t set)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    uint64_t word;
    struct slot *slot = stream_lock(record->object, &word, none_of, &code);
    if (slot == NULL)
        return code;
    code = submission_put(record);
    handle_unlock(slot, code == ZIG_H3_OK ? set : 0);
    return code;
}

int32_t zig_h3_wt_stream_end(zig_h3_handle stream)
{
    return stream_put(&(zig_h3_record){.type = SUBMIT_END, .object = stream}, SLOT_ENDED, SLOT_ENDED);
}
VERSIONED(zig_h3_wt_stream_end);

int32_t zig_h3_wt_stream_priority(zig_h3_handle stream, uint32_t group, int64_t order)
{
    return stream_put(&(zig_h3_record){.type = SUBMIT_PRIORITY, .object = stream, .status = group, .aux = (uint64_t)order}, 0, 0);
}
VERSIONED(zig_h3_wt_stream_priority);

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
    return refusal_of_mark();
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
    return stream_put(&(zig_h3_record){.type = SUBMIT_COMMIT, .object = stream}, SLOT_RESET, 0);
}
VERSIONED(zig_h3_wt_stream_commit);

int32_t zig_h3_wt_stream_reset(zig_h3_handle stream, uint32_t error_code)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    uint64_t word;
    struct slot *slot = stream_lock(stream, &word, SLOT_RESET, &code);
    if (slot == NULL)
        return code;
    uint64_t codes = atomic_load_explicit(&slot->codes, memory_order_relaxed);
    atomic_store_explicit(&slot->codes, (codes & ~RESET_CODE_MASK) | error_code, memory_order_relaxed);
    insist(slot, stream, SUBMIT_RESET, error_code, ATTENTION_RESET);
    handle_unlock(slot, SLOT_ENDED | SLOT_RESET);
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_wt_stream_reset);

int32_t zig_h3_wt_stream_stop(zig_h3_handle stream, uint32_t error_code)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    uint64_t word;
    struct slot *slot = stream_lock(stream, &word, SLOT_STOPPED, &code);
    if (slot == NULL)
        return code;
    uint64_t codes = atomic_load_explicit(&slot->codes, memory_order_relaxed);
    atomic_store_explicit(&slot->codes, (codes & RESET_CODE_MASK) | (uint64_t)error_code << STOP_CODE_SHIFT, memory_order_relaxed);
    insist(slot, stream, SUBMIT_STOP, error_code, ATTENTION_STOP);
    handle_unlock(slot, SLOT_STOPPED);
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_wt_stream_stop);

int32_t zig_h3_wt_stream_consumed(zig_h3_handle stream, uint64_t n)
{
    return inflow_consumed(stream, KIND_STREAM, n);
}
VERSIONED(zig_h3_wt_stream_consumed);
