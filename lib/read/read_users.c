/* The users of many accounts: HSCAN over their hashes, a few accounts at a time in one pipeline. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/strmap.h"
#include "lib/read/read.h"
#include "lib/read/read_reply.h"
#include "lib/redis/keys.h"

#define ACCOUNTS_AT_ONCE ((size_t)32)
#define SCAN_COUNT       SLICE("2000")
#define MEMORY_BYTES     ((size_t)1 << 30)

/* HSCAN may give a field twice, so a period's values are first set, then added. */
struct user_amounts {
    struct slice name;
    uint64_t *sum, *period; /* one a counter asked for */
};

struct user_scan {
    struct slice account;
    struct buf key;
    char cursor[24];
    bool done;
    struct strmap users; /* name -> struct user_amounts * */
};

struct users_reading {
    struct reader *r;
    const struct counter_list *counters;
    int place[COUNTER_COUNT]; /* of each counter in the amounts; -1: not asked for */
    struct arena arena;
    struct user_scan scans[ACCOUNTS_AT_ONCE];
    size_t count;
};

static int too_many(struct err *err)
{
    return err_set(err, EX_UNAVAILABLE, "too many users for the memory of a report; use --domain");
}

static struct user_amounts *user_find(struct users_reading *d, struct user_scan *s,
                                      struct slice name)
{
    void **place = strmap_find(&s->users, name);
    struct user_amounts *u;
    bool added;

    if (place != NULL)
        return *place;
    u = arena_alloc(&d->arena, sizeof *u);
    if (u == NULL)
        return NULL;
    u->name = arena_copy(&d->arena, name);
    u->sum = arena_array(&d->arena, d->counters->count, sizeof(uint64_t));
    u->period = arena_array(&d->arena, d->counters->count, sizeof(uint64_t));
    if (u->name.ptr == NULL || u->sum == NULL || u->period == NULL)
        return NULL;
    place = strmap_add(&s->users, u->name, &added);
    if (place == NULL)
        return NULL;
    *place = u;
    return u;
}

/* "alice@example.com in_bytes" is a counter; "_mx1.0badcafe alice@example.com" is a node's share,
 * and "_nodes" their list. A user may begin with `_` too; but no counter has the name of a user. */
static int take_field(struct users_reading *d, struct user_scan *s, struct slice field,
                      const redisReply *reply, struct err *err)
{
    ptrdiff_t blank = slice_find_last(field, ' ');
    struct user_amounts *u;
    int id;

    if (blank <= 0)
        return 0;
    id = counter_find(slice_from(field, (size_t)blank + 1));
    if (id < 0 || d->place[id] < 0)
        return 0;
    u = user_find(d, s, slice_to(field, (size_t)blank));
    if (u == NULL)
        return too_many(err);
    return read_number(d->r, reply, buf_slice(&s->key), field, &u->period[d->place[id]], err);
}

static int scan_take(struct users_reading *d, struct user_scan *s, const redisReply *reply,
                     struct err *err)
{
    const redisReply *pairs;

    if (read_expect(d->r, reply, REDIS_REPLY_ARRAY, buf_slice(&s->key), err) != 0)
        return -1;
    if (reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[0]->len >= sizeof s->cursor || reply->element[1]->type != REDIS_REPLY_ARRAY)
        return err_set(err, EX_UNAVAILABLE, "redis at %s, %.*s: unexpected answer to a scan",
                       store_where(d->r->store), SLICE_FMT(buf_slice(&s->key)));
    memcpy(s->cursor, reply->element[0]->str, reply->element[0]->len + 1);
    s->done = strcmp(s->cursor, "0") == 0;
    pairs = reply->element[1];
    d->r->cost += pairs->elements / 2;
    for (size_t i = 0; i + 1 < pairs->elements; i += 2) {
        if (take_field(d, s, link_reply_text(pairs->element[i]), pairs->element[i + 1], err) != 0)
            return -1;
    }
    return 0;
}

