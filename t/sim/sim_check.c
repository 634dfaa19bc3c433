#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ledger/ledger_held.h"
#include "lib/ledger/row_sums.h"
#include "lib/redis/link.h"
#include "lib/sys/clock.h"
#include "t/sim/sim_store.h"
#include "t/sim/sim_world.h"

#define TOTAL "tg:{example.com}:total"
#define HELD  "tg:{example.com}:held"

/* --- what Redis shows ------------------------------------------------------------------------ */

struct shown {
    uint64_t messages, bytes;
};

static uint64_t number_of(const redisReply *reply)
{
    uint64_t number;

    return slice_number(link_reply_text(reply), &number) ? number : 0;
}

static struct shown shown_in(const char *key, const char *start)
{
    char messages[80], bytes[80];
    struct shown s = {0, 0};
    redisReply *reply;

    (void)snprintf(messages, sizeof messages, "%sin_messages", start);
    (void)snprintf(bytes, sizeof bytes, "%sin_bytes", start);
    reply = sim_store_ask(
        4, (struct slice[]){SLICE("HMGET"), slice_str(key), slice_str(messages), slice_str(bytes)});
    if (reply->type == REDIS_REPLY_ARRAY)
        s = (struct shown){number_of(reply->element[0]), number_of(reply->element[1])};
    freeReplyObject(reply);
    return s;
}

/* The sum over all keys that begin so. */
static struct shown shown_sum(const char *start, const char *user)
{
    redisReply *keys = sim_store_ask(2, (struct slice[]){SLICE("KEYS"), slice_str(start)});
    struct shown sum = {0, 0};

    for (size_t i = 0; i < keys->elements; i++) {
        struct shown one = shown_in(keys->element[i]->str, user);

        sum.messages += one.messages;
        sum.bytes += one.bytes;
    }
    freeReplyObject(keys);
    return sum;
}

uint64_t sim_shown(void)
{
    return shown_in(TOTAL, "").bytes;
}

uint64_t sim_sealed(void)
{
    redisReply *keys =
        sim_store_ask(2, (struct slice[]){SLICE("KEYS"), SLICE("tg:{example.com}:")});
    uint64_t count = 0;

    for (size_t i = 0; i < keys->elements; i++) {
        redisReply *seal =
            sim_store_ask(3, (struct slice[]){SLICE("HGET"), slice_str(keys->element[i]->str),
                                              SLICE("_sealed.0")});

        count += seal->type == REDIS_REPLY_STRING;
        freeReplyObject(seal);
    }
    freeReplyObject(keys);
    return count;
}

int64_t sim_pushed_through(const struct sim_node *n)
{
    char key[64];
    redisReply *reply;
    uint64_t through;

    (void)snprintf(key, sizeof key, "tg:{@%s}:node", n->name);
    reply =
        sim_store_ask(3, (struct slice[]){SLICE("HGET"), slice_str(key), SLICE("pushed_through")});
    through = number_of(reply);
    freeReplyObject(reply);
    return (int64_t)through;
}

/* --- what must be true ----------------------------------------------------------------------- */

static bool is_possible(const struct sim_record *r)
{
    if (r->is_held && (!r->is_released || r->settled.fate == FATE_NONE))
        return false;
    return r->kept.fate != FATE_NONE;
}

static bool is_wanted(const struct sim_record *r)
{
    if (r->is_held && (!r->is_released || r->settled.fate != FATE_ACCEPTED))
        return false;
    return r->kept.fate == FATE_ACCEPTED;
}

uint64_t sim_wanted(const struct sim *m)
{
    uint64_t wanted = 0;

    for (size_t i = 0; i < m->count; i++)
        wanted |= is_wanted(&m->records[i]) ? UINT64_C(1) << i : 0;
    return wanted;
}

/* At any moment: no record counts twice, nor one that was never there. */
static void check_shown(struct sim *m, struct shown s, const char *what)
{
    uint64_t possible = 0;
    char text[120];

    for (size_t i = 0; i < m->count; i++)
        possible |= is_possible(&m->records[i]) ? UINT64_C(1) << i : 0;
    if ((uint64_t)__builtin_popcountll(s.bytes) == s.messages && (s.bytes & ~possible) == 0)
        return;
    (void)snprintf(text, sizeof text, "messages %llu, bytes %llx, possible %llx",
                   (unsigned long long)s.messages, (unsigned long long)s.bytes,
                   (unsigned long long)possible);
    sim_fail(m, what, text);
}

/* What a node says to have pushed is there. */
static void check_through(struct sim *m, struct shown s)
{
    int64_t through[SIM_NODES];
    char text[120];

    for (size_t i = 0; i < SIM_NODES; i++)
        through[i] = sim_pushed_through(&m->nodes[i]);
    for (size_t i = 0; i < m->count; i++) {
        const struct sim_record *r = &m->records[i];
        const struct sim_append *counts = r->is_held ? &r->settled : &r->kept;

        if (!is_wanted(r) || counts->is_backdated || counts->time_ms >= through[r->node] * 1000 ||
            (s.bytes >> i & 1) != 0)
            continue;
        (void)snprintf(text, sizeof text, "record %zu of %lld ms, pushed_through %lld", i,
                       (long long)counts->time_ms, (long long)through[r->node]);
        sim_fail(m, "pushed_through is ahead of what is there", text);
    }
}

