/*
 * A hostile host: eight threads make every call with every wrong handle (A04), parameters lie in memory that another process changes
 * meanwhile (A16), threads are cancelled in any call and come again (A11), signal handlers wake queues (A12). It has no peer but its own
 * clients, whose requests, sessions and streams its servers get, so that some handles are live at both ends. Nothing may crash or hang, every
 * result is one that the header knows, and in the end the library is as good as new.
 *
 *     hostile [SEED]
 *
 * H3_STRESS=1 makes it last a minute.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cancellable.h"
#include "check.h"
#include "handles.h"

enum { THREADS = 8, SHARED = 128 << 10 };

static uint8_t *shared;            /* what the other process changes: SHARED bytes for each thread, the last of which stay 0 */
static _Thread_local uint8_t *own; /* this thread's: results are written there, too */
static _Atomic int over;
static _Atomic uint32_t cancelled_threads, cancelled_inside;
static _Thread_local bool inside; /* a call that is no cancellation point */
static _Atomic uint64_t main_queue;
static _Atomic uint32_t ports[4];      /* of servers that were started last */
static _Atomic uint32_t came[KINDS];   /* how many objects of a kind events told of */

/* ---------------------------------------------------------------------------------------------------------------------- parameters */

static const void *memory(struct dice *dice) { return own + below(dice, 1024); }
static size_t span(struct dice *dice) { return below(dice, 4) ? below(dice, 200) : below(dice, below(dice, 64) ? 9000 : SHARED - 1024); }
static zig_h3_handle any(struct dice *dice)
{
    if (below(dice, 4) == 0) { /* one that will be given out next, or was before */
        const zig_h3_handle handle = pick(dice, (enum kind)below(dice, KINDS));
        return handle + ((below(dice, 5) - 2) << 20) + below(dice, 3) - 1;
    }
    return pick(dice, (enum kind)below(dice, KINDS));
}

/* A string: its end moves. */
static const char *text(struct dice *dice) { return (const char *)memory(dice); }

/* ---------------------------------------------------------------------------------------------------------------------------- calls */

static int32_t about_requests(struct dice *dice, zig_h3_handle handle)
{
    size_t taken;
    switch (below(dice, 11)) {
    case 0: return zig_h3_response_send(handle, (uint32_t)below(dice, 700), memory(dice), span(dice), memory(dice), span(dice), (uint32_t)below(dice, 5));
    case 1: return zig_h3_response_status(handle, (uint32_t)below(dice, 700));
    case 2: return zig_h3_response_header(handle, memory(dice), span(dice), memory(dice), span(dice));
    case 3: return zig_h3_response_headers(handle, memory(dice), span(dice));
    case 4: return zig_h3_response_write(handle, memory(dice), span(dice), &taken);
    case 5: return zig_h3_response_end(handle, memory(dice), span(dice));
    case 6: return zig_h3_response_send_trailers(handle, memory(dice), span(dice));
    case 7: return zig_h3_response_reset(handle, roll(dice));
    case 8: return zig_h3_request_consumed(handle, roll(dice));
    case 9: return zig_h3_request_stop(handle);
    default: return zig_h3_response_send_h3_datagram(handle, memory(dice), span(dice), 0, 0);
    }
}

static int32_t about_sessions(struct dice *dice, zig_h3_handle handle)
{
    size_t taken;
    uint64_t values[64];
    zig_h3_handle opened;
    switch (below(dice, 18)) {
    case 0: return zig_h3_wt_accept(handle, text(dice), memory(dice), span(dice));
    case 1: return zig_h3_wt_reject(handle, (uint32_t)below(dice, 700), memory(dice), span(dice), memory(dice), span(dice));
    case 2: return zig_h3_wt_close(handle, 1, memory(dice), span(dice));
    case 3: return zig_h3_wt_drain(handle);
    case 4: return zig_h3_wt_max_datagram_size(handle);
    case 5: return zig_h3_wt_stats_snapshot(handle, values, below(dice, 65));
    case 6: return zig_h3_wt_export_keying_material(handle, memory(dice), below(dice, 300), memory(dice), below(dice, 300), values, below(dice, sizeof values));
    case 7: return zig_h3_wt_open_stream(handle, (uint32_t)below(dice, 3), (uint32_t)below(dice, 3), &opened);
    case 8: return zig_h3_wt_stream_write(handle, memory(dice), span(dice), &taken);
    case 9: return zig_h3_wt_stream_write_atomic(handle, memory(dice), span(dice));
    case 10: return zig_h3_wt_stream_commit(handle);
    case 11: return zig_h3_wt_stream_end(handle);
    case 12: return zig_h3_wt_stream_reset(handle, (uint32_t)roll(dice));
    case 13: return zig_h3_wt_stream_stop(handle, (uint32_t)roll(dice));
    case 14: return zig_h3_wt_stream_consumed(handle, roll(dice));
    case 15: return zig_h3_wt_stream_priority(handle, 1, 1);
    case 16: return zig_h3_wt_send_datagram(handle, memory(dice), span(dice), 0, 0);
    default: return zig_h3_server_send_quic_datagram(handle, memory(dice), span(dice), 0, 0);
    }
}

