#include "lib/ledger/push.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/ledger/push_batch.h"
#include "lib/ledger/push_fleet.h"
#include "lib/ledger/push_held.h"
#include "lib/ledger/push_node.h"
#include "lib/ledger/push_schema.h"
#include "lib/ledger/rest.h"
#include "lib/sys/clock.h"

#define NODE_EVERY_MS    1000
#define FLEET_EVERY_MS   10000
#define REFUSED_EVERY_MS 60000
/* The first writing confirms the rows before it, the second says so. */
#define WRITES_AFTER_ROWS 2

/* A run through rows by ascending id. */
struct pass {
    bool is_open;
    int64_t after;   /* id of the last row seen */
    int64_t through; /* counted_through when it began */
};

/* The same through held messages, by ascending number. */
struct held_pass {
    bool is_open;
    uint64_t after;
};

struct push {
    int64_t scrub_ms;
    char *prefix, *timezone;
    struct ledger *ledger;
    struct store *store;
    struct push_batch trip;
    struct push_node_hash node;
    struct push_findings findings;

    uint64_t generation; /* of the connection that all below is about */
    bool is_admitted;    /* Redis has our schema */
    bool has_rival;      /* pushed_through stands still meanwhile */
    bool is_news;        /* rows have been pushed that the node's hash does not tell of yet */
    unsigned writes_due; /* of it, to tell */

    struct pass dirty, refused, walk;
    struct held_pass held_changes, held_walk;
    bool walk_is_fast;         /* after a new connection or a loss */
    int64_t aging_s, aging_ms; /* learn_aging, and when it was asked last (monotonic) */
    int64_t walk_began_ms, refused_next_ms, node_next_ms, fleet_next_ms;
    uint64_t walk_rows, walk_rows_before;

    int64_t clean_through;     /* counted_through of the last dirty pass that succeeded */
    int64_t confirmed_through; /* the same, with the node's hash written after it */
};

/* --- one to make, one to free ---------------------------------------------------------------- */

struct push *push_new(const struct push_config *config, struct ledger *ledger, struct store *store,
                      struct err *err)
{
    struct push *p = calloc(1, sizeof *p);

    if (p != NULL) {
        p->prefix = strdup(config->prefix);
        p->timezone = strdup(config->timezone);
    }
    if (p == NULL || p->prefix == NULL || p->timezone == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        push_free(p);
        return NULL;
    }
    p->scrub_ms = config->scrub_ms;
    p->ledger = ledger;
    p->store = store;
    p->node = (struct push_node_hash){.kind = push_node_kind(config->program),
                                      .resume = config->resume,
                                      .context = config->context,
                                      .ledger = ledger,
                                      .store = store,
                                      .prefix = p->prefix,
                                      .version = config->version,
                                      .started_s = config->started_s,
                                      .watch_ms = config->watch_ms,
                                      .id = config->identity};
    p->node.has_lost = ledger_meta(ledger)->lacks_rows != 0;
    p->aging_s = ledger_meta(ledger)->counted_through;
    if (push_batch_init(&p->trip, ledger, store, p->prefix, err) < 0) {
        push_free(p);
        return NULL;
    }
    p->trip.keep = config->keep;
    p->trip.seal.after_s = config->seal_after_s;
    return p;
}

void push_free(struct push *p)
{
    if (p == NULL)
        return;
    push_batch_fini(&p->trip);
    free(p->prefix);
    free(p->timezone);
    free(p);
}

int64_t push_through(const struct push *p)
{
    return ledger_meta(p->ledger)->pushed_through;
}

struct push_findings *push_findings(struct push *p)
{
    return &p->findings;
}

/* --- rows ------------------------------------------------------------------------------------ */

static void walk_begin(struct push *p, bool is_fast)
{
    p->walk = (struct pass){.is_open = true};
    p->held_walk = (struct held_pass){.is_open = true};
    p->walk_is_fast = is_fast;
    p->walk_began_ms = clock_monotonic_ms();
    p->walk_rows = 0;
}

static void note(struct push *p, const struct push_batch_result *r)
{
    if (r->refused > 0 && p->findings.refused == 0)
        p->findings.refused_first = r->refused_first;
    if (r->undone > 0 && p->findings.undone == 0)
        p->findings.undone_first = r->undone_first;
    p->findings.refused += r->refused;
    p->findings.undone += r->undone;
}

/* A clock that jumped must not clear the ledger. */
static int64_t expiry_now(const struct push *p, const struct push_now *now)
{
    return learn_aging(p->aging_s, 0, now->now_s, ledger_meta(p->ledger)->latest_ms / 1000);
}

