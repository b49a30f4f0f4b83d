/* The queue of a consumer that can no longer free it itself: a runtime's collector does. */
#include "error.h"
#include "versioned.h"

void zig_h3_queue_collected(void *bytes, void *queue)
{
    (void)bytes;
    /* A collector calls this between any two calls of the thread that it runs on: the words of the last failure are not ours. */
    const char *words = zig_h3_last_error();
    error_set(zig_h3_queue_free((zig_h3_handle)(uintptr_t)queue), words);
}
VERSIONED(zig_h3_queue_collected);
