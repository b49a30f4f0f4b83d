/*
 * What the library does to the process it is loaded into, as far as signals go: the flags of JavaScriptCore's collection signal are
 * what they were, no host thread gets a signal stack (none ever ran Go), and the host's handlers are the host's (L16).
 *
 * The program is linked against the library, so that the library is loaded before main(); what stood before that is put there by a
 * function that runs before every library's constructors.
 */
#define _POSIX_C_SOURCE 200809L
#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "peer.h"

static volatile sig_atomic_t caught;

static void handler(int number)
{
    caught = number;
}

static void before_libraries(void)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGPWR, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

__attribute__((section(".preinit_array"), used)) static void (*const early)(void) = before_libraries;

static int flags_of(int number)
{
    struct sigaction action;
    sigaction(number, NULL, &action);
    return action.sa_handler == handler ? (int)action.sa_flags : -1;
}

static void untouched(const char *where)
{
    stack_t stack = {0};
    sigaltstack(NULL, &stack);
    if (!HOLDS(stack.ss_flags == SS_DISABLE && stack.ss_sp == NULL))
        printf("    in %s\n", where);
}

/* Uses every kind of call, on a thread that is not the one that loaded the library. */
static void *serve(void *arg)
{
    zig_h3_handle queue, server;
    zig_h3_server_config config = {.size = sizeof config, .hostname = "127.0.0.1"};
    uint16_t port;
    zig_h3_event event;
    int ended = 0;
    (void)arg;
    MUST(zig_h3_queue_new(NULL, &queue));
    MUST(zig_h3_server_new(&config, queue, &server));
    MUST(zig_h3_server_route(server, "GET", "/", 0, 0, NULL));
    MUST(zig_h3_server_start(server));
    MUST(zig_h3_server_port(server, &port));
    FILE *peer = peer_start(port, "GET /");
    while (!ended && zig_h3_queue_wait(queue, 20000) == 1) {
        while (zig_h3_next_event(queue, &event) == 1) {
            if (event.type == ZIG_H3_EVENT_REQUEST)
                SAME(zig_h3_response_send(event.object, 200, NULL, 0, "hello", 5, 0), 0);
            ended |= event.type == ZIG_H3_EVENT_STREAM_CLOSED;
        }
    }
    HOLDS(ended);
    HOLDS(strstr(peer_output(peer), "body 5 hello") != NULL);
    MUST(zig_h3_server_free(server));
    MUST(zig_h3_queue_free(queue));
    untouched("the thread that served");
    return NULL;
}

/* The same program with the environment's say: 1 for what it finds, by exit code. */
static int in_child(const char *name, const char *value)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        setenv(name, value, 1);
        setenv("SIGNALS_CHILD", "1", 1);
        execl("/proc/self/exe", "signals", (char *)NULL);
        _exit(99);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(void)
{
    HOLDS(strlen(zig_h3_version()) > 0);
    if (getenv("SIGNALS_CHILD") != NULL)
        return (flags_of(SIGPWR) & SA_ONSTACK ? 1 : 0) | (flags_of(SIGUSR1) & SA_ONSTACK ? 2 : 0);

    SAME(flags_of(SIGPWR) & ~0x04000000, SA_RESTART); /* SA_RESTORER is the C library's */
    /* Go did come by: on signals that may arrive on its threads it insists. */
    HOLDS(flags_of(SIGUSR1) & SA_ONSTACK);
    untouched("the main thread");

    pthread_t thread;
    peer_build("h3go");
    pthread_create(&thread, NULL, serve, NULL);
    pthread_join(thread, NULL);
    SAME(flags_of(SIGPWR) & ~0x04000000, SA_RESTART);
    untouched("the main thread, afterwards");

    const int hosts[] = {SIGINT, SIGTERM, SIGPWR, SIGUSR1};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        caught = 0;
        raise(hosts[i]);
        SAME(caught, hosts[i]);
    }
    SAME(in_child("ZIG_H3_KEEP_SIGNALS", "1"), 3);
    SAME(in_child("JSC_SIGNAL_FOR_GC", "10"), 1); /* SIGUSR1 instead of SIGPWR */
    SAME(in_child("JSC_SIGNAL_FOR_GC", "nonsense"), 3);
    return done();
}
