/*
 * A14, of a client: each of its calls that may find no room, and each call of its sessions and streams, with a library that finds none three of
 * four times. The server is of other make, in a process of its own, so that nothing is refused but what is asked for here.
 */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>

#include "peer_server.h"
#include "taken.h"

enum { TIMES = 20 };

static zig_h3_handle client;
static uint64_t came;         /* bytes of bodies and streams */
static zig_h3_handle opened;  /* the session that was opened last */

/* The next event of this type of this object. What comes before it is counted, and gets its credit, which is never refused. */
static zig_h3_event until(uint16_t type, zig_h3_handle object)
{
    for (;;) {
        const zig_h3_event event = first_kept < last_kept ? kept[first_kept++ % 64] : hear();
        int32_t code = 0;
        came += event.type == ZIG_H3_EVENT_RESPONSE ? event.data_len : 0;
        if (event.type == ZIG_H3_EVENT_BODY)
            code = zig_h3_request_consumed(event.object, event.data_len);
        else if (event.type == ZIG_H3_EVENT_STREAM_DATA)
            code = zig_h3_wt_stream_consumed(event.object, event.data_len);
        if (event.type == ZIG_H3_EVENT_BODY || event.type == ZIG_H3_EVENT_STREAM_DATA) {
            came += event.data_len;
            HOLDS(code == 0 || code == ZIG_H3_ERR_STALE_HANDLE); /* its end may be in the queue */
        }
        if (event.type == ZIG_H3_EVENT_SESSION_OPENED)
            opened = event.object;
        if (event.type == type && event.object == object)
            return event;
    }
}

static const char *url(const char *path)
{
    static char text[128];
    snprintf(text, sizeof text, "https://127.0.0.1:%u%s", (unsigned)port, path);
    return text;
}

static zig_h3_handle fetch(const char *method, const char *path, const void *body, size_t body_len, uint32_t flags)
{
    const char *whole = url(path);
    zig_h3_fetch_config config = {
        .size = sizeof config, .flags = flags, .method = method, .url = whole, .url_len = strlen(whole), .body = body, .body_len = body_len,
    };
    zig_h3_handle handle = 0;
    came = 0;
    TAKEN(client, zig_h3_client_fetch(client, &config, &handle));
    return handle;
}

/* How a fetch has ended, with so many bytes of its response. */
static void over(zig_h3_handle fetch, int32_t code, uint64_t bytes)
{
    const zig_h3_event event = until(ZIG_H3_EVENT_FETCH_DONE, fetch);
    SAME(event.code, code);
    SAME(came, bytes);
}

static void fetches(void)
{
    static const uint8_t trailers[] = {1, 0, 1, 0, 0, 0, 't', 'v'};
    static char large[100000];
    size_t n = 0;
    for (int i = 0; i < TIMES; i++) {
        over(fetch("GET", "/", NULL, 0, ZIG_H3_FETCH_END), 0, 11);
        over(fetch("GET", "/bytes/700000", NULL, 0, ZIG_H3_FETCH_END), 0, 700000);
        over(fetch("POST", "/upload", large, sizeof large, ZIG_H3_FETCH_END), 0, sizeof "{\"bytes\":100000}" - 1);

        zig_h3_handle one = fetch("POST", "/upload", "he", 2, 0);
        TAKEN(one, zig_h3_request_write(one, "ll", 2, &n));
        SAME(n, 2);
        TAKEN(one, zig_h3_request_write(one, large, 20000, &n));
        SAME(n, 20000);
        TAKEN(one, zig_h3_request_end(one, "o", 1));
        over(one, 0, sizeof "{\"bytes\":20005}" - 1);

        one = fetch("POST", "/upload", large, 5000, 0);
        TAKEN(one, zig_h3_request_send_trailers(one, trailers, sizeof trailers));
        over(one, 0, sizeof "{\"bytes\":5000}" - 1);

        one = fetch("GET", "/wait", NULL, 0, ZIG_H3_FETCH_END);
        SAME(i % 2 ? zig_h3_client_cancel_fetch(one) : zig_h3_request_reset(one, 0x10c), 0); /* these are never refused */
        over(one, ZIG_H3_ERR_CANCELLED, 0);
    }
}

static void connects(void)
{
    for (int i = 0; i < TIMES; i++) {
        const char *whole = url("/");
        zig_h3_handle wish = 0;
        TAKEN(client, zig_h3_client_connect(client, whole, strlen(whole), 0, &wish));
        SAME(until(ZIG_H3_EVENT_CONNECT_DONE, wish).code, 0);
        const zig_h3_handle one = fetch("GET", "/wait", NULL, 0, ZIG_H3_FETCH_END);
        TAKEN(one, zig_h3_client_prioritize_fetch(one, 1, 1));
        SAME(zig_h3_client_cancel_fetch(one), 0);
        over(one, ZIG_H3_ERR_CANCELLED, 0);
    }
}

