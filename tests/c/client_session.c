/* Sessions that a client asks for, from C: opened, rejected, given up, with streams and datagrams both ways. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "asked.h"

static zig_h3_handle theirs; /* the server's end */

/* The next event of this type; what else comes is dealt with. */
static zig_h3_event await(uint16_t type, zig_h3_handle object)
{
    for (;;) {
        const zig_h3_event event = step();
        if (event.type == type && (object == 0 || event.object == object))
            return event;
    }
}

static zig_h3_session_config wanting(const char *path)
{
    const char *whole = strncmp(path, "http", 4) == 0 ? path : url(path);
    return (zig_h3_session_config){.size = sizeof(zig_h3_session_config), .url = whole, .url_len = strlen(whole), .user_data = 99};
}

static zig_h3_handle want(const zig_h3_session_config *config)
{
    zig_h3_handle session = 0;
    MUST(zig_h3_client_open_webtransport(client, config, &session));
    return session;
}

static zig_h3_handle opened_with(const zig_h3_session_config *config)
{
    const zig_h3_handle session = want(config);
    zig_h3_handle out;
    theirs = await(ZIG_H3_EVENT_SESSION_REQUEST, 0).object;
    /* Its handle is a session's, and nothing goes before it is open. */
    SAME(zig_h3_wt_open_stream(session, ZIG_H3_WT_BIDIRECTIONAL, 0, &out), ZIG_H3_ERR_WRONG_STATE);
    SAME(zig_h3_wt_send_datagram(session, "x", 1, 0, 0), ZIG_H3_ERR_WRONG_STATE);
    SAME(zig_h3_wt_accept(session, NULL, NULL, 0), ZIG_H3_ERR_WRONG_STATE);
    SAME(zig_h3_wt_reject(session, 404, NULL, 0, NULL, 0), ZIG_H3_ERR_WRONG_STATE);
    SAME(zig_h3_client_cancel_fetch(session), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_wt_accept(theirs, NULL, NULL, 0), 0);
    const zig_h3_event event = await(ZIG_H3_EVENT_SESSION_OPENED, session);
    SAME(event.parent, client);
    SAME(event.user_data, 99);
    HOLDS(event.status > 1000);
    SAME(zig_h3_wt_max_datagram_size(session), event.status);
    return session;
}

static zig_h3_handle opened(void)
{
    const zig_h3_session_config config = wanting("/wt");
    return opened_with(&config);
}

/* Sends on a stream, and gets it back: both are of this process, the far end echoes. */
static void echo(zig_h3_handle session, zig_h3_handle other)
{
    zig_h3_handle stream = 0;
    size_t taken;
    char text[64] = "";
    int over = 0, ended_streams = 0;
    MUST(zig_h3_wt_open_stream(session, ZIG_H3_WT_BIDIRECTIONAL, 0, &stream));
    SAME(zig_h3_wt_stream_write(stream, "there and back", 14, &taken), 0);
    SAME(taken, 14);
    SAME(zig_h3_wt_stream_end(stream), 0);
    while (ended_streams < 2) {
        const zig_h3_event event = step();
        if (event.type == ZIG_H3_EVENT_STREAM_DATA && event.parent == other) {
            if (event.data_len > 0)
                SAME(zig_h3_wt_stream_write(event.object, event.data, event.data_len, &taken), 0);
            zig_h3_wt_stream_consumed(event.object, event.data_len);
            if (event.flags & ZIG_H3_FLAG_END)
                SAME(zig_h3_wt_stream_end(event.object), 0);
        } else if (event.type == ZIG_H3_EVENT_STREAM_DATA && event.object == stream) {
            SAME(event.parent, session);
            keep(text, sizeof text, event.data, event.data_len);
            over += (event.flags & ZIG_H3_FLAG_END) != 0;
        } else if (event.type == ZIG_H3_EVENT_STREAM_ENDED) {
            SAME(event.code, 0);
            ended_streams++;
        }
    }
    SAME(over, 1);
    HOLDS(strcmp(text, "there and back") == 0);
}

