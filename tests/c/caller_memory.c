/*
 * The caller's memory, where reading or writing it takes time: a page that comes over a network, a debugger, a fault handler of the host's
 * own. No engine is here, only the library's C side, so that it shows to the word what a call holds at that moment: nothing that another
 * thread or the engine would wait for. Each parameter lies on a page that cannot be touched; the fault handler looks, and lets the call go on.
 *
 * And what waits for a lock all the same, and who may come although it is taken.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../../capi/chunk.h"
#include "../../capi/client.h"
#include "../../capi/handle.h"
#include "../../capi/queue.h"
#include "../../capi/server.h"
#include "../../capi/session.h"
#include "../../capi/submission.h"
#include "check.h"

enum { PAGE_BYTES = 1 << 20 };

static uint8_t *page; /* PAGE_BYTES that cannot be touched until somebody does */
static struct slot *slot; /* of the call's object */
static zig_h3_handle request, session, stream, conn, server, queue, client;
static volatile sig_atomic_t faults, locked, claimed;

static void fault(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    const uint8_t *at = info->si_addr;
    if (at < page || at >= page + PAGE_BYTES)
        _exit(99);
    faults++;
    locked += (atomic_load(&slot->word) & SLOT_LOCKED) != 0;
    claimed += h3_ring_depth(reactor_ring) != 0 && h3_ring_peek(reactor_ring) == NULL; /* not handed over yet */
    mprotect(page, PAGE_BYTES, PROT_READ | PROT_WRITE);
}

static void empty_ring(void)
{
    const zig_h3_record *record;
    while ((record = h3_ring_peek(reactor_ring)) != NULL) {
        if (record->flags & SUBMIT_CHUNK)
            chunk_give((uint8_t *)(uintptr_t)record->aux);
        h3_ring_take(reactor_ring, record);
    }
    h3_ring_release(reactor_ring);
}

static zig_h3_handle issue(enum handle_kind kind, uint64_t state, void *object)
{
    const zig_h3_handle handle = handle_issue(kind, state, &slot);
    atomic_store(&slot->object, (uint64_t)(uintptr_t)object);
    atomic_store(&slot->datagrams, 1200u << 16 | 100);
    return handle;
}

static void objects(void)
{
    static const uint8_t offered[] = {4, 0, 'c', 'h', 'a', 't'};
    static struct queue own;
    static struct server served;
    static struct client asking;
    if (own.ring == NULL)
        own.ring = h3_ring_new(512 << 10);
    request = issue(KIND_REQUEST, 0, NULL);
    session = issue(KIND_SESSION, 0, session_new(offered, sizeof offered));
    stream = issue(KIND_STREAM, 0, NULL);
    conn = issue(KIND_CONN, 0, NULL);
    server = issue(KIND_SERVER, 0, &served);
    client = issue(KIND_CLIENT, 0, &asking);
    queue = issue(KIND_QUEUE, 0, &own);
    atomic_store(&own.owners, 1);
    queue_named(&own, queue);
}

/* The calls, by the parameter that lies on the page. */

static const uint8_t field[] = {1, 0, 1, 0, 0, 0, 'a', 'b'};
static size_t taken;