static int32_t about_servers(struct dice *dice, zig_h3_handle handle)
{
    uint16_t port;
    uint8_t hash[32];
    uint64_t values[64];
    switch (below(dice, below(dice, 256) ? 4 : 9)) {
    case 0: return zig_h3_server_port(handle, &port);
    case 1: return zig_h3_server_certificate_hash(handle, hash);
    case 2: return zig_h3_stats_snapshot(handle, values, below(dice, 65));
    case 3: return zig_h3_flush();
    case 4: return zig_h3_server_start(handle);
    case 5: return zig_h3_server_stop(handle, 0);
    case 6: return zig_h3_server_free(handle);
    case 7: return zig_h3_server_add_queue(handle, any(dice));
    default: return zig_h3_server_route(handle, below(dice, 2) ? NULL : "GET", "/*", (uint32_t)below(dice, 9), 0, NULL);
    }
}

static void opened(struct dice *dice, enum kind kind, zig_h3_handle handle)
{
    remember(dice, kind, handle);
    atomic_fetch_add(&came[kind], 1);
}

/* What an event tells of can be named from now on. Another thread may have taken the queue's next event by now, so nothing is read of its payload. */
static void hear(struct dice *dice, const zig_h3_event *event)
{
    switch (event->type) {
    case ZIG_H3_EVENT_CONN_OPENED:
        opened(dice, CONN, event->object);
        break;
    case ZIG_H3_EVENT_REQUEST:
        opened(dice, REQUEST, event->object);
        if (below(dice, 2))
            note(zig_h3_response_send(event->object, 200, NULL, 0, memory(dice), span(dice), (uint32_t)below(dice, 2)));
        break;
    case ZIG_H3_EVENT_SESSION_REQUEST:
        opened(dice, SESSION, event->object);
        if (below(dice, 4))
            note(zig_h3_wt_accept(event->object, NULL, NULL, 0));
        break;
    case ZIG_H3_EVENT_STREAM_OPENED:
        opened(dice, STREAM, event->object);
        break;
    case ZIG_H3_EVENT_SESSION_OPENED: /* of either end */
        for (uint32_t i = 0; i < 2; i++) {
            zig_h3_handle stream;
            if (zig_h3_wt_open_stream(event->object, i, 0, &stream) == 0)
                remember(dice, STREAM, stream);
        }
        break;
    default:
        break;
    }
}

static int32_t about_queues(struct dice *dice, zig_h3_handle handle)
{
    static _Thread_local uint64_t room[2048];
    zig_h3_event event;
    zig_h3_queue_span where;
    const void *base;
    size_t size;
    int32_t fd, code;
    switch (below(dice, 11)) {
    case 0:
        for (int i = 0; (code = zig_h3_next_event(handle, &event)) == 1 && i < 100; i++)
            hear(dice, &event);
        return code;
    case 1: return zig_h3_next_events(handle, room, below(dice, sizeof room), (uint32_t)below(dice, 100), &size);
    case 2: return zig_h3_queue_peek(handle, (uint32_t)below(dice, 100), &where);
    case 3: return zig_h3_queue_advance(handle, roll(dice) >> below(dice, 64));
    case 4: return zig_h3_queue_map(handle, &base, &size);
    case 5:
        code = zig_h3_queue_fd(handle, &fd);
        inside = false;
        if (code == 0)
            close(fd);
        return code;
    case 6: return zig_h3_queue_arm(handle);
    case 7: inside = false; return zig_h3_queue_wait(handle, (int32_t)below(dice, 5));
    case 8: return zig_h3_queue_wake(handle);
    case 9: return zig_h3_send_datagrams(own + below(dice, 1024), span(dice), (uint32_t)below(dice, 2));
    default: return below(dice, 256) ? 0 : zig_h3_queue_free(handle);
    }
}

