/*
 * What is refused leaves nothing behind. No engine is here, only the library's C side: the ring to the engine stays as full as this
 * program makes it, and what a call takes and has to give back shows in the process's memory to the byte. What may not be refused is noted
 * beside the ring, with the bell.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "../../capi/chunk.h"
#include "../../capi/handle.h"
#include "../../capi/insist.h"
#include "../../capi/refusal.h"
#include "../../capi/submission.h"
#include "check.h"
#include "memory.h"

enum { TIMES = 1000, LARGEST = 3 << 20, LIMIT = 8 << 20 };

static uint8_t body[LARGEST];
static zig_h3_handle request, session, stream;
static struct account *account;

static void fill_ring(void)
{
    struct submission at;
    while (submission_claim(&at, 0) != NULL) {
        *at.record = (zig_h3_record){.type = SUBMIT_COMMAND};
        submission_publish(&at, true);
    }
}

/* Takes what the engine would. Returns how many records of a type there were. */
static int empty_ring(uint16_t type)
{
    int n = 0;
    const zig_h3_record *record;
    while ((record = h3_ring_peek(reactor_ring)) != NULL) {
        n += record->type == type;
        if (record->flags & SUBMIT_CHUNK)
            chunk_give((uint8_t *)(uintptr_t)record->aux);
        h3_ring_take(reactor_ring, record);
    }
    h3_ring_release(reactor_ring);
    return n;
}

/* ------------------------------------------------------------------------------------------------- calls that take a body's bytes */

static int32_t send_whole(size_t len) { return zig_h3_response_send(request, 200, NULL, 0, body, len, 0); }

static int32_t send_bad_header(size_t len)
{
    static const uint8_t space_in_name[] = {1, 0, 0, 0, 0, 0, ' '};
    return zig_h3_response_send(request, 200, space_in_name, sizeof space_in_name, body, len, 0);
}

static int32_t end(size_t len) { return zig_h3_response_end(request, body, len); }

static int32_t write_part(size_t len)
{
    size_t taken = 0;
    int32_t code = zig_h3_response_write(request, body, len, &taken);
    return taken == 0 || code == 0 ? code : -1;
}

static int32_t stream_write(size_t len)
{
    size_t taken = 0;
    int32_t code = zig_h3_wt_stream_write(stream, body, len, &taken);
    return taken == 0 || code == 0 ? code : -1;
}

static int32_t stream_write_atomic(size_t len) { return zig_h3_wt_stream_write_atomic(stream, body, len); }

static int32_t reject(size_t len) { return zig_h3_wt_reject(session, 403, NULL, 0, body, len); }

/* In a record, in a small chunk, in one that is mapped, in one that no pool keeps. */
static const size_t lengths[] = {1000, 5000, 60000, LARGEST};

/* A call of an object was noted as one that waits for this, and the bell was rung; a moment later nobody waits any more. */
static void noted(zig_h3_handle object, uint64_t what, int line)
{
    struct refusal *one = &refusal_base()[object & (HANDLE_SLOTS - 1)];
    check(atomic_load(&one->object) == (object | what), __FILE__, line, "the call is noted");
    check(atomic_load(&refusal_last) == (uint32_t)(one - refusal_base()) + 1, __FILE__, line, "the reactor finds it");
    check(atomic_load(&one->next) == 0, __FILE__, line, "and finds it once");
    check(atomic_load(&reactor_bell) == 1, __FILE__, line, "the bell was rung");
    atomic_store(&one->object, 0);
    atomic_store(&refusal_last, 0);
    atomic_store(&reactor_bell, 0);
}

#define NOTED(object, what) noted(object, what, __LINE__)

/* What a call that was refused again and again for this reason has left behind. */
static void refused(const char *name, int32_t (*call)(size_t), size_t len, int32_t why)
{
    int others = 0;
    call(len); /* the first time may leave a chunk in the pool */
    struct memory before = memory_now();
    for (int i = 0; i < (len == LARGEST ? TIMES / 50 : TIMES); i++)
        others += call(len) != why;
    struct memory after = memory_now();
    int failed_before = failed;
    SAME(others, 0);
    SAME(after.heap, before.heap);
    SAME(after.mapped, before.mapped);
    SAME(atomic_load(&account->queued), 0);
    if (failed != failed_before)
        printf("    %s of %zu bytes\n", name, len);
}

