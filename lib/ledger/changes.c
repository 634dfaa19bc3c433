#include "lib/ledger/changes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/ledger/changes_merge.h"
#include "lib/ledger/ledger_changes.h"
#include "lib/ledger/violations_copy.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/redis/store_refusal.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"

#define TIMEOUT_MS  5000
#define ARENA_BYTES ((size_t)64 << 20)
#define KEY_BYTES   1024
#define OVERLAP_MS  INT64_C(10000) /* two changes may reach the index in the wrong order */
#define INDEX_MAX   "1000"         /* holders a poll */
#define SCAN_COUNT  "100"
#define SHARDS      16
#define MARK_SIZE   32

/* The parts of a walk, in order. */
enum walk_part { WALK_COPY, WALK_INDEX, WALK_ACCOUNTS, WALK_VIOLATIONS, WALK_END };

struct changes {
    char *prefix;
    struct ledger *ledger;
    struct store *store;
    struct arena arena; /* of one step */
    struct changes_merge merge;
    struct violations_copy violations;

    uint64_t generation;                 /* of the connection */
    char mark[MARK_SIZE];                /* as last written; "": not yet */
    int64_t seen_ms;                     /* the newest entry of the index */
    int64_t poll_next_ms, walk_began_ms; /* monotonic */

    enum walk_part part;
    struct buf after; /* WALK_COPY: the last holder; else the cursor of the scan */
    unsigned shard;   /* WALK_ACCOUNTS */
};

/* --- one to make, one to free ---------------------------------------------------------------- */

struct changes *changes_new(const char *prefix, struct ledger *ledger, struct store *store,
                            struct err *err)
{
    struct changes *c = calloc(1, sizeof *c);

    if (c == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    *c = (struct changes){
        .prefix = strdup(prefix), .ledger = ledger, .store = store, .part = WALK_END};
    arena_init(&c->arena, ARENA_BYTES);
    c->merge = (struct changes_merge){
        .prefix = c->prefix, .ledger = ledger, .store = store, .arena = &c->arena};
    c->violations = (struct violations_copy){
        .prefix = c->prefix, .ledger = ledger, .store = store, .arena = &c->arena};
    buf_init(&c->violations.after, KEY_BYTES);
    buf_init(&c->after, KEY_BYTES);
    if (c->prefix != NULL)
        return c;
    (void)err_set(err, EX_OSERR, "out of memory");
    changes_free(c);
    return NULL;
}

void changes_free(struct changes *c)
{
    if (c == NULL)
        return;
    buf_fini(&c->violations.after);
    buf_fini(&c->after);
    arena_fini(&c->arena);
    free(c->prefix);
    free(c);
}

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory for changes at run time");
}

/* The replies of a pipeline; -1 with *err where one is an error. */
static int trip(struct changes *c, redisReply **replies, struct err *err)
{
    size_t count = store_pipe_count(c->store);
    int result = store_pipe_run(c->store, replies, TIMEOUT_MS, err);

    if (result != 0)
        return -1;
    for (size_t i = 0; i < count && result == 0; i++) {
        if (replies[i]->type == REDIS_REPLY_ERROR)
            result = store_refusal(c->store, replies[i], err);
    }
    for (size_t i = 0; i < count && result != 0; i++)
        freeReplyObject(replies[i]);
    return result;
}

/* The texts of a reply's elements, each `step`-th, in the arena; *count of them. */
static struct slice *texts(struct changes *c, const redisReply *reply, size_t step, size_t *count)
{
    struct slice *list = arena_array(&c->arena, reply->elements + 1, sizeof *list);

    *count = 0;
    for (size_t i = 0; list != NULL && i < reply->elements; i += step) {
        list[*count] = arena_copy(&c->arena, link_reply_text(reply->element[i]));
        if (list[(*count)++].ptr == NULL)
            return NULL;
    }
    return list;
}

/* --- the mark -------------------------------------------------------------------------------- */

static void report_restored(struct changes *c)
{
    if (c->violations.restored > 0)
        log_event(LOG_WARNING, "redis had lost violations, they are restored",
                  LOG_NUM("count", c->violations.restored),
                  LOG_STR("redis", store_where(c->store)));
    c->violations.restored = 0;
    if (c->merge.restored > 0)
        log_event(LOG_WARNING, "redis had lost limits, plans or retired nodes, they are restored",
                  LOG_NUM("count", c->merge.restored), LOG_STR("redis", store_where(c->store)));
    c->merge.restored = 0;
}

