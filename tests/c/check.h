/* What the C tests count, and how they say it. */
#ifndef TESTS_C_CHECK_H
#define TESTS_C_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zig_h3.h"

static int passed, failed;

static inline int check(int holds, const char *file, int line, const char *what)
{
    if (holds) {
        passed++;
    } else {
        failed++;
        printf("%s:%d: not so: %s\n", file, line, what);
        fflush(stdout);
    }
    return holds;
}

static inline void same(long long got, long long want, const char *file, int line, const char *what)
{
    if (!check(got == want, file, line, what))
        printf("    %lld (%s) instead of %lld (%s): %s\n", got, zig_h3_error_name((int32_t)got), want, zig_h3_error_name((int32_t)want),
               zig_h3_last_error());
}

/* One outcome each. */
#define HOLDS(condition) check((condition), __FILE__, __LINE__, #condition)
#define SAME(got, want) same((long long)(got), (long long)(want), __FILE__, __LINE__, #got " is " #want)

/* For what everything else stands on. */
#define MUST(call)                                                                                                                \
    do {                                                                                                                          \
        int32_t must_result = (call);                                                                                             \
        if (must_result < 0) {                                                                                                    \
            printf("%s:%d: %s: %s: %s\n%d passed, %d failed\n", __FILE__, __LINE__, #call, zig_h3_error_name(must_result),        \
                   zig_h3_last_error(), passed, failed + 1);                                                                      \
            exit(1);                                                                                                              \
        }                                                                                                                         \
    } while (0)

static inline int done(void)
{
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}

#endif
