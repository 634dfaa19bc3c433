#include "collect/pushing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "config.h"

#include "collect/alarm.h"
#include "collect/feed.h"
#include "collect/gap_push.h"
#include "collect/notes.h"
#include "collect/streams.h"
#include "lib/ledger/learn.h"
#include "lib/ledger/ledger_share.h"
#include "lib/ledger/push.h"
#include "lib/ledger/push_report.h"
#include "lib/ledger/push_schema.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/log_limit.h"

#define BUDGET_MS     200
#define PAUSE_MS      1000 /* after a problem with Redis */
#define RETRY_MS      20
#define CLAIMS_BYTES  ((size_t)1 << 20)
#define SOURCES_BYTES ((size_t)1 << 16)

struct pushing {
    struct collect_db *db;
    struct store *store;
    struct push *push;
    struct gap_push *gaps;
    struct records *records;
    struct streams *streams;
    struct alarm *alarm;
    struct push_now now;
    struct buf sources; /* their names, for the hash */
    struct buf notes;   /* what they lack */
    struct buf through; /* up to where each is read */
    char queue[24];     /* messages in it; "": not known */
    struct string_list names;
    int64_t next_ms; /* monotonic */
    void (*resumed)(void *context);
    void *context;
    struct push_report report;
    struct log_problem store_problem, alarm_problem;
};

/* --- resuming ----------------------------------------------------------------------------------
 */

/* Where a log is to be read on: at the place that the other ledger has claimed, where this log has
 * it; else where this ledger was at its base. False: neither is known. */
static bool place_find(struct slice claimed, struct slice base, const char *name, struct buf *out)
{
    buf_reset(out);
    if (feed_claimed(claimed, slice_str(name), out) && feed_fits(name, buf_slice(out)))
        return true;
    buf_reset(out);
    return feed_claimed(base, slice_str(name), out);
}

static int source_resume(struct pushing *p, const char *name, const struct push_resume *from,
                         struct slice base, struct err *err)
{
    struct collect_source saved;
    struct buf place;
    int rc;

    buf_init(&place, CLAIMS_BYTES);
    rc = collect_db_source(p->db, slice_str(name), &saved, err);
    if (rc == 1 && place_find(from->source, base, name, &place)) {
        saved.position = buf_slice(&place);
        saved.reader = SLICE_NONE;
        saved.to_ms = from->counted_through * 1000;
        rc = collect_db_source_set(p->db, &saved, err);
    }
    if (rc >= 0)
        rc = collect_db_gap_add(
            p->db,
            &(struct collect_gap){
                0, slice_str(name), from->pushed_through * 1000, from->counted_through * 1000, 0,
                SLICE("the collector's ledger was restored or copied: sessions of that time may "
                      "be counted in part")},
            NULL, err);
    buf_fini(&place);
    return rc < 0 ? -1 : 0;
}

static int resume(void *context, const struct push_resume *from, struct err *err)
{
    struct pushing *p = context;
    struct buf base;
    int rc;

    buf_init(&base, CLAIMS_BYTES);
    rc = ledger_source_base(collect_db_ledger(p->db), &base, err);
    for (size_t i = 0; rc == 0 && i < p->names.count; i++)
        rc = source_resume(p, p->names.items[i], from, buf_slice(&base), err);
    if (rc == 0)
        rc = collect_db_open_forget(p->db, err);
    if (rc == 0)
        rc = records_copied(p->records, err);
    buf_fini(&base);
    if (rc == 0)
        p->resumed(p->context);
    return rc;
}

/* --- one to make, one to free ------------------------------------------------------------------
 */

static int run_begin(struct collect_db *db, const char *dir, struct identity *id, struct err *err)
{
    struct ledger *l = collect_db_ledger(db);
    uint64_t number = ledger_meta(l)->position.number;

    if (identity_read(dir, id, err) < 0)
        return -1;
    return ledger_run_begin(l, slice_str(id->run), number > 0 ? number : 1, err);
}

