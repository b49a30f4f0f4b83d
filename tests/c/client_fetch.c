/* A client, from C: what its fetches bring and how they end, uploads, and what each call refuses. The server is the library's own, in this process. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "asked.h"

static void plain(void)
{
    struct got *got = fetch("GET", "/hello", NULL);
    SAME(got->code, 0);
    SAME(got->flags, 0);
    SAME(got->status, 200);
    SAME(got->done_status, 200);
    SAME(got->heads, 1);
    SAME(got->end, 1);
    SAME(got->body_ends, 0);
    HOLDS(strcmp(got->text, "hello") == 0);
    HOLDS(strstr(got->fields, "x-method=GET|") != NULL);
    HOLDS(strstr(got->fields, "content-length=5|") != NULL);

    got = fetch("HEAD", "/hello", NULL);
    SAME(got->code, 0);
    SAME(got->status, 200);
    SAME(got->body, 0);
    HOLDS(strstr(got->fields, "content-length=5|") != NULL);

    got = fetch("POST", "/echo", "to and fro");
    SAME(got->code, 0);
    HOLDS(strcmp(got->text, "to and fro") == 0);

    got = fetch("GET", "/nowhere", NULL);
    SAME(got->code, 0);
    SAME(got->status, 404);

    /* The default method, headers in any case, a host that takes the URL's place, a fragment that stays here. */
    uint8_t list[128];
    zig_h3_fetch_config config = asking(NULL, "/hello?a=b#c", NULL, ZIG_H3_FETCH_END);
    config.headers = list;
    config.headers_len = pack(list, pack(list, 0, "X-Ask", " why "), "Host", "elsewhere.example");
    got = ended(start(&config));
    SAME(got->status, 200);
    HOLDS(strstr(got->fields, "x-method=GET|x-asked=why|") != NULL);

    /* An @ is one of a user's name only in front of the path. */
    SAME(fetch("GET", "/hello?to=me@home.example", NULL)->status, 200);
    SAME(fetch("GET", "/me@home.example", NULL)->status, 404);

    /* Right behind the authority a query, whose path is /, and a fragment. */
    SAME(fetch("GET", "?a=b", NULL)->status, 404);
    SAME(fetch("GET", "#c", NULL)->status, 404);

    /* The longest method. */
    char method[66] = {0};
    memset(method, 'M', 64);
    SAME(fetch(method, "/silently", NULL)->status, 404);
    method[64] = 'M';
    zig_h3_handle none = 0;
    config = asking(method, "/hello", NULL, ZIG_H3_FETCH_END);
    SAME(zig_h3_client_fetch(client, &config, &none), ZIG_H3_ERR_INVALID_ARGUMENT);

    got = fetch("GET", "/trailers", NULL);
    SAME(got->code, 0);
    SAME(got->body_ends, 1);
    HOLDS(strcmp(got->text, "part") == 0);
    HOLDS(strcmp(got->trailers, "x-sum=4|") == 0);
}

/* A megabyte by credit, and collected: no credit is needed, and too much of it is an error. */
static void bodies(void)
{
    struct got *got = fetch("GET", "/bytes/1000000", NULL);
    SAME(got->code, 0);
    SAME(got->body, 1000000);
    SAME(got->buffered, 0);

    hold = 1;
    zig_h3_fetch_config config = asking("GET", "/bytes/1000000", NULL, ZIG_H3_FETCH_END);
    config.collect = 1000000;
    got = start(&config);
    SAME(zig_h3_request_consumed(got->handle, 1), 0); /* nothing came yet, and nothing is counted */
    ended(got);
    SAME(got->code, 0);
    SAME(got->body, 1000000);
    SAME(got->buffered, 1);
    config.collect = 999999;
    got = ended(start(&config));
    SAME(got->code, ZIG_H3_ERR_TOO_LARGE);
    SAME(got->flags & ZIG_H3_FLAG_ABORTED, ZIG_H3_FLAG_ABORTED);
    SAME(got->done_status, 200);

    /* Without credit there is no more than the window, and credit for more than came is refused. */
    config = asking("GET", "/bytes/1000000", NULL, ZIG_H3_FETCH_END);
    got = start(&config);
    UNTIL(got->body >= 65536);
    SAME(zig_h3_request_consumed(got->handle, got->body + (1 << 20)), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_client_cancel_fetch(got->handle), 0);
    ended(got);
    SAME(got->code, ZIG_H3_ERR_CANCELLED);
    HOLDS(got->body <= 524288 + 65536);
    hold = 0;
}

