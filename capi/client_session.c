/* Sessions that a client asks for. From the call on each is a session as those that a server is asked for: session.c. */
#include <string.h>

#include "client.h"
#include "client_url.h"
#include "config.h"
#include "error.h"
#include "given.h"
#include "header_check.h"
#include "refusal.h"
#include "session.h"
#include "state.h"
#include "submission.h"
#include "versioned.h"

/* The first zig_h3_session_config. */
#define CONFIG_LEAST 64u

/* Most bytes of the list of protocols: a header has to hold them. */
#define PROTOCOLS_MAX ((size_t)32 << 10)

/* What a session is asked for with, copied. */
struct asked {
    zig_h3_session_config config;
    struct url url;
    struct given text; /* of the URL */
    struct given headers;
    struct given protocols;
};

static int32_t check(const zig_h3_session_config *config)
{
    if (config->flags & ~(uint32_t)ZIG_H3_SESSION_POOLED)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "unknown flags");
    if (config->reserved != 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "config->reserved is not 0");
    if (config->congestion_control > ZIG_H3_CONGESTION_AUTO)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "an unknown congestion control");
    if (config->congestion_control != ZIG_H3_CONGESTION_OPTION && (config->flags & ZIG_H3_SESSION_POOLED))
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a congestion control of its own for a session that shares its connection");
    if (config->url == NULL || (config->headers == NULL && config->headers_len > 0) ||
        (config->protocols == NULL && config->protocols_len > 0))
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer");
    if (config->url_len > URL_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "a URL of more than 64 KiB");
    if (config->headers_len > HEADER_LIST_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "headers of more than 64 KiB");
    if (config->protocols_len > PROTOCOLS_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "protocols of more than 32 KiB");
    return ZIG_H3_OK;
}

/* Whether a list of u16 length, bytes, again and again ends where one of them does. */
static bool adds_up(const uint8_t *list, size_t len)
{
    uint16_t n;
    for (size_t at = 0; at < len; at += n) {
        if (len - at < sizeof n)
            return false;
        memcpy(&n, list + at, sizeof n);
        at += sizeof n;
        if (n > len - at)
            return false;
    }
    return true;
}

/* Fills a claimed record, or says why not. */
static int32_t fill(zig_h3_record *record, const struct asked *asked)
{
    const struct session_wish wish = {
        .flags = asked->config.flags,
        .authority_len = (uint32_t)asked->url.authority_len,
        .path_len = (uint32_t)asked->url.path_len,
        .protocols_len = (uint32_t)asked->config.protocols_len,
        .congestion_control = asked->config.congestion_control,
    };
    uint8_t *to = submission_payload(record);
    memcpy(to, &wish, sizeof wish);
    to += sizeof wish;
    memcpy(to, asked->url.authority, asked->url.authority_len);
    to += asked->url.authority_len;
    memcpy(to, asked->url.path, asked->url.path_len);
    to += asked->url.path_len;
    if (asked->config.protocols_len > 0)
        memcpy(to, asked->protocols.bytes, asked->config.protocols_len);
    to += asked->config.protocols_len;
    const size_t headers_len = asked->config.headers_len;
    const int64_t n = headers_len == 0 ? 0 : header_check_list(asked->headers.bytes, headers_len, to);
    if (n < 0)
        return (int32_t)n;
    record->meta_len = (uint32_t)((size_t)(to - submission_payload(record)) + (size_t)n);
    return ZIG_H3_OK;
}

/* Hands over what was copied, as client_fetch.c does. The session has no account but its client's. */
static int32_t submit(zig_h3_handle client, const struct asked *asked, struct session *inner, zig_h3_handle *out)
{
    int32_t code;
    uint32_t sink;
    struct slot *own, *slot = client_lock(client, &sink, &code);
    if (slot == NULL)
        return code;
    const size_t meta = sizeof(struct session_wish) + asked->url.authority_len + asked->url.path_len + asked->config.protocols_len +
                        asked->config.headers_len;
    const zig_h3_handle session = handle_issue(KIND_SESSION, SLOT_UNTOLD | SLOT_DECIDED, &own);
    struct submission at;
    if (session == 0) {
        code = error_set(ZIG_H3_ERR_LIMIT, "a million objects are open");
    } else if (submission_claim(&at, meta) == NULL) {
        handle_withdraw(own);
        code = refuse_list(client, &asked->headers, asked->config.headers_len);
    } else {
        *at.record = (zig_h3_record){
            .type = SUBMIT_SESSION, .object = client, .parent = session, .user_data = asked->config.user_data, .status = sink,
        };
        code = fill(at.record, asked);
        if (code != ZIG_H3_OK) {
            handle_withdraw(own);
            submission_abandon(&at);
        } else {
            atomic_store_explicit(&own->account, atomic_load_explicit(&slot->account, memory_order_relaxed), memory_order_relaxed);
            atomic_store_explicit(&own->codes, sink, memory_order_relaxed);
            session_put(own, inner);
            handle_tell(own);
            submission_publish(&at, false);
            *out = session;
        }
    }
    handle_unlock(slot, 0);
    return code;
}

/* Looks at what was copied, and hands it over. */
static int32_t ask(zig_h3_handle client, struct asked *asked, zig_h3_handle *out)
{
    const int32_t code = url_parse(&asked->url, (const char *)asked->text.bytes, asked->config.url_len);
    if (code != ZIG_H3_OK)
        return code;
    if (!adds_up(asked->protocols.bytes, asked->config.protocols_len))
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a list of protocols that ends inside one");
    struct session *inner = session_new(NULL, 0);
    if (inner == NULL)
        return error_set(ZIG_H3_ERR_NO_MEMORY, "the system gave no memory");
    const int32_t outcome = submit(client, asked, inner, out);
    if (outcome != ZIG_H3_OK)
        session_free(inner);
    return outcome;
}

int32_t zig_h3_client_open_webtransport(zig_h3_handle client, const zig_h3_session_config *config, zig_h3_handle *out)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (config == NULL || out == NULL)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "config or out is NULL");
    uint64_t word;
    if (handle_find(client, KIND_CLIENT, &word) == NULL)
        return handle_error(client, KIND_CLIENT);
    struct asked asked;
    zig_h3_handle session = 0;
    if ((code = config_read(&asked.config, sizeof asked.config, config, CONFIG_LEAST)) != ZIG_H3_OK ||
        (code = check(&asked.config)) != ZIG_H3_OK)
        return code;
    if ((code = given_copy(&asked.text, asked.config.url, asked.config.url_len)) != ZIG_H3_OK)
        return code;
    if ((code = given_copy(&asked.headers, asked.config.headers, asked.config.headers_len)) == ZIG_H3_OK) {
        if ((code = given_copy(&asked.protocols, asked.config.protocols, asked.config.protocols_len)) == ZIG_H3_OK) {
            code = ask(client, &asked, &session);
            given_drop(&asked.protocols);
        }
        given_drop(&asked.headers);
    }
    given_drop(&asked.text);
    if (code == ZIG_H3_OK)
        *out = session; /* memory of the caller's: without the lock */
    return code;
}
VERSIONED(zig_h3_client_open_webtransport);
