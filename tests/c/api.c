/*
 * A04: null, zero, garbage, stale, freed twice and wrong-kind to every function. And what is told without any object: names, sizes,
 * versions, the words of the last failure.
 */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "check.h"

static zig_h3_handle queue, server, client;

/* Every call that takes a handle, with other arguments that are fine. */
struct call {
    const char *name;
    int32_t (*make)(zig_h3_handle handle);
    enum { TAKES_QUEUE, TAKES_SERVER, TAKES_CONN, TAKES_REQUEST, TAKES_SESSION, TAKES_STREAM, TAKES_CLIENT, TAKES_FETCH } kind;
};

static int32_t queue_free(zig_h3_handle h) { return zig_h3_queue_free(h); }
static int32_t next_event(zig_h3_handle h) { zig_h3_event e; return zig_h3_next_event(h, &e); }
static int32_t next_events(zig_h3_handle h) { static uint64_t b[64]; size_t n; return zig_h3_next_events(h, b, sizeof b, 1, &n); }
static int32_t queue_map(zig_h3_handle h) { const void *p; size_t n; return zig_h3_queue_map(h, &p, &n); }
static int32_t queue_peek(zig_h3_handle h) { zig_h3_queue_span s; return zig_h3_queue_peek(h, 1, &s); }
static int32_t queue_advance(zig_h3_handle h) { return zig_h3_queue_advance(h, 0); }
static int32_t queue_fd(zig_h3_handle h) { int32_t fd; return zig_h3_queue_fd(h, &fd); }
static int32_t queue_arm(zig_h3_handle h) { return zig_h3_queue_arm(h); }
static int32_t queue_wait(zig_h3_handle h) { return zig_h3_queue_wait(h, 0); }
static int32_t queue_wake(zig_h3_handle h) { return zig_h3_queue_wake(h); }
static int32_t server_new(zig_h3_handle h)
{
    zig_h3_server_config c = {.size = sizeof c};
    zig_h3_handle s;
    return zig_h3_server_new(&c, h, &s);
}
static int32_t server_free(zig_h3_handle h) { return zig_h3_server_free(h); }
static int32_t add_queue(zig_h3_handle h) { return zig_h3_server_add_queue(h, queue); }
static int32_t add_queue_to_server(zig_h3_handle h) { return zig_h3_server_add_queue(server, h); }
static int32_t remove_queue(zig_h3_handle h) { return zig_h3_server_remove_queue(h, queue, 0); }
static int32_t remove_queue_of_server(zig_h3_handle h) { return zig_h3_server_remove_queue(server, h, 0); }
static int32_t route(zig_h3_handle h) { return zig_h3_server_route(h, "GET", "/", 0, 0, NULL); }
static int32_t start(zig_h3_handle h) { return zig_h3_server_start(h); }
static int32_t stop(zig_h3_handle h) { return zig_h3_server_stop(h, 0); }
static int32_t port(zig_h3_handle h) { uint16_t p; return zig_h3_server_port(h, &p); }
static int32_t hash(zig_h3_handle h) { uint8_t b[32]; return zig_h3_server_certificate_hash(h, b); }
static int32_t stats(zig_h3_handle h) { uint64_t v[4]; return zig_h3_stats_snapshot(h, v, 4); }
static int32_t consumed(zig_h3_handle h) { return zig_h3_request_consumed(h, 1); }
static int32_t request_stop(zig_h3_handle h) { return zig_h3_request_stop(h); }
static int32_t send_it(zig_h3_handle h) { return zig_h3_response_send(h, 200, NULL, 0, NULL, 0, 0); }
static int32_t status(zig_h3_handle h) { return zig_h3_response_status(h, 200); }
static int32_t header(zig_h3_handle h) { return zig_h3_response_header(h, "a", 1, "b", 1); }
static int32_t headers(zig_h3_handle h) { return zig_h3_response_headers(h, NULL, 0); }
static int32_t write_it(zig_h3_handle h) { size_t n; return zig_h3_response_write(h, "x", 1, &n); }
static int32_t end(zig_h3_handle h) { return zig_h3_response_end(h, NULL, 0); }
static int32_t trailers(zig_h3_handle h) { return zig_h3_response_send_trailers(h, NULL, 0); }
static int32_t reset(zig_h3_handle h) { return zig_h3_response_reset(h, 0x102); }
static int32_t quic_datagram(zig_h3_handle h) { return zig_h3_server_send_quic_datagram(h, "x", 1, 0, 0); }
static int32_t h3_datagram(zig_h3_handle h) { return zig_h3_response_send_h3_datagram(h, "x", 1, 0, 0); }
static int32_t wt_datagram(zig_h3_handle h) { return zig_h3_wt_send_datagram(h, "x", 1, 0, ZIG_H3_SEND_LATER); }
static int32_t in_a_batch(zig_h3_handle h)
{
    zig_h3_datagram d = {.object = h};
    int32_t n = zig_h3_send_datagrams(&d, sizeof d, 0);
    return n == 0 ? d.result : n;
}
static int32_t wt_accept(zig_h3_handle h) { return zig_h3_wt_accept(h, NULL, NULL, 0); }
static int32_t wt_reject(zig_h3_handle h) { return zig_h3_wt_reject(h, 403, NULL, 0, NULL, 0); }
static int32_t wt_close(zig_h3_handle h) { return zig_h3_wt_close(h, 0, NULL, 0); }
static int32_t wt_drain(zig_h3_handle h) { return zig_h3_wt_drain(h); }
static int32_t wt_limit(zig_h3_handle h) { return zig_h3_wt_max_datagram_size(h); }
static int32_t wt_stats(zig_h3_handle h) { uint64_t v[4]; return zig_h3_wt_stats_snapshot(h, v, 4); }
static int32_t wt_export(zig_h3_handle h) { char b[4]; return zig_h3_wt_export_keying_material(h, "l", 1, NULL, 0, b, 4); }
static int32_t wt_open(zig_h3_handle h) { zig_h3_handle s; return zig_h3_wt_open_stream(h, 0, 0, &s); }
static int32_t wt_write(zig_h3_handle h) { size_t n; return zig_h3_wt_stream_write(h, "x", 1, &n); }
static int32_t wt_atomic(zig_h3_handle h) { return zig_h3_wt_stream_write_atomic(h, "x", 1); }
static int32_t wt_commit(zig_h3_handle h) { return zig_h3_wt_stream_commit(h); }
static int32_t wt_end(zig_h3_handle h) { return zig_h3_wt_stream_end(h); }
static int32_t wt_reset(zig_h3_handle h) { return zig_h3_wt_stream_reset(h, 1); }
static int32_t wt_stop(zig_h3_handle h) { return zig_h3_wt_stream_stop(h, 1); }
static int32_t wt_consumed(zig_h3_handle h) { return zig_h3_wt_stream_consumed(h, 1); }
static int32_t wt_priority(zig_h3_handle h) { return zig_h3_wt_stream_priority(h, 1, -1); }
static int32_t client_new(zig_h3_handle h) { zig_h3_handle c; return zig_h3_client_new(NULL, h, &c); }
static int32_t client_free(zig_h3_handle h) { return zig_h3_client_free(h); }
static int32_t client_close(zig_h3_handle h) { return zig_h3_client_close(h, 0); }
static int32_t client_fetch(zig_h3_handle h)
{
    const zig_h3_fetch_config c = {.size = sizeof c, .flags = ZIG_H3_FETCH_END, .url = "https://127.0.0.1/", .url_len = 18};
    zig_h3_handle f;
    return zig_h3_client_fetch(h, &c, &f);
}
static int32_t client_session(zig_h3_handle h)
{
    const zig_h3_session_config c = {.size = sizeof c, .url = "https://127.0.0.1/", .url_len = 18};
    zig_h3_handle s;
    return zig_h3_client_open_webtransport(h, &c, &s);
}
static int32_t client_stats(zig_h3_handle h) { uint64_t v[4]; return zig_h3_client_stats_snapshot(h, v, 4); }
static int32_t client_connect(zig_h3_handle h) { zig_h3_handle w; return zig_h3_client_connect(h, "https://127.0.0.1/", 18, 0, &w); }
static int32_t prioritize(zig_h3_handle h) { return zig_h3_client_prioritize_fetch(h, 3, 0); }
static int32_t cancel_fetch(zig_h3_handle h) { return zig_h3_client_cancel_fetch(h); }

