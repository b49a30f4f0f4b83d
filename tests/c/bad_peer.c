/*
 * A peer that gives up what it has asked for (N12), ends and stops streams (N13), or gives credit by the byte or not at all (W24), thousands
 * of times: tests/peers/abuse. It loses what the budgets say, another peer is served throughout, and of everything there is one end and
 * nothing left.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdatomic.h>

#include "expect.h"
#include "peer.h"

/* With a sanitizer a step takes some ten times as long. H3_STRESS=1: as many as behaviours.md has. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SHARE 10
#else
#define SHARE 1
#endif

enum {
    GIVEN_UP = 500 / SHARE, /* things of a kind */
    STREAMS = 2000 / SHARE,
    STRESS = 10000,
    BUDGET = 49,     /* abuse/give_up.go has it, too */
    IN_FLIGHT = 40,  /* streams of ours */
    WRITTEN = 8000,  /* beyond what a session may have: abuse/credit.go */
    RAISES = 20,
    TYPES = 64,
    LIVE = 1 << 10, /* objects at a time, a power of two */
    WAITING = 8
};

enum { ALIVE = 1, AWAIT, HELD, SESSIONS };

static uint64_t seen[TYPES]; /* events by type, but for those of requests that ask for something */
static uint64_t wrong;       /* events about nothing that lives, ends twice, results that are not to be */
static uint64_t excessive;   /* connections that ended with H3_EXCESSIVE_LOAD */
static int32_t session_code; /* of the last SESSION_CLOSED, */
static char session_reason[128];
static uint64_t to_open; /* streams of ours that are still to be opened */

/* What lives: handles, and the route of each request. */
static struct live {
    zig_h3_handle handle;
    uint64_t route;
} live[LIVE];

static struct live *find(zig_h3_handle handle)
{
    for (int i = 0; i < LIVE; i++) {
        if (live[i].handle == handle)
            return &live[i];
    }
    return NULL;
}

static void begin(zig_h3_handle handle, uint64_t route)
{
    struct live *free = find(0);
    if (free == NULL)
        fail("too many objects at a time");
    wrong += find(handle) != NULL;
    *free = (struct live){handle, route};
}

static uint64_t end(zig_h3_handle handle)
{
    struct live *ended = find(handle);
    wrong += ended == NULL;
    uint64_t route = ended == NULL ? 0 : ended->route;
    if (ended != NULL)
        *ended = (struct live){0};
    return route;
}

static void answer(zig_h3_handle request) { MUST(zig_h3_response_send(request, 200, NULL, 0, NULL, 0, 0)); }

/* Requests that are answered once so many events of a type have come. */
static struct {
    zig_h3_handle request;
    unsigned type, count;
} waiting[WAITING];

static void look_at_waiting(void)
{
    for (int i = 0; i < WAITING; i++) {
        if (waiting[i].request != 0 && seen[waiting[i].type] >= waiting[i].count) {
            answer(waiting[i].request);
            waiting[i].request = 0;
        }
    }
}

static void open_streams(zig_h3_handle session, int count)
{
    for (; count > 0 && to_open > 0; count--, to_open--) {
        zig_h3_handle stream;
        MUST(zig_h3_wt_open_stream(session, to_open % 2 ? ZIG_H3_WT_UNIDIRECTIONAL : ZIG_H3_WT_BIDIRECTIONAL, ZIG_H3_WT_OPEN_WAIT, &stream));
        begin(stream, 0);
    }
}

static void path_of(const zig_h3_event *event, char *path, size_t size)
{
    path[0] = 0;
    for (uint32_t at = 0; at + 6 <= event->meta_len;) {
        uint16_t name_len;
        uint32_t value_len;
        memcpy(&name_len, event->meta + at, sizeof name_len);
        memcpy(&value_len, event->meta + at + 2, sizeof value_len);
        const uint8_t *name = event->meta + at + 6;
        if (name_len == 5 && memcmp(name, ":path", 5) == 0 && value_len < size) {
            memcpy(path, name + name_len, value_len);
            path[value_len] = 0;
        }
        at += 6u + name_len + value_len;
    }
}