static void grow_older(struct push *p, const struct push_now *now)
{
    int64_t now_ms = clock_monotonic_ms();

    if (p->aging_s == 0)
        p->aging_s = now->now_s;
    if (p->aging_ms > 0)
        p->aging_s = learn_aging(p->aging_s, now_ms - p->aging_ms, now->now_s, INT64_MAX);
    p->aging_ms = now_ms;
}

/* One trip of a pass; closes the pass at its end. */
static int pass_trip(struct push *p, struct pass *pass, enum ledger_walk which,
                     const struct push_now *now, struct push_batch_result *r, struct err *err)
{
    size_t most = ledger_dirty_rows(p->ledger) > CALM_ROWS ? TRIP_ROWS : TRIP_ROWS_CALM;
    int rc = push_batch_run(&p->trip, which, pass->after, most, expiry_now(p, now), r, err);

    note(p, r);
    if (rc < 0) {
        pass->is_open = false;
        return -1;
    }
    pass->after = r->last_id;
    pass->is_open = r->seen == most;
    return 0;
}

static int any_refused(struct push *p, struct err *err)
{
    struct row row;
    int rc;

    ledger_walk_start(p->ledger, WALK_REFUSED, 0, 1);
    rc = ledger_walk_next(p->ledger, &row, err);
    ledger_walk_end(p->ledger);
    return rc;
}

/* All that is dirty now; what turns dirty behind the pass is later than pass.through. */
static int push_dirty(struct push *p, const struct push_now *now, int64_t until_ms, struct err *err)
{
    struct rest rest = {.times = now->rest_times};
    struct push_batch_result r;
    int refused;

    if (!p->dirty.is_open)
        p->dirty = (struct pass){.is_open = true, .through = now->counted_through};
    rest_begin(&rest);
    do {
        if (pass_trip(p, &p->dirty, WALK_DIRTY, now, &r, err) < 0)
            return -1;
        p->is_news = p->is_news || r.seen > 0;
        if (p->dirty.is_open)
            rest_take(&rest);
    } while (p->dirty.is_open && clock_monotonic_ms() < until_ms);
    if (p->dirty.is_open)
        return 1;
    if (p->node.lacks_rows)
        return 0;
    refused = any_refused(p, err);
    if (refused == 0)
        p->clean_through = p->dirty.through;
    if (p->is_news)
        p->writes_due = WRITES_AFTER_ROWS;
    p->is_news = false;
    return refused < 0 ? -1 : 0;
}

/* Those that Redis refused get another chance once a minute. */
static int push_refused(struct push *p, const struct push_now *now, struct err *err)
{
    struct push_batch_result r;
    int64_t now_ms = clock_monotonic_ms();

    if (!p->refused.is_open && now_ms < p->refused_next_ms)
        return 0;
    if (!p->refused.is_open)
        p->refused = (struct pass){.is_open = true};
    p->refused_next_ms = now_ms + (p->scrub_ms < REFUSED_EVERY_MS ? p->scrub_ms : REFUSED_EVERY_MS);
    return pass_trip(p, &p->refused, WALK_REFUSED, now, &r, err);
}

/* How many rows the walk should have behind it by now. */
static uint64_t walk_due(const struct push *p, int64_t now_ms)
{
    uint64_t rows = p->walk_rows_before + p->walk_rows_before / 8 + 1;
    int64_t elapsed_ms = now_ms - p->walk_began_ms;

    if (p->walk_is_fast || elapsed_ms >= p->scrub_ms)
        return UINT64_MAX;
    return rows * (uint64_t)elapsed_ms / (uint64_t)p->scrub_ms + 1;
}

static int walk_end(struct push *p, const struct push_now *now, struct err *err)
{
    p->walk_rows_before = p->walk_rows;
    p->node.lacks_rows = false;
    p->is_news = true;
    return ledger_users_prune(p->ledger, expiry_now(p, now), err);
}

/* As the walk begins; what it makes final itself is not on the disk before the next one. */
static int walk_prepare(struct push *p, const struct push_now *now, struct err *err)
{
    struct push_seal *seal = &p->trip.seal;
    int64_t now_s = expiry_now(p, now), through = push_through(p);
    int synced = seal->is_wanted && p->walk.after == 0 ? ledger_sync(p->ledger, err) : 0;

    seal->before_s = (through < now_s ? through : now_s) - seal->after_s;
    if (p->walk.after == 0)
        seal->is_synced = synced > 0;
    return synced < 0 ? -1 : 0;
}

