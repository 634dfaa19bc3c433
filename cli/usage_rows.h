#ifndef TG_CLI_USAGE_ROWS_H
#define TG_CLI_USAGE_ROWS_H

#include "lib/core/contract.h"
#include "lib/read/read_usage.h"
#include "lib/sys/table.h"

/* How much of each limit is used, as rows: for `usage`, `top` and `why`. */

#define USAGE_USER 0 /* the column of the user */
extern const struct table_column usage_columns[];
extern const size_t usage_column_count;
void usage_add_row(struct table *list, const struct usage_row *row, int64_t now_ms, bool utf8)
    TG_NONNULL(1);

#endif