/* --------------------------------------------------------------------------------------- calls that may not be refused, at a full ring */

static int32_t consume(zig_h3_handle of) { return zig_h3_request_consumed(of, 1000); }

static int32_t stop(zig_h3_handle of) { return zig_h3_request_stop(of); }

static int32_t reset(zig_h3_handle of) { return zig_h3_response_reset(of, 0x10c); }

static int32_t stream_consume(zig_h3_handle of) { return zig_h3_wt_stream_consumed(of, 1000); }

static int32_t stream_stop(zig_h3_handle of) { return zig_h3_wt_stream_stop(of, 7); }

static int32_t stream_reset(zig_h3_handle of) { return zig_h3_wt_stream_reset(of, 7); }

/* The call leaves a note beside the ring and rings the bell; twice, when the reactor has taken the first in between. */
static void insists(int32_t (*call)(zig_h3_handle), zig_h3_handle of, uint64_t bit, int times)
{
    struct slot *slot = &handle_slots[of & (HANDLE_SLOTS - 1)];
    for (int i = 0; i < times; i++) {
        atomic_store(&reactor_bell, 0);
        SAME(call(of), 0);
        SAME(atomic_load(&slot->attention) & ((1 << HANDLE_GENERATION_SHIFT) - 1), bit);
        SAME(atomic_load(&handle_table.attention), slot - handle_slots + 1);
        SAME(atomic_load(&reactor_bell), 1);
        atomic_store(&handle_table.attention, 0);
        atomic_store(&slot->attention, 0);
    }
}

static void never_refused(void)
{
    struct slot *slot;
    const zig_h3_handle r = handle_issue(KIND_REQUEST, 0, &slot);
    atomic_fetch_add(&slot->arrived, 2000);
    insists(consume, r, ATTENTION_CONSUMED, 2);
    SAME(atomic_load(&slot->owed), 2000);
    SAME(zig_h3_request_consumed(r, 1), ZIG_H3_ERR_INVALID_ARGUMENT);
    insists(stop, r, ATTENTION_STOP, 1);
    insists(reset, r, ATTENTION_RESET, 1);
    SAME(atomic_load(&slot->codes), 0x10c);
    const zig_h3_handle s = handle_issue(KIND_STREAM, 0, &slot);
    atomic_fetch_add(&slot->arrived, 2000);
    insists(stream_consume, s, ATTENTION_CONSUMED, 2);
    SAME(atomic_load(&slot->owed), 2000);
    insists(stream_stop, s, ATTENTION_STOP, 1);
    insists(stream_reset, s, ATTENTION_RESET, 1);
    SAME(atomic_load(&slot->codes), (uint64_t)7 << 32 | 7);
}

