/* Memory of ours for the host's buffers: a collector that moves or frees its own arrays would leave a remembered pointer dangling. */
#include <stdlib.h>

#include "error.h"
#include "versioned.h"

void *zig_h3_alloc(size_t size)
{
    void *memory = calloc(1, size == 0 ? 1 : size);
    if (memory == NULL)
        error_set(ZIG_H3_ERR_NO_MEMORY, "the system gave no memory");
    return memory;
}
VERSIONED(zig_h3_alloc);

void zig_h3_free(void *memory)
{
    free(memory);
}
VERSIONED(zig_h3_free);
