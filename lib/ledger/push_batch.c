#include "lib/ledger/push_batch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/ledger/ledger_seal.h"
#include "lib/ledger/push_fields.h"
#include "lib/ledger/reconcile.h"
#include "lib/ledger/scripts.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/redis/store_refusal.h"

#define TRIP_TIMEOUT_MS   5000
#define COMMANDS_PER_ROW  3
#define TRIP_COMMANDS     (TRIP_ROWS * COMMANDS_PER_ROW)
#define KEYS_MAX_BYTES    ((size_t)4 << 20)
#define FORMERS_MAX_BYTES ((size_t)1 << 20)
#define LEFT_S            3600   /* what Redis may still show of a row that has left the ledger */
#define PAGE_FIELDS       "1000" /* of users, so that a hash of 10,000 does not stop Redis */

static const struct script push_script = {"push", script_push_source};
static const struct script users_script = {"users", script_users_source};

enum outcome { OUTCOME_PUSHED, OUTCOME_REFUSED, OUTCOME_OLDER, OUTCOME_EXPIRED };

struct push_batch_row {
    int64_t id;
    uint64_t number;
    enum row_dirty was;
    enum outcome outcome;
    enum push_seal_step seal;
    char found[24]; /* OUTCOME_OLDER: the larger number */
};

/* A command of the pipeline: whose row it is about, and its key (for texts). */
struct push_batch_command {
    size_t row, key_start, key_len;
    bool is_push, is_users;
    uint64_t cursor; /* is_users: where the next page begins; 0: there is none */
};

struct push_batch_rows {
    struct push_batch_row rows[TRIP_ROWS];
    size_t count;
    struct push_batch_command commands[TRIP_COMMANDS];
    redisReply *replies[TRIP_COMMANDS];
    size_t command_count;
    struct buf keys, share, formers, names;
    bool is_sweep; /* plain fields that nobody counts become 0 */
};

