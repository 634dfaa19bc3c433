#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ledger/ledger_share.h"
#include "lib/ledger/ledger_statement.h"
#include "lib/redis/link.h"
#include "lib/sys/journal_repair.h"
#include "lib/sys/journal_segment.h"
#include "t/sim/sim_files.h"
#include "t/sim/sim_redis.h"
#include "t/sim/sim_store.h"
#include "t/sim/sim_world.h"

#define HEAL_ROUNDS 6

/* --- Redis ----------------------------------------------------------------------------------- */

/* The share that the node's hash names, "" where there is none. */
static void named_share(const struct sim_node *n, char share[16])
{
    char key[64];
    redisReply *reply;

    (void)snprintf(key, sizeof key, "tg:{@%s}:node", n->name);
    reply = sim_store_ask(3, (struct slice[]){SLICE("HGET"), slice_str(key), SLICE("_ledger")});
    (void)snprintf(share, 16, "%.*s", SLICE_FMT(link_reply_text(reply)));
    freeReplyObject(reply);
}

/* A journal that was restored, or cut by a loss of power, gives numbers again that Redis has of the
 * records which are lost: until the hash names the share that counts them, nothing but the ledger
 * tells one from the other (HACKING, "What cannot be covered"). */
static bool is_between_shares(const struct sim *m, size_t node, const char *named)
{
    const struct ledger *l = m->nodes[node].ledger;
    struct ledger_share_info present;

    if (!m->is_cut_back[node] || l == NULL)
        return m->is_cut_back[node];
    (void)ledger_share_at(l, 0, &present);
    return (!l->is_met || !slice_equal(present.share_id, slice_str(named)));
}

static void rows_lost(struct sim *m)
{
    for (size_t i = 0; i < SIM_NODES; i++)
        m->is_robbed[i] = true;
    m->has_lost_rows = m->has_lost_rows || m->has_lost_records || m->has_seals_alone;
}

/* What the server said when it was saved was said of the mail of then. */
static void backdate(struct sim *m)
{
    for (size_t i = 0; i < m->count; i++) {
        struct sim_record *r = &m->records[i];
        int64_t through_ms = sim_pushed_through(&m->nodes[r->node]) * 1000;

        r->kept.is_backdated |= r->kept.step >= m->saved_step && r->kept.time_ms < through_ms;
        r->settled.is_backdated |=
            r->settled.step >= m->saved_step && r->settled.time_ms < through_ms;
    }
}

/* In an empty server a ledger whose journal was cut back goes on under its share; in one that is
 * put back later, others did before (HACKING, "What cannot be covered"). */
static void flush(struct sim *m)
{
    char named[16];

    rows_lost(m);
    for (size_t i = 0; i < SIM_NODES; i++) {
        named_share(&m->nodes[i], named);
        if (is_between_shares(m, i, named))
            sim_redis_forget();
    }
    sim_store_flush();
}

/* The same where the server was emptied first, and the node has not noticed yet. What is in it by
 * then of the records that are lost, if only late commands, may be a part of their rows. */
void sim_cut_back(struct sim *m, size_t node)
{
    char named[16];

    m->has_lost_rows = m->has_lost_rows || m->is_robbed[node];

    named_share(&m->nodes[node], named);
    if (named[0] == '\0')
        sim_redis_forget();
    m->is_cut_back[node] = true;
}

static void server_event(struct sim *m)
{
    uint32_t what = random_below(&m->random, 7);

    sim_trace(m, "redis", what, 0);
    switch (what) {
    case 0:
        flush(m);
        break;
    case 1: /* a snapshot of before, or a replica that was behind */
        rows_lost(m);
        sim_redis_restore();
        backdate(m);
        if (random_below(&m->random, 2) == 0)
            sim_store_promote();
        break;
    case 2:
        m->faults = random_below(&m->random, 2) * (5 + random_below(&m->random, 60));
        sim_store_faults(m->faults);
        break;
    case 3:
        sim_store_deliver();
        break;
    default:
        sim_redis_save();
        m->saved_step = m->step;
    }
}

