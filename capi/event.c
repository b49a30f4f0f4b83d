/* Taking events out of a queue: one by one, copied in numbers, or in place. */
#include <string.h>

#include "error.h"
#include "queue.h"
#include "versioned.h"

_Static_assert(offsetof(zig_h3_event, meta) == sizeof(zig_h3_record), "an event begins with the record's head");

int32_t zig_h3_next_event(zig_h3_handle handle, zig_h3_event *event)
{
    int32_t code;
    if (event == NULL)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "event is NULL");
    if (queue_is_empty(handle))
        return 0;
    struct queue *queue = queue_enter(handle, &code);
    if (queue == NULL)
        return code;
    if (queue->held)
        queue_release(queue);
    const zig_h3_record *record = h3_ring_peek(queue->ring);
    if (record != NULL) {
        queue_foresee(record);
        memcpy(event, record, sizeof *record);
        event->meta = (const uint8_t *)(record + 1);
        event->data = event->meta + ((record->meta_len + 7u) & ~7u);
        h3_ring_take(queue->ring, record);
        queue->held = 1;
        queue->spanned = 0;
        code = 1;
    } else {
        code = queue_nothing_now(queue);
    }
    queue_leave(queue);
    return code;
}
VERSIONED(zig_h3_next_event);

int32_t zig_h3_next_events(zig_h3_handle handle, void *buffer, size_t capacity, uint32_t max, size_t *needed)
{
    int32_t code;
    size_t used = 0;
    uint32_t count = 0;
    if (needed != NULL)
        *needed = 0;
    if (buffer == NULL || (uintptr_t)buffer % 8 != 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "buffer is NULL, or not 8-byte aligned");
    if (queue_is_empty(handle))
        return 0;
    if (max > INT32_MAX)
        max = INT32_MAX;
    struct queue *queue = queue_enter(handle, &code);
    if (queue == NULL)
        return code;
    if (queue->held)
        queue_release(queue);
    const zig_h3_record *record = NULL;
    while (count < max && (record = h3_ring_peek(queue->ring)) != NULL) {
        const size_t size = h3_ring_peeked(queue->ring), room = (size + 63) & ~(size_t)63;
        if (room > capacity - used) {
            if (count == 0)
                used = room;
            break;
        }
        queue_foresee(record);
        memcpy((uint8_t *)buffer + used, record, size);
        used += room;
        count++;
        h3_ring_take(queue->ring, record);
        queue->spanned = 0;
    }
    code = (int32_t)count;
    if (count > 0)
        queue_release(queue);
    else if (record != NULL)
        code = error_format(ZIG_H3_ERR_BUFFER_TOO_SMALL, "the next event takes %zu bytes, the buffer has %zu", used, capacity);
    else
        code = queue_nothing_now(queue);
    queue_leave(queue);
    if (needed != NULL)
        *needed = used;
    return code;
}
VERSIONED(zig_h3_next_events);

int32_t zig_h3_queue_peek(zig_h3_handle handle, uint32_t max, zig_h3_queue_span *span)
{
    int32_t code;
    if (span == NULL)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "span is NULL");
    *span = (zig_h3_queue_span){0};
    if (queue_is_empty(handle))
        return 0;
    struct queue *queue = queue_enter(handle, &code);
    if (queue == NULL)
        return code;
    if (queue->held)
        queue_release(queue);
    zig_h3_queue_span found;
    code = (int32_t)h3_ring_span(queue->ring, max > INT32_MAX ? INT32_MAX : max, &found.offset, &found.bytes);
    queue->spanned = code > 0;
    if (code == 0)
        code = queue_nothing_now(queue);
    queue_leave(queue);
    if (code > 0)
        *span = found;
    return code;
}
VERSIONED(zig_h3_queue_peek);

int32_t zig_h3_queue_advance(zig_h3_handle handle, uint64_t bytes)
{
    int32_t code;
    struct queue *queue = queue_enter(handle, &code);
    if (queue == NULL)
        return code;
    if (queue->held)
        queue_release(queue);
    if (bytes > 0 && !queue->spanned) /* what the span began with was taken by another call: these would be events that nobody has seen */
        code = error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "no span is there: an event was taken in another way since");
    else if (h3_ring_advance(queue->ring, bytes) != 0)
        code = error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "bytes ends inside a record, or beyond what is queued");
    else
        code = ZIG_H3_OK;
    queue_release(queue);
    queue_leave(queue);
    return code;
}
VERSIONED(zig_h3_queue_advance);