int push_batch_init(struct push_batch *t, struct ledger *ledger, struct store *store,
                    const char *prefix, struct err *err)
{
    *t = (struct push_batch){.ledger = ledger, .store = store, .prefix = prefix};
    t->rows = calloc(1, sizeof *t->rows);
    if (t->rows == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    buf_init(&t->rows->keys, KEYS_MAX_BYTES);
    buf_init(&t->rows->share, 1024);
    buf_init(&t->rows->formers, FORMERS_MAX_BYTES);
    buf_init(&t->rows->names, KEYS_MAX_BYTES);
    return 0;
}

void push_batch_fini(struct push_batch *t)
{
    if (t->rows == NULL)
        return;
    buf_fini(&t->rows->keys);
    buf_fini(&t->rows->share);
    buf_fini(&t->rows->formers);
    buf_fini(&t->rows->names);
    free(t->rows);
    t->rows = NULL;
}

static struct slice key_of(const struct push_batch_rows *r, const struct push_batch_command *c)
{
    return slice_to(slice_from(buf_slice(&r->keys), c->key_start), c->key_len);
}

/* Begins a command of the present row; its key is what is added to r->keys until command_end. */
static struct push_batch_command *command_begin(struct push_batch_rows *r)
{
    struct push_batch_command *c = &r->commands[r->command_count++];

    *c = (struct push_batch_command){.row = r->count - 1, .key_start = r->keys.len};
    return c;
}

static struct slice command_key(struct push_batch_rows *r, struct push_batch_command *c)
{
    c->key_len = r->keys.len - c->key_start;
    return key_of(r, c);
}

/* The word of push.lua for what a seal has of the share. */
static struct slice seal_word(const struct push_batch_rows *r, const struct row *row)
{
    if (!row->is_present)
        return SLICE("left");
    return r->rows[r->count - 1].seal == PUSH_SEAL_PUT_IN ? SLICE("final") : SLICE_NONE;
}

/* Is it a push and nothing besides? */
static bool may_be_quick(const struct slice *argv)
{
    for (int i = 5; i <= 9; i++) {
        if (argv[i].len > 0)
            return false;
    }
    return true;
}

/* A hash is told when it expires where the script makes it; by a walk in any case (add_expire), for
 * a hand may have changed that. */
static void add_push(struct push_batch *t, const struct row *row)
{
    struct push_batch_rows *r = t->rows;
    struct push_batch_command *c = command_begin(r);
    struct slice argv[PUSH_FIELDS_AT + PUSH_FIELDS_MAX];
    char number[24], expires[24] = "";
    size_t fields = 0;

    reconcile_key_add(&r->keys, t->prefix, &row->key);
    buf_reset(&r->share);
    reconcile_share_add(&r->share, row);
    (void)snprintf(number, sizeof number, "%" PRIu64, row->number);
    if (row->expires_s != 0 && !r->is_sweep)
        (void)snprintf(expires, sizeof expires, "%" PRId64, row->expires_s);
    c->is_push = true;
    argv[0] = command_key(r, c);
    argv[1] = buf_slice(&r->share);
    argv[2] = slice_str(number);
    argv[3] = row->counters;
    argv[4] = row->key.user;
    argv[5] = SLICE_NONE;
    argv[6] = r->is_sweep && row->key.user.len == 0 ? SLICE("sweep") : SLICE_NONE;
    argv[7] = reconcile_form(t->as_names);
    argv[8] = seal_word(r, row);
    argv[9] = buf_slice(&r->formers);
    argv[10] = slice_str(expires);
    if (may_be_quick(argv))
        fields = push_fields(row, &r->names, argv + PUSH_FIELDS_AT);
    store_pipe_add_script(t->store, &push_script, 1, PUSH_FIELDS_AT + fields, argv);
}

/* Once a key and trip: r->keys may have moved since the last, so the key is compared by its place.
 */
static void add_expire(struct push_batch *t, int64_t expires_s, size_t key_start, size_t key_len)
{
    struct push_batch_rows *r = t->rows;
    struct push_batch_command *c;
    struct slice argv[3];
    char at[24];

    (void)snprintf(at, sizeof at, "%" PRId64, expires_s);
    c = command_begin(r);
    c->key_start = key_start;
    c->key_len = key_len;
    argv[0] = SLICE("EXPIREAT");
    argv[1] = key_of(r, c);
    argv[2] = slice_str(at);
    store_pipe_add(t->store, 3, argv);
}

static bool is_same_key(const struct push_batch_rows *r, const struct push_batch_command *a,
                        const struct push_batch_command *b)
{
    return slice_equal(key_of(r, a), key_of(r, b));
}

/* Node accounts are listed in the set of nodes. */
static void add_account(struct push_batch *t, const struct row *row)
{
    struct push_batch_rows *r = t->rows;
    struct push_batch_command *c = command_begin(r);
    struct slice argv[3];

    key_accounts(&r->keys, t->prefix, row->key.account);
    argv[0] = SLICE("SADD");
    argv[1] = command_key(r, c);
    argv[2] = row->key.account;
    store_pipe_add(t->store, 3, argv);
}

/* With the month or day of an account goes the first page of its users. */
static void add_users(struct push_batch *t, const struct row *row)
{
    struct push_batch_rows *r = t->rows;
    struct push_batch_command *c = command_begin(r);

    c->is_users = true;
    key_users(&r->keys, t->prefix, row->key.account,
              row->key.kind == ROW_DAY ? PERIOD_DAY : PERIOD_MONTH, row->key.period);
    store_pipe_add_script(t->store, &users_script, 1, 3,
                          (struct slice[]){command_key(r, c), SLICE("0"), SLICE(PAGE_FIELDS)});
}

static void add_commands(struct push_batch *t, const struct row *row)
{
    struct push_batch_rows *r = t->rows;
    const struct push_batch_command *before = NULL, *push;

    for (size_t i = r->command_count; i > 0 && before == NULL; i--)
        before = r->commands[i - 1].is_push ? &r->commands[i - 1] : NULL;
    push = &r->commands[r->command_count];
    add_push(t, row);
    if (r->is_sweep && row->expires_s != 0 && (before == NULL || !is_same_key(r, before, push)))
        add_expire(t, row->expires_s, push->key_start, push->key_len);
    if (row->key.kind == ROW_TOTAL && (row->key.account.len == 0 || row->key.account.ptr[0] != '@'))
        add_account(t, row);
    if (r->is_sweep && (row->key.kind == ROW_MONTH || row->key.kind == ROW_DAY) &&
        row->key.account.ptr[0] != '@')
        add_users(t, row);
}

/* Usually Redis has forgotten it, too. */
static void add_gone(struct push_batch *t, const struct row *row, int64_t now_s)
{
    size_t start = t->rows->keys.len;

    reconcile_key_add(&t->rows->keys, t->prefix, &row->key);
    add_expire(t, now_s + LEFT_S, start, t->rows->keys.len - start);
}

static int collect_row(struct push_batch *t, struct row *row, int64_t now_s, struct err *err)
{
    struct push_batch_rows *r = t->rows;

    r->rows[r->count++] = (struct push_batch_row){
        .id = row->id,
        .number = row->number,
        .was = row->dirty,
        .seal = r->is_sweep ? push_seal_step(&t->seal, row) : PUSH_SEAL_NOT};
    row->expires_s = push_keep_until(&t->keep, row);
    if (row->expires_s != 0 && row->expires_s <= now_s) {
        r->rows[r->count - 1].outcome = OUTCOME_EXPIRED;
        add_gone(t, row, now_s);
        return 0;
    }
    buf_reset(&r->formers);
    if (row->has_formers && ledger_formers(t->ledger, row->id, &r->formers, err) < 0)
        return -1;
    add_commands(t, row);
    return r->formers.failed ? err_set(err, EX_OSERR, "out of memory for what a row was") : 0;
}

/* Reads the rows and builds the pipeline. */
static int collect(struct push_batch *t, enum ledger_walk which, int64_t after, size_t limit,
                   int64_t now_s, struct push_batch_result *out, struct err *err)
{
    struct push_batch_rows *r = t->rows;
    struct row row;
    int rc;

    r->count = r->command_count = 0;
    r->is_sweep = which == WALK_ALL;
    buf_reset(&r->keys);
    ledger_walk_start(t->ledger, which, after, limit);
    while ((rc = ledger_walk_next(t->ledger, &row, err)) == 1) {
        if ((rc = collect_row(t, &row, now_s, err)) < 0)
            break;
        out->last_id = row.id;
    }
    ledger_walk_end(t->ledger);
    out->seen = r->count;
    if (rc == 0 && r->keys.failed)
        rc = err_set(err, EX_OSERR, "out of memory for the names of keys");
    return rc;
}

static bool reply_has(const redisReply *reply, struct slice word)
{
    struct slice text = link_reply_text(reply);

    return text.len > 0 && memmem(text.ptr, text.len, word.ptr, word.len) != NULL;
}

static void note_refused(struct push_batch *t, const struct push_batch_command *c,
                         const redisReply *reply, struct push_batch_result *out)
{
    struct slice key = key_of(t->rows, c), text = link_reply_text(reply);

    if (t->rows->rows[c->row].outcome == OUTCOME_REFUSED)
        return;
    t->rows->rows[c->row].outcome = OUTCOME_REFUSED;
    if (out->refused++ > 0)
        return;
    if (reply_has(reply, SLICE("WRONGTYPE")))
        (void)err_set(&out->refused_first, EX_DATAERR,
                      "redis key %.*s is not a hash of counters: find out what wrote it, "
                      "then delete it (DEL)",
                      SLICE_FMT(key));
    else
        (void)err_set(&out->refused_first, EX_DATAERR,
                      "redis key %.*s: %.*s: delete that field (HDEL), or the key; all nodes will "
                      "push theirs again",
                      SLICE_FMT(key), (int)(text.len < 200 ? text.len : 200), text.ptr);
}

static void note_older(struct push_batch_row *row, const redisReply *reply)
{
    row->outcome = OUTCOME_OLDER;
    (void)snprintf(row->found, sizeof row->found, "%.*s", SLICE_FMT(link_reply_text(reply)));
}

/* 0, or -1 for an error that concerns the store. */
static int take_reply(struct push_batch *t, struct push_batch_command *c, const redisReply *reply,
                      struct push_batch_result *out, struct err *err)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        if (!reply_has(reply, SLICE("WRONGTYPE")) && !reply_has(reply, SLICE("TOLLGATE ")))
            return store_refusal(t->store, reply, err);
        if (!c->is_users) /* those rows report it themselves */
            note_refused(t, c, reply, out);
    } else if (c->is_users) {
        (void)slice_number(link_reply_text(reply), &c->cursor);
    } else if (c->is_push && reply->type == REDIS_REPLY_STRING) {
        note_older(&t->rows->rows[c->row], reply);
    }
    return 0;
}

