/*
 * Every function at random, from four threads at once, with live, stale, foreign and made-up handles, lengths and flags, while a client
 * that behaves badly (tests/peers/chaos) talks to one of the servers. Nothing may crash, every result is one that the header knows, and in
 * the end no object is left.
 *
 *     fuzz [SEED]
 *
 * H3_STRESS=1 makes it last two minutes.
 */
#define _DEFAULT_SOURCE
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "handles.h"
#include "peer.h"
#include "signal_stack.h"

enum { THREADS = 4 };

static _Atomic int over, clean;
static _Atomic uint64_t served, fetched, opened, streams, datagrams;
static uint16_t port;
static _Atomic uint64_t kept_server, kept_queue; /* what the client talks to */

static zig_h3_handle make_queue(struct dice *dice)
{
    zig_h3_queue_config config = {.size = sizeof config, .capacity = below(dice, 4) ? 512u << 10 : (uint32_t)roll(dice) & 0xfffff};
    zig_h3_handle queue = 0;
    int32_t result = zig_h3_queue_new(below(dice, 4) ? &config : NULL, &queue);
    note(result);
    if (result == 0)
        remember(dice, QUEUE, queue);
    return queue;
}

static zig_h3_handle make_server(struct dice *dice, zig_h3_handle queue, uint16_t at)
{
    static const char *const options[] = {"{}", "{\"max_incoming_streams\":16,\"high_water_mark\":4096,\"receive_window\":4096}",
                                          "{\"idle_timeout_ms\":500,\"request_timeout_ms\":200,\"quic_datagrams\":true}",
                                          "{\"quic_datagrams\":true,\"datagrams\":{\"outgoing\":2},\"webtransport\":{\"max_streams_bidi\":3,"
                                          "\"max_streams_uni\":3,\"max_data\":65536,\"decision_timeout_ms\":50}}",
                                          "{\"nonsense\":1}", "{"};
    const char *text = options[below(dice, at == 0 ? 6 : 4)];
    zig_h3_server_config config = {.size = sizeof config, .port = at, .hostname = "127.0.0.1", .options = text, .options_len = strlen(text)};
    zig_h3_handle server = 0;
    int32_t result = zig_h3_server_new(&config, queue, &server);
    note(result);
    if (result == 0)
        remember(dice, SERVER, server);
    return server;
}

static zig_h3_handle make_client(struct dice *dice, zig_h3_handle queue)
{
    static const char *const options[] = {"{\"insecure\":true}", "{\"insecure\":true,\"max_connections\":1,\"max_queued\":4,\"high_water_mark\":4096}",
                                          "{\"insecure\":true,\"idle_connection_ms\":20,\"quic_datagrams\":true,\"receive_window\":4096}",
                                          "{\"insecure\":true,\"connect_timeout_ms\":50,\"webtransport\":false}", "{}", "{\"nonsense\":1}"};
    const char *text = options[below(dice, 6)];
    zig_h3_client_config config = {.size = sizeof config, .options = text, .options_len = strlen(text)};
    zig_h3_handle client = 0;
    int32_t result = zig_h3_client_new(below(dice, 8) ? &config : NULL, queue, &client);
    note(result);
    if (result == 0)
        remember(dice, CLIENT, client);
    return client;
}

/* Asks a client for something, mostly of the server that the bad client talks to. */
static int32_t want(struct dice *dice, zig_h3_handle client)
{
    static const char *const methods[] = {NULL, "GET", "POST", "HEAD", "NO SUCH", "CONNECT"};
    static const char *const paths[] = {"/", "/echo", "/upload", "/wt", "", "/ "};
    uint8_t fields[8192];
    char url[64];
    zig_h3_handle made;
    const size_t n = list(dice, fields, sizeof fields);
    snprintf(url, sizeof url, "%s://127.0.0.1:%u%s", below(dice, 16) ? "https" : "http", below(dice, 16) ? (unsigned)port : (unsigned)below(dice, 70000),
             paths[below(dice, 6)]);
    int32_t result;
    if (below(dice, 4) == 0) {
        zig_h3_session_config config = {.size = sizeof config, .flags = (uint32_t)below(dice, 3), .url = url, .url_len = strlen(url), .headers = fields,
                                        .headers_len = n, .protocols = bytes, .protocols_len = below(dice, 4) ? 0 : below(dice, 100), .congestion_control = below(dice, 8) ? 0 : (uint32_t)below(dice, 5)};
        result = zig_h3_client_open_webtransport(client, &config, &made);
        if (result == 0)
            remember(dice, SESSION, made);
    } else {
        zig_h3_fetch_config config = {.size = sizeof config, .flags = (uint32_t)below(dice, below(dice, 8) ? 4 : 9), .method = methods[below(dice, 6)],
                                      .url = url, .url_len = strlen(url), .headers = fields, .headers_len = n, .body = bytes,
                                      .body_len = below(dice, 2) ? 0 : length(dice), .collect = below(dice, 2) ? 0 : below(dice, 1 << 20),
                                      .request_timeout_ms = (int32_t)below(dice, 300) - 1};
        result = zig_h3_client_fetch(client, &config, &made);
        if (result == 0)
            remember(dice, FETCH, made);
    }
    return result;
}

