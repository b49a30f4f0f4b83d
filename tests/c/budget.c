/*
 * N15: many readers that read nothing. What waits of all their responses together is bounded by the option max_queued_response_bytes, and
 * by 16 KiB of each beyond it; all of it comes once they read, and nothing stays in the account, also of those that go instead.
 */
#define _POSIX_C_SOURCE 200809L
#include "expect.h"
#include "peer.h"

enum {
    READERS = 200,
    LENGTH = 256 << 10, /* of each response */
    BUDGET = 1 << 20,
    FLOOR = 16 << 10,
    WINDOW = 32 << 10 /* of which QUIC takes so much (h3go/readers.go) */
};

enum { HELD = 1, GO, ONE };

static uint8_t pattern[LENGTH];

static struct reader {
    zig_h3_handle request;
    size_t sent;
} readers[READERS];

static int held, ended;
static uint64_t taken_of_all;

/* The next event of a response; whether a request's end travels with its headers is the network's affair. */
static zig_h3_event hear(void)
{
    zig_h3_event event;
    do {
        event = next();
    } while (event.type == ZIG_H3_EVENT_BODY_END);
    return event;
}

static zig_h3_handle hear_of(uint16_t type)
{
    const zig_h3_event event = hear();
    SAME(event.type, type);
    return event.object;
}

static void give(struct reader *reader)
{
    if (reader->sent == LENGTH) /* there was room again before the event that says so was read */
        return;
    while (reader->sent < LENGTH) {
        size_t taken;
        int32_t result = zig_h3_response_write(reader->request, pattern + reader->sent, LENGTH - reader->sent, &taken);
        if (result == ZIG_H3_ERR_WOULD_BLOCK || result == ZIG_H3_ERR_STALE_HANDLE)
            return;
        MUST(result);
        reader->sent += taken;
        taken_of_all += taken;
    }
    int32_t result = zig_h3_response_end(reader->request, NULL, 0);
    if (result != ZIG_H3_ERR_STALE_HANDLE) /* it may have gone */
        MUST(result);
}

/* Serves until a request for /go comes, or with go, which is one, until all readers have ended. */
static zig_h3_handle serve(zig_h3_handle go)
{
    if (go != 0)
        MUST(zig_h3_response_send(go, 200, NULL, 0, "go", 2, ZIG_H3_SEND_FORGET));
    while (go == 0 || ended < held) {
        const zig_h3_event event = hear();
        struct reader *reader = readers;
        if (event.type == ZIG_H3_EVENT_REQUEST && event.user_data == GO)
            return event.object;
        if (event.type == ZIG_H3_EVENT_REQUEST) {
            readers[held] = (struct reader){.request = event.object};
            give(&readers[held++]);
            continue;
        }
        while (reader->request != event.object && reader < readers + held - 1)
            reader++;
        if (event.type == ZIG_H3_EVENT_WRITABLE)
            give(reader);
        else
            ended += event.type == ZIG_H3_EVENT_STREAM_CLOSED;
    }
    return 0;
}

static void burst(const char *then, const char *says)
{
    char request[40];
    held = ended = 0;
    taken_of_all = 0;
    snprintf(request, sizeof request, "readers %d %s", READERS, then);
    FILE *peer = peer_start(port, request);
    const zig_h3_handle go = serve(0);
    SAME(held, READERS);
    HOLDS(taken_of_all > BUDGET);
    HOLDS(taken_of_all <= BUDGET + (uint64_t)READERS * (FLOOR + WINDOW));
    serve(go);
    if (!HOLDS(strcmp(peer_output(peer), says) == 0))
        printf("    the peer says something else than %s", says);
    SAME(ended, READERS);
}

/* A body that fills the account to the brim, which is empty: then what comes whole has to be small. */
static void brim(void)
{
    static uint8_t large[BUDGET];
    FILE *held_back = peer_start(port, "readers 1 quit"), *refused;
    const zig_h3_handle request = hear_of(ZIG_H3_EVENT_REQUEST);
    size_t taken;
    SAME(zig_h3_response_write(request, large, sizeof large, &taken), 0);
    SAME(taken, BUDGET);
    SAME(zig_h3_response_write(request, large, 1, &taken), ZIG_H3_ERR_WOULD_BLOCK);
    const zig_h3_handle go = hear_of(ZIG_H3_EVENT_REQUEST);

    refused = peer_start(port, "GET /one");
    const zig_h3_handle one = hear_of(ZIG_H3_EVENT_REQUEST);
    SAME(zig_h3_response_send(one, 200, NULL, 0, large, FLOOR + 1, 0), ZIG_H3_ERR_WOULD_BLOCK);
    HOLDS(strstr(zig_h3_last_error(), "max_queued_response_bytes") != NULL);
    SAME(zig_h3_response_end(one, large, FLOOR + 1), ZIG_H3_ERR_WOULD_BLOCK);
    SAME(zig_h3_response_write(one, large, 3 * FLOOR, &taken), 0); /* in parts it goes on */
    SAME(taken, FLOOR);
    SAME(hear_of(ZIG_H3_EVENT_WRITABLE), one);
    SAME(zig_h3_response_end(one, large, FLOOR), 0); /* small enough */
    SAME(hear_of(ZIG_H3_EVENT_STREAM_CLOSED), one);
    HOLDS(strstr(peer_output(refused), "body 32768 ") != NULL);

    SAME(zig_h3_response_send(go, 200, NULL, 0, NULL, 0, ZIG_H3_SEND_FORGET), 0);
    SAME(hear_of(ZIG_H3_EVENT_STREAM_CLOSED), request); /* the peer goes, and its room with it */
    peer_output(held_back);
}