static int32_t send_headers(void) { return zig_h3_response_send(request, 200, page, sizeof field, "x", 1, 0); }
static int32_t send_body(void) { return zig_h3_response_send(request, 200, field, sizeof field, page, 100, 0); }
static int32_t send_chunk(void) { return zig_h3_response_send(request, 200, field, sizeof field, page, 100000, ZIG_H3_SEND_FORGET); }
static int32_t header_name(void) { return zig_h3_response_header(request, (char *)page + 32, 4, "v", 1); }
static int32_t header_value(void) { return zig_h3_response_header(request, "a", 1, (char *)page + 32, 4); }
static int32_t headers(void) { return zig_h3_response_headers(request, page, sizeof field); }
static int32_t write_data(void) { return zig_h3_response_write(request, page, 100, &taken); }
static int32_t write_chunk(void) { return zig_h3_response_write(request, page, 100000, &taken); }
static int32_t write_taken(void) { return zig_h3_response_write(request, "x", 1, (size_t *)(void *)page); }
static int32_t end_data(void) { return zig_h3_response_end(request, page, 100); }
static int32_t trailers(void) { return zig_h3_response_send_trailers(request, page, sizeof field); }
static int32_t accept_headers(void) { return zig_h3_wt_accept(session, "chat", page, sizeof field); }
static int32_t accept_protocol(void) { return zig_h3_wt_accept(session, (char *)page + 32, NULL, 0); }
static int32_t reject_headers(void) { return zig_h3_wt_reject(session, 403, page, sizeof field, "x", 1); }
static int32_t reject_body(void) { return zig_h3_wt_reject(session, 403, NULL, 0, page, 100); }
static int32_t close_reason(void) { return zig_h3_wt_close(session, 1, (char *)page + 32, 4); }
static int32_t open_out(void)
{
    atomic_fetch_or(&slot->word, SLOT_OPEN);
    return zig_h3_wt_open_stream(session, 0, 0, (zig_h3_handle *)(void *)page);
}
static int32_t session_values(void) { return zig_h3_wt_stats_snapshot(session, (uint64_t *)(void *)page, 2); }
static int32_t stream_data(void) { return zig_h3_wt_stream_write(stream, page, 100, &taken); }
static int32_t stream_chunk(void) { return zig_h3_wt_stream_write(stream, page, 100000, &taken); }
static int32_t stream_taken(void) { return zig_h3_wt_stream_write(stream, "x", 1, (size_t *)(void *)page); }
static int32_t stream_atomic(void) { return zig_h3_wt_stream_write_atomic(stream, page, 100); }
static int32_t one_datagram(void) { return zig_h3_server_send_quic_datagram(conn, page, 100, 0, ZIG_H3_SEND_LATER); }
static int32_t many_datagrams(void) { return zig_h3_send_datagrams(page + 64, sizeof(zig_h3_datagram) + 10, ZIG_H3_SEND_LATER); }
static int32_t server_values(void) { return zig_h3_stats_snapshot(server, (uint64_t *)(void *)page, 2); }
static int32_t server_hash(void) { return zig_h3_server_certificate_hash(server, page); }
static int32_t server_port(void) { return zig_h3_server_port(server, (uint16_t *)(void *)page); }
static int32_t queue_base(void) { return zig_h3_queue_map(queue, (const void **)(void *)page, &taken); }
static int32_t queue_fd(void)
{
    const int32_t code = zig_h3_queue_fd(queue, (int32_t *)(void *)page);
    close(*(int32_t *)(void *)page);
    return code;
}

/* A client's calls take their parameters in a struct, each of which may lie there. */
static const char own_url[] = "https://h/";
static zig_h3_handle out;

static zig_h3_fetch_config fetching(void)
{
    return (zig_h3_fetch_config){.size = sizeof(zig_h3_fetch_config), .flags = ZIG_H3_FETCH_END, .url = own_url, .url_len = sizeof own_url - 1};
}

static int32_t fetch_with(const zig_h3_fetch_config *config) { return zig_h3_client_fetch(client, config, &out); }

