#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "counter_names.h"
#include "error.h"
#include "refusal.h"
#include "state.h"
#include "submission.h"
#include "utf8.h"
#include "versioned.h"

static struct counter_names session_counters = COUNTER_NAMES_NONE;

static struct session *session_of(struct slot *slot)
{
    return (struct session *)(uintptr_t)atomic_load_explicit(&slot->object, memory_order_acquire);
}

struct session *session_new(const uint8_t *offered, uint32_t len)
{
    struct session *session = calloc(1, sizeof *session + len);
    if (session == NULL)
        return NULL;
    session->offered_len = len;
    if (len > 0)
        memcpy(session->offered, offered, len);
    return session;
}

void session_free(struct session *session)
{
    free(session);
}

void session_put(struct slot *slot, struct session *session)
{
    free((void *)(uintptr_t)atomic_exchange_explicit(&slot->object, (uint64_t)(uintptr_t)session, memory_order_acq_rel));
}

bool session_offers(struct slot *slot, const char *protocol, size_t len)
{
    const struct session *session = session_of(slot);
    for (uint32_t at = 0; at < session->offered_len;) {
        uint16_t n;
        memcpy(&n, session->offered + at, sizeof n);
        at += (uint32_t)sizeof n;
        if (n == len && memcmp(session->offered + at, protocol, len) == 0)
            return true;
        at += n;
    }
    return false;
}

int32_t session_not_open(uint64_t word)
{
    return error_set(ZIG_H3_ERR_WRONG_STATE, word & SLOT_ENDED     ? "the session was rejected or closed"
                                             : word & SLOT_OPEN    ? "the session is open already"
                                             : word & SLOT_DECIDED ? "the session was accepted and is not open yet"
                                                                   : "the session is not accepted yet");
}

int32_t zig_h3_wt_max_datagram_size(zig_h3_handle handle)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    uint64_t word;
    struct slot *slot = handle_lock(handle, KIND_SESSION, &word);
    if (slot == NULL)
        return handle_error(handle, KIND_SESSION);
    const uint32_t limit = atomic_load_explicit(&slot->datagrams, memory_order_relaxed) >> 16;
    handle_unlock(slot, 0);
    if ((word & (SLOT_OPEN | SLOT_ENDED)) != SLOT_OPEN)
        return session_not_open(word);
    return limit > 0 ? (int32_t)limit : error_set(ZIG_H3_ERR_NOT_NEGOTIATED, "datagrams were not negotiated");
}
VERSIONED(zig_h3_wt_max_datagram_size);

void session_stats_set_names(const char *const *list, uint32_t count)
{
    counter_names_set(&session_counters, list, count < SESSION_STATS_MAX ? count : SESSION_STATS_MAX);
}

const char *zig_h3_wt_stats_name(uint32_t index)
{
    return counter_names_at(&session_counters, index);
}
VERSIONED(zig_h3_wt_stats_name);

void session_count(zig_h3_handle handle, const uint64_t *values, uint32_t count)
{
    uint64_t word;
    struct slot *slot = handle_lock(handle, KIND_SESSION, &word);
    if (slot == NULL)
        return;
    struct session *session = session_of(slot);
    for (uint32_t i = 0; i < count && i < SESSION_STATS_MAX; i++)
        atomic_store_explicit(&session->stats[i], values[i], memory_order_relaxed);
    handle_unlock(slot, 0);
}

int32_t zig_h3_wt_stats_snapshot(zig_h3_handle handle, uint64_t *values, size_t count)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (values == NULL && count > 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "values is NULL, count is not 0");
    uint64_t word;
    struct slot *slot = handle_lock(handle, KIND_SESSION, &word);
    if (slot == NULL)
        return handle_error(handle, KIND_SESSION);
    struct session *session = session_of(slot);
    uint64_t now[SESSION_STATS_MAX];
    /* The names were set before there was a session. */
    for (size_t i = 0; i < session_counters.count; i++)
        now[i] = atomic_load_explicit(&session->stats[i], memory_order_relaxed);
    handle_unlock(slot, 0);
    return counters_give(&session_counters, now, values, count); /* memory of the caller's: without the lock */
}
VERSIONED(zig_h3_wt_stats_snapshot);

