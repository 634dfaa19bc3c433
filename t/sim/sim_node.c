#include "t/sim/sim_node.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/ledger/adopt.h"
#include "lib/ledger/identity.h"
#include "lib/ledger/ledger_recover.h"
#include "lib/ledger/ledger_share.h"
#include "lib/ledger/row_sums.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/settings.h"
#include "t/sim/sim_store.h"

#define SCRUB_QUICK_MS 600
#define SEAL_AFTER_S   60
#define WATCH_MS       1500
#define STEP_MS        200
#define STOP_STEPS     50

/* --- the clock ------------------------------------------------------------------------------- */

static int64_t clock_now_ms, clock_passed_ms = 1000;

void sim_clock_set(int64_t unix_ms)
{
    clock_now_ms = unix_ms;
}

void sim_clock_advance(int64_t ms)
{
    clock_now_ms += ms;
    clock_passed_ms += ms;
}

void sim_clock_step(int64_t ms)
{
    clock_now_ms += ms;
}

int64_t clock_unix_ms(void)
{
    return clock_now_ms;
}

int64_t clock_monotonic_ms(void)
{
    return clock_passed_ms;
}

int64_t clock_monotonic_us(void)
{
    return clock_passed_ms * 1000;
}

void clock_sleep_ms(int64_t ms)
{
    sim_clock_advance(ms);
}

void clock_sleep_us(int64_t us)
{
    sim_clock_advance(us / 1000);
}

int clock_zone_check(const char *name, struct err *err)
{
    (void)name;
    (void)err;
    return 0;
}

int clock_zone_set(const char *name, struct err *err)
{
    return clock_zone_check(name, err);
}

/* --- a node ---------------------------------------------------------------------------------- */

void sim_node_init(struct sim_node *n, const char *base, const char *name, int sync,
                   uint32_t segment_bytes, struct random_source *random)
{
    *n =
        (struct sim_node){.sync = sync, .segment_bytes = segment_bytes, .scrub_ms = SCRUB_QUICK_MS};
    (void)snprintf(n->name, sizeof n->name, "%s", name);
    (void)snprintf(n->dir, sizeof n->dir, "%s/%s", base, name);
    (void)snprintf(n->journal_dir, sizeof n->journal_dir, "%s/journal", n->dir);
    (void)snprintf(n->account, sizeof n->account, "@%s", name);
    if (mkdir(n->dir, 0700) != 0)
        abort();
    n->disk = sim_disk_new(n->dir, random);
}

void sim_node_make_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || close(fd) != 0)
        abort();
}

void sim_node_make_ledger(const struct sim_node *n, const char *path)
{
    struct err err;
    struct ledger *l = ledger_open(path, n->name, &err);

    if (l == NULL)
        abort();
    ledger_close(l);
}

void sim_node_fini(struct sim_node *n)
{
    sim_node_close(n);
    sim_disk_free(n->disk);
}

void sim_node_close(struct sim_node *n)
{
    push_free(n->push);
    store_free(n->store);
    folding_fini(&n->folding);
    ledger_close(n->ledger);
    journal_close(n->journal);
    n->push = NULL;
    n->store = NULL;
    n->folding = (struct folding){.ledger = NULL};
    n->ledger = NULL;
    n->journal = NULL;
    n->is_open = false;
}

/* As the accountant begins. */
static int numbers_agree(struct sim_node *n, struct identity *id, struct err *err)
{
    uint64_t next, position = ledger_meta(n->ledger)->position.number;

    (void)journal_now(n->journal, &next);
    if (position > next) {
        journal_raise_number(n->journal, position);
        next = position;
    }
    if (identity_read(n->dir, id, err) < 0)
        return -1;
    return ledger_run_begin(n->ledger, slice_str(id->run), next, err);
}

static int parts_open(struct sim_node *n, struct err *err)
{
    struct journal_config journal = {
        .dir = n->journal_dir, .segment_bytes = n->segment_bytes, .sync = n->sync, .sync_ms = 10};
    struct push_config config = {.prefix = "tg",
                                 .version = "sim",
                                 .timezone = "UTC",
                                 .watch_ms = WATCH_MS,
                                 .started_s = clock_unix_ms() / 1000,
                                 .scrub_ms = n->scrub_ms,
                                 .keep = {HOUR_KEPT_S, DAY_KEPT_S, DAY_KEPT_S},
                                 .seal_after_s = SEAL_AFTER_S};

    n->journal = journal_open(&journal, err);
    if (n->journal == NULL)
        return -1;
    n->ledger = ledger_place_open(n->dir, "ledger", n->name, err);
    if (n->ledger == NULL || ledger_zone_check(n->ledger, "UTC", err) < 0 ||
        numbers_agree(n, &config.identity, err) < 0)
        return -1;
    folding_init(&n->folding,
                 &(struct folding_parts){
                     n->journal, n->journal_dir, n->ledger, {true, 100}, slice_str(n->account)});
    n->upkeep_problem = (struct log_problem){"ledger", NULL, LOG_DEBUG, .times = 0};
    n->upkeep = (struct upkeep){
        .ledger = n->ledger, .journal_dir = n->journal_dir, .problem = &n->upkeep_problem};
    n->store = store_new(&(struct settings){0}, err);
    sim_store_tie(n->store, n->disk);
    n->push = push_new(&config, n->ledger, n->store, err);
    return n->push == NULL ? -1 : 0;
}

