/* Results: the calling thread's last failure in words. */
#ifndef CAPI_ERROR_H
#define CAPI_ERROR_H

#include <stddef.h>
#include <stdint.h>

#include "../include/zig_h3.h"

/* Remembers text, which must stay (a literal), as the calling thread's last failure. Returns code. */
int32_t error_set(int32_t code, const char *text);

/* The same with a text of len bytes that is copied. */
int32_t error_copy(int32_t code, const char *text, size_t len);

/* The same with a formatted text. */
int32_t error_format(int32_t code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
