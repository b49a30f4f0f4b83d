/*
 * Responses: the state machine of each stands in the word of its handle's slot, what is being built in a struct of its own, and what
 * is complete goes into the submission ring. Nothing here waits for the engine or the network.
 */
#include <stdlib.h>
#include <string.h>

#include "chunk.h"
#include "error.h"
#include "handle.h"
#include "header_check.h"
#include "state.h"
#include "submission.h"
#include "versioned.h"

/* Bodies up to here ride in the submission ring. */
#define INLINE_MAX 4096

/* Most bytes of one call that takes a body whole. */
#define BODY_MAX ((size_t)2 << 30)

/* A response given in parts, before its headers go: hung into the slot, freed with it. */
struct response {
    uint32_t status;
    uint32_t len;
    uint32_t capacity;
    uint8_t headers[];
};

static const struct response plain = {.status = 200};

/* A body on its way: in place up to INLINE_MAX, in a chunk beyond. */
struct body {
    const void *data;
    size_t len;
    uint8_t *chunk;
};

static int32_t body_prepare(struct body *body, const void *data, size_t len)
{
    *body = (struct body){.data = data, .len = len};
    if (len > INLINE_MAX) {
        body->chunk = chunk_take(len);
        if (body->chunk == NULL)
            return error_set(ZIG_H3_ERR_NO_MEMORY, "no memory for the body");
        memcpy(body->chunk, data, len);
    }
    return ZIG_H3_OK;
}

static void body_drop(struct body *body)
{
    if (body->chunk != NULL)
        chunk_give(body->chunk);
}

static size_t body_inline(const struct body *body)
{
    return body->chunk == NULL ? body->len : 0;
}

/* Puts the body behind meta_len bytes that are in the record already. */
static void body_fill(const struct body *body, zig_h3_record *record, size_t meta_len)
{
    record->meta_len = (uint32_t)meta_len;
    record->data_len = (uint32_t)body->len;
    if (body->chunk != NULL) {
        record->flags |= SUBMIT_CHUNK;
        record->aux = (uint64_t)(uintptr_t)body->chunk;
    } else if (body->len > 0) {
        memcpy(submission_payload(record) + ((meta_len + 7) & ~(size_t)7), body->data, body->len);
    }
}

static int32_t ended(uint64_t word)
{
    return error_set(ZIG_H3_ERR_ENDED, word & SLOT_RESET   ? "the response was reset"
                                       : word & SLOT_ENDED ? "the response has ended"
                                                           : "the response's headers are gone, or begun by another call");
}

static int32_t full(void)
{
    return error_set(ZIG_H3_ERR_WOULD_BLOCK, "no room in the ring to the engine");
}

static int32_t bad_status(uint32_t status)
{
    return error_format(ZIG_H3_ERR_BAD_HEADER, "status %u is not within 200 to 599", (unsigned)status);
}

static bool status_fits(uint32_t status)
{
    return status >= 200 && status <= 599;
}

int32_t zig_h3_response_send(zig_h3_handle request, uint32_t status, const void *headers, size_t headers_len, const void *data,
                             size_t data_len, uint32_t flags)
{
    if (state_now() != 0)
        return state_check();
    if (flags & ~(uint32_t)(ZIG_H3_SEND_FORGET | ZIG_H3_SEND_LATER))
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "unknown flags");
    if ((headers == NULL && headers_len > 0) || (data == NULL && data_len > 0))
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer with a length");
    uint64_t word;
    struct slot *slot = handle_find(request, KIND_REQUEST, &word);
    if (slot == NULL)
        return handle_error(request, KIND_REQUEST);
    if (word & (SLOT_BEGUN | SLOT_GONE | SLOT_ENDED))
        return ended(word);
    if (!status_fits(status))
        return bad_status(status);
    if (headers_len > HEADER_LIST_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "headers of more than 64 KiB");
    if (data_len > BODY_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "a body of more than 2 GiB");

    struct body body;
    int32_t code = body_prepare(&body, data, data_len);
    if (code != ZIG_H3_OK)
        return code;
    struct submission at;
    zig_h3_record *record = submission_claim(&at, ((headers_len + 7) & ~(size_t)7) + body_inline(&body));
    if (record == NULL) {
        body_drop(&body);
        return full();
    }
    int64_t list_len = headers_len == 0 ? 0 : header_check_list(headers, headers_len, submission_payload(record));
    if (list_len < 0) {
        code = (int32_t)list_len;
        goto refused;
    }
    record->type = SUBMIT_SEND;
    record->flags = flags & ZIG_H3_SEND_FORGET ? SUBMIT_FORGET : 0;
    record->object = request;
    record->status = status;
    record->aux = 0;
    body_fill(&body, record, (size_t)list_len);

    /* One step from untouched to ended, without the lock: from here on the record is all that there is of this response. */
    uint64_t set = flags & ZIG_H3_SEND_FORGET ? SLOT_ENDED | SLOT_GONE | SLOT_FORGOTTEN : SLOT_ENDED | SLOT_GONE;
    while ((word & SLOT_LOCKED) || !atomic_compare_exchange_weak_explicit(&slot->word, &word, word | set, memory_order_acq_rel,
                                                                          memory_order_relaxed)) {
        slot = handle_find(request, KIND_REQUEST, &word);
        if (slot == NULL || (word & (SLOT_BEGUN | SLOT_GONE | SLOT_ENDED))) {
            code = slot == NULL ? handle_error(request, KIND_REQUEST) : ended(word);
            goto refused;
        }
    }
    submission_publish(&at, (flags & ZIG_H3_SEND_LATER) != 0);
    return ZIG_H3_OK;

