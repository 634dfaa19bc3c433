#include "lib/ledger/push_held.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/redis/store_refusal.h"

#define TIMEOUT_MS       5000
#define COMMANDS_PER_ROW 2
#define TEXTS_MAX_BYTES  ((size_t)4 << 20)

struct pushed_row {
    uint64_t number;
    enum held_state state;
};

struct push_held_work {
    struct store *store;
    const char *prefix;
    char kept_s[24];
    struct buf key, member;
    struct pushed_row rows[HELD_TRIP_ROWS];
    size_t count;
    redisReply *replies[HELD_TRIP_ROWS * COMMANDS_PER_ROW];
};

static void expire_add(struct push_held_work *w)
{
    struct slice argv[] = {SLICE("EXPIRE"), buf_slice(&w->key), slice_str(w->kept_s)};

    store_pipe_add(w->store, 3, argv);
}

static void row_add(struct push_held_work *w, const struct held_row *row)
{
    char score[24];

    buf_reset(&w->key);
    buf_reset(&w->member);
    key_held(&w->key, w->prefix, row->account);
    buf_addf(&w->member, "%.*s/%.*s", SLICE_FMT(row->node), SLICE_FMT(row->queue_id));
    (void)snprintf(score, sizeof score, "%" PRId64, row->time_ms / 1000);
    if (row->state == HELD_SHOWN || row->state == HELD_NEW) {
        struct slice argv[] = {SLICE("ZADD"), buf_slice(&w->key), slice_str(score),
                               buf_slice(&w->member)};

        store_pipe_add(w->store, 4, argv);
        expire_add(w);
    } else {
        struct slice argv[] = {SLICE("ZREM"), buf_slice(&w->key), buf_slice(&w->member)};

        store_pipe_add(w->store, 3, argv);
    }
    w->rows[w->count++] = (struct pushed_row){row->number, row->state};
}

static int rows_collect(struct push_held_work *w, struct ledger *l, enum held_walk which,
                        uint64_t after, struct err *err)
{
    struct held_row row;
    int rc;

    ledger_held_walk_start(l, which, after, HELD_TRIP_ROWS);
    while ((rc = ledger_held_walk_next(l, &row, err)) == 1)
        row_add(w, &row);
    ledger_walk_end(l);
    if (rc == 0 && (w->key.failed || w->member.failed))
        rc = err_set(err, EX_OSERR, "out of memory for the names of keys");
    return rc;
}

static int reply_take(struct push_held_work *w, const redisReply *reply, struct push_held *out,
                      struct err *err)
{
    struct slice text = link_reply_text(reply);

    if (reply->type != REDIS_REPLY_ERROR)
        return 0;
    if (memmem(text.ptr, text.len, "WRONGTYPE", 9) == NULL)
        return store_refusal(w->store, reply, err);
    if (out->refused++ == 0)
        (void)err_set(&out->refused_first, EX_DATAERR,
                      "a redis key %s:{...}:held is not a sorted set. Fix: find out what wrote "
                      "it, then delete it (DEL)",
                      w->prefix);
    return 0;
}

static int replies_take(struct push_held_work *w, size_t count, struct push_held *out,
                        struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < count; i++) {
        if (rc == 0)
            rc = reply_take(w, w->replies[i], out, err);
        freeReplyObject(w->replies[i]);
    }
    return rc;
}

static bool has_news(const struct push_held_work *w)
{
    for (size_t i = 0; i < w->count; i++) {
        if (w->rows[i].state == HELD_NEW || w->rows[i].state == HELD_GONE)
            return true;
    }
    return false;
}

static int rows_mark(const struct push_held_work *w, struct ledger *l, struct err *err)
{
    int rc;

    if (!has_news(w))
        return 0;
    rc = ledger_begin(l, err);
    for (size_t i = 0; i < w->count && rc == 0; i++)
        rc = ledger_held_mark(l, w->rows[i].number, w->rows[i].state, err);
    if (rc == 0)
        rc = ledger_commit(l, err);
    if (rc != 0)
        ledger_rollback(l);
    return rc;
}

static int run(struct push_held_work *w, struct ledger *l, enum held_walk which, uint64_t after,
               struct push_held *out, struct err *err)
{
    size_t commands;

    if (rows_collect(w, l, which, after, err) != 0) {
        store_pipe_reset(w->store);
        return -1;
    }
    out->seen = w->count;
    if (w->count == 0)
        return 0;
    out->last = w->rows[w->count - 1].number;
    commands = store_pipe_count(w->store);
    if (store_pipe_run(w->store, w->replies, TIMEOUT_MS, err) != 0 ||
        replies_take(w, commands, out, err) != 0)
        return -1;
    return rows_mark(w, l, err);
}

int push_held(struct ledger *ledger, struct store *store, const char *prefix, enum held_walk which,
              uint64_t after, struct push_held *out, struct err *err)
{
    struct push_held_work *w = calloc(1, sizeof *w);
    int rc;

    *out = (struct push_held){.last = after};
    if (w == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    w->store = store;
    w->prefix = prefix;
    buf_init(&w->key, TEXTS_MAX_BYTES);
    buf_init(&w->member, TEXTS_MAX_BYTES);
    (void)snprintf(w->kept_s, sizeof w->kept_s, "%" PRId64, HELD_SET_KEPT_S);
    rc = run(w, ledger, which, after, out, err);
    buf_fini(&w->key);
    buf_fini(&w->member);
    free(w);
    return rc;
}
