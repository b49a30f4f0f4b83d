/* A peer that is not ours (a program of tests/peers), run beside the test: h3go makes requests over quic-go's http3 and prints what
 * came back. */
#ifndef TESTS_C_PEER_H
#define TESTS_C_PEER_H

#include <limits.h>
#include <unistd.h>

#include "check.h"

/* The project's folder, from where this program lies: build/tests. */
static inline const char *root(void)
{
    static char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n < 0 ? 0 : n] = 0;
    for (int up = 0; up < 3; up++)
        *strrchr(path, '/') = 0;
    return path;
}

/* Builds a program of tests/peers, by its name. */
static inline void peer_build(const char *name)
{
    char command[2 * PATH_MAX + 128];
    snprintf(command, sizeof command, "cd '%s/tests/peers' && go build -o ../../build/tests/%s ./%s", root(), name, name);
    if (system(command) != 0) {
        printf("tests/peers/%s does not build\n%d passed, %d failed\n", name, passed, failed + 1);
        exit(1);
    }
}

/* Starts a program that was built with these arguments; its output is the result's. */
static inline FILE *peer_run(const char *name, const char *arguments)
{
    char command[2 * PATH_MAX + 256];
    snprintf(command, sizeof command, "'%s/build/tests/%s' %s 2>&1", root(), name, arguments);
    fflush(stdout);
    FILE *output = popen(command, "r");
    if (output == NULL) {
        printf("the peer does not start\n%d passed, %d failed\n", passed, failed + 1);
        exit(1);
    }
    return output;
}

/* Has the peer make a request, as "GET /a". */
static inline FILE *peer_start(uint16_t port, const char *request)
{
    char arguments[256];
    snprintf(arguments, sizeof arguments, "%u %s", (unsigned)port, request);
    return peer_run("h3go", arguments);
}

/* All that it printed, once it has ended. */
static inline const char *peer_output(FILE *output)
{
    static char text[65536];
    size_t n = fread(text, 1, sizeof text - 1, output);
    text[n] = 0;
    pclose(output);
    return text;
}

#endif
