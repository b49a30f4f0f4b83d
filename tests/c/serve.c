/*
 * A C program that serves HTTP/3 by polling: it waits in C with zig_h3_queue_wait(), drains with zig_h3_next_event(), answers
 * REQUESTS requests (10,000 by default), stops, and checks that nothing was lost on the way and that its thread never ran Go: its
 * signal stack is what it was.
 *
 *     serve [REQUESTS]
 *
 * It prints "ready PORT CERTIFICATE-HASH" once it serves, and "N passed, N failed" at the end. tests/peers/client is its client: GET
 * /path/N is answered in one call, GET /parts/N in parts, POST /echo with its body.
 */
#define _POSIX_C_SOURCE 200809L
#define _XOPEN_SOURCE 700
#include "zig_h3.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUTE_PATH = 1, ROUTE_PARTS = 2, ROUTE_ECHO = 3 };

/* What was counted while serving. */
struct counts {
    uint64_t requests; /* REQUEST events */
    uint64_t held;     /* of these, answered without FORGET: each owes a STREAM_CLOSED */
    uint64_t closed;   /* STREAM_CLOSED events */
    uint64_t early;    /* of these, with a code: ended before their answer was through */
    uint64_t opened;   /* CONN_OPENED events */
    uint64_t ended;    /* CONN_CLOSED events */
    uint64_t refused;  /* replies that were refused */
    uint64_t stopped;  /* SERVER_STOPPED events */
    int32_t fatal;
};

static int passed, failed;

static void check(int holds, const char *what)
{
    if (holds) {
        passed++;
        return;
    }
    failed++;
    printf("not so: %s\n", what);
}

static void equal(uint64_t got, uint64_t want, const char *what)
{
    if (got != want)
        printf("%s: %llu, not %llu\n", what, (unsigned long long)got, (unsigned long long)want);
    check(got == want, what);
}

static void must(int32_t result, const char *call)
{
    if (result >= 0)
        return;
    printf("%s: %s: %s\n0 passed, 1 failed\n", call, zig_h3_error_name(result), zig_h3_last_error());
    exit(1);
}

/* Finds a field in a packed header list, or returns NULL. */
static const uint8_t *field(const uint8_t *list, size_t list_len, const char *name, uint32_t *len)
{
    for (size_t at = 0; at + 6 <= list_len;) {
        uint16_t name_len;
        uint32_t value_len;
        memcpy(&name_len, list + at, sizeof name_len);
        memcpy(&value_len, list + at + sizeof name_len, sizeof value_len);
        at += 6;
        if (name_len == strlen(name) && memcmp(list + at, name, name_len) == 0) {
            *len = value_len;
            return list + at + name_len;
        }
        at += name_len + (size_t)value_len;
    }
    return NULL;
}

static size_t pack(uint8_t *list, const char *name, const char *value)
{
    uint16_t name_len = (uint16_t)strlen(name);
    uint32_t value_len = (uint32_t)strlen(value);
    memcpy(list, &name_len, sizeof name_len);
    memcpy(list + 2, &value_len, sizeof value_len);
    memcpy(list + 6, name, name_len);
    memcpy(list + 6 + name_len, value, value_len);
    return 6 + name_len + (size_t)value_len;
}

static int32_t in_parts(zig_h3_handle request, const uint8_t *path, uint32_t len)
{
    uint32_t half = len / 2;
    size_t taken;
    int32_t result = zig_h3_response_status(request, 200);
    if (result == 0)
        result = zig_h3_response_header(request, "Content-Type", 12, "text/plain", 10);
    if (result == 0)
        result = zig_h3_response_write(request, path, half, &taken);
    if (result == 0)
        result = taken == half ? 0 : ZIG_H3_ERR_WOULD_BLOCK;
    return result == 0 ? zig_h3_response_end(request, path + half, len - half) : result;
}

static int32_t answer(const zig_h3_event *event, struct counts *counts)
{
    uint8_t headers[64];
    size_t headers_len = pack(headers, "content-type", "text/plain");
    uint32_t path_len = 0;
    const uint8_t *path = field(event->meta, event->meta_len, ":path", &path_len);

    if (path == NULL)
        return ZIG_H3_ERR_INTERNAL;
    switch (event->user_data) {
    case ROUTE_PATH:
        return zig_h3_response_send(event->object, 200, headers, headers_len, path, path_len, ZIG_H3_SEND_FORGET);
    case ROUTE_PARTS:
        counts->held++;
        return in_parts(event->object, path, path_len);
    case ROUTE_ECHO:
        counts->held++;
        return zig_h3_response_send(event->object, 200, headers, headers_len, event->data, event->data_len, 0);
    default:
        return ZIG_H3_ERR_INTERNAL;
    }
}