/* A session by its path: /undecided waits for ever, /opens has streams opened, /writes one that is written to. */
static char session_path[64];

static void hear(const zig_h3_event *event)
{
    char path[64];
    size_t taken;
    zig_h3_handle stream;
    uint64_t route = 0;
    switch (event->type) {
    case ZIG_H3_EVENT_CONN_OPENED:
        begin(event->object, 0);
        break;
    case ZIG_H3_EVENT_CONN_CLOSED:
        end(event->object);
        excessive += event->aux == 0x107;
        break;
    case ZIG_H3_EVENT_REQUEST:
        begin(event->object, route = event->user_data);
        path_of(event, path, sizeof path);
        if (route == ALIVE)
            answer(event->object);
        for (int i = 0; i < WAITING && route == AWAIT; i++) {
            if (waiting[i].request == 0) {
                wrong += sscanf(path, "/await/%u/%u", &waiting[i].type, &waiting[i].count) != 2 || waiting[i].type >= TYPES;
                waiting[i].request = event->object;
                break;
            }
        }
        break;
    case ZIG_H3_EVENT_STREAM_CLOSED:
        route = end(event->object);
        for (int i = 0; i < WAITING; i++) {
            if (waiting[i].request == event->object)
                waiting[i].request = 0;
        }
        break;
    case ZIG_H3_EVENT_SESSION_REQUEST:
        begin(event->object, 0);
        path_of(event, session_path, sizeof session_path);
        if (strcmp(session_path, "/undecided") != 0)
            MUST(zig_h3_wt_accept(event->object, NULL, NULL, 0));
        break;
    case ZIG_H3_EVENT_SESSION_OPENED:
        if (strcmp(session_path, "/opens") == 0)
            open_streams(event->object, IN_FLIGHT);
        if (strcmp(session_path, "/writes") == 0) {
            MUST(zig_h3_wt_open_stream(event->object, ZIG_H3_WT_UNIDIRECTIONAL, 0, &stream));
            begin(stream, 0);
            MUST(zig_h3_wt_stream_write(stream, (const char[WRITTEN]){0}, WRITTEN, &taken));
        }
        break;
    case ZIG_H3_EVENT_SESSION_CLOSED:
        end(event->object);
        session_code = event->code;
        snprintf(session_reason, sizeof session_reason, "%.*s", (int)event->data_len, (const char *)event->data);
        break;
    case ZIG_H3_EVENT_STREAM_OPENED:
        if (event->flags & ZIG_H3_FLAG_REMOTE)
            begin(event->object, 0);
        else
            wrong += find(event->object) == NULL;
        break;
    case ZIG_H3_EVENT_STREAM_ENDED:
        end(event->object);
        if (event->code == 0 || event->code == ZIG_H3_ERR_RESET)
            open_streams(event->parent, 1);
        break;
    case ZIG_H3_EVENT_BODY:
    case ZIG_H3_EVENT_BODY_END:
    case ZIG_H3_EVENT_STREAM_DATA:
    case ZIG_H3_EVENT_STREAM_RESET:
    case ZIG_H3_EVENT_STREAM_STOPPED:
        wrong += find(event->object) == NULL;
        break;
    default:
        break;
    }
    if (event->type < TYPES && route != ALIVE && route != AWAIT)
        seen[event->type]++;
    look_at_waiting();
}

static FILE *peer;
static const char *said;
static _Atomic int peer_has_ended;

static void *listen_to_peer(void *nothing)
{
    said = peer_output(peer);
    atomic_store(&peer_has_ended, 1);
    zig_h3_queue_wake(queue);
    return nothing;
}

