/*
 * Handles, without an engine: a slot that is used over and over rests now and then, so that the number of an object that ended long ago is nobody
 * else's (A04); and no slot is lost by that.
 */
#include "../../capi/handle.h"
#include "check.h"

enum { MORE = 10 };

int main(void)
{
    static uint32_t most[HANDLE_SLOTS]; /* the latest generation of each slot */
    struct slot *slot;
    uint64_t odd = 0, all = 0;
    uint32_t used = 0;
    /* One object at a time, until as many slots rest as may, and some of them are roused again. */
    const uint64_t times = (uint64_t)(HANDLE_RESTS + MORE) * HANDLE_WAKING;
    for (uint64_t i = 0; i < times; i++) {
        const zig_h3_handle handle = handle_issue(KIND_STREAM, 0, &slot);
        const uint32_t index = handle & (HANDLE_SLOTS - 1), generation = (uint32_t)handle_generation(handle);
        odd += generation != most[index] + 1;
        used += most[index] == 0;
        most[index] = generation;
        handle_withdraw(slot);
    }
    SAME(odd, 0);
    SAME(used, HANDLE_RESTS + 1); /* those that rest, and the one that is awake */
    SAME(most[0], 2 * HANDLE_WAKING); /* it was the first to rest, and the first to come back */
    for (uint32_t i = 0; i < HANDLE_RESTS; i++)
        odd += most[i] > 2 * HANDLE_WAKING;
    SAME(odd, 0);
    /* All of them can be live together, each once. */
    memset(most, 0, sizeof most);
    zig_h3_handle handle;
    while ((handle = handle_issue(KIND_STREAM, 0, &slot)) != 0) {
        odd += most[handle & (HANDLE_SLOTS - 1)]++ != 0;
        all++;
    }
    SAME(all, HANDLE_SLOTS);
    SAME(odd, 0);
    for (uint32_t i = 0; i < HANDLE_SLOTS; i++)
        handle_withdraw(&handle_slots[i]);
    all = 0;
    while (handle_issue(KIND_STREAM, 0, &slot) != 0)
        all++;
    SAME(all, HANDLE_SLOTS);
    return done();
}
