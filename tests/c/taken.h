/* Calls that are made again until they are taken, each when the WRITABLE of its object says so, and what comes meanwhile. */
#ifndef TESTS_C_TAKEN_H
#define TESTS_C_TAKEN_H

#include "expect.h"

static uint64_t refused, told;
static zig_h3_event kept[64]; /* what came while a WRITABLE was awaited; of its payload nothing is left */
static int first_kept, last_kept;

/* The next event but for those that are told of elsewhere. */
static inline zig_h3_event hear(void)
{
    zig_h3_event event = next();
    told += event.type == ZIG_H3_EVENT_WRITABLE && !(event.flags & ZIG_H3_FLAG_END);
    return event;
}

static inline void writable(zig_h3_handle object)
{
    refused++;
    for (;;) {
        zig_h3_event event = hear();
        if (event.type == ZIG_H3_EVENT_WRITABLE && event.object == object && !(event.flags & ZIG_H3_FLAG_END))
            return;
        if (!HOLDS(last_kept - first_kept < 64))
            return;
        kept[last_kept++ % 64] = event;
    }
}

/* Makes a call until it is taken. */
#define TAKEN(object, call)                                                                                                       \
    do {                                                                                                                          \
        int32_t taken_result;                                                                                                     \
        while ((taken_result = (call)) == ZIG_H3_ERR_WOULD_BLOCK)                                                                 \
            writable(object);                                                                                                     \
        same(taken_result, 0, __FILE__, __LINE__, #call);                                                                         \
    } while (0)

static inline zig_h3_event comes_at(uint16_t type, int line)
{
    zig_h3_event event;
    do {
        event = first_kept < last_kept ? kept[first_kept++ % 64] : hear();
    } while (event.type == ZIG_H3_EVENT_BODY_END || (event.type == ZIG_H3_EVENT_WRITABLE && type != ZIG_H3_EVENT_WRITABLE));
    if (!check(event.type == type, __FILE__, line, zig_h3_event_name(type)))
        printf("    %s, code %d, instead\n", zig_h3_event_name(event.type), (int)event.code);
    return event;
}

#define COMES(type) comes_at(type, __LINE__)

#endif
