/*
 * The account of a server or client: what waits for the network of all its responses, requests and streams together. What each of them adds stands in its
 * slot's credit and here; it is taken off both when QUIC has taken it (sink.Drained), or off here with the end of the object
 * (handle_recycle). So once everything has ended there is nothing here, whatever became of it.
 *
 * While the server's limit is reached each response and stream may still have ACCOUNT_FLOOR bytes waiting. That is what lets one whose
 * peer reads go on, however many do not, and what keeps wake-ups simple: who is refused has bytes of his own on their way, and the
 * WRITABLE that their leaving brings is all that he needs. Bodies that are taken whole or not at all may have nothing on their way when
 * they are refused: those wait for the account (refusal.h), and who gives room back looks whether anybody does.
 */
#ifndef CAPI_ACCOUNT_H
#define CAPI_ACCOUNT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* One for each slot (handle.h). */
#define ACCOUNTS (1u << 20)

/* Bytes that one response or stream may have waiting whatever others have, unless its high-water mark is lower. */
#define ACCOUNT_FLOOR 16384u

/* Whoever was refused for want of room is told when there is so much, the most that is sent at once or not at all. */
#define ACCOUNT_ROOM 65536u

struct account {
    _Alignas(64) _Atomic uint64_t queued; /* bytes that wait */
    _Atomic uint64_t most;                /* option max_queued_response_bytes */
    _Atomic uint32_t high_water;          /* option high_water_mark: most bytes of one response or stream */
    _Atomic uint32_t awaited;             /* 1: whoever makes it roomy calls the reactor, and makes this 0 */
};

/* By the index of the server's slot. They are never reset: whoever is late with the last server that had it still finds it right. */
struct account *account_at(uint32_t number);

/* Takes room for up to want more bytes of an object of which own bytes wait. Returns for how many; 0 only when own is not 0. */
uint64_t account_take(struct account *account, uint64_t want, uint64_t own);

/* For how many of want more bytes of an object of which own bytes wait there is room now. Takes none. */
uint64_t account_room(const struct account *account, uint64_t want, uint64_t own);

/* Takes room for a whole body of len bytes. False when it is larger than ACCOUNT_FLOOR, and others fill the account. */
bool account_admit(struct account *account, uint64_t len);

/* Gives room back. */
void account_give(struct account *account, uint64_t n);

/* Up to where an object may fill its account now. One that was refused is told to go on at half of it. account.go has the same. */
static inline uint64_t account_mark(const struct account *account)
{
    const uint32_t mark = atomic_load_explicit(&account->high_water, memory_order_relaxed);
    const bool full = atomic_load_explicit(&account->queued, memory_order_relaxed) >= atomic_load_explicit(&account->most, memory_order_relaxed);
    return full && mark > ACCOUNT_FLOOR ? ACCOUNT_FLOOR : mark;
}

#endif
