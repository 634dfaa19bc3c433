#ifndef TG_READ_READ_FORECAST_H
#define TG_READ_READ_FORECAST_H

#include "lib/core/contract.h"
#include "lib/read/read_usage.h"

/*
 * When limits of a month will be full, from what was counted on the days before. Of domains and
 * their users; the limits of the server, of clients and of customers get no forecast.
 *
 * Owner: holders and rows are the caller's.  Errors: those of read.h.
 */

struct forecast_question {
    struct slice holder;
    struct usage_row *row; /* whose has_forecast and over_s are set */
};

/* Rows that get no forecast, and those that are full, stay as they are. */
int read_forecast(struct reader *r, const struct forecast_question *questions, size_t count,
                  int64_t now_s, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* What mail counts for a limit of that metric: its counters of traffic. */
void read_forecast_counters(enum limit_metric metric, struct counter_list *out) TG_NONNULL(2);

#endif