/* A14: which calls tell that they can be made again. The ring is full. */
static void every_refusal_is_noted(void)
{
    zig_h3_handle out;
    struct slot *slot;
    const zig_h3_handle client = handle_issue(KIND_CLIENT, 0, &slot), open = handle_issue(KIND_SESSION, SLOT_OPEN, &slot);
    const zig_h3_fetch_config fetch = {.size = sizeof fetch, .url = "https://h/", .url_len = 10};
    const zig_h3_session_config asked = {.size = sizeof asked, .url = "https://h/", .url_len = 10};
    atomic_store(&refusal_last, 0);
    atomic_store(&reactor_bell, 0);
#define REFUSED(object, call)                                                                                                     \
    do {                                                                                                                          \
        SAME(call, ZIG_H3_ERR_WOULD_BLOCK);                                                                                       \
        SAME(zig_h3_last_refusal(), ZIG_H3_REFUSAL_RING);                                                                         \
        NOTED(object, REFUSAL_RING);                                                                                              \
    } while (0)
    REFUSED(request, zig_h3_response_send(request, 200, NULL, 0, "x", 1, 0));
    REFUSED(request, zig_h3_request_end(request, "x", 1));
    REFUSED(request, zig_h3_request_send_trailers(request, NULL, 0));
    REFUSED(session, zig_h3_wt_accept(session, NULL, NULL, 0));
    REFUSED(session, zig_h3_wt_reject(session, 403, NULL, 0, NULL, 0));
    REFUSED(session, zig_h3_wt_close(session, 0, NULL, 0));
    REFUSED(open, zig_h3_wt_drain(open));
    REFUSED(open, zig_h3_wt_open_stream(open, 0, 0, &out));
    REFUSED(stream, zig_h3_wt_stream_write_atomic(stream, "x", 1));
    REFUSED(stream, zig_h3_wt_stream_commit(stream));
    REFUSED(stream, zig_h3_wt_stream_end(stream));
    REFUSED(stream, zig_h3_wt_stream_priority(stream, 0, 0));
    REFUSED(client, zig_h3_client_fetch(client, &fetch, &out));
    REFUSED(client, zig_h3_client_open_webtransport(client, &asked, &out));
    REFUSED(client, zig_h3_client_connect(client, "https://h/", 10, 0, &out));
    struct slot *other;
    const zig_h3_handle fetched = handle_issue(KIND_FETCH, 0, &other);
    REFUSED(fetched, zig_h3_client_prioritize_fetch(fetched, 0, 1));
    /* Also where it is the queue that has no room: for the ends of streams. */
    atomic_fetch_or(&slot->word, SLOT_FLOODED);
    SAME(zig_h3_wt_open_stream(open, 0, 0, &out), ZIG_H3_ERR_WOULD_BLOCK);
    SAME(zig_h3_last_refusal(), ZIG_H3_REFUSAL_QUEUE);
    NOTED(open, REFUSAL_RING);
    HOLDS(strstr(zig_h3_last_error(), "thousands of events") != NULL);
    SAME(zig_h3_wt_open_stream(open, 2, 0, &out), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(zig_h3_last_refusal(), ZIG_H3_REFUSAL_NONE);
    /* Of two that are refused for two reasons both are remembered. */
    refusal_note(request, REFUSAL_ACCOUNT);
    refusal_note(request, REFUSAL_RING);
    NOTED(request, REFUSAL_ACCOUNT | REFUSAL_RING);
    /* Whoever is late for an object that has ended leaves the note of the next one in its slot alone; and has its place, if it is first. */
    const zig_h3_handle later = request + ((zig_h3_handle)1 << HANDLE_GENERATION_SHIFT);
    refusal_note(later, REFUSAL_RING);
    refusal_note(request, REFUSAL_ACCOUNT);
    NOTED(later, REFUSAL_RING);
    refusal_note(request, REFUSAL_ACCOUNT);
    refusal_note(later, REFUSAL_RING);
    NOTED(later, REFUSAL_RING);
}

/* A14: what is wrong with a call is said at once, and not when there is room. The ring is full, and whatever waits for the network fills the account
 * as well. */
static void no_room_makes_it_right(void)
{
    static const uint8_t connection[] = "\x0a\0\x05\0\0\0connectionclose";
    static uint8_t many[2000]; /* more than is looked at on the stack: good ones, then that one */
    const size_t len = sizeof connection - 1;
    size_t longer = 0;
    struct slot *slot;
    const zig_h3_handle client = handle_issue(KIND_CLIENT, 0, &slot);
    zig_h3_handle out;
    for (; longer + 8 + len <= sizeof many; longer += 8)
        memcpy(many + longer, "\1\0\1\0\0\0xy", 8);
    memcpy(many + longer, connection, len);
    longer += len;
    atomic_store(&refusal_last, 0);
    atomic_store(&account->queued, LIMIT);
#define WRONG(call)                                                                                                               \
    do {                                                                                                                          \
        SAME(call, ZIG_H3_ERR_BAD_HEADER);                                                                                        \
        HOLDS(strstr(zig_h3_last_error(), "header \"connection\"") != NULL);                                                      \
        SAME(zig_h3_last_refusal(), ZIG_H3_REFUSAL_NONE);                                                                         \
        SAME(atomic_load(&refusal_last), 0);                                                                                      \
    } while (0)
    for (size_t body_len = 10; body_len <= 100000; body_len *= 100) {
        zig_h3_fetch_config fetch = {
            .size = sizeof fetch, .flags = ZIG_H3_FETCH_END, .url = "https://h/", .url_len = 10, .headers = connection, .headers_len = len,
            .body = body, .body_len = body_len,
        };
        WRONG(zig_h3_response_send(request, 200, connection, len, body, body_len, 0));
        WRONG(zig_h3_response_send(request, 200, many, longer, body, body_len, 0));
        WRONG(zig_h3_wt_reject(session, 403, connection, len, body, body_len));
        WRONG(zig_h3_client_fetch(client, &fetch, &out));
    }
    const zig_h3_session_config asked = {.size = sizeof asked, .url = "https://h/", .url_len = 10, .headers = many, .headers_len = longer};
    WRONG(zig_h3_wt_accept(session, NULL, connection, len));
    WRONG(zig_h3_wt_accept(session, NULL, many, longer));
    WRONG(zig_h3_request_send_trailers(request, connection, len));
    WRONG(zig_h3_client_open_webtransport(client, &asked, &out));
    SAME(zig_h3_response_send(request, 200, many, longer - 1, body, 10, 0), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(atomic_load(&refusal_last), 0);
    atomic_store(&account->queued, 0);
}

/* A datagram that found no room has no place: of what the object may have on its way nothing is gone. */
static void datagrams_keep_their_places(void)
{
    struct slot *slot;
    const zig_h3_handle conn = handle_issue(KIND_CONN, 0, &slot);
    zig_h3_datagram one = {.object = conn};
    atomic_store(&slot->datagrams, 1200 << 16 | 2);
    for (int i = 0; i < 3; i++) {
        SAME(zig_h3_conn_send_datagram(conn, "x", 1, 0, 0), ZIG_H3_ERR_QUEUE_FULL);
        SAME(zig_h3_send_datagrams(&one, sizeof one, 0), 0);
        SAME(one.result, ZIG_H3_ERR_QUEUE_FULL);
    }
    SAME(atomic_load(&slot->datagrams), 1200 << 16 | 2);
}

/* Of a list only objects that send datagrams are looked at: whatever the slot of another says, nothing is taken of it. */
static void datagrams_of_every_kind(void)
{
    static const uint64_t others[] = {0, 5, KIND_LAST + 1, 15, 16 + KIND_SESSION, 0xffff};
    enum { OTHERS = sizeof others / sizeof *others };
    struct slot *slots[KIND_LAST + 1] = {0};
    zig_h3_datagram list[KIND_LAST + 1 + OTHERS] = {0};
    for (int kind = KIND_QUEUE; kind <= KIND_LAST; kind++) {
        if (kind == 5) /* is nothing */
            continue;
        list[kind].object = handle_issue((enum handle_kind)kind, SLOT_OPEN, &slots[kind]);
        atomic_store(&slots[kind]->datagrams, 1200u << 16 | 100);
    }
    for (int i = 0; i < OTHERS; i++) /* the number of a session that is there, but for its kind */
        list[KIND_LAST + 1 + i].object = (list[KIND_SESSION].object & (((uint64_t)1 << HANDLE_KIND_SHIFT) - 1)) | others[i] << HANDLE_KIND_SHIFT;
    SAME(zig_h3_send_datagrams(list, sizeof list, 0), 4);
    for (int kind = KIND_QUEUE; kind <= KIND_LAST; kind++) {
        if (slots[kind] == NULL)
            continue;
        const bool sends = kind == KIND_CONN || kind == KIND_REQUEST || kind == KIND_FETCH || kind == KIND_SESSION;
        SAME(list[kind].result, sends ? ZIG_H3_OK : ZIG_H3_ERR_WRONG_KIND);
        SAME(atomic_load(&slots[kind]->datagrams), 1200u << 16 | (sends ? 99 : 100));
    }
    SAME(list[0].result, ZIG_H3_ERR_INVALID_HANDLE);
    SAME(list[5].result, ZIG_H3_ERR_INVALID_HANDLE);
    for (int i = 0; i < OTHERS; i++)
        SAME(list[KIND_LAST + 1 + i].result, ZIG_H3_ERR_INVALID_HANDLE);
    SAME(empty_ring(SUBMIT_DATAGRAMS), 1);
}

static void make(void)
{
    struct slot *slot;
    request = handle_issue(KIND_REQUEST, 0, &slot);
    session = handle_issue(KIND_SESSION, 0, &slot);
    stream = handle_issue(KIND_STREAM, 0, &slot);
    account = account_at(0); /* what slots name that no server has filled in */
    atomic_store(&account->most, LIMIT);
    atomic_store(&account->high_water, LIMIT);
}

int main(void)
{
    static const struct {
        const char *name;
        int32_t (*call)(size_t);
        size_t most;
        uint16_t type; /* of the record that it makes in the end; 0: another one has ended the same */
    } calls[] = {
        {"response_write", write_part, LARGEST, SUBMIT_WRITE},
        {"response_end", end, LARGEST, SUBMIT_END},
        {"stream_write", stream_write, LARGEST, SUBMIT_WRITE},
        {"stream_write_atomic", stream_write_atomic, 64 << 10, SUBMIT_ATOMIC},
        {"reject", reject, LARGEST, SUBMIT_REJECT},
        {"response_send", send_whole, LARGEST, SUBMIT_SEND},
    };
    make();
    datagrams_of_every_kind();
    fill_ring();
    never_refused();
    datagrams_keep_their_places();
    every_refusal_is_noted();
    no_room_makes_it_right();
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (calls[i].call == send_whole)
            make();
        fill_ring();
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths && lengths[k] <= calls[i].most; k++)
            refused(calls[i].name, calls[i].call, lengths[k], ZIG_H3_ERR_WOULD_BLOCK);
        empty_ring(0);
        if (calls[i].call == send_whole) { /* the record is claimed by then, and given up */
            for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
                refused("response_send with a bad header", send_bad_header, lengths[k], ZIG_H3_ERR_BAD_HEADER);
        }
        /* Nothing is in the way of the same call once there is room, and it is told of once. */
        SAME(calls[i].call(5000), 0);
        SAME(empty_ring(calls[i].type), 1);
        SAME(atomic_load(&account->queued), 5000);
        atomic_store(&account->queued, 0);
    }
    /* Of an atomic write that fits in part nothing is taken. */
    atomic_store(&account->queued, LIMIT - 1000);
    struct slot *slot = &handle_slots[stream & (HANDLE_SLOTS - 1)];
    atomic_store(&slot->credit, 0); /* nothing of its own is on its way: others' has to leave */
    atomic_store(&refusal_last, 0);
    SAME(stream_write_atomic(40000), ZIG_H3_ERR_WOULD_BLOCK);
    NOTED(stream, REFUSAL_ACCOUNT);
    SAME(zig_h3_last_refusal(), ZIG_H3_REFUSAL_NETWORK);
    atomic_store(&slot->credit, 1000 << 1);
    SAME(stream_write_atomic(40000), ZIG_H3_ERR_WOULD_BLOCK);
    SAME(zig_h3_last_refusal(), ZIG_H3_REFUSAL_NETWORK);
    SAME(atomic_load(&slot->credit), 1000 << 1 | 1);
    SAME(atomic_load(&refusal_last), 0);
    SAME(atomic_load(&account->queued), LIMIT - 1000);
    /* Who gives room back calls the reactor once there is enough of it, and if somebody waits. */
    atomic_store(&reactor_bell, 0);
    account_give(account, 1000);
    SAME(atomic_load(&reactor_bell), 0);
    atomic_store(&account->awaited, 1);
    account_give(account, ACCOUNT_ROOM - 2001);
    SAME(atomic_load(&reactor_bell), 0);
    account_give(account, 1);
    SAME(atomic_load(&reactor_bell), 1);
    SAME(atomic_load(&account->awaited), 0);
    atomic_store(&account->queued, 0);
    refused("response_send of what has ended", send_whole, 5000, ZIG_H3_ERR_ENDED);
    make();
    atomic_store(&account->queued, LIMIT);
    atomic_store(&refusal_last, 0);
    SAME(send_whole(20000), ZIG_H3_ERR_WOULD_BLOCK);
    NOTED(request, REFUSAL_ACCOUNT);
    SAME(zig_h3_wt_reject(session, 403, NULL, 0, body, 20000), ZIG_H3_ERR_WOULD_BLOCK);
    NOTED(session, REFUSAL_ACCOUNT);
    /* A14: what cannot be made again when there is room does not wait for it. */
    atomic_fetch_or(&handle_slots[session & (HANDLE_SLOTS - 1)].word, SLOT_DECIDED);
    atomic_store(&refusal_last, 0);
    SAME(zig_h3_wt_reject(session, 403, NULL, 0, body, 20000), ZIG_H3_ERR_WRONG_STATE);
    SAME(atomic_load(&refusal_last), 0);
    SAME(atomic_load(&account->queued), LIMIT);
    return done();
}