static const struct call calls[] = {
    {"queue_free", queue_free, TAKES_QUEUE},     {"next_event", next_event, TAKES_QUEUE},
    {"next_events", next_events, TAKES_QUEUE},   {"queue_map", queue_map, TAKES_QUEUE},
    {"queue_peek", queue_peek, TAKES_QUEUE},     {"queue_advance", queue_advance, TAKES_QUEUE},
    {"queue_fd", queue_fd, TAKES_QUEUE},         {"queue_arm", queue_arm, TAKES_QUEUE},
    {"queue_wait", queue_wait, TAKES_QUEUE},     {"queue_wake", queue_wake, TAKES_QUEUE},
    {"server_new", server_new, TAKES_QUEUE},     {"add_queue's queue", add_queue_to_server, TAKES_QUEUE},
    {"server_free", server_free, TAKES_SERVER},  {"add_queue", add_queue, TAKES_SERVER},
    {"remove_queue's queue", remove_queue_of_server, TAKES_QUEUE}, {"remove_queue", remove_queue, TAKES_SERVER},
    {"route", route, TAKES_SERVER},              {"start", start, TAKES_SERVER},
    {"stop", stop, TAKES_SERVER},                {"port", port, TAKES_SERVER},
    {"certificate_hash", hash, TAKES_SERVER},    {"stats_snapshot", stats, TAKES_SERVER},
    {"consumed", consumed, TAKES_REQUEST},       {"request_stop", request_stop, TAKES_REQUEST},
    {"send", send_it, TAKES_REQUEST},            {"status", status, TAKES_REQUEST},
    {"header", header, TAKES_REQUEST},           {"headers", headers, TAKES_REQUEST},
    {"write", write_it, TAKES_REQUEST},          {"end", end, TAKES_REQUEST},
    {"send_trailers", trailers, TAKES_REQUEST},  {"reset", reset, TAKES_REQUEST},
    {"send_quic_datagram", quic_datagram, TAKES_CONN}, {"send_h3_datagram", h3_datagram, TAKES_REQUEST},
    {"wt_send_datagram", wt_datagram, TAKES_SESSION},  {"send_datagrams", in_a_batch, TAKES_SESSION},
    {"wt_accept", wt_accept, TAKES_SESSION},           {"wt_reject", wt_reject, TAKES_SESSION},
    {"wt_close", wt_close, TAKES_SESSION},             {"wt_drain", wt_drain, TAKES_SESSION},
    {"wt_max_datagram_size", wt_limit, TAKES_SESSION}, {"wt_stats_snapshot", wt_stats, TAKES_SESSION},
    {"wt_export_keying_material", wt_export, TAKES_SESSION},
    {"wt_open_stream", wt_open, TAKES_SESSION},        {"wt_stream_write", wt_write, TAKES_STREAM},
    {"wt_stream_write_atomic", wt_atomic, TAKES_STREAM}, {"wt_stream_commit", wt_commit, TAKES_STREAM},
    {"wt_stream_end", wt_end, TAKES_STREAM},           {"wt_stream_reset", wt_reset, TAKES_STREAM},
    {"wt_stream_stop", wt_stop, TAKES_STREAM},         {"wt_stream_consumed", wt_consumed, TAKES_STREAM},
    {"wt_stream_priority", wt_priority, TAKES_STREAM},
    {"client_new", client_new, TAKES_QUEUE},           {"client_fetch", client_fetch, TAKES_CLIENT},
    {"client_open_webtransport", client_session, TAKES_CLIENT}, {"client_stats_snapshot", client_stats, TAKES_CLIENT},
    {"client_close", client_close, TAKES_CLIENT},      {"client_free", client_free, TAKES_CLIENT},
    {"client_connect", client_connect, TAKES_CLIENT},
    {"client_cancel_fetch", cancel_fetch, TAKES_FETCH}, {"client_prioritize_fetch", prioritize, TAKES_FETCH},
};

