#include "cli/range.h"

#include "lib/ledger/row_sums.h"
#include "lib/sys/clock.h"

int range_parse(struct range *r, const char *from, const char *to, bool hours, struct err *err)
{
    struct range_words words = {.from = slice_str(from),
                                .to = slice_str(to),
                                .from_name = "--from",
                                .to_name = "--to",
                                .hours = hours};

    r->time.now = (time_t)(clock_unix_ms() / 1000);
    r->time.hours_kept_s = HOUR_KEPT_S;
    r->time.days_kept_s = DAY_KEPT_S;
    return read_range_parse(r, &words, err);
}
