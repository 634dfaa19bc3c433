#include "collect/collect_fold.h"

#include <stdlib.h>
#include <sysexits.h>

#include "collect/machines.h"
#include "collect/notes.h"
#include "lib/ledger/ledger_share.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define ROUND_LINES  256  /* of one log, before the next gets its turn */
#define PAUSE_MS     1000 /* after a problem */
#define QUIET_MS     60000
#define CLAIMS_BYTES ((size_t)1 << 20)

/* --- loading -----------------------------------------------------------------------------------
 */

static int feeds_load(struct collect_fold *r, struct err *err)
{
    int64_t now_ms = clock_unix_ms();

    for (size_t i = 0; i < r->parts.source_count; i++) {
        if (!r->feeds[i].is_stopped && feed_load(&r->feeds[i], r->parts.db, now_ms, err) < 0)
            return -1;
        r->must_save = r->must_save || r->feeds[i].is_new;
    }
    return 0;
}

static int book_load(struct collect_fold *r, struct err *err)
{
    uint64_t unreadable = 0;

    open_free(r->machine.open);
    r->machine.open = open_new();
    if (r->machine.open == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    machines_types(&r->machine);
    if (collect_db_open_load(r->parts.db, r->machine.open, &unreadable, err) < 0)
        return -1;
    if (unreadable > 0)
        log_event(LOG_WARNING, "what was open is of another version and is not known any more",
                  LOG_NUM("entries", unreadable));
    return 0;
}

static void fold_begin(struct collect_fold *r)
{
    uint64_t number = ledger_meta(collect_db_ledger(r->parts.db))->position.number;

    counts_reset(&r->counts, number > 0 ? number : 1);
    owners_reset(&r->owners);
    r->owners.failed = false;
    r->machine.lost_ends = 0;
    r->lines = 0;
}

/* All as the ledger has it. */
static int load(struct collect_fold *r, struct err *err)
{
    r->must_load = true;
    if (book_load(r, err) < 0 || feeds_load(r, err) < 0 ||
        collect_db_signs(r->parts.db, &r->signs, err) < 0)
        return -1;
    r->must_load = false;
    fold_begin(r);
    return 0;
}

int collect_fold_init(struct collect_fold *r, const struct collect_fold_parts *parts,
                      const struct hosted *hosted, struct err *err)
{
    *r = (struct collect_fold){
        .parts = *parts,
        .log_problem = {"a log cannot be read", "the log is read again", LOG_ERR, .times = 0},
        .ledger_problem = {"the ledger cannot be written", "the ledger is written again", LOG_ERR,
                           .times = 0},
        .source_problem = {"a source of the hosted domains does not answer, reading waits",
                           "reading goes on", LOG_WARNING, .times = 0}};
    r->feeds = calloc(parts->source_count + 1, sizeof *r->feeds);
    r->names = calloc(parts->source_count + 1, sizeof *r->names);
    r->kept = calloc(parts->source_count + 1, sizeof *r->kept);
    r->twins = calloc(1, sizeof *r->twins);
    if (r->feeds == NULL || r->names == NULL || r->kept == NULL || r->twins == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < parts->source_count; i++) {
        r->names[i] = slice_str(parts->sources[i]);
        feed_init(&r->feeds[i], parts->setup, parts->sources[i], (unsigned)i);
    }
    owners_init(&r->owners, hosted);
    counts_init(&r->counts, &parts->sums, parts->node_account, r->names);
    r->sink = counts_sink(&r->counts);
    r->machine = (struct machine){.rules = parts->rules, .owners = &r->owners, .sink = &r->sink};
    return load(r, err);
}

void collect_fold_fini(struct collect_fold *r)
{
    if (r->names == NULL)
        return;
    for (size_t i = 0; i < r->parts.source_count; i++)
        feed_fini(&r->feeds[i]);
    free(r->feeds);
    free(r->names);
    free(r->kept);
    free(r->twins);
    open_free(r->machine.open);
    counts_fini(&r->counts);
    owners_fini(&r->owners);
}

/* --- lines -------------------------------------------------------------------------------------
 */

/* Both would count the same lines. */
static void stop_twin(struct collect_fold *r, struct feed *f, unsigned other)
{
    f->is_stopped = r->must_save = true;
    log_event(LOG_ERR,
              "two logs have the same lines, which would count twice: one of them is not read any "
              "more; remove it from collect.sources",
              LOG_STR("stopped", f->name), LOG_STR("same_as", r->feeds[other].name));
}

static void line_take(struct collect_fold *r, struct feed *f, const struct feed_line *l)
{
    const struct log_line *line = &l->reading.line;
    unsigned other;

    r->lines++;
    if (!l->is_read) {
        shapes_add_formless(&r->shapes);
        return;
    }
    if (l->reading.is_silent) {
        shapes_add_silent(&r->shapes);
        return;
    }
    if (r->parts.source_count > 1 && twins_find(r->twins, line, &other)) {
        stop_twin(r, f, other);
        return;
    }
    if (l->reading.warn_future)
        log_event(LOG_WARNING, "lines of the future count as written now: see the clocks",
                  LOG_STR("log", f->name));
    if (l->has_gap)
        r->sink.gap(r->sink.to, &l->gap);
    notes_line(&r->signs, line);
    shapes_add(&r->shapes, line, machines_line(&r->machine, line));
}

static void feed_failed(struct collect_fold *r, const struct feed *f)
{
    struct err e = f->err;

    (void)err_prefix(&e, "%s", f->name);
    log_problem_raise(&r->log_problem, &e, clock_monotonic_ms());
}

/* A round of one log: true where it has more; *bytes of lines were read. */
static bool feed_round(struct collect_fold *r, struct feed *f, size_t *bytes)
{
    int64_t now_ms = clock_unix_ms();
    struct feed_line line;

    for (int i = 0; i < ROUND_LINES; i++) {
        if (feed_next(f, now_ms, &line) == FEED_NOTHING) {
            if (f->has_failed)
                feed_failed(r, f);
            return false;
        }
        *bytes += line.bytes.len;
        line_take(r, f, &line);
        if (r->owners.failed || r->counts.failed)
            return false;
    }
    return true;
}

/* True: there is more. */
static bool lines_read(struct collect_fold *r)
{
    int64_t until_ms = clock_monotonic_ms() + COLLECT_FOLD_TIME_MS;
    size_t bytes = 0;
    bool has_more;

    do {
        has_more = false;
        for (size_t i = 0; i < r->parts.source_count; i++)
            has_more = feed_round(r, &r->feeds[i], &bytes) || has_more;
    } while (has_more && bytes < COLLECT_FOLD_BYTES && !counts_is_full(&r->counts) &&
             clock_monotonic_ms() < until_ms);
    return has_more;
}

/* Never back, though the end of a log that is new may lie before. */
static void reach(struct collect_fold *r)
{
    int64_t reached_ms = INT64_MAX;

    for (size_t i = 0; i < r->parts.source_count; i++) {
        if (!r->feeds[i].is_stopped && r->feeds[i].to_ms < reached_ms)
            reached_ms = r->feeds[i].to_ms;
    }
    if (reached_ms != INT64_MAX && reached_ms > r->reached_ms)
        r->reached_ms = reached_ms;
}

/* --- the ledger --------------------------------------------------------------------------------
 */

static int feeds_save(struct collect_fold *r, struct buf *claims, struct err *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < r->parts.source_count; i++) {
        if (r->feeds[i].is_stopped)
            continue;
        r->kept[kept++] = r->names[i];
        if (feed_save(&r->feeds[i], r->parts.db, err) < 0 ||
            feed_claim(&r->feeds[i], claims, err) < 0)
            return -1;
    }
    return collect_db_sources_keep(r->parts.db, kept, r->kept, err);
}

