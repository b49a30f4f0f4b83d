/* The names of results. */
#include "error.h"
#include "versioned.h"

#define NAME(value)                                                                                                               \
    case value:                                                                                                                   \
        return #value

const char *zig_h3_error_name(int32_t code)
{
    switch (code) {
        NAME(ZIG_H3_OK);
        NAME(ZIG_H3_ERR_INVALID_ARGUMENT);
        NAME(ZIG_H3_ERR_INVALID_HANDLE);
        NAME(ZIG_H3_ERR_STALE_HANDLE);
        NAME(ZIG_H3_ERR_WRONG_KIND);
        NAME(ZIG_H3_ERR_WRONG_STATE);
        NAME(ZIG_H3_ERR_BUSY);
        NAME(ZIG_H3_ERR_NO_MEMORY);
        NAME(ZIG_H3_ERR_FORKED);
        NAME(ZIG_H3_ERR_FATAL);
        NAME(ZIG_H3_ERR_BUFFER_TOO_SMALL);
        NAME(ZIG_H3_ERR_CONFIG);
        NAME(ZIG_H3_ERR_CERTIFICATE);
        NAME(ZIG_H3_ERR_ADDRESS_IN_USE);
        NAME(ZIG_H3_ERR_ADDRESS_UNAVAILABLE);
        NAME(ZIG_H3_ERR_PERMISSION);
        NAME(ZIG_H3_ERR_RESOLVE);
        NAME(ZIG_H3_ERR_IO);
        NAME(ZIG_H3_ERR_LIMIT);
        NAME(ZIG_H3_ERR_BAD_HEADER);
        NAME(ZIG_H3_ERR_BAD_URL);
        NAME(ZIG_H3_ERR_BAD_ROUTE);
        NAME(ZIG_H3_ERR_TIMEOUT);
        NAME(ZIG_H3_ERR_ENDED);
        NAME(ZIG_H3_ERR_TOO_LARGE);
        NAME(ZIG_H3_ERR_NOT_NEGOTIATED);
        NAME(ZIG_H3_ERR_WOULD_BLOCK);
        NAME(ZIG_H3_ERR_QUEUE_FULL);
        NAME(ZIG_H3_ERR_DATAGRAM_TOO_LARGE);
        NAME(ZIG_H3_ERR_CANCELLED);
        NAME(ZIG_H3_ERR_INTERNAL);
        NAME(ZIG_H3_ERR_CLOSED);
        NAME(ZIG_H3_ERR_RESET);
        NAME(ZIG_H3_ERR_IDLE);
        NAME(ZIG_H3_ERR_PROTOCOL);
        NAME(ZIG_H3_ERR_SHUTDOWN);
        NAME(ZIG_H3_ERR_REFUSED);
        NAME(ZIG_H3_ERR_UNREACHABLE);
        NAME(ZIG_H3_ERR_CONNECT_TIMEOUT);
        NAME(ZIG_H3_ERR_HANDSHAKE);
        NAME(ZIG_H3_ERR_UNKNOWN_AUTHORITY);
        NAME(ZIG_H3_ERR_WRONG_NAME);
        NAME(ZIG_H3_ERR_EXPIRED);
        NAME(ZIG_H3_ERR_PIN);
        NAME(ZIG_H3_ERR_POOL_TIMEOUT);
        NAME(ZIG_H3_ERR_REJECTED);
        NAME(ZIG_H3_ERR_TRUNCATED);
    default:
        return "ZIG_H3_ERR_UNKNOWN";
    }
}
VERSIONED(zig_h3_error_name);