refused:
    submission_abandon(&at);
    body_drop(&body);
    return code;
}
VERSIONED(zig_h3_response_send);

/* ------------------------------------------------------------------------------------------------------------- in parts */

static struct response *response_of(struct slot *slot)
{
    return (struct response *)(uintptr_t)atomic_load_explicit(&slot->object, memory_order_relaxed);
}

/* The response that the locked slot builds, with room for more bytes of headers; NULL with *code set. */
static struct response *response_grow(struct slot *slot, size_t more, int32_t *code)
{
    struct response *old = response_of(slot);
    size_t len = old == NULL ? 0 : old->len;
    if (len + more > HEADER_LIST_MAX) {
        *code = error_set(ZIG_H3_ERR_TOO_LARGE, "headers of more than 64 KiB");
        return NULL;
    }
    if (old != NULL && len + more <= old->capacity)
        return old;
    size_t capacity = old == NULL ? 512 : (size_t)old->capacity * 2;
    while (capacity < len + more)
        capacity *= 2;
    struct response *grown = realloc(old, sizeof *grown + capacity);
    if (grown == NULL) {
        *code = error_set(ZIG_H3_ERR_NO_MEMORY, "no memory for the headers");
        return NULL;
    }
    if (old == NULL)
        *grown = plain;
    grown->capacity = (uint32_t)capacity;
    atomic_store_explicit(&slot->object, (uint64_t)(uintptr_t)grown, memory_order_relaxed);
    return grown;
}

/* Locks a response whose headers are still here; NULL with *code set. */
static struct slot *lock_unsent(zig_h3_handle request, int32_t *code)
{
    uint64_t word;
    struct slot *slot = handle_lock(request, KIND_REQUEST, &word);
    if (slot == NULL) {
        *code = handle_error(request, KIND_REQUEST);
        return NULL;
    }
    if (word & (SLOT_GONE | SLOT_ENDED)) {
        handle_unlock(slot, 0);
        *code = ended(word);
        return NULL;
    }
    return slot;
}

int32_t zig_h3_response_status(zig_h3_handle request, uint32_t status)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    struct slot *slot = lock_unsent(request, &code);
    if (slot == NULL)
        return code;
    struct response *response = NULL;
    if (!status_fits(status))
        code = bad_status(status);
    else if ((response = response_grow(slot, 0, &code)) != NULL)
        response->status = status;
    handle_unlock(slot, response != NULL ? SLOT_BEGUN : 0);
    return code;
}
VERSIONED(zig_h3_response_status);

int32_t zig_h3_response_header(zig_h3_handle request, const char *name, size_t name_len, const char *value, size_t value_len)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if ((name == NULL && name_len > 0) || (value == NULL && value_len > 0))
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer with a length");
    struct slot *slot = lock_unsent(request, &code);
    if (slot == NULL)
        return code;
    struct response *response = NULL;
    int64_t n = -1;
    if (name_len > HEADER_LIST_MAX || value_len > HEADER_LIST_MAX) {
        code = error_set(ZIG_H3_ERR_TOO_LARGE, "headers of more than 64 KiB");
    } else if ((response = response_grow(slot, HEADER_FRAME + name_len + value_len, &code)) != NULL) {
        n = header_check_field((const uint8_t *)name, name_len, (const uint8_t *)value, value_len, response->headers + response->len);
        if (n < 0)
            code = (int32_t)n;
        else
            response->len += (uint32_t)n;
    }
    handle_unlock(slot, n >= 0 ? SLOT_BEGUN : 0);
    return code;
}
VERSIONED(zig_h3_response_header);