/* A fold that found nothing gives no number. */
static int meta_advance(struct collect_fold *r, struct err *err)
{
    struct ledger *l = collect_db_ledger(r->parts.db);
    struct ledger_meta meta = *ledger_meta(l);

    if (!counts_is_empty(&r->counts))
        meta.position.number = r->counts.number + 1;
    if (r->reached_ms > meta.latest_ms)
        meta.latest_ms = r->reached_ms;
    meta.counted_through = r->reached_ms / 1000;
    return ledger_meta_set(l, &meta, err);
}

static int write_all(struct collect_fold *r, struct buf *claims, struct err *err)
{
    struct collect_db *db = r->parts.db;

    if (counts_apply(&r->counts, db, err) < 0 ||
        collect_db_open_save(db, r->machine.open, err) < 0 || feeds_save(r, claims, err) < 0 ||
        collect_db_lines_add(db, r->lines, err) < 0 ||
        collect_db_lost_ends_add(db, r->machine.lost_ends, err) < 0 ||
        collect_db_signs_set(db, r->signs, err) < 0)
        return -1;
    if (claims->failed)
        return err_set(err, EX_OSERR, "out of memory for the positions of the logs");
    if (ledger_source_set(collect_db_ledger(db), buf_slice(claims), err) < 0)
        return -1;
    return meta_advance(r, err);
}

