#include "lib/ledger/accountant.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "config.h"

#include "lib/ledger/changes.h"
#include "lib/ledger/eviction.h"
#include "lib/ledger/folding.h"
#include "lib/ledger/in_doubt.h"
#include "lib/ledger/learn.h"
#include "lib/ledger/ledger.h"
#include "lib/ledger/ledger_recover.h"
#include "lib/ledger/ledger_share.h"
#include "lib/ledger/push.h"
#include "lib/ledger/push_report.h"
#include "lib/ledger/push_schema.h"
#include "lib/ledger/turns.h"
#include "lib/ledger/upkeep.h"
#include "lib/redis/store.h"
#include "lib/sys/clock.h"
#include "lib/sys/files.h"
#include "lib/sys/log.h"
#include "lib/sys/log_limit.h"
#include "lib/sys/mutex.h"

#define FOLD_BUDGET_MS    1000  /* then Redis gets its turn */
#define PUSH_BUDGET_MS    50    /* then the journal gets its turn again */
#define STOP_FOLD_MS      10000 /* at the end; the rest waits for the next start */
#define PUSH_PAUSE_MS     1000  /* after a problem with Redis */
#define EVICTION_EVERY_MS 60000
#define NICE              5 /* mail comes first: figures may be some seconds older */

MUTEX_NAME(accountant_lock)
#define GUARDED MUTEX_GUARDS(accountant_lock)

/* What is not guarded belongs to the accountant's own thread, once that has begun. */
struct accountant {
    struct journal *journal;
    char *journal_dir;
    struct ledger *ledger;
    struct store *store;
    struct push *push;
    struct changes *changes;
    struct folding folding;
    char node_account[80];
    struct push_now now;
    int64_t push_next_ms; /* monotonic */
    struct turns turns;
    struct upkeep upkeep;
    struct push_report report;
    struct log_problem store_problem, eviction;
    int64_t eviction_next_ms;
    uint64_t eviction_generation; /* the connection that was asked */

    pthread_t thread;
    struct mutex lock;
    pthread_cond_t wake;   /* the thread */
    pthread_cond_t folded; /* those who wait for state.folded_number */
    bool is_stopping GUARDED, is_hurried GUARDED;
    int64_t stop_push_ms GUARDED; /* how long the last push may take */
    int64_t pause_ms GUARDED;     /* between two turns, at least */
    struct row_sums_config fold_config GUARDED;
    int64_t keep_ms GUARDED; /* records of messages that are counted */
    struct journal_keep keep GUARDED;
    uint64_t min_free_bytes GUARDED;
    bool allow_eviction GUARDED;
    struct accountant_state state GUARDED;
};

/* --- pushing --------------------------------------------------------------------------------- */

static bool is_eviction_allowed(struct accountant *a)
{
    bool allowed;

    accountant_lock_take(&a->lock);
    allowed = a->allow_eviction;
    accountant_lock_give(&a->lock);
    return allowed;
}

/* Once a minute, and of each new connection: it may be to another server. */
static int watch_eviction(struct accountant *a, struct err *err)
{
    int64_t now_ms = clock_monotonic_ms();
    bool is_new = store_generation(a->store) != a->eviction_generation;

    if (!is_new && now_ms < a->eviction_next_ms)
        return 0;
    a->eviction_generation = store_generation(a->store);
    a->eviction_next_ms = now_ms + EVICTION_EVERY_MS;
    if (is_eviction_allowed(a) || eviction_check(a->store, err) == 0) {
        log_problem_clear(&a->eviction);
        return 0;
    }
    if (err->code != EX_CONFIG)
        return -1;
    log_problem_raise(&a->eviction, err, now_ms);
    return 0;
}

/* 1: there is more to push at once. */
static int push_some(struct accountant *a, int64_t budget_ms)
{
    struct err e;
    int rc, changes;

    a->now.now_s = clock_unix_ms() / 1000;
    a->now.counted_through = folding_through(&a->folding);
    a->now.is_caught_up = ledger_run_is_reached(a->ledger);
    rc = push_step(a->push, &a->now, budget_ms, &e);
    (void)push_report_take(&a->report, push_findings(a->push), store_where(a->store));
    changes = rc < 0 ? -1 : changes_step(a->changes, &e);
    if (changes < 0 || watch_eviction(a, &e) < 0) {
        log_problem_raise(&a->store_problem, &e, clock_monotonic_ms());
        a->push_next_ms = clock_monotonic_ms() + PUSH_PAUSE_MS;
        return -1;
    }
    log_problem_clear(&a->store_problem);
    return rc > 0 || changes > 0;
}

