/*
 * A04: null, zero, garbage, stale, freed twice and wrong-kind to every function. And what is told without any object: names, sizes,
 * versions, the words of the last failure.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>

#include "check.h"

static zig_h3_handle queue, server;

/* Every call that takes a handle, with other arguments that are fine. */
struct call {
    const char *name;
    int32_t (*make)(zig_h3_handle handle);
    enum { TAKES_QUEUE, TAKES_SERVER, TAKES_REQUEST } kind;
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

static const struct call calls[] = {
    {"queue_free", queue_free, TAKES_QUEUE},     {"next_event", next_event, TAKES_QUEUE},
    {"next_events", next_events, TAKES_QUEUE},   {"queue_map", queue_map, TAKES_QUEUE},
    {"queue_peek", queue_peek, TAKES_QUEUE},     {"queue_advance", queue_advance, TAKES_QUEUE},
    {"queue_fd", queue_fd, TAKES_QUEUE},         {"queue_arm", queue_arm, TAKES_QUEUE},
    {"queue_wait", queue_wait, TAKES_QUEUE},     {"queue_wake", queue_wake, TAKES_QUEUE},
    {"server_new", server_new, TAKES_QUEUE},     {"add_queue's queue", add_queue_to_server, TAKES_QUEUE},
    {"server_free", server_free, TAKES_SERVER},  {"add_queue", add_queue, TAKES_SERVER},
    {"route", route, TAKES_SERVER},              {"start", start, TAKES_SERVER},
    {"stop", stop, TAKES_SERVER},                {"port", port, TAKES_SERVER},
    {"certificate_hash", hash, TAKES_SERVER},    {"stats_snapshot", stats, TAKES_SERVER},
    {"consumed", consumed, TAKES_REQUEST},       {"request_stop", request_stop, TAKES_REQUEST},
    {"send", send_it, TAKES_REQUEST},            {"status", status, TAKES_REQUEST},
    {"header", header, TAKES_REQUEST},           {"headers", headers, TAKES_REQUEST},
    {"write", write_it, TAKES_REQUEST},          {"end", end, TAKES_REQUEST},
    {"send_trailers", trailers, TAKES_REQUEST},  {"reset", reset, TAKES_REQUEST},
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
        (uint64_t)4 << 48 | (uint64_t)9 << 20 | 77, (uint64_t)1 << 48 | (uint64_t)1 << 20 | 0xfffff, (uint64_t)15 << 48 | 1 << 20,
    };
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++)
        every(-1, garbage[i], ZIG_H3_ERR_INVALID_HANDLE);
    /* The right index and generation, another kind: no call ever gave that out. */
    every(-1, queue ^ ((uint64_t)3 << 48), ZIG_H3_ERR_INVALID_HANDLE);
    /* A generation that is still to come. */
    every(-1, queue + ((uint64_t)5 << 20), ZIG_H3_ERR_INVALID_HANDLE);
    every(TAKES_QUEUE, queue, ZIG_H3_ERR_WRONG_KIND);
    every(TAKES_SERVER, server, ZIG_H3_ERR_WRONG_KIND);

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
    SAME(zig_h3_next_event(queue, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_next_events(queue, NULL, 64, 1, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_next_events(queue, (char *)buffer + 1, 64, 1, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_next_events(queue, buffer, sizeof buffer, 1, NULL), 0);
    SAME(zig_h3_queue_map(queue, NULL, &n), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_queue_map(queue, &base, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
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
    SAME(zig_h3_server_route(server, "GET", "/", 2, 0, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
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

static void *other_thread(void *result)
{
    *(int *)result = strcmp(zig_h3_last_error(), "") == 0;
    return NULL;
}

static void texts(void)
{
    HOLDS(strstr(zig_h3_version(), "quic-go") != NULL);
    SAME(zig_h3_abi_version(), ZIG_H3_ABI_VERSION);
    SAME(zig_h3_struct_size(ZIG_H3_STRUCT_RECORD), sizeof(zig_h3_record));
    SAME(zig_h3_struct_size(ZIG_H3_STRUCT_EVENT), sizeof(zig_h3_event));
    SAME(zig_h3_struct_size(ZIG_H3_STRUCT_QUEUE_CONFIG), sizeof(zig_h3_queue_config));
    SAME(zig_h3_struct_size(ZIG_H3_STRUCT_SERVER_CONFIG), sizeof(zig_h3_server_config));
    SAME(zig_h3_struct_size(ZIG_H3_STRUCT_QUEUE_SPAN), sizeof(zig_h3_queue_span));
    SAME(zig_h3_struct_size(0), 0);
    HOLDS(strcmp(zig_h3_error_name(ZIG_H3_ERR_BUSY), "ZIG_H3_ERR_BUSY") == 0);
    HOLDS(strcmp(zig_h3_error_name(-12345), "ZIG_H3_ERR_UNKNOWN") == 0);
    HOLDS(strcmp(zig_h3_event_name(ZIG_H3_EVENT_FATAL), "ZIG_H3_EVENT_FATAL") == 0);
    HOLDS(strcmp(zig_h3_event_name(999), "ZIG_H3_EVENT_UNKNOWN") == 0);
    HOLDS(strcmp(zig_h3_stats_name(0), "uptime_ms") == 0);
    HOLDS(zig_h3_stats_name(1000) == NULL);
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

int main(void)
{
    zig_h3_server_config config = {.size = sizeof config, .hostname = "127.0.0.1"};
    MUST(zig_h3_queue_new(NULL, &queue));
    MUST(zig_h3_server_new(&config, queue, &server));
    HOLDS(queue < (uint64_t)1 << 53 && server < (uint64_t)1 << 53);
    texts();
    arguments();
    handles();
    SAME(zig_h3_server_free(server), 0);
    SAME(zig_h3_queue_free(queue), 0);
    return done();
}
