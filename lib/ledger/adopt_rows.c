#include "lib/ledger/adopt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/strmap.h"
#include "lib/ledger/amounts.h"
#include "lib/ledger/ledger_adopt.h"
#include "lib/ledger/ledger_share.h"
#include "lib/ledger/scripts.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/sys/clock.h"

#define ADOPT_TIMEOUT_MS 10000
#define SCAN_KEYS        "500"
#define PAGE_FIELDS      "1000"
#define PEERS_MAX        10000
#define NODE_SHARE       9

static const struct script adopt_script = {"adopt", script_adopt_source};

struct adoption {
    struct ledger *ledger;
    const struct adopt_source *from;
    struct adopt_result *out;
    struct slice share_id; /* the present one's */
    /* Where the node's hash is gone: which shares its rows are of, and through where they count. */
    bool is_looking;
    char found[NODE_SHARE], other[NODE_SHARE]; /* "": none */
    uint64_t found_number;
};

/* The answer, of that type and with at least so many elements. */
static redisReply *ask(const struct adoption *a, size_t argc, const struct slice *argv, int type,
                       size_t elements, struct err *err)
{
    redisReply *reply = store_command(a->from->store, argc, argv, ADOPT_TIMEOUT_MS, err);

    if (reply == NULL || (reply->type == type && (elements == 0 || reply->elements >= elements)))
        return reply;
    (void)err_set(err, EX_UNAVAILABLE, "redis at %s: %.*s: %.*s", store_where(a->from->store),
                  SLICE_FMT(argv[0]), SLICE_FMT(slice_to(link_reply_text(reply), 200)));
    freeReplyObject(reply);
    return NULL;
}

/* --- a key ----------------------------------------------------------------------------------- */

static bool word_take(struct slice *text, struct slice word)
{
    if (text->len < word.len || memcmp(text->ptr, word.ptr, word.len) != 0)
        return false;
    *text = slice_from(*text, word.len);
    return true;
}

static bool kind_take(struct slice rest, struct row_key *key)
{
    static const struct {
        const char *word;
        enum row_kind kind;
    } kinds[] = {{"users:month:", ROW_USERS_MONTH},
                 {"users:day:", ROW_USERS_DAY},
                 {"month:", ROW_MONTH},
                 {"day:", ROW_DAY},
                 {"hour:", ROW_HOUR}};

    key->kind = ROW_TOTAL;
    key->period = SLICE_NONE;
    if (slice_equal(rest, SLICE("total")))
        return true;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (word_take(&rest, slice_str(kinds[i].word))) {
            key->kind = kinds[i].kind;
            key->period = rest;
            return rest.len > 0;
        }
    }
    return false;
}

/* prefix:{account}:kind; false for other keys. */
static bool key_parse(struct slice name, const char *prefix, struct row_key *out)
{
    *out = (struct row_key){.kind = ROW_TOTAL};
    return word_take(&name, slice_str(prefix)) && word_take(&name, SLICE(":{")) &&
           slice_cut(&name, '}', &out->account) && out->account.len > 0 &&
           word_take(&name, SLICE(":")) && kind_take(name, out);
}

/* --- its rows -------------------------------------------------------------------------------- */

/* Each user takes room once, whatever shares have a row of his. */
static int user_note(struct ledger *l, const struct row *row, struct err *err)
{
    uint64_t count;

    if (ledger_users_count(l, &row->key, &count, err) < 0)
        return -1;
    return ledger_users_count_set(l, &row->key, count + 1, row->expires_s, err);
}

static bool is_known_user(const struct row_key *key)
{
    return key->user.len > 0 && !slice_equal(key->user, SLICE(USER_OTHER));
}

/* HSCAN may give a field twice. */
static int row_take(struct adoption *a, struct slice share_id, struct row *row, struct err *err)
{
    int has_key = ledger_adopt_has_key(a->ledger, &row->key, err), rc;

    if (has_key < 0)
        return -1;
    rc = ledger_adopt_row(a->ledger, share_id, row, err);
    if (rc <= 0)
        return rc;
    a->out->rows++;
    a->out->sealed += row->counters.len == 0;
    return has_key == 0 && is_known_user(&row->key) ? user_note(a->ledger, row, err) : 0;
}

static int damaged(const struct row_key *key, struct slice share_id, struct err *err)
{
    return err_set(err, EX_DATAERR,
                   "redis: the share %.*s of %.*s is damaged, or of a newer version: install that, "
                   "or delete the field (HDEL), which loses what it counts",
                   SLICE_FMT(share_id), SLICE_FMT(key->account));
}

static void share_note(struct adoption *a, struct slice share_id, uint64_t number)
{
    char *place =
        a->found[0] == '\0' || slice_equal(share_id, slice_str(a->found)) ? a->found : a->other;

    (void)snprintf(place, NODE_SHARE, "%.*s", SLICE_FMT(share_id));
    if (number > a->found_number)
        a->found_number = number;
}

