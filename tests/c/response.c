/*
 * The state machine of a response, from C: what each call does and refuses in each state, and what a client that is not ours sees of
 * it. Exactly one terminal event for each request.
 */
#define _POSIX_C_SOURCE 200809L
#include "peer.h"

static zig_h3_handle queue, server;
static uint16_t port;

/* Connections come and go unseen, and whether the end of a request without a body travels with its headers is the network's affair. */
static int passing(const zig_h3_event *event)
{
    return event->type == ZIG_H3_EVENT_CONN_OPENED || event->type == ZIG_H3_EVENT_CONN_CLOSED ||
           event->type == ZIG_H3_EVENT_SERVER_STARTED || (event->type == ZIG_H3_EVENT_BODY_END && event->aux == 0);
}

/* The next event about requests and bodies. */
static zig_h3_event next(void)
{
    zig_h3_event event;
    for (;;) {
        while (zig_h3_next_event(queue, &event) == 1) {
            if (!passing(&event))
                return event;
        }
        if (zig_h3_queue_wait(queue, 20000) != 1) {
            printf("no event came for 20 seconds\n%d passed, %d failed\n", passed, failed + 1);
            exit(1);
        }
    }
}

static zig_h3_event expect(uint16_t type)
{
    zig_h3_event event = next();
    if (event.type != type)
        printf("%s instead of %s\n", zig_h3_event_name(event.type), zig_h3_event_name(type));
    HOLDS(event.type == type);
    return event;
}

static FILE *ask(const char *arguments, zig_h3_handle *request)
{
    FILE *peer = peer_start(port, arguments);
    *request = expect(ZIG_H3_EVENT_REQUEST).object;
    return peer;
}

static void says(FILE *peer, const char *what)
{
    const char *output = peer_output(peer);
    if (!HOLDS(strstr(output, what) != NULL))
        printf("    no \"%s\" in: %s\n", what, output);
}

static zig_h3_event closes(zig_h3_handle request, int32_t code)
{
    zig_h3_event event = expect(ZIG_H3_EVENT_STREAM_CLOSED);
    SAME(event.object, request);
    SAME(event.code, code);
    SAME(zig_h3_response_end(request, NULL, 0), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_request_consumed(request, 0), ZIG_H3_ERR_STALE_HANDLE);
    return event;
}

static size_t pack(unsigned char *to, const char *name, const char *value)
{
    uint16_t n = (uint16_t)strlen(name);
    uint32_t v = (uint32_t)strlen(value);
    memcpy(to, &n, 2);
    memcpy(to + 2, &v, 4);
    memcpy(to + 6, name, n);
    memcpy(to + 6 + n, value, v);
    return 6u + n + v;
}