/* What goes to Redis besides the rows. */
static int open_lists(struct pushing *p, const struct settings *s, struct err *err)
{
    const char *prefix = s->store.prefix;

    p->gaps = gap_push_new(prefix, s->node, p->db, p->store, err);
    p->records = records_new(p->db, err);
    if (p->gaps == NULL || p->records == NULL)
        return -1;
    p->streams = streams_new(prefix, s->node, collect_db_ledger(p->db), p->records, p->store, err);
    p->alarm = alarm_new(s, p->records, p->store, err);
    return p->streams == NULL || p->alarm == NULL ? -1 : 0;
}

static int open_parts(struct pushing *p, const struct settings *s, const char *dir, struct err *err)
{
    struct push_config config = {.program = PUSH_COLLECTOR,
                                 .resume = resume,
                                 .context = p,
                                 .prefix = s->store.prefix,
                                 .version = PACKAGE_VERSION,
                                 .timezone = s->timezone,
                                 .watch_ms = LEARN_WATCH_MS,
                                 .started_s = clock_unix_ms() / 1000,
                                 .scrub_ms = SCRUB_MS,
                                 .keep = push_keep(s),
                                 .seal_after_s = PUSH_SEAL_AFTER_S};
    struct push_schema schema;

    if (run_begin(p->db, dir, &config.identity, err) < 0)
        return -1;
    p->store = store_new(s, err);
    if (p->store == NULL)
        return -1;
    /* A store that counts otherwise is found at the start, if it answers by then. */
    schema = (struct push_schema){p->store, s->store.prefix, s->timezone};
    if (push_schema_check(&schema, err) < 0 && err->code == EX_CONFIG)
        return -1;
    p->push = push_new(&config, collect_db_ledger(p->db), p->store, err);
    return p->push == NULL ? -1 : open_lists(p, s, err);
}

