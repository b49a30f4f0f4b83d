/*
 * A thread that comes into zig_h3_queue_wait() just when another one frees the queue (A09): wherever it loses its processor, it touches
 * no struct that is somebody else's by then. A signal holds it up in the middle of the call, at a place that chance chooses, until
 * the queue is gone and its struct idle, or given to the next queue.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { ROUNDS = 400 };

static _Atomic zig_h3_handle queue;
static _Atomic int held, go_on;

static void rest(long us)
{
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static void hold(int signal)
{
    (void)signal;
    atomic_store(&held, 1);
    while (!atomic_load(&go_on))
        rest(50);
}

/* Comes in again and again, until the queue is gone. */
static void *come_in(void *result)
{
    int32_t code;
    while ((code = zig_h3_queue_wait(atomic_load(&queue), 0)) == 0) {
    }
    *(int32_t *)result = code;
    return NULL;
}

static void *free_it(void *result)
{
    *(int32_t *)result = zig_h3_queue_free(atomic_load(&queue));
    return NULL;
}

static zig_h3_handle new_queue(const void **memory)
{
    zig_h3_handle made;
    size_t size;
    MUST(zig_h3_queue_new(NULL, &made));
    MUST(zig_h3_queue_map(made, memory, &size));
    return made;
}

int main(void)
{
    const struct sigaction action = {.sa_handler = hold};
    sigaction(SIGUSR1, &action, NULL);
    alarm(100); /* a struct that was given back twice hangs the next queue */
    int freed = 0, gone = 0, apart = 0;
    for (int round = 0; round < ROUNDS; round++) {
        const void *first, *second, *third;
        int32_t code = 77, result = 77;
        pthread_t thread, freeing;
        atomic_store(&held, 0);
        atomic_store(&go_on, 0);
        atomic_store(&queue, new_queue(&first));
        pthread_create(&thread, NULL, come_in, &code);
        rest(20 + round % 7);
        pthread_kill(thread, SIGUSR1);
        while (!atomic_load(&held))
            rest(50);
        pthread_create(&freeing, NULL, free_it, &result); /* which waits where the thread is held up with the queue locked */
        rest(2500); /* the struct is given back meanwhile, by a goroutine of the engine's */
        zig_h3_handle other = round % 2 != 0 ? 0 : new_queue(&second);
        atomic_store(&go_on, 1);
        pthread_join(thread, NULL);
        pthread_join(freeing, NULL);
        freed += result == 0;
        gone += code == ZIG_H3_ERR_STALE_HANDLE;
        /* Two queues have two rings. */
        if (other == 0)
            other = new_queue(&second);
        zig_h3_handle another = new_queue(&third);
        const void *again;
        size_t size;
        MUST(zig_h3_queue_map(other, &again, &size));
        apart += again == second && second != third;
        MUST(zig_h3_queue_free(other));
        MUST(zig_h3_queue_free(another));
    }
    SAME(freed, ROUNDS);
    SAME(gone, ROUNDS);
    SAME(apart, ROUNDS);
    return done();
}