/* What a CLOSE_WEBTRANSPORT_SESSION capsule may carry. */
#define REASON_MAX 1024

int32_t zig_h3_wt_close(zig_h3_handle session, uint32_t error_code, const char *reason, size_t reason_len)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (reason == NULL && reason_len > 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer with a length");
    if (reason_len > REASON_MAX)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a reason of more than 1024 bytes");
    uint8_t copy[REASON_MAX]; /* read once: what is checked is what is sent */
    if (reason_len > 0)
        memcpy(copy, reason, reason_len);
    if (!utf8_valid(copy, reason_len))
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a reason that is not UTF-8");
    uint64_t word, set = 0;
    struct slot *slot = handle_lock(session, KIND_SESSION, &word);
    if (slot == NULL)
        return handle_error(session, KIND_SESSION);
    if (!(word & SLOT_ENDED)) {
        struct submission at;
        zig_h3_record *record = submission_claim(&at, reason_len);
        if (record == NULL) {
            code = refuse(session, REFUSAL_RING);
        } else {
            *record = (zig_h3_record){.type = SUBMIT_CLOSE, .object = session, .status = error_code, .data_len = (uint32_t)reason_len};
            if (reason_len > 0)
                memcpy(submission_payload(record), copy, reason_len);
            submission_publish(&at, false);
            set = SLOT_DECIDED | SLOT_ENDED;
        }
    }
    handle_unlock(slot, set);
    return code;
}
VERSIONED(zig_h3_wt_close);

int32_t zig_h3_wt_drain(zig_h3_handle session)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    uint64_t word;
    struct slot *slot = handle_lock(session, KIND_SESSION, &word);
    if (slot == NULL)
        return handle_error(session, KIND_SESSION);
    if ((word & (SLOT_OPEN | SLOT_ENDED)) != SLOT_OPEN) {
        code = session_not_open(word);
    } else {
        code = submission_put(&(zig_h3_record){.type = SUBMIT_DRAIN, .object = session});
    }
    handle_unlock(slot, 0);
    return code;
}
VERSIONED(zig_h3_wt_drain);

/* What the exporter's context has room for, and what WebTransport's users may ask for at least. */
#define NAME_MAX_LEN 255
#define OUT_MAX_LEN 4096

int32_t zig_h3_wt_export_keying_material(zig_h3_handle session, const void *label, size_t label_len, const void *context,
                                         size_t context_len, void *out, size_t out_len)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if ((label == NULL && label_len > 0) || (context == NULL && context_len > 0) || out == NULL)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer");
    if (label_len > NAME_MAX_LEN || context_len > NAME_MAX_LEN)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a label or context of more than 255 bytes");
    if (out_len == 0 || out_len > OUT_MAX_LEN)
        return error_format(ZIG_H3_ERR_INVALID_ARGUMENT, "%zu bytes of keying material, where 1 to 4096 can be had", out_len);
    uint64_t word, material;
    struct slot *slot = handle_lock(session, KIND_SESSION, &word);
    if (slot == NULL)
        return handle_error(session, KIND_SESSION);
    handle_unlock(slot, 0);
    if ((word & (SLOT_OPEN | SLOT_ENDED)) != SLOT_OPEN)
        return session_not_open(word);
    const char *strings[] = {label, context};
    const size_t lens[] = {label_len, context_len};
    struct command *command = command_new(COMMAND_SESSION_EXPORT, strings, lens, 2);
    if (command == NULL)
        return ZIG_H3_ERR_NO_MEMORY;
    command->target = session;
    command->size = (uint32_t)out_len;
    code = command_call(command, &material);
    if (code == ZIG_H3_OK) {
        memcpy(out, (const void *)(uintptr_t)material, out_len);
        free((void *)(uintptr_t)material);
    }
    return code;
}
VERSIONED(zig_h3_wt_export_keying_material);
