/* The end of a session, and the wish for one. */
#include <string.h>

#include "error.h"
#include "handle.h"
#include "refusal.h"
#include "session.h"
#include "state.h"
#include "submission.h"
#include "utf8.h"
#include "versioned.h"

/* What a CLOSE_WEBTRANSPORT_SESSION capsule may carry. */
#define REASON_MAX 1024

int32_t zig_h3_wt_close(zig_h3_handle session, uint32_t error_code, const char *reason, size_t reason_len)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (reason == NULL && reason_len > 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer with a length");
    if (reason_len > REASON_MAX)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a reason of more than 1024 bytes");
    uint8_t copy[REASON_MAX]; /* read once: what is checked is what is sent */
    if (reason_len > 0)
        memcpy(copy, reason, reason_len);
    if (!utf8_valid(copy, reason_len))
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a reason that is not UTF-8");
    uint64_t word, set = 0;
    struct slot *slot = handle_lock(session, KIND_SESSION, &word);
    if (slot == NULL)
        return handle_error(session, KIND_SESSION);
    if (!(word & SLOT_ENDED)) {
        struct submission at;
        zig_h3_record *record = submission_claim(&at, reason_len);
        if (record == NULL) {
            code = refuse(session, REFUSAL_RING);
        } else {
            *record = (zig_h3_record){.type = SUBMIT_CLOSE, .object = session, .status = error_code, .data_len = (uint32_t)reason_len};
            if (reason_len > 0)
                memcpy(submission_payload(record), copy, reason_len);
            submission_publish(&at, false);
            set = SLOT_DECIDED | SLOT_ENDED;
        }
    }
    handle_unlock(slot, set);
    return code;
}
VERSIONED(zig_h3_wt_close);

int32_t zig_h3_wt_drain(zig_h3_handle session)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    uint64_t word;
    struct slot *slot = handle_lock(session, KIND_SESSION, &word);
    if (slot == NULL)
        return handle_error(session, KIND_SESSION);
    if ((word & (SLOT_OPEN | SLOT_ENDED)) != SLOT_OPEN) {
        code = session_not_open(word);
    } else {
        code = submission_put(&(zig_h3_record){.type = SUBMIT_DRAIN, .object = session});
    }
    handle_unlock(slot, 0);
    return code;
}
VERSIONED(zig_h3_wt_drain);
