/*
 * Cancellation (pthread_cancel): a thread that ended inside a call would take locks, claims and wake-ups with it. So what is a cancellation
 * point in the C library is called between these two, and no public call is one, but for zig_h3_queue_wait(), which cleans up.
 */
#ifndef CAPI_CANCEL_H
#define CAPI_CANCEL_H

#include <pthread.h>

/* Lets nobody cancel the calling thread until cancel_allow(). Safe in a signal handler. */
static inline int cancel_hold(void)
{
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

static inline void cancel_allow(int before)
{
    pthread_setcancelstate(before, &before);
}

#endif
