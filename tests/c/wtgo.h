/* webtransport-go's own client (tests/peers/wtgo), run beside the test: a command a line, JSON, and an answer a line, in any order. */
#ifndef TESTS_C_WTGO_H
#define TESTS_C_WTGO_H

#include <stdarg.h>

#include "peer.h"

static FILE *wtgo_in, *wtgo_out;
static int wtgo_last;

static inline void wtgo_start(void)
{
    char command[2 * PATH_MAX + 128];
    int in[2], out[2];
    peer_build("wtgo");
    if (pipe(in) != 0 || pipe(out) != 0) {
        printf("no pipe for wtgo\n%d passed, %d failed\n", passed, failed + 1);
        exit(1);
    }
    fflush(stdout);
    snprintf(command, sizeof command, "%s/build/tests/wtgo", root());
    if (fork() == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        for (int i = 0; i < 2; i++) {
            close(in[i]);
            close(out[i]);
        }
        execl(command, "wtgo", (char *)NULL);
        _exit(99);
    }
    close(in[0]);
    close(out[1]);
    wtgo_in = fdopen(in[1], "w");
    wtgo_out = fdopen(out[0], "r");
}

/* Gives a command: the members of its object but for the id, which is returned. */
static inline int wt_do(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline int wt_do(const char *format, ...)
{
    va_list arguments;
    fprintf(wtgo_in, "{\"id\": %d, ", ++wtgo_last);
    va_start(arguments, format);
    vfprintf(wtgo_in, format, arguments);
    va_end(arguments);
    fprintf(wtgo_in, "}\n");
    fflush(wtgo_in);
    return wtgo_last;
}

/* The answer to a command, awaited; good until the next call. */
static inline const char *wt_answer(int id)
{
    enum { KEPT = 64 };
    static char *kept[KEPT], *line;
    char begin[32];
    size_t room = 0;
    snprintf(begin, sizeof begin, "\"id\":%d,", id);
    free(line);
    line = NULL;
    for (int i = 0; i < KEPT; i++) {
        if (kept[i] != NULL && strstr(kept[i], begin) != NULL) {
            line = kept[i];
            kept[i] = NULL;
            return line;
        }
    }
    while (getline(&line, &room, wtgo_out) >= 0) {
        if (strstr(line, begin) != NULL)
            return line;
        for (int i = 0; i < KEPT; i++) { /* of another command: somebody will ask, or nobody */
            if (kept[i] == NULL) {
                kept[i] = strdup(line);
                break;
            }
        }
    }
    printf("wtgo is gone\n%d passed, %d failed\n", passed, failed + 1);
    exit(1);
}

/* A number of an answer, by its name with the quotes and the colon. */
static inline long wt_number(const char *answer, const char *name)
{
    const char *at = strstr(answer, name);
    return at == NULL ? -1 : strtol(at + strlen(name), NULL, 10);
}

static inline void answers(int id, const char *what, const char *file, int line)
{
    const char *answer = wt_answer(id);
    if (!check(strstr(answer, what) != NULL, file, line, what))
        printf("    in: %s\n", answer);
}

#define ANSWERS(id, what) answers((id), (what), __FILE__, __LINE__)

#endif
