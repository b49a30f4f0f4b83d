/* A client of the library's and a server of its own in one process and one queue: what a fetch brings, and a server that answers by path. */
#ifndef TESTS_C_ASKED_H
#define TESTS_C_ASKED_H

#include "expect.h"

enum { HELLO = 1, ECHO, SINK, SILENT, BYTES, TRAILERS, GRAMS, REFUSE, WT, FETCHES = 512, KEPT = 4096 };

/* What came of a fetch, or of a session as far as it is a client's. */
struct got {
    zig_h3_handle handle;
    uint64_t user_data;
    int informational, heads, body_ends, writable, stopped, done, end, buffered, datagrams;
    uint32_t status, done_status;
    int32_t code;
    uint16_t flags;
    uint64_t body, aux;
    char text[KEPT + 1];
    char fields[KEPT + 1]; /* of the head; then the trailers */
    char trailers[256];
    char why[512];
};

static struct got gots[FETCHES];
static zig_h3_handle client;
static int hold;              /* no credit is given for what comes of responses */
static int closed;            /* CLIENT_CLOSED came, so often */
static int32_t closed_code;
static int conns;             /* of the client */
static zig_h3_handle sunk;    /* the request at /sink, whose body nobody takes */
static uint64_t sunk_bytes;
static zig_h3_handle silent;  /* the request at /silent */
static zig_h3_handle echoing; /* the last request at /echo */
static zig_h3_handle grams;   /* the request at /grams */
static zig_h3_handle refused; /* the request at /refuse */
static int silent_ended;
static int server_stopped;

static inline struct got *got_of(zig_h3_handle handle)
{
    for (int i = 0; i < FETCHES; i++) {
        if (gots[i].handle == handle)
            return &gots[i];
    }
    return NULL;
}

static inline struct got *expect_of(zig_h3_handle handle)
{
    static int next;
    struct got *got = &gots[next++ % FETCHES];
    memset(got, 0, sizeof *got);
    got->handle = handle;
    return got;
}

static inline void keep(char *to, size_t size, const uint8_t *data, size_t len)
{
    size_t at = strlen(to);
    if (len > size - 1 - at)
        len = size - 1 - at;
    memcpy(to + at, data, len);
    to[at + len] = 0;
}

/* A packed list as "name=value|name=value|". */
static inline void keep_list(char *to, size_t size, const uint8_t *list, size_t len)
{
    for (size_t at = 0; at + 6 <= len;) {
        uint16_t n;
        uint32_t v;
        memcpy(&n, list + at, 2);
        memcpy(&v, list + at + 2, 4);
        keep(to, size, list + at + 6, n);
        keep(to, size, (const uint8_t *)"=", 1);
        keep(to, size, list + at + 6 + n, v);
        keep(to, size, (const uint8_t *)"|", 1);
        at += 6u + n + v;
    }
}

/* Appends a field to a packed list and gives the list's length. */
static inline size_t pack(uint8_t *list, size_t at, const char *name, const char *value)
{
    const uint16_t n = (uint16_t)strlen(name);
    const uint32_t v = (uint32_t)strlen(value);
    memcpy(list + at, &n, 2);
    memcpy(list + at + 2, &v, 4);
    memcpy(list + at + 6, name, n);
    memcpy(list + at + 6 + n, value, v);
    return at + 6 + n + v;
}

/* A field of a REQUEST's list. */
static inline const char *field(const zig_h3_event *event, const char *name)
{
    static char value[1024];
    for (size_t at = 0; at + 6 <= event->meta_len;) {
        uint16_t n;
        uint32_t v;
        memcpy(&n, event->meta + at, 2);
        memcpy(&v, event->meta + at + 2, 4);
        if (strlen(name) == n && memcmp(event->meta + at + 6, name, n) == 0) {
            snprintf(value, sizeof value, "%.*s", (int)v, (const char *)event->meta + at + 6 + n);
            return value;
        }
        at += 6u + n + v;
    }
    return NULL;
}