static void every(int except, zig_h3_handle handle, int32_t want)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if ((int)calls[i].kind != except)
            same(calls[i].make(handle), want, __FILE__, __LINE__, calls[i].name);
    }
}

static void handles(void)
{
    static const zig_h3_handle garbage[] = {
        0, 1, 42, UINT64_MAX, (uint64_t)1 << 63, (uint64_t)1 << 53, 0xdeadbeefcafe, (uint64_t)4 << 48, (uint64_t)1 << 48 | 5,
        (uint64_t)4 << 48 | (uint64_t)9 << 20 | 77, (uint64_t)6 << 48, (uint64_t)7 << 48 | (uint64_t)1 << 20, (uint64_t)8 << 48 | 1 << 20,
        (uint64_t)1 << 48 | (uint64_t)1 << 20 | 0xfffff, (uint64_t)15 << 48 | 1 << 20,
    };
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++)
        every(-1, garbage[i], ZIG_H3_ERR_INVALID_HANDLE);
    /* The right index and generation, another kind: no call ever gave that out. */
    every(-1, queue ^ ((uint64_t)3 << 48), ZIG_H3_ERR_INVALID_HANDLE);
    /* A generation that is still to come. */
    every(-1, queue + ((uint64_t)5 << 20), ZIG_H3_ERR_INVALID_HANDLE);
    every(TAKES_QUEUE, queue, ZIG_H3_ERR_WRONG_KIND);
    every(TAKES_SERVER, server, ZIG_H3_ERR_WRONG_KIND);
    every(TAKES_CLIENT, client, ZIG_H3_ERR_WRONG_KIND);

    zig_h3_handle old_client;
    MUST(zig_h3_client_new(NULL, queue, &old_client));
    SAME(zig_h3_client_free(old_client), 0);
    every(-1, old_client, ZIG_H3_ERR_STALE_HANDLE);

    zig_h3_handle old_queue, old_server;
    zig_h3_server_config config = {.size = sizeof config, .hostname = "127.0.0.1"};
    MUST(zig_h3_queue_new(NULL, &old_queue));
    MUST(zig_h3_server_new(&config, old_queue, &old_server));
    SAME(zig_h3_server_free(old_server), 0);
    every(-1, old_server, ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_queue_free(old_queue), 0);
    every(-1, old_queue, ZIG_H3_ERR_STALE_HANDLE);

    /* A collector frees a queue as a deallocator does, with the words of the last failure left alone. */
    MUST(zig_h3_queue_new(NULL, &old_queue));
    zig_h3_queue_collected(NULL, (void *)(uintptr_t)old_queue);
    every(-1, old_queue, ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_response_status(server, 200), ZIG_H3_ERR_WRONG_KIND);
    const char *words = zig_h3_last_error();
    zig_h3_queue_collected(NULL, (void *)(uintptr_t)old_queue);
    zig_h3_queue_collected(NULL, NULL);
    HOLDS(zig_h3_last_error() == words);
    HOLDS(strlen(zig_h3_last_error()) > 0);
}

