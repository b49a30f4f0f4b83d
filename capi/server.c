#include "server.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "config.h"
#include "counter_names.h"
#include "error.h"
#include "given.h"
#include "handle.h"
#include "state.h"
#include "versioned.h"

/* Longest string that a call takes along to the engine. */
#define STRING_MAX ((size_t)16 << 20)

/* The first zig_h3_server_config. */
#define CONFIG_LEAST 48u

static pthread_mutex_t idle_servers_lock = PTHREAD_MUTEX_INITIALIZER;
static struct server *idle_servers;

static struct server *server_take(void)
{
    pthread_mutex_lock(&idle_servers_lock);
    struct server *server = idle_servers;
    if (server != NULL)
        idle_servers = server->next;
    pthread_mutex_unlock(&idle_servers_lock);
    if (server == NULL) {
        void *memory;
        if (posix_memalign(&memory, 64, sizeof *server) != 0)
            return NULL;
        server = memory;
    }
    memset(server, 0, sizeof *server);
    return server;
}

void server_give(struct server *server)
{
    pthread_mutex_lock(&idle_servers_lock);
    server->next = idle_servers;
    idle_servers = server;
    pthread_mutex_unlock(&idle_servers_lock);
}

static void server_unsubmitted(void *object)
{
    server_give(object);
}

void server_set_port(struct server *server, uint32_t port)
{
    struct timespec t;
    if (port != 0 && atomic_load(&server->port) == 0) {
        clock_gettime(CLOCK_MONOTONIC, &t);
        atomic_store(&server->started_ms, (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000);
    }
    atomic_store(&server->port, port);
}

static void free_texts(const char *const *copies, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        free((void *)(uintptr_t)copies[i]);
}

/* Reads texts of the caller's. 0, or a negative code with the words set, of too_long if one of them is: then there are no copies. */
static int32_t read_texts(const char *const *texts, unsigned count, int32_t too_long, const char *words, const char **copies, size_t *lens)
{
    int32_t code = ZIG_H3_OK;
    for (unsigned i = 0; i < count; i++) {
        copies[i] = code == ZIG_H3_OK ? given_text(texts[i], STRING_MAX, &lens[i]) : NULL;
        if (code == ZIG_H3_OK && copies[i] == NULL)
            code = ZIG_H3_ERR_NO_MEMORY;
        else if (code == ZIG_H3_OK && lens[i] > STRING_MAX)
            code = error_set(too_long, words);
    }
    if (code != ZIG_H3_OK)
        free_texts(copies, count);
    return code;
}

int32_t zig_h3_server_new(const zig_h3_server_config *given, zig_h3_handle queue, zig_h3_handle *out)
{
    zig_h3_server_config config;
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (given == NULL || out == NULL)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "config or out is NULL");
    if ((code = config_read(&config, sizeof config, given, CONFIG_LEAST)) != ZIG_H3_OK)
        return code;
    if (config.reserved != 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "config->reserved is not 0");
    if (config.options == NULL && config.options_len > 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "options is NULL, options_len is not 0");
    uint64_t word;
    if (handle_find(queue, KIND_QUEUE, &word) == NULL)
        return handle_error(queue, KIND_QUEUE);
    const char *const texts[] = {config.hostname, config.cert_path, config.key_path};
    const unsigned count = sizeof texts / sizeof *texts;
    static const char too_long[] = "a string of the configuration is longer than 16 MiB";
    if (config.options_len > STRING_MAX)
        return error_set(ZIG_H3_ERR_CONFIG, too_long);
    const char *strings[sizeof texts / sizeof *texts + 1];
    size_t lens[sizeof texts / sizeof *texts + 1];
    if ((code = read_texts(texts, count, ZIG_H3_ERR_CONFIG, too_long, strings, lens)) != ZIG_H3_OK)
        return code;
    strings[count] = config.options; /* whose length is known: read once as it is */
    lens[count] = config.options_len;
    struct command *command = command_new(COMMAND_SERVER_NEW, strings, lens, count + 1);
    free_texts(strings, count);
    if (command == NULL)
        return ZIG_H3_ERR_NO_MEMORY;
    struct server *server = server_take();
    if (server == NULL) {
        free(command);
        return error_set(ZIG_H3_ERR_NO_MEMORY, "the system gave no memory");
    }
    command->object = server;
    command->unsubmitted = server_unsubmitted;
    command->queue = queue;
    command->port = config.port;
    return command_call(command, out);
}
VERSIONED(zig_h3_server_new);

