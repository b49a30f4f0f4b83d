/* Draining a queue: who is inside; events one by one, copied in numbers, or in place; going to sleep, and waiting for threads that may. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cancel.h"
#include "error.h"
#include "prefetch.h"
#include "queue.h"
#include "reactor.h"
#include "state.h"
#include "versioned.h"

/* ------------------------------------------------------------------------------------------------------------- who is inside */

static void ring_doorbell(struct queue *queue)
{
    if (h3_ring_doorbell(queue->ring)) {
        atomic_store(&queue->refill, 1);
        reactor_call();
    }
}

/* Gives the memory of what was taken back, and tells producers that wait for it. */
static void queue_release(struct queue *queue)
{
    queue->held = 0;
    h3_ring_release(queue->ring);
    ring_doorbell(queue);
}

/* Lets the calling thread in to drain, which is done with the event that it has in place; or gives NULL with *code set. */
static struct queue *queue_enter(zig_h3_handle handle, int32_t *code)
{
    if (state_now() == ZIG_H3_ERR_FORKED) {
        *code = state_check();
        return NULL;
    }
    struct queue *queue = queue_find(handle);
    uint64_t inside = consumer_of(handle, CONSUMER_NONE);
    if (queue != NULL && atomic_compare_exchange_strong_explicit(&queue->consumer, &inside, consumer_of(handle, CONSUMER_DRAINS),
                                                                 memory_order_acquire, memory_order_relaxed)) {
        if (queue->held)
            queue_release(queue);
        return queue;
    }
    const bool taken = queue != NULL && (inside == consumer_of(handle, CONSUMER_DRAINS) || inside == consumer_of(handle, CONSUMER_WAITS));
    *code = taken ? error_set(ZIG_H3_ERR_BUSY, "another thread is draining this queue") : handle_error(handle, KIND_QUEUE);
    return NULL;
}

static inline void queue_leave(struct queue *queue)
{
    const uint64_t inside = atomic_load_explicit(&queue->consumer, memory_order_relaxed);
    atomic_store_explicit(&queue->consumer, inside & ~(uint64_t)CONSUMER_GONE, memory_order_release);
}

/* Whether a live queue has nothing, nobody inside, and no producer that wants to hear of room: told without entering, since that is what most
 * polls find. */
static inline bool queue_is_empty(zig_h3_handle handle)
{
    if (state_now() != 0)
        return false;
    struct queue *queue = queue_find(handle);
    if (queue == NULL || atomic_load_explicit(&queue->consumer, memory_order_relaxed) != consumer_of(handle, CONSUMER_NONE))
        return false;
    h3_ring *const ring = atomic_load_explicit(&queue->ring, memory_order_acquire);
    return h3_ring_idle(ring);
}

/* What a draining call returns that found nothing: 0, or that there will be nothing any more. Looks again once the state is known to be
 * bad: the FATAL event comes before it, and may have come since the first look. Who was left without room, or has lost something, since the
 * last event was taken is told as well that there is room: a consumer that only polls makes no other call. */
static inline int32_t queue_nothing_now(struct queue *queue)
{
    ring_doorbell(queue);
    if (state_of(memory_order_acquire) == 0)
        return 0;
    return h3_ring_peek(queue->ring) != NULL ? 0 : state_check();
}

/* ------------------------------------------------------------------------------------------------------------- taking events */

/* The consumer is about to answer a request whose slot another processor wrote last: have it fetched meanwhile. */
static inline void queue_foresee(const zig_h3_record *record)
{
    prefetch_to_write(&handle_slots[record->object & (HANDLE_SLOTS - 1)]);
}

_Static_assert(offsetof(zig_h3_event, meta) == sizeof(zig_h3_record), "an event begins with the record's head");

int32_t zig_h3_next_event(zig_h3_handle handle, zig_h3_event *event)
{
    int32_t code;
    if (event == NULL)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "event is NULL");
    if (queue_is_empty(handle))
        return 0;
    struct queue *queue = queue_enter(handle, &code);
    if (queue == NULL)
        return code;
    const zig_h3_record *record = h3_ring_peek(queue->ring);
    if (record != NULL) {
        queue_foresee(record);
        memcpy(event, record, sizeof *record);
        event->meta = queue->view + ((const uint8_t *)(record + 1) - (const uint8_t *)queue->ring);
        event->data = event->meta + ((record->meta_len + 7u) & ~7u);
        h3_ring_take(queue->ring, record);
        queue->held = 1;
        queue->spanned = 0;
        code = 1;
    } else {
        code = queue_nothing_now(queue);
    }
    queue_leave(queue);
    return code;
}
VERSIONED(zig_h3_next_event);

