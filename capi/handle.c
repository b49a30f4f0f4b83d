#include "handle.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#ifdef __linux__
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "cancel.h"
#include "error.h"

/* Zero pages until a slot is touched: the table costs what is in use at the same time, in address space 64 MiB. */
_Alignas(64) struct slot handle_slots[HANDLE_SLOTS];
struct handle_table handle_table;

_Static_assert(HANDLE_SLOTS == 1u << HANDLE_GENERATION_SHIFT, "the index fills the bits below the generation");
_Static_assert(HANDLE_SLOTS == ACCOUNTS, "a server's account has the number of its slot");
_Static_assert(sizeof(struct slot) == 64, "one cache line a slot; table.go mirrors it");

struct slot *handle_base(void)
{
    return handle_slots;
}

static int32_t classify(zig_h3_handle handle, enum handle_kind kind)
{
    uint64_t named_kind = handle >> HANDLE_KIND_SHIFT;
    uint64_t index = handle & (HANDLE_SLOTS - 1);
    if (named_kind == 0 || named_kind > KIND_LAST || handle_generation(handle) == 0)
        return ZIG_H3_ERR_INVALID_HANDLE;
    uint64_t word = atomic_load_explicit(&handle_slots[index].word, memory_order_acquire);
    uint64_t live_kind = (word & HANDLE_KIND_MASK) >> HANDLE_KIND_SHIFT;
    if (handle_generation(word) == 0)
        return ZIG_H3_ERR_INVALID_HANDLE;
    if (handle_generation(word) == handle_generation(handle)) {
        if (live_kind == 0)
            return ZIG_H3_ERR_STALE_HANDLE;
        if (live_kind != named_kind)
            return ZIG_H3_ERR_INVALID_HANDLE;
        if (word & SLOT_FORGOTTEN)
            return ZIG_H3_ERR_STALE_HANDLE;
        if (word & SLOT_UNTOLD)
            return ZIG_H3_ERR_INVALID_HANDLE;
        return live_kind == kind ? ZIG_H3_OK : ZIG_H3_ERR_WRONG_KIND;
    }
    if (handle_generation(handle) < handle_generation(word) || (word & SLOT_WRAPPED))
        return ZIG_H3_ERR_STALE_HANDLE;
    return ZIG_H3_ERR_INVALID_HANDLE;
}

int32_t handle_error(zig_h3_handle handle, enum handle_kind kind)
{
    switch (classify(handle, kind)) {
    case ZIG_H3_ERR_INVALID_HANDLE:
        return error_set(ZIG_H3_ERR_INVALID_HANDLE, "zero, or a number that no call ever gave out");
    case ZIG_H3_ERR_WRONG_KIND:
        return error_set(ZIG_H3_ERR_WRONG_KIND, "a live object, but not of the kind that the call takes");
    default:
        /* Also what was live when it was looked up and is asked about here: it has ended in between. */
        return error_set(ZIG_H3_ERR_STALE_HANDLE, "the object has ended");
    }
}

struct slot *handle_lock(zig_h3_handle handle, enum handle_kind kind, uint64_t *word)
{
    for (unsigned turns = 0;; turns++) {
        struct slot *slot = handle_find(handle, kind, word);
        if (slot == NULL)
            return NULL;
        if (!(*word & SLOT_LOCKED)) {
            uint64_t seen = *word;
            if (atomic_compare_exchange_weak_explicit(&slot->word, &seen, seen | SLOT_LOCKED, memory_order_acquire,
                                                      memory_order_relaxed))
                return slot;
        } else {
            handle_pause(slot, *word, turns);
        }
    }
}

#ifdef __linux__
/* The lock and the other state bits: the half of a word that the kernel compares. */
static uint32_t *futex_of(struct slot *slot)
{
    return (uint32_t *)(void *)&slot->word;
}

/* By syscall(), which is no cancellation point and leaves nothing behind but errno. */
static void sleep_until_unlocked(struct slot *slot, uint64_t word)
{
    if (!(word & SLOT_AWAITED) &&
        !atomic_compare_exchange_strong_explicit(&slot->word, &word, word | SLOT_AWAITED, memory_order_relaxed, memory_order_relaxed))
        return;
    const int error = errno;
    syscall(SYS_futex, futex_of(slot), FUTEX_WAIT_PRIVATE, (uint32_t)(word | SLOT_AWAITED), NULL, NULL, 0);
    errno = error;
}

