#include "lib/ledger/violations_copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/ledger/ledger_violations.h"
#include "lib/ledger/scripts.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/redis/store_refusal.h"

#define TIMEOUT_MS 5000
#define KEY_BYTES  1024
#define BODY_BYTES ((size_t)64 << 10)
#define PAGE       500
#define WORDS_MAX  128 /* of an entry; more is not ours */

static const struct script violations_script = {"violations", script_violations_source};
static const struct script swap_script = {"violations_swap", script_violations_swap_source};

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory for violations");
}

static bool is_wrong_type(const redisReply *reply)
{
    struct slice text = link_reply_text(reply);

    return reply->type == REDIS_REPLY_ERROR && memmem(text.ptr, text.len, "WRONGTYPE", 9) != NULL;
}

/* --- from Redis to the copy ------------------------------------------------------------------ */

/* The id of an entry, "1793000000000-0". */
static bool id_parse(struct slice text, int64_t *ms, int64_t *seq)
{
    struct slice head;
    uint64_t a, b;

    if (!slice_cut(&text, '-', &head) || !slice_number(head, &a) || !slice_number(text, &b) ||
        a > INT64_MAX || b > INT64_MAX)
        return false;
    *ms = (int64_t)a;
    *seq = (int64_t)b;
    return true;
}

/* One entry of XRANGE: its id, and an array of fields and values. Another is ignored. */
static int entry_take(struct violations_copy *v, const redisReply *entry, struct err *err)
{
    struct ledger_violation one = {.holder = SLICE_NONE};
    const redisReply *words = entry->elements == 2 ? entry->element[1] : NULL;
    struct buf body;
    int result = 0;

    if (words == NULL || words->elements > WORDS_MAX ||
        !id_parse(link_reply_text(entry->element[0]), &one.ms, &one.seq))
        return 0;
    buf_init(&body, BODY_BYTES);
    for (size_t i = 0; i < words->elements; i++) {
        struct slice word = link_reply_text(words->element[i]);

        if (i > 0 && i % 2 == 1 &&
            slice_equal(link_reply_text(words->element[i - 1]), SLICE("domain")))
            one.holder = word;
        buf_add_varint(&body, word.len);
        buf_add(&body, word);
    }
    one.body = buf_slice(&body);
    if (!body.failed)
        result = ledger_violations_add(v->ledger, &one, err);
    buf_fini(&body);
    return result;
}

static int page_take(struct violations_copy *v, const redisReply *reply, struct err *err)
{
    int result;

    if (is_wrong_type(reply))
        return 0;
    if (reply->type != REDIS_REPLY_ARRAY)
        return store_refusal(v->store, reply, err);
    if (reply->elements == 0)
        return 0;
    result = ledger_begin(v->ledger, err);
    for (size_t i = 0; i < reply->elements && result == 0; i++)
        result = entry_take(v, reply->element[i], err);
    if (result == 0)
        result = ledger_violations_prune(v->ledger, err);
    if (result == 0)
        result = ledger_commit(v->ledger, err);
    if (result != 0) {
        ledger_rollback(v->ledger);
        return -1;
    }
    return reply->elements == (size_t)PAGE;
}

int violations_copy_read(struct violations_copy *v, struct err *err)
{
    char from[64];
    int64_t ms, seq;
    redisReply *reply;
    struct buf key;
    int result;

    if (ledger_violations_newest(v->ledger, &ms, &seq, err) != 0)
        return -1;
    buf_init(&key, KEY_BYTES);
    key_violations(&key, v->prefix);
    (void)snprintf(from, sizeof from, "%" PRId64 "-%" PRId64, ms, seq + 1);
    reply = store_command(v->store, 6,
                          (struct slice[]){SLICE("XRANGE"), buf_slice(&key), slice_str(from),
                                           SLICE("+"), SLICE("COUNT"), SLICE("500")},
                          TIMEOUT_MS, err);
    buf_fini(&key);
    if (reply == NULL)
        return -1;
    result = page_take(v, reply, err);
    freeReplyObject(reply);
    return result;
}

/* --- from the copy to Redis ------------------------------------------------------------------ */

