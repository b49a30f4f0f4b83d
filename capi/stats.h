/* The names of counters: the engine gives them within milliseconds of the library's loading, and whoever asks earlier waits. */
#ifndef CAPI_STATS_H
#define CAPI_STATS_H

#include <pthread.h>
#include <stdint.h>

struct stats_names {
    pthread_mutex_t lock;
    pthread_cond_t given;
    const char *const *list;
    uint32_t count;
};

#define STATS_NAMES_NONE {.lock = PTHREAD_MUTEX_INITIALIZER, .given = PTHREAD_COND_INITIALIZER}

/* Sets them, once; they stay where they are. */
void stats_names_set(struct stats_names *names, const char *const *list, uint32_t count);

/* One of them; NULL behind the last one. */
const char *stats_names_at(struct stats_names *names, uint32_t index);

#endif
