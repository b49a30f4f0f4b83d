/*
 * ring.c: see ring.h. Accesses of the arm and doorbell protocols are sequentially consistent, the others acquire and release. There is
 * one fence, in h3_ring_wake(): what was published before it, by this thread or by one that this thread has heard of, is seen by a
 * consumer that has armed, or the armed ring is seen here. So publishing costs no more than a plain store, and many records one fence.
 * ThreadSanitizer does not follow fences, and need not: what a record holds is handed over by its size, with release and acquire.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* eventfd, dup3, MAP_ANONYMOUS under -std=c11 */
#endif
#include "ring.h"

#include "cancel.h"
#include "prefetch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/eventfd.h>
#endif

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

struct h3_ring {
    uint64_t magic;
    uint64_t capacity;
    _Alignas(128) _Atomic uint64_t tail;
    _Alignas(128) _Atomic uint64_t head;
    _Alignas(128) _Atomic uint32_t armed;
    int32_t wake_fd;
    _Alignas(128) _Atomic uint32_t hungry;
    /* Consumer: the next record, and where that stood at the last doorbell. head follows read. */
    _Alignas(128) uint64_t read;
    uint64_t rung;
    int32_t read_fd; /* wake_fd itself, or the other end of the pipe */
    uint32_t peeked; /* size of the record that peek gave: it is not read again from memory that the host may write by mistake */
    uint8_t *view;   /* the same memory once more, to read only; the ring itself where the system has no such */
    /* Producers: head as one of them last saw it, which saves reading the consumer's line each time. */
    _Alignas(128) _Atomic uint64_t seen;
    /* Free list. */
    _Alignas(128) h3_ring *next;
};

_Static_assert(offsetof(struct h3_ring, capacity) == H3_RING_AT_CAPACITY, "layout");
_Static_assert(offsetof(struct h3_ring, tail) == H3_RING_AT_TAIL, "layout");
_Static_assert(offsetof(struct h3_ring, head) == H3_RING_AT_HEAD, "layout");
_Static_assert(offsetof(struct h3_ring, armed) == H3_RING_AT_ARMED, "layout");
_Static_assert(offsetof(struct h3_ring, wake_fd) == H3_RING_AT_WAKE_FD, "layout");
_Static_assert(offsetof(struct h3_ring, hungry) == H3_RING_AT_HUNGRY, "layout");
_Static_assert(offsetof(struct h3_ring, read) == H3_RING_AT_PRIVATE, "layout");
_Static_assert(sizeof(struct h3_ring) <= H3_RING_AT_DATA, "layout");
_Static_assert(sizeof(zig_h3_record) == H3_RING_HEAD, "layout");
_Static_assert(sizeof(_Atomic uint32_t) == 4 && sizeof(_Atomic uint64_t) == 8, "atomics are plain words");

static uint8_t *h3_data(h3_ring *ring) { return (uint8_t *)ring + H3_RING_AT_DATA; }

static zig_h3_record *h3_at(h3_ring *ring, uint64_t pos) {
    return (zig_h3_record *)(void *)(h3_data(ring) + (pos & (ring->capacity - 1)));
}

/* The size word, which publishes a record. */
static _Atomic uint32_t *h3_size(zig_h3_record *record) { return (_Atomic uint32_t *)&record->size; }

static uint64_t h3_round(uint64_t n) { return (n + (H3_RING_BLOCK - 1)) & ~(uint64_t)(H3_RING_BLOCK - 1); }

/* ------------------------------------------------------------------------------------------------------------------- memory */

static pthread_mutex_t h3_free_lock = PTHREAD_MUTEX_INITIALIZER;
static h3_ring *h3_free_list;

#ifdef __linux__
static int h3_open_wake(h3_ring *ring) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) return -1;
    ring->wake_fd = ring->read_fd = fd;
    return 0;
}

/* A recycled ring keeps its number, since a producer of the last queue may be about to write it, but gets a file of its own behind it:
 * no count is left over, and whatever still polls the old one hears nothing of the new queue. */