/* A hash as it stands, on a line, for whoever looks for the reason. */
static void trace_hash(const char *key)
{
    redisReply *row = sim_store_ask(2, (struct slice[]){SLICE("HGETALL"), slice_str(key)});

    (void)fprintf(stderr, "    %s", key);
    for (size_t i = 0; i + 1 < row->elements; i += 2)
        (void)fprintf(stderr, " %s:%s", row->element[i]->str, row->element[i + 1]->str);
    (void)fputc('\n', stderr);
    freeReplyObject(row);
}

static void trace_all(const struct sim *m)
{
    char key[64];
    redisReply *keys =
        sim_store_ask(2, (struct slice[]){SLICE("KEYS"), SLICE("tg:{example.com}:")});

    for (size_t i = 0; i < keys->elements; i++) {
        if (strcmp(keys->element[i]->str, HELD) != 0)
            trace_hash(keys->element[i]->str);
    }
    freeReplyObject(keys);
    for (size_t i = 0; i < SIM_NODES; i++) {
        (void)snprintf(key, sizeof key, "tg:{@%s}:node", m->nodes[i].name);
        trace_hash(key);
    }
}

/* Redis takes every row, but for one that is sealed beyond what the ledger knows of it, which is
 * older, or was made again. */
static void check_refused(struct sim *m)
{
    for (size_t i = 0; i < SIM_NODES; i++) {
        if (m->nodes[i].refused == 0)
            continue;
        m->nodes[i].refused = 0;
        m->has_lost_rows = true;
        if (!m->has_older_ledger && !m->has_seals_alone)
            sim_fail(m, "a row is refused", "");
    }
}

void sim_check_now(struct sim *m)
{
    struct shown s = shown_in(TOTAL, "");

    if (m->is_traced)
        trace_all(m);
    check_shown(m, s, "a figure that cannot be");
    check_through(m, s);
    check_refused(m);
}

/* What the ledger has forgotten by now, a server that was put back may show until its set goes. */
static bool is_forgotten(const struct sim_record *r)
{
    return r->settled.time_ms < clock_unix_ms() - HELD_GONE_KEPT_S * 1000;
}

/* The messages that Redis shows as held: those that nobody let go, and some that only a lost ledger
 * knew (HACKING, "What cannot be covered"). */
static void check_held(struct sim *m)
{
    redisReply *reply = sim_store_ask(2, (struct slice[]){SLICE("ZCARD"), SLICE(HELD)});
    long long least = 0, most = 0, shown = reply->integer;
    char text[120];

    freeReplyObject(reply);
    for (size_t i = 0; i < m->count; i++) {
        const struct sim_record *r = &m->records[i];

        if (!r->is_held || r->kept.fate == FATE_NONE ||
            (r->settled.fate == FATE_ACCEPTED && !is_forgotten(r) && !r->may_stay_shown))
            continue;
        most++;
        least += r->kept.fate == FATE_ACCEPTED && r->settled.fate == FATE_NONE;
    }
    (void)snprintf(text, sizeof text, "%lld, at least %lld, at most %lld", shown, least, most);
    if (shown < least || shown > most)
        sim_fail(m, "messages held", text);
}

static bool is_same(struct shown a, struct shown b)
{
    return a.messages == b.messages && a.bytes == b.bytes;
}

/* Old hours are gone after a loss. */
static void check_periods(struct sim *m, struct shown total)
{
    static const char *const keys[] = {
        "tg:{example.com}:month:", "tg:{example.com}:day:", "tg:{example.com}:hour:"};
    bool has_old_hours = clock_unix_ms() - SIM_BEGIN_MS > HOUR_KEPT_S * 1000;

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct shown sum = shown_sum(keys[i], "");

        if (i == 2 && has_old_hours)
            total.bytes &= sum.bytes;
        if (i == 2 && has_old_hours)
            total.messages = (uint64_t)__builtin_popcountll(total.bytes);
        if (!is_same(sum, total))
            sim_fail(m, "the sum of periods is not the total", keys[i]);
    }
}

void sim_check_end(struct sim *m)
{
    struct shown total = shown_in(TOTAL, "");
    uint64_t missing = sim_wanted(m) & ~total.bytes;
    char text[120];

    if (missing != 0) {
        size_t i = (size_t)__builtin_ctzll(missing);

        (void)snprintf(text, sizeof text, "record %zu of node %zu", i, m->records[i].node);
        sim_fail(m, "an accepted record is not counted", text);
    }
    if (!m->has_lost_records)
        check_held(m);
    if (m->has_lost_rows)
        return;
    check_periods(m, total);
    if (!is_same(shown_sum("tg:{example.com}:users:month:", "u@example.com "), total))
        sim_fail(m, "the user's figures are not the account's", "");
}
