/* Opening a stream of a session: the handle is issued here, so that it can be used at once. */
#include "error.h"
#include "handle.h"
#include "refusal.h"
#include "session.h"
#include "state.h"
#include "submission.h"
#include "versioned.h"

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
        refusal_note(session, REFUSAL_RING); /* by the time that the queue has room for the WRITABLE, it takes streams again */
        code = error_set(ZIG_H3_ERR_WOULD_BLOCK, "thousands of events wait that the queue has no room for");
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
