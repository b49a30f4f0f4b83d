/*
 * ring_stress.c: capi/ring.c alone, without Go: its rules one by one, then many producers against one consumer, meant to run under
 * ThreadSanitizer and AddressSanitizer.
 *
 *     cc -std=c11 -g -O1 -fsanitize=thread -o ring_stress tests/c/ring_stress.c capi/ring.c -lpthread
 *     cc -std=c11 -g -O1 -fsanitize=address,undefined -o ring_stress tests/c/ring_stress.c capi/ring.c -lpthread
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "../../capi/ring.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int passed, failed;

static void check(bool ok, const char *what, int line) {
    if (ok) {
        passed++;
        return;
    }
    failed++;
    fprintf(stderr, "ring_stress.c:%d: %s\n", line, what);
}
#define CHECK(condition) check((condition), #condition, __LINE__)

static void push(h3_ring *ring, uint64_t object, size_t payload) {
    zig_h3_record *record = h3_ring_claim(ring, payload);
    if (record == NULL) {
        CHECK(record != NULL);
        return;
    }
    record->type = 1;
    record->object = object;
    record->data_len = (uint32_t)payload;
    h3_ring_publish(ring, record, payload);
}

/* The object of the next record, which is taken and released; 0 if there is none. */
static uint64_t pop(h3_ring *ring) {
    const zig_h3_record *record = h3_ring_peek(ring);
    if (record == NULL) return 0;
    uint64_t object = record->object;
    h3_ring_take(ring, record);
    h3_ring_release(ring);
    return object;
}

