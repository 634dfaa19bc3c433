#include "lib/ledger/adopt.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/ledger/fold.h"
#include "lib/sys/journal.h"

/* Before pushed_through; a clock that is set back by less leaves the times of records as they are.
 */
#define MARGIN_MS  INT64_C(3600000)
#define WALK_ROWS  5000
#define NODE_BYTES 256

struct replay {
    struct ledger *ledger;
    struct adopt_result *out;
    struct fold fold;
    uint64_t *counted; /* by a row's id */
    size_t size;
    char node[NODE_BYTES];
    uint64_t claim;    /* Redis has no record from that number on */
    int64_t latest_ms; /* of the records read */
    bool is_set_back;  /* the clock was, meanwhile */
};

/* --- through which record each row counts ---------------------------------------------------- */

static int counted_set(struct replay *r, const struct row *row, struct err *err)
{
    if ((uint64_t)row->id >= r->size) {
        size_t size = (size_t)row->id * 2 + 64;
        uint64_t *grown = realloc(r->counted, size * sizeof *grown);

        if (grown == NULL)
            return err_set(err, EX_OSERR, "out of memory for the rows");
        for (size_t i = r->size; i < size; i++)
            grown[i] = 0;
        r->counted = grown;
        r->size = size;
    }
    r->counted[row->id] = row->number;
    return 0;
}

static int counted_read(struct replay *r, struct err *err)
{
    int64_t after = 0;
    size_t seen;
    struct row row;
    int rc;

    do {
        seen = 0;
        ledger_walk_start(r->ledger, WALK_ALL, after, WALK_ROWS);
        while ((rc = ledger_walk_next(r->ledger, &row, err)) == 1) {
            after = row.id;
            seen++;
            if (counted_set(r, &row, err) < 0) {
                rc = -1;
                break;
            }
        }
        ledger_walk_end(r->ledger);
    } while (rc == 0 && seen == WALK_ROWS);
    return rc;
}

/* --- the journal ----------------------------------------------------------------------------- */

static void note(struct adopt_result *out, const struct record *record)
{
    out->records++;
    if (out->first == 0 || record->number < out->first) {
        out->first = record->number;
        out->first_ms = record->time_ms;
    }
}

/* All that Redis must have needs no second look; what is held by then may still be let go. Where
 * the clock was set back, times do not tell what Redis had. */
static bool is_needed(struct replay *r, const struct record *record)
{
    bool is_old = record->time_ms < r->out->pushed_through * 1000 - MARGIN_MS &&
                  record->number < r->claim && !r->is_set_back;

    return !is_old || (record->kind != RECORD_MESSAGE && record->kind != RECORD_EVENT);
}

/* The ledger may be ahead of the journal, whose end a power failure may have taken. */
static int position_end(struct replay *r, struct journal_position at, uint64_t claim,
                        struct err *err)
{
    struct ledger_meta meta = *ledger_meta(r->ledger);

    meta.position = at;
    if (meta.position.number < claim)
        meta.position.number = claim;
    return ledger_meta_set(r->ledger, &meta, err);
}

static void clock_watch(struct replay *r, int64_t time_ms)
{
    r->is_set_back = r->is_set_back || time_ms < r->latest_ms;
    if (time_ms > r->latest_ms)
        r->latest_ms = time_ms;
}

static int replay_all(struct replay *r, struct journal_reader *reader, struct err *err)
{
    struct record record;
    int rc;

    while ((rc = journal_reader_next(reader, &record, err)) == 1) {
        note(r->out, &record);
        clock_watch(r, record.time_ms);
        if (!is_needed(r, &record))
            continue;
        if (fold_add(&r->fold, r->ledger, &record, err) < 0 ||
            fold_apply(&r->fold, r->ledger, journal_reader_position(reader), err) < 0)
            return -1;
    }
    return rc;
}

static int replay(struct replay *r, const struct adopt_source *from, struct err *err)
{
    struct journal_reader *reader =
        journal_reader_open(from->journal_dir, (struct journal_position){0}, err);
    uint64_t claim = ledger_meta(r->ledger)->position.number;
    int rc;

    if (reader == NULL)
        return -1;
    r->claim = claim;
    fold_init(&r->fold, &from->config, slice_str(r->node));
    r->fold.sums.counted = r->counted;
    r->fold.sums.counted_size = r->size;
    r->fold.sums.counted_before = ledger_meta(r->ledger)->since;
    rc = replay_all(r, reader, err);
    if (rc == 0)
        rc = position_end(r, journal_reader_position(reader), claim, err);
    fold_fini(&r->fold);
    journal_reader_close(reader);
    return rc;
}

int adopt_run(struct ledger *l, const struct adopt_source *from, struct adopt_result *out,
              struct err *err)
{
    struct replay r = {.ledger = l, .out = out};
    int rc = adopt_rows(l, from, out, err);

    (void)snprintf(r.node, sizeof r.node, "@%.*s", SLICE_FMT(ledger_node(l)));
    if (rc == 0)
        rc = counted_read(&r, err);
    if (rc == 0)
        rc = replay(&r, from, err);
    free(r.counted);
    return rc < 0 ? -1 : 0;
}