int32_t zig_h3_next_events(zig_h3_handle handle, void *buffer, size_t capacity, uint32_t max, size_t *needed)
{
    int32_t code;
    size_t used = 0;
    uint32_t count = 0;
    if (needed != NULL)
        *needed = 0;
    if (buffer == NULL || (uintptr_t)buffer % 8 != 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "buffer is NULL, or not 8-byte aligned");
    if (queue_is_empty(handle))
        return 0;
    if (max > INT32_MAX)
        max = INT32_MAX;
    struct queue *queue = queue_enter(handle, &code);
    if (queue == NULL)
        return code;
    const zig_h3_record *record = NULL;
    while (count < max && (record = h3_ring_peek(queue->ring)) != NULL) {
        const size_t size = h3_ring_peeked(queue->ring), room = (size + 63) & ~(size_t)63;
        if (room > capacity - used) {
            if (count == 0)
                used = room;
            break;
        }
        queue_foresee(record);
        memcpy((uint8_t *)buffer + used, record, size);
        used += room;
        count++;
        h3_ring_take(queue->ring, record);
        queue->spanned = 0;
    }
    code = (int32_t)count;
    if (count > 0)
        queue_release(queue);
    else if (record != NULL)
        code = error_format(ZIG_H3_ERR_BUFFER_TOO_SMALL, "the next event takes %zu bytes, the buffer has %zu", used, capacity);
    else
        code = queue_nothing_now(queue);
    queue_leave(queue);
    if (needed != NULL)
        *needed = used;
    return code;
}
VERSIONED(zig_h3_next_events);

int32_t zig_h3_queue_peek(zig_h3_handle handle, uint32_t max, zig_h3_queue_span *span)
{
    int32_t code;
    if (span == NULL)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "span is NULL");
    *span = (zig_h3_queue_span){0};
    if (queue_is_empty(handle))
        return 0;
    struct queue *queue = queue_enter(handle, &code);
    if (queue == NULL)
        return code;
    zig_h3_queue_span found;
    code = (int32_t)h3_ring_span(queue->ring, max > INT32_MAX ? INT32_MAX : max, &found.offset, &found.bytes);
    queue->spanned = code > 0;
    if (code == 0)
        code = queue_nothing_now(queue);
    queue_leave(queue);
    if (code > 0)
        *span = found;
    return code;
}
VERSIONED(zig_h3_queue_peek);

int32_t zig_h3_queue_advance(zig_h3_handle handle, uint64_t bytes)
{
    int32_t code;
    struct queue *queue = queue_enter(handle, &code);
    if (queue == NULL)
        return code;
    if (bytes > 0 && !queue->spanned) /* what the span began with was taken by another call: these would be events that nobody has seen */
        code = error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "no span is there: an event was taken in another way since");
    else if (h3_ring_advance(queue->ring, bytes) != 0)
        code = error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "bytes ends inside a record, or beyond what is queued");
    else
        code = ZIG_H3_OK;
    queue_release(queue);
    queue_leave(queue);
    return code;
}
VERSIONED(zig_h3_queue_advance);

/* ------------------------------------------------------------------------------------------------------------------- waiting */

int32_t zig_h3_queue_arm(zig_h3_handle handle)
{
    int32_t code;
    struct queue *queue = queue_enter(handle, &code);
    if (queue == NULL)
        return code;
    code = h3_ring_arm(queue->ring);
    if (code == 0)
        code = queue_nothing_now(queue);
    queue_leave(queue);
    return code;
}
VERSIONED(zig_h3_queue_arm);

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A thread that waits, for who cleans up after it. */
struct waiter {
    struct queue *queue;
    uint64_t inside;
};

/* Lets the queue go to the next thread; false when it was freed meanwhile. */
static bool leave(struct queue *queue, uint64_t inside)
{
    const uint64_t nobody = consumer_of(inside >> 2, CONSUMER_NONE);
    const bool live = atomic_compare_exchange_strong(&queue->consumer, &inside, nobody);
    queue_let_go(queue);
    return live;
}

/* The thread was cancelled while it slept: nothing was taken, so nothing is lost. */
static void cancelled(void *argument)
{
    const struct waiter *waiter = argument;
    h3_ring_disarm(waiter->queue->ring);
    leave(waiter->queue, waiter->inside);
}

/* Sleeps until the descriptor is readable or the deadline has passed (-1: none), and makes it unreadable again. False when a signal handler
 * ran. The one place of the library where a thread can be cancelled. */
