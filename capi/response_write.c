/* The body of a response that is given in parts. */
#include "error.h"
#include "handle.h"
#include "response.h"
#include "state.h"
#include "versioned.h"
#include "writer.h"

static int32_t write_part(zig_h3_handle request, const void *data, size_t len, size_t *taken)
{
    uint64_t word, set = 0;
    struct slot *slot = handle_find(request, KIND_REQUEST, &word);
    if (slot == NULL)
        return handle_error(request, KIND_REQUEST);
    if (word & SLOT_ENDED)
        return response_ended(word);
    struct write write;
    write.len = len;
    write.discard = (word & SLOT_HEAD) != 0;
    int32_t code = writer_copy(&write, slot, data);
    if (code != ZIG_H3_OK)
        return code;
    slot = handle_lock(request, KIND_REQUEST, &word);
    if (slot == NULL || (word & SLOT_ENDED)) {
        body_drop(&write.body);
        if (slot == NULL)
            return handle_error(request, KIND_REQUEST);
        handle_unlock(slot, 0);
        return response_ended(word);
    }
    write.start = !(word & SLOT_GONE);
    code = writer_write(slot, request, &write, taken, &set);
    handle_unlock(slot, set);
    return code;
}

int32_t zig_h3_response_write(zig_h3_handle request, const void *data, size_t len, size_t *taken)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (taken == NULL || (data == NULL && len > 0))
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer");
    size_t part;
    do {
        part = 0;
        code = write_part(request, data, len, &part);
    } while (code == WRITER_AGAIN);
    *taken = part;
    return code;
}
VERSIONED(zig_h3_response_write);
ALSO(zig_h3_response_write, zig_h3_request_write);
