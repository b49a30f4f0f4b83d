/* The streams of a session: the state of each stands in the word of its handle's slot. A side that a stream does not have counts as
 * ended from the start. */
#ifndef CAPI_STREAM_H
#define CAPI_STREAM_H

#include <stdint.h>

#include "../include/zig_h3.h"
#include "handle.h"

/* The slot of a stream, not locked, as long as its word has none of these bits; NULL with *code set. For what comes before the lock. */
struct slot *stream_find(zig_h3_handle stream, uint64_t none_of, int32_t *code);

/* The slot of a stream, locked, as long as its word has none of these bits; NULL with *code set. */
struct slot *stream_lock(zig_h3_handle stream, uint64_t *word, uint64_t none_of, int32_t *code);

#endif
