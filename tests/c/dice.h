/* What a program that plays at random plays with: numbers that follow from a seed, and lengths and packed lists made of them. */
#ifndef TESTS_C_DICE_H
#define TESTS_C_DICE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct dice {
    uint64_t state;
};

static inline uint64_t roll(struct dice *dice)
{
    uint64_t x = dice->state += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

static inline uint64_t below(struct dice *dice, uint64_t n)
{
    return roll(dice) % n;
}

static uint8_t bytes[256 << 10];

static inline size_t length(struct dice *dice)
{
    static const size_t edges[] = {0, 1, 6, 7, 63, 64, 4095, 4096, 4097, 65535, 65536, 65537, 131072, sizeof bytes};
    return below(dice, 2) ? edges[below(dice, sizeof edges / sizeof *edges)] : below(dice, 1 << below(dice, 18));
}

/* A packed list: well-formed, cut, or rubbish. */
static inline size_t list(struct dice *dice, uint8_t *to, size_t room)
{
    static const char *const names[] = {"content-type", "X-Fuzz", "set-cookie", ":status", "connection", "a b", "", "content-length"};
    size_t n = 0;
    for (uint64_t fields = below(dice, 5); fields > 0; fields--) {
        const char *name = names[below(dice, below(dice, 3) ? 3 : 8)];
        uint16_t name_len = (uint16_t)strlen(name);
        uint32_t value_len = (uint32_t)below(dice, below(dice, 8) ? 40 : 3000);
        if (n + 6 + name_len + value_len > room)
            break;
        memcpy(to + n, &name_len, 2);
        memcpy(to + n + 2, &value_len, 4);
        memcpy(to + n + 6, name, name_len);
        memset(to + n + 6 + name_len, below(dice, 16) ? 'v' : (int)below(dice, 256), value_len);
        n += 6 + name_len + value_len;
    }
    if (n > 0 && below(dice, 16) == 0)
        n -= 1 + below(dice, n);
    return n;
}

#endif
