/* Blocking on a queue, for threads that may. */
#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

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

/* Sleeps until the descriptor is readable or the deadline has passed (-1: none), and makes it unreadable again. */
static void sleep_on(h3_ring *ring, int64_t deadline)
{
    struct pollfd waiting = {.fd = h3_ring_fd(ring), .events = POLLIN};
    int64_t left = -1;
    if (deadline >= 0 && (left = deadline - now_ms()) < 0)
        left = 0;
    if (poll(&waiting, 1, (int)left) > 0) {
        uint64_t count;
        while (read(waiting.fd, &count, sizeof count) < 0 && errno == EINTR) {
        }
    }
}

static int32_t wait_inside(struct queue *queue, uint64_t inside, int32_t timeout_ms)
{
    const int64_t deadline = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
    for (;;) {
        if (h3_ring_peek(queue->ring) != NULL)
            return 1;
        int32_t code = queue_nothing_now(queue);
        if (code != 0)
            return code;
        if (state_now() != 0)
            continue; /* the FATAL event has come since */
        if (atomic_exchange(&queue->woken, 0) != 0)
            return 0;
        if (timeout_ms == 0 || (deadline >= 0 && now_ms() >= deadline))
            return 0;
        if (h3_ring_arm(queue->ring) != 0)
            return 1;
        /* Whoever wants this thread to come back says so first and looks for an armed ring then; so look once more now. */
        if (atomic_load(&queue->woken) == 0 && atomic_load(&queue->consumer) == inside && state_now() == 0) {
            queue_release(queue);
            sleep_on(queue->ring, deadline);
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
    uint64_t mine = consumer_of(handle, CONSUMER_WAITS);
    code = wait_inside(queue, mine, timeout_ms);
    if (!atomic_compare_exchange_strong(&queue->consumer, &mine, consumer_of(handle, CONSUMER_NONE)))
        code = handle_error(handle, KIND_QUEUE);
    queue_let_go(queue);
    return code;
}
VERSIONED(zig_h3_queue_wait);

int32_t zig_h3_queue_wake(zig_h3_handle handle)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    uint64_t word;
    struct slot *slot = handle_lock(handle, KIND_QUEUE, &word);
    if (slot == NULL)
        return handle_error(handle, KIND_QUEUE);
    queue_kick((struct queue *)(uintptr_t)atomic_load(&slot->object));
    handle_unlock(slot, 0);
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_queue_wake);
