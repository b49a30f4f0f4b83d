/* Blocking on a queue, for threads that may. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "cancel.h"
#include "error.h"
#include "queue.h"
#include "submission.h"
#include "versioned.h"

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
