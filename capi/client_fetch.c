/* Fetches: asked for and cancelled. What is said of one besides is said of a request: response.c, inflow.c, datagram.c. */
#include <string.h>

#include "body.h"
#include "client.h"
#include "client_url.h"
#include "config.h"
#include "error.h"
#include "given.h"
#include "header_check.h"
#include "insist.h"
#include "refusal.h"
#include "state.h"
#include "submission.h"
#include "versioned.h"

/* The first zig_h3_fetch_config. */
#define CONFIG_LEAST 88u

/* No method is longer. */
#define METHOD_MAX 64

/* H3_REQUEST_CANCELLED (RFC 9114, 8.1). */
#define REQUEST_CANCELLED 0x10c

#define ALL_FLAGS ((uint32_t)(ZIG_H3_FETCH_END | ZIG_H3_FETCH_DATAGRAMS | ZIG_H3_FETCH_LATER))

/* What a fetch is asked for with, copied. */
struct asked {
    zig_h3_fetch_config config;
    struct url url;
    struct given text; /* of the URL */
    struct given headers;
    size_t method_len;
    char method[METHOD_MAX + 1];
    struct body body;
};

static bool is_token(const char *text, size_t len)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < len; i++) {
        const char c = text[i];
        const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alphanumeric && (c == 0 || strchr(others, c) == NULL))
            return false;
    }
    return len > 0;
}

/* Looks at what needs no copy. */
static int32_t check(const zig_h3_fetch_config *config)
{
    if (config->flags & ~ALL_FLAGS)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "unknown flags");
    if (config->url == NULL || (config->headers == NULL && config->headers_len > 0) || (config->body == NULL && config->body_len > 0))
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer");
    if (config->collect >> 62)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "collect is beyond 2^62");
    if (config->url_len > URL_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "a URL of more than 64 KiB");
    if (config->headers_len > HEADER_LIST_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "headers of more than 64 KiB");
    if (config->body_len > BODY_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "a body of more than 2 GiB");
    return ZIG_H3_OK;
}

static int32_t copy_method(struct asked *asked)
{
    const char *method = asked->config.method == NULL ? "GET" : asked->config.method;
    asked->method_len = strnlen(method, METHOD_MAX + 1);
    memcpy(asked->method, method, asked->method_len);
    if (asked->method_len > METHOD_MAX || !is_token(asked->method, asked->method_len))
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a method that is no token, or longer than 64 bytes");
    if (asked->method_len == 7 && memcmp(asked->method, "CONNECT", 7) == 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "CONNECT is no method for a fetch");
    return ZIG_H3_OK;
}

/* Takes room for the body and copies it. A whole one counts for the client until the engine needs it no more, the begin of one that is
 * written in parts for the fetch, as what is written later. */
static int32_t copy_body(struct asked *asked, zig_h3_handle client, const struct slot *slot)
{
    const size_t len = asked->config.body_len;
    if (len > BODY_INLINE_MAX || (asked->config.flags & ZIG_H3_FETCH_END) || len == 0)
        return body_admit(&asked->body, slot, client, asked->config.body, len);
    const int32_t code = body_prepare(&asked->body, asked->config.body, len);
    struct account *account = handle_account(slot);
    if (code == ZIG_H3_OK && account_admit(account, len)) /* so little always is */
        asked->body.account = account;
    return code;
}

/* Fills a claimed record, or says why not. */
static int32_t fill(struct submission *at, const struct asked *asked)
{
    const struct fetch_wish wish = {
        .collect = asked->config.collect,
        .response_timeout_ms = asked->config.response_timeout_ms,
        .request_timeout_ms = asked->config.request_timeout_ms,
        .flags = asked->config.flags,
        .method_len = (uint32_t)asked->method_len,
        .authority_len = (uint32_t)asked->url.authority_len,
        .path_len = (uint32_t)asked->url.path_len,
    };
    uint8_t *to = submission_payload(at->record);
    memcpy(to, &wish, sizeof wish);
    to += sizeof wish;
    memcpy(to, asked->method, asked->method_len);
    to += asked->method_len;
    memcpy(to, asked->url.authority, asked->url.authority_len);
    to += asked->url.authority_len;
    memcpy(to, asked->url.path, asked->url.path_len);
    to += asked->url.path_len;
    const size_t headers_len = asked->config.headers_len;
    const int64_t n = headers_len == 0 ? 0 : header_check_list(asked->headers.bytes, headers_len, to);
    if (n < 0)
        return (int32_t)n;
    body_fill(&asked->body, at->record, (size_t)(to - submission_payload(at->record)) + (size_t)n);
    return ZIG_H3_OK;
}

