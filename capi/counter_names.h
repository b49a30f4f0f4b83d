/* The names of counters: the engine gives them within milliseconds of the library's loading, and whoever asks earlier waits. */
#ifndef CAPI_COUNTER_NAMES_H
#define CAPI_COUNTER_NAMES_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct counter_names {
    pthread_mutex_t lock;
    pthread_cond_t given;
    const char *const *list;
    uint32_t count;
};

#define COUNTER_NAMES_NONE {.lock = PTHREAD_MUTEX_INITIALIZER, .given = PTHREAD_COND_INITIALIZER}

/* Sets them, once; they stay where they are. */
void counter_names_set(struct counter_names *names, const char *const *list, uint32_t count);

/* One of them; NULL behind the last one. */
const char *counter_names_at(struct counter_names *names, uint32_t index);

/* Copies values of all counters to those of a caller, who has room for count. Gives how many there are. The names were set before. */
int32_t counters_give(const struct counter_names *names, const uint64_t *from, uint64_t *values, size_t count);

#endif
