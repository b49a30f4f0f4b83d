/*
 * The handle table: 2^20 slots of 64 bytes, shared by the host's threads (C) and the engine's goroutines (Go, table.go).
 *
 * A handle is kind << 48 | generation << 20 | index, and a slot's word carries the same kind and generation in the same bits, so one
 * comparison tells a live handle. The low 20 bits of the word are the slot's lock and the object's state.
 *
 * The engine issues and releases (only what the host opens or asks for has its handle issued here); a host thread locks a slot for its
 * short critical section. A release never waits for that lock: it takes the kind out of the word, which makes the handle stale, and
 * when a host thread is inside, that thread's unlock is what gives the slot back.
 *
 * An object may end on one goroutine while another commits an event of it, and the slot may be somebody else's by then. So what the
 * engine notes in a slot it notes by a compare-and-swap that compares the name too: state bits in the word, bytes that came in
 * arrived, which has the generation beside them for this.
 *
 * A slot that is given back is the first to be issued again, since its line is still at hand: so one that is used over and over would go through
 * its generations in an hour of heavy traffic, and a handle that a host has kept for so long would be somebody else's. Therefore a slot rests after
 * every HANDLE_WAKING generations, until HANDLE_RESTS others have come to rest behind it: 2^42 objects go by before a number comes back.
 *
 * Datagrams are taken by places. The engine gives an object as many as its queue of outgoing datagrams holds, in the field datagrams;
 * a host thread that sends takes one away under the slot's lock, and none being left is ZIG_H3_ERR_QUEUE_FULL. The engine adds places
 * as datagrams leave it, sent or dropped. Nobody ever writes how many are left, only how many more or fewer there are, so that those
 * on their way in the submission ring are counted: there are never more than the queue holds, and none is lost. The lock is what
 * keeps the slot this object's until the place is taken; the engine gives none back after the release.
 */
#ifndef CAPI_HANDLE_H
#define CAPI_HANDLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../include/zig_h3.h"
#include "account.h"

/* The values stand in the handles that hosts have: they stay as they are, and 5 is nothing. */
enum handle_kind {
    KIND_QUEUE = 1,
    KIND_SERVER = 2,
    KIND_CONN = 3,
    KIND_REQUEST = 4,
    KIND_SESSION = 6,
    KIND_STREAM = 7,
    KIND_CLIENT = 8,
    KIND_FETCH = 9,
    KIND_CONNECT = 10, /* a client's wish for a connection */
    KIND_LAST = KIND_CONNECT
};

#define HANDLE_SLOTS (1u << 20)
#define HANDLE_GENERATION_SHIFT 20 /* the index's bits: all the rest goes to generations, so that stale handles stay stale for long */
#define HANDLE_GENERATION_MASK 0xfffffffu
#define HANDLE_KIND_SHIFT 48
#define HANDLE_KIND_MASK ((uint64_t)0xf << HANDLE_KIND_SHIFT)
#define HANDLE_WAKING 1024u /* generations between two rests, a power of two */
#define HANDLE_RESTS 16384u /* slots that rest, a power of two */
#define HANDLE_ARRIVED_BITS 32 /* of a slot's word arrived: the bytes, below the generation */

/* State bits of a slot's word. */
enum {
    SLOT_LOCKED = 1 << 0,
    SLOT_FORGOTTEN = 1 << 1, /* stale to the host though the engine still has it: a FORGET, a server that was freed */
    SLOT_HEAD = 1 << 2,      /* the request is a HEAD: bodies are taken and thrown away */
    SLOT_BUFFERED = 1 << 3,  /* its route is buffered: consumed() has nothing to do */
    SLOT_BEGUN = 1 << 4,     /* a status or a header was set */
    SLOT_GONE = 1 << 5,      /* the headers are on their way */
    SLOT_ENDED = 1 << 6,     /* request, stream: no more is sent: ended, reset, stopped by the peer; session: rejected or closed */
    SLOT_RESET = 1 << 7,
    SLOT_STOPPED = 1 << 8,   /* request, stream: no more is received: stopped, or (stream) finished by the peer */
    SLOT_WRAPPED = 1 << 9,   /* generations have gone round once: none is unheard of any more */
    SLOT_DECIDED = 1 << 10,  /* session: accepted, rejected or closed by the host */
    SLOT_OPEN = 1 << 11,     /* session: its SESSION_OPENED is out; fetch: it is known whether it has datagrams */
    SLOT_UNTOLD = 1 << 12,   /* no host has the number yet: it is taken for one that was never given out */
    SLOT_AWAITED = 1 << 13,  /* somebody sleeps until the slot is unlocked */
    SLOT_FLOODED = 1 << 14   /* session: so much waits for the consumer that no stream is opened: see flood.go */
};

/* How often a locked slot is looked at before its holder gets the processor, which it may be waiting for, and how often it does before
 * whoever waits goes to sleep: the holder may be of a lower priority, and not run otherwise. */
#define HANDLE_SPINS 64
#define HANDLE_YIELDS 128

