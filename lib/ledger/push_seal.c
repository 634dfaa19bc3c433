#include "lib/ledger/push_seal.h"

#include "lib/core/period.h"

static bool is_over(const struct push_seal *s, const struct row *row)
{
    enum period_kind kind;
    time_t start;

    return row->key.kind != ROW_TOTAL && period_parse(row->key.period, &kind, &start) &&
           (int64_t)period_end(kind, start) < s->before_s;
}

enum push_seal_step push_seal_step(const struct push_seal *s, const struct row *row)
{
    if (!s->is_wanted || !row->is_present || row->dirty != ROW_CLEAN ||
        row->key.account.ptr[0] == '@')
        return PUSH_SEAL_NOT;
    if (row->is_final)
        return s->is_synced ? PUSH_SEAL_PUT_IN : PUSH_SEAL_NOT;
    return is_over(s, row) ? PUSH_SEAL_FINISH : PUSH_SEAL_NOT;
}
