/*
 * A14: every call that may find no room, with a library that finds none three of four times (-DSUBMISSION_REFUSES): each WOULD_BLOCK is followed
 * by one WRITABLE of its object, then the call is made again, and what comes of all of them is what came of them otherwise.
 */
#define _POSIX_C_SOURCE 200809L
#include "taken.h"
#include "wtgo.h"

enum { TIMES = 20 };

static FILE *ask(zig_h3_handle *request)
{
    FILE *client = peer_start(port, "GET /");
    *request = COMES(ZIG_H3_EVENT_REQUEST).object;
    return client;
}

static void got(FILE *client, const char *what)
{
    const char *output = peer_output(client);
    if (!HOLDS(strstr(output, what) != NULL))
        printf("    no \"%s\" in: %s\n", what, output);
}

static void closes(zig_h3_handle request, int32_t code)
{
    const zig_h3_event event = COMES(ZIG_H3_EVENT_STREAM_CLOSED);
    SAME(event.object, request);
    SAME(event.code, code);
}

static void requests(void)
{
    static const uint8_t trailers[] = {1, 0, 1, 0, 0, 0, 't', 'v'};
    static char large[100000];
    zig_h3_handle request;
    size_t n = 0;
    memset(large, 'x', sizeof large);
    for (int i = 0; i < TIMES; i++) {
        FILE *client = ask(&request);
        TAKEN(request, zig_h3_response_send(request, 200, NULL, 0, "hello", 5, i % 2 ? ZIG_H3_SEND_FORGET : 0));
        got(client, "body 5 hello\n");
        if (i % 2 == 0)
            closes(request, 0);

        client = ask(&request);
        TAKEN(request, zig_h3_response_send(request, 200, NULL, 0, large, sizeof large, 0));
        got(client, "body 100000 ");
        closes(request, 0);

        client = ask(&request);
        TAKEN(request, zig_h3_request_write(request, "he", 2, &n));
        SAME(n, 2);
        TAKEN(request, zig_h3_request_write(request, "ll", 2, &n));
        TAKEN(request, zig_h3_request_end(request, "o", 1));
        got(client, "body 5 hello\n");
        closes(request, 0);

        client = ask(&request);
        TAKEN(request, zig_h3_request_write(request, "hello", 5, &n));
        TAKEN(request, zig_h3_request_send_trailers(request, trailers, sizeof trailers));
        got(client, "body 5 hello\n");
        closes(request, 0);

        client = ask(&request);
        SAME(zig_h3_request_stop(request), 0);
        SAME(zig_h3_request_reset(request, 0x10c), 0); /* these are never refused */
        got(client, "error H3_REQUEST_CANCELLED true\n");
        closes(request, ZIG_H3_ERR_CANCELLED);
    }
}

static void stream(zig_h3_handle session, long number)
{
    zig_h3_handle handle = 0;
    size_t n = 0;
    TAKEN(session, zig_h3_wt_open_stream(session, ZIG_H3_WT_UNIDIRECTIONAL, 0, &handle));
    SAME(COMES(ZIG_H3_EVENT_STREAM_OPENED).object, handle);
    TAKEN(handle, zig_h3_wt_stream_priority(handle, 1, 2));
    TAKEN(handle, zig_h3_wt_stream_write(handle, "hel", 3, &n));
    TAKEN(handle, zig_h3_wt_stream_commit(handle));
    TAKEN(handle, zig_h3_wt_stream_write_atomic(handle, "lo", 2));
    const zig_h3_event whole = COMES(ZIG_H3_EVENT_STREAM_ATOMIC);
    SAME(whole.object, handle);
    SAME(whole.code, 0);
    TAKEN(handle, zig_h3_wt_stream_end(handle));
    long theirs = wt_number(wt_answer(wt_do("\"do\": \"accept\", \"session\": %ld, \"uni\": true", number)), "\"value\":");
    ANSWERS(wt_do("\"do\": \"read\", \"stream\": %ld", theirs), "\"data\":\"aGVsbG8=\"");
    SAME(COMES(ZIG_H3_EVENT_STREAM_ENDED).object, handle);
}

static void sessions(void)
{
    wtgo_start();
    const long conn = wt_number(wt_answer(wt_do("\"do\": \"connect\", \"port\": %u", port)), "\"value\":");
    for (int i = 0; i < TIMES; i++) {
        int dial = wt_do("\"do\": \"session\", \"conn\": %ld, \"path\": \"/wt\"", conn);
        zig_h3_handle session = COMES(ZIG_H3_EVENT_SESSION_REQUEST).object;
        TAKEN(session, zig_h3_wt_reject(session, 403, NULL, 0, "no", 2));
        ANSWERS(dial, "\"status\":403");
        SAME(COMES(ZIG_H3_EVENT_SESSION_CLOSED).code, ZIG_H3_ERR_CANCELLED);

        dial = wt_do("\"do\": \"session\", \"conn\": %ld, \"path\": \"/wt\"", conn);
        session = COMES(ZIG_H3_EVENT_SESSION_REQUEST).object;
        TAKEN(session, zig_h3_wt_accept(session, NULL, NULL, 0));
        SAME(COMES(ZIG_H3_EVENT_SESSION_OPENED).object, session);
        const long number = wt_number(wt_answer(dial), "\"session\":");
        stream(session, number);
        TAKEN(session, zig_h3_wt_drain(session));
        TAKEN(session, zig_h3_wt_close(session, 7, "bye", 3));
        ANSWERS(wt_do("\"do\": \"closed\", \"session\": %ld", number), "bye");
        SAME(COMES(ZIG_H3_EVENT_SESSION_CLOSED).code, 0);
    }
}

int main(void)
{
    serve_with("{}");
    MUST(zig_h3_server_route(server, "GET", "/", 0, 0, NULL));
    MUST(zig_h3_server_route(server, NULL, "/wt", ZIG_H3_ROUTE_WEBTRANSPORT, 0, NULL));
    MUST(zig_h3_server_start(server));
    MUST(zig_h3_server_port(server, &port));
    peer_build("h3go");
    requests();
    HOLDS(refused > 100); /* or it is another library */
    sessions();
    SAME(told, refused);
    printf("%llu calls were refused\n", (unsigned long long)refused);
    stop();
    return done();
}