static bool readable(int fd, int timeout_ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;
    do n = poll(&p, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    return n == 1;
}

static void absorb(int fd) {
    uint64_t count;
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
}

/* ---------------------------------------------------------------------------------------------------------------- one by one */

static void test_claims(void) {
    CHECK(h3_ring_new(4095) == NULL && errno == EINVAL);
    CHECK(h3_ring_new(2048) == NULL && errno == EINVAL);
    CHECK(h3_ring_new(6144) == NULL && errno == EINVAL);
    h3_ring *ring = h3_ring_new(4096);
    CHECK(ring != NULL && h3_ring_bytes(ring) == 8192 && h3_ring_depth(ring) == 0);
    CHECK(h3_ring_peek(ring) == NULL && pop(ring) == 0);
    CHECK(h3_ring_claim(ring, 2048 - 63) == NULL); /* larger than half of the ring */

    zig_h3_record *first = h3_ring_claim(ring, 0);
    push(ring, 2, 1);
    CHECK(h3_ring_depth(ring) == 64 + 128);
    CHECK(h3_ring_peek(ring) == NULL); /* published out of order: nothing is passed over */
    first->type = 1;
    first->object = 1;
    h3_ring_publish(ring, first, 0);
    CHECK(pop(ring) == 1 && pop(ring) == 2 && pop(ring) == 0 && h3_ring_depth(ring) == 0);

    zig_h3_record *given_up = h3_ring_claim(ring, 100);
    push(ring, 3, 0);
    h3_ring_abort(ring, given_up, 100);
    CHECK(pop(ring) == 3 && pop(ring) == 0 && h3_ring_depth(ring) == 0);

    for (uint64_t i = 1; i <= 64; i++) push(ring, i, 0);
    CHECK(h3_ring_depth(ring) == 4096 && h3_ring_claim(ring, 0) == NULL);
    CHECK(h3_ring_doorbell(ring) == 0); /* asked for, but nothing was freed */
    for (uint64_t i = 1; i <= 15; i++) CHECK(pop(ring) == i && h3_ring_doorbell(ring) == (i + 7 == 16));
    for (uint64_t i = 16; i <= 64; i++) CHECK(pop(ring) == i);
    CHECK(h3_ring_doorbell(ring) == 0);

    /* Whoever takes all of a full ring before he releases any of it gets each record once. */
    for (uint64_t i = 1; i <= 64; i++) push(ring, i, 0);
    const zig_h3_record *record;
    uint64_t due = 0;
    while (due < 100 && (record = h3_ring_peek(ring)) != NULL) {
        CHECK(record->object == ++due);
        h3_ring_take(ring, record);
    }
    CHECK(due == 64);
    h3_ring_release(ring);
    CHECK(h3_ring_depth(ring) == 0 && h3_ring_peek(ring) == NULL);
    push(ring, 65, 0);
    CHECK(pop(ring) == 65);

    h3_ring_close(ring);
    CHECK(h3_ring_claim(ring, 0) == NULL && h3_ring_depth(ring) == 0);
    h3_ring_recycle(ring);
    h3_ring_recycle(NULL);
}

static void test_wrap_and_span(void) {
    h3_ring *ring = h3_ring_new(8192);
    for (uint64_t i = 1; i <= 7; i++) {
        push(ring, i, 1024 - 64);
        CHECK(pop(ring) == i);
    }
    push(ring, 8, 512 - 64);
    push(ring, 9, 1024 - 64); /* 512 bytes are left before the end: a filler, then the beginning */
    push(ring, 10, 0);
    CHECK(h3_ring_depth(ring) == 512 + 512 + 1024 + 64);

    uint64_t offset = 0, bytes = 0;
    CHECK(h3_ring_span(ring, 0, &offset, &bytes) == 0 && bytes == 0);
    CHECK(h3_ring_span(ring, 1, &offset, &bytes) == 1 && offset == 4096 + 7168 && bytes == 512);
    CHECK(h3_ring_span(ring, 99, &offset, &bytes) == 2 && offset == 4096 + 7168 && bytes == 1024);
    CHECK(h3_ring_advance(ring, 256) == -1 && h3_ring_advance(ring, 1024 + 1024) == -1 && h3_ring_advance(ring, UINT64_MAX) == -1);
    CHECK(h3_ring_advance(ring, 0) == 0 && h3_ring_advance(ring, 512) == 0);
    CHECK(h3_ring_span(ring, 99, &offset, &bytes) == 2 && offset == 4096 && bytes == 1088); /* the filler is behind us */
    CHECK(h3_ring_arm(ring) == 1);
    CHECK(h3_ring_advance(ring, 1088) == 0 && h3_ring_depth(ring) == 0);
    CHECK(h3_ring_span(ring, 99, &offset, &bytes) == 0 && bytes == 0);

    /* A record that was taken keeps its bytes until release, whatever is passed over meanwhile. */
    push(ring, 11, 0);
    const zig_h3_record *held = h3_ring_peek(ring);
    h3_ring_take(ring, held);
    zig_h3_record *given_up = h3_ring_claim(ring, 0);
    h3_ring_abort(ring, given_up, 0);
    CHECK(h3_ring_peek(ring) == NULL && held->object == 11 && h3_ring_depth(ring) == 128);
    h3_ring_release(ring);
    CHECK(h3_ring_depth(ring) == 0);
    h3_ring_recycle(ring);
}

static void test_arm(void) {
    h3_ring *ring = h3_ring_new(4096);
    int fd = h3_ring_fd(ring);
    push(ring, 1, 0);
    h3_ring_wake(ring);
    CHECK(!readable(fd, 0)); /* nobody asked */
    CHECK(h3_ring_arm(ring) == 1 && pop(ring) == 1 && h3_ring_arm(ring) == 0 && h3_ring_arm(ring) == 0);
    push(ring, 2, 0);
    CHECK(!readable(fd, 0));
    errno = 77;
    h3_ring_wake(ring);
    CHECK(errno == 77 && readable(fd, 0));
    absorb(fd);
    push(ring, 3, 0);
    h3_ring_wake(ring);
    CHECK(!readable(fd, 0)); /* one arm, one write */
    CHECK(pop(ring) == 2 && pop(ring) == 3 && h3_ring_arm(ring) == 0);
    h3_ring_disarm(ring);
    push(ring, 4, 0);
    h3_ring_wake(ring);
    CHECK(!readable(fd, 0) && pop(ring) == 4);

    /* A filler wakes, since what stands behind it was not visible before, and arm passes it. */
    zig_h3_record *given_up = h3_ring_claim(ring, 0);
    CHECK(h3_ring_arm(ring) == 0);
    h3_ring_abort(ring, given_up, 0);
    CHECK(readable(fd, 0));
    absorb(fd);
    CHECK(h3_ring_arm(ring) == 0 && h3_ring_depth(ring) == 0);
    h3_ring_recycle(ring);
}

static void test_recycle(void) {
    h3_ring *ring = h3_ring_new(16384);
    int fd = h3_ring_fd(ring);
    push(ring, 1, 5000);
    zig_h3_record *record = h3_ring_claim(ring, 3000);
    memset(record, 0xa5, 3064);
    CHECK(h3_ring_arm(ring) == 1 && h3_ring_doorbell(ring) == 0);
    CHECK(pop(ring) == 1 && h3_ring_peek(ring) == NULL); /* a size that leads out of the ring is none */
    CHECK(h3_ring_advance(ring, 64) == -1);
    h3_ring_disarm(ring);
    h3_ring_wake(ring);
    h3_ring_recycle(ring);
    h3_ring *other = h3_ring_new(32768);
    CHECK(other != ring);
    h3_ring *again = h3_ring_new(16384);
    CHECK(again == ring && h3_ring_fd(again) == fd && !readable(fd, 0));
    CHECK(h3_ring_depth(again) == 0 && h3_ring_peek(again) == NULL && h3_ring_arm(again) == 0);
    const uint8_t *data = (const uint8_t *)again + H3_RING_AT_DATA;
    size_t dirty = 0;
    for (size_t i = 0; i < 16384; i++) dirty += data[i] != 0;
    CHECK(dirty == 0);
    push(again, 7, 10);
    h3_ring_wake(again);
    CHECK(readable(fd, 0) && pop(again) == 7 && pop(again) == 0);
    h3_ring_recycle(again);
    h3_ring_recycle(other);
}

/* -------------------------------------------------------------------------------------------------------------------- stress */

enum { PRODUCERS = 4, RECORDS = 20000, ROUND_TRIPS = 10000, PATIENCE_MS = 30000 };

struct stress {
    h3_ring *ring;
    pthread_mutex_t lock;
    pthread_cond_t room;
    uint64_t rings; /* doorbells so far */
    uint64_t refused;
};

struct producer {
    struct stress *stress;
    uint64_t id;
};

static uint32_t next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    return *state ^= *state << 5;
}

