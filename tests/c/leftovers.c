/*
 * What a client leaves behind, counted: ten thousand fetches one after the other, a thousand at once, a thousand sessions on connections of their own.
 * Handles and goroutines are as many as before, to the one; memory has not grown beyond a bound that a leak of each would be far beyond; and a
 * fetch on a connection that is there has cost no handshake. H3_STRESS=1 makes it ten times as many. The library for this counts what the usual
 * one has no call for; it is built here.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

#include "asked.h"
#include "peer.h"

enum { SEQUENTIAL = 10000, AT_ONCE = 1000, SESSIONS = 1000, GROUP = 20 };

/* Of 12,000 fetches and sessions, at a KiB each, it would be 12 MiB. */
static const int64_t HEAP_MOST = 6 << 20, RESIDENT_MOST = 24 << 20;

static int32_t (*counts)(uint32_t what, uint64_t *count);

struct census {
    uint64_t goroutines, heap, handles;
    int64_t resident;
};

static uint64_t counted(uint32_t what)
{
    uint64_t count = 0;
    MUST(counts(what, &count));
    return count;
}

/* A number out of /proc/self/status, in the unit that it has there. */
static long status(const char *name)
{
    char line[256];
    long found = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0)
            found = strtol(line + strlen(name), NULL, 10);
    }
    if (file != NULL)
        fclose(file);
    return found;
}

static struct census census(void)
{
    struct census now = {.goroutines = counted(1), .heap = counted(2), .handles = counted(3)};
    now.resident = (int64_t)status("VmRSS:") << 10;
    return now;
}

/* Deals with what still comes of what has ended. */
static void drain(void)
{
    zig_h3_event event;
    while (zig_h3_next_event(queue, &event) == 1) {
        if (event.parent == server || event.object == server)
            serve_event(&event);
    }
    zig_h3_queue_wait(queue, 20);
}

/* Of a queue, a server, a client, and each end of their connection and of the fetch that holds it. */
enum { AT_REST = 7 };

/* What there is once all else has gone. */
static struct census resting(void)
{
    const time_t began = time(NULL);
    uint64_t goroutines = 0;
    for (int same = 0; same < 20 && time(NULL) - began < 60;) {
        drain();
        const uint64_t now = counted(1);
        same = now == goroutines && counted(3) == AT_REST ? same + 1 : 0;
        goroutines = now;
    }
    SAME(counted(3), AT_REST);
    return census();
}

/* Waits until there is as much as before: ends are told of behind the answer, and QUIC keeps something of connections for a moment. */
static void settles(const char *what, const struct census *before)
{
    const time_t began = time(NULL);
    struct census now;
    do {
        drain();
        now = census();
    } while ((now.goroutines != before->goroutines || now.handles != before->handles || now.heap > before->heap + HEAP_MOST) && time(NULL) - began < 60);
    SAME(now.goroutines, before->goroutines);
    SAME(now.handles, before->handles);
    HOLDS((int64_t)(now.heap - before->heap) < HEAP_MOST);
    HOLDS(now.resident - before->resident < RESIDENT_MOST);
    printf("%s: %llu handles, %llu goroutines, heap %+lld KiB, resident %+lld KiB\n", what, (unsigned long long)now.handles, (unsigned long long)now.goroutines,
           (long long)(now.heap - before->heap) / 1024, (long long)(now.resident - before->resident) / 1024);
}

static void one(const char *method, const char *path, const char *body)
{
    const struct got *got = fetch(method, path, body);
    SAME(got->code, 0);
    SAME(got->status, 200);
    SAME(zig_h3_client_cancel_fetch(got->handle), ZIG_H3_ERR_STALE_HANDLE);
}

static void sequential(int count)
{
    for (int i = 0; i < count; i++) {
        if (i % 3 == 2)
            one("POST", "/echo", "there and back");
        else
            one("GET", i % 3 ? "/bytes/3000" : "/hello", NULL);
    }
}

static int by_number(const void *a, const void *b)
{
    const zig_h3_handle x = *(const zig_h3_handle *)a, y = *(const zig_h3_handle *)b;
    return x < y ? -1 : x > y;
}

static void at_once(int times)
{
    static zig_h3_handle asked[AT_ONCE], ends[AT_ONCE];
    zig_h3_fetch_config config = asking("GET", "/bytes/3000", NULL, ZIG_H3_FETCH_END);
    config.collect = 4096;
    for (int round = 0; round < times; round++) {
        uint64_t body = 0;
        for (int i = 0; i < AT_ONCE; i++)
            MUST(zig_h3_client_fetch(client, &config, &asked[i]));
        for (int ended = 0; ended < AT_ONCE;) {
            const zig_h3_event event = step();
            if (event.parent != client)
                continue;
            body += event.type == ZIG_H3_EVENT_RESPONSE || event.type == ZIG_H3_EVENT_BODY ? event.data_len : 0;
            if (event.type == ZIG_H3_EVENT_FETCH_DONE) {
                SAME(event.code, 0);
                ends[ended++] = event.object;
            }
        }
        SAME(body, 3000 * AT_ONCE);
        qsort(asked, AT_ONCE, sizeof *asked, by_number);
        qsort(ends, AT_ONCE, sizeof *ends, by_number);
        HOLDS(memcmp(asked, ends, sizeof asked) == 0);
        for (int i = 0; i < AT_ONCE; i++)
            SAME(zig_h3_client_cancel_fetch(asked[i]), ZIG_H3_ERR_STALE_HANDLE);
    }
}

