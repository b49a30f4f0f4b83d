/* The body of a response that is given in parts. */
#include "error.h"
#include "handle.h"
#include "response.h"
#include "state.h"
#include "versioned.h"
#include "writer.h"

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
    const struct write write = {
        .data = data, .len = len, .start = !(word & SLOT_GONE), .discard = (word & SLOT_HEAD) != 0,
    };
    code = word & SLOT_ENDED ? response_ended(word) : writer_write(slot, request, &write, taken, &set);
    handle_unlock(slot, set);
    return code;
}
VERSIONED(zig_h3_response_write);
