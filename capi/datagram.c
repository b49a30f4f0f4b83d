/* Datagrams on their way out, of whatever sends them: one in a call, or many, which share records of the ring as far as they fit. */
#include <string.h>

#include "error.h"
#include "given.h"
#include "handle.h"
#include "state.h"
#include "submission.h"
#include "versioned.h"

/* No datagram is larger: limits have 16 bits in a slot. */
#define DATAGRAM_MAX 65535u

/* Why an object does not send datagrams in the state that it is in, or 0. */
static int32_t datagram_state(uint64_t word, enum handle_kind kind)
{
    if (kind == KIND_SESSION && (word & (SLOT_OPEN | SLOT_ENDED)) != SLOT_OPEN)
        return error_set(ZIG_H3_ERR_WRONG_STATE, word & SLOT_ENDED ? "the session was closed" : "the session is not open yet");
    if (kind == KIND_FETCH && (word & SLOT_RESET))
        return error_set(ZIG_H3_ERR_ENDED, "the fetch was cancelled");
    if (kind == KIND_FETCH && !(word & SLOT_OPEN))
        return error_set(ZIG_H3_ERR_WRONG_STATE, "the fetch is not on a connection yet");
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

/* Takes a place for a datagram of len bytes from the queue of the object, whose slot is locked, or says why not. */
static int32_t datagram_place(struct slot *slot, uint64_t word, zig_h3_handle object, enum handle_kind kind, size_t len)
{
    int32_t code = datagram_state(word, kind);
    if (code != ZIG_H3_OK)
        return code;
    const uint32_t now = atomic_load_explicit(&slot->datagrams, memory_order_relaxed);
    const uint32_t limit = now >> 16;
    if (limit == 0)
        return error_set(ZIG_H3_ERR_NOT_NEGOTIATED, "datagrams were not negotiated, or the route or the fetch does not take them");
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

/* Gives it back, unused. */
static void datagram_unplace(struct slot *slot)
{
    atomic_fetch_add_explicit(&slot->datagrams, 1, memory_order_relaxed);
}

/* What a datagram gets that found no room in the submission ring. */
static int32_t datagram_full(void)
{
    return error_set(ZIG_H3_ERR_QUEUE_FULL, "no room in the submission ring");
}

static int32_t datagram_send_copied(zig_h3_handle object, enum handle_kind kind, const struct given *payload, size_t len,
                                    uint32_t max_age_ms)
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
        code = datagram_send_copied(object, kind, &payload, len, max_age_ms);
    given_drop(&payload);
    if (code == ZIG_H3_OK && !(flags & ZIG_H3_SEND_LATER))
        h3_ring_wake(reactor_ring);
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
    return datagram_send(request, handle_either_end(request), data, len, max_age_ms, flags);
}
VERSIONED(zig_h3_response_send_h3_datagram);
ALSO(zig_h3_response_send_h3_datagram, zig_h3_request_send_datagram);

int32_t zig_h3_wt_send_datagram(zig_h3_handle session, const void *data, size_t len, uint32_t max_age_ms, uint32_t flags)
{
    return datagram_send(session, KIND_SESSION, data, len, max_age_ms, flags);
}
VERSIONED(zig_h3_wt_send_datagram);

/* ---------------------------------------------------------------------------------------------------------- many in one call */

/* Most payload of one record: it is claimed before it is known which datagrams are taken, and others wait behind it. */
#define RECORD_MAX ((size_t)32 << 10)

/* Where the datagram stands whose head was read at an offset, and where the next one. */
static size_t behind(size_t at, uint32_t len, size_t list_len)
{
    size_t next = at + sizeof(zig_h3_datagram) + (((size_t)len + 7) & ~(size_t)7);
    return next < list_len ? next : list_len;
}

/* Reads the head at an offset; false when it, or its bytes, end beyond the list. */
static bool head_at(const uint8_t *list, size_t list_len, size_t at, zig_h3_datagram *head)
{
    if (at >= list_len || list_len - at < sizeof *head)
        return false;
    memcpy(head, list + at, sizeof *head);
    return head->len <= list_len - at - sizeof *head;
}

static bool well_formed(const uint8_t *list, size_t list_len)
{
    zig_h3_datagram head;
    for (size_t at = 0; at < list_len; at = behind(at, head.len, list_len)) {
        if (!head_at(list, list_len, at, &head))
            return false;
    }
    return true;
}

/* What one datagram takes of a record. */
static size_t packed_size(const zig_h3_datagram *head)
{
    return sizeof *head + (((size_t)head->len + 7) & ~(size_t)7);
}

/* The end of what goes into one record, and the room that it wants there. */
static size_t portion(const uint8_t *list, size_t list_len, size_t from, size_t *room)
{
    zig_h3_datagram head;
    size_t at = from;
    *room = 0;
    while (head_at(list, list_len, at, &head)) {
        if (head.len <= DATAGRAM_MAX) {
            size_t n = packed_size(&head);
            if (*room > 0 && *room + n > RECORD_MAX)
                break;
            *room += n;
        }
        at = behind(at, head.len, list_len);
    }
    return at;
}

/* The slot that was locked last: datagrams of one object often follow one another. */
struct held {
    struct slot *slot;
    zig_h3_handle object;
    uint64_t word;
};

static void held_unlock(struct held *held)
{
    if (held->slot != NULL)
        handle_unlock(held->slot, 0);
    held->slot = NULL;
}

/* Takes a place for a datagram, with its object locked. */
static int32_t held_place(struct held *held, const zig_h3_datagram *head)
{
    enum handle_kind kind;
    if (head->reserved != 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "reserved is not 0");
    switch (head->object >> HANDLE_KIND_SHIFT) {
    case KIND_CONN: kind = KIND_CONN; break;
    case KIND_REQUEST: kind = KIND_REQUEST; break;
    case KIND_FETCH: kind = KIND_FETCH; break;
    case KIND_SESSION: kind = KIND_SESSION; break;
    default: return handle_error(head->object, 0); /* none that sends datagrams, or no handle */
    }
    if (held->slot == NULL || held->object != head->object) {
        held_unlock(held);
        held->slot = handle_lock(head->object, kind, &held->word);
        held->object = head->object;
        if (held->slot == NULL)
            return handle_error(head->object, kind);
    }
    return datagram_place(held->slot, held->word, head->object, kind, head->len);
}

/* Sends what stands between two offsets by one record; NULL: the ring has no room. Returns how many were queued; *from gets where it has
 * stopped. */
static int32_t send_portion(uint8_t *list, size_t list_len, size_t *from, size_t to, struct submission *at)
{
    int32_t count = 0;
    size_t used = 0, here = *from;
    struct held held = {0};
    zig_h3_datagram head;
    while (here < to && head_at(list, list_len, here, &head)) {
        int32_t code = held_place(&held, &head);
        if (code == ZIG_H3_OK && (at->record == NULL || packed_size(&head) > at->payload - used)) {
            datagram_unplace(held.slot);
            code = datagram_full();
        }
        if (code == ZIG_H3_OK) {
            uint8_t *out = submission_payload(at->record) + used;
            memcpy(out, &head, sizeof head);
            memcpy(out + sizeof head, list + here + sizeof head, head.len);
            used += packed_size(&head);
            count++;
        }
        memcpy(list + here + offsetof(zig_h3_datagram, result), &code, sizeof code);
        here = behind(here, head.len, list_len);
    }
    if (count > 0) {
        at->record->type = SUBMIT_DATAGRAMS;
        at->record->flags = 0;
        at->record->object = 0;
        at->record->meta_len = 0;
        at->record->data_len = (uint32_t)used;
        at->record->aux = 0;
        submission_publish(at, true);
    } else if (at->record != NULL) {
        submission_abandon(at);
    }
    held_unlock(&held);
    *from = here;
    return count;
}

/* Sends a list, and writes what became of each datagram into its head. Returns how many were queued. */
static int32_t send_all(uint8_t *list, size_t list_len)
{
    int32_t count = 0;
    zig_h3_datagram head;
    for (size_t from = 0; head_at(list, list_len, from, &head);) {
        struct submission at = {0};
        size_t room;
        size_t to = portion(list, list_len, from, &room);
        if (room > 0)
            submission_claim(&at, room);
        count += send_portion(list, list_len, &from, to, &at);
    }
    return count;
}

/* Hands the results out, where the copy says that the heads stand. */
static void tell_results(uint8_t *list, const uint8_t *copy, size_t list_len)
{
    zig_h3_datagram head;
    for (size_t at = 0; head_at(copy, list_len, at, &head); at = behind(at, head.len, list_len))
        memcpy(list + at + offsetof(zig_h3_datagram, result), &head.result, sizeof head.result);
}

int32_t zig_h3_send_datagrams(void *list, size_t list_len, uint32_t flags)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (flags & ~(uint32_t)ZIG_H3_SEND_LATER)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "unknown flags");
    if (list == NULL && list_len > 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer with a length");
    struct given copy;
    if ((code = given_copy(&copy, list, list_len)) != ZIG_H3_OK)
        return code;
    if (well_formed(copy.bytes, list_len)) {
        code = send_all(copy.bytes, list_len);
        tell_results(list, copy.bytes, list_len);
    } else {
        code = error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a list that ends inside a datagram");
    }
    given_drop(&copy);
    if (code > 0 && !(flags & ZIG_H3_SEND_LATER))
        h3_ring_wake(reactor_ring);
    return code;
}
VERSIONED(zig_h3_send_datagrams);
