#include "given.h"

#include <string.h>

#include "chunk.h"
#include "error.h"

int32_t given_copy(struct given *given, const void *data, size_t len)
{
    given->bytes = given->room;
    given->chunk = NULL;
    if (len > sizeof given->room) {
        given->bytes = given->chunk = chunk_take(len);
        if (given->chunk == NULL)
            return error_set(ZIG_H3_ERR_NO_MEMORY, "no memory for a copy of what was given");
    }
    if (len > 0)
        memcpy(given->bytes, data, len);
    return ZIG_H3_OK;
}

void given_drop(struct given *given)
{
    if (given->chunk != NULL)
        chunk_give(given->chunk);
}