int sim_node_open(struct sim_node *n, struct err *err)
{
    n->is_open = parts_open(n, err) == 0;
    if (n->is_open)
        log_event(LOG_DEBUG, "open", LOG_STR("node", n->name),
                  LOG_NUM("position", ledger_meta(n->ledger)->position.number),
                  LOG_NUM("from", ledger_run_from(n->ledger)),
                  LOG_NUM("claim_tried", ledger_meta(n->ledger)->claim_tried),
                  LOG_NUM("stamp", ledger_meta(n->ledger)->stamp));
    if (!n->is_open)
        sim_node_close(n);
    return n->is_open ? 0 : -1;
}

void sim_node_fold(struct sim_node *n)
{
    folding_retry(&n->folding);
    folding_run(&n->folding, STEP_MS);
}

/* What the accountant would log. */
static int told(struct sim_node *n, int rc, const struct err *err)
{
    struct push_findings *f = push_findings(n->push);

    if (rc < 0)
        log_event(LOG_DEBUG, "push fails", LOG_STR("node", n->name), LOG_ERROR("error", err));
    if (f->left.code != 0)
        log_event(LOG_DEBUG, "new share", LOG_STR("node", n->name), LOG_STR("why", f->left.text));
    if (f->undone > 0)
        log_event(LOG_DEBUG, "undone", LOG_STR("node", n->name),
                  LOG_STR("why", f->undone_first.text));
    if (f->refused > 0) {
        n->refused += f->refused;
        log_event(LOG_DEBUG, "refused", LOG_STR("node", n->name),
                  LOG_STR("why", f->refused_first.text));
    }
    if (f->losses > 0)
        log_event(LOG_DEBUG, "loss", LOG_STR("node", n->name));
    *f = (struct push_findings){0};
    return rc;
}

int sim_node_push(struct sim_node *n, struct err *err)
{
    n->now.now_s = clock_unix_ms() / 1000;
    n->now.counted_through = folding_through(&n->folding);
    n->now.is_caught_up = ledger_run_is_reached(n->ledger);
    return told(n, push_step(n->push, &n->now, STEP_MS, err), err);
}

void sim_node_trim(struct sim_node *n, uint64_t kept_bytes)
{
    struct journal_keep keep = {.max_bytes = kept_bytes};

    n->upkeep.sync_next_ms = 0;
    upkeep_trim(&n->upkeep, &keep);
    upkeep_index(&n->upkeep);
}

void sim_node_stop(struct sim_node *n)
{
    struct err err;

    sim_node_fold(n);
    sim_node_fold(n);
    push_finish(n->push, true);
    for (int i = 0; i < STOP_STEPS && !push_is_finished(n->push); i++) {
        if (sim_node_push(n, &err) < 0)
            sim_clock_advance(20);
    }
    sim_node_trim(n, 0);
    sim_node_close(n);
}

static int ledger_make(const struct sim_node *n, struct store *store, struct err *err)
{
    struct adopt_source from = {
        store, "tg", n->journal_dir, {true, 100}, {HOUR_KEPT_S, DAY_KEPT_S, DAY_KEPT_S}};
    struct adopt_result found;
    char path[240];
    struct ledger *l;
    int rc;

    (void)snprintf(path, sizeof path, "%s/ledger.db", n->dir);
    l = ledger_open(path, n->name, err);
    rc = l == NULL ? -1 : adopt_run(l, &from, &found, err);
    if (rc == 0)
        rc = ledger_zone_check(l, "UTC", err);
    if (rc == 0 && ledger_sync(l, err) < 0)
        rc = -1;
    ledger_close(l);
    return rc;
}

/* A torn end goes as at each start. */
int sim_node_repair(struct sim_node *n, struct err *err)
{
    struct journal_config config = {.dir = n->journal_dir, .sync = SYNC_ALWAYS};
    struct store *store = store_new(&(struct settings){0}, err);
    int rc;

    n->journal = journal_open(&config, err);
    rc = n->journal == NULL ? -1 : ledger_make(n, store, err);
    journal_close(n->journal);
    n->journal = NULL;
    store_free(store);
    return rc;
}
