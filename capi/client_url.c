#include "client_url.h"

#include <string.h>
#include <strings.h>

#include "error.h"

static const char scheme[] = "https://";

/* How many bytes there are before the first of these, or the end. */
static size_t until(const char *text, size_t len, const char *stops)
{
    size_t n = 0;
    while (n < len && strchr(stops, text[n]) == NULL)
        n++;
    return n;
}

int32_t url_parse(struct url *url, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return error_set(ZIG_H3_ERR_BAD_URL, "a URL with a blank, a control character or one beyond ASCII");
    }
    const size_t scheme_len = sizeof scheme - 1;
    if (len < scheme_len || strncasecmp(text, scheme, scheme_len) != 0)
        return error_set(ZIG_H3_ERR_BAD_URL, "a URL that does not begin with https://");
    text += scheme_len;
    len -= scheme_len;
    url->authority = text;
    url->authority_len = until(text, len, "/?#");
    if (url->authority_len == 0)
        return error_set(ZIG_H3_ERR_BAD_URL, "a URL without a host");
    if (memchr(text, '@', url->authority_len) != NULL)
        return error_set(ZIG_H3_ERR_BAD_URL, "a URL with a user's name: a header can carry that");
    url->path = text + url->authority_len;
    url->path_len = until(url->path, len - url->authority_len, "#");
    return ZIG_H3_OK;
}