static int entries_take(struct adoption *a, const struct row_key *key, const redisReply *page,
                        int64_t expires_s, struct err *err)
{
    for (size_t i = 1; i + 2 < page->elements; i += 3) {
        struct slice share_id = link_reply_text(page->element[i]), word;
        struct row row = {
            .key = *key, .counters = link_reply_text(page->element[i + 2]), .expires_s = expires_s};
        struct tally readable;

        row.key.user = link_reply_text(page->element[i + 1]);
        if (!slice_cut(&row.counters, ' ', &word) || !slice_number(word, &row.number) ||
            amounts_read(row.counters, &readable, err) < 0)
            return damaged(&row.key, share_id, err);
        if (a->is_looking)
            share_note(a, share_id, row.number);
        else if (row_take(a, share_id, &row, err) < 0)
            return -1;
    }
    return 0;
}

/* What the ledger keeps as a row's end, where Redis lets it go at `until_s`. */
static int64_t expiry_of(const struct adoption *a, const struct row_key *key, int64_t until_s)
{
    struct row row = {.key = *key, .expires_s = until_s};
    int64_t kept_s = push_keep_until(&a->from->keep, &row);

    return kept_s == 0 ? 0 : until_s + (until_s - kept_s);
}

static int expiry_read(const struct adoption *a, struct slice name, const struct row_key *key,
                       int64_t *expires_s, struct err *err)
{
    redisReply *reply =
        ask(a, 2, (const struct slice[]){SLICE("TTL"), name}, REDIS_REPLY_INTEGER, 0, err);

    if (reply == NULL)
        return -1;
    *expires_s =
        reply->integer > 0 ? expiry_of(a, key, clock_unix_ms() / 1000 + reply->integer) : 0;
    freeReplyObject(reply);
    return 0;
}

/* A key of another type has no counters. */
static int key_take(struct adoption *a, struct slice name, const struct row_key *key,
                    struct err *err)
{
    struct buf cursor;
    int64_t expires_s = 0;
    int rc = expiry_read(a, name, key, &expires_s, err);

    buf_init(&cursor, 64);
    buf_add_char(&cursor, '0');
    do {
        redisReply *page =
            rc < 0 ? NULL
                   : store_script(a->from->store, &adopt_script, 1, 5,
                                  (const struct slice[]){name, ledger_node(a->ledger),
                                                         buf_slice(&cursor), SLICE(PAGE_FIELDS),
                                                         a->share_id},
                                  ADOPT_TIMEOUT_MS, err);

        buf_reset(&cursor);
        if (page == NULL)
            rc = -1;
        else if (page->type == REDIS_REPLY_ARRAY && page->elements > 0) {
            rc = entries_take(a, key, page, expires_s, err);
            buf_add(&cursor, link_reply_text(page->element[0]));
        }
        if (page != NULL)
            freeReplyObject(page);
    } while (rc == 0 && cursor.len > 0 && !slice_equal(buf_slice(&cursor), SLICE("0")));
    buf_fini(&cursor);
    return rc;
}

/* --- all keys -------------------------------------------------------------------------------- */

static int keys_take(struct adoption *a, const redisReply *list, struct err *err)
{
    for (size_t i = 0; i < list->elements; i++) {
        struct slice name = link_reply_text(list->element[i]);
        struct row_key key;

        if (key_parse(name, a->from->prefix, &key) && key_take(a, name, &key, err) < 0)
            return -1;
    }
    return 0;
}

/* One transaction for each step, whose end *cursor tells. */
static int scan_step(struct adoption *a, struct slice pattern, struct buf *cursor, struct err *err)
{
    redisReply *reply = ask(a, 6,
                            (const struct slice[]){SLICE("SCAN"), buf_slice(cursor), SLICE("MATCH"),
                                                   pattern, SLICE("COUNT"), SLICE(SCAN_KEYS)},
                            REDIS_REPLY_ARRAY, 2, err);
    int rc;

    if (reply == NULL)
        return -1;
    buf_reset(cursor);
    buf_add(cursor, link_reply_text(reply->element[0]));
    rc = ledger_begin(a->ledger, err);
    if (rc == 0)
        rc = keys_take(a, reply->element[1], err);
    if (rc == 0)
        rc = ledger_commit(a->ledger, err);
    if (rc < 0)
        ledger_rollback(a->ledger);
    freeReplyObject(reply);
    return rc;
}

static int scan(struct adoption *a, struct err *err)
{
    struct buf pattern, cursor;
    int rc;

    buf_init(&pattern, 256);
    buf_init(&cursor, 64);
    buf_addf(&pattern, "%s:{*}:*", a->from->prefix);
    buf_add_char(&cursor, '0');
    do
        rc = scan_step(a, buf_slice(&pattern), &cursor, err);
    while (rc == 0 && !slice_equal(buf_slice(&cursor), SLICE("0")));
    buf_fini(&pattern);
    buf_fini(&cursor);
    return rc;
}

/* --- the node's hash ------------------------------------------------------------------------- */

