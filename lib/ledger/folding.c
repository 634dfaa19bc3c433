#include "lib/ledger/folding.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/ledger/ledger_share.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define PAUSE_MS        1000    /* after a problem with the ledger */
#define DAMAGE_PAUSE_MS 60000   /* the journal may have been repaired */
#define STRAYS_QUIET_MS 1200000 /* then they are over */

void folding_init(struct folding *f, const struct folding_parts *parts)
{
    *f = (struct folding){
        .journal = parts->journal,
        .journal_dir = parts->journal_dir,
        .ledger = parts->ledger,
        .counted_through = ledger_meta(parts->ledger)->counted_through,
        .told_s = ledger_meta(parts->ledger)->counted_through,
        .earliest_s = INT64_MAX,
        .journal_problem = {"accounting has stopped", "accounting goes on", LOG_ERR, .times = 0},
        .ledger_problem = {"the ledger cannot be written", "the ledger is written again", LOG_ERR,
                           .times = 0},
        .strays = {"release of an unknown held message", NULL, LOG_WARNING, .times = 0}};
    fold_init(&f->fold, &parts->config, parts->node_account);
}

void folding_fini(struct folding *f)
{
    if (f->ledger == NULL)
        return;
    journal_reader_close(f->reader);
    fold_fini(&f->fold);
}

static void failed(struct folding *f, const struct err *e, struct log_problem *problem,
                   int64_t pause_ms)
{
    int64_t now_ms = clock_monotonic_ms();

    log_problem_raise(problem, e, now_ms);
    fold_reset(&f->fold);
    journal_reader_close(f->reader);
    f->reader = NULL;
    f->next_ms = now_ms + pause_ms;
}

static void journal_failed(struct folding *f, struct err *e)
{
    size_t len = strlen(e->text);

    if (e->code != EX_DATAERR) {
        failed(f, e, &f->journal_problem, PAUSE_MS);
        return;
    }
    f->is_damaged = true;
    (void)snprintf(
        e->text + len, sizeof e->text - len,
        ". Mail goes on and nothing from there on is counted. Restore the files; or, to "
        "go on without what is damaged, stop tollgated, run tollgated --repair and start "
        "it");
    failed(f, e, &f->journal_problem, DAMAGE_PAUSE_MS);
}

static bool apply(struct folding *f)
{
    struct err e;

    if (f->fold.records == 0)
        return true;
    if (fold_apply(&f->fold, f->ledger, journal_reader_position(f->reader), &e) < 0) {
        failed(f, &e, &f->ledger_problem, PAUSE_MS);
        return false;
    }
    log_problem_clear(&f->ledger_problem);
    return true;
}

static void through_lower(struct folding *f, int64_t time_s)
{
    if (f->counted_through > time_s)
        f->counted_through = time_s;
}

static void dated(struct folding *f, int64_t time_s)
{
    through_lower(f, time_s);
    if (f->earliest_s > time_s)
        f->earliest_s = time_s;
}

/* Reads on to record f->due_number (true), or until the time is over. The writer has written all
 * records before that number, so where there is none further they have been read. */
static bool read_on(struct folding *f, int64_t until_ms)
{
    struct record r;
    struct err e;

    while (journal_reader_position(f->reader).number < f->due_number) {
        int rc = journal_reader_next(f->reader, &r, &e);

        if (rc < 0) {
            /* The good records before it count. */
            if (apply(f))
                journal_failed(f, &e);
            return false;
        }
        if (rc == 0)
            break;
        dated(f, r.time_ms / 1000);
        if (fold_add(&f->fold, f->ledger, &r, &e) < 0) {
            failed(f, &e, &f->ledger_problem, PAUSE_MS);
            return false;
        }
        if (fold_is_full(&f->fold) && (!apply(f) || clock_monotonic_ms() >= until_ms))
            return false;
    }
    return apply(f);
}

static bool reader_open(struct folding *f)
{
    struct err e;

    if (f->reader != NULL)
        return true;
    f->reader = journal_reader_open(f->journal_dir, ledger_meta(f->ledger)->position, &e);
    if (f->reader == NULL)
        journal_failed(f, &e);
    return f->reader != NULL;
}

static bool has_unread(const struct folding *f)
{
    return ledger_meta(f->ledger)->position.number < f->due_number;
}

/* First what was there before this run, which may belong to another share than the rest. */
static void due_set(struct folding *f)
{
    uint64_t from = ledger_run_from(f->ledger);

    f->due_ms = journal_now(f->journal, &f->due_number);
    /* The clock has been set back: how records are dated that are still to be read, nobody knows.
     */
    if (f->counted_through > f->due_ms / 1000)
        through_lower(f, has_unread(f) ? 0 : f->due_ms / 1000);
    f->is_due_through = ledger_run_is_reached(f->ledger) || from >= f->due_number;
    if (!f->is_due_through)
        f->due_number = from;
}

/* All that was in the journal when it began is in the ledger when it ends well; then every
 * message dated before that beginning is, unless the clock was set back meanwhile. */
void folding_run(struct folding *f, int64_t budget_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    uint64_t next;
    bool is_done;

    if (now_ms < f->next_ms || !reader_open(f))
        return;
    if (!f->is_under_way || journal_now(f->journal, &next) < f->due_ms)
        due_set(f);
    f->is_under_way = true;
    is_done = read_on(f, now_ms + budget_ms);
    if (f->fold.strays > 0)
        log_problem_raise(&f->strays, &f->fold.stray_first, now_ms);
    log_problem_settle(&f->strays, now_ms, STRAYS_QUIET_MS);
    f->fold.strays = 0;
    if (!is_done)
        return;
    f->is_under_way = f->is_damaged = false;
    if (f->is_due_through)
        f->counted_through = f->due_ms / 1000;
    log_problem_clear(&f->journal_problem);
}

int64_t folding_through(struct folding *f)
{
    int64_t through = f->counted_through;

    if (f->earliest_s < f->told_s && f->earliest_s < through)
        through = f->earliest_s;
    f->told_s = through;
    f->earliest_s = INT64_MAX;
    return through;
}

void folding_retry(struct folding *f)
{
    f->next_ms = 0;
}
