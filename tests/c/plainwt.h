/* A server of other make: quic-go's http3 with webtransport-go (tests/peers/plainwt), in a process of its own. */
#ifndef TESTS_C_PLAINWT_H
#define TESTS_C_PLAINWT_H

#include "expect.h"
#include "peer.h"

static FILE *peer;
static pid_t peer_id;

/* Starts it with a certificate for 127.0.0.1, and notes its port. */
static inline void peer_serve(void)
{
    char command[3 * PATH_MAX + 512], line[64] = "";
    const char *at = root();
    peer_build("plainwt");
    snprintf(command, sizeof command,
             "cd '%s/build/tests' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 10 -subj /CN=peer "
             "-addext subjectAltName=IP:127.0.0.1 -keyout peer.key -out peer.pem 2>/dev/null",
             at);
    HOLDS(system(command) == 0);
    fflush(stdout);
    snprintf(command, sizeof command, "cd '%s/build/tests' && echo $$ && exec ./plainwt -cert peer.pem -key peer.key", at);
    peer = popen(command, "r");
    HOLDS(peer != NULL && fgets(line, sizeof line, peer) != NULL);
    peer_id = (pid_t)strtol(line, NULL, 10);
    HOLDS(fgets(line, sizeof line, peer) != NULL && strncmp(line, "ready ", 6) == 0);
    port = (uint16_t)strtol(line + 6, NULL, 10);
}

#endif
