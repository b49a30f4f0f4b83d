/*
 * The words of a failure, where threads end and where the process has no key for them left: nobody else's memory is written, and nothing
 * that was freed is read.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>

#include "check.h"

enum { OTHERS = 16 };

static pthread_key_t late_key;
static int late_calls;

/* Fails in a call that has words of its own. */
static void fail_with_words(void)
{
    zig_h3_handle server;
    zig_h3_server_config config = {.size = sizeof config, .options = "{\"nonsense\": 1}", .options_len = 15};
    zig_h3_handle queue;
    MUST(zig_h3_queue_new(NULL, &queue));
    SAME(zig_h3_server_new(&config, queue, &server), ZIG_H3_ERR_CONFIG);
    SAME(zig_h3_queue_free(queue), 0);
}

/* Keys that are made later have their destructors called later. */
static void late(void *value)
{
    (void)value;
    late_calls++;
    SAME(strlen(zig_h3_last_error()), 0);
}

static void *ends(void *unused)
{
    fail_with_words();
    HOLDS(strstr(zig_h3_last_error(), "nonsense") != NULL);
    HOLDS(pthread_key_create(&late_key, late) == 0);
    HOLDS(pthread_setspecific(late_key, &late_key) == 0);
    return unused;
}

/* All keys are taken, and the first ones point to memory of those who have them. */
static void without_keys(void)
{
    static char others[OTHERS][2048], untouched[2048];
    pthread_key_t keys[4096];
    int count = 0;
    while (count < 4096 && pthread_key_create(&keys[count], NULL) == 0)
        count++;
    for (int i = 0; i < OTHERS; i++)
        HOLDS(pthread_setspecific((pthread_key_t)i, others[i]) == 0);
    fail_with_words();
    SAME(strcmp(zig_h3_last_error(), "ZIG_H3_ERR_CONFIG"), 0);
    for (int i = 0; i < OTHERS; i++)
        SAME(memcmp(others[i], untouched, sizeof untouched), 0);
    while (count > 0)
        HOLDS(pthread_key_delete(keys[--count]) == 0);
}

/* In a process of its own: the library asks for its key once. */
static void alone(const char *self, const char *which)
{
    char command[4096];
    snprintf(command, sizeof command, "'%s' %s", self, which);
    fflush(stdout);
    SAME(system(command), 0);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        without_keys();
        return failed != 0;
    }
    alone(argv[0], "without-keys");
    pthread_t thread;
    const int created = pthread_create(&thread, NULL, ends, NULL); /* it counts, too: nobody else does until it has ended */
    HOLDS(created == 0 && pthread_join(thread, NULL) == 0);
    SAME(late_calls, 1);
    return done();
}