struct pushing *pushing_new(const struct settings *s, const char *dir, struct collect_db *db,
                            void (*resumed)(void *context), void *context, struct err *err)
{
    struct pushing *p = calloc(1, sizeof *p);

    if (p == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    *p = (struct pushing){.db = db,
                          .names = s->collect.sources,
                          .resumed = resumed,
                          .context = context,
                          .store_problem = {"redis cannot be written", "redis is written again",
                                            LOG_WARNING, .times = 0},
                          .alarm_problem = {"the ledger cannot be written, anomalies wait",
                                            "anomalies are told again", LOG_ERR, .times = 0}};
    push_report_init(&p->report);
    buf_init(&p->sources, SOURCES_BYTES);
    buf_init(&p->notes, SOURCES_BYTES);
    buf_init(&p->through, SOURCES_BYTES);
    for (size_t i = 0; i < p->names.count; i++)
        buf_addf(&p->sources, "%s%s", i > 0 ? " " : "", p->names.items[i]);
    if (open_parts(p, s, dir, err) == 0)
        return p;
    pushing_free(p);
    return NULL;
}

void pushing_free(struct pushing *p)
{
    if (p == NULL)
        return;
    alarm_free(p->alarm);
    streams_free(p->streams);
    records_free(p->records);
    gap_push_free(p->gaps);
    push_free(p->push);
    store_free(p->store);
    buf_fini(&p->sources);
    buf_fini(&p->notes);
    buf_fini(&p->through);
    free(p);
}

void pushing_reload(struct pushing *p, const struct settings *s)
{
    alarm_reload(p->alarm, s);
}

/* --- steps -------------------------------------------------------------------------------------
 */

/* Of those that have ever been read. */
static int through_take(struct pushing *p, struct err *err)
{
    struct collect_source saved;

    buf_reset(&p->through);
    for (size_t i = 0; i < p->names.count; i++) {
        int rc = collect_db_source(p->db, slice_str(p->names.items[i]), &saved, err);

        if (rc < 0)
            return -1;
        if (rc > 0)
            buf_addf(&p->through, "%" PRId64 " %s\n", saved.to_ms / 1000, p->names.items[i]);
    }
    return 0;
}

void pushing_queue(struct pushing *p, bool is_known, uint64_t messages)
{
    p->queue[0] = '\0';
    if (is_known)
        (void)snprintf(p->queue, sizeof p->queue, "%" PRIu64, messages);
}

static int now_take(struct pushing *p, int64_t through_ms, struct err *err)
{
    struct collect_totals totals;
    uint64_t signs;

    if (collect_db_totals(p->db, &totals, err) < 0 || collect_db_signs(p->db, &signs, err) < 0 ||
        through_take(p, err) < 0)
        return -1;
    buf_reset(&p->notes);
    notes_text(signs, &p->notes);
    p->now = (struct push_now){.now_s = clock_unix_ms() / 1000,
                               .counted_through = through_ms / 1000,
                               .is_caught_up = true,
                               .gauges = {[PUSH_LINES] = totals.lines,
                                          [PUSH_GAPS] = totals.gaps,
                                          [PUSH_LOST_ENDS] = totals.lost_ends,
                                          [PUSH_LOG_FROM] = (uint64_t)(totals.from_ms / 1000)},
                               .texts = {[PUSH_SOURCES] = buf_slice(&p->sources),
                                         [PUSH_NOTES] = buf_slice(&p->notes),
                                         [PUSH_SOURCES_THROUGH] = buf_slice(&p->through),
                                         [PUSH_QUEUE] = slice_str(p->queue)}};
    return 0;
}

/* 1: more at once; 0; -1. */
static int lists_step(struct pushing *p, struct err *err)
{
    int gaps = gap_push_step(p->gaps, err);
    int entries = gaps < 0 ? -1 : streams_step(p->streams, err);
    int limits = entries < 0 ? -1 : alarm_act(p->alarm, err);

    return limits < 0 ? -1 : gaps > 0 || entries > 0 || limits > 0;
}

/* 1: more at once; 0; -1: Redis, or the ledger. */
static int step(struct pushing *p, int64_t through_ms, int64_t budget_ms)
{
    struct err e;
    int rc = now_take(p, through_ms, &e), lists;

    if (rc == 0)
        rc = push_step(p->push, &p->now, budget_ms, &e);
    if (push_report_take(&p->report, push_findings(p->push), store_where(p->store)))
        streams_look(p->streams);
    lists = rc < 0 ? -1 : lists_step(p, &e);
    if (lists < 0) {
        log_problem_raise(&p->store_problem, &e, clock_monotonic_ms());
        p->next_ms = clock_monotonic_ms() + PAUSE_MS;
        return -1;
    }
    log_problem_clear(&p->store_problem);
    return rc > 0 || lists > 0;
}

/* Needs no Redis. */
static int tell(struct pushing *p)
{
    struct err e;
    int rc = alarm_tell(p->alarm, &e);

    if (rc < 0)
        log_problem_raise(&p->alarm_problem, &e, clock_monotonic_ms());
    else
        log_problem_clear(&p->alarm_problem);
    return rc;
}

bool pushing_run(struct pushing *p, int64_t through_ms)
{
    bool has_more = tell(p) == ALARM_MORE;

    if (clock_monotonic_ms() < p->next_ms || !store_is_worth_trying(p->store))
        return has_more;
    return step(p, through_ms, BUDGET_MS) > 0 || has_more;
}

bool pushing_finish(struct pushing *p, int64_t through_ms, int64_t wait_ms, bool is_last)
{
    int64_t until_ms = clock_monotonic_ms() + wait_ms, left_ms;
    int told = ALARM_MORE, more = 1;

    push_finish(p->push, is_last);
    while ((!push_is_finished(p->push) || more != 0 || told != ALARM_DONE) &&
           (left_ms = until_ms - clock_monotonic_ms()) > 0) {
        told = tell(p);
        more = step(p, through_ms, left_ms);
        if (more < 0 || told == ALARM_WAITS)
            clock_sleep_ms(RETRY_MS);
    }
    if (ledger_dirty_rows(collect_db_ledger(p->db)) > 0)
        log_event(LOG_NOTICE, "rows left to push at the next start",
                  LOG_NUM("rows", ledger_dirty_rows(collect_db_ledger(p->db))));
    return push_is_finished(p->push) && more == 0;
}
