/*
 * A16: memory of the caller's that changes while a call reads it. What is sent then is anybody's guess, but nothing beyond it is read. It is
 * changed by another process, so that no sanitizer takes it for a race of ours.
 */
#define _DEFAULT_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { CALLS = 2000000, ROUTES = 10000 };

/* Has one byte flip between two values until calm(). */
static pid_t flip(volatile uint8_t *byte, uint8_t one, uint8_t other)
{
    fflush(stdout);
    const pid_t parent = getpid(), child = fork();
    if (child == 0) {
        while (getppid() == parent) {
            for (int i = 0; i < 1000; i++) {
                *byte = one;
                *byte = other;
            }
        }
        _exit(0);
    }
    HOLDS(child > 0);
    return child;
}

static void calm(pid_t child)
{
    HOLDS(kill(child, SIGKILL) == 0);
    HOLDS(waitpid(child, NULL, 0) == child);
}

/* Two datagrams of which the first one's length says now that the second begins at its place, now that it begins beyond it, where it would
 * reach into a page that cannot be read. */
static void list_of_datagrams(uint8_t *end)
{
    zig_h3_datagram *list = (zig_h3_datagram *)(void *)end - 2;
    memset(list, 0, 2 * sizeof *list);
    const pid_t child = flip((volatile uint8_t *)&list->len, 0, 8);
    int odd = 0;
    for (int i = 0; i < CALLS; i++) {
        int32_t n = zig_h3_send_datagrams(list, 2 * sizeof *list, 0);
        odd += n != 0 && n != ZIG_H3_ERR_INVALID_ARGUMENT;
    }
    SAME(odd, 0);
    calm(child);
}

/* A method of which the last letter comes and goes: both are tokens, but no other is what the engine gets. */
static void method_of_a_route(uint8_t *end)
{
    zig_h3_handle queue, server;
    zig_h3_server_config config = {.size = sizeof config, .hostname = "127.0.0.1"};
    MUST(zig_h3_queue_new(NULL, &queue));
    MUST(zig_h3_server_new(&config, queue, &server));
    char *method = memcpy(end - 4, "GET", 4);
    const pid_t child = flip((volatile uint8_t *)method + 2, 'T', 0);
    int odd = 0;
    for (int i = 0; i < ROUTES; i++)
        odd += zig_h3_server_route(server, method, "/", ZIG_H3_ROUTE_REPLACE, 0, NULL) != 0;
    SAME(odd, 0);
    calm(child);
    /* Nothing else was added. */
    for (int i = 0; i < 2; i++) {
        SAME(zig_h3_server_route(server, i == 0 ? "GET" : "GE", "/", ZIG_H3_ROUTE_REMOVE, 0, NULL), 0);
        SAME(zig_h3_server_route(server, i == 0 ? "GET" : "GE", "/", ZIG_H3_ROUTE_REMOVE, 0, NULL), ZIG_H3_ERR_BAD_ROUTE);
    }
    MUST(zig_h3_server_free(server));
    MUST(zig_h3_queue_free(queue));
}

int main(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!HOLDS(memory != MAP_FAILED) || !HOLDS(mprotect(memory + page, page, PROT_NONE) == 0))
        return done();
    list_of_datagrams(memory + page);
    method_of_a_route(memory + page);
    return done();
}
