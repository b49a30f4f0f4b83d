/* Keying material of a session, which the engine derives. */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "error.h"
#include "handle.h"
#include "session.h"
#include "state.h"
#include "versioned.h"

/* What the exporter's context has room for, and what WebTransport's users may ask for at least. */
#define NAME_MAX_LEN 255
#define OUT_MAX_LEN 4096

int32_t zig_h3_wt_export_keying_material(zig_h3_handle session, const void *label, size_t label_len, const void *context,
                                         size_t context_len, void *out, size_t out_len)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if ((label == NULL && label_len > 0) || (context == NULL && context_len > 0) || out == NULL)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a null pointer");
    if (label_len > NAME_MAX_LEN || context_len > NAME_MAX_LEN)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a label or context of more than 255 bytes");
    if (out_len == 0 || out_len > OUT_MAX_LEN)
        return error_format(ZIG_H3_ERR_INVALID_ARGUMENT, "%zu bytes of keying material, where 1 to 4096 can be had", out_len);
    uint64_t word, material;
    struct slot *slot = handle_lock(session, KIND_SESSION, &word);
    if (slot == NULL)
        return handle_error(session, KIND_SESSION);
    handle_unlock(slot, 0);
    if ((word & (SLOT_OPEN | SLOT_ENDED)) != SLOT_OPEN)
        return session_not_open(word);
    const char *strings[] = {label, context};
    const size_t lens[] = {label_len, context_len};
    struct command *command = command_new(COMMAND_SESSION_EXPORT, strings, lens, 2);
    if (command == NULL)
        return ZIG_H3_ERR_NO_MEMORY;
    command->target = session;
    command->size = (uint32_t)out_len;
    code = command_call(command, &material);
    if (code == ZIG_H3_OK) {
        memcpy(out, (const void *)(uintptr_t)material, out_len);
        free((void *)(uintptr_t)material);
    }
    return code;
}
VERSIONED(zig_h3_wt_export_keying_material);
