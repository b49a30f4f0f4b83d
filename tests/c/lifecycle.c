/*
 * Queues and servers over their life: waiting and waking (A05), a second consumer, freeing in any order and twice (A04, A09), start
 * and stop in any order (L01-L04, L09, L11).
 */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void rest(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L}, NULL);
}

/* Waits for an event of this type; every other one is passed over. 0 when none came within ten seconds. */
static int next_of(zig_h3_handle queue, uint16_t type, zig_h3_event *event)
{
    for (double deadline = now_ms() + 10000; now_ms() < deadline;) {
        if (zig_h3_queue_wait(queue, 100) < 0)
            return 0;
        while (zig_h3_next_event(queue, event) == 1) {
            if (event->type == type)
                return 1;
        }
    }
    return 0;
}

static zig_h3_handle new_queue(void)
{
    zig_h3_handle queue;
    MUST(zig_h3_queue_new(NULL, &queue));
    return queue;
}

static zig_h3_handle new_server(zig_h3_handle queue, uint16_t port)
{
    zig_h3_server_config config = {.size = sizeof config, .hostname = "127.0.0.1", .port = port};
    zig_h3_handle server;
    MUST(zig_h3_server_new(&config, queue, &server));
    return server;
}

struct waiter {
    zig_h3_handle queue;
    int32_t timeout, result;
    pthread_t thread;
};

static void *wait_there(void *arg)
{
    struct waiter *waiter = arg;
    waiter->result = zig_h3_queue_wait(waiter->queue, waiter->timeout);
    return NULL;
}

static void start_waiting(struct waiter *waiter, zig_h3_handle queue)
{
    zig_h3_event event;
    *waiter = (struct waiter){.queue = queue, .timeout = -1, .result = 77};
    pthread_create(&waiter->thread, NULL, wait_there, waiter);
    while (zig_h3_next_event(queue, &event) != ZIG_H3_ERR_BUSY)
        rest(1);
}

/* A05: an empty queue says so at once, or after the time given, without spinning. */
static void waiting(void)
{
    zig_h3_handle queue = new_queue();
    SAME(zig_h3_queue_wait(queue, 0), 0);
    double began = now_ms(), cpu = cpu_ms();
    SAME(zig_h3_queue_wait(queue, 50), 0);
    HOLDS(now_ms() - began >= 49);
    HOLDS(cpu_ms() - cpu < 25);

    /* A wake sticks when nobody waits; several count as one. */
    SAME(zig_h3_queue_wake(queue), 0);
    SAME(zig_h3_queue_wake(queue), 0);
    SAME(zig_h3_queue_wait(queue, -1), 0);
    SAME(zig_h3_queue_wait(queue, 0), 0);

    struct waiter waiter;
    start_waiting(&waiter, queue);
    SAME(zig_h3_queue_wake(queue), 0);
    pthread_join(waiter.thread, NULL);
    SAME(waiter.result, 0);

    /* While one waits, nobody else drains. */
    zig_h3_event event;
    zig_h3_queue_span span;
    static uint64_t buffer[64];
    start_waiting(&waiter, queue);
    SAME(zig_h3_next_event(queue, &event), ZIG_H3_ERR_BUSY);
    SAME(zig_h3_next_events(queue, buffer, sizeof buffer, 1, NULL), ZIG_H3_ERR_BUSY);
    SAME(zig_h3_queue_peek(queue, 1, &span), ZIG_H3_ERR_BUSY);
    SAME(zig_h3_queue_advance(queue, 0), ZIG_H3_ERR_BUSY);
    SAME(zig_h3_queue_arm(queue), ZIG_H3_ERR_BUSY);
    SAME(zig_h3_queue_wait(queue, 0), ZIG_H3_ERR_BUSY);
    /* Freeing the queue sends the waiter home. */
    SAME(zig_h3_queue_free(queue), 0);
    pthread_join(waiter.thread, NULL);
    SAME(waiter.result, ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_queue_free(queue), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_queue_wait(queue, -1), ZIG_H3_ERR_STALE_HANDLE);
}

/* The descriptor becomes readable once for an armed queue that gets an event. */
static void arming(void)
{
    zig_h3_handle queue = new_queue(), server = new_server(queue, 0);
    zig_h3_event event;
    int32_t fd = -1;
    uint64_t count;
    SAME(zig_h3_queue_fd(queue, &fd), 0);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    SAME(zig_h3_queue_arm(queue), 0);
    SAME(zig_h3_queue_arm(queue), 0);
    SAME(poll(&readable, 1, 0), 0);
    SAME(zig_h3_server_start(server), 0);
    SAME(poll(&readable, 1, 10000), 1);
    SAME(read(fd, &count, 8), 8);
    SAME(zig_h3_queue_arm(queue), 1);
    SAME(zig_h3_next_event(queue, &event), 1);
    SAME(event.type, ZIG_H3_EVENT_SERVER_STARTED);
    SAME(event.object, server);
    SAME(zig_h3_next_event(queue, &event), 0);
    SAME(zig_h3_queue_arm(queue), 0);
    SAME(zig_h3_server_free(server), 0);
    SAME(poll(&readable, 1, 10000), 1);
    SAME(zig_h3_queue_wait(queue, 10000), 1);
    SAME(zig_h3_queue_free(queue), 0);
    SAME(close(fd), 0);
}

