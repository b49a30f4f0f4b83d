/* A queue as the library sees it: the ring that one consumer drains, and who is inside. */
#ifndef CAPI_QUEUE_H
#define CAPI_QUEUE_H

#include <stdatomic.h>
#include <stdint.h>

#include "../include/zig_h3.h"
#include "handle.h"
#include "ring.h"

/* Who is inside a queue. */
enum consumer { CONSUMER_NONE, CONSUMER_DRAINS, CONSUMER_WAITS, CONSUMER_GONE };

/*
 * Structs of queues are never freed, only used again: a thread that comes with a stale handle at the wrong moment finds a queue. It does
 * not get in, since the word that it would get in by holds the handle too.
 */
static inline uint64_t consumer_of(zig_h3_handle handle, enum consumer who)
{
    return handle << 2 | who;
}

/* Whether zig_h3_queue_wake() was called: with the handle, so that a call that comes late wakes nobody else's queue. */
static inline uint64_t woken_of(zig_h3_handle handle, bool woken)
{
    return handle << 1 | woken;
}

struct queue {
    _Atomic uint32_t refill;   /* the engine shall look at it: the first field, queue.go reads it in place */
    _Atomic uint64_t woken;    /* woken_of() */
    _Atomic uint64_t consumer; /* consumer_of() */
    _Atomic uint32_t owners;   /* the engine, and a thread that waits: the last one gives it back */
    h3_ring *_Atomic ring;     /* atomic for queue_is_empty(), which may look at it while the struct is given to another queue */
    const uint8_t *view; /* h3_ring_view() of it: where events are for the host to read */
    uint32_t spanned; /* a span was told, and nothing was taken since but from its beginning */
    uint32_t held;    /* next_event gave out a record that is still taken: the next draining call releases it */
    struct queue *next;
};

/* The queue of a live handle, found without a lock; NULL for anything else. The slot is looked at again behind its object: freed in
 * between, it may have been given to a server or a request, whose struct is no queue at all. */
static inline struct queue *queue_find(zig_h3_handle handle)
{
    uint64_t word;
    struct slot *slot = handle_find(handle, KIND_QUEUE, &word);
    if (slot == NULL)
        return NULL;
    struct queue *queue = (struct queue *)(uintptr_t)atomic_load_explicit(&slot->object, memory_order_acquire);
    return handle_find(handle, KIND_QUEUE, &word) == slot ? queue : NULL;
}

/* The engine's side. */

/* It has this handle from now on: whoever knows it may come in. */
void queue_named(struct queue *queue, zig_h3_handle handle);

/* Where its ring is. */
void *queue_memory(struct queue *queue);

/* Wakes whoever waits on it, whatever for. */
void queue_kick(struct queue *queue, zig_h3_handle handle);

/* Lets go of it; nobody produces to it any more. */
void queue_let_go(struct queue *queue);

#endif
