/*
 * Go's start-up adds SA_ONSTACK to every signal handler that it finds, also to the one with which JavaScriptCore stops its threads to
 * collect garbage. On an alternate stack JavaScriptCore takes the thread for one that it must not stop, tries again, and hangs
 * (oven-sh/bun#31158). That one signal is always sent to a thread of the host, and these never run Go, so its flags can safely be
 * what they were: one constructor before Go's notes them, one behind it puts them back.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#if defined(SIGPWR)
#define GC_SIGNAL SIGPWR
#else
#define GC_SIGNAL 0
#endif

static int gc_signal;
static struct sigaction before;

static int chosen_signal(void)
{
    const char *keep = getenv("ZIG_H3_KEEP_SIGNALS");
    if (keep != NULL && strcmp(keep, "1") == 0)
        return 0;
    const char *named = getenv("JSC_SIGNAL_FOR_GC");
    if (named == NULL || *named == 0)
        return GC_SIGNAL;
    char *end;
    long number = strtol(named, &end, 10);
    return *end == 0 && number > 0 && number < NSIG ? (int)number : 0;
}

__attribute__((constructor(101))) static void note_flags(void)
{
    gc_signal = chosen_signal();
    if (gc_signal != 0 && sigaction(gc_signal, NULL, &before) != 0)
        gc_signal = 0;
}

/* Without a priority it runs in link order, behind the entry of the Go object, which comes first; tests/c/signals.c holds it to that. */
__attribute__((constructor)) static void restore_flags(void)
{
    struct sigaction now;
    if (gc_signal == 0 || sigaction(gc_signal, NULL, &now) != 0)
        return;
    if (now.sa_sigaction == before.sa_sigaction && now.sa_flags == (before.sa_flags | SA_ONSTACK) && now.sa_flags != before.sa_flags)
        sigaction(gc_signal, &before, NULL);
}
