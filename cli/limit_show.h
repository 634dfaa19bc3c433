#ifndef TG_CLI_LIMIT_SHOW_H
#define TG_CLI_LIMIT_SHOW_H

#include "cli/cli.h"
#include "lib/admin/holder.h"
#include "lib/core/contract.h"
#include "lib/read/read_usage.h"

/* What limits hold, as text and JSON: for `tollgate limit show` and `tollgate plan show`. */

/* `used`: its own rows, for forecasts; none: those are not shown. */
int limit_show(const struct setup *s, const struct holder *h, const struct holder_limits *l,
               const struct usage_rows *used, int64_t now_s, bool json) TG_NONNULL(1, 2, 3, 4);
/* On which day limits of a month will be full, a line each behind an empty one. */
void limit_show_forecasts(const struct usage_rows *rows, struct buf *b) TG_NONNULL(1, 2);
/* The limits of a plan, as table. */
int limit_show_plan(const struct plan *plan) TG_NONNULL(1);
/* Plans and their limits, as JSON. */
int limit_show_plans_json(const struct plan *plans, size_t count);
/* "Now: 600 recipients per hour", of all limits of that name. */
void limit_show_name(const struct holder_limits *l, const struct holder *h,
                     const struct limit *name, struct buf *b) TG_NONNULL(1);
/* Lines `name  value` about the holder: hosted, plan, mode, exempt. */
void limit_show_head(const struct setup *s, const struct holder *h, const struct holder_limits *l,
                     struct buf *b) TG_NONNULL(1);

/* "in force", "ended" ...: what an override does at that time. */
const char *limit_show_state(const struct holder *h, const struct limit *o, int64_t now_s)
    TG_NONNULL(1, 2);

#endif