static int32_t fetch_url(void)
{
    zig_h3_fetch_config config = fetching();
    config.url = (char *)page + 128;
    return fetch_with(&config);
}
static int32_t fetch_method(void)
{
    zig_h3_fetch_config config = fetching();
    config.method = (char *)page + 32;
    return fetch_with(&config);
}
static int32_t fetch_headers(void)
{
    zig_h3_fetch_config config = fetching();
    config.headers = page;
    config.headers_len = sizeof field;
    return fetch_with(&config);
}
static int32_t fetch_body_of(size_t len, uint32_t flags)
{
    zig_h3_fetch_config config = fetching();
    config.body = page;
    config.body_len = len;
    config.flags = flags;
    return fetch_with(&config);
}
static int32_t fetch_body(void) { return fetch_body_of(100, ZIG_H3_FETCH_END); }
static int32_t fetch_chunk(void) { return fetch_body_of(100000, ZIG_H3_FETCH_END); }
static int32_t fetch_begin(void) { return fetch_body_of(100000, 0); }
static int32_t fetch_config(void) { return fetch_with((const zig_h3_fetch_config *)(const void *)(page + 256)); }
static int32_t fetch_out(void)
{
    const zig_h3_fetch_config config = fetching();
    return zig_h3_client_fetch(client, &config, (zig_h3_handle *)(void *)page);
}
static zig_h3_session_config asking_for(void)
{
    return (zig_h3_session_config){.size = sizeof(zig_h3_session_config), .url = own_url, .url_len = sizeof own_url - 1};
}
static int32_t session_headers(void)
{
    zig_h3_session_config config = asking_for();
    config.headers = page;
    config.headers_len = sizeof field;
    return zig_h3_client_open_webtransport(client, &config, &out);
}
static int32_t session_protocols(void)
{
    zig_h3_session_config config = asking_for();
    config.protocols = page + 512;
    config.protocols_len = 6;
    return zig_h3_client_open_webtransport(client, &config, &out);
}
static int32_t session_config(void)
{
    return zig_h3_client_open_webtransport(client, (const zig_h3_session_config *)(const void *)(page + 384), &out);
}
static int32_t session_out(void)
{
    const zig_h3_session_config config = asking_for();
    return zig_h3_client_open_webtransport(client, &config, (zig_h3_handle *)(void *)page);
}
static int32_t connect_url(void) { return zig_h3_client_connect(client, (char *)page + 128, 10, 0, &out); }
static int32_t connect_out(void) { return zig_h3_client_connect(client, own_url, 10, 0, (zig_h3_handle *)(void *)page); }
static int32_t client_values(void) { return zig_h3_client_stats_snapshot(client, (uint64_t *)(void *)page, 2); }

static const struct {
    const char *name;
    int32_t (*call)(void);
    const zig_h3_handle *of;
    int32_t want;
} calls[] = {
    {"response_send: headers", send_headers, &request, 0},
    {"response_send: body", send_body, &request, 0},
    {"response_send: large body", send_chunk, &request, 0},
    {"response_header: name", header_name, &request, 0},
    {"response_header: value", header_value, &request, 0},
    {"response_headers", headers, &request, 0},
    {"response_write: data", write_data, &request, 0},
    {"response_write: much data", write_chunk, &request, 0},
    {"response_write: taken", write_taken, &request, 0},
    {"response_end", end_data, &request, 0},
    {"response_send_trailers", trailers, &request, 0},
    {"wt_accept: headers", accept_headers, &session, 0},
    {"wt_accept: protocol", accept_protocol, &session, 0},
    {"wt_reject: headers", reject_headers, &session, 0},
    {"wt_reject: body", reject_body, &session, 0},
    {"wt_close: reason", close_reason, &session, 0},
    {"wt_open_stream: out", open_out, &session, 0},
    {"wt_stats_snapshot: values", session_values, &session, 2},
    {"wt_stream_write: data", stream_data, &stream, 0},
    {"wt_stream_write: much data", stream_chunk, &stream, 0},
    {"wt_stream_write: taken", stream_taken, &stream, 0},
    {"wt_stream_write_atomic", stream_atomic, &stream, 0},
    {"send_quic_datagram", one_datagram, &conn, 0},
    {"send_datagrams", many_datagrams, &conn, 1},
    {"stats_snapshot: values", server_values, &server, 2},
    {"server_certificate_hash", server_hash, &server, 0},
    {"server_port", server_port, &server, 0},
    {"client_fetch: url", fetch_url, &client, 0},
    {"client_fetch: method", fetch_method, &client, 0},
    {"client_fetch: headers", fetch_headers, &client, 0},
    {"client_fetch: body", fetch_body, &client, 0},
    {"client_fetch: large body", fetch_chunk, &client, 0},
    {"client_fetch: large begin of a body", fetch_begin, &client, 0},
    {"client_fetch: config", fetch_config, &client, 0},
    {"client_fetch: out", fetch_out, &client, 0},
    {"client_open_webtransport: headers", session_headers, &client, 0},
    {"client_open_webtransport: protocols", session_protocols, &client, 0},
    {"client_open_webtransport: config", session_config, &client, 0},
    {"client_open_webtransport: out", session_out, &client, 0},
    {"client_connect: url", connect_url, &client, 0},
    {"client_connect: out", connect_out, &client, 0},
    {"client_stats_snapshot: values", client_values, &client, 2},
    {"queue_map: base", queue_base, &queue, 0},
    {"queue_fd", queue_fd, &queue, 0},
};

