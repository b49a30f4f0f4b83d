/* URLs of fetches and sessions, in their parts. */
#ifndef CAPI_CLIENT_URL_H
#define CAPI_CLIENT_URL_H

#include <stddef.h>
#include <stdint.h>

/* Most bytes of one. */
#define URL_MAX ((size_t)64 << 10)

/* Where the parts stand in the text. */
struct url {
    const char *authority;
    size_t authority_len;
    const char *path; /* and query. Empty, or begins with a slash or a question mark */
    size_t path_len;
};

/* Takes an https: URL apart, which is not to change meanwhile. Whether authority and path are ones the engine says. ZIG_H3_OK, or
 * ZIG_H3_ERR_BAD_URL with the words set. */
int32_t url_parse(struct url *url, const char *text, size_t len);

#endif
