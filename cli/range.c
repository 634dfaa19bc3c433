#include "cli/range.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/ledger/row_sums.h"
#include "lib/read/read_remarks.h"
#include "lib/sys/clock.h"

static int parse_end(const char *option, const char *text, time_t now, time_t *start, time_t *end,
                     struct err *err)
{
    if (period_date_parse(slice_str(text), now, start, end, err) == 0)
        return 0;
    return cli_bad_value(err, option, text);
}

static void to_hours(struct range *r)
{
    r->time.from = period_start(PERIOD_HOUR, r->time.from);
    r->time.to = period_end(PERIOD_HOUR, r->time.to - 1);
}

int range_parse(struct range *r, const char *from, const char *to, bool hours, struct err *err)
{
    enum period_kind kind = hours ? PERIOD_HOUR : PERIOD_DAY;
    time_t unused;

    r->time.now = (time_t)(clock_unix_ms() / 1000);
    r->time.hours = hours;
    r->time.hours_kept_s = HOUR_KEPT_S;
    r->time.days_kept_s = DAY_KEPT_S;
    r->time.to = period_end(PERIOD_DAY, r->time.now);
    if (from != NULL && parse_end("--from", from, r->time.now, &r->time.from, &unused, err) != 0)
        return -1;
    if (to != NULL && parse_end("--to", to, r->time.now, &unused, &r->time.to, err) != 0)
        return -1;
    if (from == NULL)
        r->time.from = period_start(PERIOD_MONTH, r->time.to - 1);
    if (r->time.from >= r->time.to)
        return err_set(err, EX_USAGE, "--from %s is later than --to %s", from,
                       to != NULL ? to : "today");
    if (hours)
        to_hours(r);
    period_name(kind, r->time.from, r->from_text);
    period_name(kind, r->time.to - 1, r->to_text);
    return 0;
}

int range_complete(struct cli *cli, const struct range *r, struct arena *arena, bool *complete,
                   struct slice *note, struct err *err)
{
    struct node_infos nodes;

    if (read_node_infos(&cli->reader, arena, &nodes, err) != 0)
        return -1;
    return read_remarks_complete(&nodes, r->time.to, r->time.now, arena, complete, note, err);
}
