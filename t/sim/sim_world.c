#include "t/sim/sim_world.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "lib/ledger/ledger_held.h"
#include "lib/redis/link.h"
#include "lib/sys/clock.h"
#include "lib/sys/settings.h"
#include "t/sim/sim_image.h"
#include "t/sim/sim_pool.h"
#include "t/sim/sim_store.h"

#define HELD_CHOICE   8
#define PLAIN_EVERY   16 /* one of so many seeds opens and makes its ledgers as a process does */
#define BLANKS        4
#define SCRUB_SLOW_MS 1600 /* of every other seed */

void sim_fail(struct sim *m, const char *what, const char *detail)
{
    if (m->fault[0] == '\0')
        (void)snprintf(m->fault, sizeof m->fault, "%s%s%s", what, detail[0] != '\0' ? ": " : "",
                       detail);
}

void sim_trace(const struct sim *m, const char *what, size_t node, long long value)
{
    if (m->is_traced)
        (void)fprintf(stderr, "  %u: %s %zu %lld\n", m->step, what, node, value);
}

/* --- records --------------------------------------------------------------------------------- */

/* What Redis has of the node, or what is on the way there still: nobody takes that back. */
static int64_t said_through(const struct sim_node *n)
{
    int64_t in_redis = sim_pushed_through(n), tried = push_through(n->push);

    return in_redis > tried ? in_redis : tried;
}

static struct sim_append append(struct sim *m, struct sim_node *n, struct record *r)
{
    struct sim_append a = {.step = m->step, .is_synced = n->sync == SYNC_ALWAYS};
    int64_t through_s = said_through(n);
    struct err err, why;

    if (journal_append(n->journal, r, -1, &err) == 0)
        a.fate = FATE_ACCEPTED;
    else if (journal_check(n->journal, &why) < 0 && strstr(why.text, "forced") != NULL)
        a.fate = FATE_MAYBE;
    if (sim_disk_is_dead(n->disk) && a.fate == FATE_ACCEPTED)
        a.fate = FATE_MAYBE; /* its client heard nothing */
    a.time_ms = r->time_ms;
    a.is_backdated = r->time_ms < through_s * 1000;
    return a;
}

void sim_append(struct sim *m, size_t node, bool is_held)
{
    size_t i = m->count;
    struct leg of_account = {.kind = LEG_IN,
                             .account = SLICE("example.com"),
                             .messages = 1,
                             .recipients = 1,
                             .bytes = UINT64_C(1) << i};
    struct leg legs[2] = {of_account, of_account};
    struct record r = {.kind = is_held ? RECORD_HELD : RECORD_MESSAGE,
                       .bytes = of_account.bytes,
                       .legs = legs,
                       .leg_count = 2};
    char name[16];

    if (i == SIM_RECORDS_MAX)
        return;
    (void)snprintf(name, sizeof name, "%zu", i);
    r.queue_id = slice_str(name);
    r.held_by = is_held ? SLICE("example.com") : SLICE_NONE;
    legs[1].user = SLICE("u@example.com");
    m->records[i] = (struct sim_record){.node = node, .is_held = is_held};
    m->records[i].kept = append(m, &m->nodes[node], &r);
    m->records[i].number = r.number;
    m->count++;
    sim_trace(m, is_held ? "hold" : "append", node, (long long)i);
}

/* The queue id of one of the messages that the ledger has as held; SIM_RECORDS_MAX: none. */
static size_t held_choose(struct sim *m, const struct sim_node *n)
{
    size_t found[HELD_CHOICE], count = 0;
    struct held_row row;
    struct err err;
    uint64_t i;

    ledger_held_walk_start(n->ledger, HELD_WALK_HELD, 0, HELD_CHOICE);
    while (ledger_held_walk_next(n->ledger, &row, &err) == 1) {
        if (slice_number(row.queue_id, &i) && i < m->count && !m->records[i].is_settled)
            found[count++] = (size_t)i;
    }
    ledger_walk_end(n->ledger);
    return count == 0 ? SIM_RECORDS_MAX : found[random_below(&m->random, (uint32_t)count)];
}

