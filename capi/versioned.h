/* The further names of public functions: the one with the suffix _v1, and those that say the same in other words. */
#ifndef CAPI_VERSIONED_H
#define CAPI_VERSIONED_H

#if defined(__APPLE__)
#define NAMED(name, other) __asm__(".globl _" #other "\n.set _" #other ", _" #name "\n")
#else
#define NAMED(name, other) extern __typeof__(name) other __attribute__((alias(#name), visibility("default")))
#endif

/* Gives a function its second name. */
#define VERSIONED(name) NAMED(name, name##_v1)

/* Lets another function that the header declares be this one. */
#define ALSO(name, other) NAMED(name, other); NAMED(name, other##_v1)

#endif
