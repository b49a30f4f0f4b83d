/* Fetching a line that is about to be written and that another processor has written last. */
#ifndef CAPI_PREFETCH_H
#define CAPI_PREFETCH_H

/* A compiler for any x86-64 would fetch the line to read it; processors without this instruction pass over it. */
static inline void prefetch_to_write(const void *line)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)line));
#else
    __builtin_prefetch(line, 1);
#endif
}

#endif