/* A URL of one of the servers most often, else what is in memory that changes. */
static size_t url(struct dice *dice, char *to, size_t size, const char **at)
{
    *at = to;
    if (below(dice, 8) == 0) {
        *at = text(dice);
        return span(dice);
    }
    const uint32_t port = atomic_load(&ports[below(dice, sizeof ports / sizeof *ports)]);
    return (size_t)snprintf(to, size, "https://127.0.0.1:%u/%s", (unsigned)port, below(dice, 2) ? "wt" : "x");
}

static int32_t about_clients(struct dice *dice, zig_h3_handle handle)
{
    char own_url[64];
    uint64_t values[64];
    zig_h3_handle made = 0;
    int32_t code;
    switch (below(dice, below(dice, 256) ? 7 : 9)) {
    case 0: {
        zig_h3_fetch_config config = {
            .size = sizeof config, .flags = (uint32_t)(below(dice, 4) ? ZIG_H3_FETCH_END : below(dice, 5)), .method = below(dice, 4) ? "POST" : text(dice),
            .headers = memory(dice), .headers_len = below(dice, 4) ? 0 : span(dice), .body = memory(dice), .body_len = below(dice, 2) ? 0 : span(dice),
            .collect = below(dice, 2) ? 0 : roll(dice) >> below(dice, 64), .response_timeout_ms = (int32_t)below(dice, 300) - 1,
        };
        config.url_len = url(dice, own_url, sizeof own_url, &config.url);
        code = zig_h3_client_fetch(handle, &config, &made);
        if (code == 0)
            remember(dice, FETCH, made);
        return code;
    }
    case 1: {
        zig_h3_session_config config = {
            .size = sizeof config, .flags = (uint32_t)below(dice, 2), .headers = memory(dice), .headers_len = below(dice, 4) ? 0 : span(dice),
            .protocols = memory(dice), .protocols_len = below(dice, 4) ? 0 : span(dice),
        };
        config.url_len = url(dice, own_url, sizeof own_url, &config.url);
        code = zig_h3_client_open_webtransport(handle, &config, &made);
        if (code == 0)
            remember(dice, SESSION, made);
        return code;
    }
    case 2: return zig_h3_client_cancel_fetch(handle);
    case 3: return zig_h3_client_stats_snapshot(handle, values, below(dice, 65));
    case 4: return zig_h3_request_write(handle, memory(dice), span(dice), &(size_t){0});
    case 5: {
        const char *at;
        const size_t len = url(dice, own_url, sizeof own_url, &at);
        code = zig_h3_client_connect(handle, at, len, 0, &made);
        if (code == 0)
            remember(dice, FETCH, made);
        return code;
    }
    case 6: return zig_h3_client_prioritize_fetch(handle, (uint32_t)below(dice, 9), (uint32_t)below(dice, 2));
    case 7: return zig_h3_client_close(handle, (int32_t)below(dice, 100) - 1);
    default: return zig_h3_client_free(handle);
    }
}

/* Few connections: handshakes would take all the time that there is. */
static const char insecure[] = "{\"insecure\": true, \"max_connections\": 4, \"max_connections_per_origin\": 2, \"max_queued\": 64}";

static void make_client(struct dice *dice, zig_h3_handle queue)
{
    zig_h3_handle client = 0;
    zig_h3_client_config config = {.size = sizeof config, .options = insecure, .options_len = sizeof insecure - 1};
    if (below(dice, 8) == 0) {
        config.options = text(dice);
        config.options_len = below(dice, 50);
    }
    const int32_t code = zig_h3_client_new(&config, queue, &client);
    note(code);
    if (code == 0)
        remember(dice, CLIENT, client);
}

static void make(struct dice *dice)
{
    zig_h3_handle queue = 0, server = 0;
    uint16_t port = 0;
    if (zig_h3_queue_new(NULL, &queue) == 0)
        remember(dice, QUEUE, queue);
    zig_h3_server_config config = {.size = sizeof config, .hostname = "127.0.0.1", .options = (const char *)memory(dice),
                                   .options_len = below(dice, 4) ? 0 : below(dice, 50)};
    int32_t code = zig_h3_server_new(&config, queue, &server);
    note(code);
    if (code == 0) {
        remember(dice, SERVER, server);
        note(zig_h3_server_route(server, NULL, "/*", 0, 0, NULL));
        note(zig_h3_server_route(server, NULL, "/wt", ZIG_H3_ROUTE_WEBTRANSPORT, 0, NULL));
        note(zig_h3_server_start(server));
        if (zig_h3_server_port(server, &port) == 0)
            atomic_store(&ports[below(dice, sizeof ports / sizeof *ports)], port);
    }
    make_client(dice, queue);
}

