#include "error.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "versioned.h"

/* Longest text of a failure. */
#define TEXT_MAX 1024

/*
 * One pointer a thread, and the buffer for what is not a literal in the heap: a library that is loaded late draws on the scarce room
 * that the loader keeps for thread-local variables. The pointer lies there from the start of each thread, so that a call that fails in a
 * signal handler does not make the loader find memory for it.
 */
static _Thread_local const char *last_text
#ifdef __ELF__
    __attribute__((tls_model("initial-exec")))
#endif
    ;
static pthread_key_t buffer_key;
static bool buffer_keyed; /* the process had a key left: without one there are names instead of words */
static pthread_once_t buffer_once = PTHREAD_ONCE_INIT;

/* Other destructors of the ending thread may still ask for the words. */
static void forget_buffer(void *buffer)
{
    last_text = NULL;
    free(buffer);
}

static void make_key(void)
{
    buffer_keyed = pthread_key_create(&buffer_key, forget_buffer) == 0;
}

static char *thread_buffer(void)
{
    pthread_once(&buffer_once, make_key);
    if (!buffer_keyed)
        return NULL;
    char *buffer = pthread_getspecific(buffer_key);
    if (buffer == NULL) {
        buffer = malloc(TEXT_MAX);
        if (buffer != NULL && pthread_setspecific(buffer_key, buffer) != 0) {
            free(buffer);
            buffer = NULL;
        }
    }
    return buffer;
}

int32_t error_set(int32_t code, const char *text)
{
    last_text = text;
    return code;
}

int32_t error_copy(int32_t code, const char *text, size_t len)
{
    char *buffer = thread_buffer();
    if (buffer == NULL)
        return error_set(code, zig_h3_error_name(code));
    if (len > TEXT_MAX - 1)
        len = TEXT_MAX - 1;
    memcpy(buffer, text, len);
    buffer[len] = 0;
    return error_set(code, buffer);
}

int32_t error_format(int32_t code, const char *format, ...)
{
    char *buffer = thread_buffer();
    if (buffer == NULL)
        return error_set(code, zig_h3_error_name(code));
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(buffer, TEXT_MAX, format, arguments);
    va_end(arguments);
    return error_set(code, buffer);
}

const char *zig_h3_last_error(void)
{
    return last_text == NULL ? "" : last_text;
}
VERSIONED(zig_h3_last_error);
