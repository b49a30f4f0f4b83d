/*
 * A08: a consumer that looks away while 50,000 datagrams come, and uploads, and connections that open and close. What it has no room for
 * of the datagrams is dropped, and told to the one; nothing else is lost; memory does not follow what comes.
 */
#define _POSIX_C_SOURCE 200809L
#include "expect.h"
#include "peer.h"

enum { BURSTS = 5, DATAGRAMS = 50000, UPLOADS = 8, LENGTH = 300000, GROWTH = 16 << 20 };

static struct upload {
    zig_h3_handle request;
    uint64_t came;
} uploads[UPLOADS];

static uint64_t opened, closed, requests, whole, ended, datagrams, lost, wrong;

static long resident(void)
{
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm == NULL || fscanf(statm, "%*d %ld", &pages) != 1)
        fail("/proc/self/statm");
    fclose(statm);
    return pages * sysconf(_SC_PAGESIZE);
}

static void hear(const zig_h3_event *event)
{
    struct upload *upload = uploads;
    switch (event->type) {
    case ZIG_H3_EVENT_CONN_OPENED:
        opened++;
        return;
    case ZIG_H3_EVENT_CONN_CLOSED:
        closed++;
        return;
    case ZIG_H3_EVENT_QUIC_DATAGRAM:
        datagrams++;
        return;
    case ZIG_H3_EVENT_LOST:
        if (event->status == ZIG_H3_EVENT_QUIC_DATAGRAM)
            lost += event->aux;
        else
            wrong++;
        return;
    case ZIG_H3_EVENT_REQUEST:
        uploads[requests++].request = event->object;
        return;
    case ZIG_H3_EVENT_SERVER_STARTED:
    case ZIG_H3_EVENT_LOG:
        return;
    }
    while (upload->request != event->object && upload < uploads + UPLOADS - 1)
        upload++;
    wrong += upload->request != event->object;
    switch (event->type) {
    case ZIG_H3_EVENT_BODY:
        wrong += event->aux != upload->came;
        upload->came += event->data_len;
        wrong += zig_h3_request_consumed(event->object, event->data_len) != 0;
        break;
    case ZIG_H3_EVENT_BODY_END:
        whole += event->aux == LENGTH && upload->came == LENGTH;
        wrong += zig_h3_response_send(event->object, 200, NULL, 0, "taken", 5, 0) != 0;
        break;
    case ZIG_H3_EVENT_STREAM_CLOSED:
        ended += event->code == 0;
        break;
    default:
        wrong++;
    }
}

/* Looks away while so many datagrams come, and then hears of everything. Returns by how much the process grew meanwhile. */
static long look_away(int count)
{
    FILE *bursts[BURSTS], *posts[UPLOADS];
    char request[40], sent[40];
    const long before = resident();
    memset(uploads, 0, sizeof uploads);
    opened = closed = requests = whole = ended = 0;
    snprintf(request, sizeof request, "POST / %d", LENGTH);
    for (int i = 0; i < UPLOADS; i++)
        posts[i] = peer_start(port, request);
    snprintf(request, sizeof request, "datagrams burst %d", count / BURSTS);
    snprintf(sent, sizeof sent, "sent %d\n", count / BURSTS);
    for (int i = 0; i < BURSTS; i++)
        bursts[i] = peer_start(port, request);
    for (int i = 0; i < BURSTS; i++) /* which come and go with nobody looking */
        HOLDS(strcmp(peer_output(bursts[i]), sent) == 0);
    const long growth = resident() - before;

    while (closed < BURSTS + UPLOADS || lost < counter("datagrams_dropped_queue_full")) {
        zig_h3_event event = any();
        hear(&event);
    }
    for (int i = 0; i < UPLOADS; i++)
        HOLDS(strstr(peer_output(posts[i]), "body 5 taken\n") != NULL);
    SAME(opened, BURSTS + UPLOADS);
    SAME(requests, UPLOADS);
    SAME(whole, UPLOADS);
    SAME(ended, UPLOADS);
    return growth;
}

int main(void)
{
    serve_with("{\"quic_datagrams\":true,\"receive_window\":65536,\"idle_timeout_ms\":10000}");
    MUST(zig_h3_server_route(server, NULL, "/*", 0, 0, NULL));
    MUST(zig_h3_server_start(server));
    MUST(zig_h3_server_port(server, &port));
    peer_build("h3go");
    look_away(DATAGRAMS / 10); /* what follows is growth and no first use */
    const long growth = look_away(DATAGRAMS);
    SAME(wrong, 0);
    SAME(datagrams, counter("datagrams_delivered"));
    SAME(lost, counter("datagrams_dropped_queue_full"));
    SAME(datagrams + lost + counter("datagrams_dropped_internal") + counter("datagrams_dropped_unknown"), counter("datagrams_in"));
    HOLDS(lost > 0);
    printf("%llu datagrams came, %llu of them were dropped for want of room, the process grew by %.1f MiB\n",
           (unsigned long long)counter("datagrams_in"), (unsigned long long)lost, (double)growth / (1 << 20));
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__) /* which keep books of their own on all memory */
    HOLDS(growth < GROWTH);
#endif
    stop();
    return done();
}
