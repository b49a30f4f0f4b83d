/* Credit for what came in: the body of a request, the bytes of a stream. */
#ifndef CAPI_INFLOW_H
#define CAPI_INFLOW_H

#include <stdint.h>

#include "../include/zig_h3.h"
#include "handle.h"

/* Tells the engine that n bytes of what came were dealt with. The result of a public call. */
int32_t inflow_consumed(zig_h3_handle handle, enum handle_kind kind, uint64_t n);

#endif
