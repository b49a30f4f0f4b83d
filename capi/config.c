#include "config.h"

#include <string.h>

#include "error.h"

/* No struct of ours will be larger: a size beyond is a host's that has left it unset, and there is nothing to be read there. */
#define SIZE_MOST 4096u

int32_t config_read(void *dst, uint32_t dst_size, const void *src, uint32_t least)
{
    const uint8_t *from = src;
    uint32_t size;
    memcpy(&size, from, sizeof size);
    if (size < least || size > SIZE_MOST)
        return error_format(ZIG_H3_ERR_INVALID_ARGUMENT, "config->size is %u instead of %u", (unsigned)size, (unsigned)dst_size);
    for (uint32_t at = dst_size; at < size; at++) {
        if (from[at] != 0)
            return error_format(ZIG_H3_ERR_INVALID_ARGUMENT,
                                "config->size is %u, and behind the %u bytes that this library knows not all is 0: it is too old for that",
                                (unsigned)size, (unsigned)dst_size);
    }
    const uint32_t known = size < dst_size ? size : dst_size;
    memcpy(dst, from, known);
    memset((uint8_t *)dst + known, 0, dst_size - known);
    memcpy(dst, &dst_size, sizeof dst_size);
    return ZIG_H3_OK;
}
