/* A13: structs of another header than the library's, of an older one, which are smaller, and of a newer one, which are larger. */
#include <stdint.h>

#include "../../capi/config.h"
#include "check.h"

/* What this library would know, of which the first contract had LEAST bytes; and what a later one has. */
struct known {
    uint32_t size, first;
    uint64_t second;
};

struct newer {
    struct known known;
    uint64_t third;
    uint32_t fourth;
};

enum { LEAST = 8 };

static void smaller(void)
{
    const uint32_t old[] = {LEAST, 7, 1, 1}; /* what stands behind it is none of it */
    struct known got;
    memset(&got, 0xff, sizeof got);
    SAME(config_read(&got, sizeof got, old, LEAST), 0);
    SAME(got.size, sizeof got);
    SAME(got.first, 7);
    SAME(got.second, 0);
    /* In the middle of a field: the host has no more than that. */
    const uint32_t half[] = {LEAST + 4, 7, 5, 1};
    SAME(config_read(&got, sizeof got, half, LEAST), 0);
    SAME(got.second, 5);
    const uint32_t less[] = {LEAST - 1, 7, 1, 1}, none[4] = {0};
    SAME(config_read(&got, sizeof got, less, LEAST), ZIG_H3_ERR_INVALID_ARGUMENT);
    SAME(config_read(&got, sizeof got, none, LEAST), ZIG_H3_ERR_INVALID_ARGUMENT);
}

static void larger(void)
{
    struct newer given = {.known = {.size = sizeof given, .first = 1, .second = 2}};
    struct known got;
    SAME(config_read(&got, sizeof got, &given, LEAST), 0);
    SAME(got.size, sizeof got);
    SAME(got.first, 1);
    SAME(got.second, 2);
    given.third = 1; /* its first byte, and below the last one of all */
    memset(&got, 0, sizeof got);
    SAME(config_read(&got, sizeof got, &given, LEAST), ZIG_H3_ERR_INVALID_ARGUMENT);
    HOLDS(strstr(zig_h3_last_error(), "too old") != NULL);
    SAME(got.first, 0);
    given.third = 0;
    given.fourth = 1u << 31;
    given.known.size = offsetof(struct newer, fourth) + sizeof given.fourth;
    SAME(config_read(&got, sizeof got, &given, LEAST), ZIG_H3_ERR_INVALID_ARGUMENT);
    given.known.size = offsetof(struct newer, fourth); /* it is none of it now */
    SAME(config_read(&got, sizeof got, &given, LEAST), 0);
    given.known.size = UINT32_MAX; /* nothing of what that claims is looked at */
    SAME(config_read(&got, sizeof got, &given, LEAST), ZIG_H3_ERR_INVALID_ARGUMENT);
}

int main(void)
{
    smaller();
    larger();
    return done();
}
