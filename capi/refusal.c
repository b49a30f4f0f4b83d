#include "refusal.h"

#include "error.h"
#include "handle.h"
#include "header_check.h"
#include "reactor.h"
#include "versioned.h"

/* Zero pages until one of a slot is noted, as the slots. */
static struct refusal refusals[HANDLE_SLOTS];
_Atomic uint32_t refusal_last;

_Static_assert(sizeof(struct refusal) == 16, "refusal.go mirrors it");

struct refusal *refusal_base(void)
{
    return refusals;
}

void refusal_note(zig_h3_handle object, uint64_t what)
{
    struct refusal *one = &refusals[object & (HANDLE_SLOTS - 1)];
    uint64_t now = atomic_load(&one->object), next;
    do {
        const uint64_t ahead = (handle_generation(now) - handle_generation(object)) & HANDLE_GENERATION_MASK;
        if (now != 0 && ahead != 0 && ahead <= HANDLE_GENERATION_MASK / 2)
            return;
        next = object | what | (ahead == 0 ? now : 0);
    } while (!atomic_compare_exchange_weak(&one->object, &now, next));
    if (now == 0) {
        uint32_t last = atomic_load(&refusal_last);
        do {
            atomic_store_explicit(&one->next, last, memory_order_relaxed);
        } while (!atomic_compare_exchange_weak(&refusal_last, &last, (uint32_t)(one - refusals) + 1));
    }
    reactor_call();
}

/* What a refused call waits for, in words: each stands once, so that its place tells which it is. */
static const char ring_is_full[] = "no room in the submission ring";
static const char account_is_full[] =
    "what waits for the network has reached the option max_queued_response_bytes, or of a client max_queued_request_bytes";
static const char mark_is_reached[] = "the high-water mark of bytes waits for the network";
static const char queue_is_full[] = "thousands of events wait that the queue has no room for";

uint32_t zig_h3_last_refusal(void)
{
    const char *words = zig_h3_last_error();
    if (words == ring_is_full)
        return ZIG_H3_REFUSAL_RING;
    if (words == account_is_full || words == mark_is_reached)
        return ZIG_H3_REFUSAL_NETWORK;
    return words == queue_is_full ? ZIG_H3_REFUSAL_QUEUE : ZIG_H3_REFUSAL_NONE;
}
VERSIONED(zig_h3_last_refusal);

int32_t refusal_error(uint64_t what)
{
    return error_set(ZIG_H3_ERR_WOULD_BLOCK, what == REFUSAL_RING ? ring_is_full : account_is_full);
}

int32_t refusal_of_mark(void)
{
    return error_set(ZIG_H3_ERR_WOULD_BLOCK, mark_is_reached);
}

int32_t refuse(zig_h3_handle object, uint64_t what)
{
    refusal_note(object, what);
    return refusal_error(what);
}

int32_t refuse_list(zig_h3_handle object, const struct given *list, size_t len)
{
    const int32_t code = header_check_only(list->bytes, len);
    return code == ZIG_H3_OK ? refuse(object, REFUSAL_RING) : code;
}

int32_t refuse_flooded(zig_h3_handle object)
{
    refusal_note(object, REFUSAL_RING); /* by the time that the queue has room for the WRITABLE, it takes streams again */
    return error_set(ZIG_H3_ERR_WOULD_BLOCK, queue_is_full);
}