/* --- maintenance ------------------------------------------------------------------------------ */

static void take_gauges(struct accountant *a)
{
    uint64_t next_number, position = ledger_meta(a->ledger)->position.number;

    (void)journal_now(a->journal, &next_number);
    turns_look(&a->turns, next_number, clock_monotonic_ms());
    a->now.gauges[PUSH_JOURNAL_RECORDS] = next_number > position ? next_number - position : 0;
    a->now.gauges[PUSH_JOURNAL_BYTES] = file_dir_bytes(a->journal_dir);
    a->now.gauges[PUSH_DISK_FREE] = file_dir_free(a->journal_dir);
    accountant_lock_take(&a->lock);
    a->now.gauges[PUSH_DISK_MIN] = a->min_free_bytes;
    accountant_lock_give(&a->lock);
}

static void trim(struct accountant *a)
{
    struct journal_keep keep;

    accountant_lock_take(&a->lock);
    keep = a->keep;
    keep.since_s = (clock_unix_ms() - a->keep_ms) / 1000;
    accountant_lock_give(&a->lock);
    upkeep_trim(&a->upkeep, &keep);
}

static const char *first_problem(const struct accountant *a)
{
    const struct log_problem *all[] = {&a->folding.journal_problem,
                                       &a->folding.ledger_problem,
                                       &a->store_problem,
                                       &a->report.rival,
                                       &a->report.refused,
                                       &a->report.undone,
                                       &a->eviction,
                                       &a->folding.strays};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i]->is_on)
            return all[i]->text;
    }
    return "";
}

static void publish_state(struct accountant *a)
{
    const struct ledger_meta *meta = ledger_meta(a->ledger);
    struct accountant_state s = {.folded_number =
                                     meta->position.number > 0 ? meta->position.number - 1 : 0,
                                 .counted_through = a->folding.counted_through,
                                 .pushed_through = meta->pushed_through,
                                 .dirty_rows = ledger_dirty_rows(a->ledger),
                                 .damaged = a->folding.is_damaged};

    (void)snprintf(s.problem, sizeof s.problem, "%s", first_problem(a));
    accountant_lock_take(&a->lock);
    a->state = s;
    a->folding.fold.sums.config = a->fold_config;
    (void)pthread_cond_broadcast(&a->folded);
    accountant_lock_give(&a->lock);
}

/* --- the thread ------------------------------------------------------------------------------ */

/* Until the next turn, or nearly at once with `hurry`. False when it is time to stop. */
static bool wait_turn(struct accountant *a, bool hurry)
{
    int64_t until_ms;
    bool go_on;

    accountant_lock_take(&a->lock);
    a->turns.pause_ms = a->pause_ms;
    until_ms = clock_monotonic_ms() + (hurry ? 0 : turns_pause_ms(&a->turns));
    while (!a->is_stopping && !a->is_hurried &&
           accountant_lock_wait_until(&a->lock, &a->wake, until_ms))
        ;
    turns_begin(&a->turns, hurry, a->is_hurried);
    a->is_hurried = false;
    go_on = !a->is_stopping;
    accountant_lock_give(&a->lock);
    return go_on;
}

/* True: there are more records to fold at once. While Redis is away no rows are gathered for it. */
static bool fold_some(struct accountant *a)
{
    int64_t now_ms = clock_monotonic_ms();

    if (!turns_fold_is_due(&a->turns, now_ms) && !a->folding.is_under_way)
        return false;
    a->folding.fold.sums.rest.times = turns_rest_times(&a->turns, a->turns.rows);
    folding_run(&a->folding, FOLD_BUDGET_MS);
    turns_folded(&a->turns, a->store_problem.is_on ? 0 : ledger_dirty_rows(a->ledger), now_ms);
    publish_state(a);
    return a->folding.is_under_way && clock_monotonic_ms() >= a->folding.next_ms;
}

