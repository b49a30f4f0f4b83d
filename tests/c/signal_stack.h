/* Where the calling thread takes signals: Go, should it ever run there, sees to a stack of its own. */
#ifndef TESTS_C_SIGNAL_STACK_H
#define TESTS_C_SIGNAL_STACK_H

#include <signal.h>
#include <string.h>

static inline stack_t signal_stack(void)
{
    stack_t stack;
    memset(&stack, 0, sizeof stack);
    sigaltstack(NULL, &stack);
    return stack;
}

static inline int same_signal_stack(const stack_t *before)
{
    const stack_t now = signal_stack();
    return now.ss_sp == before->ss_sp && now.ss_size == before->ss_size && now.ss_flags == before->ss_flags;
}

#endif