/* A command about a server, or NULL with *code set. */
static struct command *about(zig_h3_handle server, enum command_kind kind, int32_t *code)
{
    uint64_t word;
    if ((*code = state_check()) != 0)
        return NULL;
    if (handle_find(server, KIND_SERVER, &word) == NULL) {
        *code = handle_error(server, KIND_SERVER);
        return NULL;
    }
    struct command *command = command_new(kind, NULL, NULL, 0);
    if (command == NULL)
        *code = ZIG_H3_ERR_NO_MEMORY;
    else
        command->target = server;
    return command;
}

int32_t zig_h3_server_free(zig_h3_handle server)
{
    int32_t code;
    uint64_t word;
    struct command *command = about(server, COMMAND_SERVER_FREE, &code);
    if (command == NULL)
        return code;
    struct slot *slot = handle_lock(server, KIND_SERVER, &word);
    if (slot == NULL) {
        free(command);
        return handle_error(server, KIND_SERVER);
    }
    handle_unlock(slot, SLOT_FORGOTTEN);
    return command_post(command);
}
VERSIONED(zig_h3_server_free);

/* A command about a server and a queue, or NULL with *code set. */
static struct command *about_queue(zig_h3_handle server, zig_h3_handle queue, enum command_kind kind, int32_t *code)
{
    uint64_t word;
    struct command *command = about(server, kind, code);
    if (command == NULL)
        return NULL;
    if (handle_find(queue, KIND_QUEUE, &word) == NULL) {
        free(command);
        *code = handle_error(queue, KIND_QUEUE);
        return NULL;
    }
    command->queue = queue;
    return command;
}

int32_t zig_h3_server_add_queue(zig_h3_handle server, zig_h3_handle queue)
{
    int32_t code;
    struct command *command = about_queue(server, queue, COMMAND_SERVER_ADD_QUEUE, &code);
    return command == NULL ? code : command_call(command, NULL);
}
VERSIONED(zig_h3_server_add_queue);

int32_t zig_h3_server_remove_queue(zig_h3_handle server, zig_h3_handle queue, int32_t deadline_ms)
{
    int32_t code;
    struct command *command = about_queue(server, queue, COMMAND_SERVER_REMOVE_QUEUE, &code);
    if (command == NULL)
        return code;
    command->deadline_ms = deadline_ms;
    return command_call(command, NULL);
}
VERSIONED(zig_h3_server_remove_queue);

int32_t zig_h3_server_route(zig_h3_handle server, const char *method, const char *pattern, uint32_t flags, uint64_t user_data,
                            uint32_t *route_id)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (pattern == NULL)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "pattern is NULL");
    const uint32_t place = ZIG_H3_ROUTE_REPLACE | ZIG_H3_ROUTE_REMOVE, kind = flags & ~place;
    if (kind & ~(uint32_t)(ZIG_H3_ROUTE_BUFFERED | ZIG_H3_ROUTE_DATAGRAM | ZIG_H3_ROUTE_WEBTRANSPORT))
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "unknown flags");
    if ((flags & place) == place)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a route is replaced or removed");
    if ((kind & ZIG_H3_ROUTE_WEBTRANSPORT) && kind != ZIG_H3_ROUTE_WEBTRANSPORT)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "a route takes WebTransport sessions or requests");
    uint64_t word, id;
    if (handle_find(server, KIND_SERVER, &word) == NULL)
        return handle_error(server, KIND_SERVER);
    const char *const texts[] = {method, pattern};
    const char *strings[2];
    size_t lens[2];
    code = read_texts(texts, 2, ZIG_H3_ERR_BAD_ROUTE, "a method or pattern longer than 16 MiB", strings, lens);
    if (code != ZIG_H3_OK)
        return code;
    struct command *command = NULL;
    if (method != NULL && lens[0] == 0)
        code = error_set(ZIG_H3_ERR_BAD_ROUTE, "an empty method is no token; NULL is for any method");
    else if ((flags & ZIG_H3_ROUTE_WEBTRANSPORT) && method != NULL && strcmp(strings[0], "CONNECT") != 0)
        code = error_set(ZIG_H3_ERR_BAD_ROUTE, "the method of a WebTransport route is CONNECT, or NULL");
    else if ((command = command_new(COMMAND_SERVER_ROUTE, strings, lens, 2)) == NULL)
        code = ZIG_H3_ERR_NO_MEMORY;
    free_texts(strings, 2);
    if (command == NULL)
        return code;
    command->target = server;
    command->flags = flags;
    command->user_data = user_data;
    code = command_call(command, &id);
    if (code == ZIG_H3_OK && route_id != NULL)
        *route_id = (uint32_t)id;
    return code;
}
VERSIONED(zig_h3_server_route);

