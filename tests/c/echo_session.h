/* A session of the client's at /echo of a server that gives streams and datagrams back. */
#ifndef TESTS_C_ECHO_SESSION_H
#define TESTS_C_ECHO_SESSION_H

#include "asked.h"

static inline void session_echoed(void)
{
    const char *whole = url("/echo");
    const zig_h3_session_config config = {.size = sizeof config, .url = whole, .url_len = strlen(whole)};
    zig_h3_handle session = 0, stream = 0;
    char text[64] = "", datagram[64] = "";
    size_t taken;
    int over = 0;
    MUST(zig_h3_client_open_webtransport(client, &config, &session));
    while (step().type != ZIG_H3_EVENT_SESSION_OPENED) {
    }
    MUST(zig_h3_wt_open_stream(session, ZIG_H3_WT_BIDIRECTIONAL, 0, &stream));
    SAME(zig_h3_wt_stream_write(stream, "echo", 4, &taken), 0);
    SAME(zig_h3_wt_stream_end(stream), 0);
    while (!over || datagram[0] == 0) {
        if (datagram[0] == 0)
            zig_h3_wt_send_datagram(session, "gram", 4, 0, 0);
        if (zig_h3_queue_wait(queue, 50) != 1)
            continue;
        const zig_h3_event event = step();
        if (event.type == ZIG_H3_EVENT_STREAM_DATA && event.object == stream) {
            keep(text, sizeof text, event.data, event.data_len);
            over = event.flags & ZIG_H3_FLAG_END;
        } else if (event.type == ZIG_H3_EVENT_SESSION_DATAGRAM && datagram[0] == 0) {
            keep(datagram, sizeof datagram, event.data, event.data_len);
        }
    }
    HOLDS(strcmp(text, "echo") == 0 && strcmp(datagram, "gram") == 0);
    SAME(zig_h3_wt_close(session, 0, NULL, 0), 0);
    while (step().type != ZIG_H3_EVENT_SESSION_CLOSED) {
    }
}

#endif
