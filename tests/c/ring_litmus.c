/*
 * ring_litmus.c: the one moment in which a wake-up can be lost, again and again. A producer publishes and looks whether the consumer
 * sleeps, while the consumer says that it is about to and looks for records: on two processors both looks may come before both
 * stores are seen, unless something orders them. One record at a time, so that no later one wakes who was forgotten. What makes the
 * moment long enough to be met is a burden: lines of memory that the other side has just written, and one side writes before it
 * publishes, or arms, so that its store has to queue behind them. With a fence in h3_ring_wake() that does not hold the load back
 * (acq_rel), or such a store in h3_ring_arm() (release), one wake-up in twenty is lost on x86-64. It goes on for a fixed time, and wants
 * two processors for itself.
 *
 *     cc -std=c11 -O2 -o ring_litmus tests/c/ring_litmus.c capi/ring.c -lpthread
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "../../capi/ring.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { PRODUCER, CONSUMER };
enum { SECONDS = 4, LINES = 64, SWEEP = 2048, OVER = -1 };

static h3_ring *ring;
static _Atomic int ready, go, done;
static struct {
    _Alignas(128) _Atomic int word;
} burden[2][LINES]; /* of the producer's store, of the consumer's */

/* Makes a burden this processor's. */
static void carry(int which, int round)
{
    for (int i = 0; i < LINES; i++)
        atomic_store_explicit(&burden[which][i].word, round, memory_order_relaxed);
}

/* As long as the other side may take with its burden, in every measure. */
static void linger(int round)
{
    for (int i = round % SWEEP; i > 0; i--)
        __asm__ volatile("");
}

/* Has the calling thread keep to one of the processors that this process may use, the first or the second of them if there is one. */
static void keep_to(int which)
{
#ifdef __linux__
    cpu_set_t all, one;
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        return;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && which >= 0; cpu++) {
        if (CPU_ISSET(cpu, &all) && which-- == 0)
            CPU_SET(cpu, &one);
    }
    if (CPU_COUNT(&one) == 1)
        sched_setaffinity(0, sizeof one, &one);
#else
    (void)which;
#endif
}

/* In seconds. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Waits for another value than was, and returns it. Busy, since both have to move at the same moment; on one processor it gives way. */
static int await(_Atomic int *what, int was)
{
    int is;
    for (int turns = 1; (is = atomic_load_explicit(what, memory_order_acquire)) == was; turns++) {
        if (turns % 4096 == 0)
            sched_yield();
    }
    return is;
}

static void *produce(void *unused)
{
    (void)unused;
    keep_to(1);
    for (int round = 1;; round++) {
        zig_h3_record *record = h3_ring_claim(ring, 0);
        *record = (zig_h3_record){.type = 1, .object = (uint64_t)round};
        carry(CONSUMER, round);
        atomic_store_explicit(&ready, round, memory_order_release);
        if (await(&go, round - 1) == OVER)
            return NULL;
        if (round / SWEEP % 2 == 0)
            carry(PRODUCER, round);
        else
            linger(round);
        h3_ring_publish(ring, record, 0);
        h3_ring_wake(ring);
        atomic_store_explicit(&done, round, memory_order_release);
    }
}

/* Plays rounds until the time is over. Returns how many there were; lost is how many wake-ups were, wrong whether a record was another. */
static int consume(int *lost, int *wrong)
{
    struct pollfd p = {.fd = h3_ring_fd(ring), .events = POLLIN};
    int round = 0;
    for (double end = now() + SECONDS; round % 256 != 0 || now() < end;) {
        await(&ready, round++);
        carry(PRODUCER, -round);
        atomic_store_explicit(&go, round, memory_order_release);
        if (round / SWEEP % 2 == 0)
            linger(round);
        else
            carry(CONSUMER, -round);
        int armed = h3_ring_arm(ring) == 0;
        await(&done, round - 1);
        uint64_t count;
        int woken = poll(&p, 1, 0) == 1;
        if (woken && read(p.fd, &count, sizeof count) != sizeof count)
            *wrong = 1;
        *lost += armed && !woken;
        h3_ring_disarm(ring);
        const zig_h3_record *record = h3_ring_peek(ring);
        if (record == NULL || record->object != (uint64_t)round) {
            *wrong = 1;
            break;
        }
        h3_ring_take(ring, record);
        h3_ring_release(ring);
    }
    await(&ready, round); /* the producer has looked at this round's */
    atomic_store_explicit(&go, OVER, memory_order_release);
    return round;
}

int main(void)
{
    pthread_t producer;
    int lost = 0, wrong = 0;
    ring = h3_ring_new(H3_RING_MIN_CAPACITY);
    pthread_create(&producer, NULL, produce, NULL);
    keep_to(0);
    int rounds = consume(&lost, &wrong);
    pthread_join(producer, NULL);
    printf("%d of %d wake-ups were lost\n", lost, rounds);
    printf("%d passed, %d failed\n", (lost == 0) + (wrong == 0), (lost != 0) + (wrong != 0));
    return lost != 0 || wrong != 0;
}
