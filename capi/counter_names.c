#include "counter_names.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "cancel.h"
#include "state.h"

void counter_names_set(struct counter_names *names, const char *const *list, uint32_t count)
{
    pthread_mutex_lock(&names->lock);
    names->list = list;
    names->count = count;
    pthread_cond_broadcast(&names->given);
    pthread_mutex_unlock(&names->lock);
}

const char *counter_names_at(struct counter_names *names, uint32_t index)
{
    if (state_now() == ZIG_H3_ERR_FORKED)
        return NULL;
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 10;
    const int held = cancel_hold();
    pthread_mutex_lock(&names->lock);
    while (names->count == 0 && pthread_cond_timedwait(&names->given, &names->lock, &deadline) != ETIMEDOUT) {
    }
    const char *name = index < names->count ? names->list[index] : NULL;
    pthread_mutex_unlock(&names->lock);
    cancel_allow(held);
    return name;
}

int32_t counters_give(const struct counter_names *names, const uint64_t *from, uint64_t *values, size_t count)
{
    if (count > names->count)
        count = names->count;
    if (count > 0)
        memcpy(values, from, count * sizeof *values);
    return (int32_t)names->count;
}