int32_t zig_h3_response_headers(zig_h3_handle request, const void *headers, size_t headers_len)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (headers == NULL && headers_len > 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer with a length");
    struct slot *slot = lock_unsent(request, &code);
    if (slot == NULL)
        return code;
    int64_t n = -1;
    struct response *response = response_grow(slot, headers_len, &code);
    if (response != NULL) {
        n = header_check_list(headers, headers_len, response->headers + response->len);
        if (n < 0)
            code = (int32_t)n;
        else
            response->len += (uint32_t)n;
    }
    handle_unlock(slot, n >= 0 ? SLOT_BEGUN : 0);
    return code;
}
VERSIONED(zig_h3_response_headers);

/* Puts the headers that were built, or none with status 200, into a record and returns their length. */
static size_t fill_headers(struct slot *slot, zig_h3_record *record)
{
    const struct response *response = response_of(slot);
    if (response == NULL)
        response = &plain;
    record->status = response->status;
    memcpy(submission_payload(record), response->headers, response->len);
    return response->len;
}

static size_t headers_room(struct slot *slot)
{
    const struct response *response = response_of(slot);
    return response == NULL ? 0 : (response->len + 7u) & ~7u;
}

static void headers_done(struct slot *slot)
{
    free((void *)(uintptr_t)atomic_exchange_explicit(&slot->object, 0, memory_order_relaxed));
}

/*
 * Notes that the host was refused, so that a WRITABLE event comes. False when the network has taken enough in the meantime that none
 * would: then there is room now.
 */
static bool owe_writable(struct slot *slot, uint64_t half)
{
    uint64_t credit = atomic_load_explicit(&slot->credit, memory_order_relaxed);
    do {
        if (credit >> 1 <= half)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&slot->credit, &credit, credit | 1, memory_order_acq_rel, memory_order_relaxed));
    return true;
}

/* Counts n more bytes as taken; true when a WRITABLE has to follow and nobody else will see to it. */
static bool charge(struct slot *slot, uint64_t n, bool cut, uint64_t half)
{
    uint64_t credit = atomic_load_explicit(&slot->credit, memory_order_relaxed);
    uint64_t next;
    do {
        next = (credit + (n << 1)) | (cut ? 1 : 0);
    } while (!atomic_compare_exchange_weak_explicit(&slot->credit, &credit, next, memory_order_acq_rel, memory_order_relaxed));
    return cut && next >> 1 <= half;
}

/* Sends what fits of the body, with the headers if they are still here. The slot is locked; *set gets what its word gains. */
static int32_t write_locked(struct slot *slot, uint64_t word, zig_h3_handle request, const uint8_t *data, size_t len, size_t *taken,
                            uint64_t *set)
{
    const uint64_t mark = atomic_load_explicit(&slot->high_water, memory_order_relaxed);
    const bool start = !(word & SLOT_GONE);
    size_t part = 0;
    if (!(word & SLOT_HEAD)) {
        do {
            uint64_t pending = atomic_load_explicit(&slot->credit, memory_order_acquire) >> 1;
            part = pending >= mark ? 0 : mark - pending < len ? (size_t)(mark - pending) : len;
        } while (len > 0 && part == 0 && !owe_writable(slot, mark / 2));
        if (len > 0 && part == 0)
            return error_set(ZIG_H3_ERR_WOULD_BLOCK, "the response has its high-water mark of bytes waiting for the network");
    }
    if (part == 0 && !start) {
        *taken = len; /* nothing to say: an empty write, or one to a HEAD request */
        return ZIG_H3_OK;
    }
    struct body body;
    int32_t code = body_prepare(&body, data, part);
    if (code != ZIG_H3_OK)
        return code;
    struct submission at;
    zig_h3_record *record = submission_claim(&at, (start ? headers_room(slot) : 0) + body_inline(&body));
    if (record == NULL) {
        body_drop(&body);
        atomic_fetch_or_explicit(&slot->credit, 1, memory_order_acq_rel);
        handle_attention(slot, request, ATTENTION_WRITABLE);
        return full();
    }
    record->type = SUBMIT_WRITE;
    record->flags = start ? SUBMIT_START : 0;
    record->object = request;
    record->aux = 0;
    size_t meta_len = start ? fill_headers(slot, record) : 0;
    body_fill(&body, record, meta_len);
    if (start) {
        headers_done(slot);
        *set = SLOT_GONE;
    }
    *taken = word & SLOT_HEAD ? len : part;
    bool late = charge(slot, part, *taken < len, mark / 2);
    submission_publish(&at, false);
    if (late)
        handle_attention(slot, request, ATTENTION_WRITABLE);
    return ZIG_H3_OK;
}

