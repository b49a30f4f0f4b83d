#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "state.h"
#include "stats.h"
#include "versioned.h"

static struct stats_names names = STATS_NAMES_NONE;

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
    stats_names_set(&names, list, count < SESSION_STATS_MAX ? count : SESSION_STATS_MAX);
}

const char *zig_h3_wt_stats_name(uint32_t index)
{
    return stats_names_at(&names, index);
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
    for (size_t i = 0; i < names.count; i++)
        now[i] = atomic_load_explicit(&session->stats[i], memory_order_relaxed);
    handle_unlock(slot, 0);
    if (count > names.count)
        count = names.count;
    if (count > 0)
        memcpy(values, now, count * sizeof *values); /* memory of the caller's: without the lock */
    return (int32_t)names.count;
}
VERSIONED(zig_h3_wt_stats_snapshot);
