#include "queue.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "config.h"
#include "error.h"
#include "reactor.h"
#include "state.h"
#include "versioned.h"

#define CAPACITY_DEFAULT ((uint32_t)1 << 20)
#define CAPACITY_MIN ((uint32_t)512 << 10)
#define CAPACITY_MAX ((uint32_t)256 << 20)

/* The first zig_h3_queue_config. */
#define CONFIG_LEAST 8u

static pthread_mutex_t idle_queues_lock = PTHREAD_MUTEX_INITIALIZER;
static struct queue *idle_queues;

static struct queue *queue_take(size_t capacity, int32_t *code)
{
    h3_ring *ring = h3_ring_new(capacity);
    if (ring == NULL) {
        if (errno == EMFILE || errno == ENFILE)
            *code = error_set(ZIG_H3_ERR_LIMIT, "no descriptor is left for the queue");
        else
            *code = error_set(ZIG_H3_ERR_NO_MEMORY, "no memory for the queue");
        return NULL;
    }
    pthread_mutex_lock(&idle_queues_lock);
    struct queue *queue = idle_queues;
    if (queue != NULL)
        idle_queues = queue->next;
    pthread_mutex_unlock(&idle_queues_lock);
    if (queue == NULL) {
        queue = calloc(1, sizeof *queue);
        if (queue == NULL) {
            *code = error_set(ZIG_H3_ERR_NO_MEMORY, "no memory for the queue");
            h3_ring_recycle(ring);
            return NULL;
        }
    }
    queue->ring = ring;
    queue->view = h3_ring_view(ring);
    queue->held = queue->spanned = 0;
    atomic_store(&queue->refill, 0);
    atomic_store(&queue->woken, woken_of(0, false));
    atomic_store(&queue->owners, 1);
    atomic_store(&queue->consumer, consumer_of(0, CONSUMER_GONE));
    return queue;
}

void queue_let_go(struct queue *queue)
{
    if (atomic_fetch_sub(&queue->owners, 1) != 1)
        return;
    atomic_store(&queue->consumer, consumer_of(0, CONSUMER_GONE));
    h3_ring_recycle(queue->ring);
    pthread_mutex_lock(&idle_queues_lock);
    queue->next = idle_queues;
    idle_queues = queue;
    pthread_mutex_unlock(&idle_queues_lock);
}

void queue_named(struct queue *queue, zig_h3_handle handle)
{
    atomic_store(&queue->woken, woken_of(handle, false));
    atomic_store(&queue->consumer, consumer_of(handle, CONSUMER_NONE));
}

void *queue_memory(struct queue *queue)
{
    return queue->ring;
}

void queue_kick(struct queue *queue, zig_h3_handle handle)
{
    uint64_t not_yet = woken_of(handle, false);
    /* What holds another handle is another queue's by now, and not to be woken. Its ring may be: whoever sleeps on that looks again. */
    atomic_compare_exchange_strong(&queue->woken, &not_yet, woken_of(handle, true));
    h3_ring_wake(atomic_load_explicit(&queue->ring, memory_order_acquire));
}

static void queue_unsubmitted(void *object)
{
    queue_let_go(object);
}

int32_t zig_h3_queue_new(const zig_h3_queue_config *config, zig_h3_handle *out)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (out == NULL)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "out is NULL");
    zig_h3_queue_config given = {0};
    if (config != NULL && (code = config_read(&given, sizeof given, config, CONFIG_LEAST)) != ZIG_H3_OK)
        return code;
    const uint32_t capacity = given.capacity == 0 ? CAPACITY_DEFAULT : given.capacity;
    if (capacity < CAPACITY_MIN || capacity > CAPACITY_MAX || (capacity & (capacity - 1)) != 0)
        return error_format(ZIG_H3_ERR_CONFIG, "capacity %u is no power of two from 512 KiB to 256 MiB", (unsigned)capacity);
    if (reactor_ring == NULL)
        return error_set(ZIG_H3_ERR_NO_MEMORY, "no memory for the submission ring when the library was loaded");
    struct command *command = command_new(COMMAND_QUEUE_NEW, NULL, NULL, 0);
    if (command == NULL)
        return ZIG_H3_ERR_NO_MEMORY;
    struct queue *queue = queue_take(capacity, &code);
    if (queue == NULL) {
        free(command);
        return code;
    }
    command->object = queue;
    command->unsubmitted = queue_unsubmitted;
    return command_call(command, out);
}
VERSIONED(zig_h3_queue_new);

int32_t zig_h3_queue_free(zig_h3_handle handle)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    struct command *command = command_new(COMMAND_QUEUE_FREE, NULL, NULL, 0);
    if (command == NULL)
        return ZIG_H3_ERR_NO_MEMORY;
    uint64_t word;
    struct slot *slot = handle_lock(handle, KIND_QUEUE, &word);
    if (slot == NULL) {
        free(command);
        return handle_error(handle, KIND_QUEUE);
    }
    struct queue *queue = (struct queue *)(uintptr_t)atomic_load(&slot->object);
    uint64_t inside = atomic_load(&queue->consumer);
    do {
        if (inside == consumer_of(handle, CONSUMER_DRAINS)) {
            handle_unlock(slot, 0);
            free(command);
            return error_set(ZIG_H3_ERR_BUSY, "another thread is draining this queue");
        }
    } while (!atomic_compare_exchange_weak(&queue->consumer, &inside, consumer_of(handle, CONSUMER_GONE)));
    h3_ring_wake(queue->ring); /* whoever waits sees that it is gone */
    handle_unlock(slot, SLOT_FORGOTTEN);
    command->target = handle;
    command->object = queue;
    return command_post(command);
}
VERSIONED(zig_h3_queue_free);

/* For a consumer that can no longer free it itself: a runtime's collector does. */
void zig_h3_queue_collected(void *bytes, void *queue)
{
    (void)bytes;
    /* A collector calls this between any two calls of the thread that it runs on: the words of the last failure are not ours. */
    const char *words = zig_h3_last_error();
    error_set(zig_h3_queue_free((zig_h3_handle)(uintptr_t)queue), words);
}
VERSIONED(zig_h3_queue_collected);

int32_t zig_h3_queue_map(zig_h3_handle handle, const void **base, size_t *size)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (base == NULL || size == NULL)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer");
    uint64_t word;
    struct slot *slot = handle_lock(handle, KIND_QUEUE, &word);
    if (slot == NULL)
        return handle_error(handle, KIND_QUEUE);
    struct queue *queue = (struct queue *)(uintptr_t)atomic_load(&slot->object);
    h3_ring *const ring = queue->ring;
    handle_unlock(slot, 0);
    *base = h3_ring_view(ring);
    *size = h3_ring_bytes(ring);
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_queue_map);

int32_t zig_h3_queue_fd(zig_h3_handle handle, int32_t *fd)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (fd == NULL)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "fd is NULL");
    uint64_t word;
    struct slot *slot = handle_lock(handle, KIND_QUEUE, &word);
    if (slot == NULL)
        return handle_error(handle, KIND_QUEUE);
    const int own = fcntl(h3_ring_fd(((struct queue *)(uintptr_t)atomic_load(&slot->object))->ring), F_DUPFD_CLOEXEC, 0);
    const int error = errno;
    handle_unlock(slot, 0);
    if (own < 0)
        return error_format(ZIG_H3_ERR_LIMIT, "no descriptor is left for the queue: %s", strerror(error));
    *fd = own;
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_queue_fd);