/* By hand: a figure, a field, a key. The scrub finds it; until then nothing is promised. */
static void edit(struct sim *m)
{
    struct slice total = SLICE("tg:{example.com}:total");
    struct slice edits[][4] = {{SLICE("HSET"), total, SLICE("in_bytes"), SLICE("123456789")},
                               {SLICE("HSET"), total, SLICE("in_messages"), SLICE("0")},
                               {SLICE("HDEL"), total, SLICE("in_messages")},
                               {SLICE("DEL"), total}};
    static const size_t words[] = {4, 4, 3, 2};
    uint32_t which = random_below(&m->random, 4);

    if (m->has_lost_records || sim_shown() == 0) /* a share that was left is as Redis has it */
        return;
    sim_trace(m, "edit", which, 0);
    sim_calm(m, 2);
    if (m->has_lost_records)
        return;
    freeReplyObject(sim_store_ask(words[which], edits[which]));
    sim_calm(m, HEAL_ROUNDS);
}

/* --- disks ----------------------------------------------------------------------------------- */

static void backup_path(const struct sim_node *n, char path[240])
{
    (void)snprintf(path, 240, "%s.backup", n->dir);
}

static uint64_t first_segment(const struct sim_node *n)
{
    uint64_t *numbers, first;
    size_t count;

    if (journal_segments_list(n->journal_dir, &numbers, &count, NULL) != 0)
        return 0;
    first = count > 0 ? numbers[0] : 0;
    free(numbers);
    return first;
}

static void present_share(const struct sim_node *n, char share[16])
{
    struct ledger_share_info present;

    (void)ledger_share_at(n->ledger, 0, &present);
    (void)snprintf(share, 16, "%.*s", SLICE_FMT(present.share_id));
}

/* One of a ledger whose run Redis has not met yet may count twice what it had counted in it. */
static void backup(struct sim *m, size_t node)
{
    struct sim_node *n = &m->nodes[node];
    uint64_t next;
    char path[240];

    if (!n->ledger->is_met)
        return;
    (void)journal_now(n->journal, &next);
    backup_path(n, path);
    sim_files_remove(path, SIM_FILES_ALL);
    sim_files_copy(n->dir, path, SIM_FILES_ALL);
    m->backups[node] = (struct sim_backup){.is_there = true,
                                           .step = m->step,
                                           .first = first_segment(n),
                                           .next = next,
                                           .has_unclaimed = ledger_meta(n->ledger)->base < next};
    present_share(n, m->backups[node].share);
    sim_trace(m, "backup", node, 0);
}

static void node_die(struct sim *m, size_t node)
{
    sim_disk_kill(m->nodes[node].disk, false);
    sim_node_close(&m->nodes[node]);
    (void)sim_disk_revive(m->nodes[node].disk);
}

/* --- a ledger that is gone ------------------------------------------------------------------- */

/* What the journal has, as bits: records, and releases of those that were held. */
struct in_journal {
    uint64_t kept, released;
};

static struct in_journal journal_look(struct sim *m, const struct sim_node *n)
{
    struct in_journal found = {0, 0};
    struct record r;
    struct err err = {0};
    uint64_t i;
    int rc = 0;
    struct journal_reader *reader =
        journal_reader_open(n->journal_dir, (struct journal_position){0}, &err);

    while (reader != NULL && (rc = journal_reader_next(reader, &r, &err)) == 1) {
        if (!slice_number(r.queue_id, &i) || i >= m->count)
            continue;
        if (r.kind == RECORD_RELEASE)
            found.released |= UINT64_C(1) << i;
        else if (r.kind != RECORD_FORGET)
            found.kept |= UINT64_C(1) << i;
    }
    if (reader == NULL || rc < 0)
        sim_fail(m, "the journal cannot be read", err.text);
    journal_reader_close(reader);
    return found;
}

/* Redis may show it, as long as it has it; nobody can bring it again. */
static void lost_while_held(struct sim_record *r, uint64_t in_journal)
{
    if (in_journal == 0 && r->kept.fate == FATE_ACCEPTED)
        r->kept.fate = FATE_MAYBE;
}

