#include "header_check.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"

/* RFC 9110, 5.6.2: what a token may hold, each byte as it is sent in HTTP/3; 0 for what may not be there. */
static const uint8_t token[256] = {
    ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'', ['*'] = '*', ['+'] = '+', ['-'] = '-',
    ['.'] = '.', ['^'] = '^', ['_'] = '_', ['`'] = '`', ['|'] = '|', ['~'] = '~', ['0'] = '0', ['1'] = '1', ['2'] = '2',
    ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b',
    ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k',
    ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't',
    ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c',
    ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j', ['K'] = 'k', ['L'] = 'l',
    ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u',
    ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y', ['Z'] = 'z',
};

static int64_t bad(const char *what, const uint8_t *name, size_t name_len)
{
    return error_format(ZIG_H3_ERR_BAD_HEADER, "header \"%.*s\": %s", name_len > 128 ? 128 : (int)name_len, (const char *)name, what);
}

/* Fields of HTTP/1 connections, which have no place here (RFC 9114, 4.2); TE is let through to say "trailers". */
static int connection_specific(const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len)
{
    switch (name_len) {
    case 2:
        return memcmp(name, "te", 2) == 0 && !(value_len == 8 && memcmp(value, "trailers", 8) == 0);
    case 7:
        return memcmp(name, "upgrade", 7) == 0;
    case 10:
        return memcmp(name, "connection", 10) == 0 || memcmp(name, "keep-alive", 10) == 0;
    case 16:
        return memcmp(name, "proxy-connection", 16) == 0;
    case 17:
        return memcmp(name, "transfer-encoding", 17) == 0;
    default:
        return 0;
    }
}

/* Copies, and tells whether a control character other than a tab is among what was copied: the caller's memory may change meanwhile, what
 * was copied does not. Eight at a time: a value is mostly text. */
static int copy_value(uint8_t *out, const uint8_t *in, size_t len)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    uint64_t suspect = 0;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t v;
        memcpy(&v, in + i, 8);
        memcpy(out + i, &v, 8);
        uint64_t del = v ^ 0x7f * ones;
        suspect |= ((v - 0x20 * ones) & ~v & highs) | ((del - ones) & ~del & highs);
    }
    for (; i < len; i++) {
        const uint8_t c = out[i] = in[i];
        suspect |= c < 0x20 || c == 0x7f;
    }
    if (suspect == 0)
        return 0;
    for (i = 0; i < len; i++) {
        if ((out[i] < 0x20 && out[i] != '\t') || out[i] == 0x7f)
            return 1;
    }
    return 0;
}

int64_t header_check_field(const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len, uint8_t *out)
{
    if (name_len == 0)
        return error_set(ZIG_H3_ERR_BAD_HEADER, "a header without a name");
    if (name_len > UINT16_MAX || value_len > HEADER_LIST_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "headers of more than 64 KiB");
    while (value_len > 0 && (value[0] == ' ' || value[0] == '\t')) {
        value++;
        value_len--;
    }
    while (value_len > 0 && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t'))
        value_len--;
    uint16_t frame_name = (uint16_t)name_len;
    uint32_t frame_value = (uint32_t)value_len;
    memcpy(out, &frame_name, 2);
    memcpy(out + 2, &frame_value, 4);
    uint8_t *to = out + HEADER_FRAME;
    int wrong = 0;
    for (size_t i = 0; i < name_len; i++) {
        uint8_t lower = token[name[i]];
        to[i] = lower;
        wrong |= lower == 0;
    }
    if (wrong)
        return name[0] == ':' ? bad("a pseudo field cannot be given", name, name_len)
                              : bad("a character that a name must not hold", name, name_len);
    const int control = copy_value(to + name_len, value, value_len);
    if (connection_specific(to, name_len, to + name_len, value_len))
        return bad("connection-specific fields are forbidden in HTTP/3", name, name_len);
    if (control)
        return bad("a control character in the value", name, name_len);
    return (int64_t)(HEADER_FRAME + name_len + value_len);
}

int64_t header_check_list(const uint8_t *list, size_t len, uint8_t *out)
{
    size_t at = 0, written = 0;
    while (at < len) {
        uint16_t name_len;
        uint32_t value_len;
        if (len - at < HEADER_FRAME)
            return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a header list that ends inside a field");
        memcpy(&name_len, list + at, 2);
        memcpy(&value_len, list + at + 2, 4);
        at += HEADER_FRAME;
        if ((size_t)name_len + value_len > len - at)
            return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a header list that ends inside a field");
        int64_t n = header_check_field(list + at, name_len, list + at + name_len, value_len, out + written);
        if (n < 0)
            return n;
        at += (size_t)name_len + value_len;
        written += (size_t)n;
    }
    return (int64_t)written;
}

int32_t header_check_only(const uint8_t *list, size_t len)
{
    uint8_t small[1024], *const out = len <= sizeof small ? small : malloc(len);
    if (out == NULL)
        return error_set(ZIG_H3_ERR_NO_MEMORY, "no memory to look at the headers");
    const int64_t n = header_check_list(list, len, out);
    if (out != small)
        free(out);
    return n < 0 ? (int32_t)n : ZIG_H3_OK;
}