static void streams(zig_h3_handle session)
{
    for (uint32_t kind = ZIG_H3_WT_BIDIRECTIONAL; kind <= ZIG_H3_WT_UNIDIRECTIONAL; kind++) {
        zig_h3_handle handle = 0;
        size_t n = 0;
        came = 0;
        TAKEN(session, zig_h3_wt_open_stream(session, kind, 0, &handle));
        TAKEN(handle, zig_h3_wt_stream_priority(handle, 1, 2));
        until(ZIG_H3_EVENT_STREAM_OPENED, handle);
        TAKEN(handle, zig_h3_wt_stream_write(handle, "hel", 3, &n));
        SAME(n, 3);
        TAKEN(handle, zig_h3_wt_stream_commit(handle));
        TAKEN(handle, zig_h3_wt_stream_write_atomic(handle, "lo", 2));
        SAME(until(ZIG_H3_EVENT_STREAM_ATOMIC, handle).code, 0);
        TAKEN(handle, zig_h3_wt_stream_end(handle));
        SAME(until(ZIG_H3_EVENT_STREAM_ENDED, handle).code, 0);
        if (kind == ZIG_H3_WT_BIDIRECTIONAL)
            SAME(came, 5); /* the echo */

        TAKEN(session, zig_h3_wt_open_stream(session, kind, 0, &handle));
        until(ZIG_H3_EVENT_STREAM_OPENED, handle);
        SAME(zig_h3_wt_stream_stop(handle, 8), kind == ZIG_H3_WT_UNIDIRECTIONAL ? ZIG_H3_ERR_ENDED : 0); /* nor are these */
        SAME(zig_h3_wt_stream_reset(handle, 7), 0);
        until(ZIG_H3_EVENT_STREAM_ENDED, handle);
    }
}

static zig_h3_handle ask_for_session(uint32_t flags)
{
    const char *whole = url("/echo");
    const zig_h3_session_config config = {.size = sizeof config, .flags = flags, .url = whole, .url_len = strlen(whole)};
    zig_h3_handle session = 0;
    TAKEN(client, zig_h3_client_open_webtransport(client, &config, &session));
    return session;
}

static void sessions(void)
{
    for (int i = 0; i < TIMES; i++) {
        zig_h3_handle session = ask_for_session(i % 2 ? ZIG_H3_SESSION_POOLED : 0);
        SAME(until(ZIG_H3_EVENT_SESSION_OPENED, session).parent, client);
        streams(session);
        int32_t code;
        while ((code = zig_h3_wt_send_datagram(session, "gram", 4, 0, 0)) == ZIG_H3_ERR_QUEUE_FULL) {
        } /* of which nothing tells */
        SAME(code, 0);
        TAKEN(session, zig_h3_wt_drain(session));
        TAKEN(session, zig_h3_wt_close(session, 7, "bye", 3));
        SAME(until(ZIG_H3_EVENT_SESSION_CLOSED, session).code, 0);

        session = ask_for_session(0); /* given up while it is asked for */
        TAKEN(session, zig_h3_wt_close(session, 0, NULL, 0));
        const int32_t code_of_end = until(ZIG_H3_EVENT_SESSION_CLOSED, session).code;
        SAME(code_of_end, opened == session ? 0 : ZIG_H3_ERR_CANCELLED); /* it may have been faster */
    }
}

int main(void)
{
    char options[PATH_MAX + 64];
    MUST(zig_h3_queue_new(NULL, &queue));
    peer_serve("plainwt");
    snprintf(options, sizeof options, "{\"roots_path\": \"%s/build/tests/plainwt.pem\"}", root());
    const zig_h3_client_config config = {.size = sizeof config, .options = options, .options_len = strlen(options)};
    MUST(zig_h3_client_new(&config, queue, &client));
    connects();
    fetches();
    HOLDS(refused > 100); /* or it is another library */
    sessions();
    SAME(told, refused);
    printf("%llu calls were refused\n", (unsigned long long)refused);
    SAME(zig_h3_client_close(client, -1), 0);
    SAME(until(ZIG_H3_EVENT_CLIENT_CLOSED, client).code, 0);
    SAME(zig_h3_queue_free(queue), 0);
    kill(peer_id, SIGKILL);
    pclose(peer);
    return done();
}
