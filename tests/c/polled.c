/*
 * Without an engine: a consumer that only polls, and finds nothing, still hears of what was lost (LOST) and lets those go on who wait for room. They
 * ask for the bell at any time, also when the ring has run empty.
 */
#include "../../capi/queue.h"
#include "../../capi/reactor.h"
#include "check.h"

static struct queue queue;
static zig_h3_handle handle;

static int32_t event(void)
{
    zig_h3_event one;
    return zig_h3_next_event(handle, &one);
}

static int32_t events(void)
{
    static uint64_t room[64];
    return zig_h3_next_events(handle, room, sizeof room, 10, NULL);
}

static int32_t peek(void)
{
    zig_h3_queue_span span;
    return zig_h3_queue_peek(handle, 10, &span);
}

static int32_t wait_for_none(void) { return zig_h3_queue_wait(handle, 0); }

static int32_t arm(void) { return zig_h3_queue_arm(handle); }

int main(void)
{
    static int32_t (*const polls[])(void) = {event, events, peek, wait_for_none, arm};
    struct slot *slot;
    h3_ring *const ring = h3_ring_new(512 << 10);
    _Atomic uint32_t *const hungry = (_Atomic uint32_t *)(void *)((uint8_t *)ring + H3_RING_AT_HUNGRY);
    handle = handle_issue(KIND_QUEUE, 0, &slot);
    queue.ring = ring;
    queue_named(&queue, handle);
    atomic_store(&queue.owners, 1);
    atomic_store(&slot->object, (uint64_t)(uintptr_t)&queue);
    for (size_t i = 0; i < sizeof polls / sizeof *polls; i++) {
        atomic_store(&reactor_bell, 0);
        SAME(polls[i](), 0);
        SAME(atomic_load(&reactor_bell), 0); /* nobody asked */
        atomic_store(hungry, 1);
        SAME(polls[i](), 0);
        SAME(atomic_load(&reactor_bell), 1);
        SAME(atomic_load(&queue.refill), 1);
        SAME(atomic_load(hungry), 0);
        atomic_store(&queue.refill, 0);
        atomic_store(&reactor_bell, 0);
        SAME(polls[i](), 0);
        SAME(atomic_load(&reactor_bell), 0); /* once */
    }
    return done();
}