/* A body in parts: its writes before there is a connection, its mark, and its end. */
static void uploads(void)
{
    static char mib[3 << 20];
    size_t taken = 0;
    zig_h3_fetch_config config = asking("POST", "/echo", "begin ", 0);
    struct got *got = start(&config);
    SAME(zig_h3_request_write(got->handle, "middle ", 7, &taken), 0);
    SAME(taken, 7);
    SAME(zig_h3_request_end(got->handle, "end", 3), 0);
    SAME(zig_h3_request_write(got->handle, "more", 4, &taken), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_request_end(got->handle, NULL, 0), ZIG_H3_ERR_ENDED);
    ended(got);
    SAME(got->code, 0);
    HOLDS(strcmp(got->text, "begin middle end") == 0);

    /* Nobody takes it: the mark, less than was offered, then nothing, then WRITABLE when the server takes some. */
    config = asking("POST", "/sink", NULL, 0);
    got = start(&config);
    SAME(zig_h3_request_write(got->handle, mib, sizeof mib, &taken), 0);
    SAME(taken, 1 << 20);
    size_t all = taken;
    UNTIL(got->writable == 1); /* QUIC's window took a part */
    while (zig_h3_request_write(got->handle, mib, sizeof mib, &taken) == 0) {
        all += taken;
        const int before = got->writable;
        if (taken == 0)
            break;
        for (int i = 0; i < 50 && got->writable == before; i++) {
            if (zig_h3_queue_wait(queue, 10) == 1)
                step();
        }
    }
    SAME(zig_h3_request_write(got->handle, mib, 1, &taken), ZIG_H3_ERR_WOULD_BLOCK);
    SAME(taken, 0);
    const int before = got->writable;
    const uint64_t once = sunk_bytes;
    SAME(zig_h3_request_consumed(sunk, once), 0);
    while (got->writable == before) {
        const uint64_t had = sunk_bytes;
        step();
        if (sunk_bytes > had)
            SAME(zig_h3_request_consumed(sunk, sunk_bytes - had), 0);
    }
    SAME(zig_h3_request_write(got->handle, "x", 1, &taken), 0);
    SAME(taken, 1);
    all++;
    SAME(zig_h3_request_end(got->handle, NULL, 0), 0);
    while (!got->done) {
        const uint64_t had = sunk_bytes;
        const zig_h3_handle it = sunk;
        const zig_h3_event event = step();
        if (sunk_bytes > had)
            SAME(zig_h3_request_consumed(it, sunk_bytes - had), 0);
        if (event.type == ZIG_H3_EVENT_BODY_END && event.object == it)
            SAME(event.aux, all);
    }
    SAME(got->code, 0);
    SAME(got->status, 200);

    /* Trailers end it as well. A body's last part may be larger than the mark. */
    uint8_t list[64];
    config = asking("POST", "/echo", NULL, 0);
    got = start(&config);
    SAME(zig_h3_request_send_trailers(got->handle, list, pack(list, 0, "bad name", "1")), ZIG_H3_ERR_BAD_HEADER);
    SAME(zig_h3_request_send_trailers(got->handle, list, pack(list, 0, "x-sum", "1")), 0);
    SAME(zig_h3_request_send_trailers(got->handle, list, 13), ZIG_H3_ERR_ENDED);
    ended(got);
    SAME(got->code, 0);
    config = asking("POST", "/sink", NULL, 0);
    got = start(&config);
    SAME(zig_h3_request_end(got->handle, mib, sizeof mib), 0);
    while (!got->done) {
        const uint64_t had = sunk_bytes;
        const zig_h3_handle it = sunk;
        step();
        if (sunk_bytes > had)
            SAME(zig_h3_request_consumed(it, sunk_bytes - had), 0);
    }
    SAME(got->code, 0);

    /* The server wants no more, and answers. */
    config = asking("POST", "/refuse", "x", 0);
    got = start(&config);
    UNTIL(got->stopped);
    SAME(got->aux, 0x100); /* H3_NO_ERROR */
    SAME(zig_h3_request_write(got->handle, "y", 1, &taken), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_response_send(refused, 413, NULL, 0, "no", 2, 0), 0);
    ended(got);
    SAME(got->code, 0);
    SAME(got->status, 413);
    HOLDS(strcmp(got->text, "no") == 0);
}

