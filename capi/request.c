/* What a consumer says about a request's body. */
#include "error.h"
#include "handle.h"
#include "state.h"
#include "submission.h"
#include "versioned.h"

int32_t zig_h3_request_consumed(zig_h3_handle request, uint64_t n)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    uint64_t word;
    struct slot *slot = handle_find(request, KIND_REQUEST, &word);
    if (slot == NULL)
        return handle_error(request, KIND_REQUEST);
    if (n == 0 || (word & SLOT_BUFFERED))
        return ZIG_H3_OK;
    slot = handle_lock(request, KIND_REQUEST, &word);
    if (slot == NULL)
        return handle_error(request, KIND_REQUEST);
    uint32_t arrived = atomic_load_explicit(&slot->arrived, memory_order_relaxed);
    if (n > arrived) {
        code = error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "more bytes than came");
    } else {
        /* The engine may add meanwhile, only host threads take away, and those are locked out. */
        atomic_fetch_sub_explicit(&slot->arrived, (uint32_t)n, memory_order_relaxed);
        struct submission at;
        zig_h3_record *record = submission_claim(&at, 0);
        if (record == NULL) {
            atomic_fetch_add_explicit(&slot->owed, (uint32_t)n, memory_order_relaxed);
            handle_attention(slot, request, ATTENTION_CONSUMED);
        } else {
            *record = (zig_h3_record){.type = SUBMIT_CONSUMED, .object = request, .aux = n};
            submission_publish(&at, false);
        }
    }
    handle_unlock(slot, 0);
    return code;
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
    if (!(word & SLOT_STOPPED)) {
        struct submission at;
        zig_h3_record *record = submission_claim(&at, 0);
        if (record == NULL) {
            handle_attention(slot, request, ATTENTION_STOP);
        } else {
            *record = (zig_h3_record){.type = SUBMIT_STOP, .object = request};
            submission_publish(&at, false);
        }
    }
    handle_unlock(slot, SLOT_STOPPED);
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_request_stop);
