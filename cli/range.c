#include "cli/range.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/ledger/row_sums.h"
#include "lib/sys/clock.h"

#define DAY_S  86400
#define LATE_S 120 /* a node that is further behind than this is worth naming */

static int parse_end(const char *option, const char *text, time_t now, time_t *start, time_t *end,
                     struct err *err)
{
    if (period_date_parse(slice_str(text), now, start, end, err) == 0)
        return 0;
    return cli_bad_value(err, option, text);
}

static void to_hours(struct range *r)
{
    r->from = period_start(PERIOD_HOUR, r->from);
    r->to = period_end(PERIOD_HOUR, r->to - 1);
}

int range_parse(struct range *r, const char *from, const char *to, bool hours, struct err *err)
{
    enum period_kind kind = hours ? PERIOD_HOUR : PERIOD_DAY;
    time_t unused;

    r->now = (time_t)(clock_unix_ms() / 1000);
    r->hours = hours;
    r->to = period_end(PERIOD_DAY, r->now);
    if (from != NULL && parse_end("--from", from, r->now, &r->from, &unused, err) != 0)
        return -1;
    if (to != NULL && parse_end("--to", to, r->now, &unused, &r->to, err) != 0)
        return -1;
    if (from == NULL)
        r->from = period_start(PERIOD_MONTH, r->to - 1);
    if (r->from >= r->to)
        return err_set(err, EX_USAGE, "--from %s is later than --to %s", from,
                       to != NULL ? to : "today");
    if (hours)
        to_hours(r);
    period_name(kind, r->from, r->from_text);
    period_name(kind, r->to - 1, r->to_text);
    return 0;
}

static int gone(const struct stored_period *c, struct err *err)
{
    if (c->kind == PERIOD_HOUR)
        return err_set(err, EX_USAGE,
                       "hours are kept for %d days, and %s is older; ask for days or months",
                       (int)(HOUR_KEPT_S / DAY_S), c->name);
    return err_set(err, EX_USAGE,
                   "days are kept for %d days, and %s is older; ask for whole months, which are "
                   "kept for ever",
                   (int)(DAY_KEPT_S / DAY_S), c->name);
}

int range_cover(const struct range *r, time_t from, time_t to, struct arena *arena,
                struct stored_periods *out, struct err *err)
{
    if (period_range_stored(from, to, r->now, r->hours, arena, out, err) != 0)
        return -1;
    for (size_t i = 0; i < out->count; i++) {
        const struct stored_period *c = &out->items[i];
        time_t kept = (time_t)(c->kind == PERIOD_DAY ? DAY_KEPT_S : HOUR_KEPT_S);

        if (c->kind != PERIOD_MONTH && c->end + kept <= r->now)
            return gone(c, err);
    }
    return 0;
}

static void note_set(struct slice *note, struct arena *arena, const struct buf *b)
{
    *note = arena_copy(arena, buf_slice(b));
}

static void add_time(struct buf *b, int64_t unix_s)
{
    time_t t = (time_t)unix_s;
    char text[64] = "";
    struct tm tm;

    if (localtime_r(&t, &tm) != NULL)
        (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %Z", &tm);
    buf_add_str(b, text);
}

static void note_add(const struct range *r, const struct node_infos *nodes, struct buf *b)
{
    const struct node_info *last = read_node_infos_last(nodes);
    const char *lead = r->to > r->now ? "So far" : "Incomplete";

    if (last == NULL) {
        buf_addf(b, "%s: no node has ever reported to this store.", lead);
    } else if (last->pushed_through == 0) {
        buf_addf(b, "%s: the node %.*s does not report until when it has counted.", lead,
                 SLICE_FMT(last->name));
    } else if (r->to > r->now && last->pushed_through + LATE_S >= r->now) {
        buf_addf(b, "%s: counted until ", lead);
        add_time(b, last->pushed_through);
        buf_add_char(b, '.');
    } else {
        buf_addf(b, "%s: the node %.*s has reported its counters only until ", lead,
                 SLICE_FMT(last->name));
        add_time(b, last->pushed_through);
        buf_add_str(b, " (see `tollgate doctor').");
    }
}

int range_complete(struct cli *cli, const struct range *r, struct arena *arena, bool *complete,
                   struct slice *note, struct err *err)
{
    struct node_infos nodes;
    const struct node_info *last;
    struct buf b;

    *note = SLICE_NONE;
    if (read_node_infos(&cli->reader, arena, &nodes, err) != 0)
        return -1;
    last = read_node_infos_last(&nodes);
    *complete = last != NULL && r->to <= r->now && last->pushed_through >= r->to;
    if (*complete)
        return 0;
    buf_init(&b, 1024);
    note_add(r, &nodes, &b);
    note_set(note, arena, &b);
    buf_fini(&b);
    return 0;
}