int32_t zig_h3_server_start(zig_h3_handle server)
{
    int32_t code;
    struct command *command = about(server, COMMAND_SERVER_START, &code);
    return command == NULL ? code : command_call(command, NULL);
}
VERSIONED(zig_h3_server_start);

int32_t zig_h3_server_stop(zig_h3_handle server, int32_t deadline_ms)
{
    int32_t code;
    struct command *command = about(server, COMMAND_SERVER_STOP, &code);
    if (command == NULL)
        return code;
    command->deadline_ms = deadline_ms;
    return command_post(command);
}
VERSIONED(zig_h3_server_stop);

/* The struct of a live server, whose slot stays locked so that it stays this one's. */
static struct server *server_lock(zig_h3_handle handle, struct slot **slot)
{
    uint64_t word;
    *slot = handle_lock(handle, KIND_SERVER, &word);
    return *slot == NULL ? NULL : (struct server *)(uintptr_t)atomic_load(&(*slot)->object);
}

int32_t zig_h3_server_port(zig_h3_handle handle, uint16_t *port)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (port == NULL)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "port is NULL");
    struct slot *slot;
    struct server *server = server_lock(handle, &slot);
    if (server == NULL)
        return handle_error(handle, KIND_SERVER);
    uint32_t bound = atomic_load(&server->port);
    handle_unlock(slot, 0);
    if (bound == 0)
        return error_set(ZIG_H3_ERR_WRONG_STATE, "the server does not run");
    *port = (uint16_t)bound;
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_server_port);

int32_t zig_h3_server_certificate_hash(zig_h3_handle handle, uint8_t *hash)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (hash == NULL)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "hash is NULL");
    struct slot *slot;
    struct server *server = server_lock(handle, &slot);
    if (server == NULL)
        return handle_error(handle, KIND_SERVER);
    uint8_t own[sizeof server->certificate_hash];
    memcpy(own, server->certificate_hash, sizeof own);
    handle_unlock(slot, 0);
    memcpy(hash, own, sizeof own); /* memory of the caller's: without the lock */
    return ZIG_H3_OK;
}
VERSIONED(zig_h3_server_certificate_hash);

/* ------------------------------------------------------------------------------------------------------------------ counters */

static struct counter_names server_counters = COUNTER_NAMES_NONE;

void server_stats_set_names(const char *const *list, uint32_t count)
{
    counter_names_set(&server_counters, list, count < SERVER_STATS_MAX ? count : SERVER_STATS_MAX);
}

const char *zig_h3_stats_name(uint32_t index)
{
    return counter_names_at(&server_counters, index);
}
VERSIONED(zig_h3_stats_name);

static uint64_t uptime_ms(struct server *server)
{
    if (atomic_load(&server->port) == 0)
        return 0;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 - atomic_load(&server->started_ms);
}

int32_t zig_h3_stats_snapshot(zig_h3_handle handle, uint64_t *values, size_t count)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (values == NULL && count > 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "values is NULL, count is not 0");
    struct slot *slot;
    struct server *server = server_lock(handle, &slot);
    if (server == NULL)
        return handle_error(handle, KIND_SERVER);
    uint64_t now[SERVER_STATS_MAX];
    /* The names were set before there was a server. */
    for (size_t i = 0; i < server_counters.count; i++)
        now[i] = i == 0 ? uptime_ms(server) : atomic_load_explicit(&server->stats[i], memory_order_relaxed);
    handle_unlock(slot, 0);
    return counters_give(&server_counters, now, values, count); /* memory of the caller's: without the lock */
}
VERSIONED(zig_h3_stats_snapshot);
