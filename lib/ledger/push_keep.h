#ifndef TG_LEDGER_PUSH_KEEP_H
#define TG_LEDGER_PUSH_KEEP_H

#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"
#include "lib/sys/settings.h"

/* How long rows are kept after the end of their periods (store.keep_*). Months and totals are kept
 * for ever. Units: seconds. */
struct push_keep {
    int64_t hours_s, days_s, users_days_s;
};

struct push_keep push_keep(const struct settings *s) TG_NONNULL(1);
/* When the row may go; 0: never. */
int64_t push_keep_until(const struct push_keep *keep, const struct row *row) TG_NONNULL(1, 2);

#endif
