/* What a consumer says about a request's body. */
#include "consumed.h"
#include "error.h"
#include "handle.h"
#include "state.h"
#include "submission.h"
#include "versioned.h"

int32_t zig_h3_request_consumed(zig_h3_handle request, uint64_t n)
{
    return consumed(request, KIND_REQUEST, n);
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
        handle_insist(slot, request, SUBMIT_STOP, 0, ATTENTION_STOP);
    handle_unlock(slot, SLOT_STOPPED);
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_request_stop);