static void cancelled(void)
{
    zig_h3_fetch_config config = asking("GET", "/silent", NULL, ZIG_H3_FETCH_END);
    silent = 0;
    struct got *got = start(&config);
    UNTIL(silent != 0);
    SAME(zig_h3_request_reset(got->handle, 0x10c), 0);
    SAME(zig_h3_request_reset(got->handle, (uint64_t)1 << 62), ZIG_H3_ERR_INVALID_ARGUMENT);
    UNTIL(got->done && silent_ended == 1); /* the server hears of it */
    SAME(got->code, ZIG_H3_ERR_CANCELLED);

    /* Nothing more of its body is taken. */
    zig_h3_fetch_config upload = asking("POST", "/silent", NULL, 0);
    size_t taken = 0;
    silent = 0;
    got = start(&upload);
    UNTIL(silent != 0);
    SAME(zig_h3_client_cancel_fetch(got->handle), 0);
    const int32_t code = zig_h3_request_write(got->handle, "x", 1, &taken);
    HOLDS(code == ZIG_H3_ERR_ENDED || code == ZIG_H3_ERR_STALE_HANDLE); /* it may be over by now */
    SAME(ended(got)->code, ZIG_H3_ERR_CANCELLED);

    config.response_timeout_ms = 30;
    got = ended(start(&config));
    SAME(got->code, ZIG_H3_ERR_TIMEOUT);
    HOLDS(strstr(got->why, "response_timeout_ms") != NULL);
    config.response_timeout_ms = -1;
    config.request_timeout_ms = 30;
    got = ended(start(&config));
    SAME(got->code, ZIG_H3_ERR_TIMEOUT);
    HOLDS(strstr(got->why, "request_timeout_ms") != NULL);
}

static void datagrams(void)
{
    zig_h3_fetch_config config = asking("POST", "/grams", NULL, ZIG_H3_FETCH_DATAGRAMS);
    struct got *got = start(&config);
    UNTIL(got->heads == 1);
    SAME(zig_h3_request_end(got->handle, NULL, 0), 0); /* they outlive the body */
    while (got->datagrams == 0) {
        zig_h3_request_send_datagram(got->handle, "ping", 4, 0, 0);
        if (zig_h3_queue_wait(queue, 50) == 1)
            step();
    }
    HOLDS(strstr(got->text, "ping") != NULL);
    static const char big[65535];
    SAME(zig_h3_request_send_datagram(got->handle, big, sizeof big, 0, 0), ZIG_H3_ERR_DATAGRAM_TOO_LARGE);
    struct {
        zig_h3_datagram head;
        char bytes[8];
    } list = {.head = {.object = got->handle, .len = 4}, .bytes = "many"};
    SAME(zig_h3_send_datagrams(&list, sizeof list, 0), 1);
    UNTIL(strstr(got->text, "many") != NULL);
    SAME(zig_h3_client_cancel_fetch(got->handle), 0);
    const int32_t code = zig_h3_request_send_datagram(got->handle, "x", 1, 0, 0);
    HOLDS(code == ZIG_H3_ERR_ENDED || code == ZIG_H3_ERR_STALE_HANDLE); /* it may be over by now */
    SAME(ended(got)->code, ZIG_H3_ERR_CANCELLED);

    config = asking("GET", "/silent", NULL, ZIG_H3_FETCH_END);
    got = start(&config);
    SAME(zig_h3_request_send_datagram(got->handle, "x", 1, 0, 0), ZIG_H3_ERR_NOT_NEGOTIATED);
    SAME(zig_h3_client_cancel_fetch(got->handle), 0);
    ended(got);
}