static bool sleep_on(struct waiter *waiter, int64_t deadline)
{
    struct pollfd waiting = {.fd = h3_ring_fd(waiter->queue->ring), .events = POLLIN};
    int64_t left = -1;
    if (deadline >= 0 && (left = deadline - now_ms()) < 0)
        left = 0;
    int ready;
    pthread_cleanup_push(cancelled, waiter);
    ready = poll(&waiting, 1, (int)left);
    pthread_cleanup_pop(0);
    const bool interrupted = ready < 0 && errno == EINTR;
    if (ready > 0) {
        uint64_t count;
        const int held = cancel_hold();
        while (read(waiting.fd, &count, sizeof count) < 0 && errno == EINTR) {
        }
        cancel_allow(held);
    }
    return !interrupted;
}

static int32_t wait_inside(struct queue *queue, uint64_t inside, int32_t timeout_ms)
{
    const int64_t deadline = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
    struct waiter waiter = {queue, inside};
    for (bool interrupted = false;;) {
        if (h3_ring_peek(queue->ring) != NULL)
            return 1;
        int32_t code = queue_nothing_now(queue);
        if (code != 0)
            return code;
        if (state_now() != 0)
            continue; /* the FATAL event has come since */
        uint64_t woken = woken_of(inside >> 2, true);
        if (atomic_compare_exchange_strong(&queue->woken, &woken, woken_of(inside >> 2, false)))
            return 0;
        if (interrupted || timeout_ms == 0 || (deadline >= 0 && now_ms() >= deadline))
            return 0;
        if (h3_ring_arm(queue->ring) != 0)
            return 1;
        /* Whoever wants this thread to come back says so first and looks for an armed ring then; so look once more now. */
        if (atomic_load(&queue->woken) == woken_of(inside >> 2, false) && atomic_load(&queue->consumer) == inside && state_now() == 0) {
            queue_release(queue);
            interrupted = !sleep_on(&waiter, deadline);
        }
        h3_ring_disarm(queue->ring);
        if (atomic_load(&queue->consumer) != inside)
            return ZIG_H3_ERR_STALE_HANDLE;
    }
}

/*
 * Lets the calling thread in, as one of the queue's owners, or gives NULL with *code set. With the slot locked, as
 * zig_h3_queue_free() locks it: a free before finds nobody to send home and makes the handle stale, one behind finds the count that
 * keeps the struct this queue's. Without, a thread that lost its processor between the entry and the count would come back to the
 * struct of another queue, or of none.
 */
static struct queue *enter_to_wait(zig_h3_handle handle, int32_t *code)
{
    uint64_t word;
    struct slot *slot = handle_lock(handle, KIND_QUEUE, &word);
    if (slot == NULL) {
        *code = handle_error(handle, KIND_QUEUE);
        return NULL;
    }
    struct queue *queue = (struct queue *)(uintptr_t)atomic_load(&slot->object);
    uint64_t nobody = consumer_of(handle, CONSUMER_NONE);
    if (atomic_compare_exchange_strong(&queue->consumer, &nobody, consumer_of(handle, CONSUMER_WAITS))) {
        atomic_fetch_add(&queue->owners, 1);
    } else {
        *code = error_set(ZIG_H3_ERR_BUSY, "another thread is draining this queue");
        queue = NULL;
    }
    handle_unlock(slot, 0);
    return queue;
}

int32_t zig_h3_queue_wait(zig_h3_handle handle, int32_t timeout_ms)
{
    int32_t code = state_now() == ZIG_H3_ERR_FORKED ? state_check() : ZIG_H3_OK;
    if (code != ZIG_H3_OK)
        return code;
    struct queue *queue = enter_to_wait(handle, &code);
    if (queue == NULL)
        return code;
    if (queue->held)
        queue_release(queue);
    const uint64_t mine = consumer_of(handle, CONSUMER_WAITS);
    code = wait_inside(queue, mine, timeout_ms);
    return leave(queue, mine) ? code : handle_error(handle, KIND_QUEUE);
}
VERSIONED(zig_h3_queue_wait);

/* Safe in a signal handler: it takes no lock, which the thread that was interrupted may hold. Structs and rings of queues are never given
 * back, so that a queue that is freed just now needs none: then nobody is woken, or one who sleeps again at once. */
int32_t zig_h3_queue_wake(zig_h3_handle handle)
{
    if (state_now() != 0)
        return state_check();
    struct queue *queue = queue_find(handle);
    if (queue == NULL)
        return handle_error(handle, KIND_QUEUE);
    queue_kick(queue, handle);
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_queue_wake);