/* Neither Redis nor the journal has it; or Redis has only some of its rows. */
static void losses_note(struct sim *m, size_t node, struct in_journal found)
{
    int64_t through_ms = sim_pushed_through(&m->nodes[node]) * 1000;
    uint64_t shown = sim_shown();

    for (size_t i = 0; i < m->count; i++) {
        struct sim_record *r = &m->records[i];
        const struct sim_append *counts = r->is_held ? &r->settled : &r->kept;
        uint64_t bit = UINT64_C(1) << i;
        bool in_journal = (found.kept & bit) != 0 && (!r->is_held || (found.released & bit) != 0);

        if (r->node != node || in_journal)
            continue;
        r->may_stay_shown = r->may_stay_shown || (found.kept & bit) == 0;
        if (r->is_held && !r->is_released) {
            lost_while_held(r, found.kept & bit);
            continue;
        }
        if ((shown & bit) == 0 && r->kept.fate == FATE_ACCEPTED)
            r->kept.fate = FATE_MAYBE;
        if (counts->time_ms >= through_ms || counts->is_backdated || (shown & bit) == 0)
            m->has_lost_records = m->has_lost_rows = true;
    }
}

/* Records that were not claimed are counted by the share that is there now, if it began with one of
 * them; and the same share counts others, if their numbers were given again. A ledger alone is
 * whole again only while the journal still has what it lacks, and all counts on under its share; a
 * journal alone goes on with its numbers only where they are nobody else's (HACKING, "What cannot
 * be covered"). */
static bool is_restorable(const struct sim *m, size_t node, enum sim_files what)
{
    const struct sim_backup *b = &m->backups[node];
    const struct sim_node *n = &m->nodes[node];
    char named[16], present[16];

    if (what == SIM_FILES_JOURNAL)
        return !b->has_ended;
    present_share(n, present);
    if (what == SIM_FILES_ALL)
        return strcmp(present, b->share) == 0 ? !b->has_ended : !b->has_unclaimed;
    named_share(n, named);
    return first_segment(n) == b->first && !b->has_gaps && strcmp(present, b->share) == 0 &&
           !is_between_shares(m, node, named);
}

static void restore(struct sim *m, size_t node)
{
    enum sim_files what = (enum sim_files)random_below(&m->random, SIM_FILES_KINDS);
    struct sim_node *n = &m->nodes[node];
    char path[240];

    if (!m->backups[node].is_there || !is_restorable(m, node, what))
        return;
    sim_trace(m, "restore", node, what);
    if (what != SIM_FILES_LEDGER && n->ledger != NULL && ledger_meta(n->ledger)->lacks_rows != 0)
        m->has_lost_rows = true;
    node_die(m, node);
    backup_path(n, path);
    sim_files_remove(n->dir, what);
    sim_files_copy(path, n->dir, what);
    sim_disk_forget(n->disk);
    m->has_older_ledger = true;
    m->backups[node].has_gaps |= what == SIM_FILES_JOURNAL;
    if (what != SIM_FILES_LEDGER) {
        sim_lose_since(m, node, m->backups[node].step);
        sim_cut_back(m, node);
    }
}

/* How many shares of the node the total has. */
static size_t shares_shown(const struct sim_node *n)
{
    redisReply *row =
        sim_store_ask(2, (struct slice[]){SLICE("HGETALL"), SLICE("tg:{example.com}:total")});
    size_t len = strlen(n->name), count = 0;

    for (size_t i = 0; i < row->elements; i += 2) {
        const char *field = row->element[i]->str;

        count +=
            field[0] == '_' && strncmp(field + 1, n->name, len) == 0 && strchr(field, ':') == NULL;
    }
    freeReplyObject(row);
    return count;
}

/* Redis has lost rows of a share that was left, and the ledger is about to bring them again. */
static bool is_short_of_a_share(const struct sim_node *n)
{
    struct ledger_share_info left;

    return ledger_meta(n->ledger)->lacks_rows != 0 && ledger_share_at(n->ledger, 1, &left);
}

/* tollgated --repair (milter/repair.c), which refuses where Redis has several shares of the node
 * and no hash that says which goes on. */