/* One event in each of the three ways, and a buffer that is too small. */
static void draining(void)
{
    zig_h3_handle queue = new_queue(), server = new_server(queue, 0);
    uint64_t buffer[16];
    size_t needed = 1, size = 0;
    const void *base = NULL;
    zig_h3_queue_span span;
    SAME(zig_h3_next_events(queue, buffer, sizeof buffer, 9, &needed), 0);
    SAME(needed, 0);
    SAME(zig_h3_server_start(server), 0);
    SAME(zig_h3_queue_map(queue, &base, &size), 0);
    HOLDS(size > 1 << 20);
    SAME(zig_h3_queue_peek(queue, 9, &span), 1);
    SAME(span.bytes, 64);
    const zig_h3_record *record = (const zig_h3_record *)(const void *)((const char *)base + span.offset);
    SAME(record->type, ZIG_H3_EVENT_SERVER_STARTED);
    SAME(record->size, 64);
    SAME(zig_h3_next_events(queue, buffer, 63, 9, &needed), ZIG_H3_ERR_BUFFER_TOO_SMALL);
    SAME(needed, 64);
    SAME(zig_h3_next_events(queue, buffer, 64, 0, &needed), 0);
    SAME(zig_h3_next_events(queue, buffer, 64, 9, &needed), 1);
    SAME(needed, 64);
    SAME(((zig_h3_record *)buffer)->type, ZIG_H3_EVENT_SERVER_STARTED);
    SAME(zig_h3_queue_peek(queue, 9, &span), 0);
    SAME(zig_h3_server_stop(server, 0), 0);
    SAME(zig_h3_queue_wait(queue, 10000), 1);
    SAME(zig_h3_queue_peek(queue, 9, &span), 1);
    SAME(zig_h3_queue_advance(queue, 32), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_queue_advance(queue, 128), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_queue_advance(queue, 64), 0);
    memset(&span, 0x55, sizeof span);
    SAME(zig_h3_queue_peek(queue, 9, &span), 0);
    SAME(span.offset | span.bytes, 0);
    /* A span of two, of which another call takes the first: the second is not taken for what was seen. */
    zig_h3_event event;
    SAME(zig_h3_server_start(server), 0);
    SAME(zig_h3_server_stop(server, 0), 0);
    while (zig_h3_queue_peek(queue, 9, &span) != 2)
        rest(1);
    const uint64_t both = span.bytes;
    SAME(zig_h3_next_event(queue, &event), 1);
    SAME(event.type, ZIG_H3_EVENT_SERVER_STARTED);
    SAME(zig_h3_queue_advance(queue, both / 2), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_queue_advance(queue, both), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_queue_peek(queue, 9, &span), 1);
    SAME(zig_h3_next_events(queue, buffer, sizeof buffer, 1, NULL), 1);
    SAME(((zig_h3_record *)buffer)->type, ZIG_H3_EVENT_SERVER_STOPPED);
    SAME(zig_h3_server_start(server), 0);
    SAME(zig_h3_queue_advance(queue, span.bytes), ZIG_H3_ERR_INVALID_ARGUMENT); /* that one is taken, and this one was not seen */
    SAME(zig_h3_next_event(queue, &event), 1);
    SAME(event.type, ZIG_H3_EVENT_SERVER_STARTED);
    SAME(zig_h3_queue_free(queue), 0);
    /* Its server went with it; the mapping is still readable. */
    SAME(zig_h3_server_start(server), ZIG_H3_ERR_STALE_HANDLE);
    HOLDS(((const volatile char *)base)[size - 1] == 0);
}

