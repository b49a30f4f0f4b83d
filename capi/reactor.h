/* The reactor as the host's threads see it (reactor.go): the ring that it reads, and the bell that makes it look beside that. */
#ifndef CAPI_REACTOR_H
#define CAPI_REACTOR_H

#include <stdatomic.h>
#include <stdint.h>

#include "ring.h"

/* The submission ring. NULL when the library found no memory for it when it was loaded. */
extern h3_ring *reactor_ring;

/* Not 0: the reactor shall look at the attention stack, at refused calls and at the queues' pump words. */
extern _Atomic uint32_t reactor_bell;

/* Makes the reactor look beside the ring. */
void reactor_call(void);

/* Wakes it if it sleeps although there is something for it. */
void reactor_flush(void);

#endif
