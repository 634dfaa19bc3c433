#ifndef TG_SYS_TROUBLE_H
#define TG_SYS_TROUBLE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/err.h"

/*
 * A trouble that may last: logged when it begins, then once a minute, and once when it is over.
 * Units: ms of the monotonic clock.  Threads: one.
 */

struct trouble {
    const char *event; /* "redis cannot be written" */
    const char *over;  /* logged at its end; NULL: it has none */
    int level;
    bool is_on;
    uint64_t times; /* since it was logged last */
    int64_t raised_ms, log_next_ms;
    char text[512];
};

void trouble_raise(struct trouble *t, const struct err *e, int64_t now_ms);
void trouble_clear(struct trouble *t);
/* For what has no end of its own: clears it when it was not raised for `quiet_ms`. */
void trouble_settle(struct trouble *t, int64_t now_ms, int64_t quiet_ms);

#endif