static int peers_take(struct adoption *a, struct err *err)
{
    struct slice names[PEERS_MAX];
    redisReply *reply;
    struct buf key;
    size_t count = 0;
    int rc;

    buf_init(&key, 1024);
    key_nodes(&key, a->from->prefix);
    reply = ask(a, 2, (const struct slice[]){SLICE("SMEMBERS"), buf_slice(&key)}, REDIS_REPLY_ARRAY,
                0, err);
    buf_fini(&key);
    if (reply == NULL)
        return -1;
    while (count < reply->elements && count < PEERS_MAX) {
        names[count] = link_reply_text(reply->element[count]);
        count++;
    }
    rc = ledger_peers_set(a->ledger, count, names, err);
    freeReplyObject(reply);
    return rc;
}

static uint64_t number_of(const redisReply *reply)
{
    uint64_t number;

    return slice_number(link_reply_text(reply), &number) ? number : 0;
}

/* Of a node that ended in order with nothing left to count or push, Redis has all before its claim:
 * that says more than pushed_through, which leaves out its own second. pushed_through is behind
 * where rows were to be pushed again, after a loss. */
static uint64_t pushed_before(const redisReply *hash)
{
    bool is_whole = number_of(hash->element[6]) == 1 && number_of(hash->element[7]) == 0 &&
                    number_of(hash->element[8]) == 0 &&
                    number_of(hash->element[4]) == number_of(hash->element[9]);

    return is_whole ? number_of(hash->element[3]) : 0;
}

/* What the hash says becomes what the ledger knows of itself. */
static int self_take(struct adoption *a, const redisReply *hash, struct err *err)
{
    struct ledger_meta meta = *ledger_meta(a->ledger);

    if (ledger_adopt_share(a->ledger, link_reply_text(hash->element[0]),
                           link_reply_text(hash->element[1]), err) < 0)
        return -1;
    meta.stamp = meta.stamp_tried = number_of(hash->element[2]);
    meta.position.number = meta.claim_tried = number_of(hash->element[3]);
    meta.pushed_through = (int64_t)number_of(hash->element[4]);
    meta.counted_through = meta.pushed_through;
    meta.since = number_of(hash->element[5]);
    a->out->has_share = true;
    a->out->pushed_through = meta.pushed_through;
    a->out->pushed_before = pushed_before(hash);
    return ledger_meta_set(a->ledger, &meta, err);
}

static int hash_take(struct adoption *a, struct err *err)
{
    struct buf key;
    redisReply *hash;
    char node[256];
    int rc = 0;

    (void)snprintf(node, sizeof node, "%.*s", SLICE_FMT(ledger_node(a->ledger)));
    buf_init(&key, 1024);
    key_node(&key, a->from->prefix, node);
    hash =
        ask(a, 12,
            (const struct slice[]){SLICE("HMGET"), buf_slice(&key), SLICE("_ledger"), SLICE("_run"),
                                   SLICE("_stamp"), SLICE("_number"), SLICE("pushed_through"),
                                   SLICE("_since"), SLICE("_stopped"), SLICE("dirty_rows"),
                                   SLICE("journal_records"), SLICE("counted_through")},
            REDIS_REPLY_ARRAY, 10, err);
    buf_fini(&key);
    if (hash == NULL)
        return -1;
    if (link_reply_text(hash->element[0]).len > 0)
        rc = self_take(a, hash, err);
    freeReplyObject(hash);
    return rc;
}

/* The rows of one share tell all that the hash would, but for what is known to be pushed; of
 * several, they do not tell which is the present one. */
static int share_look(struct adoption *a, struct err *err)
{
    struct ledger_meta meta = *ledger_meta(a->ledger);

    a->is_looking = true;
    if (scan(a, err) < 0)
        return -1;
    a->is_looking = false;
    if (a->found[0] == '\0')
        return 0;
    if (a->other[0] != '\0')
        return err_set(err, EX_UNAVAILABLE,
                       "redis has counters of node \"%.*s\" under several shares (%s, %s), and its "
                       "key %s:{@%.*s}:node, which says which of them goes on, is gone: restore a "
                       "backup of Redis that has it, or of state_dir",
                       SLICE_FMT(ledger_node(a->ledger)), a->found, a->other, a->from->prefix,
                       SLICE_FMT(ledger_node(a->ledger)));
    if (ledger_adopt_share(a->ledger, slice_str(a->found), SLICE_NONE, err) < 0)
        return -1;
    meta.position.number = meta.claim_tried = a->found_number + 1;
    a->out->has_share = true;
    return ledger_meta_set(a->ledger, &meta, err);
}

int adopt_rows(struct ledger *l, const struct adopt_source *from, struct adopt_result *out,
               struct err *err)
{
    struct adoption a = {.ledger = l, .from = from, .out = out};
    int rc;

    *out = (struct adopt_result){.has_share = false};
    rc = hash_take(&a, err);
    if (rc == 0 && !out->has_share)
        rc = share_look(&a, err);
    if (rc == 0 && out->has_share)
        rc = peers_take(&a, err);
    if (rc == 0 && out->has_share) {
        struct ledger_share_info present;

        (void)ledger_share_at(l, 0, &present);
        a.share_id = present.share_id;
        rc = scan(&a, err);
    }
    return rc;
}
