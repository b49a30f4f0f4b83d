/* A client, from C, against a server of other make: quic-go's http3 with webtransport-go (tests/peers/plainwt), in a process of its own. */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>

#include "asked.h"
#include "echo_session.h"
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

int main(void)
{
    MUST(zig_h3_queue_new(NULL, &queue));
    peer_serve("plainwt");
    client_anew("");
    fetches();
    session_echoed();
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
