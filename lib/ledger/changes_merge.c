#include "lib/ledger/changes_merge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/ledger/changes.h"
#include "lib/ledger/ledger_changes.h"
#include "lib/ledger/scripts.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/redis/store_refusal.h"

#define TIMEOUT_MS 5000
#define KEY_BYTES  1024
#define KEYS       5 /* of the script */

static const struct script changes_script = {"changes", script_changes_source};

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory for changes at run time");
}

/* A reply's element as text; empty where it is missing. */
static struct slice text_at(const redisReply *reply, size_t i)
{
    return i < reply->elements ? link_reply_text(reply->element[i]) : SLICE_NONE;
}

struct merged_holder {
    struct slice name;
    struct ledger_change *copy;
    size_t count;
    int64_t newest;  /* version in Redis */
    bool is_written; /* the script has changed something there */
};

static struct slice number_text(struct arena *arena, int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%" PRId64, number);

    return arena_copy(arena, (struct slice){text, (size_t)len});
}

/* The script's call for one holder joins the pipeline. */
static int call_add(struct changes_merge *m, const struct merged_holder *h, struct err *err)
{
    size_t argc = KEYS + 3 * h->count;
    struct slice *argv = arena_array(m->arena, argc, sizeof *argv);
    struct buf keys[KEYS];

    if (argv == NULL)
        return no_memory(err);
    for (size_t i = 0; i < KEYS; i++)
        buf_init(&keys[i], KEY_BYTES);
    key_plan(&keys[0], m->prefix, h->name);
    key_limits(&keys[1], m->prefix, h->name);
    key_holder_changed(&keys[2], m->prefix, h->name);
    key_holder_node(&keys[3], m->prefix, h->name);
    key_adjust(&keys[4], m->prefix, h->name);
    for (size_t i = 0; i < KEYS; i++)
        argv[i] = buf_slice(&keys[i]);
    for (size_t i = 0; i < h->count; i++) {
        struct slice *triple = &argv[KEYS + 3 * i];

        triple[0] = h->copy[i].name;
        triple[1] = number_text(m->arena, h->copy[i].version);
        triple[2] = h->copy[i].value;
    }
    store_pipe_add_script(m->store, &changes_script, KEYS, argc, argv);
    for (size_t i = 0; i < KEYS; i++)
        buf_fini(&keys[i]);
    return 0;
}

static const struct ledger_change *copy_of(const struct merged_holder *h, struct slice name)
{
    for (size_t i = 0; i < h->count; i++) {
        if (slice_equal(h->copy[i].name, name))
            return &h->copy[i];
    }
    return NULL;
}

/* One triple of the script's answer; what the copy has otherwise is written to it. */
static int triple_take(struct changes_merge *m, struct merged_holder *h, const redisReply *reply,
                       size_t at, struct err *err)
{
    struct ledger_change now = {
        .holder = h->name, .name = text_at(reply, at), .value = text_at(reply, at + 2)};
    const struct ledger_change *copy = copy_of(h, now.name);
    uint64_t version;

    if (!slice_number(text_at(reply, at + 1), &version) || version > INT64_MAX)
        return 0; /* none of this node's */
    now.version = (int64_t)version;
    h->newest = now.version > h->newest ? now.version : h->newest;
    if (copy != NULL && copy->version == now.version && slice_equal(copy->value, now.value))
        return 0;
    m->is_news = true;
    return ledger_changes_set(m->ledger, &now, err);
}

/* A key of another type is a person's to repair (doctor names it); the others go on. */
static int reply_take(struct changes_merge *m, struct merged_holder *h, const redisReply *reply,
                      struct err *err)
{
    struct slice text = link_reply_text(reply);
    int result = 0;

    if (reply->type == REDIS_REPLY_ERROR && memmem(text.ptr, text.len, "WRONGTYPE", 9) != NULL)
        return 0;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2)
        return store_refusal(m->store, reply, err);
    m->restored += (size_t)reply->element[0]->integer;
    h->is_written = reply->element[1]->integer > 0;
    for (size_t i = 2; i + 2 < reply->elements && result == 0; i += 3)
        result = triple_take(m, h, reply, i, err);
    return result;
}

static int replies_take(struct changes_merge *m, struct merged_holder *list, size_t count,
                        redisReply *const *replies, struct err *err)
{
    int result = ledger_begin(m->ledger, err);

    for (size_t i = 0; i < count && result == 0; i++)
        result = reply_take(m, &list[i], replies[i], err);
    if (result == 0)
        result = ledger_commit(m->ledger, err);
    if (result != 0)
        ledger_rollback(m->ledger);
    return result;
}

/* The index tells the other nodes what was written. */
static int index_write(struct changes_merge *m, const struct merged_holder *list, size_t count,
                       redisReply **replies, struct err *err)
{
    struct buf key;
    size_t commands;

    buf_init(&key, KEY_BYTES);
    key_changed(&key, m->prefix);
    for (size_t i = 0; i < count; i++) {
        struct slice version = number_text(m->arena, list[i].newest);
        struct slice argv[] = {SLICE("ZADD"), buf_slice(&key), version, list[i].name};

        if (list[i].is_written)
            store_pipe_add(m->store, 4, argv);
    }
    buf_fini(&key);
    commands = store_pipe_count(m->store);
    if (commands == 0)
        return 0;
    if (store_pipe_run(m->store, replies, TIMEOUT_MS, err) != 0)
        return -1;
    for (size_t i = 0; i < commands; i++)
        freeReplyObject(replies[i]);
    return 0;
}

static int calls_add(struct changes_merge *m, const struct slice *names, size_t count,
                     struct merged_holder *list, struct err *err)
{
    int result = 0;

    for (size_t i = 0; i < count && result == 0; i++) {
        list[i] = (struct merged_holder){.name = names[i]};
        result =
            ledger_changes_of(m->ledger, names[i], m->arena, &list[i].copy, &list[i].count, err);
        if (result == 0)
            result = call_add(m, &list[i], err);
    }
    if (result != 0)
        store_pipe_reset(m->store);
    return result;
}

/* Brings at most CHANGES_PAGE holders together. */
static int page_merge(struct changes_merge *m, const struct slice *names, size_t count,
                      struct err *err)
{
    struct merged_holder list[CHANGES_PAGE];
    redisReply *replies[CHANGES_PAGE];
    int result;

    if (calls_add(m, names, count, list, err) != 0 ||
        store_pipe_run(m->store, replies, TIMEOUT_MS, err) != 0)
        return -1;
    result = replies_take(m, list, count, replies, err);
    for (size_t i = 0; i < count; i++)
        freeReplyObject(replies[i]);
    return result == 0 ? index_write(m, list, count, replies, err) : -1;
}

int changes_merge(struct changes_merge *m, const struct slice *names, size_t count, struct err *err)
{
    for (size_t at = 0; at < count; at += CHANGES_PAGE) {
        size_t page = count - at < CHANGES_PAGE ? count - at : CHANGES_PAGE;

        if (page_merge(m, names + at, page, err) != 0)
            return -1;
    }
    return 0;
}
