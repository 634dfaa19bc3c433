#include "lib/read/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/read/read_reply.h"
#include "lib/redis/keys.h"
#include "lib/redis/store_flow.h"

#define SHARDS     16
#define SCAN_COUNT SLICE("1000")
#define KEY_BYTES  1024
#define TELL_EVERY ((size_t)64) /* rows */

/* --- schema ---------------------------------------------------------------------------------- */

static int schema_take(const struct reader *r, const redisReply *reply, struct slice key,
                       struct err *err)
{
    if (reply->type == REDIS_REPLY_NIL)
        return 0;
    if (read_expect(r, reply, REDIS_REPLY_STRING, key, err) != 0)
        return -1;
    if (slice_equal(link_reply_text(reply), SLICE(SCHEMA)))
        return 0;
    return err_set(
        err, EX_DATAERR,
        "redis at %s: its keys have schema %.*s (%.*s), and this program reads schema " SCHEMA
        " only: install the release of tollgated that wrote them, or look at "
        "store.prefix",
        store_where(r->store), SLICE_FMT(slice_to(link_reply_text(reply), 20)), SLICE_FMT(key));
}

int read_schema(struct reader *r, struct err *err)
{
    struct buf key;
    redisReply *reply;
    int result;

    buf_init(&key, KEY_BYTES);
    key_schema(&key, r->prefix);
    store_pipe_add(r->store, 2, (const struct slice[]){SLICE("GET"), buf_slice(&key)});
    result = read_trip(r, &reply, err);
    if (result == 0) {
        result = schema_take(r, reply, buf_slice(&key), err);
        freeReplyObject(reply);
    }
    buf_fini(&key);
    return result;
}

/* --- sets of names --------------------------------------------------------------------------- */

static int name_add(struct name_list *list, struct arena *arena, struct slice name, struct err *err)
{
    struct slice *items = arena_grow(arena, list->items, list->count, &list->room, sizeof *items);
    struct slice copy;

    if (items == NULL)
        return read_no_memory(err);
    list->items = items;
    copy = arena_copy(arena, name);
    if (copy.ptr == NULL)
        return read_no_memory(err);
    items[list->count++] = copy;
    return 0;
}