/* A13: of a later header, with more fields. Taken as long as they are not used. */
static void newer_configs(void)
{
    struct {
        zig_h3_queue_config known;
        uint32_t more;
    } qc = {.known = {.size = sizeof qc, .capacity = 1 << 20}};
    struct {
        zig_h3_server_config known;
        uint64_t more;
    } sc = {.known = {.size = sizeof sc, .hostname = "127.0.0.1"}};
    zig_h3_handle q = 77, s = 77;
    SAME(zig_h3_queue_new(&qc.known, &q), 0);
    SAME(zig_h3_server_new(&sc.known, q, &s), 0);
    SAME(zig_h3_queue_free(q), 0);
    q = s = 77;
    qc.more = 1;
    sc.more = (uint64_t)1 << 56;
    SAME(zig_h3_queue_new(&qc.known, &q), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_server_new(&sc.known, queue, &s), ZIG_H3_ERR_INVALID_ARGUMENT);
    HOLDS(strstr(zig_h3_last_error(), "too old") != NULL && q == 77 && s == 77);
}

static void arguments(void)
{
    zig_h3_handle h = 77;
    zig_h3_queue_config qc = {.size = sizeof qc, .capacity = 1000};
    zig_h3_server_config sc = {.size = sizeof sc};
    uint64_t buffer[64];
    const void *base;
    size_t n;

    SAME(zig_h3_queue_new(NULL, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_queue_new(&qc, &h), ZIG_H3_ERR_CONFIG);
    qc.capacity = 512u << 20;
    SAME(zig_h3_queue_new(&qc, &h), ZIG_H3_ERR_CONFIG);
    qc.size = 4;
    SAME(zig_h3_queue_new(&qc, &h), ZIG_H3_ERR_INVALID_ARGUMENT);
    HOLDS(h == 77);
    newer_configs();
    SAME(zig_h3_next_event(queue, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_next_events(queue, NULL, 64, 1, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_next_events(queue, (char *)buffer + 1, 64, 1, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_next_events(queue, buffer, sizeof buffer, 1, NULL), 0);
    SAME(zig_h3_queue_map(queue, NULL, &n), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_queue_map(queue, &base, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    /* It can be read, and not written: the system says so of a read() into it. */
    int ends[2];
    SAME(zig_h3_queue_map(queue, &base, &n), 0);
    HOLDS(pipe(ends) == 0 && write(ends[1], base, 64) == 64);
    HOLDS(read(ends[0], (void *)(uintptr_t)base, 64) < 0 && errno == EFAULT);
    HOLDS(close(ends[0]) == 0 && close(ends[1]) == 0);
    SAME(zig_h3_queue_peek(queue, 1, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_queue_advance(queue, 64), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_queue_advance(queue, 0), 0);
    SAME(zig_h3_queue_fd(queue, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_server_new(NULL, queue, &h), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_server_new(&sc, queue, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    sc.size = 47;
    SAME(zig_h3_server_new(&sc, queue, &h), ZIG_H3_ERR_INVALID_ARGUMENT);
    sc = (zig_h3_server_config){.size = sizeof sc, .reserved = 1};
    SAME(zig_h3_server_new(&sc, queue, &h), ZIG_H3_ERR_INVALID_ARGUMENT);
    sc = (zig_h3_server_config){.size = sizeof sc, .options_len = 1};
    SAME(zig_h3_server_new(&sc, queue, &h), ZIG_H3_ERR_INVALID_ARGUMENT);
    sc = (zig_h3_server_config){.size = sizeof sc, .options = "{\"no_such_key\": 1}", .options_len = 18};
    SAME(zig_h3_server_new(&sc, queue, &h), ZIG_H3_ERR_CONFIG);
    HOLDS(strstr(zig_h3_last_error(), "no_such_key") != NULL);
    sc = (zig_h3_server_config){.size = sizeof sc, .cert_path = "/nowhere/cert.pem", .key_path = "/nowhere/key.pem"};
    SAME(zig_h3_server_new(&sc, queue, &h), ZIG_H3_ERR_CERTIFICATE);
    HOLDS(strstr(zig_h3_last_error(), "/nowhere/cert.pem") != NULL);
    HOLDS(h == 77);
    SAME(zig_h3_server_route(server, "GET", NULL, 0, 0, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_server_route(server, "GET", "/", 0x20, 0, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_server_route(server, "GET", "/", ZIG_H3_ROUTE_REPLACE | ZIG_H3_ROUTE_REMOVE, 0, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_server_route(server, "GET", "/nowhere", ZIG_H3_ROUTE_REMOVE, 0, NULL), ZIG_H3_ERR_BAD_ROUTE);
    SAME(zig_h3_server_route(server, NULL, "/", ZIG_H3_ROUTE_WEBTRANSPORT | ZIG_H3_ROUTE_BUFFERED, 0, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_server_route(server, NULL, "/", ZIG_H3_ROUTE_WEBTRANSPORT | ZIG_H3_ROUTE_DATAGRAM, 0, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_server_route(server, "GET", "/", ZIG_H3_ROUTE_WEBTRANSPORT, 0, NULL), ZIG_H3_ERR_BAD_ROUTE);
    SAME(zig_h3_server_route(server, "", "/", 0, 0, NULL), ZIG_H3_ERR_BAD_ROUTE);
    SAME(zig_h3_server_route(server, "G T", "/", 0, 0, NULL), ZIG_H3_ERR_BAD_ROUTE);
    SAME(zig_h3_server_route(server, "GET", "no-slash", 0, 0, NULL), ZIG_H3_ERR_BAD_ROUTE);
    SAME(zig_h3_server_add_queue(server, queue), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_server_port(server, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_server_certificate_hash(server, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_stats_snapshot(server, NULL, 1), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_response_send(0, 200, NULL, 1, NULL, 0, 0), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_response_send(0, 200, NULL, 0, NULL, 1, 0), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_response_send(0, 200, NULL, 0, NULL, 0, 8), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_response_header(0, NULL, 1, "", 0), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_response_headers(0, NULL, 1), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_response_write(0, "x", 1, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_response_write(0, NULL, 1, &n), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_response_end(0, NULL, 1), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_response_send_trailers(0, NULL, 1), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_response_reset(0, (uint64_t)1 << 62), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_flush(), 0);
}

static void session_arguments(void)
{
    uint64_t value;
    char long_reason[1025];
    size_t n = 77;
    memset(long_reason, 'x', sizeof long_reason);
    SAME(zig_h3_server_send_quic_datagram(0, NULL, 1, 0, 0), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_server_send_quic_datagram(0, "x", 1, 0, ZIG_H3_SEND_FORGET), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_response_send_h3_datagram(0, NULL, 1, 0, 0), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_response_send_h3_datagram(0, "x", 1, 0, 4), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_send_datagram(0, NULL, 1, 0, 0), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_send_datagram(0, "x", 1, 0, 4), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_accept(0, NULL, NULL, 1), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_accept(0, NULL, long_reason, (64 << 10) + 1), ZIG_H3_ERR_TOO_LARGE);
    SAME(zig_h3_wt_reject(0, 403, NULL, 1, NULL, 0), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_reject(0, 403, NULL, 0, NULL, 1), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_reject(0, 200, NULL, 0, NULL, 0), ZIG_H3_ERR_BAD_HEADER);
    SAME(zig_h3_wt_reject(0, 299, NULL, 0, NULL, 0), ZIG_H3_ERR_BAD_HEADER);
    SAME(zig_h3_wt_reject(0, 600, NULL, 0, NULL, 0), ZIG_H3_ERR_BAD_HEADER);
    SAME(zig_h3_wt_reject(0, 403, long_reason, (64 << 10) + 1, NULL, 0), ZIG_H3_ERR_TOO_LARGE);
    SAME(zig_h3_wt_stats_snapshot(0, NULL, 1), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_export_keying_material(0, NULL, 1, NULL, 0, &value, 8), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_export_keying_material(0, NULL, 0, NULL, 1, &value, 8), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_export_keying_material(0, NULL, 0, NULL, 0, NULL, 8), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_export_keying_material(0, long_reason, 256, NULL, 0, &value, 8), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_export_keying_material(0, NULL, 0, long_reason, 256, &value, 8), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_export_keying_material(0, NULL, 0, NULL, 0, &value, 0), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_export_keying_material(0, NULL, 0, NULL, 0, &value, 4097), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_open_stream(0, 0, 0, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_open_stream(0, 2, 0, &value), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_open_stream(0, 0, 2, &value), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_stream_write(0, "x", 1, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_stream_write(0, NULL, 1, &n), ZIG_H3_ERR_INVALID_ARGUMENT);
    HOLDS(n == 77);

    /* W12: what a reason may be is told before whose it is. */
    SAME(zig_h3_wt_close(0, 0, NULL, 1), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_close(0, 0, long_reason, 1025), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_close(0, 0, long_reason, 1024), ZIG_H3_ERR_INVALID_HANDLE);
    static const char *const utf8[] = {
        "", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf", "a\xe2\x82\xac" "b",
    };
    for (size_t i = 0; i < sizeof utf8 / sizeof *utf8; i++)
        SAME(zig_h3_wt_close(0, 0, utf8[i], strlen(utf8[i])), ZIG_H3_ERR_INVALID_HANDLE);
    static const char *const no_utf8[] = {
        "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2" "a", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xe2\x82",
        "\xe2\x82" "a", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x90\x80", "\xf0\x90" "a\x80", "\xff",
    };
    for (size_t i = 0; i < sizeof no_utf8 / sizeof *no_utf8; i++)
        SAME(zig_h3_wt_close(0, 0, no_utf8[i], strlen(no_utf8[i])), ZIG_H3_ERR_INVALID_ARGUMENT);
}

/* A list of datagrams is taken as a whole, or each of it is answered for. */
static void datagram_lists(void)
{
    struct {
        zig_h3_datagram a;
        char payload[8];
        zig_h3_datagram b;
    } list = {.a = {.object = queue, .len = 5}, .b = {.object = 0, .reserved = 1}};
    SAME(zig_h3_send_datagrams(NULL, 0, 0), 0);
    SAME(zig_h3_send_datagrams(NULL, 1, 0), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_send_datagrams(&list, sizeof list, ZIG_H3_SEND_FORGET), ZIG_H3_ERR_INVALID_ARGUMENT);
    for (size_t len = 1; len < sizeof list; len++) {
        /* Cut behind the first payload, of which the filler may be missing: one datagram. */
        const int whole = len >= sizeof list.a + 5 && len <= sizeof list.a + sizeof list.payload;
        SAME(zig_h3_send_datagrams(&list, len, 0), whole ? 0 : ZIG_H3_ERR_INVALID_ARGUMENT);
        SAME(list.a.result, whole ? ZIG_H3_ERR_WRONG_KIND : 0);
        list.a.result = 0;
    }
    SAME(zig_h3_send_datagrams(&list, sizeof list, 0), 0);
    SAME(list.a.result, ZIG_H3_ERR_WRONG_KIND);
    SAME(list.b.result, ZIG_H3_ERR_INVALID_ARGUMENT);
    list.b.len = UINT32_MAX;
    list.a.result = 0;
    SAME(zig_h3_send_datagrams(&list, sizeof list, 0), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(list.a.result, 0);
}

static void *other_thread(void *result)
{
    *(int *)result = strcmp(zig_h3_last_error(), "") == 0;
    return NULL;
}

static void texts(void)
{
    HOLDS(strstr(zig_h3_version(), "quic-go") != NULL);
    SAME(zig_h3_abi_version(), ZIG_H3_ABI_VERSION);
    SAME(zig_h3_abi_minor(), ZIG_H3_ABI_MINOR);
    SAME(zig_h3_struct_size(ZIG_H3_STRUCT_RECORD), sizeof(zig_h3_record));
    SAME(zig_h3_struct_size(ZIG_H3_STRUCT_EVENT), sizeof(zig_h3_event));
    SAME(zig_h3_struct_size(ZIG_H3_STRUCT_QUEUE_CONFIG), sizeof(zig_h3_queue_config));
    SAME(zig_h3_struct_size(ZIG_H3_STRUCT_SERVER_CONFIG), sizeof(zig_h3_server_config));
    SAME(zig_h3_struct_size(ZIG_H3_STRUCT_QUEUE_SPAN), sizeof(zig_h3_queue_span));
    SAME(zig_h3_struct_size(ZIG_H3_STRUCT_DATAGRAM), sizeof(zig_h3_datagram));
    SAME(zig_h3_struct_size(0), 0);
    HOLDS(strcmp(zig_h3_error_name(ZIG_H3_ERR_BUSY), "ZIG_H3_ERR_BUSY") == 0);
    HOLDS(strcmp(zig_h3_error_name(-12345), "ZIG_H3_ERR_UNKNOWN") == 0);
    HOLDS(strcmp(zig_h3_event_name(ZIG_H3_EVENT_FATAL), "ZIG_H3_EVENT_FATAL") == 0);
    HOLDS(strcmp(zig_h3_event_name(999), "ZIG_H3_EVENT_UNKNOWN") == 0);
    HOLDS(strcmp(zig_h3_stats_name(0), "uptime_ms") == 0);
    HOLDS(zig_h3_stats_name(1000) == NULL);
    HOLDS(strcmp(zig_h3_wt_stats_name(0), "datagrams_in") == 0);
    HOLDS(zig_h3_wt_stats_name(1000) == NULL);
    uint64_t values[64];
    int32_t count = zig_h3_stats_snapshot(server, values, 64);
    HOLDS(count > 0 && zig_h3_stats_name((uint32_t)count - 1) != NULL && zig_h3_stats_name((uint32_t)count) == NULL);

    /* Each thread has its own last failure. */
    pthread_t thread;
    int empty = 0;
    SAME(zig_h3_flush(), 0);
    SAME(zig_h3_queue_wake(0), ZIG_H3_ERR_INVALID_HANDLE);
    pthread_create(&thread, NULL, other_thread, &empty);
    pthread_join(thread, NULL);
    HOLDS(empty);
    HOLDS(strlen(zig_h3_last_error()) > 0);

    unsigned char *memory = zig_h3_alloc(100000);
    int sum = 0;
    for (int i = 0; memory != NULL && i < 100000; i++)
        sum += memory[i];
    HOLDS(memory != NULL && sum == 0);
    zig_h3_free(memory);
    zig_h3_free(NULL);
}

/* Names that say the same are one function. */
static void also(void)
{
    static const char *const names[][2] = {
        {"zig_h3_request_write", "zig_h3_response_write"},
        {"zig_h3_request_end", "zig_h3_response_end"},
        {"zig_h3_request_send_trailers", "zig_h3_response_send_trailers"},
        {"zig_h3_request_reset", "zig_h3_response_reset"},
        {"zig_h3_conn_send_datagram", "zig_h3_server_send_quic_datagram"},
        {"zig_h3_request_send_datagram", "zig_h3_response_send_h3_datagram"},
    };
    void *library = dlopen("libzigquicheh3.so.1", RTLD_NOW | RTLD_NOLOAD);
    HOLDS(library != NULL);
    for (size_t i = 0; library != NULL && i < sizeof names / sizeof *names; i++) {
        void *one = dlsym(library, names[i][0]), *other = dlsym(library, names[i][1]);
        check(one != NULL && one == other, __FILE__, __LINE__, names[i][0]);
    }
}

int main(void)
{
    zig_h3_server_config config = {.size = sizeof config, .hostname = "127.0.0.1"};
    MUST(zig_h3_queue_new(NULL, &queue));
    MUST(zig_h3_server_new(&config, queue, &server));
    MUST(zig_h3_client_new(NULL, queue, &client));
    HOLDS(queue < (uint64_t)1 << 53 && server < (uint64_t)1 << 53);
    texts();
    arguments();
    session_arguments();
    datagram_lists();
    also();
    handles();
    SAME(zig_h3_client_free(client), 0);
    SAME(zig_h3_server_free(server), 0);
    SAME(zig_h3_queue_free(queue), 0);
    return done();
}
