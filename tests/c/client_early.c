/* A client, from C: what goes out as early data (0-RTT), and what says so. The server is one of other make that takes it, in a process of its own. */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <time.h>

#include "asked.h"
#include "peer_server.h"

/* What tests/peers/odd is to answer: [{"head": [[":status", "200"]]}, {"data": "well"}, {"fin": true}], in base64url; the same without a body. */
#define WELL "/W3siaGVhZCI6W1siOnN0YXR1cyIsIjIwMCJdXX0seyJkYXRhIjoid2VsbCJ9LHsiZmluIjp0cnVlfV0"
#define HEAD_ALONE "/W3siaGVhZCI6W1siOnN0YXR1cyIsIjIwMCJdXX0seyJmaW4iOnRydWV9XQ"

static void client_anew(const char *more)
{
    char options[PATH_MAX + 256];
    snprintf(options, sizeof options, "{\"roots_path\": \"%s/build/tests/odd.pem\", \"idle_connection_ms\": 0%s}", root(), more);
    client_with(options);
}

/* Asks by a connection of its own; the flags of its RESPONSE. */
static uint16_t asks(const char *method, const char *body, uint32_t flags)
{
    const int is_head = strcmp(method, "HEAD") == 0;
    UNTIL(conns == 0); /* the one before is closed once nothing of it is left */
    const zig_h3_fetch_config config = asking(method, is_head ? HEAD_ALONE : WELL, body, flags);
    struct got *got = start(&config);
    uint16_t of_response = 0;
    while (!got->done) {
        const zig_h3_event event = step();
        if (event.object == got->handle && event.type == ZIG_H3_EVENT_RESPONSE)
            of_response = event.flags;
        if (event.object == got->handle && event.type != ZIG_H3_EVENT_RESPONSE)
            SAME(event.flags & ZIG_H3_FLAG_EARLY, 0);
    }
    SAME(got->code, 0);
    SAME(got->status, 200);
    HOLDS(strcmp(got->text, is_head ? "" : "well") == 0);
    return of_response & ZIG_H3_FLAG_EARLY;
}

int main(void)
{
    MUST(zig_h3_queue_new(NULL, &queue));
    peer_serve("odd");
    client_anew(", \"early_data\": true");
    SAME(asks("GET", NULL, ZIG_H3_FETCH_END), 0); /* who is not known gives a ticket */
    SAME(client_counter("fetches_early"), 0);
    SAME(asks("GET", NULL, ZIG_H3_FETCH_END), ZIG_H3_FLAG_EARLY);
    SAME(asks("HEAD", NULL, ZIG_H3_FETCH_END), ZIG_H3_FLAG_EARLY);
    SAME(asks("OPTIONS", NULL, ZIG_H3_FETCH_END), ZIG_H3_FLAG_EARLY);
    SAME(client_counter("fetches_early"), 3);
    SAME(asks("POST", "x", ZIG_H3_FETCH_END), 0);
    SAME(asks("POST", NULL, ZIG_H3_FETCH_END), 0);
    SAME(asks("DELETE", NULL, ZIG_H3_FETCH_END), 0);
    SAME(asks("GET", "x", ZIG_H3_FETCH_END), 0);
    SAME(client_counter("fetches_early"), 3);
    zig_h3_client_free(client);
    UNTIL(closed == 1);

    client_anew(""); /* which nobody has told that it does no harm */
    SAME(asks("GET", NULL, ZIG_H3_FETCH_END), 0);
    SAME(asks("GET", NULL, ZIG_H3_FETCH_END), 0);
    SAME(client_counter("fetches_early"), 0);
    zig_h3_client_free(client);
    UNTIL(closed == 1);
    SAME(kill(peer_id, SIGKILL), 0);
    pclose(peer);
    SAME(zig_h3_queue_free(queue), 0);
    return done();
}
