/*
 * Raw QUIC datagrams and those of requests, from C: what each call does and refuses, and what a client that is not ours sees of it.
 * Those of sessions are in webtransport.c.
 */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "expect.h"
#include "peer.h"

enum { OUTGOING = 8, ROUTE = 77 };

static void says(FILE *peer, const char *what)
{
    const char *output = peer_output(peer);
    if (!HOLDS(strstr(output, what) != NULL))
        printf("    no \"%s\" in: %s\n", what, output);
}

/* Waits until the library has done what it does behind the calls; a counter tells. */
static void reaches(const char *name, uint64_t value)
{
    for (int i = 0; i < 1000 && counter(name) < value; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    SAME(counter(name), value);
}

/* Says goodbye until the peer acts on it: what went before may have made it drop some. Gives the event that shows it. */
static zig_h3_event bye(int32_t (*send)(zig_h3_handle, const void *, size_t, uint32_t, uint32_t), zig_h3_handle object, uint16_t type)
{
    zig_h3_event event;
    for (int i = 0; i < 400; i++) {
        send(object, "bye", 3, 0, 0);
        while (zig_h3_next_event(queue, &event) == 1) {
            if (event.type == type)
                return event;
        }
        zig_h3_queue_wait(queue, 50);
    }
    fail("the peer does not go");
    return event;
}

/* Echoes one datagram. */
static void echo(int32_t (*send)(zig_h3_handle, const void *, size_t, uint32_t, uint32_t), const zig_h3_event *event)
{
    int32_t code;
    while ((code = send(event->object, event->data, event->data_len, 0, 0)) == ZIG_H3_ERR_QUEUE_FULL) {
    }
    SAME(code, 0);
}

/* What every kind of datagram is refused for, and a burst, after so many were sent: of many each is taken or told of, and those taken
 * are those sent. */
static void limits(int32_t (*send)(zig_h3_handle, const void *, size_t, uint32_t, uint32_t), zig_h3_handle object, uint64_t before)
{
    enum { BURST = 2000 };
    static const char big[65536];
    SAME(send(object, big, 65535, 0, 0), ZIG_H3_ERR_DATAGRAM_TOO_LARGE);
    HOLDS(strstr(zig_h3_last_error(), "the limit is ") != NULL);
    SAME(send(object, big, 65536, 0, 0), ZIG_H3_ERR_DATAGRAM_TOO_LARGE);
    SAME(send(object, big, 1500, 0, 0), ZIG_H3_ERR_DATAGRAM_TOO_LARGE);
    SAME(send(object, NULL, 1, 0, 0), ZIG_H3_ERR_INVALID_ARGUMENT);

    uint64_t taken = 0, full = 0;
    reaches("datagrams_out", before);
    for (int i = 0; i < BURST; i++) {
        int32_t code = send(object, "burst", 5, 0, ZIG_H3_SEND_LATER);
        taken += code == 0;
        full += code == ZIG_H3_ERR_QUEUE_FULL;
    }
    SAME(zig_h3_flush(), 0);
    SAME(taken + full, BURST);
    HOLDS(taken >= OUTGOING);
    reaches("datagrams_out", before + taken);
    /* All places are back: as many as before are taken at once. */
    struct {
        zig_h3_datagram head;
        char payload[8];
    } list[OUTGOING + 1] = {0};
    for (int i = 0; i <= OUTGOING; i++)
        list[i].head = (zig_h3_datagram){.object = object, .len = 1};
    list[OUTGOING].head.object = queue;
    SAME(zig_h3_send_datagrams(list, sizeof list, 0), OUTGOING);
    for (int i = 0; i < OUTGOING; i++)
        SAME(list[i].head.result, 0);
    SAME(list[OUTGOING].head.result, ZIG_H3_ERR_WRONG_KIND);
    reaches("datagrams_out", before + taken + OUTGOING);
}

static zig_h3_handle opened(void)
{
    zig_h3_event event;
    do
        event = any();
    while (event.type != ZIG_H3_EVENT_CONN_OPENED);
    return event.object;
}

/* D01, D04, D06. */
static void raw(void)
{
    enum { COUNT = 100 };
    serve_with("{\"quic_datagrams\": true, \"datagrams\": {\"outgoing\": 8}}");
    MUST(zig_h3_server_start(server));
    MUST(zig_h3_server_port(server, &port));
    FILE *peer = peer_start(port, "datagrams raw 100");
    zig_h3_handle conn = opened();
    for (uint32_t i = 0; i < COUNT; i++) {
        zig_h3_event event = EXPECT(ZIG_H3_EVENT_QUIC_DATAGRAM);
        SAME(event.object, conn);
        SAME(event.data_len, i);
        HOLDS(event.aux != 0 && (i == 0 || event.data[i - 1] == i - 1));
        echo(zig_h3_server_send_quic_datagram, &event);
    }
    limits(zig_h3_server_send_quic_datagram, conn, COUNT);
    SAME(zig_h3_response_send_h3_datagram(conn, "x", 1, 0, 0), ZIG_H3_ERR_WRONG_KIND);
    SAME(bye(zig_h3_server_send_quic_datagram, conn, ZIG_H3_EVENT_CONN_CLOSED).object, conn);
    says(peer, "echoes 100\nbye\n");
    SAME(zig_h3_server_send_quic_datagram(conn, "x", 1, 0, 0), ZIG_H3_ERR_STALE_HANDLE);
    stop();
}

/* D05: a server without the option neither takes nor sends them. */
static void off(void)
{
    serve_with("{}");
    MUST(zig_h3_server_route(server, "GET", "/", 0, 0, NULL));
    MUST(zig_h3_server_start(server));
    MUST(zig_h3_server_port(server, &port));
    FILE *peer = peer_start(port, "GET /");
    zig_h3_handle conn = opened(), request = EXPECT(ZIG_H3_EVENT_REQUEST).object;
    SAME(zig_h3_server_send_quic_datagram(conn, "x", 1, 0, 0), ZIG_H3_ERR_NOT_NEGOTIATED);
    SAME(zig_h3_response_send_h3_datagram(request, "x", 1, 0, 0), ZIG_H3_ERR_NOT_NEGOTIATED);
    SAME(zig_h3_response_end(request, NULL, 0), 0);
    says(peer, "status 200");
    stop();
}

/* H01, H03, H05. */
static void of_requests(void)
{
    enum { COUNT = 100, LARGE = 4 << 20 };
    serve_with("{\"datagrams\": {\"outgoing\": 8}}");
    uint32_t route = 0;
    MUST(zig_h3_server_route(server, "POST", "/datagrams", ZIG_H3_ROUTE_DATAGRAM, ROUTE, &route));
    MUST(zig_h3_server_route(server, "POST", "/none", 0, 0, NULL));
    MUST(zig_h3_server_start(server));
    MUST(zig_h3_server_port(server, &port));
    FILE *peer = peer_start(port, "datagrams /datagrams 100");
    zig_h3_event event = EXPECT(ZIG_H3_EVENT_REQUEST);
    zig_h3_handle request = event.object, conn = event.conn;
    SAME(event.user_data, ROUTE);
    SAME(event.aux % 4, 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        event = EXPECT(ZIG_H3_EVENT_H3_DATAGRAM);
        SAME(event.object, request);
        SAME(event.status, route);
        SAME(event.data_len, i);
        echo(zig_h3_response_send_h3_datagram, &event);
    }
    limits(zig_h3_response_send_h3_datagram, request, COUNT);
    SAME(zig_h3_server_send_quic_datagram(request, "x", 1, 0, 0), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_server_send_quic_datagram(conn, "x", 1, 0, 0), ZIG_H3_ERR_NOT_NEGOTIATED);
    SAME(bye(zig_h3_response_send_h3_datagram, request, ZIG_H3_EVENT_BODY_END).object, request);
    char *large = calloc(1, LARGE);
    SAME(zig_h3_response_end(request, large, LARGE), 0);
    SAME(zig_h3_response_send_h3_datagram(request, "x", 1, 0, 0), ZIG_H3_ERR_ENDED);
    free(large);
    EXPECT(ZIG_H3_EVENT_STREAM_CLOSED);
    SAME(zig_h3_response_send_h3_datagram(request, "x", 1, 0, 0), ZIG_H3_ERR_STALE_HANDLE);
    says(peer, "echoes 100\nbye\nstatus 200\n");

    /* A route that does not take them: what came for it is counted, the request goes on. */
    uint64_t unknown = counter("datagrams_dropped_unknown");
    peer = peer_start(port, "datagrams /none 1");
    request = EXPECT(ZIG_H3_EVENT_REQUEST).object;
    SAME(zig_h3_response_send_h3_datagram(request, "x", 1, 0, 0), ZIG_H3_ERR_NOT_NEGOTIATED);
    reaches("datagrams_dropped_unknown", unknown + 1);
    SAME(zig_h3_response_reset(request, 0x10c), 0);
    SAME(EXPECT(ZIG_H3_EVENT_STREAM_CLOSED).code, ZIG_H3_ERR_CANCELLED);
    says(peer, "error");
    stop();
}

int main(void)
{
    peer_build("h3go");
    raw();
    off();
    of_requests();
    return done();
}
