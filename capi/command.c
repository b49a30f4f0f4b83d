#include "command.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cancel.h"
#include "error.h"
#include "state.h"
#include "submission.h"

/* One for all: commands are few, and each waiter looks only at its own answer. */
static pthread_mutex_t commands_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answer_came;

__attribute__((constructor(102))) static void prepare(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
#if !defined(__APPLE__)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    pthread_cond_init(&answer_came, &attributes);
    pthread_condattr_destroy(&attributes);
}

static struct timespec deadline_from_now(int64_t ms)
{
    struct timespec t;
#if defined(__APPLE__)
    clock_gettime(CLOCK_REALTIME, &t);
#else
    clock_gettime(CLOCK_MONOTONIC, &t);
#endif
    t.tv_sec += ms / 1000;
    t.tv_nsec += (ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* LeakSanitizer cannot see that the engine has it: neither the ring nor what Go knows is looked through. */
#ifdef __SANITIZE_ADDRESS__
void __lsan_ignore_object(const void *memory);
static void not_leaked(const void *memory) { __lsan_ignore_object(memory); }
#else
static void not_leaked(const void *memory) { (void)memory; }
#endif

struct command *command_new(enum command_kind kind, const char *const *strings, const size_t *lens, unsigned count)
{
    size_t total = 0;
    for (unsigned i = 0; i < count; i++)
        total += lens[i];
    const size_t list = count * sizeof(struct command_text);
    struct command *command = calloc(1, sizeof *command + list + total);
    if (command == NULL) {
        error_set(ZIG_H3_ERR_NO_MEMORY, "the system gave no memory");
        return NULL;
    }
    not_leaked(command);
    command->kind = kind;
    command->strings = count;
    uint32_t at = 0;
    for (unsigned i = 0; i < count; i++) {
        command->text_of[i] = (struct command_text){.at = at, .len = (uint32_t)lens[i]};
        if (lens[i] > 0)
            memcpy((char *)&command->text_of[count] + at, strings[i], lens[i]);
        at += (uint32_t)lens[i];
    }
    return command;
}

const char *command_string(struct command *command, uint32_t index, uint32_t *len)
{
    *len = index < command->strings ? command->text_of[index].len : 0;
    return *len > 0 ? (const char *)&command->text_of[command->strings] + command->text_of[index].at : "";
}

static void command_let_go(struct command *command)
{
    if (atomic_fetch_sub_explicit(&command->owners, 1, memory_order_acq_rel) == 1)
        free(command);
}

/* The submission ring is full only for moments: its reader never waits for anything. */
static int32_t submit_command(struct command *command)
{
    for (int tries = 0; tries < COMMAND_WAIT_MS; tries++) {
        if (submission_command(command))
            return ZIG_H3_OK;
        if (state_now() != 0)
            return state_check();
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return error_set(ZIG_H3_ERR_TIMEOUT, "the engine took no command for ten seconds");
}

int32_t command_post(struct command *command)
{
    command->abandoned = 1;
    atomic_store_explicit(&command->owners, 1, memory_order_release);
    const int held = cancel_hold();
    int32_t code = submit_command(command);
    cancel_allow(held);
    if (code != ZIG_H3_OK)
        free(command);
    return code;
}

static int32_t call_engine(struct command *command, uint64_t *result)
{
    atomic_store_explicit(&command->owners, 2, memory_order_release);
    int32_t code = submit_command(command);
    if (code != ZIG_H3_OK) {
        if (command->unsubmitted != NULL)
            command->unsubmitted(command->object);
        free(command);
        return code;
    }
    struct timespec deadline = deadline_from_now(COMMAND_WAIT_MS);
    pthread_mutex_lock(&commands_lock);
    while (!command->answered && state_now() == 0) {
        if (pthread_cond_timedwait(&answer_came, &commands_lock, &deadline) == ETIMEDOUT)
            break;
    }
    if (!command->answered) {
        command->abandoned = 1;
        code = state_now() != 0 ? state_check() : error_set(ZIG_H3_ERR_TIMEOUT, "the engine gave no answer within ten seconds");
    } else if ((code = command->code) != ZIG_H3_OK)
        error_copy(code, command->text, strlen(command->text));
    else
        *result = command->result;
    pthread_mutex_unlock(&commands_lock);
    command_let_go(command);
    return code;
}

int32_t command_call(struct command *command, uint64_t *result)
{
    uint64_t number = 0;
    const int held = cancel_hold();
    const int32_t code = call_engine(command, &number);
    cancel_allow(held);
    if (code == ZIG_H3_OK && result != NULL)
        *result = number; /* memory of the caller's: without the lock */
    return code;
}

void command_accept(struct command *command)
{
    atomic_load_explicit(&command->owners, memory_order_acquire);
}

bool command_answer(struct command *command, int32_t code, const char *text, size_t len, uint64_t result)
{
    if (len > sizeof command->text - 1)
        len = sizeof command->text - 1;
    pthread_mutex_lock(&commands_lock);
    if (len > 0)
        memcpy(command->text, text, len);
    command->code = code;
    command->result = result;
    command->answered = 1;
    const bool wanted = !command->abandoned;
    pthread_cond_broadcast(&answer_came);
    pthread_mutex_unlock(&commands_lock);
    command_let_go(command);
    return wanted;
}

void command_wake_all(void)
{
    pthread_mutex_lock(&commands_lock);
    pthread_cond_broadcast(&answer_came);
    pthread_mutex_unlock(&commands_lock);
}