static inline void answer(const zig_h3_event *event)
{
    static char bytes[1 << 20];
    uint8_t list[512];
    size_t len, taken;
    const char *value;
    switch (event->user_data) {
    case HELLO:
        len = pack(list, 0, "x-method", field(event, ":method"));
        if ((value = field(event, "x-ask")) != NULL)
            len = pack(list, len, "x-asked", value);
        zig_h3_response_send(event->object, 200, list, len, "hello", 5, ZIG_H3_SEND_FORGET);
        break;
    case BYTES:
        value = strrchr(field(event, ":path"), '/') + 1;
        zig_h3_response_send(event->object, 200, NULL, 0, bytes, strtoul(value, NULL, 10), ZIG_H3_SEND_FORGET);
        break;
    case ECHO:
        echoing = event->object;
        if ((event->flags & ZIG_H3_FLAG_END) || event->data_len > 0)
            zig_h3_response_write(event->object, event->data, event->data_len, &taken);
        if (event->flags & ZIG_H3_FLAG_END)
            zig_h3_response_end(event->object, NULL, 0);
        break;
    case SINK:
        sunk = event->object;
        sunk_bytes = 0;
        break;
    case SILENT:
        silent = event->object;
        break;
    case GRAMS:
        grams = event->object;
        zig_h3_response_write(event->object, "go", 2, &taken);
        break;
    case REFUSE: /* wants no more of the body; the test answers */
        refused = event->object;
        zig_h3_request_stop(event->object);
        break;
    case TRAILERS:
        zig_h3_response_write(event->object, "part", 4, &taken);
        len = pack(list, 0, "x-sum", "4");
        zig_h3_response_send_trailers(event->object, list, len);
        break;
    default:
        break;
    }
}

static inline void serve_event(const zig_h3_event *event)
{
    size_t taken;
    switch (event->type) {
    case ZIG_H3_EVENT_REQUEST:
        answer(event);
        break;
    case ZIG_H3_EVENT_BODY:
        if (event->object == sunk)
            sunk_bytes += event->data_len;
        if (event->object != echoing && event->object != sunk)
            zig_h3_request_consumed(event->object, event->data_len);
        if (event->object != echoing)
            break;
        zig_h3_request_consumed(event->object, event->data_len);
        zig_h3_response_write(event->object, event->data, event->data_len, &taken);
        break;
    case ZIG_H3_EVENT_BODY_END:
        if (event->object == echoing || event->object == sunk)
            zig_h3_response_end(event->object, NULL, 0);
        break;
    case ZIG_H3_EVENT_H3_DATAGRAM:
        zig_h3_request_send_datagram(event->object, event->data, event->data_len, 0, 0);
        break;
    case ZIG_H3_EVENT_STREAM_CLOSED:
        silent_ended += event->object == silent;
        break;
    case ZIG_H3_EVENT_SERVER_STOPPED:
        server_stopped++;
        break;
    default:
        break;
    }
}

static inline void fetch_event(struct got *got, const zig_h3_event *event)
{
    SAME(event->parent, client);
    if (event->type != ZIG_H3_EVENT_WRITABLE)
        SAME(event->user_data, got->user_data);
    HOLDS(!got->done);
    switch (event->type) {
    case ZIG_H3_EVENT_INFORMATIONAL:
        got->informational++;
        break;
    case ZIG_H3_EVENT_RESPONSE:
        got->heads++;
        got->status = event->status;
        got->end = (event->flags & ZIG_H3_FLAG_END) != 0;
        got->buffered = (event->flags & ZIG_H3_FLAG_BUFFERED) != 0;
        keep_list(got->fields, sizeof got->fields, event->meta, event->meta_len);
        keep(got->text, sizeof got->text, event->data, event->data_len);
        got->body += event->data_len;
        break;
    case ZIG_H3_EVENT_BODY:
        SAME(event->aux, got->body);
        got->body += event->data_len;
        keep(got->text, sizeof got->text, event->data, event->data_len);
        if (!hold) {
            const int32_t code = zig_h3_request_consumed(event->object, event->data_len);
            HOLDS(code == 0 || code == ZIG_H3_ERR_STALE_HANDLE); /* its end may be in the queue */
        }
        break;
    case ZIG_H3_EVENT_BODY_END:
        got->body_ends++;
        SAME(event->aux, got->body);
        keep_list(got->trailers, sizeof got->trailers, event->meta, event->meta_len);
        break;
    case ZIG_H3_EVENT_WRITABLE:
        got->writable++;
        break;
    case ZIG_H3_EVENT_STREAM_STOPPED:
        got->stopped++;
        got->aux = event->aux;
        break;
    case ZIG_H3_EVENT_H3_DATAGRAM:
        got->datagrams++;
        keep(got->text, sizeof got->text, event->data, event->data_len);
        break;
    case ZIG_H3_EVENT_FETCH_DONE:
        got->done = 1;
        got->code = event->code;
        got->flags = event->flags;
        got->done_status = event->status;
        keep(got->why, sizeof got->why, event->data, event->data_len);
        break;
    default:
        break;
    }
}