/* One trip for all hashes that are not done yet. 1: there is more. */
static int scan_trip(struct users_reading *d, struct err *err)
{
    redisReply *replies[ACCOUNTS_AT_ONCE];
    size_t sent = 0, taken = 0;
    int result = 0;

    for (size_t i = 0; i < d->count; i++) {
        const struct slice argv[] = {SLICE("HSCAN"), buf_slice(&d->scans[i].key),
                                     slice_str(d->scans[i].cursor), SLICE("COUNT"), SCAN_COUNT};

        if (!d->scans[i].done) {
            store_pipe_add(d->r->store, 5, argv);
            sent++;
        }
    }
    if (sent == 0)
        return 0;
    if (read_trip(d->r, replies, err) != 0)
        return -1;
    for (size_t i = 0; result == 0 && i < d->count; i++) {
        if (!d->scans[i].done)
            result = scan_take(d, &d->scans[i], replies[taken++], err);
    }
    read_free(replies, sent);
    return result == 0 ? 1 : -1;
}

static void period_add(struct users_reading *d, struct user_scan *s)
{
    size_t at = 0;
    struct slice name;
    void *value;

    while (strmap_next(&s->users, &at, &name, &value)) {
        struct user_amounts *u = value;

        for (size_t i = 0; i < d->counters->count; i++) {
            u->sum[i] += u->period[i];
            u->period[i] = 0;
        }
    }
}

static int read_period(struct users_reading *d, const struct stored_period *period, struct err *err)
{
    int result = 1;

    for (size_t i = 0; i < d->count; i++) {
        struct user_scan *s = &d->scans[i];

        buf_reset(&s->key);
        key_users(&s->key, d->r->prefix, s->account, period->kind, slice_str(period->name));
        (void)snprintf(s->cursor, sizeof s->cursor, "0");
        s->done = false;
    }
    while (result == 1)
        result = scan_trip(d, err);
    for (size_t i = 0; result == 0 && i < d->count; i++)
        period_add(d, &d->scans[i]);
    return result;
}

static int give_rows(const struct users_reading *d, const struct user_scan *s, read_row *row,
                     void *context, struct err *err)
{
    size_t at = 0;
    struct slice name;
    void *value;

    while (strmap_next(&s->users, &at, &name, &value)) {
        const struct user_amounts *u = value;
        struct tally t = {{0}};

        for (size_t i = 0; i < d->counters->count; i++)
            t.value[d->counters->ids[i]] = u->sum[i];
        if (row(context, u->name, &t, err) != 0)
            return -1;
    }
    return 0;
}

static int read_some(struct users_reading *d, const struct slice *accounts, size_t count,
                     const struct stored_periods *periods, read_row *row, void *context,
                     struct err *err)
{
    int result = 0;

    d->count = count;
    for (size_t i = 0; i < count; i++) {
        d->scans[i].account = accounts[i];
        buf_init(&d->scans[i].key, 1024);
        strmap_init(&d->scans[i].users);
    }
    for (size_t i = 0; result == 0 && i < periods->count; i++)
        result = read_period(d, &periods->items[i], err);
    for (size_t i = 0; i < count; i++) {
        if (result == 0)
            result = give_rows(d, &d->scans[i], row, context, err);
        buf_fini(&d->scans[i].key);
        strmap_fini(&d->scans[i].users);
    }
    arena_reset(&d->arena);
    return result;
}

int read_users(struct reader *r, const struct name_list *accounts,
               const struct stored_periods *periods, const struct counter_list *counters,
               read_row *row, void *context, struct err *err)
{
    struct users_reading *d = calloc(1, sizeof *d);
    int result = 0;

    if (d == NULL)
        return read_no_memory(err);
    d->r = r;
    d->counters = counters;
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        d->place[i] = -1;
    for (size_t i = 0; i < counters->count; i++)
        d->place[counters->ids[i]] = (int)i;
    arena_init(&d->arena, MEMORY_BYTES);
    for (size_t at = 0; result == 0 && at < accounts->count; at += ACCOUNTS_AT_ONCE) {
        size_t left = accounts->count - at;

        result =
            read_some(d, accounts->items + at, left < ACCOUNTS_AT_ONCE ? left : ACCOUNTS_AT_ONCE,
                      periods, row, context, err);
        read_tell(r, at, accounts->count);
    }
    arena_fini(&d->arena);
    free(d);
    return result;
}
