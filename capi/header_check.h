/* What HTTP/3 lets a header list hold (RFC 9114, 4.2), checked while it is copied. */
#ifndef CAPI_HEADER_CHECK_H
#define CAPI_HEADER_CHECK_H

#include <stddef.h>
#include <stdint.h>

/* Bytes in front of each name and value of a packed list: u16 name length, u32 value length. */
#define HEADER_FRAME 6

/* Most bytes of one header list. */
#define HEADER_LIST_MAX (64u << 10)

/*
 * Copies one field to out, packed: the name lower-case, the value without the blanks around it. out holds HEADER_FRAME + both
 * lengths. Returns the bytes written, or ZIG_H3_ERR_BAD_HEADER with the words set.
 */
int64_t header_check_field(const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len, uint8_t *out);

/*
 * The same for a packed list of len bytes; out holds as many. Besides BAD_HEADER it returns ZIG_H3_ERR_INVALID_ARGUMENT for a list
 * whose lengths do not add up. What is in out after a failure means nothing.
 */
int64_t header_check_list(const uint8_t *list, size_t len, uint8_t *out);

/* Says of a list what header_check_list() would, and copies nothing: 0, or a code with the words set. */
int32_t header_check_only(const uint8_t *list, size_t len);

#endif