static void handle(const zig_h3_event *event, struct counts *counts)
{
    int32_t result;
    switch (event->type) {
    case ZIG_H3_EVENT_REQUEST:
        counts->requests++;
        result = answer(event, counts);
        if (result != 0) {
            if (counts->refused++ == 0)
                printf("first refused reply: %s: %s\n", zig_h3_error_name(result), zig_h3_last_error());
        }
        break;
    case ZIG_H3_EVENT_STREAM_CLOSED:
        counts->closed++;
        counts->early += event->code != 0;
        break;
    case ZIG_H3_EVENT_CONN_OPENED:
        counts->opened++;
        break;
    case ZIG_H3_EVENT_CONN_CLOSED:
        counts->ended++;
        break;
    case ZIG_H3_EVENT_SERVER_STOPPED:
        counts->stopped++;
        break;
    case ZIG_H3_EVENT_FATAL:
        counts->fatal = 1;
        printf("fatal: %.*s\n", (int)event->data_len, (const char *)event->data);
        break;
    default:
        break;
    }
}

/* Drains until the goal is met, or nothing came for 60 seconds. */
static void serve_until(zig_h3_handle queue, struct counts *counts, const uint64_t *counter, const uint64_t *goal)
{
    zig_h3_event event;
    int32_t result;
    while (*counter < *goal && !counts->fatal) {
        result = zig_h3_queue_wait(queue, 60000);
        must(result, "zig_h3_queue_wait");
        if (result == 0) {
            printf("no event for a minute\n");
            return;
        }
        while ((result = zig_h3_next_event(queue, &event)) == 1)
            handle(&event, counts);
        must(result, "zig_h3_next_event");
    }
}

static uint64_t counter_named(zig_h3_handle server, const char *name)
{
    uint64_t values[256];
    int32_t count = zig_h3_stats_snapshot(server, values, 256);
    must(count, "zig_h3_stats_snapshot");
    for (int32_t i = 0; i < count && i < 256; i++)
        if (strcmp(zig_h3_stats_name((uint32_t)i), name) == 0)
            return values[i];
    printf("there is no counter %s\n", name);
    return UINT64_MAX;
}

static void route(zig_h3_handle server, const char *method, const char *pattern, uint32_t flags, uint64_t user_data)
{
    must(zig_h3_server_route(server, method, pattern, flags, user_data, NULL), "zig_h3_server_route");
}

int main(int argc, char **argv)
{
    uint64_t goal = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000;
    uint64_t one = 1;
    zig_h3_server_config config = {.size = sizeof config, .hostname = "127.0.0.1"};
    zig_h3_handle queue, server;
    struct counts counts = {0};
    stack_t before, after;
    uint8_t hash[32];
    uint16_t port;

    memset(&before, 0, sizeof before);
    memset(&after, 0, sizeof after);
    check(sigaltstack(NULL, &before) == 0, "the signal stack can be read");
    check(zig_h3_abi_version() == ZIG_H3_ABI_VERSION, "the library has the header's contract");
    must(zig_h3_queue_new(NULL, &queue), "zig_h3_queue_new");
    must(zig_h3_server_new(&config, queue, &server), "zig_h3_server_new");
    route(server, "GET", "/path/:n", 0, ROUTE_PATH);
    route(server, "GET", "/parts/:n", 0, ROUTE_PARTS);
    route(server, "POST", "/echo", ZIG_H3_ROUTE_BUFFERED, ROUTE_ECHO);
    must(zig_h3_server_start(server), "zig_h3_server_start");
    must(zig_h3_server_port(server, &port), "zig_h3_server_port");
    must(zig_h3_server_certificate_hash(server, hash), "zig_h3_server_certificate_hash");

    printf("ready %u ", port);
    for (size_t i = 0; i < sizeof hash; i++)
        printf("%02x", hash[i]);
    printf("\n");
    fflush(stdout);

    serve_until(queue, &counts, &counts.requests, &goal);
    serve_until(queue, &counts, &counts.closed, &counts.held);
    serve_until(queue, &counts, &counts.ended, &counts.opened);
    equal(counter_named(server, "requests_total"), goal, "requests_total");
    must(zig_h3_server_stop(server, 5000), "zig_h3_server_stop");
    serve_until(queue, &counts, &counts.stopped, &one);

    equal(counts.requests, goal, "requests served");
    equal(counts.refused, 0, "replies refused");
    equal(counts.closed, counts.held, "ends of the requests that were not given up");
    equal(counts.early, 0, "requests that ended early");
    equal(counts.ended, counts.opened, "ends of connections");
    equal(counts.stopped, 1, "SERVER_STOPPED events");
    equal((uint64_t)counts.fatal, 0, "FATAL events");
    check(zig_h3_server_free(server) == 0, "the server is freed");
    check(zig_h3_queue_free(queue) == 0, "the queue is freed");
    check(zig_h3_server_free(server) == ZIG_H3_ERR_STALE_HANDLE, "a second free of the server is told so");
    check(zig_h3_queue_free(queue) == ZIG_H3_ERR_STALE_HANDLE, "a second free of the queue is told so");
    check(sigaltstack(NULL, &after) == 0 && after.ss_sp == before.ss_sp && after.ss_size == before.ss_size &&
              after.ss_flags == before.ss_flags,
          "the signal stack of this thread is untouched");
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