/* Up to the first reply that is a problem with the store; rows from there on are left as they are.
 */
static int take_replies(struct push_batch *t, struct push_batch_result *out, struct err *err)
{
    struct push_batch_rows *r = t->rows;
    int rc = 0;

    for (size_t i = 0; i < r->command_count; i++) {
        if (rc == 0) {
            rc = take_reply(t, &r->commands[i], r->replies[i], out, err);
            if (rc < 0)
                r->count = r->commands[i].row;
        }
        freeReplyObject(r->replies[i]);
    }
    return rc;
}

static int note_row(struct push_batch *t, const struct push_batch_row *row,
                    struct push_batch_result *out, struct err *err)
{
    enum row_dirty is = row->outcome == OUTCOME_PUSHED ? ROW_CLEAN : ROW_REFUSED;

    if (row->outcome == OUTCOME_EXPIRED) {
        out->expired++;
        return ledger_row_delete(t->ledger, row->id, err);
    }
    if (row->outcome == OUTCOME_PUSHED)
        out->pushed++;
    if (row->outcome == OUTCOME_PUSHED && row->seal == PUSH_SEAL_FINISH)
        return ledger_row_finish(t->ledger, row->id, row->number, err);
    return is == row->was ? 0 : ledger_row_mark(t->ledger, row->id, row->number, is, err);
}

