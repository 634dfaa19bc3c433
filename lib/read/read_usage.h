#ifndef TG_READ_READ_USAGE_H
#define TG_READ_READ_USAGE_H

#include "lib/core/contract.h"
#include "lib/core/limit.h"
#include "lib/read/read.h"

/*
 * How much of each limit is used. Reads the windows, consumes nothing. Owner: the arena given;
 * limits are borrowed from the question.
 */

struct usage_question {
    struct slice holder, subject; /* of the windows; subject: a user or client, else empty */
    const struct limit *limits;   /* those in force */
    size_t count;
};

struct usage_row {
    struct slice user; /* of a user's limit */
    const struct limit *limit;
    uint64_t used, room;
    uint64_t percent;   /* may be more than 100: in observe mode, or with a lowered limit */
    int64_t reopens_ms; /* when one more fits: 0 now, -1 never */
    bool has_forecast;  /* of read_forecast.h */
    int64_t over_s;     /* then: when it will be full, as forecast_reaches_s says */
};

struct usage_rows {
    struct usage_row *list;
    size_t count;
    int64_t now_ms; /* the store's */
};

/* The limits of the holder itself, then those of each of the users. */
int read_usage(struct reader *r, const struct usage_question *q, const struct name_list *users,
               struct arena *arena, struct usage_rows *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 4, 5, 6);

/* Windows of any holders, each with its limit, into one row each. *now_ms is the store's. */
struct window_question;
int read_usage_windows(struct reader *r, const struct window_question *questions, size_t count,
                       struct usage_row *rows, int64_t *now_ms, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 4, 5);

/* The users of a domain who may be nearest to a limit of theirs, by what was counted for them in
 * its window: at most `most`, in no order. */
int read_usage_busiest(struct reader *r, const struct usage_question *q, int64_t now_s, size_t most,
                       struct arena *arena, struct name_list *out, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 5, 6, 7);

/* Of which of these domains a user may have used so much (percent) of a limit: a user has no more
 * than what was counted for the domain in the limit's window. One trip for many of them. */
int read_usage_may_be_over(struct reader *r, const struct usage_question *questions, size_t count,
                           uint64_t percent, int64_t now_s, struct arena *arena, bool *may,
                           struct err *err) TG_MUST_USE TG_NONNULL(1, 6, 7);

/* The fullest first. */
int read_usage_compare(const struct usage_row *a, const struct usage_row *b) TG_NONNULL(1, 2);

#endif
