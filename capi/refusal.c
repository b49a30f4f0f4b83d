#include "refusal.h"

#include "error.h"
#include "handle.h"
#include "reactor.h"

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

int32_t refusal_error(uint64_t what)
{
    return error_set(ZIG_H3_ERR_WOULD_BLOCK, what == REFUSAL_RING ? "no room in the submission ring"
                                                                  : "what waits for the network has reached the option max_queued_response_bytes, or of a client max_queued_request_bytes");
}

int32_t refuse(zig_h3_handle object, uint64_t what)
{
    refusal_note(object, what);
    return refusal_error(what);
}
