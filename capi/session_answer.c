/* The decision on a session: accepted or rejected, once. */
#include <stdlib.h>

#include "body.h"
#include "error.h"
#include "given.h"
#include "handle.h"
#include "header_check.h"
#include "refusal.h"
#include "session.h"
#include "state.h"
#include "submission.h"
#include "versioned.h"

/* The slot of a session that is not decided, not locked; NULL with *code set. For what comes before the lock. */
static struct slot *find_undecided(zig_h3_handle session, int32_t *code)
{
    uint64_t word;
    struct slot *slot = handle_find(session, KIND_SESSION, &word);
    if (slot == NULL)
        *code = handle_error(session, KIND_SESSION);
    else if (word & SLOT_DECIDED)
        *code = session_not_open(word);
    else
        return slot;
    return NULL;
}

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
static int32_t submit_answer(struct submission *at, const struct given *headers, size_t headers_len, const struct body *body)
{
    int64_t n = headers_len == 0 ? 0 : header_check_list(headers->bytes, headers_len, submission_payload(at->record));
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

/* Beyond what a peer can have offered: protocols have 16 bits for their length. */
#define PROTOCOL_MAX ((size_t)1 << 16)

/* name: NULL for none. */
static int32_t accept_copied(zig_h3_handle session, const char *name, size_t name_len, const struct given *headers, size_t headers_len)
{
    int32_t code;
    struct slot *slot = lock_undecided(session, &code);
    if (slot == NULL)
        return code;
    struct submission at;
    struct body protocol; /* what was offered came in a header, so that it fits a record */
    body_of(&protocol, (const uint8_t *)name, name_len);
    if (name != NULL && !session_offers(slot, name, name_len)) {
        code = error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a protocol that the peer did not offer");
    } else if (submission_claim(&at, headers_room(headers_len) + name_len) == NULL) {
        code = refuse_list(session, headers, headers_len);
    } else {
        at.record->type = SUBMIT_ACCEPT;
        at.record->object = session;
        code = submit_answer(&at, headers, headers_len, &protocol);
    }
    handle_unlock(slot, code == ZIG_H3_OK ? SLOT_DECIDED : 0);
    return code;
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
    if (find_undecided(session, &code) == NULL)
        return code;
    struct given list;
    size_t name_len = 0;
    char *name = NULL;
    if (protocol != NULL && (name = given_text(protocol, PROTOCOL_MAX, &name_len)) == NULL)
        return ZIG_H3_ERR_NO_MEMORY;
    if ((code = given_copy(&list, headers, headers_len)) == ZIG_H3_OK)
        code = accept_copied(session, name, name_len, &list, headers_len);
    given_drop(&list);
    free(name);
    return code;
}
VERSIONED(zig_h3_wt_accept);

static int32_t reject_copied(zig_h3_handle session, uint32_t status, const struct given *headers, size_t headers_len,
                             const struct body *body)
{
    int32_t code;
    struct slot *slot = lock_undecided(session, &code);
    if (slot == NULL)
        return code;
    struct submission at;
    if (submission_claim(&at, headers_room(headers_len) + body_inline(body)) == NULL) {
        code = refuse_list(session, headers, headers_len);
    } else {
        at.record->type = SUBMIT_REJECT;
        at.record->object = session;
        at.record->status = status;
        code = submit_answer(&at, headers, headers_len, body);
        if (code == ZIG_H3_OK)
            body_charge(body, slot);
    }
    handle_unlock(slot, code == ZIG_H3_OK ? SLOT_DECIDED | SLOT_ENDED : 0);
    return code;
}

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
    struct slot *slot = find_undecided(session, &code);
    if (slot == NULL)
        return code;
    struct given list;
    struct body body;
    if ((code = given_copy(&list, headers, headers_len)) != ZIG_H3_OK)
        return code;
    if ((code = header_check_only(list.bytes, headers_len)) == ZIG_H3_OK &&
        (code = body_admit(&body, slot, session, data, data_len)) == ZIG_H3_OK) {
        code = reject_copied(session, status, &list, headers_len, &body);
        if (code != ZIG_H3_OK)
            body_drop(&body);
    }
    given_drop(&list);
    return code;
}
VERSIONED(zig_h3_wt_reject);