static int commit(struct collect_fold *r, struct err *err)
{
    struct ledger *l = collect_db_ledger(r->parts.db);
    struct buf claims;
    int rc = ledger_begin(l, err);

    buf_init(&claims, CLAIMS_BYTES);
    if (rc == 0)
        rc = write_all(r, &claims, err);
    if (rc == 0)
        rc = ledger_commit(l, err);
    if (rc < 0)
        ledger_rollback(l);
    buf_fini(&claims);
    return rc;
}

/* --- folds -------------------------------------------------------------------------------------
 */

static void drop(struct collect_fold *r, struct log_problem *problem, const struct err *e)
{
    int64_t now_ms = clock_monotonic_ms();
    struct err later;

    log_problem_raise(problem, e, now_ms);
    r->next_ms = now_ms + PAUSE_MS;
    if (load(r, &later) < 0)
        log_problem_raise(problem, &later, now_ms);
}

static bool fold_end(struct collect_fold *r)
{
    struct err e;

    if (r->owners.failed) {
        e = r->owners.err;
        drop(r, &r->source_problem, &e);
        return false;
    }
    if (commit(r, &e) < 0) {
        drop(r, &r->ledger_problem, &e);
        return false;
    }
    open_saved(r->machine.open);
    log_problem_clear(&r->ledger_problem);
    log_problem_clear(&r->source_problem);
    r->must_save = false;
    r->saved_ms = clock_monotonic_ms();
    fold_begin(r);
    return true;
}

static bool is_due(const struct collect_fold *r)
{
    return r->lines > 0 || r->must_save || r->owners.failed || r->counts.failed ||
           clock_monotonic_ms() >= r->saved_ms + COLLECT_FOLD_IDLE_MS;
}

bool collect_fold_run(struct collect_fold *r)
{
    int64_t now_ms = clock_monotonic_ms();
    struct err e;
    bool has_more;

    if (now_ms < r->next_ms)
        return false;
    if (r->must_load && load(r, &e) < 0) {
        drop(r, &r->ledger_problem, &e);
        return false;
    }
    has_more = lines_read(r);
    log_problem_settle(&r->log_problem, now_ms, QUIET_MS);
    reach(r);
    if (!is_due(r))
        return false;
    if (!r->owners.failed)
        machines_tick(&r->machine, r->reached_ms);
    return fold_end(r) && has_more;
}

void collect_fold_reload(struct collect_fold *r)
{
    r->must_load = true;
}

bool collect_fold_is_over(const struct collect_fold *r)
{
    for (size_t i = 0; i < r->parts.source_count; i++) {
        if (!r->feeds[i].is_ended && !r->feeds[i].is_stopped)
            return false;
    }
    return !r->must_load;
}

bool collect_fold_has_problem(const struct collect_fold *r)
{
    return r->log_problem.is_on || r->ledger_problem.is_on || r->source_problem.is_on;
}
