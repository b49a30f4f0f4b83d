/* A server, and the events that a test expects of it, one after the other. */
#ifndef TESTS_C_EXPECT_H
#define TESTS_C_EXPECT_H

#include <time.h>

#include "check.h"

static zig_h3_handle queue, server;
static uint16_t port;

static inline void fail(const char *what)
{
    printf("%s\n%d passed, %d failed\n", what, passed, failed + 1);
    exit(1);
}

/* A server on 127.0.0.1 with these options, not started yet. */
static inline void serve_with(const char *options)
{
    zig_h3_server_config config = {
        .size = sizeof config, .hostname = "127.0.0.1", .options = options, .options_len = strlen(options),
    };
    MUST(zig_h3_queue_new(NULL, &queue));
    MUST(zig_h3_server_new(&config, queue, &server));
}

/* The next event of any kind; what it points to is good until the next call. A wait that ends early was woken, by what the test has seen or not. */
static inline zig_h3_event any(void)
{
    const time_t began = time(NULL);
    zig_h3_event event;
    while (zig_h3_next_event(queue, &event) != 1) {
        if (zig_h3_queue_wait(queue, 20000) != 1 && time(NULL) - began >= 20)
            fail("no event came for 20 seconds");
    }
    if (event.type == ZIG_H3_EVENT_FATAL)
        fail((const char *)event.data);
    return event;
}

/* The next event but for those that connections come and go with. */
static inline zig_h3_event next(void)
{
    for (;;) {
        zig_h3_event event = any();
        if (event.type != ZIG_H3_EVENT_CONN_OPENED && event.type != ZIG_H3_EVENT_CONN_CLOSED &&
            event.type != ZIG_H3_EVENT_SERVER_STARTED && event.type != ZIG_H3_EVENT_LOG)
            return event;
    }
}

static inline zig_h3_event expect_at(uint16_t type, const char *file, int line)
{
    zig_h3_event event = next();
    if (!check(event.type == type, file, line, zig_h3_event_name(type)))
        printf("    %s, code %d, instead\n", zig_h3_event_name(event.type), (int)event.code);
    return event;
}

#define EXPECT(type) expect_at((type), __FILE__, __LINE__)

static inline void stop(void)
{
    SAME(zig_h3_server_stop(server, 0), 0);
    while (any().type != ZIG_H3_EVENT_SERVER_STOPPED) {
    }
    SAME(zig_h3_server_free(server), 0);
    SAME(zig_h3_queue_free(queue), 0);
}

static inline uint64_t counter(const char *name)
{
    uint64_t values[64];
    int32_t count = zig_h3_stats_snapshot(server, values, 64);
    for (int32_t i = 0; i < count && i < 64; i++) {
        if (strcmp(zig_h3_stats_name((uint32_t)i), name) == 0)
            return values[i];
    }
    fail(name);
    return 0;
}

#endif
