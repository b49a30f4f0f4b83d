/* Responses, whole or in parts: the body of one that is given in parts, and its ends. Their headers: response_headers.h. */
#include <string.h>

#include "body.h"
#include "error.h"
#include "given.h"
#include "handle.h"
#include "header_check.h"
#include "insist.h"
#include "refusal.h"
#include "response_headers.h"
#include "state.h"
#include "submission.h"
#include "versioned.h"
#include "writer.h"

/* Copies the body of a response that is given whole, unless it answers a HEAD, or takes no room in a record. */
static inline int32_t admit(struct body *body, const struct slot *slot, uint64_t word, zig_h3_handle request, const void *data, size_t len)
{
    if (!(word & SLOT_HEAD) || len <= BODY_INLINE_MAX)
        return body_admit(body, slot, request, data, len);
    body_unsent(body, len);
    return ZIG_H3_OK;
}

/* What response_send_copied() returns when something has happened to the request's slot since it looked. */
#define SEND_AGAIN 1

/* Sends what was copied. The record is claimed while the slot is locked by nobody, so that nothing waits behind it but what takes it from
 * here. */
static int32_t response_send_copied(zig_h3_handle request, uint32_t status, const struct given *list, size_t list_len,
                                    const struct body *body, uint32_t flags)
{
    uint64_t word;
    struct slot *slot;
    for (unsigned turns = 0;; turns++) {
        slot = handle_find(request, KIND_REQUEST, &word);
        if (slot == NULL)
            return handle_error(request, KIND_REQUEST);
        if (word & (SLOT_BEGUN | SLOT_GONE | SLOT_ENDED))
            return response_ended(word);
        if (!(word & SLOT_LOCKED))
            break;
        handle_pause(slot, word, turns);
    }
    struct submission at;
    zig_h3_record *record = submission_claim(&at, ((list_len + 7) & ~(size_t)7) + body_inline(body));
    if (record == NULL)
        return refuse_list(request, list, list_len);
    const int64_t n = list_len == 0 ? 0 : header_check_list(list->bytes, list_len, submission_payload(record));
    if (n < 0) {
        submission_abandon(&at);
        return (int32_t)n;
    }
    record->type = SUBMIT_SEND;
    record->flags = flags & ZIG_H3_SEND_FORGET ? SUBMIT_FORGET : 0;
    record->object = request;
    record->status = status;
    record->aux = 0;
    body_fill(body, record, (size_t)n);

    /* One step from untouched to ended: from here on the record is all that there is of this response. Nothing has to be locked, unless
     * the body is to be noted. */
    uint64_t set = flags & ZIG_H3_SEND_FORGET ? SLOT_ENDED | SLOT_GONE | SLOT_FORGOTTEN : SLOT_ENDED | SLOT_GONE;
    if (body->account != NULL)
        set |= SLOT_LOCKED;
    if (!atomic_compare_exchange_strong_explicit(&slot->word, &word, word | set, memory_order_acq_rel, memory_order_relaxed)) {
        submission_abandon(&at);
        return SEND_AGAIN;
    }
    if (body->account != NULL) {
        body_charge(body, slot);
        handle_unlock(slot, 0);
    }
    submission_publish(&at, (flags & ZIG_H3_SEND_LATER) != 0);
    return ZIG_H3_OK;
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
        return response_ended(word);
    if (!response_status_fits(status))
        return response_bad_status(status);
    if (headers_len > HEADER_LIST_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "headers of more than 64 KiB");
    if (data_len > BODY_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "a body of more than 2 GiB");

    struct given list;
    struct body body;
    int32_t code = given_copy(&list, headers, headers_len);
    if (code != ZIG_H3_OK)
        return code;
    if (data_len > BODY_INLINE_MAX) /* there may be no room for it: more makes a bad list no better */
        code = header_check_only(list.bytes, headers_len);
    if (code == ZIG_H3_OK && (code = admit(&body, slot, word, request, data, data_len)) == ZIG_H3_OK) {
        do {
            code = response_send_copied(request, status, &list, headers_len, &body, flags);
        } while (code == SEND_AGAIN);
        if (code != ZIG_H3_OK)
            body_drop(&body);
    }
    given_drop(&list);
    return code;
}
VERSIONED(zig_h3_response_send);

int32_t zig_h3_flush(void)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    reactor_flush();
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_flush);

static int32_t write_response_part(zig_h3_handle request, const void *data, size_t len, size_t *taken)
{
    int32_t code;
    uint64_t word;
    struct slot *slot = response_find(request, handle_either_end(request), &word, SLOT_ENDED, &code);
    if (slot == NULL)
        return code;
    struct writing writing;
    writing.len = len;
    writing.discard = (word & SLOT_HEAD) != 0;
    code = writer_copy(&writing, slot, data);
    if (code != ZIG_H3_OK)
        return code;
    slot = response_lock(request, handle_either_end(request), &word, SLOT_ENDED, &code);
    if (slot == NULL) {
        body_drop(&writing.body);
        return code;
    }
    writing.start = !(word & SLOT_GONE);
    if (writing.start) {
        const struct response *response = response_headers_built(slot);
        writing.status = response->status;
        writing.meta = response->headers;
        writing.meta_len = response->len;
    }
    code = writer_write(slot, request, &writing, taken);
    if (writing.start && writing.sent)
        response_headers_done(slot);
    handle_unlock(slot, writing.sent ? SLOT_GONE : 0);
    return code;
}

