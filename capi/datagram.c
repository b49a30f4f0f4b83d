#include "datagram.h"

#include <string.h>

#include "error.h"
#include "given.h"
#include "state.h"
#include "submission.h"
#include "versioned.h"

/* Why an object does not send datagrams in the state that it is in, or 0. */
static int32_t datagram_state(uint64_t word, enum handle_kind kind)
{
    if (kind == KIND_SESSION && (word & (SLOT_OPEN | SLOT_ENDED)) != SLOT_OPEN)
        return error_set(ZIG_H3_ERR_WRONG_STATE, word & SLOT_ENDED ? "the session was closed" : "the session is not open yet");
    if (kind == KIND_REQUEST && (word & SLOT_ENDED))
        return error_set(ZIG_H3_ERR_ENDED, "the response has ended, and datagrams with it");
    return ZIG_H3_OK;
}

/* Has the engine count it, where the ring has room: the caller knows anyway. */
static void count_oversized(zig_h3_handle object)
{
    struct submission at;
    zig_h3_record *record = submission_claim(&at, 0);
    if (record == NULL)
        return;
    record->type = SUBMIT_OVERSIZED;
    record->flags = 0;
    record->object = object;
    record->meta_len = 0;
    record->data_len = 0;
    submission_publish(&at, false);
}

int32_t datagram_place(struct slot *slot, uint64_t word, zig_h3_handle object, enum handle_kind kind, size_t len)
{
    int32_t code = datagram_state(word, kind);
    if (code != ZIG_H3_OK)
        return code;
    const uint32_t now = atomic_load_explicit(&slot->datagrams, memory_order_relaxed);
    const uint32_t limit = now >> 16;
    if (limit == 0)
        return error_set(ZIG_H3_ERR_NOT_NEGOTIATED, "datagrams were not negotiated, or the route does not take them");
    if (len > limit) {
        count_oversized(object);
        return error_format(ZIG_H3_ERR_DATAGRAM_TOO_LARGE, "a datagram of %zu bytes, the limit is %u", len, (unsigned)limit);
    }
    if ((now & 0xffff) == 0)
        return error_set(ZIG_H3_ERR_QUEUE_FULL, "the queue of outgoing datagrams is full");
    /* The engine may add meanwhile, only host threads take away, and those are locked out. */
    atomic_fetch_sub_explicit(&slot->datagrams, 1, memory_order_relaxed);
    return ZIG_H3_OK;
}

int32_t datagram_full(void)
{
    return error_set(ZIG_H3_ERR_QUEUE_FULL, "no room in the submission ring");
}

static int32_t send_copied(zig_h3_handle object, enum handle_kind kind, const struct given *payload, size_t len, uint32_t max_age_ms)
{
    uint64_t word;
    struct slot *slot = handle_lock(object, kind, &word);
    if (slot == NULL)
        return handle_error(object, kind);
    int32_t code = datagram_place(slot, word, object, kind, len);
    if (code == ZIG_H3_OK) {
        struct submission at;
        zig_h3_record *record = submission_claim(&at, len);
        if (record == NULL) {
            datagram_unplace(slot);
            code = datagram_full();
        } else {
            record->type = SUBMIT_DATAGRAM;
            record->flags = 0;
            record->object = object;
            record->status = max_age_ms;
            record->meta_len = 0;
            record->data_len = (uint32_t)len;
            record->aux = 0;
            if (len > 0)
                memcpy(submission_payload(record), payload->bytes, len);
            submission_publish(&at, true);
        }
    }
    handle_unlock(slot, 0);
    return code;
}

static int32_t datagram_send(zig_h3_handle object, enum handle_kind kind, const void *data, size_t len, uint32_t max_age_ms,
                             uint32_t flags)
{
    if (state_now() != 0)
        return state_check();
    if (flags & ~(uint32_t)ZIG_H3_SEND_LATER)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "unknown flags");
    if (data == NULL && len > 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer with a length");
    uint64_t word;
    if (handle_find(object, kind, &word) == NULL)
        return handle_error(object, kind);
    struct given payload;
    int32_t code = given_copy(&payload, data, len > DATAGRAM_MAX ? 0 : len); /* one that is larger is refused for that */
    if (code == ZIG_H3_OK)
        code = send_copied(object, kind, &payload, len, max_age_ms);
    given_drop(&payload);
    if (code == ZIG_H3_OK && !(flags & ZIG_H3_SEND_LATER))
        h3_ring_wake(submission_ring);
    return code;
}

int32_t zig_h3_server_send_quic_datagram(zig_h3_handle conn, const void *data, size_t len, uint32_t max_age_ms, uint32_t flags)
{
    return datagram_send(conn, KIND_CONN, data, len, max_age_ms, flags);
}
VERSIONED(zig_h3_server_send_quic_datagram);
ALSO(zig_h3_server_send_quic_datagram, zig_h3_conn_send_datagram);

int32_t zig_h3_response_send_h3_datagram(zig_h3_handle request, const void *data, size_t len, uint32_t max_age_ms, uint32_t flags)
{
    return datagram_send(request, KIND_REQUEST, data, len, max_age_ms, flags);
}
VERSIONED(zig_h3_response_send_h3_datagram);
ALSO(zig_h3_response_send_h3_datagram, zig_h3_request_send_datagram);

int32_t zig_h3_wt_send_datagram(zig_h3_handle session, const void *data, size_t len, uint32_t max_age_ms, uint32_t flags)
{
    return datagram_send(session, KIND_SESSION, data, len, max_age_ms, flags);
}
VERSIONED(zig_h3_wt_send_datagram);
