/* A client, from C: connections that are made before anything is fetched (zig_h3_client_connect), and priorities that change on the way. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "asked.h"

static zig_h3_handle wish(const char *whole, uint64_t user_data)
{
    zig_h3_handle handle = 0;
    MUST(zig_h3_client_connect(client, whole, strlen(whole), user_data, &handle));
    return handle;
}

/* Its one event; what it points to is good until the next one. */
static zig_h3_event comes_of(zig_h3_handle handle)
{
    for (;;) {
        const zig_h3_event event = step();
        if (event.type != ZIG_H3_EVENT_CONNECT_DONE)
            continue;
        SAME(event.object, handle);
        SAME(event.parent, client);
        return event;
    }
}

static void connects(void)
{
    const zig_h3_handle first = wish(url("/what/ever?it=is"), 7), second = wish(url(""), UINT64_MAX);
    zig_h3_event event = comes_of(first);
    SAME(event.code, 0);
    SAME(event.user_data, 7);
    const zig_h3_handle conn = event.conn;
    HOLDS(conn != 0);
    event = comes_of(second); /* it waited for the same one */
    SAME(event.code, 0);
    SAME(event.conn, conn);
    HOLDS(event.user_data == UINT64_MAX);
    SAME(zig_h3_client_cancel_fetch(second), ZIG_H3_ERR_STALE_HANDLE);
    SAME(conns, 1); /* CONN_OPENED came before */
    SAME(fetch("GET", "/hello", NULL)->code, 0);
    SAME(client_counter("connections_total"), 1);
    SAME(client_counter("fetches_total"), 1); /* a wish is none */
    event = comes_of(wish(url("/"), 0)); /* one that is there will do */
    SAME(event.conn, conn);
    SAME(client_counter("connections_total"), 1);
}

/* A port that answers nothing, and none at all. */
static void fails(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    char text[64];
    const int mute = socket(AF_INET, SOCK_DGRAM, 0);
    HOLDS(bind(mute, (struct sockaddr *)&address, len) == 0 && getsockname(mute, (struct sockaddr *)&address, &len) == 0);
    snprintf(text, sizeof text, "https://127.0.0.1:%u/", (unsigned)ntohs(address.sin_port));
    zig_h3_event event = comes_of(wish(text, 1));
    SAME(event.code, ZIG_H3_ERR_CONNECT_TIMEOUT);
    SAME(event.conn, 0);
    HOLDS(event.data_len > 0);
    const zig_h3_handle given_up = wish(text, 2);
    SAME(zig_h3_client_cancel_fetch(given_up), 0);
    SAME(zig_h3_client_cancel_fetch(given_up), 0);
    event = comes_of(given_up);
    SAME(event.code, ZIG_H3_ERR_CANCELLED);
    SAME(event.user_data, 2);
    close(mute);
    SAME(comes_of(wish(text, 3)).code, ZIG_H3_ERR_REFUSED);
    SAME(comes_of(wish("https://127.0.0.1:99999", 4)).code, ZIG_H3_ERR_BAD_URL);
}

static void refusals(void)
{
    static char longer[70000];
    zig_h3_handle out = 77;
    memset(longer, 'x', sizeof longer);
    SAME(zig_h3_client_connect(client, NULL, 0, 0, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_client_connect(client, "https://h", 9, 0, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_client_connect(client, "http://h", 8, 0, &out), ZIG_H3_ERR_BAD_URL);
    SAME(zig_h3_client_connect(client, "https://", 8, 0, &out), ZIG_H3_ERR_BAD_URL);
    SAME(zig_h3_client_connect(client, longer, sizeof longer, 0, &out), ZIG_H3_ERR_TOO_LARGE);
    SAME(zig_h3_client_connect(server, "https://h", 9, 0, &out), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_client_connect(0, "https://h", 9, 0, &out), ZIG_H3_ERR_INVALID_HANDLE);
    SAME(out, 77);
    /* What else may be said of a wish is nothing. */
    const zig_h3_handle open = wish("https://127.0.0.1:1", 0);
    const int32_t code = zig_h3_request_reset(open, 0x10c);
    HOLDS(code == ZIG_H3_ERR_WRONG_KIND || code == ZIG_H3_ERR_STALE_HANDLE); /* it may have ended by now */
    comes_of(open);
}

static void priorities(void)
{
    uint8_t list[64];
    zig_h3_fetch_config config = asking("GET", "/silent", NULL, ZIG_H3_FETCH_END);
    config.headers = list;
    config.headers_len = pack(list, 0, "priority", "u=5");
    silent = 0;
    struct got *got = start(&config);
    SAME(zig_h3_client_prioritize_fetch(got->handle, 7, 1), 0); /* before it is on its way, or just so */
    UNTIL(silent != 0);
    SAME(zig_h3_client_prioritize_fetch(got->handle, 0, 0), 0);
    SAME(zig_h3_client_prioritize_fetch(got->handle, 8, 0), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_client_prioritize_fetch(got->handle, 0, 2), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_client_prioritize_fetch(client, 0, 0), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_response_send(silent, 204, NULL, 0, NULL, 0, ZIG_H3_SEND_FORGET), 0);
    SAME(ended(got)->status, 204);
    SAME(zig_h3_client_prioritize_fetch(got->handle, 0, 0), ZIG_H3_ERR_STALE_HANDLE);
}

/* Whoever waits when the client ends, and who comes too late. */
static void the_end(void)
{
    const zig_h3_handle old = client, waits = wish("https://nowhere.example:1", 5);
    SAME(zig_h3_client_close(client, 0), 0);
    int32_t code = 1;
    while (closed == 0) {
        const zig_h3_event event = step();
        if (event.type == ZIG_H3_EVENT_CONNECT_DONE) {
            SAME(event.object, waits);
            code = event.code;
        }
    }
    SAME(code, ZIG_H3_ERR_SHUTDOWN);
    zig_h3_handle out;
    SAME(zig_h3_client_connect(old, "https://h", 9, 0, &out), ZIG_H3_ERR_STALE_HANDLE);
}

int main(void)
{
    serve_routes("{}");
    client_with("{\"insecure\": true, \"connect_timeout_ms\": 300}");
    connects();
    fails();
    refusals();
    priorities();
    zig_h3_client_free(client);
    UNTIL(closed == 1);
    /* An address for documentation: nobody answers there. */
    client_with("{\"insecure\": true, \"hosts\": {\"nowhere.example\": \"192.0.2.1\"}}");
    the_end();
    stop();
    return done();
}
