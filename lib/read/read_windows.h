#ifndef TG_READ_READ_WINDOWS_H
#define TG_READ_READ_WINDOWS_H

#include "lib/core/contract.h"
#include "lib/core/limit.h"
#include "lib/core/window.h"
#include "lib/read/read.h"

/*
 * What windows have consumed: reads the keys that throttle.lua writes, with the store's clock and
 * the same arithmetic, and consumes nothing.
 */

struct window_question {
    struct slice holder, subject; /* subject: the user, else empty */
    const struct limit *limit;    /* its metric and window */
};

struct window_now {
    int64_t now_ms; /* the store's */
    bool is_month;
    struct window rolling;
    uint64_t month_used;
    int64_t month_end_ms;
};

/* -1: EX_UNAVAILABLE, or EX_DATAERR for a key that is not a window. */
int read_windows(struct reader *r, const struct window_question *questions, size_t count,
                 struct window_now *out, struct err *err) TG_MUST_USE TG_NONNULL(1);

uint64_t read_window_used(struct window_now *w) TG_NONNULL(1);
/* In how many ms 1 more fits under max; 0: now; -1: never. */
int64_t read_window_retry_ms(struct window_now *w, uint64_t max) TG_NONNULL(1);

#endif