static int32_t route(struct dice *dice, zig_h3_handle server)
{
    static const char *const methods[] = {NULL, "GET", "POST", "NO SUCH"};
    static const char *const patterns[] = {"/*", "/echo", "/params/:a/:b", "/upload", "nothing", "/a/*/b"};
    uint32_t id;
    return zig_h3_server_route(server, methods[below(dice, 4)], patterns[below(dice, 6)], (uint32_t)below(dice, 9), roll(dice), &id);
}

/* What a host does with what it is told, most of the time: or no session would come to anything, as little as the players let live. */
static void react(struct dice *dice, uint32_t type, uint32_t len, zig_h3_handle object)
{
    zig_h3_handle stream;
    size_t taken;
    if (below(dice, 8) == 0)
        return;
    switch (type) {
    case ZIG_H3_EVENT_SESSION_REQUEST:
        note(zig_h3_wt_accept(object, below(dice, 4) ? NULL : "chat", NULL, 0));
        break;
    case ZIG_H3_EVENT_SESSION_OPENED:
        for (uint64_t n = below(dice, 4); n > 0; n--) {
            int32_t result = zig_h3_wt_open_stream(object, (uint32_t)below(dice, 2), (uint32_t)below(dice, 2), &stream);
            note(result);
            if (result != 0)
                continue;
            remember(dice, STREAM, stream);
            note(zig_h3_wt_stream_write(stream, bytes, length(dice), &taken));
            if (below(dice, 2))
                note(zig_h3_wt_stream_end(stream));
        }
        break;
    case ZIG_H3_EVENT_STREAM_DATA: /* echoed; on a unidirectional stream there is nobody to */
        note(zig_h3_wt_stream_write(object, bytes, len, &taken));
        note(zig_h3_wt_stream_consumed(object, len));
        break;
    case ZIG_H3_EVENT_BODY: /* of a response too */
        note(zig_h3_request_consumed(object, len));
        break;
    case ZIG_H3_EVENT_SESSION_DATAGRAM:
        note(zig_h3_wt_send_datagram(object, bytes, len, 0, 0));
        break;
    case ZIG_H3_EVENT_H3_DATAGRAM:
        note(zig_h3_response_send_h3_datagram(object, bytes, len, 0, ZIG_H3_SEND_LATER));
        break;
    case ZIG_H3_EVENT_QUIC_DATAGRAM:
        note(zig_h3_server_send_quic_datagram(object, bytes, len, 0, 0));
    }
}

static void learn(struct dice *dice, uint32_t type, uint32_t len, zig_h3_handle object)
{
    switch (type) {
    case ZIG_H3_EVENT_REQUEST:
        atomic_fetch_add(&served, 1);
        remember(dice, REQUEST, object);
        break;
    case ZIG_H3_EVENT_CONN_OPENED:
        remember(dice, CONN, object);
        break;
    case ZIG_H3_EVENT_SESSION_REQUEST:
        remember(dice, SESSION, object);
        break;
    case ZIG_H3_EVENT_RESPONSE:
        atomic_fetch_add(&fetched, 1);
        break;
    case ZIG_H3_EVENT_SESSION_OPENED:
        atomic_fetch_add(&opened, 1);
        break;
    case ZIG_H3_EVENT_STREAM_OPENED:
        atomic_fetch_add(&streams, 1);
        remember(dice, STREAM, object);
        break;
    case ZIG_H3_EVENT_SESSION_DATAGRAM:
    case ZIG_H3_EVENT_H3_DATAGRAM:
    case ZIG_H3_EVENT_QUIC_DATAGRAM:
        atomic_fetch_add(&datagrams, 1);
    }
    react(dice, type, len, object);
}