static void slow_memory(void)
{
    const struct sigaction action = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO};
    SAME(sigaction(SIGSEGV, &action, NULL), 0);
    page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    static const char *const names[] = {"uptime_ms", "other"};
    server_stats_set_names(names, 2);
    session_stats_set_names(names, 2);
    static const uint32_t places[] = {0, 1};
    client_stats_set_names(names, places, 2);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const int failed_before = failed;
        objects();
        slot = &handle_slots[*calls[i].of & (HANDLE_SLOTS - 1)];
        if (calls[i].of == &server)
            server_set_port((struct server *)(uintptr_t)atomic_load(&slot->object), 1);
        memcpy(page, field, sizeof field);
        memcpy(page + 32, "chat", 5);
        memcpy(page + 128, own_url, sizeof own_url);
        memcpy(page + 256, &(zig_h3_fetch_config){.size = sizeof(zig_h3_fetch_config), .url = own_url, .url_len = 10}, sizeof(zig_h3_fetch_config));
        memcpy(page + 384, &(zig_h3_session_config){.size = sizeof(zig_h3_session_config), .url = own_url, .url_len = 10}, sizeof(zig_h3_session_config));
        memcpy(page + 512, "\4\0chat", 6);
        memcpy(page + 64, &(zig_h3_datagram){.object = conn, .len = 10}, sizeof(zig_h3_datagram));
        faults = locked = claimed = 0;
        mprotect(page, PAGE_BYTES, PROT_NONE);
        const int32_t code = calls[i].call();
        mprotect(page, PAGE_BYTES, PROT_READ | PROT_WRITE);
        SAME(code, calls[i].want);
        SAME(faults, 1);
        SAME(locked, 0);
        SAME(claimed, 0);
        if (failed != failed_before)
            printf("    %s\n", calls[i].name);
        empty_ring();
    }
}

/* A body that answers a HEAD is not sent: a long one is not read either, only told of. */
static void unsent_bodies(void)
{
    for (int i = 0; i < 2; i++) {
        objects();
        slot = &handle_slots[request & (HANDLE_SLOTS - 1)];
        atomic_fetch_or(&slot->word, SLOT_HEAD);
        faults = 0;
        mprotect(page, PAGE_BYTES, PROT_NONE);
        SAME(i == 0 ? zig_h3_response_send(request, 200, field, sizeof field, page, 100000, 0) : zig_h3_request_end(request, page, 100000), 0);
        mprotect(page, PAGE_BYTES, PROT_READ | PROT_WRITE);
        SAME(faults, 0);
        const zig_h3_record *record = h3_ring_peek(reactor_ring);
        SAME(record->type, SUBMIT_SEND);
        SAME(record->flags, SUBMIT_UNSENT);
        SAME(record->aux, 100000);
        SAME(record->data_len, 0);
        empty_ring();
    }
}

/* More room than there are counters is left as it was. */
static void more_room_than_counters(void)
{
    uint64_t values[20];
    objects();
    memset(values, 0x5a, sizeof values);
    SAME(zig_h3_stats_snapshot(server, values, 20), 2);
    SAME(zig_h3_wt_stats_snapshot(session, values, 20), 2);
    for (int i = 2; i < 20; i++)
        SAME(values[i], 0x5a5a5a5a5a5a5a5a);
}

static char reason[1024];
static _Atomic int over;

static void *change(void *unused)
{
    volatile char *const last = &reason[sizeof reason - 1];
    while (!atomic_load_explicit(&over, memory_order_relaxed)) {
        *last = '\xff';
        *last = 'a';
    }
    return unused;
}

