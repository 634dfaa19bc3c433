#include "lib/ledger/push_node.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/ledger/push_batch.h"
#include "lib/ledger/scripts.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"

#define NODE_TIMEOUT_MS 5000
#define NODE_NAME_SIZE  256
#define PEERS_MAX_BYTES ((size_t)1 << 20)
#define WORDS_MAX       32

static const struct script node_script = {"node", script_node_source};

/* The words of one command, numbers among them. */
struct words {
    struct slice list[WORDS_MAX];
    char numbers[WORDS_MAX][24];
    size_t count;
};

static void word_add(struct words *w, struct slice text)
{
    TG_ASSERT(w->count < WORDS_MAX);
    w->list[w->count++] = text;
}

static void number_add(struct words *w, uint64_t value)
{
    char *text = w->numbers[w->count];

    (void)snprintf(text, sizeof w->numbers[0], "%" PRIu64, value);
    word_add(w, slice_str(text));
}

static void field_add(struct words *w, const char *name, uint64_t value)
{
    word_add(w, slice_str(name));
    number_add(w, value);
}

static int schema_check(const struct push_node_hash *n, const redisReply *set,
                        const redisReply *get, struct err *err)
{
    struct slice found = link_reply_text(get);

    if (set->type == REDIS_REPLY_ERROR)
        return push_batch_store_error(n->store, set, err);
    if (get->type == REDIS_REPLY_ERROR)
        return push_batch_store_error(n->store, get, err);
    if (!slice_equal(found, SLICE(SCHEMA)))
        return err_set(err, EX_CONFIG,
                       "redis at %s: %s:schema is \"%.*s\", this version writes %s: set another "
                       "store.prefix, or install the version that wrote it",
                       store_where(n->store), n->prefix, (int)(found.len < 40 ? found.len : 40),
                       found.ptr, SCHEMA);
    return 0;
}

int push_node_schema(const struct push_node_hash *n, struct err *err)
{
    redisReply *replies[2];
    struct buf key;
    int rc;

    buf_init(&key, 1024);
    key_schema(&key, n->prefix);
    store_pipe_add(n->store, 4,
                   (struct slice[]){SLICE("SET"), buf_slice(&key), SLICE(SCHEMA), SLICE("NX")});
    store_pipe_add(n->store, 2, (struct slice[]){SLICE("GET"), buf_slice(&key)});
    buf_fini(&key);
    if (store_pipe_run(n->store, replies, NODE_TIMEOUT_MS, err) < 0)
        return -1;
    rc = schema_check(n, replies[0], replies[1], err);
    freeReplyObject(replies[0]);
    freeReplyObject(replies[1]);
    return rc;
}

static void add_key(const struct push_node_hash *n, struct slice node, struct buf *key)
{
    char name[NODE_NAME_SIZE];

    (void)snprintf(name, sizeof name, "%.*s", SLICE_FMT(node));
    buf_reset(key);
    key_node(key, n->prefix, name);
}

static void add_script(const struct push_node_hash *n, const struct push_now *now, bool force,
                       struct buf *key)
{
    const struct ledger_meta *meta = ledger_meta(n->ledger);
    struct words w = {.count = 0};

    add_key(n, ledger_node(n->ledger), key);
    word_add(&w, buf_slice(key));
    word_add(&w, slice_str(ledger_id(n->ledger)));
    if (force)
        word_add(&w, SLICE_NONE);
    else
        number_add(&w, meta->stamp);
    number_add(&w, meta->stamp_tried - 1);
    number_add(&w, meta->stamp_tried);
    word_add(&w, SLICE("version"));
    word_add(&w, slice_str(n->version));
    field_add(&w, "started", (uint64_t)n->started_s);
    field_add(&w, "seen", (uint64_t)now->now_s);
    field_add(&w, "counted_through", (uint64_t)now->counted_through);
    field_add(&w, "pushed_through", (uint64_t)meta->pushed_through);
    field_add(&w, "journal_records", now->journal_records);
    field_add(&w, "journal_bytes", now->journal_bytes);
    field_add(&w, "dirty_rows", ledger_dirty_rows(n->ledger));
    store_pipe_add_script(n->store, &node_script, 1, w.count, w.list);
}

/* What the node counted under an older name is as complete as the rest. */
static void add_old_node(const struct push_node_hash *n, const struct push_now *now,
                         struct slice old, struct buf *key)
{
    struct words w = {.count = 0};

    add_key(n, old, key);
    word_add(&w, SLICE("HSET"));
    word_add(&w, buf_slice(key));
    word_add(&w, SLICE("renamed"));
    word_add(&w, ledger_node(n->ledger));
    field_add(&w, "counted_through", (uint64_t)now->counted_through);
    field_add(&w, "pushed_through", (uint64_t)ledger_meta(n->ledger)->pushed_through);
    store_pipe_add(n->store, w.count, w.list);
}

/* The set is read before the script finds out whether there was a loss: a set that was
 * read after one is never kept. */
static void add_commands(const struct push_node_hash *n, const struct push_now *now, bool force,
                         struct slice peers)
{
    struct buf key, nodes_key;
    struct slice name;

