#include "given.h"

#include <stdlib.h>
#include <string.h>

#include "chunk.h"
#include "error.h"

int32_t given_copy_long(struct given *given, const void *data, size_t len)
{
    given->bytes = given->chunk = chunk_take(len);
    if (given->chunk == NULL)
        return error_set(ZIG_H3_ERR_NO_MEMORY, "no memory for a copy of what was given");
    memcpy(given->chunk, data, len);
    return ZIG_H3_OK;
}

void given_drop_long(struct given *given)
{
    chunk_give(given->chunk);
}

char *given_text(const char *text, size_t most, size_t *len)
{
    const volatile char *const from = text; /* each byte is read here, and never again */
    size_t room = 64, n = 0;
    char *copy = malloc(room);
    while (copy != NULL && text != NULL && n < most && (copy[n] = from[n]) != 0) {
        if (++n < room)
            continue;
        char *const larger = realloc(copy, room *= 2);
        if (larger == NULL)
            free(copy);
        copy = larger;
    }
    if (copy == NULL) {
        error_set(ZIG_H3_ERR_NO_MEMORY, "no memory for a copy of what was given");
        return NULL;
    }
    *len = n == most && text != NULL && from[n] != 0 ? most + 1 : n;
    copy[n] = 0;
    return copy;
}