static uint64_t checksum(const uint8_t *bytes, size_t n, uint64_t seed) {
    uint64_t sum = seed + 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < n; i++) sum = (sum ^ bytes[i]) * 0x100000001b3u;
    return sum;
}

/* A claim that waits for the doorbell: should one be lost, the program hangs and its alarm ends it. */
static zig_h3_record *claim_patiently(struct stress *s, size_t payload) {
    for (;;) {
        pthread_mutex_lock(&s->lock);
        uint64_t rings = s->rings;
        pthread_mutex_unlock(&s->lock);
        zig_h3_record *record = h3_ring_claim(s->ring, payload);
        if (record != NULL) return record;
        pthread_mutex_lock(&s->lock);
        s->refused++;
        while (s->rings == rings) pthread_cond_wait(&s->room, &s->lock);
        pthread_mutex_unlock(&s->lock);
    }
}

static void *produce(void *argument) {
    struct producer *p = argument;
    uint32_t state = (uint32_t)p->id * 2654435761u + 1;
    for (uint64_t i = 1; i <= RECORDS;) {
        uint32_t r = next_random(&state);
        size_t payload = r % 16 == 0 ? r / 16 % 1900 : r / 16 % 90;
        zig_h3_record *record = claim_patiently(p->stress, payload);
        /* Every byte is written, the heads of blocks too: none of it may ever be taken for a size. */
        uint8_t *bytes = (uint8_t *)(record + 1);
        for (size_t k = 0; k < payload; k++) bytes[k] = (uint8_t)(next_random(&state) | 1);
        if (r % 11 == 0) {
            h3_ring_abort(p->stress->ring, record, payload);
            continue;
        }
        record->type = 1;
        record->flags = 0;
        record->object = p->id;
        record->aux = i;
        record->data_len = (uint32_t)payload;
        record->user_data = checksum(bytes, payload, i);
        h3_ring_publish(p->stress->ring, record, payload);
        if (r % 3 != 0 || i == RECORDS) h3_ring_wake(p->stress->ring); /* the others: with a later one */
        i++;
    }
    return NULL;
}

static void ring_doorbell(struct stress *s) {
    if (!h3_ring_doorbell(s->ring)) return;
    pthread_mutex_lock(&s->lock);
    s->rings++;
    pthread_cond_broadcast(&s->room);
    pthread_mutex_unlock(&s->lock);
}

struct tally {
    uint64_t last[PRODUCERS];
    uint64_t records, disorder, damage;
};

static void count_record(struct tally *t, const zig_h3_record *record) {
    if (record->type == ZIG_H3_EVENT_PAD) return;
    t->records++;
    if (record->object >= PRODUCERS || record->size != 64 + record->data_len ||
        checksum((const uint8_t *)(record + 1), record->data_len, record->aux) != record->user_data) {
        t->damage++;
        return;
    }
    if (record->aux != ++t->last[record->object]) t->disorder++;
}

