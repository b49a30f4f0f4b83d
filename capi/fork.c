/*
 * A child process has the library's memory and none of its threads: whatever it posted would wait for ever, and whatever it read would be
 * somebody else's. So it is told so by every call. fork() says so itself; after _Fork() and clone() the kernel has cleared the page of the
 * state. A child of vfork() has no memory of its own that could say it.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"
#include "state.h"

static void in_child(void)
{
    atomic_store(&library_state.now, ZIG_H3_ERR_FORKED);
}

/* Before Go's constructor, which starts the engine. Where pages are larger than the state's, or the kernel does not know the advice, that
 * of fork() alone is heard. */
__attribute__((constructor(101))) static void watch_forks(void)
{
    atomic_store(&library_state.now, STATE_FINE);
    pthread_atfork(NULL, NULL, in_child);
#ifdef MADV_WIPEONFORK
    if (sysconf(_SC_PAGESIZE) == (long)sizeof library_state)
        madvise(&library_state, sizeof library_state, MADV_WIPEONFORK);
#endif
}