/* A16: what is checked is what is sent. A reason that changes meanwhile is refused, or goes out as UTF-8. */
static void changing_reason(void)
{
    enum { TIMES = 20000 };
    pthread_t thread;
    int others = 0, bad = 0;
    memset(reason, 'a', sizeof reason);
    objects();
    struct slot *const own = &handle_slots[session & (HANDLE_SLOTS - 1)];
    const uint64_t undecided = atomic_load(&own->word);
    HOLDS(pthread_create(&thread, NULL, change, NULL) == 0);
    for (int i = 0; i < TIMES; i++) {
        const int32_t code = zig_h3_wt_close(session, 1, reason, sizeof reason);
        others += code != 0 && code != ZIG_H3_ERR_INVALID_ARGUMENT;
        const zig_h3_record *record = h3_ring_peek(reactor_ring);
        bad += record != NULL && ((const char *)(record + 1))[sizeof reason - 1] != 'a';
        empty_ring();
        atomic_store(&own->word, undecided);
    }
    atomic_store(&over, 1);
    HOLDS(pthread_join(thread, NULL) == 0);
    SAME(others, 0);
    SAME(bad, 0);
}

/* -------------------------------------------------------------------------------------------------------------------------- locks */

static zig_h3_handle awaited;

static void *come(void *unused)
{
    uint64_t word;
    struct slot *own = handle_lock(awaited, KIND_REQUEST, &word);
    if (own != NULL)
        handle_unlock(own, 0);
    return own == NULL ? unused : own;
}

/* Whoever waits for long sleeps until the lock is free: a thread of a lower priority would not come to unlock it otherwise. */
static void waiting_for_a_lock(void)
{
    uint64_t word;
    awaited = handle_issue(KIND_REQUEST, 0, &slot);
    struct slot *const own = handle_lock(awaited, KIND_REQUEST, &word);
    pthread_t threads[2];
    void *got[2];
    for (int i = 0; i < 2; i++)
        HOLDS(pthread_create(&threads[i], NULL, come, NULL) == 0);
    while (!(atomic_load(&own->word) & SLOT_AWAITED))
        sched_yield();
    SAME(atomic_load(&own->word) & SLOT_LOCKED, SLOT_LOCKED);
    handle_unlock(own, 0);
    for (int i = 0; i < 2; i++) {
        HOLDS(pthread_join(threads[i], &got[i]) == 0);
        HOLDS(got[i] == own);
    }
    SAME(atomic_load(&own->word) & (SLOT_LOCKED | SLOT_AWAITED), 0);
}

/* A12: a wake-up from a signal handler finds the slot locked by the very thread that it interrupts. */
static void wake_with_the_slot_locked(void)
{
    uint64_t word;
    objects();
    struct slot *const own = handle_lock(queue, KIND_QUEUE, &word);
    SAME(zig_h3_queue_wake(queue), 0);
    handle_unlock(own, 0);
    SAME(zig_h3_queue_wait(queue, -1), 0);
    SAME(zig_h3_queue_wait(queue, 0), 0);
}

/* A wake-up of a queue that was freed wakes no other that has its struct now. */
static void wake_of_another(void)
{
    objects();
    struct queue *const own = queue_find(queue);
    queue_kick(own, queue ^ (uint64_t)1 << HANDLE_GENERATION_SHIFT);
    SAME(zig_h3_queue_wait(queue, 0), 0);
    SAME(atomic_load(&own->woken), woken_of(queue, false));
    queue_kick(own, queue);
    SAME(atomic_load(&own->woken), woken_of(queue, true));
}

/* A queue that somebody drains is not freed, and is as it was. */
static void freeing_a_queue_that_is_drained(void)
{
    objects();
    struct queue *const own = queue_find(queue);
    atomic_store(&own->consumer, consumer_of(queue, CONSUMER_DRAINS));
    SAME(zig_h3_queue_free(queue), ZIG_H3_ERR_BUSY);
    SAME(zig_h3_queue_free(queue), ZIG_H3_ERR_BUSY);
    atomic_store(&own->consumer, consumer_of(queue, CONSUMER_NONE));
    SAME(zig_h3_queue_free(queue), 0);
    SAME(zig_h3_queue_free(queue), ZIG_H3_ERR_STALE_HANDLE);
    empty_ring();
}

static void wake_now(int signal)
{
    (void)signal;
    zig_h3_queue_wake(queue);
}

