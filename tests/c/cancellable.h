/* The end of a thread that was cancelled: it never returns from the frames that it was in, and AddressSanitizer would still guard what was
 * around their variables when the thread's end uses the stack. */
#ifndef TESTS_C_CANCELLABLE_H
#define TESTS_C_CANCELLABLE_H

#include <pthread.h>
#include <stddef.h>

#ifdef __SANITIZE_ADDRESS__
void __asan_unpoison_memory_region(const volatile void *address, size_t size);
#endif

/* Most bytes of the frames below that of the thread's function. */
#define FRAMES_MAX ((size_t)256 << 10)

/* For pthread_cleanup_push() in the thread's function. */
static inline void frames_are_gone(void *unused)
{
    (void)unused;
#ifdef __SANITIZE_ADDRESS__
    const char *here = __builtin_frame_address(0);
    __asan_unpoison_memory_region(here - FRAMES_MAX, FRAMES_MAX);
#endif
}

#endif
