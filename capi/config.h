/* Structs that a host hands in, of this header, an older or a newer one: they begin with their size, and grow at their end. */
#ifndef CAPI_CONFIG_H
#define CAPI_CONFIG_H

#include <stddef.h>
#include <stdint.h>

/*
 * Copies a struct that begins with its size as a uint32_t from src, which is read once, to dst, of dst_size bytes: what a smaller one
 * lacks is 0, and what a larger one has besides must be. The size must be least, that of the first version of the contract, or more.
 * 0, or ZIG_H3_ERR_INVALID_ARGUMENT with the words set. dst->size is dst_size afterwards.
 */
int32_t config_read(void *dst, uint32_t dst_size, const void *src, uint32_t least);

#endif