int32_t zig_h3_response_write(zig_h3_handle request, const void *data, size_t len, size_t *taken)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (taken == NULL || (data == NULL && len > 0))
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer");
    *taken = 0;
    uint64_t word, set = 0;
    struct slot *slot = handle_lock(request, KIND_REQUEST, &word);
    if (slot == NULL)
        return handle_error(request, KIND_REQUEST);
    code = word & SLOT_ENDED ? ended(word) : write_locked(slot, word, request, data, len, taken, &set);
    handle_unlock(slot, set);
    return code;
}
VERSIONED(zig_h3_response_write);

int32_t zig_h3_response_end(zig_h3_handle request, const void *data, size_t len)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (data == NULL && len > 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer with a length");
    if (len > BODY_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "a body of more than 2 GiB");
    uint64_t word;
    struct slot *slot = handle_lock(request, KIND_REQUEST, &word);
    if (slot == NULL)
        return handle_error(request, KIND_REQUEST);
    if (word & SLOT_ENDED) {
        handle_unlock(slot, 0);
        return ended(word);
    }
    const bool whole = !(word & SLOT_GONE); /* headers, body and end at once: the engine then knows the length */
    struct body body;
    code = body_prepare(&body, data, (word & SLOT_HEAD) && !whole ? 0 : len);
    if (code != ZIG_H3_OK) {
        handle_unlock(slot, 0);
        return code;
    }
    struct submission at;
    zig_h3_record *record = submission_claim(&at, (whole ? headers_room(slot) : 0) + body_inline(&body));
    if (record == NULL) {
        handle_unlock(slot, 0);
        body_drop(&body);
        return full();
    }
    record->type = whole ? SUBMIT_SEND : SUBMIT_END;
    record->flags = 0;
    record->object = request;
    record->aux = 0;
    size_t meta_len = whole ? fill_headers(slot, record) : 0;
    body_fill(&body, record, meta_len);
    if (whole)
        headers_done(slot);
    submission_publish(&at, false);
    handle_unlock(slot, SLOT_GONE | SLOT_ENDED);
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_response_end);

int32_t zig_h3_response_send_trailers(zig_h3_handle request, const void *trailers, size_t trailers_len)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (trailers == NULL && trailers_len > 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer with a length");
    if (trailers_len > HEADER_LIST_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "trailers of more than 64 KiB");
    uint64_t word, set = 0;
    struct slot *slot = handle_lock(request, KIND_REQUEST, &word);
    if (slot == NULL)
        return handle_error(request, KIND_REQUEST);
    if (word & SLOT_ENDED) {
        handle_unlock(slot, 0);
        return ended(word);
    }
    struct submission at;
    const bool start = !(word & SLOT_GONE);
    const size_t headers = start ? headers_room(slot) : 0;
    zig_h3_record *record = submission_claim(&at, headers + trailers_len);
    if (record == NULL) {
        code = full();
    } else {
        int64_t n = trailers_len == 0 ? 0 : header_check_list(trailers, trailers_len, submission_payload(record) + headers);
        if (n < 0) {
            submission_abandon(&at);
            code = (int32_t)n;
        } else {
            record->type = SUBMIT_TRAILERS;
            record->flags = start ? SUBMIT_START : 0;
            record->object = request;
            record->aux = 0;
            record->meta_len = start ? (uint32_t)fill_headers(slot, record) : 0;
            record->data_len = word & SLOT_HEAD ? 0 : (uint32_t)n;
            if (start)
                headers_done(slot);
            submission_publish(&at, false);
            set = SLOT_GONE | SLOT_ENDED;
        }
    }
    handle_unlock(slot, set);
    return code;
}
VERSIONED(zig_h3_response_send_trailers);

int32_t zig_h3_response_reset(zig_h3_handle request, uint64_t error_code)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (error_code >> 62)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "an error code beyond 2^62");
    uint64_t word;
    struct slot *slot = handle_lock(request, KIND_REQUEST, &word);
    if (slot == NULL)
        return handle_error(request, KIND_REQUEST);
    if (!(word & SLOT_RESET)) {
        struct submission at;
        zig_h3_record *record = submission_claim(&at, 0);
        if (record == NULL) {
            atomic_store_explicit(&slot->reset_code, error_code, memory_order_relaxed);
            handle_attention(slot, request, ATTENTION_RESET);
        } else {
            *record = (zig_h3_record){.type = SUBMIT_RESET, .object = request, .aux = error_code};
            submission_publish(&at, false);
        }
    }
    handle_unlock(slot, SLOT_ENDED | SLOT_RESET);
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_response_reset);

int32_t zig_h3_flush(void)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    submission_flush();
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_flush);