void handle_wake(struct slot *slot)
{
    const int error = errno;
    syscall(SYS_futex, futex_of(slot), FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    errno = error;
}
#else
static void sleep_until_unlocked(struct slot *slot, uint64_t word)
{
    (void)slot, (void)word;
    const int held = cancel_hold();
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    cancel_allow(held);
}

void handle_wake(struct slot *slot) { (void)slot; }
#endif

void handle_pause(struct slot *slot, uint64_t word, unsigned turns)
{
    if (turns > HANDLE_SPINS + HANDLE_YIELDS)
        sleep_until_unlocked(slot, word);
    else if (turns > HANDLE_SPINS)
        sched_yield();
}

/* Those that rest, index + 1 each, and how many have come to rest so far. */
static _Atomic uint32_t resting[HANDLE_RESTS];
static _Atomic uint32_t rests;

/* Puts a slot to rest, and gives the one that has rested longest: NULL if none has for long enough. */
static struct slot *change_places(struct slot *slot)
{
    const uint32_t place = atomic_fetch_add_explicit(&rests, 1, memory_order_relaxed) % HANDLE_RESTS;
    const uint32_t other = atomic_exchange_explicit(&resting[place], (uint32_t)(slot - handle_slots) + 1, memory_order_acq_rel);
    return other == 0 ? NULL : &handle_slots[other - 1];
}

uint32_t handle_rouse(void)
{
    for (uint32_t i = 0; i < HANDLE_RESTS; i++) {
        uint32_t other = atomic_load_explicit(&resting[i], memory_order_relaxed);
        if (other != 0 && (other = atomic_exchange_explicit(&resting[i], 0, memory_order_acq_rel)) != 0)
            return other;
    }
    return 0;
}

static struct slot *take_slot(void)
{
    uint64_t head = atomic_load_explicit(&handle_table.free, memory_order_acquire);
    while ((uint32_t)head != 0) {
        struct slot *slot = &handle_slots[(uint32_t)head - 1];
        uint64_t next = ((head >> 32) + 1) << 32 | atomic_load_explicit(&slot->next_free, memory_order_relaxed);
        if (atomic_compare_exchange_weak_explicit(&handle_table.free, &head, next, memory_order_acq_rel, memory_order_acquire))
            return slot;
    }
    uint32_t used = atomic_load_explicit(&handle_table.used, memory_order_relaxed);
    do {
        if (used == HANDLE_SLOTS) {
            const uint32_t other = handle_rouse();
            return other == 0 ? NULL : &handle_slots[other - 1];
        }
    } while (!atomic_compare_exchange_weak_explicit(&handle_table.used, &used, used + 1, memory_order_acq_rel, memory_order_relaxed));
    return &handle_slots[used];
}

zig_h3_handle handle_issue(enum handle_kind kind, uint64_t state, struct slot **out)
{
    struct slot *slot = *out = take_slot();
    if (slot == NULL)
        return 0;
    atomic_store_explicit(&slot->owed, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->datagrams, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->codes, 0, memory_order_relaxed);
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    uint64_t generation = (handle_generation(word) + 1) & HANDLE_GENERATION_MASK;
    uint64_t wrapped = word & SLOT_WRAPPED;
    if (generation == 0) {
        generation = 1;
        wrapped = SLOT_WRAPPED;
    }
    atomic_store_explicit(&slot->arrived, generation << HANDLE_ARRIVED_BITS, memory_order_relaxed);
    uint64_t name = (uint64_t)kind << HANDLE_KIND_SHIFT | generation << HANDLE_GENERATION_SHIFT;
    atomic_store_explicit(&slot->word, name | wrapped | state, memory_order_release);
    return name | (uint64_t)(slot - handle_slots);
}

void handle_tell(struct slot *slot)
{
    atomic_fetch_and_explicit(&slot->word, ~(uint64_t)SLOT_UNTOLD, memory_order_release);
}

void handle_withdraw(struct slot *slot)
{
    if (!(atomic_fetch_and_explicit(&slot->word, ~HANDLE_KIND_MASK, memory_order_acq_rel) & SLOT_LOCKED))
        handle_recycle(slot);
}

void handle_recycle(struct slot *slot)
{
    atomic_load_explicit(&slot->word, memory_order_acquire); /* behind the unlock of whoever built */
    /* Whatever the host had begun to build dies with the request, and a session's struct with it. Queues and servers clear the word
     * before they come here. */
    free((void *)(uintptr_t)atomic_exchange_explicit(&slot->object, 0, memory_order_acquire));
    const uint64_t left = atomic_exchange_explicit(&slot->credit, 0, memory_order_relaxed) >> 1;
    if (left != 0)
        account_give(handle_account(slot), left);
    if (handle_generation(atomic_load_explicit(&slot->word, memory_order_relaxed)) % HANDLE_WAKING == 0 &&
        (slot = change_places(slot)) == NULL)
        return;
    uint32_t link = (uint32_t)(slot - handle_slots) + 1;
    uint64_t head = atomic_load_explicit(&handle_table.free, memory_order_relaxed);
    uint64_t next;
    do {
        atomic_store_explicit(&slot->next_free, (uint32_t)head, memory_order_relaxed);
        next = ((head >> 32) + 1) << 32 | link;
    } while (!atomic_compare_exchange_weak_explicit(&handle_table.free, &head, next, memory_order_release, memory_order_relaxed));
}
