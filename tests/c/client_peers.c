/* A client, from C, against a server of other make: quic-go's http3 with webtransport-go (tests/peers/plainwt), in a process of its own. */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>

#include "asked.h"
#include "peer_server.h"

static void client_anew(const char *more)
{
    char options[PATH_MAX + 256];
    snprintf(options, sizeof options, "{\"roots_path\": \"%s/build/tests/plainwt.pem\"%s}", root(), more);
    client_with(options);
}

static void fetches(void)
{
    static char body[300000];
    struct got *got = fetch("GET", "/", NULL);
    SAME(got->code, 0);
    HOLDS(strcmp(got->text, "hello world") == 0);
    got = fetch("HEAD", "/", NULL);
    SAME(got->code, 0);
    SAME(got->body, 0);
    got = fetch("GET", "/bytes/3000000", NULL);
    SAME(got->code, 0);
    SAME(got->body, 3000000);
    zig_h3_fetch_config config = asking("POST", "/upload", NULL, ZIG_H3_FETCH_END);
    config.body = body;
    config.body_len = sizeof body;
    got = ended(start(&config));
    HOLDS(strcmp(got->text, "{\"bytes\":300000}") == 0);
    config.flags = 0; /* that is its begin */
    got = start(&config);
    SAME(zig_h3_request_end(got->handle, body, 7), 0);
    ended(got);
    HOLDS(strcmp(got->text, "{\"bytes\":300007}") == 0);
    SAME(client_counter("connections_total"), 1);
}

static void session(void)
{
    const char *whole = url("/echo");
    const zig_h3_session_config config = {.size = sizeof config, .url = whole, .url_len = strlen(whole)};
    zig_h3_handle session = 0, stream = 0;
    char text[64] = "", datagram[64] = "";
    size_t taken;
    int over = 0;
    MUST(zig_h3_client_open_webtransport(client, &config, &session));
    while (step().type != ZIG_H3_EVENT_SESSION_OPENED) {
    }
    MUST(zig_h3_wt_open_stream(session, ZIG_H3_WT_BIDIRECTIONAL, 0, &stream));
    SAME(zig_h3_wt_stream_write(stream, "echo", 4, &taken), 0);
    SAME(zig_h3_wt_stream_end(stream), 0);
    while (!over || datagram[0] == 0) {
        if (datagram[0] == 0)
            zig_h3_wt_send_datagram(session, "gram", 4, 0, 0);
        if (zig_h3_queue_wait(queue, 50) != 1)
            continue;
        const zig_h3_event event = step();
        if (event.type == ZIG_H3_EVENT_STREAM_DATA && event.object == stream) {
            keep(text, sizeof text, event.data, event.data_len);
            over = event.flags & ZIG_H3_FLAG_END;
        } else if (event.type == ZIG_H3_EVENT_SESSION_DATAGRAM && datagram[0] == 0) {
            keep(datagram, sizeof datagram, event.data, event.data_len);
        }
    }
    HOLDS(strcmp(text, "echo") == 0 && strcmp(datagram, "gram") == 0);
    SAME(zig_h3_wt_close(session, 0, NULL, 0), 0);
    while (step().type != ZIG_H3_EVENT_SESSION_CLOSED) {
    }
}

int main(void)
{
    MUST(zig_h3_queue_new(NULL, &queue));
    peer_serve("plainwt");
    client_anew("");
    fetches();
    session();
    zig_h3_client_free(client);
    UNTIL(closed == 1);
    client_anew(", \"server_name\": \"elsewhere.example\"");
    SAME(fetch("GET", "/", NULL)->code, ZIG_H3_ERR_WRONG_NAME);
    zig_h3_client_free(client);
    UNTIL(closed == 1);

    client_anew(", \"idle_timeout_ms\": 300");
    const zig_h3_fetch_config config = asking("GET", "/wait", NULL, ZIG_H3_FETCH_END);
    SAME(fetch("GET", "/", NULL)->code, 0);
    struct got *got = start(&config);
    kill(peer_id, SIGKILL); /* it says nothing */
    ended(got);
    SAME(got->code, ZIG_H3_ERR_IDLE);
    zig_h3_client_free(client);
    UNTIL(closed == 1);
    pclose(peer);
    SAME(zig_h3_queue_free(queue), 0);
    return done();
}