    buf_init(&key, 1024);
    buf_init(&nodes_key, 1024);
    key_nodes(&nodes_key, n->prefix);
    store_pipe_add(n->store, 2, (struct slice[]){SLICE("SMEMBERS"), buf_slice(&nodes_key)});
    add_script(n, now, force, &key);
    while (slice_word(&peers, " ", &name))
        store_pipe_add(n->store, 3, (struct slice[]){SLICE("SADD"), buf_slice(&nodes_key), name});
    for (size_t i = 0; ledger_node_at(n->ledger, i, &name); i++) {
        store_pipe_add(n->store, 3, (struct slice[]){SLICE("SADD"), buf_slice(&nodes_key), name});
        if (i > 0)
            add_old_node(n, now, name, &key);
    }
    buf_fini(&key);
    buf_fini(&nodes_key);
}

static int stamp_next(const struct push_node_hash *n, int64_t counted_through,
                      int64_t pushed_through, struct err *err)
{
    struct ledger_meta meta = *ledger_meta(n->ledger);
    int rc = ledger_begin(n->ledger, err);

    meta.stamp_tried++;
    meta.counted_through = counted_through;
    meta.pushed_through = pushed_through;
    if (rc == 0)
        rc = ledger_meta_set(n->ledger, &meta, err);
    if (rc == 0)
        rc = ledger_commit(n->ledger, err);
    if (rc < 0)
        ledger_rollback(n->ledger);
    return rc;
}

static struct slice element_text(const redisReply *reply, size_t i)
{
    return i < reply->elements ? link_reply_text(reply->element[i]) : SLICE_NONE;
}

/* Which nodes there are is written only where it has changed. */
static int take_peers(const struct push_node_hash *n, const redisReply *reply, struct slice known,
                      struct err *err)
{
    struct slice *names = calloc(reply->elements + 1, sizeof *names), rest = known, name;
    size_t known_count = 0, found_count = 0;
    int rc = 0;

    if (names == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < reply->elements; i++)
        names[i] = link_reply_text(reply->element[i]);
    for (; slice_word(&rest, " ", &name); known_count++) {
        size_t i = 0;

        while (i < reply->elements && !slice_equal(names[i], name))
            i++;
        found_count += i < reply->elements;
    }
    if (found_count != known_count || found_count != reply->elements)
        rc = ledger_peers_set(n->ledger, reply->elements, names, err);
    free(names);
    return rc;
}

static int take_script(const struct push_node_hash *n, const redisReply *reply,
                       struct push_node_found *found, struct err *err)
{
    struct slice ledger = element_text(reply, 1);
    struct ledger_meta meta = *ledger_meta(n->ledger);
    uint64_t through = 0;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0)
        return err_set(err, EX_UNAVAILABLE, "redis at %s: an answer that no node.lua gives",
                       store_where(n->store));
    if (reply->element[0]->integer == 1) {
        found->state = NODE_WRITTEN;
        meta.stamp = meta.stamp_tried;
        return ledger_meta_set(n->ledger, &meta, err);
    }
    found->state = NODE_LOST;
    if (ledger.len > 0 && !slice_equal(ledger, slice_str(ledger_id(n->ledger))))
        found->state = NODE_FOREIGN;
    (void)snprintf(found->ledger, sizeof found->ledger, "%.*s", SLICE_FMT(slice_to(ledger, 60)));
    if (slice_number(element_text(reply, 3), &through))
        found->pushed_through = (int64_t)through;
    return 0;
}

/* `peers` NULL: the set was read before they were listed again, and says nothing. */
static int take_replies(const struct push_node_hash *n, redisReply **replies, size_t count,
                        const struct buf *peers, struct push_node_found *found, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (replies[i]->type == REDIS_REPLY_ERROR)
            return push_batch_store_error(n->store, replies[i], err);
    }
    if (take_script(n, replies[1], found, err) < 0)
        return -1;
    if (found->state != NODE_WRITTEN || peers == NULL)
        return 0;
    return take_peers(n, replies[0], buf_slice(peers), err);
}

static int trip(const struct push_node_hash *n, const struct buf *peers,
                struct push_node_found *found, struct err *err)
{
    size_t count = store_pipe_count(n->store);
    redisReply **replies = calloc(count, sizeof(redisReply *));
    int rc;

    if (replies == NULL) {
        store_pipe_reset(n->store);
        return err_set(err, EX_OSERR, "out of memory");
    }
    rc = store_pipe_run(n->store, replies, NODE_TIMEOUT_MS, err);
    if (rc == 0)
        rc = take_replies(n, replies, count, peers, found, err);
    for (size_t i = 0; i < count; i++) {
        if (replies[i] != NULL)
            freeReplyObject(replies[i]);
    }
    free(replies);
    return rc;
}

int push_node_write(const struct push_node_hash *n, const struct push_now *now,
                    int64_t pushed_through, bool force, struct push_node_found *found,
                    struct err *err)
{
    struct buf peers;
    int rc;

    *found = (struct push_node_found){.state = NODE_LOST};
    buf_init(&peers, PEERS_MAX_BYTES);
    rc = ledger_peers(n->ledger, &peers, err);
    if (rc == 0)
        rc = stamp_next(n, now->counted_through, pushed_through, err);
    if (rc == 0) {
        add_commands(n, now, force, force ? buf_slice(&peers) : SLICE_NONE);
        rc = trip(n, force ? NULL : &peers, found, err);
    }
    buf_fini(&peers);
    return rc;
}
