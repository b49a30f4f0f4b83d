/* In a child made by fork(), or without the C library by clone(), every call says so at once; the parent goes on as before, and a child that
 * calls exec() is none of it. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static zig_h3_handle queue, server;

static int in_child(void)
{
    zig_h3_handle out;
    zig_h3_event event;
    zig_h3_queue_span span;
    zig_h3_server_config config = {.size = sizeof config};
    uint64_t buffer[64];
    const void *base;
    size_t n;
    int32_t fd;
    uint16_t port;
    uint8_t hash[32];
    passed = failed = 0;
    SAME(zig_h3_queue_new(NULL, &out), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_queue_free(queue), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_next_event(queue, &event), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_next_events(queue, buffer, sizeof buffer, 1, &n), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_queue_map(queue, &base, &n), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_queue_peek(queue, 1, &span), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_queue_advance(queue, 0), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_queue_fd(queue, &fd), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_queue_arm(queue), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_queue_wait(queue, -1), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_queue_wake(queue), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_server_new(&config, queue, &out), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_server_free(server), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_server_add_queue(server, queue), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_server_route(server, "GET", "/x", 0, 0, NULL), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_server_start(server), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_server_stop(server, 0), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_server_port(server, &port), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_server_certificate_hash(server, hash), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_stats_snapshot(server, NULL, 0), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_request_consumed(1, 1), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_request_stop(1), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_response_send(1, 200, NULL, 0, NULL, 0, 0), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_response_status(1, 200), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_response_header(1, "a", 1, "b", 1), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_response_headers(1, NULL, 0), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_response_write(1, "a", 1, &n), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_response_end(1, NULL, 0), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_response_send_trailers(1, NULL, 0), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_response_reset(1, 0), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_server_send_quic_datagram(1, "a", 1, 0, 0), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_response_send_h3_datagram(1, "a", 1, 0, 0), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_wt_send_datagram(1, "a", 1, 0, 0), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_send_datagrams(NULL, 0, 0), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_wt_accept(1, NULL, NULL, 0), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_wt_reject(1, 403, NULL, 0, NULL, 0), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_wt_close(1, 0, NULL, 0), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_wt_drain(1), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_wt_export_keying_material(1, NULL, 0, NULL, 0, hash, 1), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_wt_max_datagram_size(1), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_wt_stats_snapshot(1, NULL, 0), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_wt_open_stream(1, 0, 0, &out), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_wt_stream_write(1, "a", 1, &n), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_wt_stream_end(1), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_wt_stream_reset(1, 0), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_wt_stream_stop(1, 0), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_wt_stream_consumed(1, 1), ZIG_H3_ERR_FORKED);
    SAME(zig_h3_wt_stream_priority(1, 0, 0), ZIG_H3_ERR_FORKED);
    HOLDS(zig_h3_wt_stats_name(0) == NULL);
    SAME(zig_h3_flush(), ZIG_H3_ERR_FORKED);
    HOLDS(strstr(zig_h3_last_error(), "fork") != NULL);
    HOLDS(strlen(zig_h3_version()) > 0);
    return failed == 0 && passed == 52 ? 0 : 1;
}

int main(void)
{
    zig_h3_server_config config = {.size = sizeof config, .hostname = "127.0.0.1"};
    zig_h3_event event;
    int status = -1;
    MUST(zig_h3_queue_new(NULL, &queue));
    MUST(zig_h3_server_new(&config, queue, &server));
    MUST(zig_h3_server_start(server));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(in_child());
    HOLDS(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);

    child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); /* nobody of whom pthread_atfork() knows */
    if (child == 0) {
        alarm(20);
        _exit(in_child());
    }
    HOLDS(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);

    SAME(zig_h3_next_event(queue, &event), 1);
    SAME(event.type, ZIG_H3_EVENT_SERVER_STARTED);
    SAME(zig_h3_server_route(server, "GET", "/x", 0, 0, NULL), 0);
    child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "exit 7", (char *)NULL);
        _exit(99);
    }
    HOLDS(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    SAME(zig_h3_server_free(server), 0);
    SAME(zig_h3_queue_wait(queue, 10000), 1);
    SAME(zig_h3_queue_free(queue), 0);
    return done();
}