static void one_shot(void)
{
    zig_h3_handle request;
    unsigned char list[256];
    FILE *peer = ask("GET /", &request);
    SAME(zig_h3_response_send(request, 199, NULL, 0, NULL, 0, 0), ZIG_H3_ERR_BAD_HEADER);
    SAME(zig_h3_response_send(request, 600, NULL, 0, NULL, 0, 0), ZIG_H3_ERR_BAD_HEADER);
    static const char *const bad[][2] = {
        {"connection", "close"}, {"Keep-Alive", "1"}, {"transfer-encoding", "chunked"}, {"upgrade", "h2c"}, {"te", "gzip"},
        {"proxy-connection", "x"}, {":status", "200"}, {"", "x"}, {"a b", "x"}, {"a", "x\r\ny: z"}, {"a", "x\001"}, {"n\xc3\xa4me", "x"},
        {"a", "0123456789abcdef\x7f"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        SAME(zig_h3_response_send(request, 200, list, pack(list, bad[i][0], bad[i][1]), "x", 1, 0), ZIG_H3_ERR_BAD_HEADER);
    size_t n = pack(list, "X-Upper-Case", "  kept inside, not around\t");
    SAME(zig_h3_response_send(request, 200, list, n - 1, "x", 1, 0), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_response_send(request, 200, list, (64 << 10) + 1, "x", 1, 0), ZIG_H3_ERR_TOO_LARGE);
    n += pack(list + n, "te", "trailers");
    SAME(zig_h3_response_send(request, 201, list, n, "hello", 5, ZIG_H3_SEND_FORGET), 0);
    SAME(zig_h3_response_send(request, 200, NULL, 0, NULL, 0, 0), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_response_reset(request, 0x102), ZIG_H3_ERR_STALE_HANDLE);
    const char *output = peer_output(peer);
    HOLDS(strstr(output, "status 201\n") != NULL);
    HOLDS(strstr(output, "header x-upper-case: kept inside, not around\n") != NULL);
    HOLDS(strstr(output, "header content-length: 5\n") != NULL);
    HOLDS(strstr(output, "body 5 hello\n") != NULL);

    peer = ask("GET /", &request);
    SAME(zig_h3_response_send(request, 200, NULL, 0, "later", 5, ZIG_H3_SEND_LATER), 0);
    SAME(zig_h3_flush(), 0);
    SAME(closes(request, 0).status, 200);
    says(peer, "body 5 later\n");
}

/* An answer that was given and is still on its way: every call says that it has ended, except to give it up after all. */
static void on_its_way(void)
{
    enum { SIZE = 4 << 20 };
    zig_h3_handle request;
    size_t taken;
    char *body = calloc(1, SIZE);
    for (int parts = 0; parts < 2; parts++) {
        FILE *peer = ask("GET / 0 hold", &request);
        if (parts)
            SAME(zig_h3_response_end(request, body, SIZE), 0);
        else
            SAME(zig_h3_response_send(request, 200, NULL, 0, body, SIZE, 0), 0);
        SAME(zig_h3_response_send(request, 200, NULL, 0, NULL, 0, 0), ZIG_H3_ERR_ENDED);
        SAME(zig_h3_response_status(request, 200), ZIG_H3_ERR_ENDED);
        SAME(zig_h3_response_header(request, "a", 1, "b", 1), ZIG_H3_ERR_ENDED);
        SAME(zig_h3_response_headers(request, NULL, 0), ZIG_H3_ERR_ENDED);
        SAME(zig_h3_response_write(request, "x", 1, &taken), ZIG_H3_ERR_ENDED);
        SAME(zig_h3_response_end(request, NULL, 0), ZIG_H3_ERR_ENDED);
        SAME(zig_h3_response_send_trailers(request, NULL, 0), ZIG_H3_ERR_ENDED);
        if (parts) {
            SAME(zig_h3_response_reset(request, 0x102), 0);
            closes(request, ZIG_H3_ERR_CANCELLED);
            says(peer, "error H3_INTERNAL_ERROR true\n");
        } else {
            says(peer, "body 4194304 ");
            closes(request, 0);
        }
    }
    free(body);
}

/* A body that does not fit the ring goes by a chunk, whole. */
static void large(void)
{
    zig_h3_handle request;
    char *body = malloc(5u << 20);
    for (size_t i = 0; i < 5u << 20; i++)
        body[i] = 'x';
    FILE *peer = ask("GET /", &request);
    SAME(zig_h3_response_send(request, 200, NULL, 0, body, 5u << 20, 0), 0);
    const char *output = peer_output(peer);
    HOLDS(strstr(output, "body 5242880 sha256 ") != NULL);
    HOLDS(strstr(output, "error") == NULL);
    closes(request, 0);
    free(body);
}

static void in_parts(void)
{
    zig_h3_handle request;
    unsigned char list[256];
    size_t taken = 9;
    FILE *peer = ask("GET /", &request);
    SAME(zig_h3_response_status(request, 99), ZIG_H3_ERR_BAD_HEADER);
    SAME(zig_h3_response_status(request, 202), 0);
    SAME(zig_h3_response_send(request, 200, NULL, 0, NULL, 0, 0), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_response_header(request, "X-A", 3, "1", 1), 0);
    SAME(zig_h3_response_header(request, "bad name", 8, "1", 1), ZIG_H3_ERR_BAD_HEADER);
    size_t n = pack(list, "x-b", "2");
    size_t with_bad = n + pack(list + n, "connection", "close");
    SAME(zig_h3_response_headers(request, list, with_bad), ZIG_H3_ERR_BAD_HEADER);
    SAME(zig_h3_response_headers(request, list, n), 0);
    SAME(zig_h3_response_write(request, NULL, 0, &taken), 0);
    SAME(taken, 0);
    SAME(zig_h3_response_status(request, 200), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_response_header(request, "x-c", 3, "3", 1), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_response_headers(request, list, n), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_response_write(request, "one,", 4, &taken), 0);
    SAME(taken, 4);
    SAME(zig_h3_response_write(request, "two,", 4, &taken), 0);
    n = pack(list, "X-Sum", "42");
    SAME(zig_h3_response_send_trailers(request, list, pack(list, "te", "x")), ZIG_H3_ERR_BAD_HEADER);
    n = pack(list, "X-Sum", "42");
    SAME(zig_h3_response_send_trailers(request, list, n), 0);
    const char *output = peer_output(peer);
    HOLDS(strstr(output, "status 202\n") != NULL);
    HOLDS(strstr(output, "header x-a: 1\n") != NULL);
    HOLDS(strstr(output, "header x-b: 2\n") != NULL);
    HOLDS(strstr(output, "connection") == NULL);
    HOLDS(strstr(output, "body 8 one,two,\n") != NULL);
    HOLDS(strstr(output, "trailer x-sum: 42\n") != NULL);
    SAME(closes(request, 0).status, 202);

    peer = ask("GET /", &request);
    SAME(zig_h3_response_header(request, "x-a", 3, "1", 1), 0);
    SAME(zig_h3_response_end(request, "whole", 5), 0);
    output = peer_output(peer);
    HOLDS(strstr(output, "header content-length: 5\n") != NULL && strstr(output, "header x-a: 1\n") != NULL);
    closes(request, 0);

    peer = ask("GET /", &request);
    SAME(zig_h3_response_send_trailers(request, list, n), 0);
    says(peer, "trailer x-sum: 42\n");
    closes(request, 0);

    peer = ask("GET /", &request);
    unsigned char *huge = malloc(40000);
    memset(huge, 'a', 40000);
    SAME(zig_h3_response_header(request, "x", 1, (char *)huge, 40000), 0);
    SAME(zig_h3_response_header(request, "y", 1, (char *)huge, 40000), ZIG_H3_ERR_TOO_LARGE);
    SAME(zig_h3_response_header(request, "y", 1, (char *)huge, 70000), ZIG_H3_ERR_TOO_LARGE);
    SAME(zig_h3_response_headers(request, list, SIZE_MAX - 100), ZIG_H3_ERR_TOO_LARGE); /* with what is there more than SIZE_MAX */
    SAME(zig_h3_response_end(request, NULL, 0), 0);
    says(peer, "status 200\n");
    closes(request, 0);
    free(huge);
}

/* S-cases: what is taken stops at the mark, WRITABLE comes once for each refusal, everything arrives. */
static void credit(void)
{
    enum { TOTAL = 8 << 20, MARK = 64 << 10 };
    zig_h3_handle request;
    char *body = malloc(TOTAL);
    memset(body, 'x', TOTAL);
    size_t sent = 0, taken, most = 0;
    int refused = 0, writable = 0;
    FILE *peer = ask("GET /", &request);
    while (sent < TOTAL) {
        int32_t result = zig_h3_response_write(request, body + sent, TOTAL - sent, &taken);
        if (result != 0 && result != ZIG_H3_ERR_WOULD_BLOCK) {
            SAME(result, 0);
            break;
        }
        HOLDS((result == 0) == (taken > 0));
        most = taken > most ? taken : most;
        sent += taken;
        if (sent < TOTAL) {
            refused++;
            zig_h3_event event = expect(ZIG_H3_EVENT_WRITABLE);
            writable += event.object == request && event.aux >= MARK / 2 && event.aux <= MARK;
        }
    }
    SAME(most, MARK);
    SAME(writable, refused);
    SAME(zig_h3_response_end(request, "end", 3), 0);
    const char *output = peer_output(peer);
    HOLDS(strstr(output, "body 8388611 sha256 ") != NULL);
    closes(request, 0);
    free(body);
}

static void head(void)
{
    zig_h3_handle request;
    static char body[300 << 10];
    size_t taken;
    FILE *peer = ask("HEAD /", &request);
    SAME(zig_h3_response_write(request, body, sizeof body, &taken), 0);
    SAME(taken, sizeof body);
    SAME(zig_h3_response_write(request, body, sizeof body, &taken), 0);
    SAME(taken, sizeof body);
    SAME(zig_h3_response_send_trailers(request, NULL, 0), 0);
    says(peer, "body 0 \n");
    closes(request, 0);
    peer = ask("HEAD /", &request);
    SAME(zig_h3_response_send(request, 200, NULL, 0, "12345", 5, 0), 0);
    const char *output = peer_output(peer);
    HOLDS(strstr(output, "header content-length: 5\n") != NULL && strstr(output, "body 0 \n") != NULL);
    closes(request, 0);
    for (int i = 0; i < 2; i++) { /* one that is long is not even copied */
        peer = ask("HEAD /", &request);
        SAME(i == 0 ? zig_h3_response_send(request, 200, NULL, 0, body, sizeof body, 0) : zig_h3_request_end(request, body, sizeof body), 0);
        output = peer_output(peer);
        HOLDS(strstr(output, "header content-length: 307200\n") != NULL && strstr(output, "body 0 \n") != NULL);
        closes(request, 0);
    }
}

static void resets(void)
{
    zig_h3_handle request;
    size_t taken;
    FILE *peer = ask("GET /", &request);
    SAME(zig_h3_response_write(request, "part", 4, &taken), 0);
    SAME(zig_h3_response_reset(request, 0x102), 0);
    int32_t again = zig_h3_response_reset(request, 0x102);
    HOLDS(again == 0 || again == ZIG_H3_ERR_STALE_HANDLE);
    int32_t late = zig_h3_response_write(request, "x", 1, &taken);
    HOLDS(late == ZIG_H3_ERR_ENDED || late == ZIG_H3_ERR_STALE_HANDLE);
    zig_h3_event event = closes(request, ZIG_H3_ERR_CANCELLED);
    HOLDS(event.flags & ZIG_H3_FLAG_ABORTED);
    says(peer, "error H3_INTERNAL_ERROR true\n");

    /* The peer gives up: one terminal event that says so. */
    peer = ask("GET / 0 abort", &request);
    SAME(zig_h3_response_write(request, "part", 4, &taken), 0);
    event = closes(request, ZIG_H3_ERR_RESET);
    HOLDS((event.flags & (ZIG_H3_FLAG_ABORTED | ZIG_H3_FLAG_REMOTE)) == (ZIG_H3_FLAG_ABORTED | ZIG_H3_FLAG_REMOTE));
    SAME(event.aux, 0x10c);
    says(peer, "status 200\n");
}

/* A body by credit: what was not consumed is not sent, and no more may be named than came. */
static void bodies(void)
{
    zig_h3_handle request;
    uint64_t got = 0;
    FILE *peer = peer_start(port, "POST / 3000000");
    zig_h3_event event = expect(ZIG_H3_EVENT_REQUEST);
    request = event.object;
    got = event.data_len;
    HOLDS(!(event.flags & ZIG_H3_FLAG_END));
    SAME(zig_h3_request_consumed(request, (uint64_t)1 << 40), ZIG_H3_ERR_INVALID_ARGUMENT);
    for (event = next(); event.type == ZIG_H3_EVENT_BODY; event = next()) {
        SAME(event.aux, got);
        got += event.data_len;
        SAME(zig_h3_request_consumed(request, event.data_len), 0);
    }
    SAME(event.type, ZIG_H3_EVENT_BODY_END);
    SAME(event.aux, 3000000);
    SAME(got, 3000000);
    SAME(zig_h3_request_consumed(request, 1), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_response_send(request, 200, NULL, 0, NULL, 0, 0), 0);
    closes(request, 0);
    says(peer, "status 200\n");

    /* Wanting no more of it: the response still goes. */
    peer = ask("POST / 3000000", &request);
    SAME(zig_h3_request_stop(request), 0);
    SAME(zig_h3_request_stop(request), 0);
    SAME(zig_h3_response_send(request, 413, NULL, 0, NULL, 0, 0), 0);
    while ((event = next()).type == ZIG_H3_EVENT_BODY) {
    }
    SAME(event.type, ZIG_H3_EVENT_STREAM_CLOSED);
    SAME(event.object, request);
    says(peer, "status 413\n");
}

/* A server freed under a request: its end comes, and every call says that it has ended. */
static void freed_under(void)
{
    zig_h3_handle request;
    FILE *peer = ask("GET /", &request);
    SAME(zig_h3_response_header(request, "x-a", 3, "1", 1), 0);
    SAME(zig_h3_server_free(server), 0);
    zig_h3_event event = closes(request, ZIG_H3_ERR_SHUTDOWN);
    HOLDS(event.parent == server);
    event = expect(ZIG_H3_EVENT_SERVER_STOPPED);
    SAME(event.object, server);
    peer_output(peer);
}

int main(void)
{
    static const char options[] = "{\"high_water_mark\": 65536}";
    zig_h3_server_config config = {.size = sizeof config, .hostname = "127.0.0.1", .options = options, .options_len = sizeof options - 1};
    peer_build("h3go");
    MUST(zig_h3_queue_new(NULL, &queue));
    MUST(zig_h3_server_new(&config, queue, &server));
    MUST(zig_h3_server_route(server, NULL, "/", 0, 0, NULL));
    MUST(zig_h3_server_start(server));
    MUST(zig_h3_server_port(server, &port));
    one_shot();
    on_its_way();
    large();
    in_parts();
    credit();
    head();
    resets();
    bodies();
    freed_under();
    SAME(zig_h3_queue_free(queue), 0);
    return done();
}
