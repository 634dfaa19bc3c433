#ifndef TG_CORE_FORECAST_H
#define TG_CORE_FORECAST_H

#include <stddef.h>
#include <stdint.h>

#include "lib/core/contract.h"

/*
 * When a month's amount reaches a maximum, if what comes is like the last weeks: each day adds what
 * days of its weekday added in the mean, and an hour of it its part of that. Where less than two
 * weeks are known, all days are taken as alike.
 *
 * Units: amounts as the limit's metric; times in Unix seconds, days as in period.h.
 */

#define FORECAST_DAYS    28 /* that are looked at: those before the present one */
#define FORECAST_LEAST   3  /* fewer are no forecast */

#define FORECAST_UNKNOWN INT64_C(-1) /* too few days are known */
#define FORECAST_NOT     INT64_C(0)  /* not in this month */

struct forecast {
    uint64_t amount[FORECAST_DAYS]; /* [0]: yesterday */
    size_t known;                   /* how many of them; what is before was not counted yet */
};

/* Takes all days up to the oldest one that has something as known. */
void forecast_settle(struct forecast *f) TG_NONNULL(1);
/* When `used` grows to `max`, before the month that holds now_s ends; now_s if it has. */
int64_t forecast_reaches_s(const struct forecast *f, uint64_t used, uint64_t max, int64_t now_s)
    TG_NONNULL(1);

#endif