/* Hands over what was copied. The client is locked, so that no fetch comes behind the last look at it. */
static int32_t submit(zig_h3_handle client, const struct asked *asked, zig_h3_handle *out)
{
    int32_t code;
    uint32_t sink;
    struct slot *own, *slot = client_lock(client, &sink, &code);
    if (slot == NULL)
        return code;
    const bool whole = asked->config.flags & ZIG_H3_FETCH_END;
    const uint64_t state = SLOT_UNTOLD | SLOT_GONE | (whole ? SLOT_ENDED : 0) | (asked->config.collect > 0 ? SLOT_BUFFERED : 0) |
                           (asked->config.flags & ZIG_H3_FETCH_DATAGRAMS ? 0 : SLOT_OPEN);
    const size_t meta = sizeof(struct fetch_wish) + asked->method_len + asked->url.authority_len + asked->url.path_len +
                        asked->config.headers_len;
    const zig_h3_handle fetch = handle_issue(KIND_FETCH, state, &own);
    struct submission at;
    if (fetch == 0) {
        code = error_set(ZIG_H3_ERR_LIMIT, "a million objects are open");
    } else if (submission_claim(&at, ((meta + 7) & ~(size_t)7) + body_inline(&asked->body)) == NULL) {
        handle_withdraw(own);
        code = refuse_list(client, &asked->headers, asked->config.headers_len);
    } else {
        *at.record = (zig_h3_record){
            .type = SUBMIT_FETCH, .object = client, .parent = fetch, .user_data = asked->config.user_data, .status = sink,
        };
        code = fill(&at, asked);
        if (code != ZIG_H3_OK) {
            handle_withdraw(own);
            submission_abandon(&at);
        } else {
            atomic_store_explicit(&own->account, atomic_load_explicit(&slot->account, memory_order_relaxed), memory_order_relaxed);
            if (!whole)
                body_charge(&asked->body, own);
            handle_tell(own);
            submission_publish(&at, (asked->config.flags & ZIG_H3_FETCH_LATER) != 0);
            *out = fetch;
        }
    }
    handle_unlock(slot, 0);
    return code;
}

/* Copies and hands over. */
static int32_t ask(zig_h3_handle client, struct asked *asked, zig_h3_handle *out)
{
    uint64_t word;
    const struct slot *slot = handle_find(client, KIND_CLIENT, &word);
    if (slot == NULL)
        return handle_error(client, KIND_CLIENT);
    int32_t code = copy_method(asked);
    if (code == ZIG_H3_OK)
        code = url_parse(&asked->url, (const char *)asked->text.bytes, asked->config.url_len);
    if (code == ZIG_H3_OK && asked->config.body_len > BODY_INLINE_MAX) /* there may be no room for it: more makes a bad list no better */
        code = header_check_only(asked->headers.bytes, asked->config.headers_len);
    if (code != ZIG_H3_OK || (code = copy_body(asked, client, slot)) != ZIG_H3_OK)
        return code;
    code = submit(client, asked, out);
    if (code != ZIG_H3_OK)
        body_drop(&asked->body);
    return code;
}

int32_t zig_h3_client_fetch(zig_h3_handle client, const zig_h3_fetch_config *config, zig_h3_handle *out)
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
    zig_h3_handle fetch = 0;
    if ((code = config_read(&asked.config, sizeof asked.config, config, CONFIG_LEAST)) != ZIG_H3_OK ||
        (code = check(&asked.config)) != ZIG_H3_OK)
        return code;
    if ((code = given_copy(&asked.text, asked.config.url, asked.config.url_len)) != ZIG_H3_OK)
        return code;
    if ((code = given_copy(&asked.headers, asked.config.headers, asked.config.headers_len)) == ZIG_H3_OK) {
        code = ask(client, &asked, &fetch);
        given_drop(&asked.headers);
    }
    given_drop(&asked.text);
    if (code == ZIG_H3_OK)
        *out = fetch; /* memory of the caller's: without the lock */
    return code;
}
VERSIONED(zig_h3_client_fetch);

int32_t zig_h3_client_prioritize_fetch(zig_h3_handle fetch, uint32_t urgency, uint32_t incremental)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (urgency > 7 || incremental > 1)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "an urgency beyond 7, or incremental that is neither 0 nor 1");
    uint64_t word;
    struct slot *slot = handle_lock(fetch, KIND_FETCH, &word);
    if (slot == NULL)
        return handle_error(fetch, KIND_FETCH);
    code = word & SLOT_RESET ? error_set(ZIG_H3_ERR_ENDED, "the fetch was cancelled")
                             : submission_put(&(zig_h3_record){.type = SUBMIT_PRIORITY, .object = fetch, .status = urgency, .aux = incremental});
    handle_unlock(slot, 0);
    return code;
}
VERSIONED(zig_h3_client_prioritize_fetch);

int32_t zig_h3_client_cancel_fetch(zig_h3_handle fetch)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    const enum handle_kind kind = fetch >> HANDLE_KIND_SHIFT == KIND_CONNECT ? KIND_CONNECT : KIND_FETCH;
    uint64_t word;
    struct slot *slot = handle_lock(fetch, kind, &word);
    if (slot == NULL)
        return handle_error(fetch, kind);
    if (!(word & SLOT_RESET)) {
        atomic_store_explicit(&slot->codes, REQUEST_CANCELLED, memory_order_relaxed);
        insist(slot, fetch, SUBMIT_RESET, REQUEST_CANCELLED, ATTENTION_RESET);
    }
    handle_unlock(slot, SLOT_ENDED | SLOT_RESET);
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_client_cancel_fetch);
