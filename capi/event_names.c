/* The names of event types. */
#include "../include/zig_h3.h"
#include "versioned.h"

#define NAME(value)                                                                                                               \
    case value:                                                                                                                   \
        return #value

const char *zig_h3_event_name(uint32_t type)
{
    switch (type) {
        NAME(ZIG_H3_EVENT_PAD);
        NAME(ZIG_H3_EVENT_REQUEST);
        NAME(ZIG_H3_EVENT_BODY);
        NAME(ZIG_H3_EVENT_BODY_END);
        NAME(ZIG_H3_EVENT_WRITABLE);
        NAME(ZIG_H3_EVENT_STREAM_CLOSED);
        NAME(ZIG_H3_EVENT_CONN_OPENED);
        NAME(ZIG_H3_EVENT_CONN_CLOSED);
        NAME(ZIG_H3_EVENT_SERVER_STARTED);
        NAME(ZIG_H3_EVENT_SERVER_STOPPED);
        NAME(ZIG_H3_EVENT_LOST);
        NAME(ZIG_H3_EVENT_LOG);
        NAME(ZIG_H3_EVENT_FATAL);
        NAME(ZIG_H3_EVENT_QUIC_DATAGRAM);
        NAME(ZIG_H3_EVENT_H3_DATAGRAM);
        NAME(ZIG_H3_EVENT_SESSION_REQUEST);
        NAME(ZIG_H3_EVENT_SESSION_OPENED);
        NAME(ZIG_H3_EVENT_SESSION_DRAINING);
        NAME(ZIG_H3_EVENT_SESSION_CLOSED);
        NAME(ZIG_H3_EVENT_SESSION_DATAGRAM);
        NAME(ZIG_H3_EVENT_STREAM_OPENED);
        NAME(ZIG_H3_EVENT_STREAM_DATA);
        NAME(ZIG_H3_EVENT_STREAM_RESET);
        NAME(ZIG_H3_EVENT_STREAM_STOPPED);
        NAME(ZIG_H3_EVENT_STREAM_ENDED);
        NAME(ZIG_H3_EVENT_DATAGRAMS_DROPPED);
        NAME(ZIG_H3_EVENT_STREAM_ATOMIC);
        NAME(ZIG_H3_EVENT_INFORMATIONAL);
        NAME(ZIG_H3_EVENT_RESPONSE);
        NAME(ZIG_H3_EVENT_FETCH_DONE);
        NAME(ZIG_H3_EVENT_CLIENT_CLOSED);
        NAME(ZIG_H3_EVENT_CONNECT_DONE);
    default:
        return "ZIG_H3_EVENT_UNKNOWN";
    }
}
VERSIONED(zig_h3_event_name);