/* A server that nobody is at, and one that says nothing. */
static void nobody(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    char text[64];
    const int mute = socket(AF_INET, SOCK_DGRAM, 0);
    HOLDS(bind(mute, (struct sockaddr *)&address, len) == 0);
    HOLDS(getsockname(mute, (struct sockaddr *)&address, &len) == 0);
    snprintf(text, sizeof text, "https://127.0.0.1:%u/", (unsigned)ntohs(address.sin_port));
    struct got *got = fetch("GET", text, NULL);
    SAME(got->code, ZIG_H3_ERR_CONNECT_TIMEOUT);
    const zig_h3_fetch_config config = asking("GET", text, NULL, ZIG_H3_FETCH_END);
    got = start(&config);
    SAME(zig_h3_client_cancel_fetch(got->handle), 0); /* before it is on its way */
    const int32_t again = zig_h3_client_cancel_fetch(got->handle);
    HOLDS(again == 0 || again == ZIG_H3_ERR_STALE_HANDLE); /* its end may be there already */
    SAME(ended(got)->code, ZIG_H3_ERR_CANCELLED);
    SAME(zig_h3_client_cancel_fetch(got->handle), ZIG_H3_ERR_STALE_HANDLE);
    close(mute);
    got = fetch("GET", text, NULL);
    SAME(got->code, ZIG_H3_ERR_REFUSED);
    HOLDS(got->why[0] != 0);
}

/* What only the engine sees ends the fetch. */
static void late_refusals(void)
{
    uint8_t list[64];
    struct got *got = fetch("GET", "https://127.0.0.1:99999/", NULL);
    SAME(got->code, ZIG_H3_ERR_BAD_URL);
    zig_h3_fetch_config config = asking("GET", "/hello", NULL, ZIG_H3_FETCH_END);
    config.headers = list;
    config.headers_len = pack(list, 0, "host", "a b");
    got = ended(start(&config));
    SAME(got->code, ZIG_H3_ERR_BAD_HEADER);
}

