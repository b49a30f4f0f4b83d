/* A server as the library sees it: what can be told without asking the engine. */
#ifndef CAPI_SERVER_H
#define CAPI_SERVER_H

#include <stdatomic.h>
#include <stdint.h>

#include "../include/zig_h3.h"

/* Most counters of a server. */
#define SERVER_STATS_MAX 64

/* Structs of servers are never freed, only used again, as those of queues. */
struct server {
    _Alignas(64) _Atomic uint64_t stats[SERVER_STATS_MAX]; /* the engine counts here: engine.Stats */
    _Atomic uint64_t started_ms;                          /* when it was started last, on the monotonic clock; 0: never */
    _Atomic uint32_t port;                                /* 0 while it does not run */
    uint8_t certificate_hash[32];
    struct server *next;
};

/* The engine's side: notes that the server runs on this port, or (0) that it does not. */
void server_set_port(struct server *server, uint32_t port);

/* The engine's side: nothing of a server is left, its struct may serve another. */
void server_give(struct server *server);

/* The engine's side, once: the counters' names, which stay where they are. The first one is the uptime, which is filled in here. */
void server_stats_set_names(const char *const *names, uint32_t count);

#endif
