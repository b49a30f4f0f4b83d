/* A whole response in one call. */
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

/* What send_copied() returns when something has happened to the request's slot since it looked. */
#define SEND_AGAIN 1

/* Sends what was copied. The record is claimed while the slot is locked by nobody, so that nothing waits behind it but what takes it from
 * here. */
static int32_t send_copied(zig_h3_handle request, uint32_t status, const struct given *list, size_t list_len, const struct body *body,
                           uint32_t flags)
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
        return refuse(request, REFUSAL_RING);
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
    code = body_admit(&body, slot, request, data, data_len);
    if (code == ZIG_H3_OK) {
        do {
            code = send_copied(request, status, &list, headers_len, &body, flags);
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
    submission_flush();
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_flush);