static int h3_renew_wake(h3_ring *ring) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) return -1;
    int result = dup3(fd, ring->wake_fd, O_CLOEXEC);
    const int error = errno, held = cancel_hold();
    close(fd);
    cancel_allow(held);
    errno = error;
    return result < 0 ? -1 : 0;
}
#else
static int h3_open_wake(h3_ring *ring) {
    int fds[2];
    if (pipe(fds) != 0) return -1;
    for (int i = 0; i < 2; i++) {
        if (fcntl(fds[i], F_SETFD, FD_CLOEXEC) < 0 || fcntl(fds[i], F_SETFL, O_NONBLOCK) < 0) {
            int error = errno;
            close(fds[0]);
            close(fds[1]);
            errno = error;
            return -1;
        }
    }
    ring->read_fd = fds[0];
    ring->wake_fd = fds[1];
    return 0;
}

static int h3_renew_wake(h3_ring *ring) {
    uint64_t left;
    while (read(ring->read_fd, &left, sizeof left) > 0) {
    }
    return 0;
}
#endif

static h3_ring *h3_reuse(size_t capacity) {
    pthread_mutex_lock(&h3_free_lock);
    h3_ring **link = &h3_free_list;
    while (*link != NULL && (*link)->capacity != capacity) link = &(*link)->next;
    h3_ring *ring = *link;
    if (ring != NULL) *link = ring->next;
    pthread_mutex_unlock(&h3_free_lock);
    return ring;
}

static void h3_keep(h3_ring *ring) {
    pthread_mutex_lock(&h3_free_lock);
    ring->next = h3_free_list;
    h3_free_list = ring;
    pthread_mutex_unlock(&h3_free_lock);
}

#ifdef __linux__
/* A ring's memory in two places: where it is written and, in *view, where it is only read. NULL if the system does not let us, which a sandbox may
 * not. */
static h3_ring *h3_map_twice(size_t size, uint8_t **view) {
    const int held = cancel_hold(), fd = memfd_create("zig_h3 queue", MFD_CLOEXEC);
    void *ring = MAP_FAILED, *read_only = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)size) == 0) {
        ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
        read_only = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
    }
    if (fd >= 0) close(fd);
    cancel_allow(held);
    if (ring != MAP_FAILED && read_only != MAP_FAILED) {
        *view = read_only;
        return ring;
    }
    if (ring != MAP_FAILED) munmap(ring, size);
    if (read_only != MAP_FAILED) munmap(read_only, size);
    return NULL;
}
#else
static h3_ring *h3_map_twice(size_t size, uint8_t **view) {
    (void)size, (void)view;
    return NULL;
}
#endif

/* Memory for a ring, all zero. */
static h3_ring *h3_map(size_t size) {
    uint8_t *view;
    h3_ring *ring = h3_map_twice(size, &view);
    if (ring == NULL) {
        ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (ring == MAP_FAILED) return NULL;
        view = (uint8_t *)ring;
    }
    ring->view = view;
    return ring;
}

static void h3_unmap(h3_ring *ring, size_t size) {
    uint8_t *const view = ring->view;
    if (view != (uint8_t *)ring) munmap(view, size);
    munmap(ring, size);
}

h3_ring *h3_ring_new(size_t capacity) {
    if (capacity < H3_RING_MIN_CAPACITY || capacity > H3_RING_MAX_CAPACITY || (capacity & (capacity - 1)) != 0) {
        errno = EINVAL;
        return NULL;
    }
    h3_ring *ring = h3_reuse(capacity);
    if (ring != NULL) {
        if (h3_renew_wake(ring) != 0) {
            h3_keep(ring);
            return NULL;
        }
        /* Two rounds ahead of where the tail can ever have been: a producer that sleeps since before the ring was closed must not
         * find the tail that it remembers. */
        uint64_t tail = atomic_load(&ring->tail) & ~(uint64_t)H3_RING_CLOSED;
        uint64_t start = (tail + 3 * (uint64_t)capacity) & ~((uint64_t)capacity - 1);
        ring->read = ring->rung = start;
        atomic_store(&ring->seen, start);
        atomic_store(&ring->head, start);
        atomic_store(&ring->armed, 0);
        atomic_store(&ring->hungry, 0);
        atomic_store(&ring->tail, start);
        return ring;
    }
    ring = h3_map(H3_RING_AT_DATA + capacity);
    if (ring == NULL) return NULL;
    if (h3_open_wake(ring) != 0) {
        int error = errno;
        h3_unmap(ring, H3_RING_AT_DATA + capacity); /* nobody has seen it */
        errno = error;
        return NULL;
    }
    ring->capacity = capacity;
    ring->magic = H3_RING_MAGIC;
    return ring;
}

