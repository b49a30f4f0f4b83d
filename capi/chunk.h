/* Memory for bodies that are too large to ride in the submission ring: filled by a host thread, given back by the engine. */
#ifndef CAPI_CHUNK_H
#define CAPI_CHUNK_H

#include <stddef.h>
#include <stdint.h>

/* Room for at least size bytes, or NULL. */
uint8_t *chunk_take(size_t size);

/* To be called once its bytes are in: whoever gives it back is on another thread, and the way there leads through Go's memory
 * operations, which neither the compiler nor ThreadSanitizer knows. */
void chunk_filled(uint8_t *chunk);

/* Gives back what chunk_take() gave. */
void chunk_give(uint8_t *chunk);

#endif
