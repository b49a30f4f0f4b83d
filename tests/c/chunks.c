/* Memory for bodies: a burst is given back, but for what the cache may keep, and so is the next one, which is served from the cache. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "../../capi/chunk.h"
#include "check.h"
#include "memory.h"

enum { BURST = 64, SIZE = 1 << 20, PAGE = 4096, KEPT = 8 };

int main(void)
{
    static uint8_t *chunks[BURST];
    printf("chunks of %d bytes\n", SIZE); /* so that stdout has its buffer */
    const size_t start = memory_now().mapped;
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < BURST; i++) {
            chunks[i] = chunk_take(SIZE);
            HOLDS(chunks[i] != NULL);
            chunk_filled(chunks[i]);
        }
        SAME(memory_now().mapped - start, BURST * (SIZE + PAGE)); /* what was kept is used again */
        for (int i = 0; i < BURST / 2; i++)
            chunk_give(chunks[i]);
        SAME(memory_now().mapped - start, BURST * (SIZE + PAGE)); /* as much as is in use may lie idle */
        for (int i = BURST / 2; i < BURST; i++)
            chunk_give(chunks[i]);
        SAME(memory_now().mapped - start, KEPT * (SIZE + PAGE));
    }
    return done();
}
