#include "collect/counts.h"

#include <sysexits.h>

#include "lib/core/record.h"

#define RECORDS_BYTES ((size_t)64 << 20)
#define BATCH_BYTES   ((size_t)8 << 20)

struct counts_message {
    struct slice queue_id;
    int64_t first_ms, last_ms;
    struct slice trace;
};

struct counts_record {
    struct counts_record *next;
    enum { COUNTS_GAP, COUNTS_REFUSAL, COUNTS_MESSAGE, COUNTS_ANOMALY } kind;
    union {
        struct gap gap;
        struct refusal refusal;
        struct counts_message message;
        struct anomaly anomaly;
    } of;
};

void counts_init(struct counts *c, const struct row_sums_config *config, struct slice node_account,
                 const struct slice *sources)
{
    *c = (struct counts){.sources = sources};
    row_sums_init(&c->sums, config, node_account);
    arena_init(&c->arena, RECORDS_BYTES);
    c->last = &c->first;
}

void counts_fini(struct counts *c)
{
    row_sums_fini(&c->sums);
    arena_fini(&c->arena);
}

void counts_reset(struct counts *c, uint64_t number)
{
    row_sums_reset(&c->sums);
    arena_reset(&c->arena);
    c->first = NULL;
    c->last = &c->first;
    c->failed = false;
    c->number = number;
}

bool counts_is_full(const struct counts *c)
{
    return row_sums_is_full(&c->sums) || c->arena.used_bytes >= BATCH_BYTES;
}

bool counts_is_empty(const struct counts *c)
{
    return c->first == NULL && c->sums.first == NULL;
}

static void fail(struct counts *c, const struct err *err)
{
    if (!c->failed)
        c->err = *err;
    c->failed = true;
}

/* --- the sink ----------------------------------------------------------------------------------
 */

static void add(struct counts *c, struct slice account, struct slice user, enum counter id,
                uint64_t amount)
{
    struct tally *tally;
    struct err err;

    if (row_sums_tally(&c->sums, account, user, c->number, &tally, &err) < 0)
        fail(c, &err);
    else if (tally != NULL)
        tally->value[id] += amount;
}

static void count(void *to, int64_t time_ms, const struct payer *payer, enum counter id,
                  uint64_t amount)
{
    struct counts *c = to;
    struct err err;

    if (row_sums_at(&c->sums, (time_t)(time_ms / 1000), &err) < 0) {
        fail(c, &err);
        return;
    }
    if (counter_filler(id, true) == FILLER_COLLECTOR)
        add(c, SLICE(ACCOUNT_NODE), SLICE_NONE, id, amount);
    if (payer->domain.len == 0 || counter_filler(id, false) != FILLER_COLLECTOR)
        return;
    add(c, payer->domain, SLICE_NONE, id, amount);
    if (payer->user.len > 0 && counter_is_of_users(id))
        add(c, payer->domain, payer->user, id, amount);
}

static void copy(struct counts *c, struct slice *text)
{
    struct slice copied = arena_copy(&c->arena, *text);
    struct err err;

    if (copied.ptr == NULL && text->len > 0) {
        (void)err_set(&err, EX_OSERR, "out of memory for what was found in the logs");
        fail(c, &err);
    }
    *text = copied.ptr != NULL ? copied : SLICE_NONE;
}

static void keep(struct counts *c, const struct counts_record *record)
{
    struct counts_record *r = arena_alloc(&c->arena, sizeof *r);
    struct err err;

    if (r == NULL) {
        (void)err_set(&err, EX_OSERR, "out of memory for what was found in the logs");
        fail(c, &err);
        return;
    }
    *r = *record;
    *c->last = r;
    c->last = &r->next;
}

static void gap(void *to, const struct gap *found)
{
    struct counts_record r = {.kind = COUNTS_GAP, .of.gap = *found};

    copy(to, &r.of.gap.reason);
    keep(to, &r);
}

static void refusal(void *to, const struct refusal *found)
{
    struct counts_record r = {.kind = COUNTS_REFUSAL, .of.refusal = *found};

    copy(to, &r.of.refusal.provider);
    copy(to, &r.of.refusal.relay);
    copy(to, &r.of.refusal.list);
    copy(to, &r.of.refusal.text);
    copy(to, &r.of.refusal.domain);
    keep(to, &r);
}

static void message(void *to, struct slice queue_id, int64_t first_ms, int64_t last_ms,
                    struct slice trace)
{
    struct counts_record r = {.kind = COUNTS_MESSAGE,
                              .of.message = {queue_id, first_ms, last_ms, trace}};

    copy(to, &r.of.message.queue_id);
    copy(to, &r.of.message.trace);
    keep(to, &r);
}

static void anomaly(void *to, const struct anomaly *found)
{
    struct counts_record r = {.kind = COUNTS_ANOMALY, .of.anomaly = *found};

    copy(to, &r.of.anomaly.subject.domain);
    copy(to, &r.of.anomaly.subject.user);
    keep(to, &r);
}

struct sink counts_sink(struct counts *c)
{
    return (struct sink){c, count, gap, refusal, message, anomaly};
}

/* --- the ledger --------------------------------------------------------------------------------
 */

static int record_apply(const struct counts *c, struct collect_db *db,
                        const struct counts_record *r, struct err *err)
{
    const struct gap *g = &r->of.gap;
    const struct counts_message *m = &r->of.message;

    switch (r->kind) {
    case COUNTS_GAP:
        return collect_db_gap_add(db,
                                  &(struct collect_gap){0, c->sources[g->source], g->from_ms,
                                                        g->to_ms, g->lost, g->reason},
                                  NULL, err);
    case COUNTS_REFUSAL:
        return collect_db_refusal_add(db, &r->of.refusal, err);
    case COUNTS_MESSAGE:
        return collect_db_message_add(db, m->queue_id, m->first_ms, m->last_ms, m->trace, err);
    case COUNTS_ANOMALY:
        return collect_db_anomaly_add(db, &r->of.anomaly, err);
    }
    return 0;
}

int counts_apply(struct counts *c, struct collect_db *db, struct err *err)
{
    if (c->failed) {
        *err = c->err;
        return -1;
    }
    if (row_sums_apply(&c->sums, collect_db_ledger(db), err) < 0)
        return -1;
    for (const struct counts_record *r = c->first; r != NULL; r = r->next) {
        if (record_apply(c, db, r, err) < 0)
            return -1;
    }
    return 0;
}
