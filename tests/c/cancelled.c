/*
 * Threads that are cancelled (pthread_cancel, A11) or interrupted by signals (A12): no call is a cancellation point but zig_h3_queue_wait(), and a queue whose consumer was
 * cancelled there is as good as before. What a thread took with it would hang what comes after, so whoever hangs has failed.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "cancellable.h"
#include "check.h"

static zig_h3_handle queue, server;

static void rest(int ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

static zig_h3_handle new_queue(void)
{
    zig_h3_handle made;
    MUST(zig_h3_queue_new(NULL, &made));
    return made;
}

static zig_h3_handle new_server(void)
{
    zig_h3_server_config config = {.size = sizeof config, .hostname = "127.0.0.1"};
    zig_h3_handle made;
    MUST(zig_h3_server_new(&config, queue, &made));
    return made;
}

/* ------------------------------------------------------------------------------------------------- calls with a cancellation pending */

static int32_t queue_new(void)
{
    zig_h3_handle made = 0;
    const int32_t code = zig_h3_queue_new(NULL, &made);
    zig_h3_queue_free(made);
    return code;
}
static int32_t server_new(void)
{
    zig_h3_server_config config = {.size = sizeof config, .hostname = "127.0.0.1"};
    zig_h3_handle made = 0;
    const int32_t code = zig_h3_server_new(&config, queue, &made);
    zig_h3_server_free(made);
    return code;
}
static int32_t server_route(void)
{
    static char pattern[] = "/a";
    pattern[1]++; /* a new one each time */
    return zig_h3_server_route(server, "GET", pattern, 0, 0, NULL);
}
static int32_t server_start(void) { return zig_h3_server_start(server); }
static int32_t server_stop(void) { return zig_h3_server_stop(server, 0); }
static int32_t queue_wake(void) { return zig_h3_queue_wake(queue); }
static int32_t queue_arm(void) { return zig_h3_queue_arm(queue) < 0; }
static int32_t queue_fd(void)
{
    int32_t fd = -1;
    const int32_t code = zig_h3_queue_fd(queue, &fd);
    const int held = code == 0;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    if (held)
        close(fd);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    return code;
}
static int32_t wait_without_sleep(void) { return zig_h3_queue_wait(queue, 0) < 0; }
static int32_t names(void) { return zig_h3_stats_name(0) == NULL || zig_h3_wt_stats_name(0) == NULL; }
static int32_t fails(void) { return zig_h3_queue_free(12345) != ZIG_H3_ERR_INVALID_HANDLE; }

static int32_t (*const calls[])(void) = {queue_new, server_new,  server_route,       server_start, server_stop, queue_wake,
                                         queue_arm, queue_fd,    wait_without_sleep, names,        fails};

static _Atomic int came_back;

static void *call_cancelled(void *argument)
{
    pthread_cleanup_push(frames_are_gone, NULL);
    pthread_cancel(pthread_self());
    atomic_store(&came_back, calls[(uintptr_t)argument]() == 0 ? 1 : -1);
    pthread_testcancel();
    pthread_cleanup_pop(0);
    return NULL;
}

/* A11: calls that wake the engine or wait for it come back, whatever is pending. tests/c/hostile.c has all the others. */
static void no_cancellation_points(void)
{
    for (uintptr_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        for (int round = 0; round < 3; round++) {
            pthread_t thread;
            void *result = NULL;
            rest(5); /* the engine sleeps: it has to be woken by a write */
            atomic_store(&came_back, 0);
            HOLDS(pthread_create(&thread, NULL, call_cancelled, (void *)i) == 0);
            HOLDS(pthread_join(thread, &result) == 0);
            HOLDS(result == PTHREAD_CANCELED);
            if (!HOLDS(atomic_load(&came_back) == 1))
                printf("    call %u\n", (unsigned)i);
            SAME(zig_h3_queue_free(new_queue()), 0); /* the engine hears, and answers */
        }
    }
}

/* --------------------------------------------------------------------------------------------------------- cancelled in its sleep */

static void *wait_for_ever(void *argument)
{
    pthread_cleanup_push(frames_are_gone, NULL);
    zig_h3_queue_wait(*(zig_h3_handle *)argument, -1);
    pthread_cleanup_pop(0);
    return NULL;
}

static void cancel_waiter(zig_h3_handle *of)
{
    pthread_t thread;
    void *result = NULL;
    zig_h3_event event;
    HOLDS(pthread_create(&thread, NULL, wait_for_ever, of) == 0);
    while (zig_h3_next_event(*of, &event) != ZIG_H3_ERR_BUSY)
        rest(1);
    HOLDS(pthread_cancel(thread) == 0);
    HOLDS(pthread_join(thread, &result) == 0);
    HOLDS(result == PTHREAD_CANCELED);
}

static int descriptors(void)
{
    int n = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder != NULL && readdir(folder) != NULL)
        n++;
    closedir(folder);
    return n;
}

