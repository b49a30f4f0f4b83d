/*
 * Calls that come faster than the engine takes them: credit for two uploads, a byte a call, from two threads, fills the submission ring
 * again and again, while this thread writes, stops and resets. What found no room there is lost no more than what did: both uploads come
 * whole, though the window is so small against them that either would stand still if a hundredth of its credit were lost, each write
 * that was refused is told of once, and each request ends.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "expect.h"
#include "peer.h"

/* With a sanitizer a call takes some ten times as long: fewer of them, or the peers have waited long enough before all is done. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SHARE 16
#else
#define SHARE 1
#endif

enum { UPLOADS = 2, LENGTH = (8 << 20) / SHARE, WINDOW = (64 << 10), GIVEN_UP = 6 };

struct upload {
    zig_h3_handle request;
    uint64_t came;
    _Atomic uint64_t due; /* of it, to be declared consumed */
    pthread_t thread;
};

static struct upload uploads[UPLOADS];
static _Atomic int over;
static _Atomic uint64_t wrong; /* results and events that are not to be */

static void *consume(void *argument)
{
    struct upload *upload = argument;
    while (!atomic_load(&over)) {
        uint64_t n = atomic_exchange(&upload->due, 0);
        if (n == 0)
            sched_yield();
        for (; n > 0; n--) {
            if (zig_h3_request_consumed(upload->request, 1) != 0)
                atomic_fetch_add(&wrong, 1);
        }
    }
    return NULL;
}

static zig_h3_handle given_up[GIVEN_UP];
static int asked, reset, gone, ended, may_write;
static uint64_t written, refused, writable;

static void hear(const zig_h3_event *event)
{
    struct upload *upload = &uploads[event->user_data];
    switch (event->type) {
    case ZIG_H3_EVENT_REQUEST:
        if (event->user_data == UPLOADS) {
            given_up[asked++] = event->object;
            break;
        }
        upload->request = event->object;
        may_write |= event->user_data == 0;
        pthread_create(&upload->thread, NULL, consume, upload);
        break;
    case ZIG_H3_EVENT_BODY:
        wrong += event->aux != upload->came;
        upload->came += event->data_len;
        atomic_fetch_add(&upload->due, event->data_len);
        break;
    case ZIG_H3_EVENT_BODY_END:
        if (event->user_data == UPLOADS)
            break; /* whether the end of a request without a body travels with its headers is the network's affair */
        SAME(event->aux, LENGTH);
        ended++;
        break;
    case ZIG_H3_EVENT_WRITABLE:
        wrong += event->object != uploads[0].request || may_write;
        writable++;
        may_write = 1;
        break;
    case ZIG_H3_EVENT_STREAM_CLOSED:
        wrong += event->code != ZIG_H3_ERR_CANCELLED;
        gone++;
        break;
    default:
        wrong++;
    }
}

static void give_up(void)
{
    wrong += zig_h3_request_stop(given_up[reset]) != 0;
    wrong += zig_h3_response_reset(given_up[reset++], 0x10c) != 0;
}

/* Writes a byte, and where that is refused gives a request up: just when there is no room. */
static void write_some(void)
{
    for (int tries = 0; tries < 100 / SHARE && may_write; tries++) {
        size_t taken;
        int32_t result = zig_h3_response_write(uploads[0].request, "x", 1, &taken);
        written += taken;
        if (result == 0)
            continue;
        wrong += result != ZIG_H3_ERR_WOULD_BLOCK;
        refused++;
        may_write = 0;
        if (reset < asked)
            give_up();
    }
}

int main(void)
{
    FILE *peers[UPLOADS], *others[GIVEN_UP];
    char options[160], request[32];
    snprintf(options, sizeof options, "{\"receive_window\":%d,\"stream_receive_window\":%d,\"connection_receive_window\":%d}", WINDOW, WINDOW,
             WINDOW);
    serve_with(options);
    MUST(zig_h3_server_route(server, NULL, "/0", 0, 0, NULL));
    MUST(zig_h3_server_route(server, NULL, "/1", 0, 1, NULL));
    MUST(zig_h3_server_route(server, NULL, "/give-up", 0, UPLOADS, NULL));
    MUST(zig_h3_server_start(server));
    MUST(zig_h3_server_port(server, &port));
    peer_build("h3go");
    for (int i = 0; i < GIVEN_UP; i++)
        others[i] = peer_start(port, "GET /give-up");
    for (int i = 0; i < UPLOADS; i++) {
        snprintf(request, sizeof request, "POST /%d %d", i, LENGTH);
        peers[i] = peer_start(port, request);
    }
    while (ended < UPLOADS || gone < GIVEN_UP || !may_write) {
        zig_h3_event event = next();
        hear(&event);
        write_some();
        while (ended == UPLOADS && reset < asked) /* it was not full as often as that */
            give_up();
    }
    for (int i = 0; i < UPLOADS; i++) {
        while (atomic_load(&uploads[i].due) > 0)
            sched_yield();
    }
    atomic_store(&over, 1);
    for (int i = 0; i < UPLOADS; i++) {
        pthread_join(uploads[i].thread, NULL);
        SAME(uploads[i].came, LENGTH);
        int32_t result;
        while ((result = zig_h3_response_end(uploads[i].request, NULL, 0)) == ZIG_H3_ERR_WOULD_BLOCK)
            sched_yield();
        SAME(result, 0);
    }
    SAME(wrong, 0);
    SAME(writable, refused);
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__) /* with those the calls are the slower side */
    HOLDS(refused > 0);
#endif
    printf("%llu of %llu writes were refused\n", (unsigned long long)refused, (unsigned long long)(refused + written));
    for (int i = 0; i < UPLOADS; i++) {
        char want[64];
        snprintf(want, sizeof want, "body %llu ", (unsigned long long)(i == 0 ? written : 0));
        const char *output = peer_output(peers[i]);
        if (!HOLDS(strstr(output, "status 200\n") != NULL && strstr(output, want) != NULL))
            printf("    %s, not %s\n", output, want);
    }
    for (int i = 0; i < GIVEN_UP; i++)
        HOLDS(strstr(peer_output(others[i]), "error H3_REQUEST_CANCELLED true\n") != NULL);
    stop();
    return done();
}