void h3_ring_recycle(h3_ring *ring) {
    if (ring == NULL) return;
    h3_ring_close(ring);
#ifdef __linux__
    if (madvise(h3_data(ring), ring->capacity, ring->view == (uint8_t *)ring ? MADV_DONTNEED : MADV_REMOVE) == 0) {
        h3_keep(ring);
        return;
    }
#endif
    memset(h3_data(ring), 0, ring->capacity); /* locked memory, or a system where the advice does not zero */
    h3_keep(ring);
}

void h3_ring_close(h3_ring *ring) { atomic_fetch_or(&ring->tail, H3_RING_CLOSED); }

const void *h3_ring_view(const h3_ring *ring) { return ring->view; }

size_t h3_ring_bytes(const h3_ring *ring) { return H3_RING_AT_DATA + (size_t)ring->capacity; }

uint64_t h3_ring_depth(h3_ring *ring) {
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire); /* before tail, which it cannot pass */
    return (atomic_load_explicit(&ring->tail, memory_order_acquire) & ~(uint64_t)H3_RING_CLOSED) - head;
}

int h3_ring_fd(const h3_ring *ring) { return ring->read_fd; }

/* ---------------------------------------------------------------------------------------------------------------- producers */

static void h3_fill(h3_ring *ring, uint64_t pos, uint64_t size) {
    zig_h3_record *record = h3_at(ring, pos);
    record->type = ZIG_H3_EVENT_PAD;
    record->flags = 0;
    atomic_store_explicit(h3_size(record), (uint32_t)size, memory_order_release);
}

/* Fetches the lines of the next record, which the consumer has written last: each atomic of the next claim would wait for them. */
static void h3_foresee(h3_ring *ring, uint64_t pos) {
    for (uint64_t line = 0; line < 3; line++) prefetch_to_write(h3_at(ring, pos + line * H3_RING_BLOCK));
}

static zig_h3_record *h3_try_claim(h3_ring *ring, uint64_t need) {
    const uint64_t capacity = ring->capacity;
    uint64_t tail = atomic_load(&ring->tail);
    for (;;) {
        if (tail & H3_RING_CLOSED) return NULL;
        uint64_t pad = capacity - (tail & (capacity - 1));
        if (pad >= need) pad = 0;
        uint64_t end = tail + pad + need;
        if (end - atomic_load_explicit(&ring->seen, memory_order_acquire) > capacity) {
            uint64_t head = atomic_load(&ring->head);
            atomic_store_explicit(&ring->seen, head, memory_order_release);
            if ((int64_t)(end - head) <= 0) { /* the tail is older than the head: others were faster */
                tail = atomic_load(&ring->tail);
                continue;
            }
            if (end - head > capacity) return NULL;
        }
        if (!atomic_compare_exchange_weak(&ring->tail, &tail, end)) continue;
        if (pad != 0) h3_fill(ring, tail, pad);
        h3_foresee(ring, end);
        return h3_at(ring, tail + pad);
    }
}

zig_h3_record *h3_ring_claim(h3_ring *ring, size_t payload) {
    if (payload > H3_RING_MAX_PAYLOAD || payload > ring->capacity / 2 - H3_RING_HEAD) return NULL;
    uint64_t need = h3_round(H3_RING_HEAD + payload);
    zig_h3_record *record = h3_try_claim(ring, need);
    if (record != NULL) return record;
    /* Room that was freed before the consumer could see this is found by looking again. */
    atomic_store(&ring->hungry, 1);
    record = h3_try_claim(ring, need);
    /* What fills the ring may have been published without a wake-up, to be followed by this one. */
    if (record == NULL) h3_ring_wake(ring);
    return record;
}

void h3_ring_publish(h3_ring *ring, zig_h3_record *record, size_t payload) {
    (void)ring;
    atomic_store_explicit(h3_size(record), (uint32_t)(H3_RING_HEAD + payload), memory_order_release);
}

void h3_ring_abort(h3_ring *ring, zig_h3_record *record, size_t payload) {
    h3_fill(ring, (uint64_t)((uint8_t *)record - h3_data(ring)), h3_round(H3_RING_HEAD + payload));
    h3_ring_wake(ring); /* what was published behind it was not visible before */
}

/* The consumer's half is in h3_ring_arm() and eventq's Arm: store armed, look at the next record, both sequentially consistent. */
static void h3_fence(void) {
#ifdef __SANITIZE_THREAD__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan" /* see above */
#endif
    atomic_thread_fence(memory_order_seq_cst);
#ifdef __SANITIZE_THREAD__
#pragma GCC diagnostic pop
#endif
}