static void finish(struct accountant *a)
{
    int64_t until_ms;

    accountant_lock_take(&a->lock);
    until_ms = clock_monotonic_ms() + a->stop_push_ms;
    accountant_lock_give(&a->lock);

    folding_retry(&a->folding);
    a->folding.fold.sums.rest.times = a->now.rest_times = a->now.walk_rest_times = 0;
    folding_run(&a->folding, STOP_FOLD_MS);
    folding_run(&a->folding, STOP_FOLD_MS);
    take_gauges(a);
    push_finish(a->push, true);
    while (!push_is_finished(a->push) && clock_monotonic_ms() < until_ms) {
        if (push_some(a, until_ms - clock_monotonic_ms()) < 0)
            clock_sleep_ms(20);
    }
    trim(a);
    if (ledger_dirty_rows(a->ledger) > 0)
        log_event(LOG_NOTICE, "rows left to push at the next start",
                  LOG_NUM("rows", ledger_dirty_rows(a->ledger)));
}

static void *run(void *arg)
{
    struct accountant *a = arg;
    bool hurry = true;

    (void)setpriority(PRIO_PROCESS, 0, NICE); /* of this thread alone */
    while (wait_turn(a, hurry)) {
        hurry = fold_some(a);
        take_gauges(a);
        a->now.rest_times = turns_rest_times(&a->turns, a->turns.rows);
        a->now.walk_rest_times = turns_rest_times(&a->turns, UINT64_MAX);
        if (clock_monotonic_ms() >= a->push_next_ms && store_is_worth_trying(a->store) &&
            push_some(a, PUSH_BUDGET_MS) > 0)
            hurry = true;
        trim(a);
        upkeep_index(&a->upkeep);
        publish_state(a);
    }
    finish(a);
    return NULL;
}

/* --- starting and stopping ------------------------------------------------------------------- */

static void set_config(struct accountant *a, const struct settings *s) TG_REQUIRES(accountant_lock)
{
    a->pause_ms = s->ledger.push_ms;
    a->allow_eviction = s->store.allow_eviction;
    a->fold_config =
        (struct row_sums_config){s->accounting.users, (uint64_t)s->accounting.users_max};
    a->keep_ms = s->ledger.keep_messages_ms;
    a->keep = (struct journal_keep){
        .max_bytes = a->keep_ms > 0 ? (uint64_t)s->ledger.keep_messages_max_bytes : 0,
        .min_free_bytes = 2 * (uint64_t)s->ledger.min_free_bytes};
    a->min_free_bytes = (uint64_t)s->ledger.min_free_bytes;
}

/* A ledger that is ahead of the journal has counted what a power failure took from the journal's
 * end, or the journal has been moved away: its numbers are not given again. */
static void check_numbers(struct accountant *a)
{
    uint64_t next_number, position = ledger_meta(a->ledger)->position.number;

    (void)journal_now(a->journal, &next_number);
    if (position <= next_number)
        return;
    journal_raise_number(a->journal, position);
    log_event(LOG_ERR,
              "the ledger is ahead of the journal: the journal's end was lost, or its files moved "
              "away; what the ledger counted stays counted",
              LOG_NUM("ledger_number", position), LOG_NUM("journal_number", next_number));
}

/* No record of this run is in the journal yet. */
static int run_begin(struct accountant *a, const struct settings *s, struct identity *id,
                     struct err *err)
{
    uint64_t next_number;

    (void)journal_now(a->journal, &next_number);
    if (identity_read(s->state_dir, id, err) < 0)
        return -1;
    return ledger_run_begin(a->ledger, slice_str(id->run), next_number, err);
}

/* A store that counts otherwise, or deletes figures, is found at the start, if it answers by then.
 */
static int check_agreement(struct accountant *a, const struct settings *s, struct err *err)
{
    struct push_schema schema = {a->store, s->store.prefix, s->timezone};

    if (push_schema_check(&schema, err) < 0)
        return err->code == EX_CONFIG ? -1 : 0;
    if (s->store.allow_eviction || eviction_check(a->store, err) == 0)
        return 0;
    return err->code == EX_CONFIG ? -1 : 0;
}

/* Before the thread begins, so without the lock. */
static int open_parts(struct accountant *a, const struct settings *s,
                      struct err *err) TG_NO_THREAD_SAFETY
{
    struct push_config config = {.prefix = s->store.prefix,
                                 .version = PACKAGE_VERSION,
                                 .timezone = s->timezone,
                                 .watch_ms = LEARN_WATCH_MS,
                                 .started_s = clock_unix_ms() / 1000,
                                 .scrub_ms = SCRUB_MS,
                                 .keep = push_keep(s),
                                 .seal_after_s = PUSH_SEAL_AFTER_S};

