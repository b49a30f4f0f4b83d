#include "reactor.h"

/* A burst of replies that the engine has not come to yet: some hundred bodies of the largest size that rides along, or twenty
 * thousand answers without one. */
#define REACTOR_RING_CAPACITY ((size_t)2 << 20)

h3_ring *reactor_ring;
_Atomic uint32_t reactor_bell;

/* Before Go's constructor, which starts the thread that will look for it. */
__attribute__((constructor(102))) static void open_ring(void)
{
    reactor_ring = h3_ring_new(REACTOR_RING_CAPACITY);
}

void reactor_call(void)
{
    atomic_store(&reactor_bell, 1);
    h3_ring_wake(reactor_ring);
}

void reactor_flush(void)
{
    if (reactor_ring != NULL && h3_ring_depth(reactor_ring) != 0)
        h3_ring_wake(reactor_ring);
}
