#ifndef TG_COLLECT_ZONE_RULE_H
#define TG_COLLECT_ZONE_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * The rule at the end of a compiled zone, in the form of POSIX's TZ: "CET-1CEST,M3.5.0,M10.5.0/3".
 */

struct zone_day {
    enum { ZONE_DAY_MONTH, ZONE_DAY_JULIAN, ZONE_DAY_ZERO } kind; /* Mm.w.d, Jn, n */
    int month, week, day;
    int64_t time_s; /* on the clocks before the change */
};

struct zone_rule {
    bool has_summer;
    int64_t winter_s, summer_s; /* east of UTC */
    struct zone_day start, end; /* of summer time */
};

/* False: not such a rule. */
bool zone_rule_parse(struct slice text, struct zone_rule *rule) TG_NONNULL(2);
int64_t zone_rule_offset(const struct zone_rule *rule, int64_t time_s) TG_NONNULL(1);

#endif
