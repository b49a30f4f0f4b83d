#include "utf8.h"

bool utf8_valid(const uint8_t *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        const uint8_t first = text[at++];
        if (first < 0x80)
            continue;
        if (first < 0xc2 || first > 0xf4)
            return false;
        /* The first byte says how many follow, and narrows the range of the one behind it. */
        const size_t more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
        uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        if (more > len - at)
            return false;
        for (size_t i = 0; i < more; i++) {
            if (text[at] < low || text[at] > high)
                return false;
            low = 0x80;
            high = 0xbf;
            at++;
        }
    }
    return true;
}