static void datagram(zig_h3_handle from, zig_h3_handle to)
{
    zig_h3_event event;
    for (;;) { /* it may be lost */
        SAME(zig_h3_wt_send_datagram(from, "gram", 4, 0, 0), 0);
        while (zig_h3_queue_wait(queue, 50) == 1) {
            event = step();
            if (event.type == ZIG_H3_EVENT_SESSION_DATAGRAM && event.object == to) {
                HOLDS(event.data_len == 4 && memcmp(event.data, "gram", 4) == 0);
                return;
            }
        }
    }
}

static void talks(void)
{
    uint64_t values[64];
    const zig_h3_handle session = opened();
    echo(session, theirs);
    echo(theirs, session);
    datagram(session, theirs);
    datagram(theirs, session);
    HOLDS(zig_h3_wt_stats_snapshot(session, values, 64) > 0);
    uint8_t mine[16], other[16];
    SAME(zig_h3_wt_export_keying_material(session, "l", 1, "c", 1, mine, sizeof mine), 0);
    SAME(zig_h3_wt_export_keying_material(theirs, "l", 1, "c", 1, other, sizeof other), 0);
    HOLDS(memcmp(mine, other, sizeof mine) == 0);
    SAME(zig_h3_wt_close(session, 7, "enough", 6), 0);
    int both = 0;
    while (both != 3) {
        const zig_h3_event event = step();
        if (event.type == ZIG_H3_EVENT_SESSION_CLOSED && event.object == theirs) {
            SAME(event.aux, 7);
            HOLDS(event.data_len == 6 && memcmp(event.data, "enough", 6) == 0);
            both |= 1;
        } else if (event.type == ZIG_H3_EVENT_SESSION_CLOSED && event.object == session) {
            SAME(event.code, 0);
            SAME(event.user_data, 99);
            SAME(event.parent, client);
            SAME(event.flags & ZIG_H3_FLAG_COUNTERS, ZIG_H3_FLAG_COUNTERS);
            both |= 2;
        }
    }
    SAME(zig_h3_wt_close(session, 0, NULL, 0), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_wt_stats_snapshot(session, values, 64), ZIG_H3_ERR_STALE_HANDLE);
}

/* The server ends it. */
static void closed_there(void)
{
    const zig_h3_handle session = opened();
    SAME(zig_h3_wt_close(theirs, 8, "bye", 3), 0);
    const zig_h3_event event = await(ZIG_H3_EVENT_SESSION_CLOSED, session);
    SAME(event.code, 0);
    SAME(event.aux, 8);
    SAME(event.flags & ZIG_H3_FLAG_REMOTE, ZIG_H3_FLAG_REMOTE);
}

/* Protocols are offered, one is chosen; headers come along both ways. */
static void protocols(void)
{
    static const char list[] = "\4\0chat\3\0moq";
    uint8_t fields[64], back[64];
    char text[256] = "";
    zig_h3_session_config config = wanting("/wt?x=1");
    config.protocols = list;
    config.protocols_len = sizeof list - 1;
    config.headers = fields;
    config.headers_len = pack(fields, 0, "Origin", "https://page.example");
    const zig_h3_handle session = want(&config);
    zig_h3_event event = await(ZIG_H3_EVENT_SESSION_REQUEST, 0);
    HOLDS(strcmp(field(&event, "origin"), "https://page.example") == 0);
    HOLDS(strcmp(field(&event, ":path"), "/wt?x=1") == 0);
    SAME(zig_h3_wt_accept(event.object, "moq", back, pack(back, 0, "x-back", "yes")), 0);
    event = await(ZIG_H3_EVENT_SESSION_OPENED, session);
    keep_list(text, sizeof text, event.meta, event.meta_len);
    HOLDS(strncmp(text, "protocol=moq|", 13) == 0);
    HOLDS(strstr(text, "x-back=yes|") != NULL);
    SAME(zig_h3_wt_close(session, 0, NULL, 0), 0);
    await(ZIG_H3_EVENT_SESSION_CLOSED, session);
}

