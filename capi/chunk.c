#include "chunk.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/*
 * Sizes go by powers of two from 8 KiB to 1 MiB, the most that one write takes; what is larger comes from the system and goes back to
 * it. The cache exists for the pages: fresh memory costs a page fault for every 4 KiB, more than copying them.
 */
#define SMALLEST_SHIFT 13
#define CLASSES 8
#define UNPOOLED CLASSES

/* Most bytes that lie idle in the cache. */
#define CACHE_MAX (8u << 20)

/* In front of the bytes; a cache line, so that they are aligned. */
struct chunk {
    _Alignas(64) struct chunk *next;
    uint32_t size_class;
    _Atomic uint32_t filled;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct chunk *idle[CLASSES];
static size_t idle_bytes;

static size_t class_bytes(uint32_t size_class)
{
    return (size_t)1 << (SMALLEST_SHIFT + size_class);
}

uint8_t *chunk_take(size_t size)
{
    uint32_t size_class = 0;
    while (size_class < CLASSES && class_bytes(size_class) < size)
        size_class++;
    struct chunk *chunk = NULL;
    if (size_class != UNPOOLED) {
        size = class_bytes(size_class);
        pthread_mutex_lock(&lock);
        chunk = idle[size_class];
        if (chunk != NULL) {
            idle[size_class] = chunk->next;
            idle_bytes -= size;
        }
        pthread_mutex_unlock(&lock);
    }
    if (chunk == NULL) {
        void *memory;
        if (size > SIZE_MAX - sizeof *chunk || posix_memalign(&memory, 64, sizeof *chunk + size) != 0)
            return NULL;
        chunk = memory;
        chunk->size_class = size_class;
    }
    return (uint8_t *)(chunk + 1);
}

void chunk_filled(uint8_t *bytes)
{
    atomic_store_explicit(&((struct chunk *)(void *)bytes - 1)->filled, 1, memory_order_release);
}

void chunk_give(uint8_t *bytes)
{
    struct chunk *chunk = (struct chunk *)(void *)bytes - 1;
    atomic_load_explicit(&chunk->filled, memory_order_acquire);
    if (chunk->size_class != UNPOOLED) {
        size_t size = class_bytes(chunk->size_class);
        pthread_mutex_lock(&lock);
        if (idle_bytes + size <= CACHE_MAX) {
            chunk->next = idle[chunk->size_class];
            idle[chunk->size_class] = chunk;
            idle_bytes += size;
            chunk = NULL;
        }
        pthread_mutex_unlock(&lock);
    }
    free(chunk);
}
