#ifndef TG_READ_READ_USAGE_ROWS_H
#define TG_READ_READ_USAGE_ROWS_H

#include "lib/core/contract.h"
#include "lib/read/read_usage.h"
#include "lib/sys/table.h"

/* How much of each limit is used, as rows: for `usage`, `top` and `why`. */

#define READ_USAGE_USER    0  /* the column of the user */
#define READ_USAGE_OVER_AT 11 /* of the forecast, which tables do not have */
extern const struct table_column read_usage_columns[];
extern const size_t read_usage_column_count;
/* A sentence for people, "domain/bytes/month will be full on 2026-11-24 ...", where the row has a
 * forecast that says so, or where that of the holder itself could not be made. The user's name is
 * as it came. */
void read_usage_add_forecast(const struct usage_row *row, struct buf *b) TG_NONNULL(1, 2);
/* "full" (at over_s), "no" (not in this month), "unknown"; "": there is none. */
const char *read_usage_forecast(const struct usage_row *row) TG_NONNULL(1);
void read_usage_add_row(struct table *list, const struct usage_row *row, int64_t now_ms, bool utf8)
    TG_NONNULL(1);
/* In a table whose columns `first` and on are these. */
void read_usage_add_row_at(struct table *list, size_t first, const struct usage_row *row,
                           int64_t now_ms, bool utf8) TG_NONNULL(1, 3);

#endif