/* Takes one event, has the server do its part, and notes the client's. Gives it for what else is to be seen of it. */
static inline zig_h3_event step(void)
{
    const zig_h3_event event = any();
    struct got *got = got_of(event.object);
    if (got != NULL)
        fetch_event(got, &event);
    else if (event.type == ZIG_H3_EVENT_CLIENT_CLOSED) {
        closed++;
        closed_code = event.code;
    } else if (event.parent == server || event.object == server)
        serve_event(&event);
    else if (event.type == ZIG_H3_EVENT_CONN_OPENED)
        conns++;
    else if (event.type == ZIG_H3_EVENT_CONN_CLOSED)
        conns--;
    return event;
}

#define UNTIL(condition)                                                                                                          \
    do {                                                                                                                          \
        while (!(condition))                                                                                                      \
            step();                                                                                                               \
    } while (0)

/* A server with all its routes, and its port. */
static inline void serve_routes(const char *options)
{
    static const struct {
        const char *method, *path;
        uint32_t flags, id;
    } routes[] = {
        {"GET", "/hello", 0, HELLO}, {"POST", "/echo", 0, ECHO}, {"POST", "/sink", 0, SINK}, {NULL, "/silent", 0, SILENT},
        {"GET", "/bytes/:n", 0, BYTES}, {"GET", "/trailers", 0, TRAILERS}, {"POST", "/grams", ZIG_H3_ROUTE_DATAGRAM, GRAMS},
        {"POST", "/refuse", 0, REFUSE}, {NULL, "/wt", ZIG_H3_ROUTE_WEBTRANSPORT, WT},
    };
    serve_with(options);
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        MUST(zig_h3_server_route(server, routes[i].method, routes[i].path, routes[i].flags, routes[i].id, NULL));
    MUST(zig_h3_server_start(server));
    MUST(zig_h3_server_port(server, &port));
}

static inline void client_with(const char *options)
{
    zig_h3_client_config config = {.size = sizeof config, .options = options, .options_len = strlen(options)};
    closed = 0;
    MUST(zig_h3_client_new(&config, queue, &client));
}

/* A URL of the server's; good for the next dozen. */
static inline const char *url(const char *path)
{
    static char text[12][512];
    static int next;
    char *one = text[next++ % 12];
    snprintf(one, sizeof text[0], "https://127.0.0.1:%u%s", (unsigned)port, path);
    return one;
}

static inline zig_h3_fetch_config asking(const char *method, const char *path, const char *body, uint32_t flags)
{
    const char *whole = strncmp(path, "http", 4) == 0 ? path : url(path);
    return (zig_h3_fetch_config){
        .size = sizeof(zig_h3_fetch_config), .flags = flags, .method = method, .url = whole, .url_len = strlen(whole), .body = body,
        .body_len = body == NULL ? 0 : strlen(body), .user_data = 4711,
    };
}

static inline struct got *start(const zig_h3_fetch_config *config)
{
    zig_h3_handle handle = 0;
    MUST(zig_h3_client_fetch(client, config, &handle));
    struct got *got = expect_of(handle);
    got->user_data = config->user_data;
    return got;
}

static inline struct got *ended(struct got *got)
{
    UNTIL(got->done);
    return got;
}

static inline struct got *fetch(const char *method, const char *path, const char *body)
{
    const zig_h3_fetch_config config = asking(method, path, body, ZIG_H3_FETCH_END);
    return ended(start(&config));
}

static inline uint64_t client_counter(const char *name)
{
    uint64_t values[64];
    const int32_t count = zig_h3_client_stats_snapshot(client, values, 64);
    for (int32_t i = 0; i < count && i < 64; i++) {
        if (strcmp(zig_h3_client_stats_name((uint32_t)i), name) == 0)
            return values[i];
    }
    fail(name);
    return 0;
}

#endif
