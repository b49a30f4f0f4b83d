#include "insist.h"

#include "submission.h"

void insist_by_attention(struct slot *slot, zig_h3_handle handle, uint64_t bits)
{
    uint64_t generation = handle_generation(handle) << HANDLE_GENERATION_SHIFT;
    uint64_t now = atomic_load(&slot->attention);
    uint64_t next;
    do {
        next = generation | bits;
        if ((now >> HANDLE_GENERATION_SHIFT) == generation >> HANDLE_GENERATION_SHIFT)
            next |= now;
    } while (!atomic_compare_exchange_weak(&slot->attention, &now, next));
    if (now == 0) {
        uint32_t head = atomic_load(&handle_table.attention);
        do {
            atomic_store_explicit(&slot->next_attention, head, memory_order_relaxed);
        } while (!atomic_compare_exchange_weak(&handle_table.attention, &head, (uint32_t)(slot - handle_slots) + 1));
    }
    reactor_call();
}

void insist(struct slot *slot, zig_h3_handle handle, uint16_t type, uint64_t aux, uint64_t bits)
{
    struct submission at;
    zig_h3_record *record = submission_claim(&at, 0);
    if (record == NULL) {
        insist_by_attention(slot, handle, bits);
        return;
    }
    *record = (zig_h3_record){.type = type, .object = handle, .aux = aux};
    submission_publish(&at, false);
}
