/*
 * A fault of the engine's own, provoked: it becomes a FATAL event in every queue, every later call says so, whoever waits comes back,
 * and the host lives. The library for this has a failpoint that the usual build lacks; it is built here. Each place breaks in a run
 * of this program of its own, in which that library stands in for the usual one, so that there is one of them in the process.
 */
#define _GNU_SOURCE /* memmem */
#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>

#include "peer.h"

/* The calls that this test makes, of the broken library. */
static struct {
    int32_t (*failpoint)(uint32_t place);
    int32_t (*queue_new)(const zig_h3_queue_config *, zig_h3_handle *);
    int32_t (*queue_free)(zig_h3_handle);
    int32_t (*queue_wait)(zig_h3_handle, int32_t);
    int32_t (*next_event)(zig_h3_handle, zig_h3_event *);
    int32_t (*queue_arm)(zig_h3_handle);
    int32_t (*server_new)(const zig_h3_server_config *, zig_h3_handle, zig_h3_handle *);
    int32_t (*server_start)(zig_h3_handle);
    int32_t (*server_free)(zig_h3_handle);
    int32_t (*response_send)(zig_h3_handle, uint32_t, const void *, size_t, const void *, size_t, uint32_t);
    int32_t (*send_datagrams)(void *, size_t, uint32_t);
    int32_t (*wt_send_datagram)(zig_h3_handle, const void *, size_t, uint32_t, uint32_t);
    int32_t (*wt_accept)(zig_h3_handle, const char *, const void *, size_t);
    int32_t (*wt_close)(zig_h3_handle, uint32_t, const char *, size_t);
    int32_t (*wt_open_stream)(zig_h3_handle, uint32_t, uint32_t, zig_h3_handle *);
    int32_t (*wt_stream_reset)(zig_h3_handle, uint32_t);
    int32_t (*flush)(void);
    const char *(*last_error)(void);
} h3;

static int bind_all(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        printf("%s\n", dlerror());
        return 0;
    }
#define BIND(name) (*(void **)(void *)&h3.name = dlsym(library, "zig_h3_" #name), h3.name != NULL)
    return BIND(failpoint) && BIND(queue_new) && BIND(queue_free) && BIND(queue_wait) && BIND(next_event) && BIND(queue_arm) &&
           BIND(server_new) && BIND(server_start) && BIND(server_free) && BIND(response_send) && BIND(send_datagrams) &&
           BIND(wt_send_datagram) && BIND(wt_accept) && BIND(wt_close) && BIND(wt_open_stream) && BIND(wt_stream_reset) && BIND(flush) &&
           BIND(last_error);
}

static zig_h3_handle queue, other, server;

static void *wait_there(void *result)
{
    int32_t got;
    do
        got = h3.queue_wait(other, -1);
    while (got == 0);
    *(int32_t *)result = got;
    return NULL;
}

/* Breaks the engine at a place; lost: a record was left unpublished there, so that no event can come behind it. */
static int broken_at(uint32_t place, int lost)
{
    zig_h3_server_config config = {.size = sizeof config, .hostname = "127.0.0.1"};
    zig_h3_event event;
    zig_h3_handle out;
    pthread_t waiter;
    int32_t waited = 77, got;
    int fatal = 0;
    if (h3.queue_new(NULL, &queue) != 0 || h3.queue_new(NULL, &other) != 0 || h3.server_new(&config, queue, &server) != 0 ||
        h3.server_start(server) != 0 || h3.next_event(queue, &event) != 1)
        return 1;
    pthread_create(&waiter, NULL, wait_there, &waited);
    SAME(h3.failpoint(place), ZIG_H3_ERR_FATAL);
    pthread_join(waiter, NULL);
    SAME(waited, lost ? ZIG_H3_ERR_FATAL : 1);

    while ((got = h3.queue_wait(queue, 10000)) == 1) {
        while ((got = h3.next_event(queue, &event)) == 1) {
            fatal += event.type == ZIG_H3_EVENT_FATAL;
            if (event.type == ZIG_H3_EVENT_FATAL)
                HOLDS(event.data_len > 9 && memmem(event.data, event.data_len, "failpoint", 9) != NULL);
        }
        if (got < 0)
            break;
    }
    SAME(fatal, lost ? 0 : 1);
    SAME(got, ZIG_H3_ERR_FATAL);
    SAME(h3.next_event(queue, &event), ZIG_H3_ERR_FATAL);
    SAME(h3.queue_arm(queue), ZIG_H3_ERR_FATAL);
    SAME(h3.queue_new(NULL, &out), ZIG_H3_ERR_FATAL);
    SAME(h3.server_new(&config, queue, &out), ZIG_H3_ERR_FATAL);
    SAME(h3.server_start(server), ZIG_H3_ERR_FATAL);
    SAME(h3.response_send(1, 200, NULL, 0, NULL, 0, 0), ZIG_H3_ERR_FATAL);
    SAME(h3.send_datagrams(NULL, 0, 0), ZIG_H3_ERR_FATAL);
    SAME(h3.wt_send_datagram(1, NULL, 0, 0, 0), ZIG_H3_ERR_FATAL);
    SAME(h3.wt_accept(1, NULL, NULL, 0), ZIG_H3_ERR_FATAL);
    SAME(h3.wt_close(1, 0, NULL, 0), ZIG_H3_ERR_FATAL);
    SAME(h3.wt_open_stream(1, 0, 0, &out), ZIG_H3_ERR_FATAL);
    SAME(h3.wt_stream_reset(1, 0), ZIG_H3_ERR_FATAL);
    SAME(h3.flush(), ZIG_H3_ERR_FATAL);
    SAME(h3.server_free(server), ZIG_H3_ERR_FATAL);
    SAME(h3.queue_free(queue), ZIG_H3_ERR_FATAL);
    HOLDS(strstr(h3.last_error(), "failpoint") != NULL);
    return failed != 0;
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return !bind_all(argv[1]) || broken_at((uint32_t)(argv[2][0] - '0'), argv[2][0] == '3');
    char path[PATH_MAX + 64], command[2 * PATH_MAX + 128];
    snprintf(command, sizeof command, "cd '%s' && OUT=build/failpoint capi/build.sh -tags failpoint", root());
    if (system(command) != 0) {
        printf("the library with the failpoint does not build\n0 passed, 1 failed\n");
        return 1;
    }
    snprintf(path, sizeof path, "%s/build/failpoint/lib/libzigquicheh3.so", root());
    setenv("LD_PRELOAD", path, 1);
    for (const char *place = "123"; *place != 0; place++) {
        int status = -1;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            execl("/proc/self/exe", "fatal", path, (char[]){*place, 0}, (char *)NULL);
            _exit(99);
        }
        HOLDS(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    return done();
}
