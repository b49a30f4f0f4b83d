/*
 * A hostile host, and no server in the process or anywhere: the calls of a client with every wrong handle and argument, at addresses where nobody
 * listens or nobody answers, from eight threads while others free the clients. Each result is the one that the header says; whatever was asked for
 * ends, exactly once, before its client's CLIENT_CLOSED; then every handle is stale.
 */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "dice.h"

/* Nobody answers: connections take longer than the test, unless their client ends. */
static const char patient[] = "{\"insecure\": true, \"connect_timeout_ms\": 120000, \"queue_timeout_ms\": 120000}";

static zig_h3_handle queue;
static char silent[64];  /* a URL where somebody listens and says nothing */
static char refusing[64]; /* one where nobody listens */

/* A port of a socket that nobody reads, or that is gone. */
static int bound(char *url, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    HOLDS(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    snprintf(url, size, "https://127.0.0.1:%u/", (unsigned)ntohs(address.sin_port));
    return fd;
}

static zig_h3_handle client_with(const char *options)
{
    zig_h3_handle client = 0;
    const zig_h3_client_config config = {.size = sizeof config, .options = options, .options_len = strlen(options)};
    MUST(zig_h3_client_new(&config, queue, &client));
    return client;
}

static zig_h3_fetch_config fetching(const char *url)
{
    return (zig_h3_fetch_config){.size = sizeof(zig_h3_fetch_config), .flags = ZIG_H3_FETCH_END, .url = url, .url_len = strlen(url)};
}

static zig_h3_session_config opening(const char *url)
{
    return (zig_h3_session_config){.size = sizeof(zig_h3_session_config), .url = url, .url_len = strlen(url)};
}

/* The next event; the alarm ends a test that waits in vain. */
static zig_h3_event next(void)
{
    zig_h3_event event;
    while (zig_h3_next_event(queue, &event) != 1)
        zig_h3_queue_wait(queue, 1000);
    return event;
}

static int terminal(const zig_h3_event *event)
{
    return event->type == ZIG_H3_EVENT_FETCH_DONE || event->type == ZIG_H3_EVENT_SESSION_CLOSED || event->type == ZIG_H3_EVENT_CONNECT_DONE;
}

/* The end of one thing; others' ends are no part of the test. */
static zig_h3_event end_of(zig_h3_handle object)
{
    for (;;) {
        const zig_h3_event event = next();
        if (event.object == object && (terminal(&event) || event.type == ZIG_H3_EVENT_CLIENT_CLOSED))
            return event;
    }
}

/* ------------------------------------------------------------------------------------------------------------------------ handles */

static size_t taken;
static uint64_t values[64];
static zig_h3_handle made;

/* Each call that takes a client, a fetch or a session of one, with arguments that would do. */
static int32_t about_client(int call, zig_h3_handle handle)
{
    const zig_h3_fetch_config fetch = fetching(silent);
    const zig_h3_session_config session = opening(silent);
    switch (call) {
    case 0: return zig_h3_client_fetch(handle, &fetch, &made);
    case 1: return zig_h3_client_open_webtransport(handle, &session, &made);
    case 2: return zig_h3_client_connect(handle, silent, strlen(silent), 0, &made);
    case 3: return zig_h3_client_stats_snapshot(handle, values, 64);
    case 4: return zig_h3_client_close(handle, 0);
    default: return zig_h3_client_free(handle);
    }
}

static int32_t about_fetch(int call, zig_h3_handle handle)
{
    switch (call) {
    case 0: return zig_h3_client_prioritize_fetch(handle, 3, 0);
    case 1: return zig_h3_client_cancel_fetch(handle);
    case 2: return zig_h3_request_write(handle, "x", 1, &taken);
    case 3: return zig_h3_request_end(handle, NULL, 0);
    case 4: return zig_h3_request_send_trailers(handle, NULL, 0);
    case 5: return zig_h3_request_reset(handle, 1);
    case 6: return zig_h3_request_consumed(handle, 1);
    default: return zig_h3_request_send_datagram(handle, "x", 1, 0, 0);
    }
}

static int32_t about_session(int call, zig_h3_handle handle)
{
    zig_h3_handle out;
    uint8_t keys[16];
    switch (call) {
    case 0: return zig_h3_wt_close(handle, 0, NULL, 0);
    case 1: return zig_h3_wt_drain(handle);
    case 2: return zig_h3_wt_open_stream(handle, 0, 0, &out);
    case 3: return zig_h3_wt_send_datagram(handle, "x", 1, 0, 0);
    case 4: return zig_h3_wt_stats_snapshot(handle, values, 64);
    case 5: return zig_h3_wt_max_datagram_size(handle);
    default: return zig_h3_wt_export_keying_material(handle, "l", 1, NULL, 0, keys, sizeof keys);
    }
}

static const struct {
    int32_t (*call)(int call, zig_h3_handle handle);
    int count;
} calls[] = {{about_client, 6}, {about_fetch, 8}, {about_session, 7}};

enum { CLIENT, FETCH, SESSION, KINDS };

/* What all calls of a kind say of a handle. */
static void all(int kind, zig_h3_handle handle, int32_t code)
{
    for (int i = 0; i < calls[kind].count; i++)
        SAME(calls[kind].call(i, handle), code);
}

static void handles(void)
{
    const zig_h3_handle client = client_with(patient);
    zig_h3_handle live[KINDS] = {client}, connect = 0;
    const zig_h3_fetch_config fetch = fetching(silent);
    const zig_h3_session_config session = opening(silent);
    SAME(zig_h3_client_fetch(client, &fetch, &live[FETCH]), 0);
    SAME(zig_h3_client_open_webtransport(client, &session, &live[SESSION]), 0);
    SAME(zig_h3_client_connect(client, silent, strlen(silent), 0, &connect), 0);
    for (int kind = 0; kind < KINDS; kind++) {
        const zig_h3_handle rubbish[] = {0, 1, live[kind] ^ 1ull << 63, live[kind] | 1ull << 53, UINT64_MAX};
        for (size_t i = 0; i < sizeof rubbish / sizeof *rubbish; i++)
            all(kind, rubbish[i], ZIG_H3_ERR_INVALID_HANDLE);
        all(kind, queue, ZIG_H3_ERR_WRONG_KIND);
        for (int other = 0; other < KINDS; other++) {
            if (other != kind)
                all(kind, live[other], ZIG_H3_ERR_WRONG_KIND);
        }
    }
    SAME(zig_h3_client_prioritize_fetch(connect, 0, 0), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_client_cancel_fetch(connect), 0); /* as of a fetch */
    SAME(end_of(connect).code, ZIG_H3_ERR_CANCELLED);
    all(FETCH, connect, ZIG_H3_ERR_STALE_HANDLE);
    /* All of them live on, and end with their client. */
    SAME(zig_h3_client_free(client), 0);
    all(CLIENT, client, ZIG_H3_ERR_STALE_HANDLE);
    for (int left = 2; left > 0;) {
        const zig_h3_event event = next();
        if (!terminal(&event))
            continue;
        SAME(event.code, ZIG_H3_ERR_SHUTDOWN);
        HOLDS(event.object == live[FETCH] || event.object == live[SESSION]);
        left--;
    }
    SAME(end_of(client).code, 0);
    for (int kind = 0; kind < KINDS; kind++)
        all(kind, live[kind], ZIG_H3_ERR_STALE_HANDLE);
}

/* ---------------------------------------------------------------------------------------------------------------------- arguments */

/* What is no URL for a fetch, a session and a connection; and what begins as one, and has no host or port. */
static const char *const no_urls[] = {
    "", "x", "//h/", "/path", "http://h/", "ftp://h/", "https:", "https:/h", "https://", "https:///", "https://u@h/", "https://u:p@h/",
    "https://h h/", "https://\x01/", "https://h\xc3\xa4/", "https://h/\x7f", "https://h/a b", "https://h/\r\nx: y",
};
static const char *const no_hosts[] = {"https://:1/", "https://h:0x1/", "https://h:65536/", "https://h:-1/", "https://h:0/", "https://[::1/", "https://h:1:2/"};

/* All of them take it, and end with that. */
static void ends_all(zig_h3_handle client, const char *url, int32_t code)
{
    const zig_h3_fetch_config fetch = fetching(url);
    const zig_h3_session_config session = opening(url);
    SAME(zig_h3_client_fetch(client, &fetch, &made), 0);
    SAME(end_of(made).code, code);
    SAME(zig_h3_client_open_webtransport(client, &session, &made), 0);
    SAME(end_of(made).code, code);
    SAME(zig_h3_client_connect(client, url, strlen(url), 0, &made), 0);
    SAME(end_of(made).code, code);
}

static void refused_by_all(zig_h3_handle client, const char *url, size_t len, int32_t code)
{
    zig_h3_fetch_config fetch = fetching("");
    zig_h3_session_config session = opening("");
    fetch.url = session.url = url;
    fetch.url_len = session.url_len = len;
    made = 77;
    SAME(zig_h3_client_fetch(client, &fetch, &made), code);
    SAME(zig_h3_client_open_webtransport(client, &session, &made), code);
    SAME(zig_h3_client_connect(client, url, len, 0, &made), code);
    SAME(made, 77);
}

/* What a fetch ends with that was asked for with this: at once, or by its FETCH_DONE. */
static int32_t outcome(zig_h3_handle client, const zig_h3_fetch_config *config)
{
    made = 0;
    const int32_t code = zig_h3_client_fetch(client, config, &made);
    return code != 0 ? code : end_of(made).code;
}

static void arguments(void)
{
    static uint8_t large[(64 << 10) + 8];
    zig_h3_handle client = 0, out = 77;
    zig_h3_client_config config = {.size = sizeof config};
    static const char *const no_options[] = {" ", "null", "[]", "{", "{}{}", "{\"no\": 1}", "{\"max_connections\": 0}", "{\"max_connections\": \"1\"}",
                                             "{\"hosts\": {\"h\": \"\"}}", "{\"cert_path\": \"/\"}", "{\"roots\": \"x\"}", "{\"insecure\": true, \"insecure\": true}"};
    for (size_t i = 0; i < sizeof no_options / sizeof *no_options; i++) {
        config.options = no_options[i];
        config.options_len = strlen(no_options[i]);
        const int32_t code = zig_h3_client_new(&config, queue, &out);
        HOLDS(code == ZIG_H3_ERR_CONFIG || code == ZIG_H3_ERR_CERTIFICATE);
        HOLDS(strlen(zig_h3_last_error()) > 0);
    }
    config = (zig_h3_client_config){.size = sizeof config, .options_len = 1};
    SAME(zig_h3_client_new(&config, queue, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    config = (zig_h3_client_config){.size = sizeof config, .reserved = 1};
    SAME(zig_h3_client_new(&config, queue, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    for (uint32_t size = 0; size < sizeof config; size++) {
        config = (zig_h3_client_config){.size = size};
        SAME(zig_h3_client_new(&config, queue, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    }
    config = (zig_h3_client_config){.size = UINT32_MAX};
    SAME(zig_h3_client_new(&config, queue, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_client_new(NULL, queue, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_client_new(NULL, 0, &out), ZIG_H3_ERR_INVALID_HANDLE);
    SAME(out, 77);
    SAME(zig_h3_client_new(NULL, queue, &client), 0); /* the defaults */
    SAME(zig_h3_client_new(NULL, client, &out), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_client_free(client), 0);
    end_of(client);

    client = client_with(patient);
    for (size_t i = 0; i < sizeof no_urls / sizeof *no_urls; i++)
        refused_by_all(client, no_urls[i], strlen(no_urls[i]), ZIG_H3_ERR_INVALID_ARGUMENT);
    refused_by_all(client, NULL, 0, ZIG_H3_ERR_INVALID_ARGUMENT);
    refused_by_all(client, NULL, 9, ZIG_H3_ERR_INVALID_ARGUMENT);
    memset(large, 'x', sizeof large);
    memcpy(large, "https://h/", 10);
    refused_by_all(client, (const char *)large, sizeof large, ZIG_H3_ERR_TOO_LARGE);
    refused_by_all(client, (const char *)large, SIZE_MAX, ZIG_H3_ERR_TOO_LARGE);
    refused_by_all(client, "https://h/\0", 11, ZIG_H3_ERR_INVALID_ARGUMENT);

    zig_h3_fetch_config fetch;
    zig_h3_session_config session;
    for (uint32_t size = 0; size < 88; size++) {
        fetch = fetching(silent);
        session = opening(silent);
        fetch.size = session.size = size;
        SAME(zig_h3_client_fetch(client, &fetch, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
        if (size < 64)
            SAME(zig_h3_client_open_webtransport(client, &session, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    }
    for (uint32_t flag = 8; flag != 0; flag <<= 1) {
        fetch = fetching(silent);
        session = opening(silent);
        fetch.flags = session.flags = flag;
        SAME(zig_h3_client_fetch(client, &fetch, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
        SAME(zig_h3_client_open_webtransport(client, &session, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    }
    static const char *const no_methods[] = {"", " ", "GET ", "G\xc3\xa4T", "CONNECT", "A\nB", "(", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < sizeof no_methods / sizeof *no_methods; i++) {
        fetch = fetching(silent);
        fetch.method = no_methods[i];
        SAME(zig_h3_client_fetch(client, &fetch, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    }
    static const size_t lengths[] = {1, 5, 6, 7, 65537, SIZE_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        fetch = fetching(silent);
        session = opening(silent);
        fetch.headers_len = session.headers_len = lengths[i]; /* of nothing */
        SAME(zig_h3_client_fetch(client, &fetch, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
        SAME(zig_h3_client_open_webtransport(client, &session, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
        fetch.headers = session.headers = large; /* names and values that end beyond the list, or one that is too long */
        const int32_t code = lengths[i] > 65536 ? ZIG_H3_ERR_TOO_LARGE : ZIG_H3_ERR_INVALID_ARGUMENT;
        SAME(zig_h3_client_fetch(client, &fetch, &out), code);
        SAME(zig_h3_client_open_webtransport(client, &session, &out), code);
    }
    fetch = fetching(silent);
    fetch.body_len = 1;
    SAME(zig_h3_client_fetch(client, &fetch, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    fetch.body = large;
    fetch.body_len = SIZE_MAX;
    SAME(zig_h3_client_fetch(client, &fetch, &out), ZIG_H3_ERR_TOO_LARGE);
    fetch = fetching(silent);
    fetch.collect = UINT64_MAX;
    SAME(zig_h3_client_fetch(client, &fetch, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_client_fetch(client, NULL, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_client_fetch(client, &fetch, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_client_open_webtransport(client, NULL, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_client_connect(client, silent, strlen(silent), 0, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_client_stats_snapshot(client, NULL, 1), ZIG_H3_ERR_INVALID_ARGUMENT);
    HOLDS(zig_h3_client_stats_name(UINT32_MAX) == NULL);
    SAME(out, 77);
    /* Nothing of all that has left a trace. */
    const int32_t count = zig_h3_client_stats_snapshot(client, values, 64);
    for (int32_t i = 0; i < count && i < 64; i++) {
        const char *name = zig_h3_client_stats_name((uint32_t)i);
        if (strcmp(name, "fetches_total") == 0 || strcmp(name, "fetches_active") == 0 || strcmp(name, "fetches_queued") == 0)
            SAME(values[i], 0);
    }
    for (size_t i = 0; i < sizeof no_hosts / sizeof *no_hosts; i++)
        ends_all(client, no_hosts[i], ZIG_H3_ERR_INVALID_ARGUMENT);
    /* Times as short and as long as there are. */
    fetch = fetching(silent);
    fetch.response_timeout_ms = 1;
    SAME(outcome(client, &fetch), ZIG_H3_ERR_TIMEOUT);
    fetch.response_timeout_ms = INT32_MIN;
    fetch.request_timeout_ms = 1;
    SAME(outcome(client, &fetch), ZIG_H3_ERR_TIMEOUT);
    fetch.request_timeout_ms = INT32_MAX;
    SAME(zig_h3_client_fetch(client, &fetch, &made), 0);
    SAME(zig_h3_client_close(client, INT32_MAX), 0);
    SAME(zig_h3_client_close(client, 1), 0); /* is shorter, and counts */
    SAME(end_of(made).code, ZIG_H3_ERR_SHUTDOWN);
    SAME(end_of(client).code, ZIG_H3_ERR_TIMEOUT); /* it was cut off */
}

/* ------------------------------------------------------------------------------------------------------------------- nobody there */

/* What is written to a fetch that never comes to a server. */
static void written(void)
{
    static const uint8_t body[3 << 20];
    const zig_h3_handle client = client_with(patient);
    zig_h3_fetch_config fetch = fetching(silent);
    zig_h3_handle upload = 0;
    fetch.flags = 0;
    MUST(zig_h3_client_fetch(client, &fetch, &upload));
    const int32_t code = zig_h3_request_write(upload, body, sizeof body, &taken);
    HOLDS(code == 0 || code == ZIG_H3_ERR_WOULD_BLOCK);
    SAME(taken, 1 << 20); /* the high-water mark */
    SAME(zig_h3_request_end(upload, NULL, 0), 0);
    SAME(zig_h3_request_write(upload, "x", 1, &taken), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_request_send_trailers(upload, NULL, 0), ZIG_H3_ERR_ENDED);
    HOLDS(zig_h3_request_send_datagram(upload, "x", 1, 0, 0) < 0);
    SAME(zig_h3_request_consumed(upload, 1), ZIG_H3_ERR_INVALID_ARGUMENT); /* nothing came */
    SAME(zig_h3_client_prioritize_fetch(upload, 0, 1), 0);
    SAME(zig_h3_client_cancel_fetch(upload), 0);
    const int32_t late = zig_h3_client_prioritize_fetch(upload, 0, 1);
    HOLDS(late == ZIG_H3_ERR_ENDED || late == ZIG_H3_ERR_STALE_HANDLE); /* its end may be in the queue */
    SAME(end_of(upload).code, ZIG_H3_ERR_CANCELLED);
    SAME(zig_h3_request_consumed(upload, 1), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_client_free(client), 0);
    SAME(end_of(client).code, 0);
}

/* How each thing ends where nobody is. */
static void nobody(void)
{
    const struct {
        const char *options, *url;
        int32_t code;
    } places[] = {
        {patient, refusing, ZIG_H3_ERR_REFUSED},
        {"{\"insecure\": true, \"connect_timeout_ms\": 100}", silent, ZIG_H3_ERR_CONNECT_TIMEOUT},
        {patient, "https://-/", ZIG_H3_ERR_RESOLVE},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const zig_h3_handle client = client_with(places[i].options);
        const zig_h3_fetch_config fetch = fetching(places[i].url);
        const zig_h3_session_config session = opening(places[i].url);
        zig_h3_handle handle = 0;
        zig_h3_event event;
        MUST(zig_h3_client_fetch(client, &fetch, &handle));
        event = end_of(handle);
        SAME(event.code, places[i].code);
        HOLDS(event.data_len > 0); /* why, in words */
        MUST(zig_h3_client_open_webtransport(client, &session, &handle));
        SAME(end_of(handle).code, places[i].code);
        MUST(zig_h3_client_connect(client, places[i].url, strlen(places[i].url), 5, &handle));
        event = end_of(handle);
        SAME(event.code, places[i].code);
        SAME(event.user_data, 5);
        SAME(zig_h3_client_free(client), 0);
        SAME(end_of(client).code, 0);
    }
}

/* --------------------------------------------------------------------------------------------------------------------- threads */

enum { THREADS = 8, CLIENTS = 4, ROUNDS = 3000, MOST = THREADS * ROUNDS };

static _Atomic uint64_t clients[CLIENTS];
static _Atomic uint64_t asked[MOST]; /* what was given out */
static _Atomic uint32_t asked_count, made_clients, wrong;
static _Atomic int running;

/* What a call may say while others end what it is about. */
static void may(int32_t code)
{
    switch (code) {
    case ZIG_H3_ERR_STALE_HANDLE: case ZIG_H3_ERR_WRONG_STATE: case ZIG_H3_ERR_ENDED: case ZIG_H3_ERR_WOULD_BLOCK: case ZIG_H3_ERR_QUEUE_FULL:
    case ZIG_H3_ERR_NOT_NEGOTIATED: case ZIG_H3_ERR_WRONG_KIND: case ZIG_H3_ERR_INVALID_HANDLE:
        break;
    default:
        if (code < 0) {
            printf("%s\n", zig_h3_error_name(code));
            atomic_fetch_add(&wrong, 1);
        }
    }
}

static void gave(int32_t code, const zig_h3_handle *handle)
{
    may(code);
    if (code == 0)
        atomic_store(&asked[atomic_fetch_add(&asked_count, 1)], *handle);
}

static void *player(void *argument)
{
    struct dice dice = {.state = (uintptr_t)argument};
    for (int i = 0; i < ROUNDS; i++) {
        _Atomic uint64_t *place = &clients[below(&dice, CLIENTS)];
        const zig_h3_handle client = atomic_load(place);
        const uint32_t count = atomic_load(&asked_count);
        const zig_h3_handle old = count == 0 ? 0 : atomic_load(&asked[below(&dice, count)]);
        const char *url = below(&dice, 4) ? silent : refusing;
        zig_h3_handle handle = 0, fresh;
        size_t n;
        switch (below(&dice, 16)) {
        case 0: case 1: case 2: {
            zig_h3_fetch_config config = fetching(url);
            config.flags = (uint32_t)below(&dice, 8);
            config.body = below(&dice, 2) ? "begin" : NULL;
            config.body_len = config.body == NULL ? 0 : 5;
            gave(zig_h3_client_fetch(client, &config, &handle), &handle);
            break;
        }
        case 3: {
            const zig_h3_session_config config = opening(url);
            gave(zig_h3_client_open_webtransport(client, &config, &handle), &handle);
            break;
        }
        case 4: gave(zig_h3_client_connect(client, url, strlen(url), 0, &handle), &handle); break;
        case 5: may(zig_h3_request_write(old, "more", 4, &n)); break;
        case 6: may(zig_h3_request_end(old, NULL, 0)); break;
        case 7: may(zig_h3_client_cancel_fetch(old)); break;
        case 8: may(zig_h3_client_prioritize_fetch(old, 7, 1)); break;
        case 9: may(zig_h3_request_reset(old, 5)); break;
        case 10: may(zig_h3_wt_close(old, 1, "bye", 3)); break;
        case 11: may(zig_h3_wt_send_datagram(old, "x", 1, 0, 0)); break;
        case 12: may(zig_h3_request_send_datagram(old, "x", 1, 0, 0)); break;
        case 13: may(zig_h3_client_stats_snapshot(client, values, 0)); break;
        case 14: may(zig_h3_flush()); break;
        default:
            if (below(&dice, 20) != 0)
                break;
            may(below(&dice, 2) ? zig_h3_client_free(client) : zig_h3_client_close(client, (int32_t)below(&dice, 20)));
            fresh = client_with(patient);
            atomic_fetch_add(&made_clients, 1);
            may(zig_h3_client_free(atomic_exchange(place, fresh)));
        }
    }
    atomic_fetch_sub(&running, 1);
    zig_h3_queue_wake(queue);
    return NULL;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Everything that was given out ends once, whoever has freed its client meanwhile. */
static void threads(uint64_t seed)
{
    static uint64_t ends[MOST + 1], given[MOST];
    uint32_t ended = 0, closed = 0;
    zig_h3_event event;
    pthread_t all_threads[THREADS];
    for (int i = 0; i < CLIENTS; i++)
        atomic_store(&clients[i], client_with(patient));
    atomic_store(&made_clients, CLIENTS);
    atomic_store(&running, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++)
        HOLDS(pthread_create(&all_threads[i], NULL, player, (void *)(uintptr_t)(seed + i)) == 0);
    int told = 0;
    while (atomic_load(&running) > 0 || closed < atomic_load(&made_clients)) {
        if (atomic_load(&running) == 0 && !told) {
            told = 1;
            for (int i = 0; i < CLIENTS; i++)
                may(zig_h3_client_free(atomic_load(&clients[i])));
        }
        if (zig_h3_next_event(queue, &event) != 1) {
            zig_h3_queue_wait(queue, 1000);
            continue;
        }
        closed += event.type == ZIG_H3_EVENT_CLIENT_CLOSED;
        if (terminal(&event) && ended < MOST)
            ends[ended++] = event.object;
    }
    for (int i = 0; i < THREADS; i++)
        HOLDS(pthread_join(all_threads[i], NULL) == 0);
    /* One that was asked for just when its client's end came may have its own behind that. */
    const uint32_t count = atomic_load(&asked_count);
    while (ended < count) {
        event = next();
        if (terminal(&event))
            ends[ended++] = event.object;
    }
    SAME(zig_h3_queue_wait(queue, 0), 0); /* nothing else */
    for (uint32_t i = 0; i < count; i++)
        given[i] = atomic_load(&asked[i]);
    qsort(ends, ended, sizeof *ends, by_number);
    qsort(given, count, sizeof *given, by_number);
    SAME(ended, count);
    HOLDS(memcmp(ends, given, count * sizeof *given) == 0);
    HOLDS(count > MOST / 10);
    SAME(atomic_load(&wrong), 0);
    uint32_t lives = 0;
    for (uint32_t i = 0; i < count; i++)
        lives += zig_h3_client_cancel_fetch(given[i]) != ZIG_H3_ERR_STALE_HANDLE && zig_h3_wt_close(given[i], 0, NULL, 0) != ZIG_H3_ERR_STALE_HANDLE;
    SAME(lives, 0);
    printf("%u asked for, %u clients\n", (unsigned)count, (unsigned)atomic_load(&made_clients));
}

int main(int argc, char **argv)
{
    const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)seed);
    fflush(stdout);
    alarm(200); /* what hangs fails */
    const int quiet = bound(silent, sizeof silent), gone = bound(refusing, sizeof refusing);
    close(gone);
    MUST(zig_h3_queue_new(NULL, &queue));
    handles();
    arguments();
    written();
    nobody();
    threads(seed);
    SAME(zig_h3_queue_free(queue), 0);
    close(quiet);
    return done();
}