/* Makes any call. */
static void play(struct dice *dice)
{
    const bool right = below(dice, 4) == 0; /* kind of handle: what lives goes on, and there is something to do wrong */
    const zig_h3_handle handle = any(dice);
    inside = true;
    switch (below(dice, below(dice, 1000) ? 5 : 6)) {
    case 0: note(about_requests(dice, handle)); break;
    case 1: note(about_sessions(dice, handle)); break;
    case 2: note(about_servers(dice, handle)); break;
    case 3: note(about_queues(dice, right ? pick(dice, QUEUE) : handle)); break;
    case 4: note(about_clients(dice, right ? pick(dice, CLIENT) : handle)); break;
    default: make(dice);
    }
    inside = false;
}

static uint64_t seeds[THREADS + 1];

static void *player(void *argument)
{
    const uintptr_t number = (uintptr_t)argument;
    struct dice dice = {.state = seeds[number]};
    own = shared + number * SHARED;
    while (!atomic_load(&over))
        play(&dice);
    return NULL;
}

/* ThreadSanitizer is blind to all that a thread does once it was cancelled in poll(), also to its giving the queue back: there it is only
 * cancelled between two calls. tests/c/cancelled.c has the rest. */
#ifdef __SANITIZE_THREAD__
#define CANCELLED_ASLEEP PTHREAD_CANCEL_DISABLE
#else
#define CANCELLED_ASLEEP PTHREAD_CANCEL_ENABLE
#endif

static void cancelled(void *unused)
{
    frames_are_gone(unused);
    if (inside)
        atomic_fetch_add(&cancelled_inside, 1);
}

/* Waits, and makes any call; is cancelled where it waits or between two calls. */
static void *victim(void *argument)
{
    struct dice dice = {.state = (uint64_t)(uintptr_t)argument};
    own = shared + THREADS * SHARED;
    pthread_cleanup_push(cancelled, NULL);
    for (int before;;) {
        pthread_setcancelstate(CANCELLED_ASLEEP, &before);
        note(zig_h3_queue_wait(below(&dice, 2) ? atomic_load(&main_queue) : any(&dice), (int32_t)below(&dice, 50)));
        for (int i = 0; i < 20; i++)
            play(&dice);
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
        pthread_testcancel();
    }
    pthread_cleanup_pop(0);
    return NULL;
}

static void *executioner(void *argument)
{
    struct dice dice = {.state = seeds[(uintptr_t)argument]};
    while (!atomic_load(&over)) {
        pthread_t thread;
        void *result = NULL;
        if (pthread_create(&thread, NULL, victim, (void *)(uintptr_t)roll(&dice)) != 0)
            continue;
        usleep((useconds_t)below(&dice, 5000));
        pthread_kill(thread, SIGUSR1);
        pthread_cancel(thread);
        pthread_join(thread, &result);
        if (result == PTHREAD_CANCELED)
            atomic_fetch_add(&cancelled_threads, 1);
    }
    return NULL;
}

static void wake(int signal)
{
    (void)signal;
    zig_h3_queue_wake(atomic_load(&main_queue));
}

/* Another process, so that no sanitizer takes what it does for a race of the library's. */
static pid_t change(uint64_t seed)
{
    const pid_t parent = getpid(), child = fork();
    if (child == 0) {
        struct dice dice = {.state = seed};
        while (getppid() == parent) {
            for (int i = 0; i < 1000; i++) {
                uint8_t *of = shared + below(&dice, THREADS + 1) * SHARED;
                of[below(&dice, below(&dice, 2) ? SHARED - 1 : 1500)] = (uint8_t)(below(&dice, 2) ? below(&dice, 8) : roll(&dice));
            }
        }
        _exit(0);
    }
    return child;
}