static void run(const char *name, int n, const char *options, const char *says)
{
    char arguments[64];
    pthread_t thread;
    zig_h3_event event;
    int failed_before = failed;

    memset(seen, 0, sizeof seen);
    wrong = excessive = 0;
    session_code = 0;
    serve_with(options);
    MUST(zig_h3_server_route(server, "GET", "/alive", 0, ALIVE, NULL));
    MUST(zig_h3_server_route(server, "GET", "/await/:type/:count", 0, AWAIT, NULL));
    MUST(zig_h3_server_route(server, "POST", "/held", 0, HELD, NULL));
    MUST(zig_h3_server_route(server, NULL, "/*", ZIG_H3_ROUTE_WEBTRANSPORT, SESSIONS, NULL));
    MUST(zig_h3_server_start(server));
    MUST(zig_h3_server_port(server, &port));
    snprintf(arguments, sizeof arguments, "%u %s %d", (unsigned)port, name, n);
    atomic_store(&peer_has_ended, 0);
    peer = peer_run("abuse", arguments);
    pthread_create(&thread, NULL, listen_to_peer, NULL);
    while (!atomic_load(&peer_has_ended)) {
        MUST(zig_h3_queue_wait(queue, -1));
        while (zig_h3_next_event(queue, &event) == 1)
            hear(&event);
    }
    pthread_join(thread, NULL);
    if (!HOLDS(strcmp(said, says) == 0))
        printf("    the peer says %s", said);

    SAME(zig_h3_server_stop(server, 0), 0);
    do {
        event = any();
        hear(&event);
    } while (event.type != ZIG_H3_EVENT_SERVER_STOPPED);
    SAME(wrong, 0);
    for (int i = 0; i < LIVE; i++)
        wrong += live[i].handle != 0;
    SAME(wrong, 0);
    memset(live, 0, sizeof live);
    SAME(counter("connections_active"), 0);
    SAME(counter("requests_active"), 0);
    SAME(counter("sessions_active"), 0);
    SAME(counter("session_streams_active"), 0);
    SAME(zig_h3_server_free(server), 0);
    SAME(zig_h3_queue_free(queue), 0);
    if (failed != failed_before)
        printf("    in %s\n", name);
}

/* N12: each of the connections dies of the one thing more than its budget. */
static void given_up(int n)
{
    static const char *const kinds[] = {"broken-requests", "reset-requests", "undecided-sessions", "ended-sessions", "reset-streams"};
    char says[64];
    const int connections = n / (BUDGET + 1);
    snprintf(says, sizeof says, "closed %d\n", connections);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        run(kinds[i], n, "{\"reset_budget\": 49}", says);
        SAME(excessive, connections);
    }
}

/* N13: the peer can open more, and so can we. */
static void streams(int n)
{
    char says[64];
    snprintf(says, sizeof says, "ended %d\n", 2 * n);
    run("own-streams", n, "{\"reset_budget\": 1000000}", says);
    SAME(seen[ZIG_H3_EVENT_STREAM_ENDED], 2 * n);
    to_open = (uint64_t)n;
    snprintf(says, sizeof says, "stopped %d\n", n);
    run("their-streams", n, "{\"reset_budget\": 1000000}", says);
    SAME(seen[ZIG_H3_EVENT_STREAM_STOPPED], n);
    SAME(seen[ZIG_H3_EVENT_STREAM_ENDED], n);
}

/* W24: that session ends; its connection and everybody else go on. */
static void credit(void)
{
    char says[64];
    run("no-capsules", 0, "{\"webtransport\": {\"capsule_timeout_ms\": 300, \"max_streams_uni\": 4}}", "ended\n");
    SAME(session_code, ZIG_H3_ERR_PROTOCOL);
    HOLDS(strcmp(session_reason, "the peer takes no capsules") == 0);
    snprintf(says, sizeof says, "taken %d\n", RAISES);
    run("a-byte-at-a-time", 1000, "{\"webtransport\": {\"capsule_budget\": 20}}", says);
    SAME(seen[ZIG_H3_EVENT_SESSION_CLOSED], 2);
}

int main(void)
{
    const int stress = getenv("H3_STRESS") != NULL;
    peer_build("abuse");
    given_up(stress ? STRESS / SHARE : GIVEN_UP);
    streams(stress ? STRESS / SHARE : STREAMS);
    credit();
    return done();
}