/* L01-L04: started twice, stopped before and twice, started again on the same port. */
static void running(void)
{
    zig_h3_handle queue = new_queue(), server = new_server(queue, 0), other;
    zig_h3_event event;
    uint16_t port = 0, again = 0;
    uint8_t hash[32] = {0}, none[32] = {0};
    SAME(zig_h3_server_port(server, &port), ZIG_H3_ERR_WRONG_STATE);
    SAME(zig_h3_server_stop(server, 0), 0);
    SAME(zig_h3_server_start(server), 0);
    SAME(zig_h3_server_start(server), 0);
    SAME(zig_h3_server_port(server, &port), 0);
    HOLDS(port != 0);
    SAME(zig_h3_server_certificate_hash(server, hash), 0);
    HOLDS(memcmp(hash, none, 32) != 0);
    HOLDS(next_of(queue, ZIG_H3_EVENT_SERVER_STARTED, &event) && event.status == port);
    SAME(zig_h3_server_route(server, "GET", "/late", 0, 0, NULL), 0);
    zig_h3_handle second = new_queue();
    SAME(zig_h3_server_add_queue(server, second), ZIG_H3_ERR_WRONG_STATE);

    /* L09: a port that is taken. */
    other = new_server(queue, port);
    SAME(zig_h3_server_start(other), ZIG_H3_ERR_ADDRESS_IN_USE);
    HOLDS(strstr(zig_h3_last_error(), "EADDRINUSE") != NULL);
    SAME(zig_h3_server_free(other), 0);

    SAME(zig_h3_server_stop(server, -1), 0);
    SAME(zig_h3_server_stop(server, 0), 0);
    HOLDS(next_of(queue, ZIG_H3_EVENT_SERVER_STOPPED, &event) && event.object == server && event.code == 0);
    SAME(zig_h3_server_port(server, &again), ZIG_H3_ERR_WRONG_STATE);
    SAME(zig_h3_server_add_queue(server, second), 0);
    SAME(zig_h3_server_add_queue(server, second), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_server_start(server), 0);
    HOLDS(next_of(queue, ZIG_H3_EVENT_SERVER_STARTED, &event));
    HOLDS(next_of(second, ZIG_H3_EVENT_SERVER_STARTED, &event)); /* what is about the server goes to each of its queues */
    /* L01: the port is free at once. */
    SAME(zig_h3_server_port(server, &port), 0);
    SAME(zig_h3_server_stop(server, 0), 0);
    HOLDS(next_of(queue, ZIG_H3_EVENT_SERVER_STOPPED, &event));
    other = new_server(queue, port);
    SAME(zig_h3_server_start(other), 0);
    SAME(zig_h3_server_free(other), 0);
    SAME(zig_h3_server_free(other), ZIG_H3_ERR_STALE_HANDLE);
    HOLDS(next_of(queue, ZIG_H3_EVENT_SERVER_STOPPED, &event) && event.object == other);
    SAME(zig_h3_server_free(server), 0);
    SAME(zig_h3_queue_free(second), 0);
    SAME(zig_h3_queue_free(queue), 0);
}

static void refused_hosts(void)
{
    zig_h3_handle queue = new_queue(), server;
    zig_h3_server_config config = {.size = sizeof config, .hostname = "no-such-host.invalid"};
    MUST(zig_h3_server_new(&config, queue, &server));
    SAME(zig_h3_server_start(server), ZIG_H3_ERR_RESOLVE);
    HOLDS(strstr(zig_h3_last_error(), "no-such-host.invalid") != NULL);
    config.hostname = "192.0.2.1";
    MUST(zig_h3_server_new(&config, queue, &server));
    SAME(zig_h3_server_start(server), ZIG_H3_ERR_ADDRESS_UNAVAILABLE);
    HOLDS(strstr(zig_h3_last_error(), "EADDRNOTAVAIL") != NULL);
    SAME(zig_h3_queue_free(queue), 0);
}

/* Handles, rings and structs are used again: two hundred queues with servers cost what one costs, and none is mistaken for another. */
static void turnover(void)
{
    zig_h3_handle last = 0;
    int stale = 0, fresh = 0;
    for (int i = 0; i < 200; i++) {
        zig_h3_handle queue = new_queue(), server = new_server(queue, 0);
        zig_h3_event event;
        if (last != 0)
            stale += zig_h3_next_event(last, &event) == ZIG_H3_ERR_STALE_HANDLE;
        fresh += zig_h3_next_event(queue, &event) == 0;
        if (i % 2 == 0)
            MUST(zig_h3_server_free(server));
        MUST(zig_h3_queue_free(queue));
        last = queue;
    }
    SAME(stale, 199);
    SAME(fresh, 200);
}

/* What is used up is told, and costs nothing but the call. */
static void limits(void)
{
    zig_h3_handle queues[65], server, none = 0;
    for (int i = 0; i < 65; i++)
        queues[i] = new_queue();
    server = new_server(queues[0], 0);
    int32_t given = 0;
    for (int i = 1; i < 64; i++)
        given += zig_h3_server_add_queue(server, queues[i]) == 0;
    SAME(given, 63);
    SAME(zig_h3_server_add_queue(server, queues[64]), ZIG_H3_ERR_LIMIT);

    struct rlimit files;
    HOLDS(getrlimit(RLIMIT_NOFILE, &files) == 0);
    const rlim_t before = files.rlim_cur;
    files.rlim_cur = 0;
    HOLDS(setrlimit(RLIMIT_NOFILE, &files) == 0);
    SAME(zig_h3_queue_new(NULL, &none), ZIG_H3_ERR_LIMIT);
    HOLDS(strstr(zig_h3_last_error(), "descriptor") != NULL && none == 0);
    SAME(zig_h3_server_start(server), ZIG_H3_ERR_IO);
    HOLDS(strstr(zig_h3_last_error(), "too many open files") != NULL);
    files.rlim_cur = before;
    HOLDS(setrlimit(RLIMIT_NOFILE, &files) == 0);
    SAME(zig_h3_server_start(server), 0);
    for (int i = 0; i < 65; i++)
        SAME(zig_h3_queue_free(queues[i]), 0);
}

int main(void)
{
    limits();
    waiting();
    arming();
    draining();
    running();
    refused_hosts();
    turnover();
    return done();
}
