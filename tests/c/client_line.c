/* Clients one behind the other, and fetches that wait for a stream, from C: how long there has been a client, and a priority that changes in the line. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "asked.h"

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* A client's age is its own, whatever memory it has: that of one that has ended serves the next. */
static void ages(void)
{
    for (int i = 0; i < 4; i++) {
        const uint64_t before = now_ms();
        client_with("{\"insecure\": true}");
        const uint64_t made = now_ms();
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        const uint64_t from = now_ms(), age = client_counter("uptime_ms"), to = now_ms();
        HOLDS(age >= from - made && age <= to - before);
        zig_h3_client_free(client);
        UNTIL(closed == 1);
    }
}

/* The field priority of a fetch that waits for the stream of another one while it is given this priority. */
static const char *sent(uint32_t urgency, uint32_t incremental)
{
    static char value[64];
    zig_h3_fetch_config config = asking("GET", "/silent", NULL, ZIG_H3_FETCH_END);
    silent = 0;
    struct got *first = start(&config);
    UNTIL(silent != 0);
    config = asking("GET", "/hello", NULL, ZIG_H3_FETCH_END);
    struct got *second = start(&config);
    SAME(zig_h3_client_prioritize_fetch(second->handle, urgency, incremental), 0);
    while (client_counter("fetches_queued") == 0) {
        if (zig_h3_queue_wait(queue, 1) == 1)
            step();
    }
    SAME(zig_h3_response_send(silent, 204, NULL, 0, NULL, 0, ZIG_H3_SEND_FORGET), 0);
    value[0] = 0;
    while (!second->done) {
        const zig_h3_event event = any();
        if (event.type == ZIG_H3_EVENT_REQUEST && event.user_data == HELLO && field(&event, "priority") != NULL)
            snprintf(value, sizeof value, "%s", field(&event, "priority"));
        struct got *got = got_of(event.object);
        if (got != NULL)
            fetch_event(got, &event);
        else if (event.parent == server)
            serve_event(&event);
    }
    SAME(second->status, 200);
    SAME(ended(first)->status, 204);
    return value;
}

static void priorities(void)
{
    client_with("{\"insecure\": true, \"max_connections_per_origin\": 1}");
    const zig_h3_fetch_config config = asking("POST", "/sink", NULL, 0); /* has one of the two streams that the server lets there be */
    sunk = 0;
    struct got *open = start(&config);
    UNTIL(sunk != 0);
    HOLDS(strcmp(sent(7, 1), "u=7, i") == 0);
    HOLDS(strcmp(sent(7, 0), "u=7, i=?0") == 0);
    HOLDS(strcmp(sent(0, 1), "u=0, i") == 0);
    HOLDS(strcmp(sent(0, 0), "u=0, i=?0") == 0);
    zig_h3_client_free(client);
    UNTIL(closed == 1);
    SAME(open->code, ZIG_H3_ERR_SHUTDOWN);
}

int main(void)
{
    serve_routes("{\"max_incoming_streams\": 1, \"webtransport\": {\"max_streams_bidi\": 1}}");
    ages();
    priorities();
    stop();
    return done();
}
