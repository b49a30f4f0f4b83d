/* Many datagrams in one call, and in one record of the ring as far as they fit. */
#include <string.h>

#include "datagram.h"
#include "error.h"
#include "given.h"
#include "state.h"
#include "submission.h"
#include "versioned.h"

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

static void let_go(struct held *held)
{
    if (held->slot != NULL)
        handle_unlock(held->slot, 0);
    held->slot = NULL;
}

/* Takes a place for a datagram, with its object locked. */
static int32_t take(struct held *held, const zig_h3_datagram *head)
{
    enum handle_kind kind = (enum handle_kind)(head->object >> HANDLE_KIND_SHIFT);
    if (head->reserved != 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "reserved is not 0");
    if (kind != KIND_CONN && kind != KIND_REQUEST)
        kind = KIND_SESSION;
    if (held->slot == NULL || held->object != head->object) {
        let_go(held);
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
        int32_t code = take(&held, &head);
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
    let_go(&held);
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
        h3_ring_wake(submission_ring);
    return code;
}
VERSIONED(zig_h3_send_datagrams);