static int32_t drain(struct dice *dice, zig_h3_handle queue)
{
    static _Thread_local uint64_t buffer[sizeof bytes / 8]; /* holds any length() */
    zig_h3_event event;
    zig_h3_queue_span span;
    size_t used;
    int32_t n;
    switch (below(dice, 4)) {
    case 0: /* its payload is not looked at: another thread may drain this queue next */
        n = zig_h3_next_event(queue, &event);
        if (n == 1)
            learn(dice, event.type, event.data_len, event.object);
        return n;
    case 1:
        n = zig_h3_queue_peek(queue, (uint32_t)below(dice, 100), &span);
        note(n);
        return zig_h3_queue_advance(queue, n > 0 && below(dice, 2) ? span.bytes : roll(dice) >> below(dice, 64));
    default:
        n = zig_h3_next_events(queue, buffer, below(dice, 4) ? sizeof buffer : length(dice), (uint32_t)below(dice, 100), &used);
        const uint8_t *at = (const uint8_t *)buffer;
        for (int32_t i = 0; i < n; i++) {
            const zig_h3_record *record = (const zig_h3_record *)(const void *)at;
            learn(dice, record->type, record->data_len, record->object);
            at += (record->size + 63) & ~63u;
        }
        if (n > 0 && (size_t)(at - (const uint8_t *)buffer) != used)
            atomic_fetch_add(&unknown, 1);
        return n;
    }
}

static int32_t respond(struct dice *dice, zig_h3_handle request)
{
    uint8_t fields[8192];
    size_t n = list(dice, fields, sizeof fields), taken;
    const uint32_t status = below(dice, 8) ? 200 : (uint32_t)below(dice, 1000);
    switch (below(dice, 10)) {
    case 0: case 1:
        return zig_h3_response_send(request, status, fields, n, bytes, length(dice), (uint32_t)below(dice, below(dice, 8) ? 4 : 9));
    case 2:
        return zig_h3_response_status(request, status);
    case 3:
        return zig_h3_response_header(request, "x-one", below(dice, 6), "value", below(dice, 6));
    case 4:
        return zig_h3_response_headers(request, fields, n);
    case 5:
        return below(dice, 2) ? zig_h3_response_write(request, bytes, length(dice), &taken)
                              : zig_h3_request_write(request, bytes, length(dice), &taken);
    case 6:
        return below(dice, 2) ? zig_h3_response_end(request, bytes, length(dice)) : zig_h3_request_end(request, bytes, length(dice));
    case 7:
        return below(dice, 2) ? zig_h3_response_send_trailers(request, fields, n) : zig_h3_request_send_trailers(request, fields, n);
    case 8:
        switch (below(dice, 8)) {
        case 0:
            return zig_h3_response_reset(request, roll(dice) >> below(dice, 64));
        case 1:
            return zig_h3_request_reset(request, roll(dice) >> below(dice, 64));
        default:
            return zig_h3_request_consumed(request, below(dice, 2) ? length(dice) : roll(dice));
        }
    default:
        return zig_h3_request_stop(request);
    }
}

/* A list of datagrams for objects of any kind: well-formed, or cut. */
static int32_t send_many(struct dice *dice, uint32_t flags)
{
    uint64_t room[256];
    size_t n = 0;
    for (uint64_t datagrams = below(dice, 6); datagrams > 0; datagrams--) {
        zig_h3_datagram head = {.object = pick(dice, below(dice, 4) ? (enum kind)(CONN + below(dice, 3)) : FETCH), .len = (uint32_t)below(dice, 300)};
        if (n + sizeof head + head.len > sizeof room)
            break;
        memcpy((uint8_t *)room + n, &head, sizeof head);
        n += (sizeof head + head.len + 7) & ~(size_t)7;
    }
    if (n > 0 && below(dice, 8) == 0)
        n -= 1 + below(dice, n);
    return zig_h3_send_datagrams(room, n, flags);
}