static bool has_news(const struct push_batch_rows *r)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->rows[i].outcome != OUTCOME_PUSHED || r->rows[i].was != ROW_CLEAN ||
            r->rows[i].seal == PUSH_SEAL_FINISH)
            return true;
    }
    return false;
}

/* One transaction; none where nothing changes, as in most trips of the scrub. */
static int note_rows(struct push_batch *t, struct push_batch_result *out, struct err *err)
{
    bool in_transaction = has_news(t->rows);
    int rc = in_transaction ? ledger_begin(t->ledger, err) : 0;

    for (size_t i = 0; rc == 0 && i < t->rows->count; i++)
        rc = note_row(t, &t->rows->rows[i], out, err);
    if (!in_transaction)
        return rc;
    if (rc == 0)
        rc = ledger_commit(t->ledger, err);
    if (rc < 0)
        ledger_rollback(t->ledger);
    return rc;
}

static void note_undone(struct push_batch *t, size_t row, struct push_batch_result *out)
{
    const struct push_batch_rows *r = t->rows;
    size_t i = 0;

    if (out->undone++ > 0)
        return;
    while (r->commands[i].row != row || !r->commands[i].is_push)
        i++;
    (void)err_set(
        &out->undone_first, EX_DATAERR,
        "redis key %.*s: our share said number %s, which this ledger has not given: it is "
        "written anew. Find out what changes the keys of Tollgate",
        SLICE_FMT(key_of(r, &r->commands[i])), r->rows[row].found);
}

/* Rows that Redis has with a larger number count as refused until that is settled. */
static int settle_rows(struct push_batch *t, struct push_batch_result *out, struct err *err)
{
    struct push_batch_row *rows = t->rows->rows;

    for (size_t i = 0; i < t->rows->count; i++) {
        enum learn_row verdict;

        if (rows[i].outcome != OUTCOME_OLDER)
            continue;
        if (reconcile_row(&(struct reconcile_place){t->ledger, t->store, t->prefix, t->as_names},
                          rows[i].id, slice_str(rows[i].found), &verdict, err) < 0)
            return -1;
        if (verdict == LEARN_UNDO)
            note_undone(t, i, out);
    }
    return 0;
}

/* Asks for the page at c->cursor. */
static int users_page(struct push_batch *t, struct push_batch_command *c, struct err *err)
{
    redisReply *reply;
    char cursor[24];
    int rc = 0;

    (void)snprintf(cursor, sizeof cursor, "%" PRIu64, c->cursor);
    reply =
        store_script(t->store, &users_script, 1, 3,
                     (struct slice[]){key_of(t->rows, c), slice_str(cursor), SLICE(PAGE_FIELDS)},
                     TRIP_TIMEOUT_MS, err);
    if (reply == NULL)
        return -1;
    c->cursor = 0;
    if (reply->type == REDIS_REPLY_ERROR)
        rc = store_refusal(t->store, reply, err);
    else
        (void)slice_number(link_reply_text(reply), &c->cursor);
    freeReplyObject(reply);
    return rc;
}

static int finish_users(struct push_batch *t, struct err *err)
{
    struct push_batch_rows *r = t->rows;
    int rc = 0;

    for (size_t i = 0; i < r->command_count; i++) {
        while (rc == 0 && r->commands[i].cursor > 0)
            rc = users_page(t, &r->commands[i], err);
    }
    return rc;
}

/* The server knew the script a moment ago, and does not any more. */
static bool has_forgotten(struct push_batch_rows *r)
{
    bool has = false;

    for (size_t i = 0; i < r->command_count && !has; i++)
        has = store_is_noscript(r->replies[i]);
    for (size_t i = 0; i < r->command_count && has; i++)
        freeReplyObject(r->replies[i]);
    return has;
}

int push_batch_run(struct push_batch *t, enum ledger_walk which, int64_t after, size_t limit,
                   int64_t now_s, struct push_batch_result *out, struct err *err)
{
    struct err later;
    int rc, tries = 0;

    TG_ASSERT(limit <= TRIP_ROWS);
    do {
        *out = (struct push_batch_result){.last_id = after};
        store_pipe_trust_scripts(t->store);
        if (collect(t, which, after, limit, now_s, out, err) < 0) {
            store_pipe_reset(t->store);
            return -1;
        }
        if (store_pipe_run(t->store, t->rows->replies, TRIP_TIMEOUT_MS, err) < 0)
            return -1;
    } while (tries++ == 0 && has_forgotten(t->rows));
    rc = take_replies(t, out, err);
    if (note_rows(t, out, rc < 0 ? &later : err) < 0)
        return -1;
    if (rc == 0)
        rc = settle_rows(t, out, err);
    return rc < 0 ? -1 : finish_users(t, err);
}