static void never_opened(void)
{
    zig_h3_handle out = 77;
    zig_h3_session_config config = wanting("/wt");
    zig_h3_handle session = want(&config);
    zig_h3_event event = await(ZIG_H3_EVENT_SESSION_REQUEST, 0);
    SAME(zig_h3_wt_reject(event.object, 403, NULL, 0, NULL, 0), 0);
    event = await(ZIG_H3_EVENT_SESSION_CLOSED, session);
    SAME(event.code, ZIG_H3_ERR_REJECTED);
    SAME(event.status, 403);
    SAME(event.flags & ZIG_H3_FLAG_COUNTERS, 0);

    session = want(&config); /* given up before it is asked for, or while it is */
    SAME(zig_h3_wt_close(session, 1, NULL, 0), 0);
    event = await(ZIG_H3_EVENT_SESSION_CLOSED, session);
    SAME(event.code, ZIG_H3_ERR_CANCELLED);

    config = wanting("https://127.0.0.1:1/");
    session = want(&config);
    SAME(await(ZIG_H3_EVENT_SESSION_CLOSED, session).code, ZIG_H3_ERR_REFUSED);

    config = wanting("/wt");
    config.flags = 0x80;
    SAME(zig_h3_client_open_webtransport(client, &config, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    config = wanting("/wt");
    config.size = 8;
    SAME(zig_h3_client_open_webtransport(client, &config, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    config = wanting("http://127.0.0.1/");
    SAME(zig_h3_client_open_webtransport(client, &config, &out), ZIG_H3_ERR_BAD_URL);
    config = wanting("/wt");
    config.protocols = "\4\0cha";
    config.protocols_len = 5;
    SAME(zig_h3_client_open_webtransport(client, &config, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    config.protocols = NULL;
    SAME(zig_h3_client_open_webtransport(client, &config, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    config.protocols_len = 40000;
    config.protocols = "";
    SAME(zig_h3_client_open_webtransport(client, &config, &out), ZIG_H3_ERR_TOO_LARGE);
    config = wanting("/wt");
    SAME(zig_h3_client_open_webtransport(client, &config, NULL), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_client_open_webtransport(client, NULL, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_client_open_webtransport(server, &config, &out), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_client_open_webtransport(0, &config, &out), ZIG_H3_ERR_INVALID_HANDLE);
    SAME(out, 77);
}

/* A client without sessions says so; one that shares connections does. */
static void offers(void)
{
    zig_h3_session_config config = wanting("/wt");
    zig_h3_client_free(client);
    UNTIL(closed == 1);
    client_with("{\"insecure\": true, \"webtransport\": false}");
    const zig_h3_handle session = want(&config);
    SAME(await(ZIG_H3_EVENT_SESSION_CLOSED, session).code, ZIG_H3_ERR_NOT_NEGOTIATED);
    zig_h3_client_free(client);
    UNTIL(closed == 1);

    client_with("{\"insecure\": true}");
    SAME(fetch("GET", "/hello", NULL)->code, 0);
    config = wanting("/wt");
    config.flags = ZIG_H3_SESSION_POOLED;
    const zig_h3_handle pooled = want(&config);
    SAME(zig_h3_wt_accept(await(ZIG_H3_EVENT_SESSION_REQUEST, 0).object, NULL, NULL, 0), 0);
    await(ZIG_H3_EVENT_SESSION_OPENED, pooled);
    SAME(client_counter("connections_total"), 1);
    SAME(client_counter("sessions_active"), 1);
    zig_h3_client_free(client); /* which ends the session */
    SAME(await(ZIG_H3_EVENT_SESSION_CLOSED, pooled).code, ZIG_H3_ERR_SHUTDOWN);
    UNTIL(closed == 1);
}

/* The counter of a session with this name; -1: there is none. */
static int64_t of_session(zig_h3_handle session, const char *name)
{
    uint64_t values[64];
    const int32_t count = zig_h3_wt_stats_snapshot(session, values, 64);
    for (int32_t i = 0; i < count && i < 64; i++) {
        if (strcmp(zig_h3_wt_stats_name((uint32_t)i), name) == 0)
            return (int64_t)values[i];
    }
    return -1;
}

/* What a session's connection does against congestion, once its counters say so; -1: this library cannot know. Counters are read now and then,
 * while something happens, and the connection begins with what the client's option says. */
static int64_t used_by(zig_h3_handle session, int64_t wanted)
{
    const time_t began = time(NULL);
    int64_t used;
    while ((used = of_session(session, "congestion_control")) >= 0 && used != wanted && time(NULL) - began < 40) {
        datagram(session, theirs);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return used;
}

/* A session may wish for another one than its client, each for itself; one that shares its connection may not. */
static void congestion_of_sessions(void)
{
    static const uint32_t wishes[] = {ZIG_H3_CONGESTION_BBR, ZIG_H3_CONGESTION_RENO, ZIG_H3_CONGESTION_OPTION, ZIG_H3_CONGESTION_AUTO};
    zig_h3_handle sessions[4], out = 77;
    zig_h3_session_config config;
    client_with("{\"insecure\": true, \"congestion_control\": \"reno\"}");
    zig_h3_handle session = opened();
    const int known = of_session(session, "congestion_control") >= 0;
    for (int i = 0; i < 4 && known; i++) {
        config = wanting("/wt");
        config.congestion_control = wishes[i];
        sessions[i] = opened_with(&config);
        if (wishes[i] != ZIG_H3_CONGESTION_AUTO) { /* which may choose either */
            const int64_t wanted = wishes[i] == ZIG_H3_CONGESTION_OPTION ? ZIG_H3_CONGESTION_RENO : wishes[i];
            SAME(used_by(sessions[i], wanted), wanted);
        }
    }
    if (known) { /* at most what was sent */
        const int64_t acknowledged = of_session(sessions[0], "bytes_acknowledged");
        HOLDS(acknowledged > 0 && acknowledged <= of_session(sessions[0], "bytes_out"));
    }
    if (known) /* the others' wishes have changed nothing of it */
        SAME(of_session(sessions[0], "congestion_control"), ZIG_H3_CONGESTION_BBR);
    if (!known) {
        config = wanting("/wt");
        config.congestion_control = ZIG_H3_CONGESTION_BBR;
        session = want(&config);
        SAME(await(ZIG_H3_EVENT_SESSION_CLOSED, session).code, ZIG_H3_ERR_CONFIG);
    }
    /* The struct of 1.2 ends before it, and has what its client has. */
    config = wanting("/wt");
    config.size = 64;
    config.congestion_control = config.reserved = UINT32_MAX; /* is not looked at */
    session = opened_with(&config);
    if (known)
        SAME(used_by(session, ZIG_H3_CONGESTION_RENO), ZIG_H3_CONGESTION_RENO);

    config = wanting("/wt");
    config.congestion_control = ZIG_H3_CONGESTION_AUTO + 1;
    SAME(zig_h3_client_open_webtransport(client, &config, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    config.congestion_control = ZIG_H3_CONGESTION_RENO;
    config.flags = ZIG_H3_SESSION_POOLED;
    SAME(zig_h3_client_open_webtransport(client, &config, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    config = wanting("/wt");
    config.reserved = 1;
    SAME(zig_h3_client_open_webtransport(client, &config, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(out, 77);
    zig_h3_client_free(client);
    UNTIL(closed == 1);
}

/* What a client is told to use against congestion its sessions use, and its counters say so; with quic-go as it is nobody knows. */
static void congestion(void)
{
    static const char *const algorithms[] = {"bbr", "reno"};
    char options[128], name[64];
    int64_t used[2];
    for (int i = 0; i < 2; i++) {
        snprintf(options, sizeof options, "{\"insecure\": true, \"congestion_control\": \"%s\"}", algorithms[i]);
        client_with(options);
        const zig_h3_handle session = opened();
        snprintf(name, sizeof name, "connections_%s", algorithms[i]);
        const time_t began = time(NULL); /* counters are read now and then, while something happens */
        while ((used[i] = of_session(session, "congestion_control")) >= 0 && (used[i] == 0 || client_counter(name) == 0) && time(NULL) - began < 40) {
            datagram(session, theirs);
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        }
        HOLDS(used[i] != 0);
        if (used[i] > 0)
            SAME(client_counter(name), 1);
        zig_h3_client_free(client);
        UNTIL(closed == 1);
    }
    HOLDS(used[0] != used[1] || used[0] == -1);
}

int main(void)
{
    serve_routes("{\"webtransport\": {\"origins\": [\"https://page.example\"]}}");
    client_with("{\"insecure\": true}");
    talks();
    closed_there();
    protocols();
    never_opened();
    offers();
    congestion();
    congestion_of_sessions();
    stop();
    return done();
}
