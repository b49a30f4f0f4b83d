/* A server of other make, a program of tests/peers, in a process of its own. */
#ifndef TESTS_C_PEER_SERVER_H
#define TESTS_C_PEER_SERVER_H

#include "expect.h"
#include "peer.h"

static FILE *peer;
static pid_t peer_id;

/* Starts the one of that name with a certificate for 127.0.0.1, and notes its port. */
static inline void peer_serve(const char *name)
{
    char command[3 * PATH_MAX + 512], line[64] = "";
    const char *at = root();
    peer_build(name);
    snprintf(command, sizeof command,
             "cd '%s/build/tests' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 10 -subj /CN=peer "
             "-addext subjectAltName=IP:127.0.0.1 -keyout %s.key -out %s.pem 2>/dev/null",
             at, name, name);
    HOLDS(system(command) == 0);
    fflush(stdout);
    snprintf(command, sizeof command, "cd '%s/build/tests' && echo $$ && exec ./%s -cert %s.pem -key %s.key", at, name, name, name);
    peer = popen(command, "r");
    HOLDS(peer != NULL && fgets(line, sizeof line, peer) != NULL);
    peer_id = (pid_t)strtol(line, NULL, 10);
    HOLDS(fgets(line, sizeof line, peer) != NULL && strncmp(line, "ready ", 6) == 0);
    port = (uint16_t)strtol(line + 6, NULL, 10);
}

#endif
