/* A WebTransport session as the library sees it: its state stands in the word of its handle's slot, the rest in a struct of its own,
 * which hangs in the slot and is freed with it. */
#ifndef CAPI_SESSION_H
#define CAPI_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../include/zig_h3.h"
#include "handle.h"

/* Most counters of a session. */
#define SESSION_STATS_MAX 32

struct session {
    _Atomic uint64_t stats[SESSION_STATS_MAX];
    uint32_t offered_len;
    uint8_t offered[]; /* the protocols that the peer offered: u16 length, bytes, again and again */
};

/* Whether the peer offered this protocol. The slot is locked. */
bool session_offers(struct slot *slot, const char *protocol, size_t len);

/* What a call returns that comes after the decision, or before the session is open; with the words set. */
int32_t session_not_open(uint64_t word);

/* The engine's side. */

/* A session's struct with what the peer offered, or NULL. */
struct session *session_new(const uint8_t *offered, uint32_t len);

/* Frees one that no slot has. */
void session_free(struct session *session);

/* Puts it into the slot of a session that the host does not know of yet. */
void session_put(struct slot *slot, struct session *session);

/* Brings a session's counters up to date; nothing happens when it has ended. */
void session_count(zig_h3_handle session, const uint64_t *values, uint32_t count);

/* Once: the counters' names, which stay where they are. */
void session_stats_set_names(const char *const *names, uint32_t count);

#endif
