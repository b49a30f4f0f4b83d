#include "chunk.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

/*
 * Sizes go by powers of two from 8 KiB to 1 MiB, the most that one write takes; what is larger comes from the system and goes back to
 * it. The cache exists for the pages: fresh memory costs a page fault for every 4 KiB, more than copying them.
 * It holds at most as much as is in use, so that a busy process takes nothing from the system and a process at rest gives all but a
 * little back. free() alone would not: one small block behind them keeps the chunks of a thousand slow readers in the process for
 * good. So larger ones are mapped, each by itself.
 */
#define SMALLEST_SHIFT 13
#define CLASSES 8
#define UNPOOLED CLASSES

/* Bytes that may always lie idle in the cache. */
#define CACHE_MIN (8u << 20)

/* From this size on chunks are mapped. AddressSanitizer watches over the end of what malloc gives only. */
#ifdef __SANITIZE_ADDRESS__
#define MAPPED_MIN SIZE_MAX
#else
#define MAPPED_MIN (32u << 10)
#endif

/* In front of the bytes; a cache line, so that they are aligned. */
struct chunk {
    _Alignas(64) struct chunk *next;
    size_t mapped; /* bytes, with this; 0: it comes from malloc */
    uint32_t size_class;
    _Atomic uint32_t filled;
};

static pthread_mutex_t chunks_lock = PTHREAD_MUTEX_INITIALIZER;
static struct chunk *idle_chunks[CLASSES];
static size_t idle_bytes, used_bytes; /* of pooled chunks */

static size_t class_bytes(uint32_t size_class)
{
    return (size_t)1 << (SMALLEST_SHIFT + size_class);
}

static struct chunk *fresh(size_t size)
{
    if (size > SIZE_MAX - sizeof(struct chunk))
        return NULL;
    size += sizeof(struct chunk);
    void *memory;
    if (size < MAPPED_MIN) {
        if (posix_memalign(&memory, 64, size) != 0)
            return NULL;
        ((struct chunk *)memory)->mapped = 0;
    } else {
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            return NULL;
        ((struct chunk *)memory)->mapped = size;
    }
    return memory;
}

/* The pool's lock is held. */
static struct chunk *pop(uint32_t size_class)
{
    struct chunk *chunk = idle_chunks[size_class];
    if (chunk != NULL) {
        idle_chunks[size_class] = chunk->next;
        idle_bytes -= class_bytes(size_class);
    }
    return chunk;
}

uint8_t *chunk_take(size_t size)
{
    uint32_t size_class = 0;
    while (size_class < CLASSES && class_bytes(size_class) < size)
        size_class++;
    struct chunk *chunk = NULL;
    if (size_class != UNPOOLED) {
        size = class_bytes(size_class);
        pthread_mutex_lock(&chunks_lock);
        chunk = pop(size_class);
        if (chunk != NULL)
            used_bytes += size;
        pthread_mutex_unlock(&chunks_lock);
    }
    if (chunk == NULL) {
        chunk = fresh(size);
        if (chunk == NULL)
            return NULL;
        chunk->size_class = size_class;
        if (size_class != UNPOOLED) {
            pthread_mutex_lock(&chunks_lock);
            used_bytes += size;
            pthread_mutex_unlock(&chunks_lock);
        }
    }
    return (uint8_t *)(chunk + 1);
}

void chunk_filled(uint8_t *bytes)
{
    atomic_store_explicit(&((struct chunk *)(void *)bytes - 1)->filled, 1, memory_order_release);
}

static void give_back(struct chunk *chunk)
{
    if (chunk->mapped != 0)
        munmap(chunk, chunk->mapped);
    else
        free(chunk);
}

void chunk_give(uint8_t *bytes)
{
    struct chunk *chunk = (struct chunk *)(void *)bytes - 1;
    atomic_load_explicit(&chunk->filled, memory_order_acquire);
    if (chunk->size_class == UNPOOLED) {
        give_back(chunk);
        return;
    }
    struct chunk *surplus = NULL;
    size_t size = class_bytes(chunk->size_class);
    pthread_mutex_lock(&chunks_lock);
    used_bytes -= size;
    chunk->next = idle_chunks[chunk->size_class];
    idle_chunks[chunk->size_class] = chunk;
    idle_bytes += size;
    size_t keep = used_bytes > CACHE_MIN ? used_bytes : CACHE_MIN;
    for (uint32_t size_class = CLASSES; idle_bytes > keep && size_class-- > 0;) {
        while (idle_bytes > keep && (chunk = pop(size_class)) != NULL) {
            chunk->next = surplus;
            surplus = chunk;
        }
    }
    pthread_mutex_unlock(&chunks_lock);
    while (surplus != NULL) {
        chunk = surplus;
        surplus = chunk->next;
        give_back(chunk);
    }
}
