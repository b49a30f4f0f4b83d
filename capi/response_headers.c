#include "response_headers.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "given.h"
#include "handle.h"
#include "header_check.h"
#include "state.h"
#include "versioned.h"

static const struct response plain = {.status = 200};

int32_t response_ended(uint64_t word)
{
    if ((word & HANDLE_KIND_MASK) >> HANDLE_KIND_SHIFT == KIND_FETCH)
        return error_set(ZIG_H3_ERR_ENDED, word & SLOT_RESET ? "the fetch was cancelled"
                                                             : "the request's body has ended, or the server wants no more of it");
    return error_set(ZIG_H3_ERR_ENDED, word & SLOT_RESET   ? "the response was reset"
                                       : word & SLOT_ENDED ? "the response has ended"
                                                           : "the response's headers are gone, or begun by another call");
}

int32_t response_bad_status(uint32_t status)
{
    return error_format(ZIG_H3_ERR_BAD_HEADER, "status %u is not within 200 to 599", (unsigned)status);
}

static struct response *response_of(struct slot *slot)
{
    return (struct response *)(uintptr_t)atomic_load_explicit(&slot->object, memory_order_relaxed);
}

/* The response that the locked slot builds, with room for more bytes of headers; NULL with *code set. */
static struct response *response_grow(struct slot *slot, size_t more, int32_t *code)
{
    struct response *old = response_of(slot);
    size_t len = old == NULL ? 0 : old->len;
    if (more > HEADER_LIST_MAX || len + more > HEADER_LIST_MAX) {
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

struct slot *response_find(zig_h3_handle request, enum handle_kind kind, uint64_t *word, uint64_t none_of, int32_t *code)
{
    struct slot *slot = handle_find(request, kind, word);
    if (slot == NULL)
        *code = handle_error(request, kind);
    else if (*word & none_of)
        *code = response_ended(*word);
    else
        return slot;
    return NULL;
}

struct slot *response_lock(zig_h3_handle request, enum handle_kind kind, uint64_t *word, uint64_t none_of, int32_t *code)
{
    struct slot *slot = handle_lock(request, kind, word);
    if (slot == NULL) {
        *code = handle_error(request, kind);
        return NULL;
    }
    if (*word & none_of) {
        handle_unlock(slot, 0);
        *code = response_ended(*word);
        return NULL;
    }
    return slot;
}

/* A slot's bits of a response whose headers are not here any more. */
#define SLOT_SENT (SLOT_GONE | SLOT_ENDED)

int32_t zig_h3_response_status(zig_h3_handle request, uint32_t status)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    uint64_t word;
    struct slot *slot = response_lock(request, KIND_REQUEST, &word, SLOT_SENT, &code);
    if (slot == NULL)
        return code;
    struct response *response = NULL;
    if (!response_status_fits(status))
        code = response_bad_status(status);
    else if ((response = response_grow(slot, 0, &code)) != NULL)
        response->status = status;
    handle_unlock(slot, response != NULL ? SLOT_BEGUN : 0);
    return code;
}
VERSIONED(zig_h3_response_status);

static int32_t add_header(zig_h3_handle request, const struct given *name, size_t name_len, const struct given *value, size_t value_len)
{
    int32_t code;
    int64_t n = -1;
    uint64_t word;
    struct slot *slot = response_lock(request, KIND_REQUEST, &word, SLOT_SENT, &code);
    if (slot == NULL)
        return code;
    struct response *response = response_grow(slot, HEADER_FRAME + name_len + value_len, &code);
    if (response != NULL) {
        n = header_check_field(name->bytes, name_len, value->bytes, value_len, response->headers + response->len);
        if (n >= 0)
            response->len += (uint32_t)n;
        code = n < 0 ? (int32_t)n : ZIG_H3_OK;
    }
    handle_unlock(slot, n >= 0 ? SLOT_BEGUN : 0);
    return code;
}

int32_t zig_h3_response_header(zig_h3_handle request, const char *name, size_t name_len, const char *value, size_t value_len)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if ((name == NULL && name_len > 0) || (value == NULL && value_len > 0))
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer with a length");
    uint64_t word;
    if (response_find(request, KIND_REQUEST, &word, SLOT_SENT, &code) == NULL)
        return code;
    if (name_len > HEADER_LIST_MAX || value_len > HEADER_LIST_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "headers of more than 64 KiB");
    struct given own_name, own_value;
    if ((code = given_copy(&own_name, name, name_len)) != ZIG_H3_OK)
        return code;
    if ((code = given_copy(&own_value, value, value_len)) == ZIG_H3_OK)
        code = add_header(request, &own_name, name_len, &own_value, value_len);
    given_drop(&own_name);
    given_drop(&own_value);
    return code;
}
VERSIONED(zig_h3_response_header);

static int32_t add_headers(zig_h3_handle request, const struct given *list, size_t len)
{
    int32_t code;
    int64_t n = -1;
    uint64_t word;
    struct slot *slot = response_lock(request, KIND_REQUEST, &word, SLOT_SENT, &code);
    if (slot == NULL)
        return code;
    struct response *response = response_grow(slot, len, &code);
    if (response != NULL) {
        n = header_check_list(list->bytes, len, response->headers + response->len);
        if (n >= 0)
            response->len += (uint32_t)n;
        code = n < 0 ? (int32_t)n : ZIG_H3_OK;
    }
    handle_unlock(slot, n >= 0 ? SLOT_BEGUN : 0);
    return code;
}

int32_t zig_h3_response_headers(zig_h3_handle request, const void *headers, size_t headers_len)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (headers == NULL && headers_len > 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer with a length");
    uint64_t word;
    if (response_find(request, KIND_REQUEST, &word, SLOT_SENT, &code) == NULL)
        return code;
    if (headers_len > HEADER_LIST_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "headers of more than 64 KiB");
    struct given list;
    if ((code = given_copy(&list, headers, headers_len)) == ZIG_H3_OK)
        code = add_headers(request, &list, headers_len);
    given_drop(&list);
    return code;
}
VERSIONED(zig_h3_response_headers);

const struct response *response_headers_built(struct slot *slot)
{
    const struct response *response = response_of(slot);
    return response == NULL ? &plain : response;
}

void response_headers_done(struct slot *slot)
{
    free((void *)(uintptr_t)atomic_exchange_explicit(&slot->object, 0, memory_order_relaxed));
}
