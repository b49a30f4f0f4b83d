/* What this library is, and what its structs measure. */
#include "error.h"
#include "versioned.h"

/* The second half changes with go.mod: version_test.go holds the two together. */
#define LIBRARY_VERSION "1.0.0/quic-go 0.65.0"

_Static_assert(sizeof(zig_h3_record) == 64, "a record's head is 64 bytes");
_Static_assert(offsetof(zig_h3_record, aux) == 56, "as the header says");
_Static_assert(sizeof(zig_h3_event) == 80 && offsetof(zig_h3_event, meta) == 64, "an event is a record's head and two pointers");
_Static_assert(sizeof(zig_h3_server_config) == 48, "as the header says");
_Static_assert(sizeof(zig_h3_client_config) == 24, "as the header says");
_Static_assert(sizeof(zig_h3_fetch_config) == 88 && sizeof(zig_h3_session_config) == 72, "as the header says");
_Static_assert(sizeof(zig_h3_datagram) == 24 && offsetof(zig_h3_datagram, result) == 16, "as the header says");

const char *zig_h3_version(void)
{
    return LIBRARY_VERSION;
}
VERSIONED(zig_h3_version);

uint32_t zig_h3_abi_version(void)
{
    return ZIG_H3_ABI_VERSION;
}
VERSIONED(zig_h3_abi_version);

uint32_t zig_h3_abi_minor(void)
{
    return ZIG_H3_ABI_MINOR;
}
VERSIONED(zig_h3_abi_minor);

size_t zig_h3_struct_size(uint32_t kind)
{
    switch (kind) {
    case ZIG_H3_STRUCT_RECORD:
        return sizeof(zig_h3_record);
    case ZIG_H3_STRUCT_EVENT:
        return sizeof(zig_h3_event);
    case ZIG_H3_STRUCT_QUEUE_CONFIG:
        return sizeof(zig_h3_queue_config);
    case ZIG_H3_STRUCT_SERVER_CONFIG:
        return sizeof(zig_h3_server_config);
    case ZIG_H3_STRUCT_QUEUE_SPAN:
        return sizeof(zig_h3_queue_span);
    case ZIG_H3_STRUCT_DATAGRAM:
        return sizeof(zig_h3_datagram);
    case ZIG_H3_STRUCT_CLIENT_CONFIG:
        return sizeof(zig_h3_client_config);
    case ZIG_H3_STRUCT_FETCH_CONFIG:
        return sizeof(zig_h3_fetch_config);
    case ZIG_H3_STRUCT_SESSION_CONFIG:
        return sizeof(zig_h3_session_config);
    default:
        return 0;
    }
}
VERSIONED(zig_h3_struct_size);