static int push_walk(struct push *p, const struct push_now *now, int64_t until_ms, struct err *err)
{
    struct rest rest = {.times = now->walk_rest_times};
    struct push_batch_result r;
    int64_t now_ms = clock_monotonic_ms();

    /* After a fast one the next begins at once: each row is due again within scrub_ms. */
    if (!p->walk.is_open && (p->walk_is_fast || now_ms >= p->walk_began_ms + p->scrub_ms))
        walk_begin(p, false);
    rest_begin(&rest);
    while (p->walk.is_open && p->walk_rows < walk_due(p, now_ms) && now_ms < until_ms) {
        if (walk_prepare(p, now, err) < 0 || pass_trip(p, &p->walk, WALK_ALL, now, &r, err) < 0) {
            walk_begin(p, p->walk_is_fast);
            return -1;
        }
        p->walk_rows += r.seen;
        if (!p->walk.is_open && walk_end(p, now, err) < 0)
            return -1;
        if (p->walk.is_open)
            rest_take(&rest);
        now_ms = clock_monotonic_ms();
    }
    return p->walk.is_open && p->walk_rows < walk_due(p, now_ms);
}

/* --- held messages --------------------------------------------------------------------------- */

static void note_held(struct push *p, const struct push_held *t)
{
    if (t->refused > 0 && p->findings.refused == 0)
        p->findings.refused_first = t->refused_first;
    p->findings.refused += t->refused;
}

/* Works on a pass that is open; one that fails begins again. */
static int held_pass_run(struct push *p, struct held_pass *pass, enum held_walk which,
                         int64_t until_ms, struct err *err)
{
    struct push_held t;

    do {
        if (push_held(p->ledger, p->store, p->prefix, which, pass->after, &t, err) < 0) {
            pass->after = 0;
            return -1;
        }
        note_held(p, &t);
        pass->after = t.last;
        pass->is_open = t.seen == HELD_TRIP_ROWS;
    } while (pass->is_open && clock_monotonic_ms() < until_ms);
    return pass->is_open;
}

/* What has changed, and with a walk all; those that are gone only where Redis may be as it was some
 * time ago. */
static int push_held_rows(struct push *p, const struct push_now *now, int64_t until_ms,
                          struct err *err)
{
    int rc;

    if (!p->held_changes.is_open)
        p->held_changes = (struct held_pass){.is_open = true};
    rc = held_pass_run(p, &p->held_changes, HELD_WALK_CHANGED, until_ms, err);
    if (rc != 0 || !p->held_walk.is_open)
        return rc;
    rc = held_pass_run(p, &p->held_walk, p->walk_is_fast ? HELD_WALK_ALL : HELD_WALK_HELD, until_ms,
                       err);
    if (rc != 0)
        return rc;
    return ledger_held_prune(p->ledger, expiry_now(p, now) - HELD_GONE_KEPT_S, err);
}

/* --- the node's hash ------------------------------------------------------------------------- */

/* Redis has lost something, or may have, and the walk brings it again. */
static void take_loss(struct push *p, bool is_anew)
{
    p->findings.losses += !is_anew;
    p->node.has_lost = false;
    p->clean_through = p->confirmed_through = 0;
    p->node.lacks_rows = true;
    p->dirty.is_open = false;
    walk_begin(p, true);
}

static void note_node(struct push *p, const struct push_node_found *found)
{
    p->has_rival = found->rival.code != 0;
    if (p->has_rival)
        p->findings.rival = found->rival;
    if (found->left.code != 0)
        p->findings.left = found->left;
    if (found->refused.code != 0 && p->findings.refused++ == 0)
        p->findings.refused_first = found->refused;
}

/* What may be said: no more than before while another one writes the same hash, and nothing that
 * the clock has taken back. */
static int64_t through_now(const struct push *p, const struct push_now *now)
{
    int64_t through = push_through(p);

    if (p->confirmed_through > through && !p->has_rival && !p->node.has_lost)
        through = p->confirmed_through;
    return through < now->counted_through ? through : now->counted_through;
}

/* In which form shares are written from now on. An older program that comes back can read the rows
 * after a walk. */
static int look_at_fleet(struct push *p, const struct push_now *now, struct err *err)
{
    struct push_fleet fleet;

    if (clock_monotonic_ms() < p->fleet_next_ms)
        return 0;
    if (push_fleet_look(p->store, p->prefix, now->now_s, &fleet, err) < 0)
        return -1;
    p->fleet_next_ms = clock_monotonic_ms() + FLEET_EVERY_MS;
    if (fleet.as_names && !p->trip.as_names)
        walk_begin(p, true);
    p->trip.as_names = fleet.as_names;
    p->trip.seal.is_wanted = p->trip.seal.after_s > 0 && fleet.nodes > 1 && fleet.knows_seals;
    return 0;
}

