/* How clients end, from C: freed in the middle of everything, in any order, by any thread, and with nothing left. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <time.h>

#include "asked.h"

static void gone(zig_h3_handle old)
{
    zig_h3_handle out;
    uint64_t value;
    const zig_h3_fetch_config fetch_config = asking("GET", "/hello", NULL, ZIG_H3_FETCH_END);
    const zig_h3_session_config session_config = {.size = sizeof session_config, .url = fetch_config.url, .url_len = fetch_config.url_len};
    SAME(zig_h3_client_free(old), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_client_close(old, 0), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_client_fetch(old, &fetch_config, &out), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_client_open_webtransport(old, &session_config, &out), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_client_stats_snapshot(old, &value, 1), ZIG_H3_ERR_STALE_HANDLE);
}

/* Many at once, again and again: each ends once, and their slots serve the next. */
static void many(void)
{
    enum { ROUNDS = 6, AT_ONCE = 200 };
    static struct got *all[AT_ONCE];
    uint64_t highest = 0;
    for (int round = 0; round < ROUNDS; round++) {
        const zig_h3_fetch_config config = asking("GET", round % 2 ? "/bytes/3000" : "/hello", NULL, ZIG_H3_FETCH_END);
        for (int i = 0; i < AT_ONCE; i++) {
            all[i] = start(&config);
            const uint64_t index = all[i]->handle & 0xfffff;
            highest = index > highest ? index : highest;
        }
        for (int i = 0; i < AT_ONCE; i++) {
            SAME(ended(all[i])->code, 0);
            SAME(all[i]->body, round % 2 ? 3000 : 5);
        }
    }
    HOLDS(highest < 3 * AT_ONCE); /* theirs, those of the requests, and some: of all rounds it would be four times that */
    SAME(client_counter("fetches_total"), ROUNDS * AT_ONCE);
    SAME(client_counter("fetches_active"), 0);
    SAME(client_counter("fetches_queued"), 0);
    SAME(client_counter("fetches_failed"), 0);
    HOLDS(client_counter("connections_active") <= 6);
    HOLDS(client_counter("uptime_ms") < 120000);
}

/* Freed with a fetch that is not answered, an upload, a session and a fetch that nobody has taken up yet. */
static void in_the_middle(void)
{
    size_t taken;
    static char body[100000];
    const zig_h3_handle old = client;
    zig_h3_fetch_config config = asking("GET", "/silent", NULL, ZIG_H3_FETCH_END);
    silent = 0;
    silent_ended = 0;
    struct got *waiting = start(&config);
    config = asking("POST", "/sink", NULL, 0);
    struct got *upload = start(&config);
    SAME(zig_h3_request_write(upload->handle, body, sizeof body, &taken), 0);
    UNTIL(silent != 0 && sunk != 0);
    config = asking("POST", "/echo", NULL, ZIG_H3_FETCH_END);
    config.body = body;
    config.body_len = sizeof body;
    struct got *fresh = start(&config);
    SAME(zig_h3_client_free(client), 0);
    gone(old);
    ended(waiting);
    ended(upload);
    ended(fresh);
    SAME(waiting->code, ZIG_H3_ERR_SHUTDOWN);
    SAME(upload->code, ZIG_H3_ERR_SHUTDOWN);
    SAME(closed, 0); /* behind the ends of all */
    UNTIL(closed == 1);
    SAME(closed_code, 0);
    UNTIL(silent_ended == 1);
    SAME(zig_h3_request_write(upload->handle, "x", 1, &taken), ZIG_H3_ERR_STALE_HANDLE);
    gone(old);
}

/* Closed with time to finish, and with too little. */
static void in_time(void)
{
    client_with("{\"insecure\": true}");
    const zig_h3_handle old = client;
    zig_h3_fetch_config config = asking("GET", "/silent", NULL, ZIG_H3_FETCH_END);
    silent = 0;
    struct got *got = start(&config);
    UNTIL(silent != 0);
    SAME(zig_h3_client_close(client, -1), 0);
    struct got *late = start(&config); /* it takes no more */
    SAME(ended(late)->code, ZIG_H3_ERR_SHUTDOWN);
    SAME(zig_h3_response_send(silent, 200, NULL, 0, "at last", 7, ZIG_H3_SEND_FORGET), 0);
    UNTIL(closed == 1);
    SAME(got->done, 1);
    SAME(got->code, 0);
    HOLDS(strcmp(got->text, "at last") == 0);
    SAME(closed_code, 0);
    gone(old); /* without a free */

    client_with("{\"insecure\": true}");
    silent = 0;
    got = start(&config);
    UNTIL(silent != 0);
    SAME(zig_h3_client_close(client, 60000), 0);
    SAME(zig_h3_client_close(client, 20), 0); /* sooner */
    UNTIL(closed == 1);
    SAME(got->code, ZIG_H3_ERR_SHUTDOWN);
    SAME(closed_code, ZIG_H3_ERR_TIMEOUT);
}

