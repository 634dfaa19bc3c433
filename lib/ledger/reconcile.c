#include "lib/ledger/reconcile.h"

#include "lib/core/period.h"
#include "lib/ledger/amounts.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"

#define CATCH_UP_TIMEOUT_MS 5000
#define NAME_BYTES          4096
#define COUNTERS_BYTES      65536

void reconcile_key_add(struct buf *b, const char *prefix, const struct row_key *key)
{
    static const enum period_kind kinds[] = {PERIOD_TOTAL, PERIOD_MONTH, PERIOD_DAY,
                                             PERIOD_HOUR,  PERIOD_MONTH, PERIOD_DAY};

    if (key->kind == ROW_USERS_MONTH || key->kind == ROW_USERS_DAY)
        key_users(b, prefix, key->account, kinds[key->kind], key->period);
    else
        key_counters(b, prefix, key->account, kinds[key->kind], key->period);
}

void reconcile_share_add(struct buf *b, const struct ledger *ledger, const struct row *row)
{
    buf_addf(b, "_%.*s.%s", SLICE_FMT(row->node), ledger_id(ledger));
}

/* What is kept of a row while others are looked at. */
struct kept {
    struct row row; /* id, number, dirty */
    struct buf key, field, counters;
};

static int row_read(struct ledger *l, const char *prefix, int64_t id, struct kept *k,
                    struct err *err)
{
    struct row row;
    int rc;

    ledger_walk_start(l, WALK_ALL, id - 1, 1);
    rc = ledger_walk_next(l, &row, err);
    if (rc == 1 && row.id != id)
        rc = 0;
    if (rc == 1) {
        k->row = (struct row){.id = row.id, .number = row.number, .dirty = row.dirty};
        reconcile_key_add(&k->key, prefix, &row.key);
        reconcile_share_add(&k->field, l, &row);
        if (row.key.user.len > 0)
            buf_addf(&k->field, " %.*s", SLICE_FMT(row.key.user));
        buf_add(&k->counters, row.counters);
    }
    ledger_walk_end(l);
    return rc;
}

static int share_merge(struct ledger *l, const struct kept *k, struct slice share, struct err *err)
{
    struct slice word;
    struct err unreadable;
    struct buf merged;
    uint64_t number;
    int rc = 0;

    if (!slice_cut(&share, ' ', &word) || !slice_number(word, &number) || number <= k->row.number)
        return 0;
    buf_init(&merged, COUNTERS_BYTES);
    if (amounts_larger(buf_slice(&k->counters), share, &merged, &unreadable) == 0)
        rc = ledger_row_set(l, &k->row, buf_slice(&merged), number, err);
    if (rc == 0)
        rc = ledger_row_mark(l, k->row.id, number, ROW_DIRTY, err);
    buf_fini(&merged);
    return rc;
}

static int share_take(struct ledger *l, struct store *store, const struct kept *k, struct err *err)
{
    redisReply *reply = store_command(
        store, 3, (struct slice[]){SLICE("HGET"), buf_slice(&k->key), buf_slice(&k->field)},
        CATCH_UP_TIMEOUT_MS, err);
    int rc;

    if (reply == NULL)
        return -1;
    rc = reply->type == REDIS_REPLY_STRING ? share_merge(l, k, link_reply_text(reply), err) : 0;
    freeReplyObject(reply);
    return rc;
}

int reconcile_row(struct ledger *ledger, struct store *store, const char *prefix, int64_t id,
                  struct err *err)
{
    struct kept k = {.row = {.id = id}};
    int rc;

    buf_init(&k.key, NAME_BYTES);
    buf_init(&k.field, NAME_BYTES);
    buf_init(&k.counters, COUNTERS_BYTES);
    rc = row_read(ledger, prefix, id, &k, err);
    if (rc == 1)
        rc = share_take(ledger, store, &k, err);
    buf_fini(&k.key);
    buf_fini(&k.field);
    buf_fini(&k.counters);
    return rc;
}
