/*
 * What single calls cost from C, in nanoseconds: a poll of an empty queue, an event drained, a reply.
 *
 *     poll_bench [LOAD]
 *
 * LOAD is the program of tests/peers/load; with it the requests are real ones, which queue up while this thread sleeps, and one line
 * of JSON is printed. Without it only the empty polls are timed, and the last line is "N passed, N failed": nothing here judges a
 * time.
 */
#define _POSIX_C_SOURCE 200809L
#include "zig_h3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POLLS 10000000
#define RUNS 5
#define WARM_BATCHES 20
#define BATCHES_MAX 4096
#define BATCH_MAX 65536

static zig_h3_handle queue, server;
static zig_h3_handle requests[BATCH_MAX];
static double drained[BATCHES_MAX], replied[BATCHES_MAX];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int32_t must(int32_t result)
{
    if (result < 0) {
        fprintf(stderr, "poll_bench: %s: %s\n", zig_h3_error_name(result), zig_h3_last_error());
        exit(1);
    }
    return result;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, ascending);
    return values[n / 2];
}

/* The cost of a call: the best of a few runs, since everything that disturbs makes it longer. */
static double empty_next_event(void)
{
    zig_h3_event event;
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        double start = now();
        for (int i = 0; i < POLLS / RUNS; i++)
            must(zig_h3_next_event(queue, &event));
        double each = (now() - start) / (POLLS / RUNS);
        best = each < best ? each : best;
    }
    return best;
}

static double empty_peek(void)
{
    zig_h3_queue_span span;
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        double start = now();
        for (int i = 0; i < POLLS / RUNS; i++)
            must(zig_h3_queue_peek(queue, 1024, &span));
        double each = (now() - start) / (POLLS / RUNS);
        best = each < best ? each : best;
    }
    return best;
}

/* Drains until there is nothing; the handles of requests are kept. Gives the number of events. */
static int drain(int *asked)
{
    zig_h3_event event;
    int events = 0;
    *asked = 0;
    while (must(zig_h3_next_event(queue, &event)) == 1) {
        events++;
        if (event.type == ZIG_H3_EVENT_REQUEST && *asked < BATCH_MAX)
            requests[(*asked)++] = event.object;
    }
    return events;
}

static uint16_t serve(void)
{
    zig_h3_server_config config = {.size = sizeof config, .hostname = "127.0.0.1"};
    uint16_t port;
    int asked;
    must(zig_h3_server_new(&config, queue, &server));
    must(zig_h3_server_route(server, "GET", "/", 0, 0, NULL));
    must(zig_h3_server_start(server));
    must(zig_h3_server_port(server, &port));
    while (must(zig_h3_queue_wait(queue, 100)) == 1)
        drain(&asked);
    return port;
}

static pid_t load(const char *program, uint16_t port)
{
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)port);
    pid_t child = fork();
    if (child == 0) {
        if (freopen("/dev/null", "w", stdout) != NULL)
            execl(program, program, "-addr", address, "-connections", "20", "-streams", "40", "-seconds", "4", (char *)NULL);
        _exit(127);
    }
    return child;
}

int main(int argc, char **argv)
{
    static const unsigned char headers[] = "\x0c\0\x0a\0\0\0content-typetext/plain";
    must(zig_h3_queue_new(NULL, &queue));
    uint16_t port = argc > 1 ? serve() : 0;
    double event_ns = empty_next_event(), peek_ns = empty_peek();
    if (argc < 2) {
        printf("empty next_event %.1f ns, empty peek %.1f ns\n2 passed, 0 failed\n", event_ns, peek_ns);
        return 0;
    }
    pid_t child = load(argv[1], port);
    int n = 0, status = 0;
    for (int batch = 0; waitpid(child, &status, WNOHANG) == 0; batch++) {
        nanosleep(&(struct timespec){.tv_nsec = 25000000}, NULL); /* meanwhile the queue fills */
        int asked;
        double start = now();
        int events = drain(&asked);
        double middle = now();
        for (int i = 0; i < asked; i++)
            must(zig_h3_response_send(requests[i], 200, headers, sizeof headers - 1, "hello world", 11,
                                      ZIG_H3_SEND_LATER | ZIG_H3_SEND_FORGET));
        double end = now();
        must(zig_h3_flush());
        if (batch >= WARM_BATCHES && asked >= 100 && n < BATCHES_MAX) {
            drained[n] = (middle - start) / events;
            replied[n++] = (end - middle) / asked;
        }
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || n == 0) {
        fprintf(stderr, "poll_bench: the load generator failed, or made too few requests\n");
        return 1;
    }
    printf("{\"empty_poll_ns\": %.2f, \"empty_peek_ns\": %.2f, \"drained_event_ns\": %.1f, \"reply_ns\": %.1f, \"batches\": %d}\n", event_ns,
           peek_ns, median(drained, n), median(replied, n), n);
    return 0;
}
