#include "inflow.h"

#include "error.h"
#include "insist.h"
#include "state.h"
#include "submission.h"
#include "versioned.h"

int32_t inflow_consumed(zig_h3_handle handle, enum handle_kind kind, uint64_t n)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    uint64_t word;
    struct slot *slot = handle_find(handle, kind, &word);
    if (slot == NULL)
        return handle_error(handle, kind);
    if (n == 0 || (word & SLOT_BUFFERED))
        return ZIG_H3_OK;
    slot = handle_lock(handle, kind, &word);
    if (slot == NULL)
        return handle_error(handle, kind);
    const uint64_t arrived = atomic_load_explicit(&slot->arrived, memory_order_relaxed) & (((uint64_t)1 << HANDLE_ARRIVED_BITS) - 1);
    if (n > arrived) {
        code = error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "more bytes than came");
    } else {
        /* The engine may add meanwhile, only host threads take away, and those are locked out. */
        atomic_fetch_sub_explicit(&slot->arrived, n, memory_order_relaxed);
        struct submission at;
        zig_h3_record *record = submission_claim(&at, 0);
        if (record == NULL) {
            atomic_fetch_add_explicit(&slot->owed, (uint32_t)n, memory_order_relaxed);
            insist_by_attention(slot, handle, ATTENTION_CONSUMED);
        } else {
            *record = (zig_h3_record){.type = SUBMIT_CONSUMED, .object = handle, .aux = n};
            submission_publish(&at, false);
        }
    }
    handle_unlock(slot, 0);
    return code;
}

int32_t zig_h3_request_consumed(zig_h3_handle request, uint64_t n)
{
    return inflow_consumed(request, handle_either_end(request), n);
}
VERSIONED(zig_h3_request_consumed);

int32_t zig_h3_request_stop(zig_h3_handle request)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    uint64_t word;
    struct slot *slot = handle_lock(request, KIND_REQUEST, &word);
    if (slot == NULL)
        return handle_error(request, KIND_REQUEST);
    if (!(word & SLOT_STOPPED))
        insist(slot, request, SUBMIT_STOP, 0, ATTENTION_STOP);
    handle_unlock(slot, SLOT_STOPPED);
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_request_stop);
