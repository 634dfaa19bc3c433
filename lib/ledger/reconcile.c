#include "lib/ledger/reconcile.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/core/period.h"
#include "lib/ledger/amounts.h"
#include "lib/ledger/ledger_share.h"
#include "lib/ledger/scripts.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"

#define RECONCILE_TIMEOUT_MS 5000
#define NAME_BYTES           4096
#define COUNTERS_BYTES       65536

static const struct script reconcile_script = {"push", script_push_source};

struct slice reconcile_form(bool as_names)
{
    return as_names ? SLICE("names") : SLICE_NONE;
}

void reconcile_key_add(struct buf *b, const char *prefix, const struct row_key *key)
{
    static const enum period_kind kinds[] = {PERIOD_TOTAL, PERIOD_MONTH, PERIOD_DAY,
                                             PERIOD_HOUR,  PERIOD_MONTH, PERIOD_DAY};

    if (key->kind == ROW_USERS_MONTH || key->kind == ROW_USERS_DAY)
        key_users(b, prefix, key->account, kinds[key->kind], key->period);
    else
        key_counters(b, prefix, key->account, kinds[key->kind], key->period);
}

void reconcile_share_add(struct buf *b, const struct row *row)
{
    buf_add_char(b, '_');
    buf_add(b, row->node);
    buf_add_char(b, '.');
    buf_add(b, row->share_id);
}

/* What is kept of a row while Redis is asked. */
struct kept {
    uint64_t number, claim;
    bool is_present;
    struct buf key, share, user, counters;
};

static uint64_t claim_of(const struct ledger *l, const struct row *row)
{
    struct ledger_share_info info;

    for (size_t i = 0; ledger_share_at(l, i, &info); i++) {
        if (slice_equal(info.node, row->node) && slice_equal(info.share_id, row->share_id))
            return info.claim;
    }
    return 0;
}

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
        k->number = row.number;
        k->is_present = row.is_present;
        k->claim = claim_of(l, &row);
        reconcile_key_add(&k->key, prefix, &row.key);
        reconcile_share_add(&k->share, &row);
        buf_add(&k->user, row.key.user);
        buf_add(&k->counters, row.counters);
    }
    ledger_walk_end(l);
    return rc;
}

/* Ours over a share with that very number, and nothing over any other. */
static int undo(const struct reconcile_place *r, int64_t id, const struct kept *k,
                struct slice found, struct err *err)
{
    char number[24];
    redisReply *reply;
    int rc = 0;

    (void)snprintf(number, sizeof number, "%" PRIu64, k->number);
    reply =
        store_script(r->store, &reconcile_script, 1, 8,
                     (struct slice[]){buf_slice(&k->key), buf_slice(&k->share), slice_str(number),
                                      buf_slice(&k->counters), buf_slice(&k->user), found,
                                      SLICE_NONE, reconcile_form(r->as_names)},
                     RECONCILE_TIMEOUT_MS, err);
    if (reply == NULL)
        return -1;
    if (reply->type == REDIS_REPLY_INTEGER)
        rc = ledger_row_mark(r->ledger, id, k->number, ROW_CLEAN, err);
    freeReplyObject(reply);
    return rc;
}

static int share_take(struct ledger *l, int64_t id, const struct kept *k, struct slice share,
                      struct err *err)
{
    struct tally readable;
    struct err unreadable;
    struct slice word;
    uint64_t number;

    if (!slice_cut(&share, ' ', &word) || !slice_number(word, &number) || number >= k->claim ||
        amounts_read(share, &readable, &unreadable) < 0)
        return 0;
    if (ledger_row_mark(l, id, k->number, ROW_CLEAN, err) < 0)
        return -1;
    return ledger_share_adopt(l, id, share, number, err);
}

static int adopt(const struct reconcile_place *r, int64_t id, const struct kept *k, struct err *err)
{
    redisReply *reply = store_script(r->store, &reconcile_script, 1, 8,
                                     (struct slice[]){buf_slice(&k->key), buf_slice(&k->share),
                                                      SLICE("0"), SLICE_NONE, buf_slice(&k->user),
                                                      SLICE_NONE, SLICE("show"), SLICE_NONE},
                                     RECONCILE_TIMEOUT_MS, err);
    int rc = 0;

    if (reply == NULL)
        return -1;
    if (reply->type == REDIS_REPLY_STRING)
        rc = share_take(r->ledger, id, k, link_reply_text(reply), err);
    freeReplyObject(reply);
    return rc;
}

static int row_settle(const struct reconcile_place *r, int64_t id, const struct kept *k,
                      struct slice found, enum learn_row *verdict, struct err *err)
{
    uint64_t number;

    if (!slice_number(found, &number))
        number = UINT64_MAX;
    *verdict = learn_share(k->is_present, number, k->claim);
    switch (*verdict) {
    case LEARN_UNDO:
        return undo(r, id, k, found, err);
    case LEARN_ADOPT:
        return adopt(r, id, k, err);
    case LEARN_LEAVE:
        break;
    }
    return ledger_row_mark(r->ledger, id, k->number, ROW_CLEAN, err);
}

int reconcile_row(const struct reconcile_place *r, int64_t id, struct slice found,
                  enum learn_row *verdict, struct err *err)
{
    struct kept k = {.number = 0};
    int rc;

    *verdict = LEARN_LEAVE;
    buf_init(&k.key, NAME_BYTES);
    buf_init(&k.share, NAME_BYTES);
    buf_init(&k.user, NAME_BYTES);
    buf_init(&k.counters, COUNTERS_BYTES);
    rc = row_read(r->ledger, r->prefix, id, &k, err);
    if (rc == 1)
        rc = row_settle(r, id, &k, found, verdict, err);
    buf_fini(&k.key);
    buf_fini(&k.share);
    buf_fini(&k.user);
    buf_fini(&k.counters);
    return rc;
}