/* A11: the one cancellation point leaves the queue free. */
static void cancelled_waits(void)
{
    zig_h3_event event;
    zig_h3_handle own = new_queue();
    cancel_waiter(&own);
    SAME(zig_h3_next_event(own, &event), 0);
    SAME(zig_h3_queue_wait(own, 0), 0);
    SAME(zig_h3_queue_wake(own), 0); /* nothing is lost: not this, not an event */
    SAME(zig_h3_queue_wait(own, -1), 0);
    SAME(zig_h3_queue_free(own), 0);

    cancel_waiter(&queue);
    SAME(zig_h3_server_start(server), 0);
    SAME(zig_h3_queue_wait(queue, -1), 1);
    SAME(zig_h3_next_event(queue, &event), 1);
    SAME(event.type, ZIG_H3_EVENT_SERVER_STARTED);

    /* Freed afterwards, all of it comes back. */
    const int before = descriptors();
    for (int i = 0; i < 50; i++) {
        own = new_queue();
        cancel_waiter(&own);
        SAME(zig_h3_queue_free(own), 0);
        while (zig_h3_next_event(own, &event) != ZIG_H3_ERR_STALE_HANDLE)
            rest(1);
    }
    int more = 0;
    for (int tries = 0; tries < 1000 && (more = descriptors() - before) > 10; tries++)
        rest(10);
    HOLDS(more <= 10); /* rings lie ready for the next queues of their size: a few, since frees do not wait */
}

/* ------------------------------------------------------------------------------------------------------------------------ signals */

static _Atomic int told;

static void tell(int signal)
{
    (void)signal;
    atomic_fetch_add(&told, 1);
}

static void wake_queue(int signal)
{
    (void)signal;
    zig_h3_queue_wake(queue);
}

static void *wait_once(void *result)
{
    *(int32_t *)result = zig_h3_queue_wait(queue, -1);
    return NULL;
}

/* A12: a handler that runs ends the wait of the thread that it runs on: it may have set a flag. */
static void signals_end_waits(void)
{
    const struct sigaction flag = {.sa_handler = tell, .sa_flags = SA_RESTART};
    pthread_t thread;
    int32_t result = 77;
    zig_h3_event event;
    SAME(sigaction(SIGUSR1, &flag, NULL), 0);
    while (zig_h3_next_event(queue, &event) == 1) {
    }
    HOLDS(pthread_create(&thread, NULL, wait_once, &result) == 0);
    while (zig_h3_next_event(queue, &event) != ZIG_H3_ERR_BUSY)
        rest(1);
    rest(20); /* it sleeps now, most likely; else the handler ran before it did, and another signal has to come */
    void *unused;
    struct timespec soon;
    do {
        pthread_kill(thread, SIGUSR1);
        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_sec++;
    } while (pthread_timedjoin_np(thread, &unused, &soon) != 0);
    SAME(result, 0);
    HOLDS(told > 0);
}

/* A12: the handler that everybody writes for SIGINT, on the thread that drains the queue; caught inside a call: caller_memory.c, hostile.c. */
static void wake_in_a_handler(void)
{
    const struct sigaction wake = {.sa_handler = wake_queue};
    const void *base;
    size_t size;
    SAME(sigaction(SIGUSR2, &wake, NULL), 0);
    int wrong = 0;
    for (int i = 0; i < 2000; i++) {
        raise(SIGUSR2);
        wrong += zig_h3_queue_map(queue, &base, &size) != 0;
        wrong += zig_h3_queue_wait(queue, -1) != 0;
    }
    SAME(wrong, 0);
}

/* ------------------------------------------------------------------------------------------------------------------------ descriptors */

/* The descriptor is the host's: closed, its number may be another file's, and nothing is written there. */
static void closed_descriptor(void)
{
    int32_t fd = -1, other = -1, pipes[2];
    zig_h3_event event;
    zig_h3_handle own = new_queue(), serves;
    zig_h3_server_config config = {.size = sizeof config, .hostname = "127.0.0.1"};
    MUST(zig_h3_server_new(&config, own, &serves));
    SAME(zig_h3_queue_fd(own, &fd), 0);
    SAME(zig_h3_queue_fd(own, &other), 0);
    HOLDS(other != fd);
    HOLDS(pipe(pipes) == 0 && dup2(pipes[1], fd) == fd && dup2(pipes[1], other) == other);
    SAME(zig_h3_queue_arm(own), 0);
    SAME(zig_h3_server_start(serves), 0);
    SAME(zig_h3_queue_wait(own, -1), 1);
    SAME(zig_h3_next_event(own, &event), 1);
    SAME(zig_h3_queue_free(own), 0);
    while (zig_h3_next_event(own, &event) != ZIG_H3_ERR_STALE_HANDLE)
        rest(1);
    for (int i = 0; i < 20; i++)
        SAME(zig_h3_queue_free(new_queue()), 0);
    close(pipes[1]);
    close(fd);
    close(other);
    char byte;
    SAME(read(pipes[0], &byte, 1), 0); /* the end: it was this pipe's to the last, and nothing had been written */
}

int main(void)
{
    alarm(120);
    queue = new_queue();
    server = new_server();
    no_cancellation_points();
    SAME(zig_h3_server_stop(server, 0), 0);
    zig_h3_event event;
    for (int stopped = 0; !stopped;) { /* as often as it was started */
        uint16_t port;
        zig_h3_queue_wait(queue, 10);
        while (zig_h3_next_event(queue, &event) == 1) {
        }
        stopped = zig_h3_server_port(server, &port) == ZIG_H3_ERR_WRONG_STATE;
    }
    while (zig_h3_queue_wait(queue, 50) == 1) {
        while (zig_h3_next_event(queue, &event) == 1) {
        }
    }
    cancelled_waits();
    signals_end_waits();
    wake_in_a_handler();
    closed_descriptor();
    SAME(zig_h3_queue_free(queue), 0);
    return done();
}