/* One cache line; table.go mirrors it. */
struct slot {
    _Atomic uint64_t word;
    _Atomic uint64_t credit;     /* request, session, stream: bytes that wait for the network, as its account has them, << 1, | 1 when
                                    a WRITABLE is owed. 0 in a slot that is free */
    _Atomic uint64_t object;     /* queue, server, session: its struct; request: the struct response that it builds, or 0 */
    _Atomic uint64_t arrived;    /* request, stream: generation << 32 | bytes that came and were not declared consumed, which the
                                    engine's window bounds; of a buffered route they mean nothing */
    _Atomic uint32_t owed;       /* request, stream: consumed bytes that the engine was not told of yet */
    _Atomic uint32_t datagrams;  /* conn, request, session: the largest datagram << 16 (0: not negotiated) | places that are free */
    _Atomic uint64_t codes;      /* request: that of its reset; stream: of its stop << 32 | of its reset; session: the number of the
                                    sink that its events go through */
    _Atomic uint64_t attention;  /* generation << 20 | bits; not 0 while the slot is on the attention stack */
    union {
        _Atomic uint32_t account;   /* conn, request, session, stream: the number of its server's account */
        _Atomic uint32_t next_free; /* a slot that is free: index + 1 */
    };
    _Atomic uint32_t next_attention;
};

/* What C and Go share about the table besides the slots; hot words apart. */
struct handle_table {
    _Alignas(128) _Atomic uint64_t free;      /* tag << 32 | index + 1: a stack whose tag defeats ABA */
    _Alignas(128) _Atomic uint32_t used;      /* slots that were ever issued */
    _Alignas(128) _Atomic uint32_t attention; /* index + 1: a stack that the reactor takes whole */
};

extern struct slot handle_slots[HANDLE_SLOTS];
extern struct handle_table handle_table;

/* The generation in a handle, or in a slot's word. */
static inline uint64_t handle_generation(uint64_t bits)
{
    return bits >> HANDLE_GENERATION_SHIFT & HANDLE_GENERATION_MASK;
}

/* For cgo, which cannot name arrays of this size. */
struct slot *handle_base(void);

/* The kind that a call looks for which takes requests and fetches: that of a fetch where the handle names one. */
static inline enum handle_kind handle_either_end(zig_h3_handle handle)
{
    return handle >> HANDLE_KIND_SHIFT == KIND_FETCH ? KIND_FETCH : KIND_REQUEST;
}

/* Why a handle is not a live one of that kind: a negative code, with the words set. */
int32_t handle_error(zig_h3_handle handle, enum handle_kind kind);

/*
 * Issues a handle to a host thread, with these state bits; 0 when all slots are in use. With SLOT_UNTOLD what its slot has to say besides
 * may still be filled in, up to handle_tell().
 */
zig_h3_handle handle_issue(enum handle_kind kind, uint64_t state, struct slot **slot);

/* The number goes out now: it is a live handle. */
void handle_tell(struct slot *slot);

/* Takes it back, never used. Whoever guessed the number and is inside gives the slot back when he leaves. */
void handle_withdraw(struct slot *slot);

/* Waits a little for the host thread that has locked a slot, the longer the more turns it has taken: until it may be worth looking again.
 * word is the slot's as it was seen. */
void handle_pause(struct slot *slot, uint64_t word, unsigned turns);

/* Wakes whoever handle_pause() has put to sleep. */
void handle_wake(struct slot *slot);

/* Gives a released slot back, and to the account what its object still had there. Called by whoever finds it both released and
 * unlocked. */
void handle_recycle(struct slot *slot);

/* A slot that rests, when there is no other: index + 1, or 0. */
uint32_t handle_rouse(void);

/* The slot of a live handle, and its word; NULL for anything else. Nothing is locked: the object may end at once. */
static inline struct slot *handle_find(zig_h3_handle handle, enum handle_kind kind, uint64_t *word)
{
    struct slot *slot = &handle_slots[handle & (HANDLE_SLOTS - 1)];
    uint64_t now = atomic_load_explicit(&slot->word, memory_order_acquire);
    *word = now;
    if ((now ^ handle) >> HANDLE_GENERATION_SHIFT == 0 && handle >> HANDLE_KIND_SHIFT == kind &&
        !(now & (SLOT_FORGOTTEN | SLOT_UNTOLD)))
        return slot;
    return NULL;
}

/* The slot of a live handle, locked, and its word before; NULL for anything else. Waits for another host thread inside. */
struct slot *handle_lock(zig_h3_handle handle, enum handle_kind kind, uint64_t *word);

/* The account of the object in a slot that is locked. */
static inline struct account *handle_account(const struct slot *slot)
{
    return account_at(atomic_load_explicit(&slot->account, memory_order_relaxed));
}

/* Notes that n more bytes of the object in a slot that is locked wait: they are in its account already. */
static inline void handle_charge(struct slot *slot, uint64_t n)
{
    atomic_fetch_add_explicit(&slot->credit, n << 1, memory_order_relaxed);
}

/* Unlocks with these state bits set. */
static inline void handle_unlock(struct slot *slot, uint64_t set)
{
    uint64_t now = atomic_load_explicit(&slot->word, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&slot->word, &now, (now | set) & ~(uint64_t)(SLOT_LOCKED | SLOT_AWAITED),
                                                  memory_order_acq_rel, memory_order_relaxed)) {
    }
    if (now & SLOT_AWAITED)
        handle_wake(slot);
    if ((now & HANDLE_KIND_MASK) == 0)
        handle_recycle(slot);
}

#endif
