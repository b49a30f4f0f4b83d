/*
 * Sessions and their streams, from C: what each call does and refuses in each state, and what a client that is not ours
 * (tests/peers/wtgo, on webtransport-go) sees of it. One end for each session and each stream.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <time.h>

#include "expect.h"
#include "wtgo.h"

enum { USER_DATA = 99 };

/* SHA-256 of 4 MiB, the byte at offset i being i modulo 251. */
#define HASH "a117210941a0b00dcb2d8577e680d84b6fa0eaf760d2afc654c953b9859d54fa"

/* SHA-256 of 8,000 times h, 10,000 times a, and "whole"; and of the first 128 KiB of that pattern. */
#define BETWEEN "05c5576b81a6d84fe2ba617cf1e4af3b2988b3ea12926012d4800682fc43debe"
#define KEPT_HASH "feb1e4409d009e0ec502eaabe321f86b5197a881e9b765252ec8a75d6957596d"

static uint32_t route;
static long connection;
static uint64_t session_id; /* of the one that was asked for last */

/* Six bytes of keying material are eight characters of base64. Both ends have the same. */
static void keying_material(zig_h3_handle session, long number)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char material[6] = {0};
    char want[16] = {'"'};
    SAME(zig_h3_wt_export_keying_material(session, "hello", 5, "ctx", 3, material, sizeof material), 0);
    for (int i = 0; i < 2; i++) {
        unsigned n = (unsigned)material[3 * i] << 16 | (unsigned)material[3 * i + 1] << 8 | material[3 * i + 2];
        for (int j = 0; j < 4; j++)
            want[1 + 4 * i + j] = digits[n >> (18 - 6 * j) & 63];
    }
    strcat(want, "\"");
    ANSWERS(wt_do("\"do\": \"export\", \"session\": %ld, \"code\": %u, \"data\": \"aGVsbG8=\", \"reason\": \"ctx\", \"size\": 6", number,
                  (unsigned)session_id),
            want);
}

/* A pair of a header list, as a string "name: value" or NULL. */
static const char *field(const zig_h3_event *event, const char *wanted)
{
    static char value[1024];
    for (uint32_t at = 0; at + 6 <= event->meta_len;) {
        uint16_t n;
        uint32_t v;
        memcpy(&n, event->meta + at, 2);
        memcpy(&v, event->meta + at + 2, 4);
        if (n == strlen(wanted) && memcmp(event->meta + at + 6, wanted, n) == 0 && v < sizeof value) {
            memcpy(value, event->meta + at + 6 + n, v);
            value[v] = 0;
            return value;
        }
        at += 6u + n + v;
    }
    return NULL;
}