void h3_ring_wake(h3_ring *ring) {
    uint32_t armed = 1;
    h3_fence();
    if (atomic_load_explicit(&ring->armed, memory_order_relaxed) != 1 || !atomic_compare_exchange_strong(&ring->armed, &armed, 0)) return;
    const uint64_t one = 1;
    const int error = errno, held = cancel_hold();
    /* EAGAIN means that the descriptor is readable as it is. */
    while (write(ring->wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
    cancel_allow(held);
    errno = error;
}

/* ----------------------------------------------------------------------------------------------------------------- consumer */

/* The size of the record at a position if it is published, else 0. A size that would lead out of the data area counts as none: the
 * host has written over the ring, and staying put is the one thing that does no more harm. */
static uint64_t h3_published(h3_ring *ring, uint64_t pos) {
    uint64_t size = atomic_load(h3_size(h3_at(ring, pos)));
    if (size < H3_RING_HEAD || size > ring->capacity - (pos & (ring->capacity - 1))) return 0;
    return size;
}

void h3_ring_release(h3_ring *ring) {
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head == ring->read) return;
    for (; head != ring->read; head += H3_RING_BLOCK)
        atomic_store_explicit(h3_size(h3_at(ring, head)), 0, memory_order_relaxed);
    atomic_store(&ring->head, head);
}

const zig_h3_record *h3_ring_peek(h3_ring *ring) {
    uint64_t size;
    /* Of a ring that is full, the record behind the last one is the first one again until it is released. */
    while (ring->read - atomic_load_explicit(&ring->head, memory_order_relaxed) != ring->capacity &&
           (size = h3_published(ring, ring->read)) != 0) {
        const zig_h3_record *record = h3_at(ring, ring->read);
        if (record->type != ZIG_H3_EVENT_PAD) {
            ring->peeked = (uint32_t)size;
            return record;
        }
        int nothing_held = ring->read == atomic_load_explicit(&ring->head, memory_order_relaxed);
        ring->read += h3_round(size);
        if (nothing_held) h3_ring_release(ring);
    }
    return NULL;
}

uint32_t h3_ring_peeked(const h3_ring *ring) { return ring->peeked; }

void h3_ring_take(h3_ring *ring, const zig_h3_record *record) {
    (void)record;
    ring->read += h3_round(ring->peeked);
}

uint32_t h3_ring_span(h3_ring *ring, uint32_t max, uint64_t *offset, uint64_t *bytes) {
    h3_ring_peek(ring); /* passes leading fillers, so that no later look moves the beginning of the span */
    const uint64_t begin = ring->read, room = ring->capacity - (begin & (ring->capacity - 1));
    uint64_t n = 0, size;
    uint32_t count = 0;
    while (count < max && n < room && (size = h3_published(ring, begin + n)) != 0) {
        n += h3_round(size);
        count++;
    }
    *offset = H3_RING_AT_DATA + (begin & (ring->capacity - 1));
    *bytes = n;
    return count;
}

int h3_ring_advance(h3_ring *ring, uint64_t bytes) {
    const uint64_t begin = ring->read, room = ring->capacity - (begin & (ring->capacity - 1));
    uint64_t n = 0, size;
    if (bytes > room) return -1;
    while (n < bytes && (size = h3_published(ring, begin + n)) != 0) n += h3_round(size);
    if (n != bytes) return -1;
    ring->read += bytes;
    h3_ring_release(ring);
    return 0;
}

int h3_ring_arm(h3_ring *ring) {
    if (h3_ring_peek(ring) != NULL) return 1;
    atomic_store(&ring->armed, 1);
    if (h3_ring_peek(ring) == NULL) return 0;
    atomic_store(&ring->armed, 0);
    return 1;
}

void h3_ring_disarm(h3_ring *ring) { atomic_store(&ring->armed, 0); }

int h3_ring_idle(h3_ring *ring) {
    return h3_ring_depth(ring) == 0 && atomic_load_explicit(&ring->hungry, memory_order_relaxed) == 0;
}

int h3_ring_doorbell(h3_ring *ring) {
    if (atomic_load(&ring->hungry) != 1) return 0;
    if (ring->read - ring->rung < ring->capacity / 4 && h3_ring_peek(ring) != NULL) return 0;
    ring->rung = ring->read;
    uint32_t hungry = 1;
    return atomic_compare_exchange_strong(&ring->hungry, &hungry, 0);
}
