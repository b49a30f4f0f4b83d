/* Connections that are made before anything is fetched: the wish for one has a handle, from the call to its CONNECT_DONE. */
#include <string.h>

#include "client.h"
#include "client_url.h"
#include "error.h"
#include "given.h"
#include "refusal.h"
#include "state.h"
#include "submission.h"
#include "versioned.h"

/* Hands the wish over, as client_fetch.c does a fetch. */
static int32_t submit(zig_h3_handle client, const struct url *url, uint64_t user_data, zig_h3_handle *out)
{
    int32_t code = ZIG_H3_OK;
    uint32_t sink;
    struct slot *own, *slot = client_lock(client, &sink, &code);
    if (slot == NULL)
        return code;
    const zig_h3_handle wish = handle_issue(KIND_CONNECT, SLOT_UNTOLD, &own);
    struct submission at;
    if (wish == 0) {
        code = error_set(ZIG_H3_ERR_LIMIT, "a million objects are open");
    } else if (submission_claim(&at, url->authority_len) == NULL) {
        handle_withdraw(own);
        code = refuse(client, REFUSAL_RING);
    } else {
        *at.record = (zig_h3_record){
            .type = SUBMIT_CONNECT, .object = client, .parent = wish, .user_data = user_data, .status = sink, .meta_len = (uint32_t)url->authority_len,
        };
        memcpy(submission_payload(at.record), url->authority, url->authority_len);
        handle_tell(own);
        submission_publish(&at, false);
        *out = wish;
    }
    handle_unlock(slot, 0);
    return code;
}

int32_t zig_h3_client_connect(zig_h3_handle client, const char *text, size_t len, uint64_t user_data, zig_h3_handle *out)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (text == NULL || out == NULL)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "url or out is NULL");
    if (len > URL_MAX)
        return error_set(ZIG_H3_ERR_TOO_LARGE, "a URL of more than 64 KiB");
    uint64_t word;
    if (handle_find(client, KIND_CLIENT, &word) == NULL)
        return handle_error(client, KIND_CLIENT);
    struct given given;
    struct url url;
    zig_h3_handle wish = 0;
    if ((code = given_copy(&given, text, len)) != ZIG_H3_OK)
        return code;
    if ((code = url_parse(&url, (const char *)given.bytes, len)) == ZIG_H3_OK)
        code = submit(client, &url, user_data, &wish);
    given_drop(&given);
    if (code == ZIG_H3_OK)
        *out = wish; /* memory of the caller's: without the lock */
    return code;
}
VERSIONED(zig_h3_client_connect);
