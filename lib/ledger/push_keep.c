#include "lib/ledger/push_keep.h"

#include "lib/ledger/row_sums.h"

struct push_keep push_keep(const struct settings *s)
{
    return (struct push_keep){.hours_s = s->store.keep_hours_ms / 1000,
                              .days_s = s->store.keep_days_ms / 1000,
                              .users_days_s = s->store.keep_users_days_ms / 1000};
}

int64_t push_keep_until(const struct push_keep *keep, const struct row *row)
{
    if (row->expires_s == 0)
        return 0;
    switch (row->key.kind) {
    case ROW_HOUR:
        return row->expires_s - HOUR_KEPT_S + keep->hours_s;
    case ROW_DAY:
        return row->expires_s - DAY_KEPT_S + keep->days_s;
    case ROW_USERS_DAY:
        return row->expires_s - DAY_KEPT_S + keep->users_days_s;
    case ROW_TOTAL:
    case ROW_MONTH:
    case ROW_USERS_MONTH:
        break;
    }
    return 0;
}