static void ledger_lose(struct sim *m, size_t node)
{
    struct sim_node *n = &m->nodes[node];
    struct journal_repaired repaired;
    struct err err = {0};
    char named[16];

    sim_store_deliver();
    named_share(n, named);
    if ((named[0] == '\0' && shares_shown(n) > 1) || is_between_shares(m, node, named) ||
        is_short_of_a_share(n))
        return;
    sim_trace(m, "ledger lost", node, 0);
    node_die(m, node);
    sim_files_remove(n->dir, SIM_FILES_LEDGER);
    sim_disk_forget(n->disk);
    m->backups[node].is_there = false; /* of another ledger */
    sim_store_faults(0);
    m->has_seals_alone = m->has_seals_alone || sim_sealed() > 0;
    if (named[0] == '\0') /* a share that Redis has again later counts beside the new one */
        sim_redis_forget();
    if (journal_repair(n->journal_dir, 0, &repaired, &err) == 0)
        losses_note(m, node, journal_look(m, n));
    if (m->fault[0] == '\0' && sim_node_repair(n, &err) != 0)
        sim_fail(m, "the ledger cannot be made again", err.text);
    sim_store_faults(m->faults);
}

/* --- all ------------------------------------------------------------------------------------- */

static void plan(struct sim *m, size_t node)
{
    enum sim_fault fault = (enum sim_fault)(1 + random_below(&m->random, SIM_FAULTS - 1));
    uint32_t calls = random_below(&m->random, 1u << random_below(&m->random, 8));

    sim_disk_plan(m->nodes[node].disk, fault, calls);
    sim_trace(m, "plan", node, (long long)fault * 1000 + calls);
}

static void trim(struct sim *m, size_t node)
{
    uint32_t kept = random_below(&m->random, 3) * 1500;

    sim_node_trim(&m->nodes[node], kept);
    sim_trace(m, "trim", node, kept);
}

/* Mostly on; and set, by seconds or by hours. */
static void clock_event(struct sim *m)
{
    static const enum period_kind kinds[] = {PERIOD_HOUR, PERIOD_DAY, PERIOD_MONTH};
    uint32_t what = random_below(&m->random, 8);

    if (what < 3)
        sim_clock_advance(random_below(&m->random, 3000));
    else if (what == 3)
        sim_clock_advance(random_below(&m->random, 10000000));
    else if (what < 6)
        sim_period_end(m, kinds[random_below(&m->random, 3)]);
    else
        sim_clock_step((int64_t)random_below(&m->random, what == 6 ? 20000 : 20000000) -
                       (what == 6 ? 10000 : 10000000));
    sim_trace(m, "clock", what, 0);
}

static void time_event(struct sim *m)
{
    if (random_below(&m->random, 2) == 0)
        clock_event(m);
    else
        sim_time_passes(m, 1 + random_below(&m->random, 6));
}

static void disaster(struct sim *m, size_t node)
{
    uint32_t what = random_below(&m->random, 8);

    if (what < 3)
        backup(m, node);
    else if (what < 5)
        restore(m, node);
    else if (what == 5)
        ledger_lose(m, node);
    else
        edit(m);
}

/* What happens where nothing fails. */
static void quiet_event(struct sim *m, size_t node)
{
    uint32_t what = random_below(&m->random, 20);

    if (what < 6)
        sim_append(m, node, false);
    else if (what < 8)
        sim_append(m, node, true);
    else if (what < 10)
        sim_settle_held(m, node);
    else if (what < 15)
        sim_work(m, node, what < 14);
    else if (what < 17)
        sim_tick(m, node);
    else if (what == 17)
        trim(m, node);
    else if (what == 18)
        time_event(m);
    else
        sim_node_stop(&m->nodes[node]);
}

void sim_event(struct sim *m, size_t node)
{
    uint32_t what = m->is_quiet ? 0 : random_below(&m->random, 28);

    if (what < 20) {
        quiet_event(m, node);
    } else if (what < 22) {
        plan(m, node);
    } else if (what == 22) {
        sim_disk_kill(m->nodes[node].disk, random_below(&m->random, 2) == 0);
    } else if (what < 26) {
        server_event(m);
    } else {
        disaster(m, node);
    }
}