static int32_t converse(struct dice *dice)
{
    uint8_t fields[8192];
    const size_t n = list(dice, fields, sizeof fields);
    const zig_h3_handle session = pick(dice, SESSION), stream = pick(dice, STREAM);
    const uint32_t flags = below(dice, 8) ? (uint32_t)below(dice, 2) * ZIG_H3_SEND_LATER : (uint32_t)roll(dice), age = (uint32_t)below(dice, 50);
    const uint32_t code = (uint32_t)roll(dice);
    uint64_t values[64];
    zig_h3_handle opened;
    size_t taken;
    int32_t result;
    switch (below(dice, 24)) {
    case 20: case 21: return want(dice, pick(dice, CLIENT));
    case 22: {
        char text[64];
        zig_h3_handle wish;
        const int len = snprintf(text, sizeof text, "https://127.0.0.1:%u", (unsigned)below(dice, 65536));
        const int32_t made = zig_h3_client_connect(pick(dice, CLIENT), text, (size_t)len, 1, &wish);
        if (made == 0)
            remember(dice, FETCH, wish);
        zig_h3_client_prioritize_fetch(pick(dice, FETCH), (uint32_t)below(dice, 9), (uint32_t)below(dice, 2));
        return below(dice, 2) ? made : zig_h3_client_cancel_fetch(pick(dice, FETCH));
    }
    case 23:
        zig_h3_client_stats_name((uint32_t)below(dice, 100));
        return zig_h3_client_stats_snapshot(pick(dice, CLIENT), values, below(dice, 65));
    case 0:
        return below(dice, 2) ? zig_h3_server_send_quic_datagram(pick(dice, CONN), bytes, length(dice), age, flags)
                              : zig_h3_conn_send_datagram(pick(dice, CONN), bytes, length(dice), age, flags);
    case 1:
        return below(dice, 2) ? zig_h3_response_send_h3_datagram(pick(dice, REQUEST), bytes, length(dice), age, flags)
                              : zig_h3_request_send_datagram(pick(dice, REQUEST), bytes, length(dice), age, flags);
    case 2: return zig_h3_wt_send_datagram(session, bytes, length(dice), age, flags);
    case 3: return send_many(dice, flags);
    case 4: return zig_h3_wt_accept(session, below(dice, 2) ? NULL : "chat", fields, n);
    case 5: return below(dice, 16) ? 0 : zig_h3_wt_reject(session, (uint32_t)below(dice, 700), fields, n, bytes, length(dice));
    case 6: return below(dice, 16) ? 0 : zig_h3_wt_close(session, code, (const char *)bytes, length(dice));
    case 7: return zig_h3_wt_drain(session);
    case 8: return zig_h3_wt_max_datagram_size(session);
    case 9:
        if (below(dice, 16))
            return zig_h3_wt_stats_snapshot(session, values, below(dice, 65));
        return zig_h3_wt_export_keying_material(session, bytes, below(dice, 300), bytes, below(dice, 300), values,
                                                below(dice, 8) ? below(dice, sizeof values + 1) : 4097);
    case 10:
        result = zig_h3_wt_open_stream(session, (uint32_t)below(dice, 3), (uint32_t)below(dice, 3), &opened);
        if (result == 0)
            remember(dice, STREAM, opened);
        return result;
    case 11: return zig_h3_wt_stream_write(stream, bytes, length(dice), &taken);
    case 12: return zig_h3_wt_stream_end(stream);
    case 13: return zig_h3_wt_stream_reset(stream, code);
    case 14: return zig_h3_wt_stream_stop(stream, code);
    case 15: return zig_h3_wt_stream_consumed(stream, below(dice, 2) ? length(dice) : roll(dice));
    case 16: return zig_h3_wt_stream_priority(stream, code, (int64_t)roll(dice));
    case 17: return zig_h3_wt_stream_write_atomic(stream, bytes, length(dice));
    case 18: return zig_h3_wt_stream_commit(stream);
    default: zig_h3_wt_stats_name((uint32_t)below(dice, 100)); return 0;
    }
}