    if (asprintf(&a->journal_dir, "%s/%s", s->state_dir, ACCOUNTANT_JOURNAL) < 0) {
        a->journal_dir = NULL;
        return err_set(err, EX_OSERR, "out of memory");
    }
    a->ledger = ledger_place_open(s->state_dir, "ledger", s->node, err);
    if (a->ledger == NULL || ledger_zone_check(a->ledger, s->timezone, err) < 0)
        return -1;
    check_numbers(a);
    if (in_doubt_note(a->ledger, a->journal, a->journal_dir, err) < 0 ||
        run_begin(a, s, &config.identity, err) < 0)
        return -1;
    (void)snprintf(a->node_account, sizeof a->node_account, "@%s", s->node);
    folding_init(&a->folding, &(struct folding_parts){a->journal, a->journal_dir, a->ledger,
                                                      a->fold_config, slice_str(a->node_account)});
    a->upkeep = (struct upkeep){
        .ledger = a->ledger, .journal_dir = a->journal_dir, .problem = &a->folding.ledger_problem};
    a->store = store_new(s, err);
    if (a->store == NULL || check_agreement(a, s, err) < 0)
        return -1;
    a->push = push_new(&config, a->ledger, a->store, err);
    a->changes = changes_new(s->store.prefix, a->ledger, a->store, err);
    if (a->push == NULL || a->changes == NULL)
        return -1;
    publish_state(a);
    return 0;
}

static void free_parts(struct accountant *a)
{
    changes_free(a->changes);
    push_free(a->push);
    store_free(a->store);
    folding_fini(&a->folding);
    ledger_close(a->ledger);
    free(a->journal_dir);
    (void)pthread_cond_destroy(&a->wake);
    (void)pthread_cond_destroy(&a->folded);
    mutex_fini(&a->lock);
    free(a);
}

/* The thread takes no signals: those are for the program. */
static int start_thread(struct accountant *a, struct err *err)
{
    sigset_t all, old;
    int rc;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&a->thread, NULL, run, a);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc == 0 ? 0
                   : err_set(err, EX_OSERR, "cannot start the accounting thread: %s", strerror(rc));
}

static struct accountant *accountant_new(struct journal *journal, const struct settings *s)
{
    struct accountant *a = calloc(1, sizeof *a);

    if (a == NULL)
        return NULL;
    *a =
        (struct accountant){.journal = journal,
                            .store_problem = {"counters are not pushed to redis",
                                              "counters are pushed again", LOG_WARNING, .times = 0},
                            .eviction = {"redis may delete counters",
                                         "redis keeps all counters again", LOG_ERR, .times = 0}};
    push_report_init(&a->report);
    mutex_init(&a->lock);
    mutex_condition_init(&a->wake);
    mutex_condition_init(&a->folded);
    accountant_lock_take(&a->lock);
    set_config(a, s);
    accountant_lock_give(&a->lock);
    return a;
}

struct accountant *accountant_start(const struct settings *s, struct journal *journal,
                                    struct err *err)
{
    struct accountant *a = accountant_new(journal, s);

    if (a == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    if (open_parts(a, s, err) < 0 || start_thread(a, err) < 0) {
        free_parts(a);
        return NULL;
    }
    return a;
}

void accountant_stop(struct accountant *a, int64_t push_ms)
{
    if (a == NULL)
        return;
    accountant_lock_take(&a->lock);
    a->is_stopping = true;
    a->stop_push_ms = push_ms;
    (void)pthread_cond_signal(&a->wake);
    accountant_lock_give(&a->lock);
    (void)pthread_join(a->thread, NULL);
    free_parts(a);
}

void accountant_reload(struct accountant *a, const struct settings *s)
{
    accountant_lock_take(&a->lock);
    set_config(a, s);
    accountant_lock_give(&a->lock);
}

void accountant_state(struct accountant *a, struct accountant_state *out)
{
    accountant_lock_take(&a->lock);
    *out = a->state;
    accountant_lock_give(&a->lock);
}

bool accountant_wait(struct accountant *a, uint64_t number, int64_t timeout_ms)
{
    int64_t until_ms = clock_monotonic_ms() + timeout_ms;
    bool is_there;

    accountant_lock_take(&a->lock);
    a->is_hurried = true;
    (void)pthread_cond_signal(&a->wake);
    while (a->state.folded_number < number &&
           accountant_lock_wait_until(&a->lock, &a->folded, until_ms))
        ;
    is_there = a->state.folded_number >= number;
    accountant_lock_give(&a->lock);
    return is_there;
}