/* Twice, now and then: only the first time says what becomes of it. */
void sim_settle_held(struct sim *m, size_t node)
{
    struct sim_node *n = &m->nodes[node];
    size_t i = held_choose(m, n);
    bool is_released = random_below(&m->random, 3) != 0;
    char name[16];

    if (i == SIM_RECORDS_MAX)
        return;
    struct sim_record *held = &m->records[i];
    struct record r = {.kind = is_released ? RECORD_RELEASE : RECORD_FORGET,
                       .held_number = held->number};

    (void)snprintf(name, sizeof name, "%zu", i);
    r.queue_id = slice_str(name);
    held->settled = append(m, n, &r);
    held->is_settled = held->settled.fate != FATE_NONE;
    held->is_released = is_released;
    sim_trace(m, is_released ? "release" : "delete", node, (long long)i);
    if (held->settled.fate == FATE_ACCEPTED && random_below(&m->random, 3) == 0) {
        r.kind = random_below(&m->random, 2) == 0 ? RECORD_RELEASE : RECORD_FORGET;
        (void)append(m, n, &r);
    }
}

/* --- a node's work --------------------------------------------------------------------------- */

static void synced(struct sim_append *a)
{
    a->is_synced = true;
}

void sim_tick(struct sim *m, size_t node)
{
    struct sim_node *n = &m->nodes[node];
    struct err err;

    sim_clock_advance(20);
    journal_tick(n->journal, clock_monotonic_ms());
    if (sim_disk_is_dead(n->disk) || journal_check(n->journal, &err) < 0)
        return;
    for (size_t i = 0; i < m->count; i++) {
        if (m->records[i].node == node) {
            synced(&m->records[i].kept);
            synced(&m->records[i].settled);
        }
    }
}

void sim_start(struct sim *m, size_t node)
{
    struct err err = {0};

    if (sim_node_open(&m->nodes[node], &err) == 0 || sim_disk_is_dead(m->nodes[node].disk))
        return;
    /* A full disk may refuse one start, and not the next. */
    sim_disk_plan(m->nodes[node].disk, SIM_NONE, 0);
    for (int i = 0; i < 4; i++) {
        if (sim_node_open(&m->nodes[node], &err) == 0)
            return;
    }
    sim_fail(m, "no start", err.text);
}

/* Also one whose client heard nothing may be in Redis. */
static void lose(struct sim *m, struct sim_append *a)
{
    if (a->fate == FATE_NONE)
        return;
    a->fate = FATE_MAYBE;
    m->has_lost_records = true;
}

void sim_lose_since(struct sim *m, size_t node, uint32_t step)
{
    for (size_t i = 0; i < m->count; i++) {
        struct sim_record *r = &m->records[i];

        if (r->node == node && r->kept.step >= step)
            lose(m, &r->kept);
        if (r->node == node && r->settled.step >= step)
            lose(m, &r->settled);
    }
}

/* Has the journal come back with fewer numbers than the backup's? */
static void backup_compare(struct sim *m, size_t node)
{
    uint64_t next;

    (void)journal_now(m->nodes[node].journal, &next);
    m->backups[node].has_ended |= next < m->backups[node].next;
}

void sim_revive(struct sim *m, size_t node)
{
    struct sim_node *n = &m->nodes[node];

    while (m->fault[0] == '\0' && (!n->is_open || sim_disk_is_dead(n->disk))) {
        if (n->is_open)
            sim_node_close(n);
        if (sim_disk_is_dead(n->disk)) {
            bool has_lost = sim_disk_revive(n->disk);

            sim_trace(m, has_lost ? "power lost" : "killed", node, 0);
            if (has_lost)
                sim_cut_back(m, node);
            m->backups[node].has_gaps |= has_lost;
            for (size_t i = 0; has_lost && i < m->count; i++) {
                struct sim_record *r = &m->records[i];

                if (r->node == node && !r->kept.is_synced)
                    lose(m, &r->kept);
                if (r->node == node && !r->settled.is_synced)
                    lose(m, &r->settled);
            }
        }
        sim_start(m, node);
        if (n->is_open)
            backup_compare(m, node);
    }
}

void sim_work(struct sim *m, size_t node, bool pushes)
{
    struct sim_node *n = &m->nodes[node];
    struct err err;
    int rc = 1;

    sim_node_fold(n);
    if (n->folding.is_damaged && !sim_disk_is_dead(n->disk))
        sim_fail(m, "the journal is damaged", n->folding.journal_problem.text);
    for (int i = 0; pushes && rc == 1 && i < 20; i++)
        rc = sim_node_push(n, &err);
    if (pushes && rc == 0)
        m->is_robbed[node] = false;
    sim_trace(m, pushes ? "fold and push" : "fold", node, rc);
}

