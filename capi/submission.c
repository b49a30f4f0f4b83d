#include "submission.h"

#include <stdatomic.h>

#include "refusal.h"

int32_t submission_put(const zig_h3_record *record)
{
    struct submission at;
    if (submission_claim(&at, 0) == NULL)
        return refuse(record->object, REFUSAL_RING);
    *at.record = *record;
    submission_publish(&at, false);
    return ZIG_H3_OK;
}

bool submission_command(void *command)
{
    struct submission at;
    zig_h3_record *record = submission_claim(&at, 0);
    if (record == NULL)
        return false;
    record->type = SUBMIT_COMMAND;
    record->flags = 0;
    record->object = 0;
    record->meta_len = record->data_len = 0;
    record->aux = (uint64_t)(uintptr_t)command;
    submission_publish(&at, false);
    return true;
}

#ifdef __SANITIZE_THREAD__
static _Atomic uint32_t handed;

void submission_leaves(void)
{
    atomic_fetch_add_explicit(&handed, 1, memory_order_release);
}

void submission_comes(zig_h3_record *record, size_t payload)
{
    atomic_load_explicit(&handed, memory_order_acquire);
    for (size_t at = 0; at < H3_RING_HEAD + payload; at += H3_RING_BLOCK)
        atomic_load_explicit((_Atomic uint32_t *)(void *)((uint8_t *)record + at), memory_order_acquire);
}
#endif

#ifdef SUBMISSION_REFUSES
/* Three of four times, each thread by itself and always the same ones. */
bool submission_refuses(void)
{
    static _Thread_local uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % 4 != 0;
}
#endif