/* A12: whoever is woken just as he goes to sleep does not sleep. The signal comes wherever in the call it likes, once. */
static void wake_on_the_way_to_sleep(void)
{
    enum { TIMES = 10000, LATEST_NS = 10000 };
    objects();
    struct sigaction action = {.sa_handler = wake_now}, before;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_t timer;
    HOLDS(sigaction(SIGUSR1, &action, &before) == 0);
    HOLDS(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    int others = 0;
    for (int i = 0; i < TIMES; i++) {
        others += timer_settime(timer, 0, &(struct itimerspec){.it_value.tv_nsec = 1 + i * 7 % LATEST_NS}, NULL) != 0;
        others += zig_h3_queue_wait(queue, -1) != 0;
    }
    SAME(others, 0);
    HOLDS(timer_delete(timer) == 0);
    HOLDS(sigaction(SIGUSR1, &before, NULL) == 0);
}

/* ------------------------------------------------------------------------------------------------------------------ handles in the making */

static void untold(void)
{
    struct slot *own, *other;
    uint64_t word;
    const zig_h3_handle handle = handle_issue(KIND_STREAM, SLOT_UNTOLD, &own);
    HOLDS(handle_find(handle, KIND_STREAM, &word) == NULL);
    SAME(zig_h3_wt_stream_end(handle), ZIG_H3_ERR_INVALID_HANDLE);
    SAME(zig_h3_request_stop(handle), ZIG_H3_ERR_INVALID_HANDLE);
    handle_tell(own);
    HOLDS(handle_lock(handle, KIND_STREAM, &word) == own);
    /* Withdrawn while somebody is inside: the slot is nobody else's until he leaves. */
    handle_withdraw(own);
    handle_issue(KIND_STREAM, 0, &other);
    HOLDS(other != own);
    handle_unlock(own, 0);
    const zig_h3_handle next = handle_issue(KIND_STREAM, 0, &other);
    HOLDS(other == own);
    SAME(zig_h3_wt_stream_end(handle), ZIG_H3_ERR_STALE_HANDLE);
    SAME(zig_h3_wt_stream_end(next), 0);
}

/* With no room for the record the handle is taken back, and was never live. */
static void opening_without_room(void)
{
    zig_h3_handle out = 0;
    objects();
    atomic_fetch_or(&handle_slots[session & (HANDLE_SLOTS - 1)].word, SLOT_OPEN);
    struct submission at;
    while (submission_claim(&at, 0) != NULL) {
        *at.record = (zig_h3_record){.type = SUBMIT_COMMAND};
        submission_publish(&at, true);
    }
    atomic_fetch_or(&handle_slots[session & (HANDLE_SLOTS - 1)].word, SLOT_FLOODED);
    SAME(zig_h3_wt_open_stream(session, 0, 0, &out), ZIG_H3_ERR_WOULD_BLOCK);
    HOLDS(strstr(zig_h3_last_error(), "thousands of events") != NULL);
    atomic_fetch_and(&handle_slots[session & (HANDLE_SLOTS - 1)].word, ~(uint64_t)SLOT_FLOODED);
    const uint32_t used = atomic_load(&handle_table.used);
    SAME(zig_h3_wt_open_stream(session, 0, 0, &out), ZIG_H3_ERR_WOULD_BLOCK);
    SAME(zig_h3_wt_open_stream(session, 0, 0, &out), ZIG_H3_ERR_WOULD_BLOCK);
    SAME(out, 0);
    HOLDS(atomic_load(&handle_table.used) <= used + 1);
    empty_ring();
}

int main(void)
{
    struct account *account = account_at(0); /* what slots name that no server has filled in */
    atomic_store(&account->most, 8 << 20);
    atomic_store(&account->high_water, 8 << 20);
    alarm(60); /* what hangs fails */
    slow_memory();
    unsent_bodies();
    more_room_than_counters();
    changing_reason();
    waiting_for_a_lock();
    wake_with_the_slot_locked();
    wake_of_another();
    freeing_a_queue_that_is_drained();
    wake_on_the_way_to_sleep();
    untold();
    opening_without_room();
    return done();
}