int32_t zig_h3_response_write(zig_h3_handle request, const void *data, size_t len, size_t *taken)
{
    return writer_call(write_response_part, request, data, len, taken);
}
VERSIONED(zig_h3_response_write);
ALSO(zig_h3_response_write, zig_h3_request_write);

/* Puts headers that were built into a record, and returns their length. */
static uint32_t put_headers(zig_h3_record *record, const struct response *response)
{
    record->status = response->status;
    memcpy(submission_payload(record), response->headers, response->len);
    return response->len;
}

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
    struct slot *slot = response_find(request, handle_either_end(request), &word, SLOT_ENDED, &code);
    if (slot == NULL)
        return code;
    struct body body; /* copied before the slot is locked: whoever waits for that does not wait for two gibibytes */
    code = admit(&body, slot, word, request, data, (word & (SLOT_HEAD | SLOT_GONE)) == (SLOT_HEAD | SLOT_GONE) ? 0 : len);
    if (code != ZIG_H3_OK)
        return code;
    slot = response_lock(request, handle_either_end(request), &word, SLOT_ENDED, &code);
    if (slot == NULL) {
        body_drop(&body);
        return code;
    }
    const bool whole = !(word & SLOT_GONE); /* headers, body and end at once: the engine then knows the length */
    const struct response *response = response_headers_built(slot);
    struct submission at;
    zig_h3_record *record = submission_claim(&at, (whole ? response_headers_room(response) : 0) + body_inline(&body));
    if (record == NULL) {
        handle_unlock(slot, 0);
        body_drop(&body);
        return refuse(request, REFUSAL_RING);
    }
    record->type = whole ? SUBMIT_SEND : SUBMIT_END;
    record->flags = 0;
    record->object = request;
    record->aux = 0;
    body_fill(&body, record, whole ? put_headers(record, response) : 0);
    if (whole)
        response_headers_done(slot);
    body_charge(&body, slot);
    submission_publish(&at, false);
    handle_unlock(slot, SLOT_GONE | SLOT_ENDED);
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_response_end);
ALSO(zig_h3_response_end, zig_h3_request_end);

static int32_t send_trailers(zig_h3_handle request, const struct given *list, size_t len)
{
    uint64_t word, set = 0;
    int32_t code = ZIG_H3_OK;
    struct slot *slot = response_lock(request, handle_either_end(request), &word, SLOT_ENDED, &code);
    if (slot == NULL)
        return code;
    struct submission at;
    const bool start = !(word & SLOT_GONE);
    const struct response *response = response_headers_built(slot);
    const size_t headers = start ? response_headers_room(response) : 0;
    zig_h3_record *record = submission_claim(&at, headers + len);
    if (record == NULL) {
        code = refuse_list(request, list, len);
    } else {
        int64_t n = len == 0 ? 0 : header_check_list(list->bytes, len, submission_payload(record) + headers);
        if (n < 0) {
            submission_abandon(&at);
            code = (int32_t)n;
        } else {
            record->type = SUBMIT_TRAILERS;
            record->flags = start ? SUBMIT_START : 0;
            record->object = request;
            record->aux = 0;
            record->meta_len = start ? put_headers(record, response) : 0;
            record->data_len = word & SLOT_HEAD ? 0 : (uint32_t)n;
            if (start)
                response_headers_done(slot);
            submission_publish(&at, false);
            set = SLOT_GONE | SLOT_ENDED;
        }
    }
    handle_unlock(slot, set);
    return code;
}

int32_t zig_h3_response_send_trailers(zig_h3_handle request, const void *trailers, size_t trailers_len)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (trailers == NULL && trailers_len > 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer with a length");
    if (trailers_len > HEADER_LIST_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "trailers of more than 64 KiB");
    uint64_t word;
    if (response_find(request, handle_either_end(request), &word, SLOT_ENDED, &code) == NULL)
        return code;
    struct given list;
    code = given_copy(&list, trailers, trailers_len);
    if (code == ZIG_H3_OK)
        code = send_trailers(request, &list, trailers_len);
    given_drop(&list);
    return code;
}
VERSIONED(zig_h3_response_send_trailers);
ALSO(zig_h3_response_send_trailers, zig_h3_request_send_trailers);

int32_t zig_h3_response_reset(zig_h3_handle request, uint64_t error_code)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (error_code >> 62)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "an error code beyond 2^62");
    uint64_t word;
    struct slot *slot = handle_lock(request, handle_either_end(request), &word);
    if (slot == NULL)
        return handle_error(request, handle_either_end(request));
    if (!(word & SLOT_RESET)) {
        atomic_store_explicit(&slot->codes, error_code, memory_order_relaxed);
        insist(slot, request, SUBMIT_RESET, error_code, ATTENTION_RESET);
    }
    handle_unlock(slot, SLOT_ENDED | SLOT_RESET);
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_response_reset);
ALSO(zig_h3_response_reset, zig_h3_request_reset);
