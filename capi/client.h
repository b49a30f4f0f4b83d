/* A client as the library sees it: what can be told without asking the engine, and what its fetches and sessions are asked for with on
 * their way there. */
#ifndef CAPI_CLIENT_H
#define CAPI_CLIENT_H

#include <stdatomic.h>
#include <stdint.h>

#include "../include/zig_h3.h"
#include "handle.h"

/* Most counters of a client, those included that have no name. */
#define CLIENT_STATS_MAX 64

/* Structs of clients are never freed, only used again, as those of servers. */
struct client {
    _Alignas(64) _Atomic uint64_t stats[CLIENT_STATS_MAX]; /* the engine counts here: sink.ClientStats */
    _Atomic uint64_t made_ms;                             /* when it was made, on the monotonic clock */
    struct client *next;
};

/* What stands in front of a SUBMIT_FETCH's strings, which follow in this order, and its headers to the end of meta. */
struct fetch_wish {
    uint64_t collect;
    int32_t response_timeout_ms;
    int32_t request_timeout_ms;
    uint32_t flags; /* enum zig_h3_fetch_flag */
    uint32_t method_len;
    uint32_t authority_len;
    uint32_t path_len;
};

/* The same of a SUBMIT_SESSION. */
struct session_wish {
    uint32_t flags; /* enum zig_h3_session_flag */
    uint32_t authority_len;
    uint32_t path_len;
    uint32_t protocols_len;
    uint32_t congestion_control; /* enum zig_h3_congestion_control */
};

/* The slot of a live client, locked, so that it does not end before what is asked of it is on its way; NULL with *code set. *sink gets the
 * number of its sink. */
struct slot *client_lock(zig_h3_handle client, uint32_t *sink, int32_t *code);

/* The engine's side: nothing of a client is left, its struct may serve another. */
void client_give(struct client *client);

/* The engine's side, once: the counters' names, and at which place in a client's struct each stands. They stay where they are. */
void client_stats_set_names(const char *const *names, const uint32_t *places, uint32_t count);

/* The engine's side: has the reactor do what is left to do for a client, behind all that was asked of it. */
void client_post_gone(zig_h3_handle client);

#endif