/* In groups, smaller than what QUIC's queue of connections that nobody has taken up yet holds (32); each says a word, has it back, and is closed. */
static void sessions(int count)
{
    const char *whole = url("/wt");
    const zig_h3_session_config config = {.size = sizeof config, .url = whole, .url_len = strlen(whole)};
    zig_h3_handle stream, ours[GROUP];
    size_t taken;
    for (int left = count; left > 0; left -= GROUP) {
        int closed_here = 0, closed_there = 0;
        for (int i = 0; i < GROUP; i++)
            MUST(zig_h3_client_open_webtransport(client, &config, &ours[i]));
        while (closed_here < GROUP || closed_there < GROUP) {
            const zig_h3_event event = step();
            switch (event.type) {
            case ZIG_H3_EVENT_SESSION_REQUEST:
                SAME(zig_h3_wt_accept(event.object, NULL, NULL, 0), 0);
                break;
            case ZIG_H3_EVENT_SESSION_OPENED:
                if (event.parent != client)
                    break;
                MUST(zig_h3_wt_open_stream(event.object, ZIG_H3_WT_BIDIRECTIONAL, 0, &stream));
                SAME(zig_h3_wt_stream_write(stream, "word", 4, &taken), 0);
                SAME(zig_h3_wt_stream_end(stream), 0);
                break;
            case ZIG_H3_EVENT_STREAM_DATA: {
                int mine = 0;
                for (int i = 0; i < GROUP; i++)
                    mine |= ours[i] == event.parent;
                if (!mine && event.data_len > 0)
                    SAME(zig_h3_wt_stream_write(event.object, event.data, event.data_len, &taken), 0);
                if (!mine && (event.flags & ZIG_H3_FLAG_END))
                    SAME(zig_h3_wt_stream_end(event.object), 0);
                if (mine && (event.flags & ZIG_H3_FLAG_END))
                    SAME(zig_h3_wt_close(event.parent, 0, NULL, 0), 0);
                break;
            }
            case ZIG_H3_EVENT_SESSION_CLOSED:
                SAME(event.code, 0);
                closed_here += event.parent == client;
                closed_there += event.parent == server;
                break;
            default:
                break;
            }
        }
        for (int i = 0; i < GROUP; i++)
            SAME(zig_h3_wt_close(ours[i], 0, NULL, 0), ZIG_H3_ERR_STALE_HANDLE);
    }
}

static void counting(int times)
{
    /* One connection for all fetches. That the end of one of the others is lost shows the idle timeout. */
    serve_routes("{\"idle_timeout_ms\": 15000, \"max_connections_per_address\": 1000}");
    client_with("{\"insecure\": true, \"max_connections_per_origin\": 1}");
    const zig_h3_fetch_config config = asking("GET", "/silent", NULL, ZIG_H3_FETCH_END);
    zig_h3_handle holding = 0; /* the connection */
    MUST(zig_h3_client_fetch(client, &config, &holding));
    UNTIL(silent != 0);
    /* What is kept for the next ones (pools, tables, this program's own) is there after some. */
    sequential(500);
    at_once(1);
    sessions(2 * GROUP);
    const struct census before = resting();
    const uint64_t connections = client_counter("connections_total"), accepted = counter("connections_total");
    const uint64_t pooled = client_counter("fetches_on_pooled_connection");

    sequential(times * SEQUENTIAL);
    settles("one after the other", &before);
    at_once(times);
    settles("at once", &before);
    /* Each went on the connection that was there; nobody has shaken hands for any, not even in vain. */
    SAME(client_counter("connections_total"), connections);
    SAME(client_counter("connects_failed") + client_counter("connects_pending"), 0);
    SAME(counter("connections_total"), accepted);
    SAME(counter("handshakes_failed") + counter("handshakes_pending"), 0);
    SAME(client_counter("fetches_on_pooled_connection"), pooled + (uint64_t)times * (SEQUENTIAL + AT_ONCE));

    sessions(times * SESSIONS);
    settles("sessions", &before);
    SAME(client_counter("connections_total"), connections + (uint64_t)times * SESSIONS);
    SAME(counter("connections_total"), accepted + (uint64_t)times * SESSIONS);
    SAME(client_counter("sessions_active") + client_counter("fetches_queued"), 0);
    SAME(client_counter("fetches_active"), 1);
    SAME(client_counter("fetches_failed"), 0);

    zig_h3_client_free(client);
    for (zig_h3_event event = {0}; closed == 0;) {
        event = step();
        if (event.type == ZIG_H3_EVENT_FETCH_DONE && event.object == holding)
            SAME(event.code, ZIG_H3_ERR_SHUTDOWN);
    }
    stop();
    for (int i = 0; i < 3000 && counted(3) != 0; i++) /* a queue is given back by a goroutine */
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    SAME(counted(3), 0);
}

int main(int argc, char **argv)
{
    const char *stress = getenv("H3_STRESS");
    char text[2 * PATH_MAX];
    *(void **)&counts = dlsym(RTLD_DEFAULT, "zig_h3_failpoint_count");
    if (counts == NULL && argc == 1) { /* once more, with the library that has it */
        snprintf(text, sizeof text, "cd '%s' && OUT=build/failpoint capi/build.sh -tags failpoint", root());
        if (system(text) == 0) {
            snprintf(text, sizeof text, "%s/build/failpoint/lib", root());
            setenv("LD_LIBRARY_PATH", text, 1);
            execl("/proc/self/exe", argv[0], "again", (char *)NULL);
        }
    }
    if (counts == NULL) {
        printf("there is no library that counts\n0 passed, 1 failed\n");
        return 1;
    }
    counting(stress != NULL && strcmp(stress, "1") == 0 ? 10 : 1);
    return done();
}
