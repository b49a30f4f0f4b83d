/* The ends of a response: the last part of its body, trailers, a reset. */
#include "body.h"
#include "error.h"
#include "given.h"
#include "handle.h"
#include "header_check.h"
#include "refusal.h"
#include "response.h"
#include "state.h"
#include "submission.h"
#include "versioned.h"

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
    struct slot *slot = handle_find(request, KIND_REQUEST, &word);
    if (slot == NULL)
        return handle_error(request, KIND_REQUEST);
    if (word & SLOT_ENDED)
        return response_ended(word);
    struct body body; /* copied before the slot is locked: whoever waits for that does not wait for two gibibytes */
    code = body_admit(&body, slot, request, data, (word & (SLOT_HEAD | SLOT_GONE)) == (SLOT_HEAD | SLOT_GONE) ? 0 : len);
    if (code != ZIG_H3_OK)
        return code;
    slot = handle_lock(request, KIND_REQUEST, &word);
    if (slot == NULL || (word & SLOT_ENDED)) {
        body_drop(&body);
        if (slot == NULL)
            return handle_error(request, KIND_REQUEST);
        handle_unlock(slot, 0);
        return response_ended(word);
    }
    const bool whole = !(word & SLOT_GONE); /* headers, body and end at once: the engine then knows the length */
    struct submission at;
    zig_h3_record *record = submission_claim(&at, (whole ? response_headers_room(slot) : 0) + body_inline(&body));
    if (record == NULL) {
        handle_unlock(slot, 0);
        body_drop(&body);
        return refuse(request, REFUSAL_RING);
    }
    record->type = whole ? SUBMIT_SEND : SUBMIT_END;
    record->flags = 0;
    record->object = request;
    record->aux = 0;
    size_t meta_len = whole ? response_headers_fill(slot, record) : 0;
    body_fill(&body, record, meta_len);
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
    struct slot *slot = handle_lock(request, KIND_REQUEST, &word);
    if (slot == NULL)
        return handle_error(request, KIND_REQUEST);
    if (word & SLOT_ENDED) {
        handle_unlock(slot, 0);
        return response_ended(word);
    }
    struct submission at;
    const bool start = !(word & SLOT_GONE);
    const size_t headers = start ? response_headers_room(slot) : 0;
    zig_h3_record *record = submission_claim(&at, headers + len);
    if (record == NULL) {
        code = refuse(request, REFUSAL_RING);
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
            record->meta_len = start ? (uint32_t)response_headers_fill(slot, record) : 0;
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
    if (handle_find(request, KIND_REQUEST, &word) == NULL)
        return handle_error(request, KIND_REQUEST);
    if (word & SLOT_ENDED)
        return response_ended(word);
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
    struct slot *slot = handle_lock(request, KIND_REQUEST, &word);
    if (slot == NULL)
        return handle_error(request, KIND_REQUEST);
    if (!(word & SLOT_RESET)) {
        atomic_store_explicit(&slot->codes, error_code, memory_order_relaxed);
        handle_insist(slot, request, SUBMIT_RESET, error_code, ATTENTION_RESET);
    }
    handle_unlock(slot, SLOT_ENDED | SLOT_RESET);
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_response_reset);
ALSO(zig_h3_response_reset, zig_h3_request_reset);