/* It is new each time: a Redis of some seconds ago has an older one. */
static int mark_write(struct changes *c, struct err *err)
{
    struct slice argv[] = {SLICE("SET"), SLICE_NONE, SLICE_NONE};
    char mark[MARK_SIZE];
    redisReply *reply;
    struct buf key;
    int result;

    buf_init(&key, KEY_BYTES);
    key_node_changes(&key, c->prefix, ledger_node(c->ledger));
    (void)snprintf(mark, sizeof mark, "%s.%" PRId64, ledger_id(c->ledger), clock_unix_ms());
    argv[1] = buf_slice(&key);
    argv[2] = slice_str(mark);
    store_pipe_add(c->store, 3, argv);
    buf_fini(&key);
    result = trip(c, &reply, err);
    if (result != 0)
        return -1;
    freeReplyObject(reply);
    memcpy(c->mark, mark, sizeof mark);
    c->merge.is_news = false;
    return 0;
}

/* --- the walk -------------------------------------------------------------------------------- */

static void part_begin(struct changes *c, enum walk_part part, unsigned shard)
{
    c->part = part;
    c->shard = shard;
    buf_reset(&c->after);
    if (part != WALK_COPY)
        buf_add_char(&c->after, '0');
}

static void walk_begin(struct changes *c)
{
    c->walk_began_ms = clock_monotonic_ms();
    part_begin(c, WALK_COPY, 0);
}

static int walk_copy(struct changes *c, struct err *err)
{
    struct slice *names;
    size_t count;

    if (ledger_changes_holders(c->ledger, buf_slice(&c->after), CHANGES_PAGE, &c->arena, &names,
                               &count, err) != 0 ||
        changes_merge(&c->merge, names, count, err) != 0)
        return -1;
    if (count < CHANGES_PAGE) {
        part_begin(c, WALK_INDEX, 0);
        return 0;
    }
    buf_reset(&c->after);
    buf_add(&c->after, names[count - 1]);
    return 0;
}

/* Those that the copy has were merged before. */
static int merge_unknown(struct changes *c, struct slice *names, size_t count, struct err *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        struct ledger_change *copy;
        size_t changes;

        if (ledger_changes_of(c->ledger, names[i], &c->arena, &copy, &changes, err) != 0)
            return -1;
        if (changes == 0)
            names[kept++] = names[i];
    }
    return changes_merge(&c->merge, names, kept, err);
}

/* Of these accounts those that have a plan or an override. */
static int keep_set(struct changes *c, struct slice *names, size_t *count, struct err *err)
{
    redisReply **replies = arena_array(&c->arena, *count + 1, sizeof(*replies));
    size_t all = *count;

    if (replies == NULL)
        return no_memory(err);
    for (size_t i = 0; i < all; i++) {
        struct buf plan, limits;

        buf_init(&plan, KEY_BYTES);
        buf_init(&limits, KEY_BYTES);
        key_plan(&plan, c->prefix, names[i]);
        key_limits(&limits, c->prefix, names[i]);
        store_pipe_add(c->store, 3,
                       (struct slice[]){SLICE("EXISTS"), buf_slice(&plan), buf_slice(&limits)});
        buf_fini(&plan);
        buf_fini(&limits);
    }
    if (all > 0 && trip(c, replies, err) != 0)
        return -1;
    *count = 0;
    for (size_t i = 0; i < all; i++) {
        if (replies[i]->integer > 0)
            names[(*count)++] = names[i];
        freeReplyObject(replies[i]);
    }
    return 0;
}

/* One step of ZSCAN or SSCAN over a key: the names, and the cursor that goes on. */
static int scan(struct changes *c, const char *command, const struct buf *key, size_t step,
                struct slice **names, size_t *count, struct err *err)
{
    redisReply *reply;
    int result = 0;

    store_pipe_add(c->store, 5,
                   (struct slice[]){slice_str(command), buf_slice(key), buf_slice(&c->after),
                                    SLICE("COUNT"), SLICE(SCAN_COUNT)});
    if (trip(c, &reply, err) != 0)
        return -1;
    *names = NULL;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2) {
        *names = texts(c, reply->element[1], step, count);
        buf_reset(&c->after);
        buf_add(&c->after, link_reply_text(reply->element[0]));
    }
    if (*names == NULL)
        result = no_memory(err);
    freeReplyObject(reply);
    return result;
}

static bool scan_is_over(const struct changes *c)
{
    return slice_equal(buf_slice(&c->after), SLICE("0"));
}

/* The limits of the installation and of all clients are no account's. */
static int walk_others(struct changes *c, struct err *err)
{
    struct slice names[] = {SLICE("@server"), SLICE("@client")};

    return merge_unknown(c, names, 2, err);
}

static int walk_index(struct changes *c, struct err *err)
{
    struct slice *names;
    struct buf key;
    size_t count;
    int result;

    buf_init(&key, KEY_BYTES);
    key_changed(&key, c->prefix);
    result = scan(c, "ZSCAN", &key, 2, &names, &count, err);
    buf_fini(&key);
    if (result != 0 || merge_unknown(c, names, count, err) != 0)
        return -1;
    if (!scan_is_over(c))
        return 0;
    part_begin(c, WALK_ACCOUNTS, 0);
    return walk_others(c, err);
}

