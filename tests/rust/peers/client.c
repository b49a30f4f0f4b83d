/* A client, from C, against a server of this folder: client PORT CA [fetch]. One session, and one fetch if it serves any. */
#define _POSIX_C_SOURCE 200809L
#include "asked.h"
#include "echo_session.h"

int main(int argc, char **argv)
{
    char options[8192];
    HOLDS(argc >= 3);
    port = (uint16_t)atoi(argv[1]);
    snprintf(options, sizeof options, "{\"roots_path\": \"%s\"}", argv[2]);
    MUST(zig_h3_queue_new(NULL, &queue));
    client_with(options);
    if (argc > 3) {
        struct got *got = fetch("POST", "/echo", "there and back");
        SAME(got->code, 0);
        SAME(got->status, 200);
        HOLDS(strcmp(got->text, "there and back") == 0);
        HOLDS(strcmp(got->trailers, "x-bytes=14|") == 0);
    }
    session_echoed();
    zig_h3_client_free(client);
    UNTIL(closed == 1);
    SAME(zig_h3_queue_free(queue), 0);
    return done();
}
