/* Writing by credit: what the body of a response and a stream have in common. */
#ifndef CAPI_WRITER_H
#define CAPI_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../include/zig_h3.h"
#include "handle.h"

struct write {
    const uint8_t *data;
    size_t len;
    bool start;   /* of a response: its headers are still here, and go first */
    bool discard; /* of a response to HEAD: everything is taken and nothing sent */
};

/* Sends what fits below the high-water mark. *taken gets how many bytes, and when that is fewer a WRITABLE event will come. The slot
 * is locked; *set gets what its word gains. */
int32_t writer_write(struct slot *slot, zig_h3_handle handle, const struct write *write, size_t *taken, uint64_t *set);

#endif
