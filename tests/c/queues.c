/*
 * A15: several queues of one server. Each hears of its start and stop, one is taken away while the server runs, one is freed and the others go
 * on, and one that nobody drains any more gets no new connection.
 */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "check.h"
#include "peer.h"

static zig_h3_handle server;
static uint16_t port;

static zig_h3_handle new_queue(void)
{
    zig_h3_queue_config config = {.size = sizeof config, .capacity = 512 << 10};
    zig_h3_handle queue;
    MUST(zig_h3_queue_new(&config, &queue));
    return queue;
}

/* A server that runs with two queues. */
static void serve(zig_h3_handle first, zig_h3_handle second)
{
    static const char options[] = "{\"receive_window\":4194304,\"stream_receive_window\":4194304,\"connection_receive_window\":4194304}";
    zig_h3_server_config config = {
        .size = sizeof config, .hostname = "127.0.0.1", .options = options, .options_len = sizeof options - 1,
    };
    MUST(zig_h3_server_new(&config, first, &server));
    MUST(zig_h3_server_add_queue(server, second));
    MUST(zig_h3_server_route(server, NULL, "/*", 0, 0, NULL));
    MUST(zig_h3_server_start(server));
    MUST(zig_h3_server_port(server, &port));
}

/* The next event of a queue that is not about connections or the ends of requests; type 0 when none came for so long. */
static zig_h3_event next(zig_h3_handle queue, int32_t ms)
{
    zig_h3_event event;
    for (;;) {
        while (zig_h3_next_event(queue, &event) == 1) {
            if (event.type != ZIG_H3_EVENT_CONN_OPENED && event.type != ZIG_H3_EVENT_CONN_CLOSED &&
                event.type != ZIG_H3_EVENT_STREAM_CLOSED && event.type != ZIG_H3_EVENT_BODY_END)
                return event;
        }
        if (zig_h3_queue_wait(queue, ms) != 1)
            return (zig_h3_event){0};
    }
}

static void hears(zig_h3_handle queue, uint16_t type, int32_t code, int line)
{
    const zig_h3_event event = next(queue, 20000);
    if (!check(event.type == type && event.object == server && event.code == code, __FILE__, line, zig_h3_event_name(type)))
        printf("    %s, code %d, instead\n", zig_h3_event_name(event.type), (int)event.code);
}

#define HEARS(queue, type, code) hears(queue, type, code, __LINE__)

/* A request, answered from this queue, whose connection is the next one in turn. */
static void answers(zig_h3_handle queue, int line)
{
    FILE *client = peer_start(port, "GET /");
    const zig_h3_event event = next(queue, 20000);
    check(event.type == ZIG_H3_EVENT_REQUEST, __FILE__, line, "a request comes to this queue");
    SAME(zig_h3_response_send(event.object, 200, NULL, 0, "hello", 5, 0), 0);
    check(strstr(peer_output(client), "body 5 hello\n") != NULL, __FILE__, line, "the client got the answer");
}

#define ANSWERS(queue) answers(queue, __LINE__)

static void taken_away(void)
{
    const zig_h3_handle first = new_queue(), second = new_queue(), third = new_queue();
    serve(first, second);
    HEARS(first, ZIG_H3_EVENT_SERVER_STARTED, 0);
    HEARS(second, ZIG_H3_EVENT_SERVER_STARTED, 0);
    ANSWERS(first);
    ANSWERS(second);
    SAME(zig_h3_server_remove_queue(server, third, 0), ZIG_H3_ERR_INVALID_ARGUMENT);
    /* A request of the first one is open, and has all the time that it wants. */
    FILE *client = peer_start(port, "GET /");
    const zig_h3_event open = next(first, 20000);
    SAME(open.type, ZIG_H3_EVENT_REQUEST);
    SAME(zig_h3_server_remove_queue(server, first, -1), 0);
    SAME(zig_h3_server_remove_queue(server, first, -1), ZIG_H3_ERR_INVALID_ARGUMENT);
    ANSWERS(second);
    ANSWERS(second);
    SAME(next(first, 100).type, 0);
    SAME(zig_h3_response_send(open.object, 200, NULL, 0, "late", 4, 0), 0);
    HOLDS(strstr(peer_output(client), "body 4 late\n") != NULL);
    HEARS(first, ZIG_H3_EVENT_SERVER_STOPPED, 0);
    /* The server does not notice. */
    uint16_t still = 0;
    SAME(zig_h3_server_port(server, &still), 0);
    SAME(still, port);
    ANSWERS(second);
    SAME(zig_h3_server_remove_queue(server, second, 0), ZIG_H3_ERR_WRONG_STATE);
    SAME(zig_h3_server_stop(server, 0), 0);
    HEARS(second, ZIG_H3_EVENT_SERVER_STOPPED, 0);
    SAME(zig_h3_server_port(server, &still), ZIG_H3_ERR_WRONG_STATE); /* though it could not be taken away, it is what was left */
    SAME(next(first, 100).type, 0);
    /* Of a server that does not run nothing more comes; the queue may come back. */
    SAME(zig_h3_server_add_queue(server, first), 0);
    SAME(zig_h3_server_remove_queue(server, second, 0), 0);
    SAME(zig_h3_server_start(server), 0);
    HEARS(first, ZIG_H3_EVENT_SERVER_STARTED, 0);
    SAME(next(second, 100).type, 0);
    SAME(zig_h3_server_port(server, &port), 0);
    ANSWERS(first);
    SAME(zig_h3_queue_free(second), 0);
    SAME(zig_h3_queue_free(third), 0);
    SAME(zig_h3_queue_free(first), 0);
    SAME(zig_h3_server_start(server), ZIG_H3_ERR_STALE_HANDLE);
}