/* Takes what is there, record by record or as a span. */
static uint32_t consume(h3_ring *ring, struct tally *t, bool spans) {
    uint32_t count = 0;
    if (!spans) {
        const zig_h3_record *record;
        for (; count < 20 && (record = h3_ring_peek(ring)) != NULL; count++) {
            count_record(t, record);
            h3_ring_take(ring, record);
        }
        h3_ring_release(ring);
        return count;
    }
    uint64_t offset, bytes, n = 0;
    count = h3_ring_span(ring, 20, &offset, &bytes);
    while (n < bytes) {
        const zig_h3_record *record = (const zig_h3_record *)(const void *)((const uint8_t *)ring + offset + n);
        count_record(t, record);
        n += (record->size + 63u) & ~63u;
    }
    if (h3_ring_advance(ring, bytes) != 0) t->damage++;
    return count;
}

static void test_many_producers(bool spans) {
    struct stress s = {.ring = h3_ring_new(16384), .lock = PTHREAD_MUTEX_INITIALIZER, .room = PTHREAD_COND_INITIALIZER};
    struct producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS];
    for (uint64_t i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){&s, i};
        CHECK(pthread_create(&threads[i], NULL, produce, &producers[i]) == 0);
    }
    struct tally t = {0};
    uint64_t sleeps = 0, wakes_lost = 0;
    while (t.records < (uint64_t)PRODUCERS * RECORDS && wakes_lost == 0) {
        uint32_t n = consume(s.ring, &t, spans);
        ring_doorbell(&s);
        if (n != 0 || h3_ring_arm(s.ring) != 0) continue;
        ring_doorbell(&s);
        sleeps++;
        if (readable(h3_ring_fd(s.ring), PATIENCE_MS))
            absorb(h3_ring_fd(s.ring));
        else
            wakes_lost++;
    }
    CHECK(wakes_lost == 0 && t.damage == 0 && t.disorder == 0);
    CHECK(t.records == (uint64_t)PRODUCERS * RECORDS);
    if (wakes_lost != 0) exit(1); /* its producers stand still: they cannot be joined */
    for (int i = 0; i < PRODUCERS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    h3_ring_disarm(s.ring);
    CHECK(consume(s.ring, &t, false) == 0 && h3_ring_depth(s.ring) == 0);
    printf("%s: %d producers, %llu records, %llu sleeps, %llu claims refused, %llu doorbells\n", spans ? "spans" : "records", PRODUCERS,
           (unsigned long long)t.records, (unsigned long long)sleeps, (unsigned long long)s.refused, (unsigned long long)s.rings);
    h3_ring_recycle(s.ring);
}

struct pair {
    h3_ring *from, *to;
    uint64_t lost;
};

/* The next record of a ring whose consumer sleeps whenever it is empty; 0 if its wake-up was lost. */
static uint64_t await_record(h3_ring *ring) {
    for (;;) {
        uint64_t object = pop(ring);
        if (object != 0) return object;
        if (h3_ring_arm(ring) != 0) continue;
        if (!readable(h3_ring_fd(ring), PATIENCE_MS)) return 0;
        absorb(h3_ring_fd(ring));
    }
}

static void *echo(void *argument) {
    struct pair *p = argument;
    for (uint64_t i = 1; i <= ROUND_TRIPS; i++) {
        uint64_t object = await_record(p->from);
        if (object != i) {
            p->lost = i;
            return NULL;
        }
        push(p->to, object, 0);
        h3_ring_wake(p->to);
    }
    return NULL;
}

/* Both sides go to sleep after each record: every arm races with a publish. */
static void test_ping_pong(void) {
    h3_ring *there = h3_ring_new(4096), *back = h3_ring_new(4096);
    struct pair p = {.from = there, .to = back};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, echo, &p) == 0);
    uint64_t i, answer = 0;
    for (i = 1; i <= ROUND_TRIPS; i++) {
        push(there, i, 0);
        h3_ring_wake(there);
        if ((answer = await_record(back)) != i) break;
    }
    CHECK(answer == ROUND_TRIPS);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(p.lost == 0);
    h3_ring_recycle(there);
    h3_ring_recycle(back);
}

int main(void) {
    alarm(120); /* a hang is a failure */
    test_claims();
    test_wrap_and_span();
    test_arm();
    test_recycle();
    test_many_producers(false);
    test_many_producers(true);
    test_ping_pong();
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
