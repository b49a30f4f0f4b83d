#include "client.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "config.h"
#include "counter_names.h"
#include "error.h"
#include "state.h"
#include "versioned.h"

/* Longest text of options. */
#define OPTIONS_MAX ((size_t)16 << 20)

/* The first zig_h3_client_config. */
#define CONFIG_LEAST 24u

static pthread_mutex_t idle_clients_lock = PTHREAD_MUTEX_INITIALIZER;
static struct client *idle_clients;

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct client *client_take(void)
{
    pthread_mutex_lock(&idle_clients_lock);
    struct client *client = idle_clients;
    if (client != NULL)
        idle_clients = client->next;
    pthread_mutex_unlock(&idle_clients_lock);
    if (client == NULL) {
        void *memory;
        if (posix_memalign(&memory, 64, sizeof *client) != 0)
            return NULL;
        client = memory;
    }
    memset(client, 0, sizeof *client);
    atomic_store(&client->made_ms, now_ms());
    return client;
}

void client_give(struct client *client)
{
    pthread_mutex_lock(&idle_clients_lock);
    client->next = idle_clients;
    idle_clients = client;
    pthread_mutex_unlock(&idle_clients_lock);
}

static void client_unsubmitted(void *object)
{
    client_give(object);
}

int32_t zig_h3_client_new(const zig_h3_client_config *given, zig_h3_handle queue, zig_h3_handle *out)
{
    zig_h3_client_config config = {.size = sizeof config};
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (out == NULL)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "out is NULL");
    if (given != NULL && (code = config_read(&config, sizeof config, given, CONFIG_LEAST)) != ZIG_H3_OK)
        return code;
    if (config.reserved != 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "config->reserved is not 0");
    if (config.options == NULL && config.options_len > 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "options is NULL, options_len is not 0");
    if (config.options_len > OPTIONS_MAX)
        return error_set(ZIG_H3_ERR_CONFIG, "options of more than 16 MiB");
    uint64_t word;
    if (handle_find(queue, KIND_QUEUE, &word) == NULL)
        return handle_error(queue, KIND_QUEUE);
    struct command *command = command_new(COMMAND_CLIENT_NEW, &config.options, &config.options_len, 1);
    if (command == NULL)
        return ZIG_H3_ERR_NO_MEMORY;
    struct client *client = client_take();
    if (client == NULL) {
        free(command);
        return error_set(ZIG_H3_ERR_NO_MEMORY, "the system gave no memory");
    }
    command->object = client;
    command->unsubmitted = client_unsubmitted;
    command->queue = queue;
    return command_call(command, out);
}
VERSIONED(zig_h3_client_new);

/* Has the engine close a client; forgotten is set in its slot at once. */
static int32_t end_client(zig_h3_handle client, int32_t deadline_ms, uint64_t forgotten)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    uint64_t word;
    if (handle_find(client, KIND_CLIENT, &word) == NULL)
        return handle_error(client, KIND_CLIENT);
    struct command *command = command_new(COMMAND_CLIENT_CLOSE, NULL, NULL, 0);
    if (command == NULL)
        return ZIG_H3_ERR_NO_MEMORY;
    command->target = client;
    command->deadline_ms = deadline_ms;
    struct slot *slot = handle_lock(client, KIND_CLIENT, &word);
    if (slot == NULL) {
        free(command);
        return handle_error(client, KIND_CLIENT);
    }
    handle_unlock(slot, forgotten);
    return command_post(command);
}

int32_t zig_h3_client_free(zig_h3_handle client)
{
    return end_client(client, 0, SLOT_FORGOTTEN);
}
VERSIONED(zig_h3_client_free);

int32_t zig_h3_client_close(zig_h3_handle client, int32_t deadline_ms)
{
    return end_client(client, deadline_ms, 0);
}
VERSIONED(zig_h3_client_close);

struct slot *client_lock(zig_h3_handle client, uint32_t *sink, int32_t *code)
{
    uint64_t word;
    struct slot *slot = handle_lock(client, KIND_CLIENT, &word);
    if (slot == NULL)
        *code = handle_error(client, KIND_CLIENT);
    else
        *sink = (uint32_t)atomic_load_explicit(&slot->codes, memory_order_relaxed);
    return slot;
}

void client_post_gone(zig_h3_handle client)
{
    struct command *command = command_new(COMMAND_CLIENT_GONE, NULL, NULL, 0);
    if (command == NULL)
        return; /* its slot stays taken */
    command->target = client;
    command_post(command);
}

/* ------------------------------------------------------------------------------------------------------------------ counters */

static struct counter_names client_counters = COUNTER_NAMES_NONE;
static const uint32_t *client_places;

void client_stats_set_names(const char *const *list, const uint32_t *places, uint32_t count)
{
    client_places = places;
    counter_names_set(&client_counters, list, count < CLIENT_STATS_MAX ? count : CLIENT_STATS_MAX);
}

const char *zig_h3_client_stats_name(uint32_t index)
{
    return counter_names_at(&client_counters, index);
}
VERSIONED(zig_h3_client_stats_name);

int32_t zig_h3_client_stats_snapshot(zig_h3_handle handle, uint64_t *values, size_t count)
{
    int32_t code = state_check();
    if (code != 0)
        return code;
    if (values == NULL && count > 0)
        return error_set(ZIG_H3_ERR_INVALID_ARGUMENT, "values is NULL, count is not 0");
    uint64_t word;
    struct slot *slot = handle_lock(handle, KIND_CLIENT, &word);
    if (slot == NULL)
        return handle_error(handle, KIND_CLIENT);
    struct client *client = (struct client *)(uintptr_t)atomic_load(&slot->object);
    uint64_t now[CLIENT_STATS_MAX];
    /* The names were set before there was a client. The first counter is how long there has been one. */
    for (size_t i = 0; i < client_counters.count; i++)
        now[i] = i == 0 ? now_ms() - atomic_load(&client->made_ms)
                        : atomic_load_explicit(&client->stats[client_places[i]], memory_order_relaxed);
    handle_unlock(slot, 0);
    return counters_give(&client_counters, now, values, count); /* memory of the caller's: without the lock */
}
VERSIONED(zig_h3_client_stats_snapshot);
