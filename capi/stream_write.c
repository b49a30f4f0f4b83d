/* This side of a stream: what is written, its end, its rank. */
#include "error.h"
#include "state.h"
#include "stream.h"
#include "submission.h"
#include "versioned.h"
#include "writer.h"

static int32_t write_part(zig_h3_handle stream, const void *data, size_t len, size_t *taken)
{
    int32_t code;
    struct slot *slot = stream_find(stream, SLOT_ENDED, &code);
    if (slot == NULL)
        return code;
    struct write write;
    write.len = len;
    write.start = write.discard = false;
    code = writer_copy(&write, slot, data);
    if (code != ZIG_H3_OK)
        return code;
    uint64_t word, set = 0;
    slot = stream_lock(stream, &word, SLOT_ENDED, &code);
    if (slot == NULL) {
        body_drop(&write.body);
        return code;
    }
    code = writer_write(slot, stream, &write, taken, &set);
    handle_unlock(slot, set);
    return code;
}

int32_t zig_h3_wt_stream_write(zig_h3_handle stream, const void *data, size_t len, size_t *taken)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (taken == NULL || (data == NULL && len > 0))
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer");
    size_t part;
    do {
        part = 0;
        code = write_part(stream, data, len, &part);
    } while (code == WRITER_AGAIN);
    *taken = part;
    return code;
}
VERSIONED(zig_h3_wt_stream_write);

int32_t zig_h3_wt_stream_end(zig_h3_handle stream)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    uint64_t word;
    struct slot *slot = stream_lock(stream, &word, SLOT_ENDED, &code);
    if (slot == NULL)
        return code;
    code = submission_put(&(zig_h3_record){.type = SUBMIT_END, .object = stream});
    handle_unlock(slot, code == ZIG_H3_OK ? SLOT_ENDED : 0);
    return code;
}
VERSIONED(zig_h3_wt_stream_end);

int32_t zig_h3_wt_stream_priority(zig_h3_handle stream, uint32_t group, int64_t order)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    uint64_t word;
    struct slot *slot = stream_lock(stream, &word, 0, &code);
    if (slot == NULL)
        return code;
    code = submission_put(&(zig_h3_record){.type = SUBMIT_PRIORITY, .object = stream, .status = group, .aux = (uint64_t)order});
    handle_unlock(slot, 0);
    return code;
}
VERSIONED(zig_h3_wt_stream_priority);
