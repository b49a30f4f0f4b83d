/* Writing by credit: what the body of a response and a stream have in common. */
#ifndef CAPI_WRITER_H
#define CAPI_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../include/zig_h3.h"
#include "body.h"
#include "handle.h"

struct writing {
    size_t len;
    bool discard; /* everything is taken and nothing sent: to a HEAD request */
    bool start;   /* what is in meta goes first, with the status; else neither is looked at */
    bool sent;    /* by writer_write(): a record has gone, and meta with it */
    uint32_t status;
    uint32_t meta_len;
    const uint8_t *meta;
    struct body body; /* what there was room for when writer_copy() looked */
};

/* What writer_write() returns when there was no room when the bytes were to be copied and there is some now: begin again. */
#define WRITER_AGAIN 1

/* Copies what fits below the high-water mark now, with the slot not locked. 0, or a code with the words set. */
int32_t writer_copy(struct writing *writing, const struct slot *slot, const void *data);

/* Sends of that what still fits, or gives it up. *taken gets how many bytes, and when that is fewer a WRITABLE event will come. The slot
 * is locked. */
int32_t writer_write(struct slot *slot, zig_h3_handle handle, struct writing *writing, size_t *taken);

/* Writes data by a function that copies and writes a part of it once; what zig_h3_response_write() and zig_h3_wt_stream_write() are. */
int32_t writer_call(int32_t (*write)(zig_h3_handle handle, const void *data, size_t len, size_t *taken), zig_h3_handle handle,
                    const void *data, size_t len, size_t *taken);

#endif