static int32_t ask(struct dice *dice, zig_h3_handle queue, zig_h3_handle server)
{
    const void *base;
    size_t size;
    int32_t fd;
    uint16_t number;
    uint8_t hash[32];
    uint64_t values[64];
    switch (below(dice, 8)) {
    case 0: return zig_h3_queue_map(queue, &base, &size);
    case 1: {
        const int32_t result = zig_h3_queue_fd(queue, &fd);
        if (result == 0)
            close(fd);
        return result;
    }
    case 2: return zig_h3_queue_arm(queue);
    case 3: return zig_h3_queue_wake(queue);
    case 4: return zig_h3_queue_wait(queue, (int32_t)below(dice, 3));
    case 5: return zig_h3_server_port(server, &number);
    case 6: return zig_h3_server_certificate_hash(server, hash);
    default: return zig_h3_stats_snapshot(server, values, below(dice, 65));
    }
}

static void words(struct dice *dice)
{
    zig_h3_error_name((int32_t)roll(dice));
    zig_h3_event_name((uint32_t)roll(dice));
    zig_h3_struct_size((uint32_t)below(dice, 10));
    zig_h3_stats_name((uint32_t)below(dice, 100));
    zig_h3_free(zig_h3_alloc(length(dice)));
    if (zig_h3_abi_version() != ZIG_H3_ABI_VERSION || zig_h3_abi_minor() != ZIG_H3_ABI_MINOR || strlen(zig_h3_version()) == 0 || zig_h3_last_error() == NULL || zig_h3_last_refusal() > ZIG_H3_REFUSAL_QUEUE)
        atomic_fetch_add(&unknown, 1);
    note(zig_h3_flush());
}

/* What makes, starts and ends servers and queues: seldom, since each waits for the engine. */
static int32_t upheave(struct dice *dice)
{
    const zig_h3_handle queue = pick(dice, QUEUE), server = pick(dice, SERVER);
    if ((server == kept_server || queue == kept_queue) && below(dice, 32)) /* it shall live for a while */
        return 0;
    switch (below(dice, 14)) {
    case 10: case 11: make_client(dice, queue); return 0;
    case 12: return zig_h3_client_close(pick(dice, CLIENT), (int32_t)below(dice, 300) - 1);
    case 13: return zig_h3_client_free(pick(dice, CLIENT));
    case 0: make_queue(dice); return 0;
    case 1: make_server(dice, queue, 0); return 0;
    case 2: return zig_h3_server_start(server);
    case 3: return zig_h3_server_stop(server, (int32_t)below(dice, 300) - 1);
    case 4:
        return below(dice, 2) ? zig_h3_server_add_queue(server, queue)
                              : zig_h3_server_remove_queue(server, queue, (int32_t)below(dice, 300) - 1);
    case 5: case 6: return route(dice, server);
    case 7: return zig_h3_server_free(server);
    case 8: zig_h3_queue_collected(NULL, (void *)(uintptr_t)queue); return 0;
    default: return zig_h3_queue_free(queue);
    }
}

static void *player(void *argument)
{
    struct dice dice = {.state = (uint64_t)(uintptr_t)argument};
    const stack_t stack = signal_stack();
    while (!atomic_load(&over)) {
        uint64_t what = below(&dice, 1000);
        if (what < 4)
            note(upheave(&dice));
        else if (what < 20)
            words(&dice);
        else if (what < 120)
            note(ask(&dice, pick(&dice, QUEUE), pick(&dice, SERVER)));
        else if (what < 500)
            note(drain(&dice, pick(&dice, QUEUE)));
        else if (what < 850)
            note(respond(&dice, pick(&dice, below(&dice, 4) ? REQUEST : FETCH)));
        else
            note(converse(&dice));
    }
    atomic_fetch_add(&clean, same_signal_stack(&stack));
    return NULL;
}

