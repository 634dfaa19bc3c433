#include "lib/billing/bill_ledger.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/billing/bill_read.h"
#include "lib/billing/bill_verified.h"
#include "lib/core/strmap.h"
#include "lib/ledger/amounts.h"
#include "lib/ledger/ledger_file.h"
#include "lib/read/read_reply.h"

#define PATH_BYTES 1200

/* The month's rows of all shares that this ledger has counted under; the nodes' own are no bill. */
static const char rows_sql[] = "SELECT account, counters FROM rows WHERE kind = 'month' AND "
                               "period = ?1 AND user = '' AND account NOT LIKE '@%'";

struct comparing {
    const struct bill_book *b;
    struct bill store;
    struct strmap counted; /* account -> struct tally *: by the ledger */
    struct bill_ledger *out;
};

/* --- the ledger ------------------------------------------------------------------------------ */

static int row_add(struct comparing *w, struct slice account, struct slice counters,
                   struct err *err)
{
    void **entry = strmap_find(&w->counted, account);
    struct tally *tally, one = {.value = {0}};
    struct slice name;

    if (amounts_read(counters, &one, err) != 0)
        return err_prefix(err, "ledger: %.*s", SLICE_FMT(slice_to(account, 100)));
    if (entry == NULL) {
        name = arena_copy(w->b->arena, account);
        tally = arena_alloc(w->b->arena, sizeof *tally);
        entry = name.ptr != NULL && tally != NULL ? strmap_add(&w->counted, name, NULL) : NULL;
        if (entry == NULL)
            return read_no_memory(err);
        *tally = (struct tally){.value = {0}};
        *entry = tally;
    }
    tally = *entry;
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        tally->value[i] += one.value[i];
    return 0;
}

static struct slice column(sqlite3_stmt *st, int i)
{
    const char *text = (const char *)sqlite3_column_text(st, i);

    return text != NULL ? slice_str(text) : SLICE_NONE;
}

static int rows_read(struct comparing *w, sqlite3 *db, const char *month, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int step = SQLITE_ERROR, result = 0;

    if (sqlite3_prepare_v2(db, rows_sql, -1, &st, NULL) == SQLITE_OK &&
        sqlite3_bind_text(st, 1, month, -1, SQLITE_STATIC) == SQLITE_OK) {
        while (result == 0 && (step = sqlite3_step(st)) == SQLITE_ROW)
            result = row_add(w, column(st, 0), column(st, 1), err);
    }
    if (result == 0 && step != SQLITE_DONE)
        result = err_set(err, EX_DATAERR, "cannot read the ledger: %s", sqlite3_errmsg(db));
    (void)sqlite3_finalize(st);
    return result;
}

static int ledger_read(struct comparing *w, const char *month, struct err *err)
{
    char path[PATH_BYTES];
    sqlite3 *db = NULL;
    int result;

    (void)snprintf(path, sizeof path, "%s/ledger.db", w->b->settings->state_dir);
    w->out->is_there = access(path, R_OK) == 0;
    if (!w->out->is_there)
        return 0;
    result = ledger_file_open(path, &db) == SQLITE_OK
                 ? rows_read(w, db, month, err)
                 : err_set(err, EX_DATAERR, "cannot open %s: %s", path, sqlite3_errmsg(db));
    (void)sqlite3_close(db);
    w->out->accounts = w->counted.count;
    return result;
}

/* --- comparing ------------------------------------------------------------------------------- */

static int difference_add(struct comparing *w, const struct bill_ledger_difference *found,
                          struct err *err)
{
    struct bill_ledger *out = w->out;
    struct bill_ledger_difference *grown =
        arena_grow(w->b->arena, out->items, out->count, &out->room, sizeof *grown);

    if (grown == NULL)
        return read_no_memory(err);
    out->items = grown;
    grown[out->count++] = *found;
    return 0;
}

static int account_compare(struct comparing *w, struct slice account, const struct tally *counted,
                           const struct bill_row *row, struct err *err)
{
    for (size_t c = 0; c < w->store.column_count; c++) {
        enum counter id = w->store.columns[c];
        struct bill_ledger_difference one = {.account = account,
                                             .id = id,
                                             .ledger =
                                                 counted != NULL ? (int64_t)counted->value[id] : 0,
                                             .store = row != NULL ? row->counted[c] : 0};

        if (counter_filler(id, false) != FILLER_MILTER || one.store == one.ledger ||
            (one.store > one.ledger && !w->out->is_alone))
            continue;
        if (difference_add(w, &one, err) != 0)
            return -1;
    }
    return 0;
}

/* Of the counters that milters fill. */
static void sums_make(struct comparing *w)
{
    struct slice account;
    void *value;

    for (size_t c = 0; c < w->store.column_count; c++) {
        enum counter id = w->store.columns[c];
        size_t at = 0;

        if (counter_filler(id, false) != FILLER_MILTER)
            continue;
        for (size_t i = 0; i < w->store.count; i++)
            w->out->store_sum +=
                bill_verified_part(w->store.rows[i].account, id, w->store.rows[i].counted[c]);
        while (strmap_next(&w->counted, &at, &account, &value)) {
            const struct tally *counted = value;

            w->out->sum += bill_verified_part(account, id, (int64_t)counted->value[id]);
        }
    }
}

/* Who is in the ledger, then who is in the store alone. */
static int all_compare(struct comparing *w, struct err *err)
{
    struct slice account;
    size_t at = 0;
    void *value;

    while (strmap_next(&w->counted, &at, &account, &value)) {
        if (account_compare(w, account, value, bill_find(&w->store, account), err) != 0)
            return -1;
    }
    for (size_t i = 0; i < w->store.count; i++) {
        if (strmap_find(&w->counted, w->store.rows[i].account) == NULL &&
            account_compare(w, w->store.rows[i].account, NULL, &w->store.rows[i], err) != 0)
            return -1;
    }
    return 0;
}

static int by_account(const void *left, const void *right)
{
    const struct bill_ledger_difference *a = left, *b = right;
    int order = slice_compare(a->account, b->account);

    return order != 0 ? order : (int)a->id - (int)b->id;
}

static int run(struct comparing *w, size_t i, time_t now, struct err *err)
{
    struct bill_month month;
    struct name_list nodes;
    struct bill file;

    if (bill_book_bill(w->b, i, &file, err) != 0 ||
        bill_month_parse(w->b->chain.items[i].month, now, &month, err) != 0 ||
        ledger_read(w, month.name, err) != 0)
        return -1;
    w->store.column_count = file.column_count;
    memcpy(w->store.columns, file.columns, sizeof w->store.columns);
    if (read_nodes(w->b->reader, w->b->arena, &nodes, err) != 0 ||
        bill_read(w->b->reader, w->b->settings, &month, now, w->b->arena, &w->store, err) != 0)
        return -1;
    w->out->is_alone =
        nodes.count == 1 && slice_equal(nodes.items[0], slice_str(w->b->settings->node));
    sums_make(w);
    return w->out->is_there ? all_compare(w, err) : 0;
}

int bill_ledger_compare(const struct bill_book *b, size_t i, time_t now, struct bill_ledger *out,
                        struct err *err)
{
    struct comparing w = {.b = b, .out = out};
    int result;

    *out = (struct bill_ledger){.count = 0};
    strmap_init(&w.counted);
    result = run(&w, i, now, err);
    strmap_fini(&w.counted);
    if (out->count > 1)
        qsort(out->items, out->count, sizeof *out->items, by_account);
    return result;
}
