/* The decision on a session: accepted or rejected, once. */
#include <string.h>

#include "body.h"
#include "error.h"
#include "handle.h"
#include "header_check.h"
#include "session.h"
#include "state.h"
#include "submission.h"
#include "versioned.h"

/* Locks a session that is not decided; NULL with *code set. */
static struct slot *lock_undecided(zig_h3_handle session, int32_t *code)
{
    uint64_t word;
    struct slot *slot = handle_lock(session, KIND_SESSION, &word);
    if (slot == NULL) {
        *code = handle_error(session, KIND_SESSION);
        return NULL;
    }
    if (word & SLOT_DECIDED) {
        handle_unlock(slot, 0);
        *code = session_not_open(word);
        return NULL;
    }
    return slot;
}

/* Puts the headers, checked, and the body into a claimed record and publishes it; without a good list of headers it is given up. */
static int32_t submit(struct submission *at, const void *headers, size_t headers_len, const struct body *body)
{
    int64_t n = headers_len == 0 ? 0 : header_check_list(headers, headers_len, submission_payload(at->record));
    if (n < 0) {
        submission_abandon(at);
        return (int32_t)n;
    }
    at->record->flags = 0;
    at->record->aux = 0;
    body_fill(body, at->record, (size_t)n);
    submission_publish(at, false);
    return ZIG_H3_OK;
}

static size_t headers_room(size_t headers_len)
{
    return (headers_len + 7) & ~(size_t)7;
}

int32_t zig_h3_wt_accept(zig_h3_handle session, const char *protocol, const void *headers, size_t headers_len)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (headers == NULL && headers_len > 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer with a length");
    if (headers_len > HEADER_LIST_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "headers of more than 64 KiB");
    struct slot *slot = lock_undecided(session, &code);
    if (slot == NULL)
        return code;
    /* What was offered came in a header, so that it fits a record inline. */
    const struct body name = {.data = protocol, .len = protocol == NULL ? 0 : strlen(protocol)};
    struct submission at;
    if (protocol != NULL && !session_offers(slot, protocol, name.len)) {
        code = error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a protocol that the peer did not offer");
    } else if (submission_claim(&at, headers_room(headers_len) + name.len) == NULL) {
        code = submission_full();
    } else {
        at.record->type = SUBMIT_ACCEPT;
        at.record->object = session;
        code = submit(&at, headers, headers_len, &name);
    }
    handle_unlock(slot, code == ZIG_H3_OK ? SLOT_DECIDED : 0);
    return code;
}
VERSIONED(zig_h3_wt_accept);

int32_t zig_h3_wt_reject(zig_h3_handle session, uint32_t status, const void *headers, size_t headers_len, const void *data,
                         size_t data_len)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if ((headers == NULL && headers_len > 0) || (data == NULL && data_len > 0))
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer with a length");
    if (status < 300 || status > 599)
        return error_format(ZIG_H3_ERR_BAD_HEADER, "status %u is not within 300 to 599", (unsigned)status);
    if (headers_len > HEADER_LIST_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "headers of more than 64 KiB");
    if (data_len > BODY_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "a body of more than 2 GiB");
    uint64_t word;
    struct slot *slot = handle_find(session, KIND_SESSION, &word);
    if (slot == NULL)
        return handle_error(session, KIND_SESSION);
    struct body body; /* copied before the slot is locked, as zig_h3_response_end() does */
    struct submission at;
    code = body_admit(&body, slot, data, data_len);
    if (code != ZIG_H3_OK)
        return code;
    slot = lock_undecided(session, &code);
    if (slot != NULL) {
        if (submission_claim(&at, headers_room(headers_len) + body_inline(&body)) == NULL) {
            code = submission_full();
        } else {
            at.record->type = SUBMIT_REJECT;
            at.record->object = session;
            at.record->status = status;
            code = submit(&at, headers, headers_len, &body);
            if (code == ZIG_H3_OK)
                body_charge(&body, slot);
        }
        handle_unlock(slot, code == ZIG_H3_OK ? SLOT_DECIDED | SLOT_ENDED : 0);
    }
    if (code != ZIG_H3_OK)
        body_drop(&body);
    return code;
}
VERSIONED(zig_h3_wt_reject);
