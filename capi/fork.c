/*
 * A child made by fork() has the library's memory and none of its threads: whatever it posted would wait for ever, and whatever it
 * read would be somebody else's. So it is told so by every call.
 */
#include <pthread.h>

#include "error.h"
#include "state.h"

static void in_child(void)
{
    atomic_store(&library_state, ZIG_H3_ERR_FORKED);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, in_child);
}
