#include "state.h"

#include <string.h>

#include "error.h"

struct library_state library_state;

/* Written once, before the state is: whoever reads ZIG_H3_ERR_FATAL may read the text. */
static char fatal_text[512] = "the engine has died of a fault of its own";
static atomic_flag fatal_once = ATOMIC_FLAG_INIT;

void state_fatal(const char *text, size_t len)
{
    if (atomic_flag_test_and_set(&fatal_once))
        return;
    if (len > sizeof fatal_text - 1)
        len = sizeof fatal_text - 1;
    if (len > 0) {
        memcpy(fatal_text, text, len);
        fatal_text[len] = 0;
    }
    int32_t fine = STATE_FINE;
    atomic_compare_exchange_strong(&library_state.now, &fine, ZIG_H3_ERR_FATAL);
}

int32_t state_check(void)
{
    const int32_t state = state_of(memory_order_acquire);
    if (state == 0)
        return 0;
    return error_set(state, state == ZIG_H3_ERR_FATAL ? fatal_text : "called in a forked child: the engine's threads are not there");
}