static int names_compare(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* SSCAN may give a member twice. */
void read_names_settle(struct name_list *list)
{
    size_t kept = 0;

    if (list->count > 1)
        qsort(list->items, list->count, sizeof list->items[0], names_compare);
    for (size_t i = 0; i < list->count; i++) {
        if (kept == 0 || !slice_equal(list->items[i], list->items[kept - 1]))
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

/* A set being scanned. */
struct read_scan {
    struct buf key;
    char cursor[24];
    bool done;
};

static void scan_init(struct read_scan *s)
{
    buf_init(&s->key, KEY_BYTES);
    (void)snprintf(s->cursor, sizeof s->cursor, "0");
    s->done = false;
}

static int scan_take(struct reader *r, struct read_scan *s, const redisReply *reply,
                     struct arena *arena, struct name_list *out, struct err *err)
{
    struct slice key = buf_slice(&s->key);
    const redisReply *names;

    if (read_expect(r, reply, REDIS_REPLY_ARRAY, key, err) != 0)
        return -1;
    if (reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[0]->len >= sizeof s->cursor || reply->element[1]->type != REDIS_REPLY_ARRAY)
        return err_set(err, EX_UNAVAILABLE, "redis at %s, %.*s: unexpected answer to a scan",
                       store_where(r->store), SLICE_FMT(key));
    memcpy(s->cursor, reply->element[0]->str, reply->element[0]->len + 1);
    s->done = strcmp(s->cursor, "0") == 0;
    names = reply->element[1];
    for (size_t i = 0; i < names->elements; i++) {
        struct slice name = link_reply_text(names->element[i]);

        if (name.len > 0 && name.ptr[0] != '@' && name_add(out, arena, name, err) != 0)
            return -1;
    }
    return 0;
}

/* One trip for all sets that are not done yet. 1: there is more. */
static int scan_trip(struct reader *r, struct read_scan *scans, size_t count, struct arena *arena,
                     struct name_list *out, struct err *err)
{
    redisReply *replies[SHARDS];
    size_t sent = 0, taken = 0;
    int result = 0;

    for (size_t i = 0; i < count; i++) {
        const struct slice argv[] = {SLICE("SSCAN"), buf_slice(&scans[i].key),
                                     slice_str(scans[i].cursor), SLICE("COUNT"), SCAN_COUNT};

        if (!scans[i].done) {
            store_pipe_add(r->store, 5, argv);
            sent++;
        }
    }
    if (sent == 0)
        return 0;
    if (read_trip(r, replies, err) != 0)
        return -1;
    for (size_t i = 0; result == 0 && i < count; i++) {
        if (!scans[i].done)
            result = scan_take(r, &scans[i], replies[taken++], arena, out, err);
    }
    read_free(replies, sent);
    return result == 0 ? 1 : -1;
}

static int scan_all(struct reader *r, struct read_scan *scans, size_t count, struct arena *arena,
                    struct name_list *out, struct err *err)
{
    int result = 1;

    *out = (struct name_list){0};
    while (result == 1)
        result = scan_trip(r, scans, count, arena, out, err);
    for (size_t i = 0; i < count; i++)
        buf_fini(&scans[i].key);
    read_names_settle(out);
    return result;
}

int read_nodes(struct reader *r, struct arena *arena, struct name_list *out, struct err *err)
{
    struct read_scan scan;

    scan_init(&scan);
    key_nodes(&scan.key, r->prefix);
    return scan_all(r, &scan, 1, arena, out, err);
}

int read_accounts(struct reader *r, struct arena *arena, struct name_list *out, struct err *err)
{
    struct read_scan scans[SHARDS];

    for (unsigned i = 0; i < SHARDS; i++) {
        scan_init(&scans[i]);
        key_accounts_shard(&scans[i].key, r->prefix, i);
    }
    return scan_all(r, scans, SHARDS, arena, out, err);
}

int read_is_account(struct reader *r, struct slice account, bool *is_account, struct err *err)
{
    struct buf key;
    redisReply *reply;
    int result;

    buf_init(&key, KEY_BYTES);
    key_accounts(&key, r->prefix, account);
    store_pipe_add(r->store, 3,
                   (const struct slice[]){SLICE("SISMEMBER"), buf_slice(&key), account});
    result = read_trip(r, &reply, err);
    if (result == 0) {
        result = read_expect(r, reply, REDIS_REPLY_INTEGER, buf_slice(&key), err);
        *is_account = result == 0 && reply->integer == 1;
        freeReplyObject(reply);
    }
    buf_fini(&key);
    return result;
}

/* --- counters of accounts -------------------------------------------------------------------- */

/* The pairs of account and period are numbered account by account: pair / periods is the account.
 */
struct read_rows {
    struct reader *r;
    const struct name_list *accounts;
    const struct stored_periods *periods;
    struct read_fields fields;
    read_row *row;
    void *context;
    struct buf key;
    struct tally sum; /* of the account that is being read */
    size_t pairs;
    size_t asked, taken; /* of them */
};

static struct slice pair_key(struct read_rows *d, size_t pair)
{
    const struct stored_period *period = &d->periods->items[pair % d->periods->count];

    buf_reset(&d->key);
    key_counters(&d->key, d->r->prefix, d->accounts->items[pair / d->periods->count], period->kind,
                 slice_str(period->name));
    return buf_slice(&d->key);
}

static bool pair_ask(void *context, struct store *st)
{
    struct read_rows *d = context;

    if (d->asked == d->pairs)
        return false;
    store_pipe_add_keyed(st, &d->fields.command, pair_key(d, d->asked++));
    d->r->cost++;
    return true;
}

static int pair_take(void *context, const struct flat_reply *reply, struct err *err)
{
    struct read_rows *d = context;
    size_t pair = d->taken++, account = pair / d->periods->count;

    /* The key is made where an error has to name it. */
    if (read_fields_take(&d->fields, d->r, reply, SLICE_NONE, &d->sum, err) != 0)
        return read_fields_take(&d->fields, d->r, reply, pair_key(d, pair), &d->sum, err);
    if (d->taken % TELL_EVERY == 0 || d->taken == d->pairs)
        read_tell(d->r, d->taken, d->pairs);
    if (d->taken % d->periods->count != 0)
        return 0;
    if (d->row(d->context, d->accounts->items[account], &d->sum, err) != 0)
        return -1;
    memset(&d->sum, 0, sizeof d->sum);
    return 0;
}

int read_counters(struct reader *r, const struct name_list *accounts,
                  const struct stored_periods *periods, const struct counter_list *counters,
                  read_row *row, void *context, struct err *err)
{
    struct read_rows d = {.r = r,
                          .accounts = accounts,
                          .periods = periods,
                          .row = row,
                          .context = context,
                          .pairs = accounts->count * periods->count};
    const struct store_flow flow = {.next = pair_ask, .take = pair_take, .context = &d};
    int result;

    if (d.pairs == 0)
        return 0;
    buf_init(&d.key, KEY_BYTES);
    read_fields_init(&d.fields, counters);
    result = store_flow_run(r->store, &flow, read_timeout_ms(r), err);
    read_fields_fini(&d.fields);
    buf_fini(&d.key);
    return result;
}

/* --- one user -------------------------------------------------------------------------------- */

static void user_ask(struct reader *r, struct slice key, struct slice user,
                     const struct counter_list *counters, struct buf *fields)
{
    struct slice argv[2 + COUNTER_COUNT] = {SLICE("HMGET"), key};
    size_t at[COUNTER_COUNT + 1] = {0};

    buf_reset(fields);
    for (size_t i = 0; i < counters->count; i++) {
        buf_add(fields, user);
        buf_addf(fields, " %s", counter_table[counters->ids[i]].name);
        at[i + 1] = fields->len;
    }
    for (size_t i = 0; i < counters->count; i++)
        argv[2 + i] = (struct slice){fields->data + at[i], at[i + 1] - at[i]};
    store_pipe_add(r->store, 2 + counters->count, argv);
}

int read_user(struct reader *r, struct slice account, struct slice user,
              const struct stored_periods *periods, const struct counter_list *counters,
              struct tally *sum, struct err *err)
{
    struct buf key, fields;
    int result = 0;

    memset(sum, 0, sizeof *sum);
    buf_init(&key, KEY_BYTES);
    buf_init(&fields, (size_t)1 << 20);
    for (size_t i = 0; result == 0 && i < periods->count; i++) {
        redisReply *reply;

        buf_reset(&key);
        key_users(&key, r->prefix, account, periods->items[i].kind,
                  slice_str(periods->items[i].name));
        user_ask(r, buf_slice(&key), user, counters, &fields);
        result = read_trip(r, &reply, err);
        if (result != 0)
            break;
        result = read_take_counters(r, reply, buf_slice(&key), counters, sum, err);
        freeReplyObject(reply);
    }
    buf_fini(&fields);
    buf_fini(&key);
    return result;
}