struct restore_call {
    struct slice *argv;
    size_t argc, room;
    struct arena *arena;
};

static int word_add(struct restore_call *c, struct slice word, struct err *err)
{
    struct slice *grown = arena_grow(c->arena, c->argv, c->argc, &c->room, sizeof *grown);

    if (grown == NULL || word.ptr == NULL)
        return no_memory(err);
    c->argv = grown;
    c->argv[c->argc++] = word;
    return 0;
}

static int format_add(struct restore_call *c, int64_t a, int64_t b, struct err *err)
{
    char text[64];
    int len = b < 0 ? snprintf(text, sizeof text, "%" PRId64, a)
                    : snprintf(text, sizeof text, "%" PRId64 "-%" PRId64, a, b);

    return word_add(c, arena_copy(c->arena, (struct slice){text, (size_t)len}), err);
}

/* Id, number of words, words. */
static int entry_add(struct restore_call *c, const struct ledger_violation *one, struct err *err)
{
    struct slice rest = one->body, words[WORDS_MAX];
    size_t count = 0;
    uint64_t len;

    while (count < WORDS_MAX && slice_take_varint(&rest, &len) &&
           slice_take(&rest, (size_t)len, &words[count]))
        count++;
    if (count == 0 || count % 2 != 0)
        return 0;
    if (format_add(c, one->ms, one->seq, err) != 0 || format_add(c, (int64_t)count, -1, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (word_add(c, words[i].len > 0 ? words[i] : SLICE(""), err) != 0)
            return -1;
    }
    return 0;
}

static int reply_take(struct violations_copy *v, const redisReply *reply, struct err *err)
{
    if (is_wrong_type(reply))
        return 0;
    if (reply->type != REDIS_REPLY_INTEGER)
        return store_refusal(v->store, reply, err);
    v->restored += (size_t)reply->integer;
    return 0;
}

static int script_run(struct violations_copy *v, const struct script *script, size_t keys,
                      size_t argc, const struct slice *argv, struct err *err)
{
    redisReply *reply = store_script(v->store, script, keys, argc, argv, TIMEOUT_MS, err);
    int result = reply != NULL ? reply_take(v, reply, err) : -1;

    if (reply != NULL)
        freeReplyObject(reply);
    return result;
}

/* The stream of one account gets what it lost. */
static int account_restore(struct violations_copy *v, struct slice holder, struct err *err)
{
    struct restore_call c = {.arena = v->arena};
    struct ledger_violation *list;
    struct buf key;
    size_t count;
    int result =
        ledger_violations_of(v->ledger, holder, VIOLATIONS_OF_HOLDER, v->arena, &list, &count, err);

    buf_init(&key, KEY_BYTES);
    key_account_violations(&key, v->prefix, holder);
    if (result == 0)
        result = word_add(&c, buf_slice(&key), err);
    if (result == 0)
        result = word_add(&c, SLICE("1000"), err);
    for (size_t i = 0; result == 0 && i < count; i++)
        result = entry_add(&c, &list[i], err);
    if (result == 0)
        result = script_run(v, &violations_script, 1, c.argc, c.argv, err);
    buf_fini(&key);
    return result;
}

/* --- the stream of all ----------------------------------------------------------------------- */

/* `XADD KEY ID field value ...`; what is not ours is left out. */
static int xadd(struct violations_copy *v, struct slice key, const struct ledger_violation *one,
                struct err *err)
{
    struct restore_call c = {.arena = v->arena};

    if (word_add(&c, SLICE("XADD"), err) != 0 || word_add(&c, key, err) != 0 ||
        entry_add(&c, one, err) != 0)
        return -1;
    if (c.argc < 6)
        return 0;
    /* Without the number of words. */
    memmove(&c.argv[3], &c.argv[4], (c.argc - 4) * sizeof *c.argv);
    store_pipe_add(v->store, c.argc - 1, c.argv);
    return 0;
}

/* The next page goes to the stream beside; *is_over: it was the last. */
static int page_write(struct violations_copy *v, struct slice key, bool *is_over, struct err *err)
{
    redisReply *replies[PAGE + 2];
    struct ledger_violation *list;
    size_t count, commands;
    int result =
        ledger_violations_after(v->ledger, v->ms, v->seq, PAGE, v->arena, &list, &count, err);

    if (result == 0 && v->ms == 0)
        store_pipe_add(v->store, 2, (struct slice[]){SLICE("DEL"), key});
    for (size_t i = 0; result == 0 && i < count; i++)
        result = xadd(v, key, &list[i], err);
    if (result != 0) {
        store_pipe_reset(v->store);
        return -1;
    }
    store_pipe_add(v->store, 3, (struct slice[]){SLICE("EXPIRE"), key, SLICE("3600")});
    commands = store_pipe_count(v->store);
    if (store_pipe_run(v->store, replies, TIMEOUT_MS, err) != 0)
        return -1;
    for (size_t i = 0; i < commands; i++)
        freeReplyObject(replies[i]);
    if (count > 0) {
        v->ms = list[count - 1].ms;
        v->seq = list[count - 1].seq;
    }
    *is_over = count < PAGE;
    return 0;
}

static int all_restore(struct violations_copy *v, bool *is_over, struct err *err)
{
    struct buf key, beside;
    char from[64];
    int result;

    buf_init(&key, KEY_BYTES);
    buf_init(&beside, KEY_BYTES);
    key_violations(&key, v->prefix);
    key_violations_restored(&beside, v->prefix, ledger_node(v->ledger));
    result = page_write(v, buf_slice(&beside), is_over, err);
    (void)snprintf(from, sizeof from, "%" PRId64 "-%" PRId64, v->ms, v->seq + 1);
    if (result == 0 && *is_over)
        result =
            script_run(v, &swap_script, 2, 3,
                       (struct slice[]){buf_slice(&key), buf_slice(&beside), slice_str(from)}, err);
    buf_fini(&key);
    buf_fini(&beside);
    return result;
}

/* *is_lost: the stream has fewer entries than the copy. */
static int look(struct violations_copy *v, bool *is_lost, struct err *err)
{
    int64_t count;
    redisReply *reply;
    struct buf key;

    if (ledger_violations_count(v->ledger, &count, err) < 0)
        return -1;
    buf_init(&key, KEY_BYTES);
    key_violations(&key, v->prefix);
    reply = store_command(v->store, 2, (struct slice[]){SLICE("XLEN"), buf_slice(&key)}, TIMEOUT_MS,
                          err);
    buf_fini(&key);
    if (reply == NULL)
        return -1;
    *is_lost = reply->type == REDIS_REPLY_INTEGER && reply->integer < count;
    freeReplyObject(reply);
    return 0;
}

static int accounts_restore(struct violations_copy *v, bool *is_over, struct err *err)
{
    struct slice holder;
    int rc = ledger_violations_holder(v->ledger, buf_slice(&v->after), v->arena, &holder, err);

    *is_over = rc == 0;
    if (rc != 1)
        return rc;
    buf_reset(&v->after);
    buf_add(&v->after, holder);
    return account_restore(v, holder, err);
}

/* The accounts' streams come first: as long as the stream of all is not whole, a restart begins
 * again. */
int violations_copy_restore(struct violations_copy *v, struct err *err)
{
    bool is_lost = false, is_over = false;
    int rc;

    switch (v->stage) {
    case VIOLATIONS_WHOLE:
        rc = look(v, &is_lost, err);
        buf_reset(&v->after);
        v->ms = v->seq = 0;
        v->stage = is_lost ? VIOLATIONS_ACCOUNTS : VIOLATIONS_WHOLE;
        return rc < 0 ? -1 : is_lost;
    case VIOLATIONS_ACCOUNTS:
        rc = accounts_restore(v, &is_over, err);
        v->stage = is_over ? VIOLATIONS_ALL : VIOLATIONS_ACCOUNTS;
        break;
    case VIOLATIONS_ALL:
    default:
        rc = all_restore(v, &is_over, err);
        v->stage = is_over ? VIOLATIONS_WHOLE : VIOLATIONS_ALL;
        break;
    }
    if (rc < 0)
        v->stage = VIOLATIONS_WHOLE;
    return rc < 0 ? -1 : v->stage != VIOLATIONS_WHOLE;
}