static int holds_field(const zig_h3_event *event, const char *name, const char *value)
{
    const char *got = field(event, name);
    return got != NULL && strcmp(got, value) == 0;
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

/* A connection of the client's; more are further members of the command. */
static long connect_with(const char *more)
{
    const char *answer = wt_answer(wt_do("\"do\": \"connect\", \"port\": %u%s", port, more));
    return wt_number(answer, "\"value\":");
}

/* Asks for a session and accepts it. */
static zig_h3_handle session_on(long conn, long *number)
{
    int dial = wt_do("\"do\": \"session\", \"conn\": %ld, \"path\": \"/wt\"", conn);
    const zig_h3_event asked = EXPECT(ZIG_H3_EVENT_SESSION_REQUEST);
    const zig_h3_handle session = asked.object;
    session_id = asked.aux;
    SAME(zig_h3_wt_accept(session, NULL, NULL, 0), 0);
    SAME(EXPECT(ZIG_H3_EVENT_SESSION_OPENED).object, session);
    *number = wt_number(wt_answer(dial), "\"session\":");
    HOLDS(*number > 0);
    return session;
}

/* Nothing that needs an open session works. */
static void closed_to_all(zig_h3_handle session, int32_t code)
{
    zig_h3_handle out = 77;
    zig_h3_datagram head = {.object = session};
    SAME(zig_h3_wt_send_datagram(session, "x", 1, 0, 0), code);
    SAME(zig_h3_send_datagrams(&head, sizeof head, 0), 0);
    SAME(head.result, code);
    SAME(zig_h3_wt_max_datagram_size(session), code);
    SAME(zig_h3_wt_drain(session), code);
    SAME(zig_h3_wt_export_keying_material(session, "l", 1, NULL, 0, &out, 8), code);
    SAME(zig_h3_wt_open_stream(session, ZIG_H3_WT_BIDIRECTIONAL, 0, &out), code);
    HOLDS(out == 77);
}

static void stale(zig_h3_handle session)
{
    uint64_t value;
    closed_to_all(session, ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_wt_accept(session, NULL, NULL, 0), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_wt_reject(session, 403, NULL, 0, NULL, 0), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_wt_close(session, 0, NULL, 0), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_wt_stats_snapshot(session, &value, 1), ZIG_H3_ERR_STALE_HANDLE);
}

/* A session that was open ends with its counters; that it had received something they show. */
static void counters(const zig_h3_event *event, int was_open)
{
    uint64_t received = 0;
    uint32_t count = 0;
    while (zig_h3_wt_stats_name(count) != NULL) {
        if (was_open && strcmp(zig_h3_wt_stats_name(count), "bytes_in") == 0)
            memcpy(&received, event->meta + 8 * count, 8);
        count++;
    }
    SAME(event->meta_len, was_open ? 8 * count : 0);
    SAME(event->flags & ZIG_H3_FLAG_COUNTERS, was_open ? ZIG_H3_FLAG_COUNTERS : 0);
    HOLDS(!was_open || received > 1000);
}

static zig_h3_event ends(zig_h3_handle session, int32_t code)
{
    zig_h3_event event = EXPECT(ZIG_H3_EVENT_SESSION_CLOSED);
    SAME(event.object, session);
    SAME(event.code, code);
    counters(&event, code != ZIG_H3_ERR_CANCELLED);
    stale(session);
    return event;
}

/* The session was rejected, or has ended of that already if the engine was faster than this thread. */
static void too_late(int32_t code)
{
    HOLDS(code == ZIG_H3_ERR_WRONG_STATE || code == ZIG_H3_ERR_STALE_HANDLE);
}

/* W02, W04, and what may be said before the decision. */
static void decisions(void)
{
    unsigned char list[256];
    const char *answer;
    long talkative = connect_with(", \"protocols\": [\"chat\", \"chat-2\"]");
    int dial = wt_do("\"do\": \"session\", \"conn\": %ld, \"path\": \"/wt?a=b\"", talkative);
    zig_h3_event event = EXPECT(ZIG_H3_EVENT_SESSION_REQUEST);
    zig_h3_handle session = event.object;
    SAME(event.parent, server);
    SAME(event.user_data, USER_DATA);
    SAME(event.status, route);
    SAME(event.aux % 4, 0);
    HOLDS(event.conn != 0);
    HOLDS(holds_field(&event, ":method", "CONNECT") && holds_field(&event, ":path", "/wt?a=b") && field(&event, ":protocol") != NULL);
    closed_to_all(session, ZIG_H3_ERR_WRONG_STATE);
    SAME(zig_h3_wt_accept(session, "chat-3", NULL, 0), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_accept(session, "", NULL, 0), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_accept(session, "cha", NULL, 0), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_accept(session, NULL, list, pack(list, "connection", "close")), ZIG_H3_ERR_BAD_HEADER);
    SAME(zig_h3_wt_accept(session, NULL, list, pack(list, ":status", "200")), ZIG_H3_ERR_BAD_HEADER);
    SAME(zig_h3_wt_accept(session, NULL, list, pack(list, "a", "b") - 1), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_accept(session, "chat-2", list, pack(list, "X-Mine", "yes")), 0);
    SAME(zig_h3_wt_accept(session, NULL, NULL, 0), ZIG_H3_ERR_WRONG_STATE);
    SAME(zig_h3_wt_reject(session, 403, NULL, 0, NULL, 0), ZIG_H3_ERR_WRONG_STATE);
    event = EXPECT(ZIG_H3_EVENT_SESSION_OPENED);
    SAME(event.object, session);
    SAME(event.status, zig_h3_wt_max_datagram_size(session));
    HOLDS(event.status >= 1000 && holds_field(&event, "protocol", "chat-2"));
    answer = wt_answer(dial);
    HOLDS(strstr(answer, "\"protocol\":\"chat-2\"") != NULL && strstr(answer, "\"X-Mine\":\"yes\"") != NULL);
    int closed = wt_do("\"do\": \"closed\", \"session\": %ld", wt_number(answer, "\"session\":"));
    SAME(zig_h3_wt_close(session, 0x10, "server closing \xe2\x82\xac", 18), 0);
    /* Closed, or ended already if the peer was faster than this thread; a second close is nothing any more, or comes too late. */
    int32_t drained = zig_h3_wt_drain(session), again = zig_h3_wt_close(session, 1, NULL, 0);
    HOLDS(drained == ZIG_H3_ERR_WRONG_STATE || drained == ZIG_H3_ERR_STALE_HANDLE);
    SAME(again, drained == ZIG_H3_ERR_STALE_HANDLE || again != 0 ? ZIG_H3_ERR_STALE_HANDLE : 0);
    event = EXPECT(ZIG_H3_EVENT_SESSION_CLOSED);
    SAME(event.object, session);
    SAME(event.code, 0);
    SAME(event.flags & ZIG_H3_FLAG_REMOTE, 0);
    SAME(event.aux, 0x10);
    counters(&event, 1);
    stale(session);
    ANSWERS(closed, "\"value\":{\"code\":16,\"reason\":\"server closing \xe2\x82\xac\",\"remote\":true}");
    wt_answer(wt_do("\"do\": \"disconnect\", \"conn\": %ld", talkative));

    dial = wt_do("\"do\": \"session\", \"conn\": %ld, \"path\": \"/wt\"", connection);
    session = EXPECT(ZIG_H3_EVENT_SESSION_REQUEST).object;
    SAME(zig_h3_wt_accept(session, "chat", NULL, 0), ZIG_H3_ERR_INVALID_ARGUMENT); /* nothing was offered */
    SAME(zig_h3_wt_reject(session, 418, list, pack(list, "connection", "close"), NULL, 0), ZIG_H3_ERR_BAD_HEADER);
    SAME(zig_h3_wt_reject(session, 418, list, pack(list, "x-why", "tea"), "no coffee", 9), 0);
    too_late(zig_h3_wt_reject(session, 418, NULL, 0, NULL, 0));
    too_late(zig_h3_wt_accept(session, NULL, NULL, 0));
    ends(session, ZIG_H3_ERR_CANCELLED);
    ANSWERS(dial, "\"status\":418");

    dial = wt_do("\"do\": \"session\", \"conn\": %ld, \"path\": \"/wt\"", connection);
    session = EXPECT(ZIG_H3_EVENT_SESSION_REQUEST).object;
    SAME(zig_h3_wt_close(session, 5, "before", 6), 0);
    too_late(zig_h3_wt_accept(session, NULL, NULL, 0));
    ends(session, ZIG_H3_ERR_CANCELLED);
    ANSWERS(dial, "\"status\":500");

    ANSWERS(wt_do("\"do\": \"session\", \"conn\": %ld, \"path\": \"/nowhere\"", connection), "\"status\":404");
}

/* W06, and the limits that a session tells. */
static void datagrams(zig_h3_handle session, long number)
{
    static const char big[65535];
    wt_answer(wt_do("\"do\": \"datagram\", \"session\": %ld, \"data\": \"aGVsbG8=\"", number));
    zig_h3_event event = EXPECT(ZIG_H3_EVENT_SESSION_DATAGRAM);
    SAME(event.object, session);
    HOLDS(event.data_len == 5 && memcmp(event.data, "hello", 5) == 0 && event.aux != 0);
    SAME(zig_h3_wt_send_datagram(session, event.data, event.data_len, 0, 0), 0);
    ANSWERS(wt_do("\"do\": \"receive\", \"session\": %ld", number), "[\"aGVsbG8=\"]");
    wt_answer(wt_do("\"do\": \"datagram\", \"session\": %ld, \"data\": \"\"", number));
    SAME(EXPECT(ZIG_H3_EVENT_SESSION_DATAGRAM).data_len, 0);
    SAME(zig_h3_wt_send_datagram(session, NULL, 0, 0, 0), 0);
    ANSWERS(wt_do("\"do\": \"receive\", \"session\": %ld", number), "[\"\"]");

    int32_t limit = zig_h3_wt_max_datagram_size(session);
    HOLDS(limit >= 1000 && limit < 65535);
    SAME(zig_h3_wt_send_datagram(session, big, (size_t)limit + 1, 0, 0), ZIG_H3_ERR_DATAGRAM_TOO_LARGE);
    SAME(zig_h3_wt_send_datagram(session, big, (size_t)limit, 0, 0), 0);
    HOLDS(strstr(wt_answer(wt_do("\"do\": \"receive\", \"session\": %ld", number)), "[\"AAAA") != NULL);

    /* Many at once: each is answered for, in its place. */
    struct {
        zig_h3_datagram head;
        char payload[8];
    } list[6] = {0};
    for (int i = 0; i < 6; i++)
        list[i].head = (zig_h3_datagram){.object = session, .len = 1};
    memcpy(list[0].payload, "a", 1);
    list[1].head.object = server;
    list[2].head.object = session + ((uint64_t)1 << 24);
    memcpy(list[3].payload, "b", 1);
    list[4].head.reserved = 1;
    list[5].head.len = 0;
    SAME(zig_h3_send_datagrams(list, sizeof list - sizeof list[5].payload, ZIG_H3_SEND_LATER), 3);
    SAME(zig_h3_flush(), 0);
    SAME(list[0].head.result, 0);
    SAME(list[1].head.result, ZIG_H3_ERR_WRONG_KIND);
    SAME(list[2].head.result, ZIG_H3_ERR_INVALID_HANDLE);
    SAME(list[3].head.result, 0);
    SAME(list[4].head.result, ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(list[5].head.result, 0);
    ANSWERS(wt_do("\"do\": \"receive\", \"session\": %ld, \"count\": 3", number), "[\"YQ==\",\"Yg==\",\"\"]");

    uint64_t values[64];
    int32_t count = zig_h3_wt_stats_snapshot(session, values, 64);
    HOLDS(count > 0 && zig_h3_wt_stats_name((uint32_t)count - 1) != NULL && zig_h3_wt_stats_name((uint32_t)count) == NULL);
    SAME(zig_h3_wt_stats_snapshot(session, NULL, 0), count);
}

/* Datagrams that the engine is done with, sent or dropped. */
static uint64_t gone(void)
{
    return counter("datagrams_out") + counter("datagrams_dropped_expired") + counter("datagrams_dropped_too_large") +
           counter("datagrams_dropped_unsent");
}

struct sender {
    zig_h3_handle session;
    uint64_t taken, full, other;
};

/* One by one and in lists, as fast as it goes. */
static void *send_many(void *argument)
{
    enum { ROUNDS = 1000, LIST = 7 };
    struct sender *sender = argument;
    struct {
        zig_h3_datagram head;
        char payload[16];
    } list[LIST];
    memset(list, 0, sizeof list);
    for (int i = 0; i < ROUNDS * LIST; i++) {
        int32_t code = 0;
        if (i / LIST % 2 == 0) {
            code = zig_h3_wt_send_datagram(sender->session, "sixteen bytes ..", 16, 0, ZIG_H3_SEND_LATER);
        } else {
            list[i % LIST].head = (zig_h3_datagram){.object = sender->session, .len = 16};
            if (i % LIST == LIST - 1) {
                int32_t n = zig_h3_send_datagrams(list, sizeof list, 0);
                for (int j = 0; j < LIST; j++) {
                    sender->taken += list[j].head.result == 0;
                    sender->full += list[j].head.result == ZIG_H3_ERR_QUEUE_FULL;
                    n -= list[j].head.result == 0;
                }
                sender->other += n != 0;
            }
            continue;
        }
        sender->taken += code == 0;
        sender->full += code == ZIG_H3_ERR_QUEUE_FULL;
    }
    return NULL;
}

/* Of what several threads send at once each is taken or refused, each that was taken leaves once, and no place is lost or made up. */
static void account(zig_h3_handle session)
{
    enum { THREADS = 4, ALL = THREADS * 7000, PLACES = 256 };
    struct sender senders[THREADS];
    pthread_t threads[THREADS];
    uint64_t before = gone(), taken = 0, full = 0, other = 0;
    for (int i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){.session = session};
        pthread_create(&threads[i], NULL, send_many, &senders[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        taken += senders[i].taken;
        full += senders[i].full;
        other += senders[i].other;
    }
    SAME(zig_h3_flush(), 0);
    SAME(taken + full, ALL);
    SAME(other, 0);
    for (int i = 0; i < 1000 && gone() < before + taken; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    SAME(gone(), before + taken);

    /* In one list, so that the engine sees none of them before the last was taken or refused. */
    static zig_h3_datagram list[PLACES + 10];
    for (int i = 0; i < PLACES + 10; i++)
        list[i] = (zig_h3_datagram){.object = session};
    SAME(zig_h3_send_datagrams(list, sizeof list, 0), PLACES);
    for (int i = 0; i < PLACES + 10; i++) {
        if (list[i].result != (i < PLACES ? 0 : ZIG_H3_ERR_QUEUE_FULL))
            SAME(list[i].result, i < PLACES ? 0 : ZIG_H3_ERR_QUEUE_FULL);
    }
}

static void ended(zig_h3_handle stream, zig_h3_handle session, int32_t code)
{
    size_t taken;
    zig_h3_event event = next();
    while (event.type == ZIG_H3_EVENT_WRITABLE)
        event = next();
    SAME(event.type, ZIG_H3_EVENT_STREAM_ENDED);
    SAME(event.object, stream);
    SAME(event.parent, session);
    SAME(event.code, code);
    SAME(zig_h3_wt_stream_write(stream, "x", 1, &taken), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_wt_stream_end(stream), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_wt_stream_reset(stream, 0), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_wt_stream_stop(stream, 0), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_wt_stream_consumed(stream, 0), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_wt_stream_priority(stream, 0, 0), ZIG_H3_ERR_STALE_HANDLE);
}

static zig_h3_handle opened(zig_h3_handle session, uint32_t kind, uint16_t flags)
{
    zig_h3_event event = EXPECT(ZIG_H3_EVENT_STREAM_OPENED);
    SAME(event.parent, session);
    SAME(event.status, kind);
    SAME(event.flags & ZIG_H3_FLAG_REMOTE, flags);
    return event.object;
}

/* All that comes up to the end of the peer's side, which is this text. */
static void reads(zig_h3_handle stream, zig_h3_handle session, const char *text)
{
    char got[256];
    uint64_t len = 0;
    zig_h3_event event;
    do {
        event = EXPECT(ZIG_H3_EVENT_STREAM_DATA);
        SAME(event.object, stream);
        SAME(event.parent, session);
        SAME(event.aux, len);
        if (len + event.data_len > sizeof got)
            fail("more than was sent");
        memcpy(got + len, event.data, event.data_len);
        len += event.data_len;
    } while (!(event.flags & ZIG_H3_FLAG_END));
    HOLDS(len == strlen(text) && memcmp(got, text, len) == 0);
}

/* Streams that the client opens. */
static void streams_of_the_peer(zig_h3_handle session, long number)
{
    size_t taken;
    int open = wt_do("\"do\": \"open\", \"session\": %ld, \"data\": \"aGVsbG8=\", \"end\": true", number);
    zig_h3_handle stream = opened(session, ZIG_H3_WT_BIDIRECTIONAL, ZIG_H3_FLAG_REMOTE);
    reads(stream, session, "hello");
    long theirs = wt_number(wt_answer(open), "\"value\":");
    SAME(zig_h3_wt_stream_consumed(stream, 6), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_stream_consumed(stream, 5), 0);
    SAME(zig_h3_wt_stream_consumed(stream, 1), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_stream_stop(stream, 0), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_wt_stream_priority(stream, 3, INT64_MIN), 0);
    SAME(zig_h3_wt_stream_write(stream, NULL, 0, &taken), 0);
    SAME(zig_h3_wt_stream_write(stream, "hello", 5, &taken), 0);
    SAME(taken, 5);
    SAME(zig_h3_wt_stream_end(stream), 0);
    ANSWERS(wt_do("\"do\": \"read\", \"stream\": %ld", theirs), "\"data\":\"aGVsbG8=\"");
    ended(stream, session, 0);

    open = wt_do("\"do\": \"open\", \"session\": %ld, \"uni\": true", number);
    theirs = wt_number(wt_answer(open), "\"value\":");
    open = wt_do("\"do\": \"write\", \"stream\": %ld, \"data\": \"aA==\"", theirs);
    stream = opened(session, ZIG_H3_WT_UNIDIRECTIONAL, ZIG_H3_FLAG_REMOTE);
    SAME(zig_h3_wt_stream_write(stream, "x", 1, &taken), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_wt_stream_end(stream), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_wt_stream_reset(stream, 1), ZIG_H3_ERR_ENDED);
    wt_answer(open);
    wt_answer(wt_do("\"do\": \"write\", \"stream\": %ld, \"data\": \"ZWxsbw==\", \"end\": true", theirs));
    reads(stream, session, "hello");
    ended(stream, session, 0);
}

/* Streams that this side opens: they take writes before they are there. W09. */
static void streams_of_ours(zig_h3_handle session, long number)
{
    zig_h3_handle stream;
    size_t taken;
    MUST(zig_h3_wt_open_stream(session, ZIG_H3_WT_BIDIRECTIONAL, 0, &stream));
    SAME(zig_h3_wt_stream_write(stream, "hello", 5, &taken), 0);
    SAME(zig_h3_wt_stream_end(stream), 0);
    SAME(zig_h3_wt_stream_end(stream), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_wt_stream_write(stream, "x", 1, &taken), ZIG_H3_ERR_ENDED);
    SAME(taken, 0);
    SAME(zig_h3_wt_drain(stream), ZIG_H3_ERR_WRONG_KIND);
    SAME(zig_h3_wt_stream_end(session), ZIG_H3_ERR_WRONG_KIND);
    SAME(opened(session, ZIG_H3_WT_BIDIRECTIONAL, 0), stream);
    zig_h3_event event = EXPECT(ZIG_H3_EVENT_WRITABLE);
    SAME(event.object, stream);
    SAME(event.parent, session);
    SAME(event.flags, ZIG_H3_FLAG_END);
    long theirs = wt_number(wt_answer(wt_do("\"do\": \"accept\", \"session\": %ld", number)), "\"value\":");
    ANSWERS(wt_do("\"do\": \"read\", \"stream\": %ld", theirs), "\"data\":\"aGVsbG8=\"");
    wt_answer(wt_do("\"do\": \"write\", \"stream\": %ld, \"data\": \"aGVsbG8=\", \"end\": true", theirs));
    reads(stream, session, "hello");
    ended(stream, session, 0);

    MUST(zig_h3_wt_open_stream(session, ZIG_H3_WT_UNIDIRECTIONAL, ZIG_H3_WT_OPEN_WAIT, &stream));
    SAME(zig_h3_wt_stream_stop(stream, 1), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_wt_stream_consumed(stream, 1), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(opened(session, ZIG_H3_WT_UNIDIRECTIONAL, 0), stream);
    SAME(zig_h3_wt_stream_write(stream, "hello", 5, &taken), 0);
    SAME(zig_h3_wt_stream_end(stream), 0);
    theirs = wt_number(wt_answer(wt_do("\"do\": \"accept\", \"session\": %ld, \"uni\": true", number)), "\"value\":");
    ANSWERS(wt_do("\"do\": \"read\", \"stream\": %ld", theirs), "\"data\":\"aGVsbG8=\"");
    ended(stream, session, 0);
}

/* The end of a stream that was given up: whether the peer's answer to that is seen before is the network's affair. */
static void over(zig_h3_handle stream)
{
    zig_h3_event event = next();
    while (event.type == ZIG_H3_EVENT_STREAM_RESET || event.type == ZIG_H3_EVENT_WRITABLE)
        event = next();
    SAME(event.type, ZIG_H3_EVENT_STREAM_ENDED);
    SAME(event.object, stream);
}

/* W10: the codes of either side, all 32 bits of them. */
static void codes(zig_h3_handle session, long number)
{
    size_t taken;
    long theirs = wt_number(wt_answer(wt_do("\"do\": \"open\", \"session\": %ld, \"data\": \"aGVsbG8=\"", number)), "\"value\":");
    zig_h3_handle stream = opened(session, ZIG_H3_WT_BIDIRECTIONAL, ZIG_H3_FLAG_REMOTE);
    SAME(EXPECT(ZIG_H3_EVENT_STREAM_DATA).data_len, 5);
    wt_answer(wt_do("\"do\": \"stop\", \"stream\": %ld, \"code\": 30", theirs));
    zig_h3_event event = EXPECT(ZIG_H3_EVENT_STREAM_STOPPED);
    SAME(event.object, stream);
    SAME(event.aux, 30);
    SAME(zig_h3_wt_stream_write(stream, "x", 1, &taken), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_wt_stream_end(stream), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_wt_stream_reset(stream, 1), ZIG_H3_ERR_ENDED);
    wt_answer(wt_do("\"do\": \"reset\", \"stream\": %ld, \"code\": 4294967295", theirs));
    event = EXPECT(ZIG_H3_EVENT_STREAM_RESET);
    SAME(event.object, stream);
    SAME(event.aux, UINT32_MAX);
    ended(stream, session, ZIG_H3_ERR_RESET);

    theirs = wt_number(wt_answer(wt_do("\"do\": \"open\", \"session\": %ld, \"data\": \"aGVsbG8=\"", number)), "\"value\":");
    stream = opened(session, ZIG_H3_WT_BIDIRECTIONAL, ZIG_H3_FLAG_REMOTE);
    EXPECT(ZIG_H3_EVENT_STREAM_DATA);
    SAME(zig_h3_wt_stream_stop(stream, 31), 0);
    SAME(zig_h3_wt_stream_stop(stream, 31), ZIG_H3_ERR_ENDED);
    ANSWERS(wt_do("\"do\": \"written\", \"stream\": %ld", theirs), "stream code 31 remote true");
    SAME(zig_h3_wt_stream_end(stream), 0);
    over(stream);

    theirs = wt_number(wt_answer(wt_do("\"do\": \"open\", \"session\": %ld, \"data\": \"aGVsbG8=\"", number)), "\"value\":");
    stream = opened(session, ZIG_H3_WT_BIDIRECTIONAL, ZIG_H3_FLAG_REMOTE);
    EXPECT(ZIG_H3_EVENT_STREAM_DATA);
    SAME(zig_h3_wt_stream_reset(stream, UINT32_MAX), 0);
    SAME(zig_h3_wt_stream_reset(stream, 1), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_wt_stream_end(stream), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_wt_stream_write(stream, "x", 1, &taken), ZIG_H3_ERR_ENDED);
    ANSWERS(wt_do("\"do\": \"read\", \"stream\": %ld", theirs), "stream code 4294967295 remote true");
    SAME(zig_h3_wt_stream_stop(stream, 0), 0);
    over(stream);
}

/* A writer that is faster than its reader is held back, and told when there is room. */
static void credit(zig_h3_handle session, long number)
{
    enum { MARK = 1 << 20, ALL = 4 << 20 };
    zig_h3_handle stream;
    zig_h3_event event;
    char *bytes = malloc(ALL);
    for (int i = 0; i < ALL; i++)
        bytes[i] = (char)(i % 251);
    MUST(zig_h3_wt_open_stream(session, ZIG_H3_WT_UNIDIRECTIONAL, 0, &stream));
    SAME(opened(session, ZIG_H3_WT_UNIDIRECTIONAL, 0), stream);
    size_t sent = 0, taken;
    int32_t code;
    while ((code = zig_h3_wt_stream_write(stream, bytes + sent, ALL - sent, &taken)) == 0)
        sent += taken;
    SAME(code, ZIG_H3_ERR_WOULD_BLOCK);
    SAME(taken, 0);
    HOLDS(sent >= MARK && sent < 2 * MARK); /* the mark, and the client's window */
    SAME(zig_h3_wt_stream_write_atomic(stream, bytes, 1), ZIG_H3_ERR_WOULD_BLOCK); /* and no event follows */
    long theirs = wt_number(wt_answer(wt_do("\"do\": \"accept\", \"session\": %ld, \"uni\": true", number)), "\"value\":");
    int reading = wt_do("\"do\": \"read\", \"stream\": %ld", theirs);
    while (sent < ALL) {
        event = EXPECT(ZIG_H3_EVENT_WRITABLE);
        SAME(event.object, stream);
        SAME(event.parent, session);
        SAME(event.flags, 0);
        HOLDS(event.aux >= MARK / 2 && event.aux <= MARK);
        SAME(zig_h3_wt_stream_write(stream, bytes + sent, ALL - sent, &taken), 0);
        HOLDS(taken > 0 && taken <= MARK);
        sent += taken;
    }
    SAME(zig_h3_wt_stream_end(stream), 0);
    ANSWERS(reading, "\"bytes\":4194304,\"sha256\":\"" HASH "\"");
    ended(stream, session, 0);
    free(bytes);
}

static void atomic_outcome(zig_h3_handle stream, zig_h3_handle session, uint64_t length, int32_t code)
{
    const zig_h3_event event = EXPECT(ZIG_H3_EVENT_STREAM_ATOMIC);
    SAME(event.object, stream);
    SAME(event.parent, session);
    SAME(event.aux, length);
    SAME(event.code, code);
    SAME(event.flags, 0);
}

enum { WINDOW = 64 << 10 }; /* what the client lets a stream have that it does not read */

/* Opens a stream, and gives the client's number of it. */
static long fresh(zig_h3_handle session, long number, uint32_t kind, zig_h3_handle *stream)
{
    size_t taken;
    MUST(zig_h3_wt_open_stream(session, kind, 0, stream));
    SAME(opened(session, kind, 0), *stream);
    SAME(zig_h3_wt_stream_write(*stream, "x", 1, &taken), 0); /* with it goes the stream's header, which makes it known */
    const char *uni = kind == ZIG_H3_WT_UNIDIRECTIONAL ? "true" : "false";
    long theirs = wt_number(wt_answer(wt_do("\"do\": \"accept\", \"session\": %ld, \"uni\": %s", number, uni)), "\"value\":");
    ANSWERS(wt_do("\"do\": \"read\", \"stream\": %ld, \"count\": 1", theirs), "\"data\":\"eA==\"");
    return theirs;
}

/* All that was sent before this has come to the client: the second datagram leaves when the first has. */
static void sent(zig_h3_handle session, long number)
{
    for (int i = 0; i < 2; i++) {
        SAME(zig_h3_wt_send_datagram(session, "sync", 4, 0, 0), 0);
        ANSWERS(wt_do("\"do\": \"receive\", \"session\": %ld", number), "[\"c3luYw==\"]");
    }
}

/* Writes that are sent all at once or not at all: an outcome for each, in order, and what waits is off the mark with it. W21. */
static void atomic_writes(zig_h3_handle session, long number)
{
    enum { MOST = 64 << 10, FITS = WINDOW - 4 }; /* the header has three bytes, and fresh() writes one */
    static uint8_t bytes[MOST + 1];
    zig_h3_handle stream;
    size_t taken;
    long theirs = fresh(session, number, ZIG_H3_WT_BIDIRECTIONAL, &stream);
    SAME(zig_h3_wt_stream_write_atomic(stream, NULL, 1), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_stream_write_atomic(stream, bytes, MOST + 1), ZIG_H3_ERR_TOO_LARGE);
    for (int i = 0; i < 40; i++) { /* 2.5 high-water marks in all, and more than the server may have waiting */
        SAME(zig_h3_wt_stream_write_atomic(stream, bytes, MOST), 0);
        SAME(zig_h3_wt_stream_write_atomic(stream, bytes, FITS + 1), 0);
        SAME(zig_h3_wt_stream_write_atomic(stream, NULL, 0), 0);
        atomic_outcome(stream, session, MOST, ZIG_H3_ERR_WOULD_BLOCK);
        atomic_outcome(stream, session, FITS + 1, ZIG_H3_ERR_WOULD_BLOCK);
        atomic_outcome(stream, session, 0, 0);
    }
    SAME(zig_h3_wt_stream_write_atomic(stream, bytes, FITS), 0); /* to the last byte */
    SAME(zig_h3_wt_stream_write_atomic(stream, "x", 1), 0);
    atomic_outcome(stream, session, FITS, 0);
    atomic_outcome(stream, session, 1, ZIG_H3_ERR_WOULD_BLOCK);

    /* Between ordinary writes, which wait for the peer: each in its turn. */
    enum { PLAIN = 8000, PART = 10000 };
    static char head[PLAIN];
    memset(head, 'h', sizeof head);
    memset(bytes, 'a', PART);
    SAME(zig_h3_wt_stream_write(stream, head, PLAIN, &taken), 0);
    SAME(zig_h3_wt_stream_write_atomic(stream, bytes, PART), 0);
    SAME(zig_h3_wt_stream_write(stream, "whole", 5, &taken), 0);
    SAME(zig_h3_wt_stream_write_atomic(stream, bytes, MOST), 0);
    SAME(zig_h3_wt_stream_end(stream), 0);
    SAME(zig_h3_wt_stream_write_atomic(stream, "late", 4), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_wt_stream_commit(stream), 0); /* it is still on its way */
    ANSWERS(wt_do("\"do\": \"read\", \"stream\": %ld, \"count\": %d", theirs, FITS), "\"bytes\":65532");
    atomic_outcome(stream, session, PART, 0);
    atomic_outcome(stream, session, MOST, ZIG_H3_ERR_WOULD_BLOCK);
    const zig_h3_event event = EXPECT(ZIG_H3_EVENT_WRITABLE);
    SAME(event.flags, ZIG_H3_FLAG_END);
    ANSWERS(wt_do("\"do\": \"read\", \"stream\": %ld", theirs), "\"bytes\":18005,\"sha256\":\"" BETWEEN "\"");
    SAME(zig_h3_wt_stream_reset(stream, 1), 0);
    SAME(zig_h3_wt_stream_commit(stream), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_wt_stream_stop(stream, 1), 0);
    ended(stream, session, ZIG_H3_ERR_CANCELLED);
    SAME(zig_h3_wt_stream_write_atomic(stream, "late", 4), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_wt_stream_commit(stream), ZIG_H3_ERR_STALE_HANDLE);
}

/* What waits behind an ordinary write when this side ends has its outcome, too: why it has ended. */
static void atomic_ends(zig_h3_handle session, long number)
{
    static char bytes[2 * WINDOW];
    zig_h3_handle stream;
    size_t taken;
    long theirs = fresh(session, number, ZIG_H3_WT_BIDIRECTIONAL, &stream);
    SAME(zig_h3_wt_stream_write(stream, bytes, sizeof bytes, &taken), 0);
    SAME(zig_h3_wt_stream_write_atomic(stream, bytes, 11), 0);
    SAME(zig_h3_wt_stream_write_atomic(stream, bytes, 22), 0);
    wt_answer(wt_do("\"do\": \"stop\", \"stream\": %ld, \"code\": 5", theirs));
    SAME(EXPECT(ZIG_H3_EVENT_STREAM_STOPPED).aux, 5);
    atomic_outcome(stream, session, 11, ZIG_H3_ERR_RESET);
    atomic_outcome(stream, session, 22, ZIG_H3_ERR_RESET);
    SAME(zig_h3_wt_stream_write_atomic(stream, "late", 4), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_wt_stream_stop(stream, 1), 0);
    ended(stream, session, ZIG_H3_ERR_RESET);

    fresh(session, number, ZIG_H3_WT_BIDIRECTIONAL, &stream);
    SAME(zig_h3_wt_stream_write(stream, bytes, sizeof bytes, &taken), 0);
    SAME(zig_h3_wt_stream_write_atomic(stream, bytes, 33), 0);
    SAME(zig_h3_wt_stream_reset(stream, 7), 0);
    atomic_outcome(stream, session, 33, ZIG_H3_ERR_CANCELLED);
    SAME(zig_h3_wt_stream_write_atomic(stream, "late", 4), ZIG_H3_ERR_ENDED);
    SAME(zig_h3_wt_stream_stop(stream, 1), 0);
    ended(stream, session, ZIG_H3_ERR_CANCELLED);
}

/* What was committed arrives although the stream is reset afterwards: nothing less and nothing more. W21. */
static void commits(zig_h3_handle session, long number)
{
    enum { KEPT = 2 * WINDOW };
    static char bytes[KEPT];
    zig_h3_handle stream;
    size_t taken;
    for (int i = 0; i < KEPT; i++)
        bytes[i] = (char)(i % 251);

    /* All of it was sent already. Without a commit the client would not see it any more. */
    for (int committed = 0; committed < 2; committed++) {
        long theirs = fresh(session, number, ZIG_H3_WT_UNIDIRECTIONAL, &stream);
        SAME(zig_h3_wt_stream_write(stream, "kept", 4, &taken), 0);
        if (committed)
            SAME(zig_h3_wt_stream_commit(stream), 0);
        SAME(zig_h3_wt_stream_write(stream, "lost", 4, &taken), 0);
        SAME(zig_h3_wt_stream_reset(stream, 7), 0);
        ended(stream, session, ZIG_H3_ERR_CANCELLED);
        sent(session, number);
        if (committed)
            ANSWERS(wt_do("\"do\": \"read\", \"stream\": %ld, \"count\": 4", theirs), "\"data\":\"a2VwdA==\"");
        ANSWERS(wt_do("\"do\": \"read\", \"stream\": %ld, \"count\": 1", theirs), "stream code 7 remote true");
    }

    /* Most of it waits for the client to read: the reset is sent when the rest was, in place of an end. */
    for (int behind_end = 0; behind_end < 2; behind_end++) {
        long theirs = fresh(session, number, ZIG_H3_WT_BIDIRECTIONAL, &stream);
        SAME(zig_h3_wt_stream_write(stream, bytes, KEPT, &taken), 0);
        SAME(taken, KEPT);
        if (behind_end)
            SAME(zig_h3_wt_stream_end(stream), 0);
        SAME(zig_h3_wt_stream_commit(stream), 0);
        SAME(zig_h3_wt_stream_commit(stream), 0);
        if (!behind_end) {
            SAME(zig_h3_wt_stream_write(stream, bytes, KEPT, &taken), 0);
            SAME(zig_h3_wt_stream_write_atomic(stream, bytes, 44), 0);
        }
        SAME(zig_h3_wt_stream_reset(stream, 7), 0);
        SAME(zig_h3_wt_stream_reset(stream, 8), ZIG_H3_ERR_ENDED);
        SAME(zig_h3_wt_stream_write(stream, "late", 4, &taken), ZIG_H3_ERR_ENDED);
        SAME(zig_h3_wt_stream_commit(stream), ZIG_H3_ERR_ENDED);
        sent(session, number);
        ANSWERS(wt_do("\"do\": \"read\", \"stream\": %ld, \"count\": %d", theirs, KEPT), "\"sha256\":\"" KEPT_HASH "\"");
        if (!behind_end)
            atomic_outcome(stream, session, 44, ZIG_H3_ERR_CANCELLED);
        ANSWERS(wt_do("\"do\": \"read\", \"stream\": %ld, \"count\": 1", theirs), "stream code 7 remote true");
        SAME(zig_h3_wt_stream_stop(stream, 1), 0);
        ended(stream, session, ZIG_H3_ERR_CANCELLED);
    }

    /* The client wants none of it any more. */
    long theirs = fresh(session, number, ZIG_H3_WT_BIDIRECTIONAL, &stream);
    SAME(zig_h3_wt_stream_write(stream, bytes, KEPT, &taken), 0);
    SAME(zig_h3_wt_stream_commit(stream), 0);
    SAME(zig_h3_wt_stream_reset(stream, 7), 0);
    SAME(zig_h3_wt_stream_stop(stream, 1), 0);
    wt_answer(wt_do("\"do\": \"stop\", \"stream\": %ld, \"code\": 5", theirs));
    ended(stream, session, ZIG_H3_ERR_CANCELLED);
}

/* W16: the peer's limit. One stream fails at once, one waits. */
static void limits(void)
{
    zig_h3_handle session, first, second, third;
    long number, conn = connect_with(", \"maxBidi\": 1, \"maxUni\": 1");
    session = session_on(conn, &number);
    MUST(zig_h3_wt_open_stream(session, ZIG_H3_WT_UNIDIRECTIONAL, 0, &first));
    SAME(opened(session, ZIG_H3_WT_UNIDIRECTIONAL, 0), first);
    MUST(zig_h3_wt_open_stream(session, ZIG_H3_WT_UNIDIRECTIONAL, 0, &second));
    ended(second, session, ZIG_H3_ERR_QUEUE_FULL);
    MUST(zig_h3_wt_open_stream(session, ZIG_H3_WT_UNIDIRECTIONAL, ZIG_H3_WT_OPEN_WAIT, &third));
    SAME(zig_h3_wt_stream_end(third), 0);
    SAME(zig_h3_wt_stream_end(first), 0);
    wt_do("\"do\": \"read\", \"stream\": %ld",
          wt_number(wt_answer(wt_do("\"do\": \"accept\", \"session\": %ld, \"uni\": true", number)), "\"value\":"));
    int seen = 0; /* of the first its end, of the third that it is there */
    for (int events = 0; events < 2;) {
        zig_h3_event event = next();
        if (event.type == ZIG_H3_EVENT_WRITABLE)
            continue;
        events++;
        seen |= event.type == ZIG_H3_EVENT_STREAM_ENDED && event.object == first ? 1 : 0;
        seen |= event.type == ZIG_H3_EVENT_STREAM_OPENED && event.object == third ? 2 : 0;
    }
    SAME(seen, 3);
    SAME(zig_h3_wt_drain(session), 0);
    wt_answer(wt_do("\"do\": \"close\", \"session\": %ld, \"code\": 4294967295, \"reason\": \"bye \xe2\x82\xac\"", number));
    zig_h3_event event = next();
    while (event.type != ZIG_H3_EVENT_SESSION_CLOSED) {
        HOLDS(event.object == third);
        event = next();
    }
    SAME(event.object, session);
    SAME(event.code, 0);
    SAME(event.flags & ZIG_H3_FLAG_REMOTE, ZIG_H3_FLAG_REMOTE);
    SAME(event.aux, UINT32_MAX);
    HOLDS(event.data_len == 7 && memcmp(event.data, "bye \xe2\x82\xac", 7) == 0);
    stale(session);
    wt_answer(wt_do("\"do\": \"disconnect\", \"conn\": %ld", conn));
}

/* A peer that wants the session to end soon, as often as it says so, and hears the same of this side. */
static void draining(void)
{
    FILE *peer = peer_start(port, "drain /wt");
    zig_h3_handle session = EXPECT(ZIG_H3_EVENT_SESSION_REQUEST).object;
    SAME(zig_h3_wt_accept(session, NULL, NULL, 0), 0);
    EXPECT(ZIG_H3_EVENT_SESSION_OPENED);
    SAME(EXPECT(ZIG_H3_EVENT_SESSION_DRAINING).object, session);
    SAME(zig_h3_wt_drain(session), 0);
    SAME(zig_h3_wt_close(session, 7, "bye", 3), 0);
    ends(session, 0);
    const char *output = peer_output(peer);
    if (!HOLDS(strcmp(output, "capsule 78ae \ncapsule 2843 00000007627965\n") == 0))
        printf("    %s\n", output);
}

/* W12: what no reason may be. Nothing has happened then. */
static void reasons(zig_h3_handle session)
{
    static char reason[1025];
    memset(reason, 'x', sizeof reason);
    SAME(zig_h3_wt_close(session, 0, reason, sizeof reason), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_close(session, 0, "\xe2\x82", 2), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_wt_close(session, 0, NULL, 1), ZIG_H3_ERR_INVALID_ARGUMENT);
    HOLDS(zig_h3_wt_max_datagram_size(session) > 0);
}

/* Datagrams that are older than they may be are not sent: those that a peer which is gone holds up. Each that was taken is counted. */
static void ages(void)
{
    enum { COUNT = 256, SIZE = 1000 };
    static const char payload[SIZE];
    long number, conn = connect_with("");
    zig_h3_handle session = session_on(conn, &number);
    uint64_t before = gone(), expired = counter("datagrams_dropped_expired");
    wt_answer(wt_do("\"do\": \"vanish\", \"conn\": %ld", conn));
    for (int i = 0; i < COUNT; i++)
        SAME(zig_h3_wt_send_datagram(session, payload, SIZE, 1, ZIG_H3_SEND_LATER), 0);
    SAME(zig_h3_flush(), 0);
    zig_h3_event event = next();
    while (event.type == ZIG_H3_EVENT_DATAGRAMS_DROPPED) {
        SAME(event.object, session);
        SAME(event.code, ZIG_H3_ERR_TIMEOUT);
        event = next();
    }
    SAME(event.type, ZIG_H3_EVENT_SESSION_CLOSED);
    SAME(event.code, ZIG_H3_ERR_IDLE);
    for (int i = 0; i < 1000 && gone() < before + COUNT; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    SAME(gone(), before + COUNT);
    HOLDS(counter("datagrams_dropped_expired") > expired);
}

/* W13: a connection that is lost with streams in it, and streams asked for at that very moment: each ends once, before its session. */
static void lost(void)
{
    enum { MANY = 100 };
    zig_h3_handle streams[MANY], session;
    int ends_of[MANY] = {0};
    long number, conn = connect_with("");
    session = session_on(conn, &number);
    int left = 0;
    for (int i = 0; i < MANY; i++) {
        int32_t code = zig_h3_wt_open_stream(session, i % 2 == 0 ? ZIG_H3_WT_BIDIRECTIONAL : ZIG_H3_WT_UNIDIRECTIONAL, 0, &streams[i]);
        if (code == ZIG_H3_ERR_STALE_HANDLE && i > MANY / 2) /* it was lost before this thread came so far */
            break;
        MUST(code);
        left++;
        if (i == MANY / 2)
            wt_do("\"do\": \"disconnect\", \"conn\": %ld", conn);
    }
    const int opened_here = left;
    int closed = 0;
    while (left > 0 || !closed) {
        zig_h3_event event = next();
        if (event.type == ZIG_H3_EVENT_SESSION_CLOSED) {
            SAME(event.object, session);
            closed++;
        }
        for (int i = 0; event.type == ZIG_H3_EVENT_STREAM_ENDED && i < opened_here; i++) {
            if (streams[i] == event.object) {
                left--;
                ends_of[i]++;
            }
        }
    }
    int wrong = 0;
    for (int i = 0; i < opened_here; i++)
        wrong += ends_of[i] != 1;
    SAME(wrong, 0);
    SAME(closed, 1);
    stale(session);
}

int main(void)
{
    long number;
    peer_build("h3go");
    wtgo_start();
    serve_with("{\"high_water_mark\": 1048576, \"max_queued_response_bytes\": 2097152, \"idle_timeout_ms\": 3000}");
    MUST(zig_h3_server_route(server, NULL, "/wt", ZIG_H3_ROUTE_WEBTRANSPORT, USER_DATA, &route));
    MUST(zig_h3_server_start(server));
    MUST(zig_h3_server_port(server, &port));
    connection = connect_with(", \"window\": 65536"); /* WINDOW */
    decisions();
    zig_h3_handle session = session_on(connection, &number);
    keying_material(session, number);
    datagrams(session, number);
    streams_of_the_peer(session, number);
    streams_of_ours(session, number);
    codes(session, number);
    credit(session, number);
    atomic_writes(session, number);
    atomic_ends(session, number);
    commits(session, number);
    account(session);
    reasons(session);
    SAME(zig_h3_wt_close(session, 0, NULL, 0), 0);
    ends(session, 0);
    limits();
    draining();
    ages();
    lost();
    stop();
    return done();
}