/* What is pinned to a queue ends with it; its server lives as long as it has another one. */
static void freed(void)
{
    const zig_h3_handle first = new_queue(), second = new_queue();
    serve(first, second);
    HEARS(second, ZIG_H3_EVENT_SERVER_STARTED, 0);
    FILE *client = peer_start(port, "GET /");
    HEARS(first, ZIG_H3_EVENT_SERVER_STARTED, 0);
    SAME(next(first, 20000).type, ZIG_H3_EVENT_REQUEST);
    SAME(zig_h3_queue_free(first), 0);
    HOLDS(strstr(peer_output(client), "error ") != NULL);
    ANSWERS(second);
    ANSWERS(second);
    SAME(zig_h3_server_stop(server, 0), 0);
    HEARS(second, ZIG_H3_EVENT_SERVER_STOPPED, 0);
    SAME(zig_h3_server_start(server), 0);
    HEARS(second, ZIG_H3_EVENT_SERVER_STARTED, 0);
    SAME(zig_h3_server_port(server, &port), 0);
    ANSWERS(second);
    SAME(zig_h3_queue_free(second), 0);
    SAME(zig_h3_server_start(server), ZIG_H3_ERR_STALE_HANDLE);
}

/* Answers the next request of a queue; what the LOG says that came meanwhile, in *level. */
static void answer_next(zig_h3_handle queue, zig_h3_handle about, uint32_t *level)
{
    for (;;) {
        const zig_h3_event event = next(queue, 20000);
        if (event.type != ZIG_H3_EVENT_LOG) {
            SAME(event.type, ZIG_H3_EVENT_REQUEST);
            SAME(zig_h3_response_send(event.object, 200, NULL, 0, "hello", 5, 0), 0);
            return;
        }
        SAME(event.object, about);
        SAME(event.parent, server);
        SAME(*level, UINT32_MAX); /* it comes once */
        *level = event.status;
    }
}

static void abandoned(void)
{
    enum { UPLOAD = 4000000 }; /* eight times what the queue holds */
    const zig_h3_handle dead = new_queue(), alive = new_queue();
    uint32_t level = UINT32_MAX;
    serve(dead, alive);
    HEARS(alive, ZIG_H3_EVENT_SERVER_STARTED, 0);
    FILE *upload = peer_start(port, "POST / 4000000"), *clients[4];
    nanosleep(&(struct timespec){.tv_sec = 8}, NULL);
    for (int i = 0; i < 4; i++) {
        clients[i] = peer_start(port, "GET /");
        answer_next(alive, dead, &level);
        HOLDS(strstr(peer_output(clients[i]), "body 5 hello\n") != NULL);
    }
    SAME(level, ZIG_H3_LOG_WARN);
    /* Somebody is there again: the upload goes on, and every other connection comes here. */
    HEARS(dead, ZIG_H3_EVENT_SERVER_STARTED, 0);
    zig_h3_handle request = 0;
    for (uint64_t came = 0; came < UPLOAD;) {
        const zig_h3_event event = next(dead, 20000);
        if (!HOLDS(event.type == ZIG_H3_EVENT_REQUEST || event.type == ZIG_H3_EVENT_BODY))
            break;
        request = event.object;
        came += event.data_len;
        if (event.type == ZIG_H3_EVENT_BODY)
            SAME(zig_h3_request_consumed(request, event.data_len), 0);
    }
    SAME(zig_h3_response_send(request, 200, NULL, 0, "taken", 5, 0), 0);
    HOLDS(strstr(peer_output(upload), "body 5 taken\n") != NULL);
    level = UINT32_MAX;
    for (int i = 0; i < 2; i++)
        clients[i] = peer_start(port, "GET /");
    answer_next(dead, 0, &level);
    answer_next(alive, dead, &level);
    for (int i = 0; i < 2; i++)
        HOLDS(strstr(peer_output(clients[i]), "body 5 hello\n") != NULL);
    const zig_h3_event event = level == UINT32_MAX ? next(alive, 20000) : (zig_h3_event){.type = ZIG_H3_EVENT_LOG, .status = level};
    SAME(event.type, ZIG_H3_EVENT_LOG);
    SAME(event.status, ZIG_H3_LOG_INFO);
    SAME(zig_h3_queue_free(dead), 0);
    SAME(zig_h3_queue_free(alive), 0);
}

int main(void)
{
    peer_build("h3go");
    taken_away();
    freed();
    abandoned();
    return done();
}
