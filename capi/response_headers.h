/*
 * Responses: the state machine of each stands in the word of its handle's slot, what is being built in a struct of its own, and what
 * is complete goes into the submission ring. Nothing here waits for the engine or the network.
 */
#ifndef CAPI_RESPONSE_HEADERS_H
#define CAPI_RESPONSE_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../include/zig_h3.h"
#include "handle.h"

/* A response given in parts, before its headers go: hung into the slot, freed with it. */
struct response {
    uint32_t status;
    uint32_t len;
    uint32_t capacity;
    uint8_t headers[];
};

/* The slot of a request, or of a fetch, not locked, as long as its word has none of these bits; NULL with *code set. For what comes before
 * the lock. */
struct slot *response_find(zig_h3_handle request, enum handle_kind kind, uint64_t *word, uint64_t none_of, int32_t *code);

/* The same, locked. */
struct slot *response_lock(zig_h3_handle request, enum handle_kind kind, uint64_t *word, uint64_t none_of, int32_t *code);

/* The headers that were built, or none with status 200. The slot is locked, here and below. */
const struct response *response_headers_built(struct slot *slot);

/* Bytes that they take in a record, up to where the body begins. */
static inline size_t response_headers_room(const struct response *response)
{
    return (response->len + 7u) & ~(size_t)7;
}

/* Forgets them: they are gone. */
void response_headers_done(struct slot *slot);

/* What a call returns that comes too late, with the words set: word, the slot's, says for what. */
int32_t response_ended(uint64_t word);

/* What a call returns that was given a status that is none, with the words set. */
int32_t response_bad_status(uint32_t status);

static inline bool response_status_fits(uint32_t status)
{
    return status >= 200 && status <= 599;
}

#endif