void sim_calm(struct sim *m, int rounds)
{
    sim_store_faults(0);
    sim_store_deliver();
    for (size_t i = 0; i < SIM_NODES; i++)
        sim_disk_plan(m->nodes[i].disk, SIM_NONE, 0);
    for (int i = 0; i < rounds && m->fault[0] == '\0'; i++) {
        sim_clock_advance(1000);
        for (size_t k = 0; k < SIM_NODES; k++) {
            sim_revive(m, k);
            if (m->fault[0] == '\0')
                sim_work(m, k, true);
        }
    }
    sim_store_faults(m->faults);
}

void sim_time_passes(struct sim *m, uint32_t rounds)
{
    for (uint32_t i = 0; i < rounds && m->fault[0] == '\0'; i++) {
        sim_clock_advance(300 + random_below(&m->random, 3000));
        for (size_t k = 0; k < SIM_NODES; k++) {
            sim_revive(m, k);
            if (m->fault[0] == '\0')
                sim_work(m, k, true);
        }
    }
}

void sim_period_end(struct sim *m, enum period_kind kind)
{
    int64_t now_ms = clock_unix_ms();

    sim_clock_advance((int64_t)period_end(kind, (time_t)(now_ms / 1000)) * 1000 - now_ms +
                      random_below(&m->random, 3600000));
    sim_trace(m, "the end of a period", 0, (long long)kind);
    for (size_t i = 0; i < SIM_NODES; i++) {
        sim_revive(m, i);
        if (m->fault[0] == '\0')
            sim_append(m, i, false);
    }
}

/* --- random numbers of the code -------------------------------------------------------------- */

static struct random_source ids;

/* Instead of the kernel's: a seed is the same each time. */
ssize_t getrandom(void *to, size_t len, unsigned flags)
{
    unsigned char *bytes = to;

    (void)flags;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)random_below(&ids, 256);
    return (ssize_t)len;
}

/* --- begin and end --------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

/* A ledger that counts nothing yet: made once of each kind, and copied. */
static void blank_put(struct sim *m, size_t node)
{
    static struct sim_image *blanks[SIM_NODES][BLANKS];
    uint32_t which = random_below(&ids, BLANKS);
    struct sim_image **blank = &blanks[node][which];
    const struct sim_node *n = &m->nodes[node];
    char path[240];

    (void)snprintf(path, sizeof path, "%s/ledger.db", n->dir);
    if (*blank == NULL) {
        struct random_source seeded = ids;

        ids.state = node * BLANKS + which;
        sim_node_make_ledger(n, path);
        ids = seeded;
        *blank = sim_image_make("");
        sim_image_write(*blank, 0, sim_image_find(path)->bytes, sim_image_find(path)->len);
    } else {
        sim_node_make_file(path);
        sim_image_write(sim_image_make(path), 0, (*blank)->bytes, (*blank)->len);
    }
    sim_disk_forget(n->disk);
}

void sim_begin(struct sim *m, uint64_t seed, const char *base)
{
    static const char *const names[SIM_NODES] = {"mx1", "mx2"};
    static const int syncs[SIM_NODES] = {SYNC_ALWAYS, SYNC_TIMED};

    *m = (struct sim){.random = {seed}, .disk_random = {seed ^ 0xd15c}};
    m->is_traced = getenv("SIM_TRACE") != NULL;
    (void)snprintf(m->base, sizeof m->base, "%s", base);
    sim_clock_set(SIM_BEGIN_MS);
    sim_store_reset();
    sim_pool_use(seed % PLAIN_EVERY != 0);
    ids.state = ~(seed ^ 0x1d5);
    if (mkdir(base, 0700) != 0)
        abort();
    for (size_t i = 0; i < SIM_NODES; i++) {
        uint32_t segment = 400 + random_below(&m->random, 1600);

        sim_node_init(&m->nodes[i], base, names[i], syncs[i], segment, &m->disk_random);
        if (seed % 2 == 0)
            m->nodes[i].scrub_ms = SCRUB_SLOW_MS;
        if (seed % PLAIN_EVERY != 0)
            blank_put(m, i);
        sim_start(m, i);
    }
}

void sim_end(struct sim *m)
{
    for (size_t i = 0; i < SIM_NODES; i++)
        sim_node_fini(&m->nodes[i]);
    sim_images_end(m->base, m->fault[0] != '\0' && m->is_traced);
    if (m->fault[0] == '\0' || !m->is_traced)
        (void)nftw(m->base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
