#include "stream.h"

#include "consumed.h"
#include "error.h"
#include "state.h"
#include "submission.h"
#include "versioned.h"

/* Where struct slot keeps the two codes of a stream. */
#define STOP_CODE_SHIFT 32
#define RESET_CODE_MASK ((uint64_t)UINT32_MAX)

static int32_t stream_ended(uint64_t word, uint64_t none_of)
{
    return error_set(ZIG_H3_ERR_ENDED, word & none_of & SLOT_STOPPED ? "the peer's side of the stream has ended, or was stopped"
                                       : word & SLOT_RESET           ? "this side was reset or stopped, or is not there"
                                                                     : "this side of the stream has ended");
}

struct slot *stream_find(zig_h3_handle stream, uint64_t none_of, int32_t *code)
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

struct slot *stream_lock(zig_h3_handle stream, uint64_t *word, uint64_t none_of, int32_t *code)
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
    handle_insist(slot, stream, SUBMIT_RESET, error_code, ATTENTION_RESET);
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
    handle_insist(slot, stream, SUBMIT_STOP, error_code, ATTENTION_STOP);
    handle_unlock(slot, SLOT_STOPPED);
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_wt_stream_stop);

int32_t zig_h3_wt_stream_consumed(zig_h3_handle stream, uint64_t n)
{
    return consumed(stream, KIND_STREAM, n);
}
VERSIONED(zig_h3_wt_stream_consumed);