static int write_node(struct push *p, const struct push_now *now, struct err *err)
{
    struct push_node_found found;

    if (push_schema_check(&(struct push_schema){p->store, p->prefix, p->timezone}, err) < 0 ||
        push_node_write(&p->node, now, through_now(p, now), &found, err) < 0)
        return -1;
    note_node(p, &found);
    p->node_next_ms = clock_monotonic_ms() + NODE_EVERY_MS;
    p->is_admitted = found.state != NODE_WAIT;
    if (!p->is_admitted)
        return 0;
    if (p->node.has_lost && (found.state == NODE_LOST || found.state == NODE_WRITTEN))
        take_loss(p, found.is_anew);
    /* A connection made meanwhile may be to a server that came back without its last second. */
    if (store_generation(p->store) == p->generation)
        p->confirmed_through = p->clean_through;
    p->writes_due -= p->writes_due > 0;
    if (p->node.is_writing && push_former_write(&p->node, now, err) < 0)
        return -1;
    return look_at_fleet(p, now, err);
}

/* --- a step ---------------------------------------------------------------------------------- */

/* A new connection: the server may be another one, so every row goes there again. */
static int greet(struct push *p, const struct push_now *now, struct err *err)
{
    p->is_admitted = false;
    if (push_schema_check(&(struct push_schema){p->store, p->prefix, p->timezone}, err) < 0)
        return -1;
    p->generation = store_generation(p->store);
    p->clean_through = p->confirmed_through = 0;
    p->fleet_next_ms = 0;
    p->dirty.is_open = false;
    walk_begin(p, true);
    return write_node(p, now, err);
}

/* 1: rows may be pushed; 0: not now. */
static int admit(struct push *p, const struct push_now *now, struct err *err)
{
    bool is_new = store_generation(p->store) != p->generation;
    uint64_t number = ledger_meta(p->ledger)->position.number;

    if (!is_new && !p->is_admitted && clock_monotonic_ms() < p->node_next_ms)
        return 0;
    if ((is_new || !p->is_admitted) && greet(p, now, err) < 0)
        return -1;
    /* First the claim, then rows that count so far. */
    if (p->is_admitted && p->node.is_writing && p->node.claimed < number &&
        ledger_dirty_rows(p->ledger) > 0 && write_node(p, now, err) < 0)
        return -1;
    return p->is_admitted && now->is_caught_up;
}

static int push_rows(struct push *p, const struct push_now *now, int64_t until_ms, struct err *err)
{
    int dirty = push_dirty(p, now, until_ms, err), held, walk;

    if (dirty < 0 || push_refused(p, now, err) < 0)
        return -1;
    held = push_held_rows(p, now, until_ms, err);
    walk = held < 0 ? -1 : push_walk(p, now, until_ms, err);
    if (walk < 0)
        return -1;
    return dirty > 0 || held > 0 || walk > 0;
}

/* What the clock took back is not true again when the clock comes there once more: mail that was
 * counted meanwhile is dated before. */
static void clock_follow(struct push *p, int64_t counted_through)
{
    int64_t *all[] = {&p->dirty.through, &p->clean_through, &p->confirmed_through};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (*all[i] > counted_through)
            *all[i] = counted_through;
    }
}

int push_step(struct push *p, const struct push_now *now, int64_t budget_ms, struct err *err)
{
    int64_t until_ms = clock_monotonic_ms() + budget_ms;
    int rc;

    grow_older(p, now);
    clock_follow(p, now->counted_through);
    rc = admit(p, now, err);
    if (rc == 1)
        rc = push_rows(p, now, until_ms, err);
    if (rc < 0)
        return -1;
    if (p->is_admitted && (p->writes_due > 0 || clock_monotonic_ms() >= p->node_next_ms) &&
        write_node(p, now, err) < 0)
        return -1;
    /* The walk after a loss that this writing found: until then the ledger alone has the rows. */
    return rc > 0 || (p->is_admitted && now->is_caught_up && p->node.lacks_rows && p->walk.is_open);
}

void push_finish(struct push *p, bool is_last)
{
    p->is_news = true;
    p->node.is_stopping = is_last;
}

bool push_is_finished(const struct push *p)
{
    return p->is_admitted && !p->dirty.is_open && !p->held_changes.is_open && !p->node.lacks_rows &&
           !p->is_news && p->writes_due == 0;
}