static int walk_accounts(struct changes *c, struct err *err)
{
    struct slice *names;
    struct buf key;
    size_t count;
    int result;

    buf_init(&key, KEY_BYTES);
    key_accounts_shard(&key, c->prefix, c->shard);
    result = scan(c, "SSCAN", &key, 1, &names, &count, err);
    buf_fini(&key);
    if (result != 0 || keep_set(c, names, &count, err) != 0 ||
        merge_unknown(c, names, count, err) != 0)
        return -1;
    if (scan_is_over(c))
        part_begin(c, c->shard + 1 < SHARDS ? WALK_ACCOUNTS : WALK_VIOLATIONS, c->shard + 1);
    return 0;
}

/* First all that Redis has is read, then what it lacks is put back. */
static int walk_violations(struct changes *c, struct err *err)
{
    int rc =
        c->violations.stage != VIOLATIONS_WHOLE ? 0 : violations_copy_read(&c->violations, err);

    if (rc == 0)
        rc = violations_copy_restore(&c->violations, err);
    if (rc == 0)
        c->part = WALK_END;
    return rc < 0 ? -1 : 0;
}

static int walk_step(struct changes *c, struct err *err)
{
    switch (c->part) {
    case WALK_COPY:
        return walk_copy(c, err);
    case WALK_INDEX:
        return walk_index(c, err);
    case WALK_ACCOUNTS:
        return walk_accounts(c, err);
    case WALK_VIOLATIONS:
        return walk_violations(c, err);
    case WALK_END:
        break;
    }
    return 0;
}

/* --- noticing changes ------------------------------------------------------------------------ */

/* Newer entries of the index, and our mark. */
static void poll_add(struct changes *c)
{
    char from[24];
    struct buf key;

    buf_init(&key, KEY_BYTES);
    key_node_changes(&key, c->prefix, ledger_node(c->ledger));
    store_pipe_add(c->store, 2, (struct slice[]){SLICE("GET"), buf_slice(&key)});
    buf_reset(&key);
    key_changed(&key, c->prefix);
    (void)snprintf(from, sizeof from, "%" PRId64, c->seen_ms - OVERLAP_MS);
    store_pipe_add(c->store, 8,
                   (struct slice[]){SLICE("ZRANGEBYSCORE"), buf_slice(&key), slice_str(from),
                                    SLICE("+inf"), SLICE("WITHSCORES"), SLICE("LIMIT"), SLICE("0"),
                                    SLICE(INDEX_MAX)});
    buf_fini(&key);
}

/* What the index lists; more than one poll takes is found by a walk. */
static int index_take(struct changes *c, const redisReply *reply, struct err *err)
{
    struct slice *names = texts(c, reply, 2, &(size_t){0});
    size_t count = reply->elements / 2;
    struct slice last = count > 0 ? link_reply_text(reply->element[2 * count - 1]) : SLICE_NONE;
    uint64_t newest;

    if (names == NULL)
        return no_memory(err);
    if (changes_merge(&c->merge, names, count, err) != 0)
        return -1;
    if (slice_number(last, &newest) && newest <= INT64_MAX)
        c->seen_ms = (int64_t)newest;
    if (count == (size_t)atoi(INDEX_MAX))
        walk_begin(c);
    return 0;
}

static int poll_index(struct changes *c, struct err *err)
{
    redisReply *replies[2];
    int result;

    poll_add(c);
    if (trip(c, replies, err) != 0)
        return -1;
    if (store_generation(c->store) != c->generation || c->mark[0] == '\0' ||
        !slice_equal(link_reply_text(replies[0]), slice_str(c->mark)))
        walk_begin(c);
    c->generation = store_generation(c->store);
    result = index_take(c, replies[1], err);
    freeReplyObject(replies[0]);
    freeReplyObject(replies[1]);
    return result;
}

/* --------------------------------------------------------------------------------------------- */

static int step(struct changes *c, struct err *err)
{
    int64_t now_ms = clock_monotonic_ms();
    bool is_walking;

    arena_reset(&c->arena);
    if (c->part == WALK_END && now_ms >= c->poll_next_ms) {
        if (poll_index(c, err) != 0)
            return -1;
        c->poll_next_ms = now_ms + CHANGES_POLL_MS;
        if (c->part == WALK_END && violations_copy_read(&c->violations, err) < 0)
            return -1;
        if (c->part == WALK_END && now_ms >= c->walk_began_ms + CHANGES_WALK_MS)
            walk_begin(c);
    }
    is_walking = c->part != WALK_END;
    if (is_walking && walk_step(c, err) != 0) {
        c->part = WALK_END;
        c->mark[0] = '\0';
        return -1;
    }
    if (c->part != WALK_END)
        return 1;
    report_restored(c);
    return is_walking || c->merge.is_news ? mark_write(c, err) : 0;
}

int changes_step(struct changes *c, struct err *err)
{
    int rc = step(c, err);

    return rc < 0 ? err_prefix(err, "the copy of limits and plans") : rc;
}
