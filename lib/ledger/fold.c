#include "lib/ledger/fold.h"

#include <inttypes.h>
#include <sysexits.h>

#define SCRATCH_BYTES ((size_t)256 << 20)
#define BATCH_RECORDS 20000

void fold_init(struct fold *f, const struct row_sums_config *config, struct slice node_account)
{
    *f = (struct fold){.records = 0};
    row_sums_init(&f->sums, config, node_account);
    arena_init(&f->scratch, SCRATCH_BYTES);
    fold_held_init(&f->held);
    fold_reset(f);
}

void fold_fini(struct fold *f)
{
    row_sums_fini(&f->sums);
    arena_fini(&f->scratch);
    fold_held_fini(&f->held);
}

void fold_reset(struct fold *f)
{
    row_sums_reset(&f->sums);
    fold_held_reset(&f->held);
    f->records = 0;
}

bool fold_is_full(const struct fold *f)
{
    return f->records >= BATCH_RECORDS || row_sums_is_full(&f->sums);
}

static int legs_add(struct fold *f, const struct record *r, struct err *err)
{
    struct tally *t;

    for (size_t i = 0; i < r->leg_count; i++) {
        if (row_sums_tally(&f->sums, r->legs[i].account, r->legs[i].user, r->number, &t, err) < 0)
            return -1;
        if (t != NULL)
            record_leg_count(r, &r->legs[i], t);
    }
    return 0;
}

static int amounts_add(struct fold *f, const struct record *r, struct err *err)
{
    struct tally *t;

    for (size_t i = 0; i < r->amount_count; i++) {
        const struct amount *a = &r->amounts[i];

        if (row_sums_tally(&f->sums, a->account, a->user, r->number, &t, err) < 0)
            return -1;
        if (t != NULL)
            t->value[a->counter] += a->value;
    }
    return 0;
}

/* The legs of a held message, as those of the record that releases it. */
static int held_legs_add(struct fold *f, const struct record *release, struct slice body,
                         struct err *err)
{
    struct record held = {.number = release->number, .time_ms = release->time_ms};

    arena_reset(&f->scratch);
    if (record_decode(body, &f->scratch, &held, err) != 0)
        return -1;
    return legs_add(f, &held, err);
}

static void note_stray(struct fold *f, const struct record *r)
{
    if (f->strays++ > 0)
        return;
    (void)err_set(&f->stray_first, EX_DATAERR,
                  "record %" PRIu64 " of the journal lets held message %.*s go (record %" PRIu64
                  "), which is not held any more, or never was: it is not counted again",
                  r->number, SLICE_FMT(r->queue_id), r->held_number);
}

/* 1: the record counts; 0: it is ignored. */
static int held_take(struct fold *f, struct ledger *l, const struct record *r, struct err *err)
{
    struct slice body;
    int rc = fold_held_take(&f->held, l, r, &f->sums.arena, &body, err);

    if (rc == 0)
        note_stray(f, r);
    if (rc == 1 && r->kind == RECORD_RELEASE && held_legs_add(f, r, body, err) != 0)
        return -1;
    return rc;
}

/* What the record's kind does besides its amounts; 1, 0: the record is ignored, -1. */
static int kind_add(struct fold *f, struct ledger *l, const struct record *r, struct err *err)
{
    switch (r->kind) {
    case RECORD_MESSAGE:
        return legs_add(f, r, err) < 0 ? -1 : 1;
    case RECORD_HELD:
        return fold_held_add(&f->held, r, row_sums_account(&f->sums, r->held_by), &f->sums.arena,
                             err) < 0
                   ? -1
                   : 1;
    case RECORD_RELEASE:
    case RECORD_FORGET:
        return held_take(f, l, r, err);
    case RECORD_PLACE:
        return fold_held_place(&f->held, r, &f->sums.arena, err) < 0 ? -1 : 1;
    case RECORD_EVENT:
    case RECORD_KINDS:
        break;
    }
    return 1;
}

int fold_add(struct fold *f, struct ledger *l, const struct record *r, struct err *err)
{
    int rc;

    if (row_sums_at(&f->sums, (time_t)(r->time_ms / 1000), err) < 0)
        return -1;
    rc = kind_add(f, l, r, err);
    if (rc < 0 || (rc == 1 && amounts_add(f, r, err) < 0))
        return -1;
    f->latest_ms = r->time_ms;
    f->records++;
    return 0;
}

static int meta_advance(const struct fold *f, struct ledger *l, struct journal_position position,
                        struct err *err)
{
    struct ledger_meta meta = *ledger_meta(l);

    meta.position = position;
    meta.latest_ms = f->latest_ms;
    return ledger_meta_set(l, &meta, err);
}

int fold_apply(struct fold *f, struct ledger *l, struct journal_position position, struct err *err)
{
    int rc = ledger_begin(l, err);

    if (fold_is_full(f)) /* more is waiting: the rests come when that is folded */
        f->sums.rest.times = 0;
    if (rc == 0)
        rc = row_sums_apply(&f->sums, l, err);
    if (rc == 0)
        rc = fold_held_apply(&f->held, l, err);
    if (rc == 0)
        rc = meta_advance(f, l, position, err);
    if (rc == 0)
        rc = ledger_commit(l, err);
    if (rc < 0)
        ledger_rollback(l);
    fold_reset(f);
    return rc;
}