/* A server, a client, a request of the one to the other and its answer. */
static void as_good_as_new(void)
{
    zig_h3_handle queue, server, client, fetch;
    zig_h3_event event = {0};
    uint16_t port;
    char text[64];
    const zig_h3_server_config serving = {.size = sizeof serving, .hostname = "127.0.0.1"};
    const zig_h3_client_config asking = {.size = sizeof asking, .options = insecure, .options_len = sizeof insecure - 1};
    MUST(zig_h3_queue_new(NULL, &queue));
    SAME(zig_h3_queue_wake(queue), 0);
    SAME(zig_h3_queue_wait(queue, -1), 0);
    MUST(zig_h3_server_new(&serving, queue, &server));
    MUST(zig_h3_server_route(server, "GET", "/", 0, 0, NULL));
    MUST(zig_h3_server_start(server));
    MUST(zig_h3_server_port(server, &port));
    MUST(zig_h3_client_new(&asking, queue, &client));
    const int len = snprintf(text, sizeof text, "https://127.0.0.1:%u/", (unsigned)port);
    const zig_h3_fetch_config config = {.size = sizeof config, .flags = ZIG_H3_FETCH_END, .url = text, .url_len = (size_t)len};
    MUST(zig_h3_client_fetch(client, &config, &fetch));
    while (event.type != ZIG_H3_EVENT_FETCH_DONE) {
        MUST(zig_h3_queue_wait(queue, -1)); /* the alarm ends that */
        while (event.type != ZIG_H3_EVENT_FETCH_DONE && zig_h3_next_event(queue, &event) == 1) {
            if (event.type == ZIG_H3_EVENT_REQUEST)
                SAME(zig_h3_response_send(event.object, 204, NULL, 0, NULL, 0, ZIG_H3_SEND_FORGET), 0);
        }
    }
    SAME(event.object, fetch);
    SAME(event.code, 0);
    SAME(event.status, 204);
    SAME(zig_h3_queue_free(queue), 0);
}

int main(int argc, char **argv)
{
    const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL);
    const char *stress = getenv("H3_STRESS");
    const unsigned seconds = stress != NULL && strcmp(stress, "1") == 0 ? 60 : 3;
    struct dice dice = {.state = seed};
    zig_h3_handle queue;
    printf("seed %llu\n", (unsigned long long)seed);
    fflush(stdout);
    shared = mmap(NULL, (THREADS + 1) * SHARED, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    HOLDS(shared != MAP_FAILED);
    const pid_t child = change(roll(&dice));
    HOLDS(child > 0);
    alarm(seconds + 150); /* what hangs fails */
    const struct sigaction action = {.sa_handler = wake, .sa_flags = SA_ONSTACK | SA_RESTART};
    SAME(sigaction(SIGUSR1, &action, NULL), 0);
    MUST(zig_h3_queue_new(NULL, &queue));
    atomic_store(&main_queue, queue);
    own = shared;
    for (int i = 0; i < 4; i++)
        make(&dice);
    for (int i = 0; i < THREADS + 1; i++)
        seeds[i] = roll(&dice);
    pthread_t threads[THREADS + 1];
    for (uintptr_t i = 0; i < THREADS + 1; i++)
        HOLDS(pthread_create(&threads[i], NULL, i < THREADS ? player : executioner, (void *)i) == 0);
    sleep(seconds);
    while (atomic_load(&came[CONN]) == 0 || atomic_load(&came[REQUEST]) == 0 || atomic_load(&came[SESSION]) == 0)
        sleep(1); /* the alarm ends that, too */
    atomic_store(&over, 1);
    for (int i = 0; i < THREADS + 1; i++)
        HOLDS(pthread_join(threads[i], NULL) == 0);
    HOLDS(kill(child, SIGKILL) == 0);
    HOLDS(waitpid(child, NULL, 0) == child);
    printf("%llu calls, %u threads cancelled, %u handles\n", (unsigned long long)calls, (unsigned)cancelled_threads, (unsigned)seen_count);
    printf("%u connections, %u requests, %u sessions, %u streams\n", (unsigned)came[CONN], (unsigned)came[REQUEST], (unsigned)came[SESSION],
           (unsigned)came[STREAM]);
    SAME(unknown, 0);
    HOLDS(cancelled_threads > 0);
    SAME(cancelled_inside, 0);
    for (uint32_t i = 0; i < seen_count && i < SEEN; i++)
        zig_h3_queue_free(seen[i]);
    zig_h3_queue_free(queue);
    as_good_as_new();
    return done();
}
