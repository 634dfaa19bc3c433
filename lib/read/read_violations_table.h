#ifndef TG_READ_READ_VIOLATIONS_TABLE_H
#define TG_READ_READ_VIOLATIONS_TABLE_H

#include "lib/core/contract.h"
#include "lib/read/read_violations.h"
#include "lib/sys/table.h"

/* Violations as rows of a listing. */

/* For a table that goes on: with widths that most rows keep to. */
extern const struct table_column read_violations_columns[];
extern const size_t read_violations_column_count;

void read_violations_add_row(struct table *list, const struct violation *v) TG_NONNULL(1);
/* What came of it: "deferred", "would defer", "logged", "soft limit" ... */
const char *read_violations_outcome(const struct violation *v) TG_NONNULL(1);

#endif
