/* A server's counters. The engine counts in memory of ours, so reading them asks nobody. */
#include "stats.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "cancel.h"
#include "error.h"
#include "handle.h"
#include "server.h"
#include "state.h"
#include "versioned.h"

static struct stats_names names = STATS_NAMES_NONE;

void stats_names_set(struct stats_names *n, const char *const *list, uint32_t count)
{
    pthread_mutex_lock(&n->lock);
    n->list = list;
    n->count = count;
    pthread_cond_broadcast(&n->given);
    pthread_mutex_unlock(&n->lock);
}

const char *stats_names_at(struct stats_names *n, uint32_t index)
{
    if (state_now() == ZIG_H3_ERR_FORKED)
        return NULL;
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 10;
    const int held = cancel_hold();
    pthread_mutex_lock(&n->lock);
    while (n->count == 0 && pthread_cond_timedwait(&n->given, &n->lock, &deadline) != ETIMEDOUT) {
    }
    const char *name = index < n->count ? n->list[index] : NULL;
    pthread_mutex_unlock(&n->lock);
    cancel_allow(held);
    return name;
}

void stats_set_names(const char *const *list, uint32_t count)
{
    stats_names_set(&names, list, count < SERVER_STATS_MAX ? count : SERVER_STATS_MAX);
}

const char *zig_h3_stats_name(uint32_t index)
{
    return stats_names_at(&names, index);
}
VERSIONED(zig_h3_stats_name);

static uint64_t uptime_ms(struct server *server)
{
    if (atomic_load(&server->port) == 0)
        return 0;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 - atomic_load(&server->started_ms);
}

int32_t zig_h3_stats_snapshot(zig_h3_handle handle, uint64_t *values, size_t count)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (values == NULL && count > 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "values is NULL, count is not 0");
    uint64_t word;
    struct slot *slot = handle_lock(handle, KIND_SERVER, &word);
    if (slot == NULL)
        return handle_error(handle, KIND_SERVER);
    struct server *server = (struct server *)(uintptr_t)atomic_load(&slot->object);
    uint64_t now[SERVER_STATS_MAX];
    /* The names were set before there was a server. */
    for (size_t i = 0; i < names.count; i++)
        now[i] = i == 0 ? uptime_ms(server) : atomic_load_explicit(&server->stats[i], memory_order_relaxed);
    handle_unlock(slot, 0);
    if (count > names.count)
        count = names.count;
    if (count > 0)
        memcpy(values, now, count * sizeof *values); /* memory of the caller's: without the lock */
    return (int32_t)names.count;
}
VERSIONED(zig_h3_stats_snapshot);