/* Bodies that are given whole count as well, and may be larger than all the room that there is. */
static void whole(void)
{
    static uint8_t large[2 * BUDGET];
    for (int ends = 0; ends < 2; ends++) {
        FILE *held_back = peer_start(port, "readers 1 quit");
        const zig_h3_handle request = hear_of(ZIG_H3_EVENT_REQUEST);
        SAME(ends ? zig_h3_response_end(request, large, sizeof large) : zig_h3_response_send(request, 200, NULL, 0, large, sizeof large, 0), 0);
        const zig_h3_handle go = hear_of(ZIG_H3_EVENT_REQUEST);
        SAME(zig_h3_response_send(go, 200, NULL, 0, large, FLOOR + 1, ZIG_H3_SEND_FORGET), ZIG_H3_ERR_WOULD_BLOCK);
        SAME(zig_h3_response_send(go, 200, NULL, 0, large, FLOOR, ZIG_H3_SEND_FORGET), 0);
        SAME(hear_of(ZIG_H3_EVENT_STREAM_CLOSED), request);
        peer_output(held_back);
    }
}

/* What is refused for the room that others fill, and has nothing on its way itself, hears of it when that room is there. */
static void waits(void)
{
    enum { WAITING = 3 };
    static uint8_t large[BUDGET];
    FILE *held_back = peer_start(port, "readers 1 quit"), *waiting[WAITING];
    zig_h3_handle asked[WAITING];
    const zig_h3_handle request = hear_of(ZIG_H3_EVENT_REQUEST);
    size_t taken;
    int told = 0;
    SAME(zig_h3_response_write(request, large, sizeof large, &taken), 0);
    const zig_h3_handle go = hear_of(ZIG_H3_EVENT_REQUEST);
    for (int i = 0; i < WAITING; i++) {
        waiting[i] = peer_start(port, "GET /one");
        asked[i] = hear_of(ZIG_H3_EVENT_REQUEST);
        SAME(zig_h3_response_send(asked[i], 200, NULL, 0, large, FLOOR + 1, 0), ZIG_H3_ERR_WOULD_BLOCK);
        SAME(zig_h3_response_end(asked[i], large, FLOOR + 1), ZIG_H3_ERR_WOULD_BLOCK); /* one WRITABLE for both */
    }
    SAME(zig_h3_response_reset(asked[0], 0x10c), 0); /* it waits no more */
    SAME(hear_of(ZIG_H3_EVENT_STREAM_CLOSED), asked[0]);
    SAME(zig_h3_response_send(go, 200, NULL, 0, NULL, 0, ZIG_H3_SEND_FORGET), 0);
    SAME(hear_of(ZIG_H3_EVENT_STREAM_CLOSED), request);
    while (told < 2) {
        const zig_h3_event event = hear();
        if (event.type == ZIG_H3_EVENT_STREAM_CLOSED)
            continue; /* of the first one that was told */
        SAME(event.type, ZIG_H3_EVENT_WRITABLE);
        HOLDS(event.object == asked[1] || event.object == asked[2]);
        SAME(zig_h3_response_send(event.object, 200, NULL, 0, large, FLOOR + 1, ZIG_H3_SEND_FORGET), 0);
        told++;
    }
    HOLDS(strstr(peer_output(waiting[0]), "error H3_REQUEST_CANCELLED true\n") != NULL);
    for (int i = 1; i < WAITING; i++)
        HOLDS(strstr(peer_output(waiting[i]), "body 16385 ") != NULL);
    peer_output(held_back);
}

int main(void)
{
    peer_build("h3go");
    for (size_t k = 0; k < LENGTH; k++)
        pattern[k] = (uint8_t)(k % 251);
    serve_with("{\"max_queued_response_bytes\": 1048576}");
    MUST(zig_h3_server_route(server, "GET", "/held", 0, HELD, NULL));
    MUST(zig_h3_server_route(server, "GET", "/go", 0, GO, NULL));
    MUST(zig_h3_server_route(server, "GET", "/one", 0, ONE, NULL));
    MUST(zig_h3_server_start(server));
    MUST(zig_h3_server_port(server, &port));
    brim();
    burst("read", "read 200 of 262144\n");
    burst("read", "read 200 of 262144\n");
    brim();
    burst("quit", "");
    brim();
    whole();
    brim();
    waits();
    brim();
    stop();
    return done();
}