/* Keeps a server at the client's port, whatever the players do to it. */
static void keep(struct dice *dice, double seconds)
{
    struct timespec began, now;
    clock_gettime(CLOCK_MONOTONIC, &began);
    zig_h3_handle server = 0, queue = 0, client = 0;
    uint16_t bound;
    uint32_t lives = 0;
    do {
        if (zig_h3_server_port(server, &bound) < 0 && zig_h3_server_start(server) < 0) {
            zig_h3_server_free(server);
            if (zig_h3_queue_arm(queue) == ZIG_H3_ERR_STALE_HANDLE || queue == 0)
                queue = make_queue(dice);
            server = make_server(dice, queue, port);
            atomic_store(&kept_server, server);
            atomic_store(&kept_queue, queue);
            zig_h3_server_route(server, NULL, "/*", (uint32_t)below(dice, 2), 1, NULL);
            if (++lives == 1 || below(dice, 8)) { /* else it does not know of sessions */
                zig_h3_server_route(server, NULL, "/wt", ZIG_H3_ROUTE_WEBTRANSPORT, 2, NULL);
                zig_h3_server_route(server, NULL, "/wt/*", ZIG_H3_ROUTE_WEBTRANSPORT, 3, NULL);
                zig_h3_server_route(server, "POST", "/datagrams", ZIG_H3_ROUTE_DATAGRAM, 4, NULL);
            }
            zig_h3_server_start(server);
        }
        if (zig_h3_client_stats_snapshot(client, NULL, 0) < 0)
            client = make_client(dice, queue);
        note(want(dice, client));
        /* The players' picks forget: what matters stays among them. */
        atomic_store(&pool[QUEUE][0], queue);
        atomic_store(&pool[CLIENT][0], client);
        usleep(2000);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - began.tv_sec) + (double)(now.tv_nsec - began.tv_nsec) / 1e9 < seconds);
}

static uint16_t free_port(void)
{
    zig_h3_handle queue, server;
    zig_h3_server_config config = {.size = sizeof config, .hostname = "127.0.0.1"};
    uint16_t found;
    MUST(zig_h3_queue_new(NULL, &queue));
    MUST(zig_h3_server_new(&config, queue, &server));
    MUST(zig_h3_server_start(server));
    MUST(zig_h3_server_port(server, &found));
    MUST(zig_h3_queue_free(queue));
    return found;
}

int main(int argc, char **argv)
{
    const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL);
    const char *stress = getenv("H3_STRESS");
    const stack_t stack = signal_stack();
    const double seconds = stress != NULL && strcmp(stress, "1") == 0 ? 120 : 4;
    struct dice dice = {.state = seed};
    printf("seed %llu\n", (unsigned long long)seed);
    memset(bytes, 'x', sizeof bytes);
    port = free_port();
    peer_build("chaos");
    char arguments[128];
    snprintf(arguments, sizeof arguments, "-port %u -seconds %g -seed %llu -connections 6", (unsigned)port, seconds, (unsigned long long)seed);
    FILE *client = peer_run("chaos", arguments);
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        HOLDS(pthread_create(&threads[i], NULL, player, (void *)(uintptr_t)roll(&dice)) == 0);
    keep(&dice, seconds);
    atomic_store(&over, 1);
    for (int i = 0; i < THREADS; i++)
        HOLDS(pthread_join(threads[i], NULL) == 0);

    SAME(clean, THREADS); /* every call was made there */
    HOLDS(same_signal_stack(&stack));

    const uint32_t count = atomic_load(&seen_count);
    HOLDS(count <= SEEN);
    for (uint32_t i = 0; i < count && i < SEEN; i++)
        zig_h3_queue_free(seen[i]); /* and with it its servers, and all they carry */
    printf("client: %s", peer_output(client));
    printf("%llu calls, %llu requests, %llu responses, %llu sessions, %llu streams, %llu datagrams, %u handles\n", (unsigned long long)calls,
           (unsigned long long)served, (unsigned long long)fetched, (unsigned long long)opened, (unsigned long long)streams, (unsigned long long)datagrams, count);
    HOLDS(served > 0 && fetched > 0);
    HOLDS(opened > 0 && streams > 0 && datagrams > 0);
    HOLDS(unknown == 0);
    uint32_t left = 0;
    for (int tries = 0; tries < 1000; tries++) { /* frees do not wait */
        left = 0;
        for (uint32_t i = 0; i < count && i < SEEN; i++)
            left += (uint32_t)live(seen[i]);
        if (left == 0)
            break;
        usleep(10000);
    }
    SAME(left, 0);
    zig_h3_handle queue;
    SAME(zig_h3_queue_new(NULL, &queue), 0); /* the library is as good as new */
    SAME(zig_h3_queue_free(queue), 0);
    return done();
}