/* Threads that ask while another one frees: what they were given ends, once. */
enum { THREADS = 4, EACH = 400 };
static zig_h3_handle given[THREADS][EACH];
static int given_count[THREADS];
static pthread_barrier_t together;

static void *asks(void *argument)
{
    const int self = (int)(intptr_t)argument;
    static const char body[5000];
    zig_h3_fetch_config config = {.size = sizeof config, .flags = ZIG_H3_FETCH_END, .method = "POST", .body = body, .body_len = sizeof body};
    char text[64];
    config.url = text;
    config.url_len = (size_t)snprintf(text, sizeof text, "https://127.0.0.1:%u/echo", (unsigned)port);
    pthread_barrier_wait(&together);
    for (int i = 0; i < EACH; i++) {
        const int32_t code = zig_h3_client_fetch(client, &config, &given[self][given_count[self]]);
        if (code == ZIG_H3_ERR_STALE_HANDLE)
            break;
        given_count[self] += code == 0;
    }
    return NULL;
}

static void by_threads(void)
{
    enum { TIMES = 10 };
    pthread_t threads[THREADS];
    for (int time = 0; time < TIMES; time++) {
        uint64_t done_count = 0, want = 0;
        client_with("{\"insecure\": true}");
        memset(given_count, 0, sizeof given_count);
        MUST(pthread_barrier_init(&together, NULL, THREADS + 1));
        for (int i = 0; i < THREADS; i++)
            MUST(pthread_create(&threads[i], NULL, asks, (void *)(intptr_t)i));
        pthread_barrier_wait(&together);
        nanosleep(&(struct timespec){.tv_nsec = 300000 * time}, NULL);
        SAME(zig_h3_client_free(client), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&together);
        for (int i = 0; i < THREADS; i++)
            want += (uint64_t)given_count[i];
        while (done_count < want || closed == 0) {
            const zig_h3_event event = step();
            done_count += event.type == ZIG_H3_EVENT_FETCH_DONE;
        }
        SAME(done_count, want);
        int live = 0;
        for (int i = 0; i < THREADS; i++) {
            for (int at = 0; at < given_count[i]; at++)
                live += zig_h3_client_cancel_fetch(given[i][at]) != ZIG_H3_ERR_STALE_HANDLE;
        }
        SAME(live, 0);
    }
}

/* A queue takes its clients along; a client may outlive the server that it talks to, and be freed before or after. */
static void with_the_queue(void)
{
    zig_h3_handle other, mine, out;
    const zig_h3_fetch_config config = asking("GET", "/silent", NULL, ZIG_H3_FETCH_END);
    const char *options = "{\"insecure\": true}";
    const zig_h3_client_config made = {.size = sizeof made, .options = options, .options_len = strlen(options)};
    MUST(zig_h3_queue_new(NULL, &other));
    MUST(zig_h3_client_new(&made, other, &mine));
    silent = 0;
    silent_ended = 0;
    MUST(zig_h3_client_fetch(mine, &config, &out));
    UNTIL(silent != 0);
    SAME(zig_h3_queue_free(other), 0);
    UNTIL(silent_ended == 1); /* the server hears of it */
    int tries = 0;
    while (zig_h3_client_free(mine) != ZIG_H3_ERR_STALE_HANDLE && tries++ < 1000)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    gone(mine);
    SAME(zig_h3_client_cancel_fetch(out), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_queue_free(other), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_client_new(&made, other, &mine), ZIG_H3_ERR_STALE_HANDLE);

    client_with(options);
    SAME(fetch("GET", "/hello", NULL)->code, 0);
    silent = 0;
    struct got *got = start(&config);
    UNTIL(silent != 0);
    server_stopped = 0;
    SAME(zig_h3_server_free(server), 0);
    UNTIL(got->done && server_stopped == 1);
    SAME(got->code, ZIG_H3_ERR_CLOSED);
    const zig_h3_handle old = client;
    SAME(zig_h3_client_free(client), 0);
    UNTIL(closed == 1);
    gone(old);
    SAME(zig_h3_queue_free(queue), 0);
}

int main(void)
{
    serve_routes("{}");
    client_with("{\"insecure\": true}");
    many();
    in_the_middle();
    in_time();
    by_threads();
    with_the_queue();
    return done();
}