/* What the calls refuse themselves, with nothing asked for. */
static void refusals(void)
{
    static const struct {
        const char *method, *url;
        int32_t code;
    } wrong[] = {
        {"GET", "http://127.0.0.1/", ZIG_H3_ERR_BAD_URL}, {"GET", "127.0.0.1", ZIG_H3_ERR_BAD_URL},
        {"GET", "", ZIG_H3_ERR_BAD_URL}, {"GET", "https://", ZIG_H3_ERR_BAD_URL},
        {"GET", "https:///a", ZIG_H3_ERR_BAD_URL}, {"GET", "https://me@127.0.0.1/", ZIG_H3_ERR_BAD_URL},
        {"GET", "https://127.0.0.1/a b", ZIG_H3_ERR_BAD_URL}, {"GET", "https://127.0.0.1/\xc3\xa4", ZIG_H3_ERR_BAD_URL},
        {"CONNECT", "https://127.0.0.1/", ZIG_H3_ERR_INVALID_ARGUMENT}, {"G T", "https://127.0.0.1/", ZIG_H3_ERR_INVALID_ARGUMENT},
        {"", "https://127.0.0.1/", ZIG_H3_ERR_INVALID_ARGUMENT},
    };
    const uint64_t before = client_counter("fetches_total");
    zig_h3_handle out = 77;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        zig_h3_fetch_config config = asking(wrong[i].method, "/", NULL, ZIG_H3_FETCH_END);
        config.url = wrong[i].url;
        config.url_len = strlen(wrong[i].url);
        if (!HOLDS(zig_h3_client_fetch(client, &config, &out) == wrong[i].code))
            printf("    %s %s\n", wrong[i].method, wrong[i].url);
    }
    static uint8_t list[70000];
    const zig_h3_fetch_config good = asking("GET", "/hello", NULL, ZIG_H3_FETCH_END);
    zig_h3_fetch_config config = good;
    SAME(zig_h3_client_fetch(client, NULL, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_client_fetch(client, &good, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    config.size = 80;
    SAME(zig_h3_client_fetch(client, &config, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    config = good;
    config.flags |= 0x80;
    SAME(zig_h3_client_fetch(client, &config, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    config = good;
    config.url = NULL;
    SAME(zig_h3_client_fetch(client, &config, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    config = good;
    config.body_len = 1;
    SAME(zig_h3_client_fetch(client, &config, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    config.body = list;
    config.body_len = ((size_t)2 << 30) + 1;
    SAME(zig_h3_client_fetch(client, &config, &out), ZIG_H3_ERR_TOO_LARGE);
    config = good;
    config.headers_len = 1;
    SAME(zig_h3_client_fetch(client, &config, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    config.headers = list;
    config.headers_len = 65537;
    SAME(zig_h3_client_fetch(client, &config, &out), ZIG_H3_ERR_TOO_LARGE);
    config.headers_len = pack(list, 0, "connection", "close");
    SAME(zig_h3_client_fetch(client, &config, &out), ZIG_H3_ERR_BAD_HEADER);
    config.headers_len--;
    SAME(zig_h3_client_fetch(client, &config, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    config = good;
    config.url = (const char *)list;
    config.url_len = 65537;
    SAME(zig_h3_client_fetch(client, &config, &out), ZIG_H3_ERR_TOO_LARGE);
    config = good;
    config.collect = UINT64_MAX;
    SAME(zig_h3_client_fetch(client, &config, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(out, 77);
    SAME(client_counter("fetches_total"), before);

    static const struct {
        const char *options;
        int32_t code;
    } impossible[] = {
        {"{\"no_such\": 1}", ZIG_H3_ERR_CONFIG}, {"{\"max_connections\": 0}", ZIG_H3_ERR_CONFIG}, {"{", ZIG_H3_ERR_CONFIG},
        {"{\"roots\": \"none\"}", ZIG_H3_ERR_CERTIFICATE}, {"{\"roots_path\": \"/nowhere\"}", ZIG_H3_ERR_CERTIFICATE},
    };
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        const char *options = impossible[i].options;
        zig_h3_client_config made = {.size = sizeof made, .options = options, .options_len = strlen(options)};
        SAME(zig_h3_client_new(&made, queue, &out), impossible[i].code);
    }
    zig_h3_client_config made = {.size = sizeof made, .reserved = 1};
    SAME(zig_h3_client_new(&made, queue, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    made = (zig_h3_client_config){.size = sizeof made, .options_len = 1};
    SAME(zig_h3_client_new(&made, queue, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_client_new(NULL, queue, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_client_new(NULL, server, &out), ZIG_H3_ERR_WRONG_KIND);
    SAME(out, 77);
}

/* Live things of another kind. */
static void wrong_kinds(void)
{
    size_t taken;
    zig_h3_handle out;
    uint64_t value;
    zig_h3_fetch_config config = asking("GET", "/silent", NULL, ZIG_H3_FETCH_END);
    silent = 0;
    struct got *got = start(&config);
    UNTIL(silent != 0);
    SAME(zig_h3_client_fetch(server, &config, &out), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_client_fetch(got->handle, &config, &out), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_client_free(server), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_client_close(queue, 0), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_client_stats_snapshot(server, &value, 1), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_client_stats_snapshot(client, NULL, 1), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_server_stop(client, 0), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_stats_snapshot(client, &value, 1), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_client_cancel_fetch(silent), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_client_cancel_fetch(client), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_response_send(got->handle, 200, NULL, 0, NULL, 0, 0), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_response_status(got->handle, 200), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_request_stop(got->handle), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_wt_close(got->handle, 0, NULL, 0), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_request_write(client, "x", 1, &taken), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_request_write(got->handle, "x", 1, &taken), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_request_write(got->handle, "x", 1, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_client_cancel_fetch(got->handle), 0);
    ended(got);
    SAME(zig_h3_client_cancel_fetch(got->handle), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_request_write(got->handle, "x", 1, &taken), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_request_end(got->handle, NULL, 0), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_request_send_trailers(got->handle, NULL, 0), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_request_reset(got->handle, 0), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_request_consumed(got->handle, 1), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_request_send_datagram(got->handle, "x", 1, 0, 0), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_client_cancel_fetch(0), ZIG_H3_ERR_INVALID_HANDLE);
    SAME(zig_h3_client_fetch(12345, &config, &out), ZIG_H3_ERR_INVALID_HANDLE);
}

/* Bodies that fill the account: the next is refused, and the client's WRITABLE says when it can be made again. */
static void full_account(void)
{
    enum { MANY = 40, EACH = 65000 };
    static char body[EACH];
    struct got *gots_of[MANY];
    int asked = 0, refused = 0, told = 0;
    zig_h3_handle handle;
    zig_h3_client_free(client);
    UNTIL(closed == 1);
    client_with("{\"insecure\": true, \"max_queued_request_bytes\": 1048576}");
    /* What is refused for something else takes no room. */
    uint8_t list[64];
    zig_h3_fetch_config bad = asking("POST", "/silent", NULL, 0);
    bad.body = body;
    bad.body_len = 4096;
    bad.headers = list;
    bad.headers_len = pack(list, 0, "bad name", "1");
    for (int i = 0; i < 300; i++)
        SAME(zig_h3_client_fetch(client, &bad, &handle), ZIG_H3_ERR_BAD_HEADER);
    zig_h3_fetch_config config = asking("POST", "/silent", NULL, ZIG_H3_FETCH_END);
    config.body = body;
    config.body_len = EACH;
    for (int i = 0; i < MANY; i++) {
        const int32_t code = zig_h3_client_fetch(client, &config, &handle);
        if (code == ZIG_H3_ERR_WOULD_BLOCK) {
            refused++;
            break;
        }
        SAME(code, 0);
        gots_of[asked] = expect_of(handle);
        gots_of[asked++]->user_data = config.user_data;
    }
    SAME(refused, 1);
    SAME(asked, 17); /* the one that goes beyond is still taken */
    const zig_h3_fetch_config small = asking("GET", "/hello", NULL, ZIG_H3_FETCH_END);
    SAME(ended(start(&small))->code, 0);
    for (int i = 0; i < asked; i++)
        SAME(zig_h3_client_cancel_fetch(gots_of[i]->handle), 0);
    while (!told) {
        const zig_h3_event event = step();
        told = event.type == ZIG_H3_EVENT_WRITABLE && event.object == client && event.parent == client && event.aux == 0;
    }
    struct got *got = start(&config);
    SAME(zig_h3_client_cancel_fetch(got->handle), 0);
    ended(got);
    for (int i = 0; i < asked; i++)
        SAME(ended(gots_of[i])->code, ZIG_H3_ERR_CANCELLED);
}

/* Whom it believes. */
static void certificates(void)
{
    uint8_t hash[32];
    char pinned[3][256] = {"{}", "{\"certificate_hashes\": [\"", "{\"certificate_hashes\": [\""};
    const int32_t codes[3] = {ZIG_H3_ERR_UNKNOWN_AUTHORITY, 0, ZIG_H3_ERR_PIN};
    MUST(zig_h3_server_certificate_hash(server, hash));
    for (int i = 1; i < 3; i++) {
        for (int at = 0; at < 32; at++)
            snprintf(pinned[i] + strlen(pinned[i]), 3, "%02x", i == 2 && at == 0 ? hash[0] ^ 1 : hash[at]);
        strcat(pinned[i], "\"]}");
    }
    for (int i = 0; i < 3; i++) {
        zig_h3_client_free(client);
        UNTIL(closed == 1);
        client_with(pinned[i]);
        SAME(fetch("GET", "/hello", NULL)->code, codes[i]);
    }
}

/* What is asked for with LATER goes when zig_h3_flush() says so, or with what is asked for without it. */
static void later(void)
{
    enum { MANY = 50 };
    static struct got *all[MANY];
    zig_h3_fetch_config config = asking("GET", "/hello", NULL, ZIG_H3_FETCH_END | ZIG_H3_FETCH_LATER);
    /* The engine need not be woken, but it may be awake, still or for something else: then it is asked once more. */
    int waited = 0;
    for (int attempt = 0; attempt < MANY && !waited; attempt++) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        struct got *got = start(&config);
        waited = zig_h3_queue_wait(queue, 50) == 0;
        SAME(zig_h3_flush(), 0);
        SAME(ended(got)->status, 200);
    }
    HOLDS(waited);
    for (int i = 0; i < MANY; i++)
        all[i] = start(&config);
    SAME(zig_h3_flush(), 0);
    for (int i = 0; i < MANY; i++)
        SAME(ended(all[i])->code, 0);
    for (int i = 0; i < MANY; i++) {
        config.flags = ZIG_H3_FETCH_END | (i < MANY - 1 ? ZIG_H3_FETCH_LATER : 0);
        all[i] = start(&config);
    }
    for (int i = 0; i < MANY; i++)
        SAME(ended(all[i])->code, 0);
    config = asking("POST", "/echo", "begin, ", ZIG_H3_FETCH_LATER); /* what is written to it wakes the engine, too */
    struct got *got = start(&config);
    SAME(zig_h3_request_end(got->handle, "end", 3), 0);
    HOLDS(strcmp(ended(got)->text, "begin, end") == 0);
}

int main(void)
{
    serve_routes("{}");
    client_with("{\"insecure\": true, \"connect_timeout_ms\": 300}");
    plain();
    bodies();
    later();
    uploads();
    cancelled();
    datagrams();
    nobody();
    late_refusals();
    refusals();
    wrong_kinds();
    full_account();
    certificates();
    zig_h3_client_free(client);
    UNTIL(closed == 1);
    stop();
    return done();
}
