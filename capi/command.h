/*
 * Commands: what a host thread asks the engine for and waits for, with a bound. A command lives in the heap and has two owners, the
 * thread and the engine, so that neither is hurt when the other gives up first.
 */
#ifndef CAPI_COMMAND_H
#define CAPI_COMMAND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../include/zig_h3.h"

enum command_kind {
    COMMAND_QUEUE_NEW = 1,
    COMMAND_QUEUE_FREE,
    COMMAND_SERVER_NEW,
    COMMAND_SERVER_FREE,
    COMMAND_SERVER_ADD_QUEUE,
    COMMAND_SERVER_REMOVE_QUEUE,
    COMMAND_SERVER_ROUTE,
    COMMAND_SERVER_START,
    COMMAND_SERVER_STOP,
    COMMAND_CLIENT_NEW,
    COMMAND_CLIENT_CLOSE,
    COMMAND_CLIENT_GONE,
    COMMAND_SESSION_EXPORT,
    COMMAND_FAILPOINT /* builds with the tag failpoint only */
};

/* Strings that a command carries, by index: of a server, of a client, of a route, of keying material. */
enum { STRING_HOSTNAME, STRING_CERT, STRING_KEY, STRING_OPTIONS };
enum { STRING_CLIENT_OPTIONS };
enum { STRING_METHOD, STRING_PATTERN };
enum { STRING_LABEL, STRING_CONTEXT };

/* How long a call waits for the engine. */
#define COMMAND_WAIT_MS 10000

struct command {
    uint32_t kind;
    _Atomic uint32_t owners;
    uint64_t target; /* the server, client, queue or session that it is about, 0 when that is being made */
    uint64_t queue;  /* the queue that a server or client gets */
    void *object;    /* the struct queue, server or client */
    void (*unsubmitted)(void *object); /* gives a new object back if the engine never hears of it; NULL: it is not new */
    uint64_t user_data;
    uint32_t flags;
    int32_t deadline_ms;
    uint32_t port;
    uint32_t size; /* bytes of what is to be exported: the answer's number is the address of as many from malloc() */

    /* The answer, guarded by the lock in command.c. */
    uint32_t answered;
    uint32_t abandoned;
    int32_t code;
    uint64_t result;
    char text[1024];

    uint32_t strings; /* how many it carries */
    struct command_text {
        uint32_t at; /* from the end of the list */
        uint32_t len;
    } text_of[];
};

/* A command with copies of these strings; NULL ones are empty. NULL if there is no memory. */
struct command *command_new(enum command_kind kind, const char *const *strings, const size_t *lens, unsigned count);

/* Gives it to the engine, waits for the answer and returns its code, with the words set; *result, if not NULL, gets its number. */
int32_t command_call(struct command *command, uint64_t *result);

/* Gives it to the engine without waiting for what comes of it. */
int32_t command_post(struct command *command);

/* The engine's side: what the host wrote before it gave the command is there. To be called first. */
void command_accept(struct command *command);

/* The engine's side: answers, and lets go of the command. False when nobody waits any more, or ever did: then whatever was made for
 * the answer has to be undone. */
bool command_answer(struct command *command, int32_t code, const char *text, size_t len, uint64_t result);

/* Lets every waiting call look at the library's state: the engine has died. */
void command_wake_all(void);

/* The engine's side: a string that it carries, of *len bytes; empty where it has no such. */
const char *command_string(struct command *command, uint32_t index, uint32_t *len);

#endif
