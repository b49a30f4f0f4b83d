/* Gives a public function its second name, the one with the suffix _v1. */
#ifndef CAPI_VERSIONED_H
#define CAPI_VERSIONED_H

#if defined(__APPLE__)
#define VERSIONED(name) __asm__(".globl _" #name "_v1\n.set _" #name "_v1, _" #name "\n")
#else
#define VERSIONED(name) extern __typeof__(name) name##_v1 __attribute__((alias(#name), visibility("default")))
#endif

#endif
