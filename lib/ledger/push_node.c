#include "lib/ledger/push_node.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/ledger/push_fleet.h"
#include "lib/ledger/scripts.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/redis/store_refusal.h"
#include "lib/sys/clock.h"

#define NODE_TIMEOUT_MS 5000
#define PEERS_MAX_BYTES ((size_t)1 << 20)
#define WORDS_MAX       64
#define MEET_TRIES      4
#define RIVAL_QUIET_MS  60000 /* then it is gone */

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

static void text_add(struct words *w, const char *name, struct slice text)
{
    word_add(w, slice_str(name));
    word_add(w, text);
}

/* --- looking --------------------------------------------------------------------------------- */

static bool is_wrong_type(const redisReply *reply)
{
    struct slice text = link_reply_text(reply);

    return reply->type == REDIS_REPLY_ERROR && memmem(text.ptr, text.len, "WRONGTYPE", 9) != NULL;
}

static void refuse(struct slice key, struct err *refused)
{
    (void)err_set(refused, EX_DATAERR,
                  "redis key %.*s has the wrong type: find out what wrote it, then delete it (DEL)",
                  SLICE_FMT(key));
}

static struct slice element_text(const redisReply *reply, size_t i)
{
    return i < reply->elements ? link_reply_text(reply->element[i]) : SLICE_NONE;
}

static void text_take(const redisReply *reply, size_t at, char text[NODE_TEXT])
{
    struct slice found = slice_to(element_text(reply, at), NODE_TEXT - 1);

    (void)snprintf(text, NODE_TEXT, "%.*s", SLICE_FMT(found));
}

static int look_take(const struct push_node_hash *n, const redisReply *reply,
                     struct push_node_look *out, struct err *err)
{
    uint64_t through = 0;

    *out = (struct push_node_look){.is_there = false};
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 11)
        return err_set(err, EX_UNAVAILABLE, "redis at %s: unexpected answer of node.lua",
                       store_where(n->store));
    text_take(reply, 1, out->share_id);
    text_take(reply, 2, out->run);
    text_take(reply, 3, out->place);
    text_take(reply, 4, out->stamp);
    text_take(reply, 9, out->host);
    (void)slice_number(element_text(reply, 5), &out->number);
    out->is_stopped = slice_equal(element_text(reply, 6), SLICE("1"));
    (void)slice_number(element_text(reply, 7), &out->from);
    (void)slice_number(element_text(reply, 10), &out->since);
    if (slice_number(element_text(reply, 8), &through))
        out->pushed_through = (int64_t)through;
    out->is_there = out->share_id[0] != '\0' && out->stamp[0] != '\0';
    return 0;
}

int push_node_look(const struct push_node_hash *n, struct slice node, struct push_node_look *out,
                   struct err *refused, struct err *err)
{
    redisReply *reply;
    struct buf key;
    int rc = 0;

    buf_init(&key, 1024);
    push_node_key(n, node, &key);
    *out = (struct push_node_look){.is_there = false};
    reply = store_script(n->store, &node_script, 1, 4,
                         (struct slice[]){buf_slice(&key), SLICE_NONE, SLICE_NONE, SLICE_NONE},
                         NODE_TIMEOUT_MS, err);
    if (reply == NULL)
        rc = -1;
    else if (is_wrong_type(reply))
        refuse(buf_slice(&key), refused);
    else if (reply->type == REDIS_REPLY_ERROR)
        rc = store_refusal(n->store, reply, err);
    else
        rc = look_take(n, reply, out, err);
    if (reply != NULL)
        freeReplyObject(reply);
    buf_fini(&key);
    return rc;
}

/* --- writing --------------------------------------------------------------------------------- */

/* What has to be there for the hash to be written. */
struct condition {
    struct slice run, low, high; /* stamps */
    bool is_taking;              /* from somebody else: then nobody is our rival yet */
};

static void add_script(const struct push_node_hash *n, const struct push_now *now,
                       const struct condition *c, struct slice source, struct buf *key)
{
    const struct ledger_meta *meta = ledger_meta(n->ledger);
    struct ledger_share_info present;
    struct words w = {.count = 0};

    push_node_key(n, ledger_node(n->ledger), key);
    (void)ledger_share_at(n->ledger, 0, &present);
    word_add(&w, buf_slice(key));
    word_add(&w, c->run);
    word_add(&w, c->low);
    word_add(&w, c->high);
    text_add(&w, "_ledger", present.share_id);
    text_add(&w, "_run", slice_str(n->id.run));
    text_add(&w, "_place", slice_str(n->id.place));
    text_add(&w, "_host", slice_str(n->id.host));
    text_add(&w, "_rows", SLICE(PUSH_FLEET_ROWS));
    field_add(&w, "_stamp", meta->stamp_tried);
    field_add(&w, "_number", push_node_claim(n));
    field_add(&w, "_from", ledger_run_from(n->ledger));
    field_add(&w, "_since", meta->since);
    field_add(&w, "_stopped", n->is_stopping);
    if (c->is_taking)
        text_add(&w, "_rival", SLICE_NONE);
    text_add(&w, "version", slice_str(n->version));
    field_add(&w, "started", (uint64_t)n->started_s);
    field_add(&w, "seen", (uint64_t)now->now_s);
    field_add(&w, n->kind->through, (uint64_t)now->counted_through);
    field_add(&w, "pushed_through", (uint64_t)meta->pushed_through);
    for (size_t i = 0; i < PUSH_GAUGES; i++) {
        if (n->kind->gauges[i] != NULL)
            field_add(&w, n->kind->gauges[i], now->gauges[i]);
    }
    for (size_t i = 0; i < PUSH_TEXTS; i++) {
        if (n->kind->texts[i] != NULL)
            text_add(&w, n->kind->texts[i], now->texts[i]);
    }
    if (n->kind->has_source)
        text_add(&w, "_source", source);
    field_add(&w, "dirty_rows", ledger_dirty_rows(n->ledger));
    store_pipe_add_script(n->store, &node_script, 1, w.count, w.list);
}

/* The set is read before the script finds out whether there was a loss: a set that was read after
 * one is never kept. */
static void add_commands(const struct push_node_hash *n, const struct push_now *now,
                         const struct condition *c, struct slice source, struct slice peers)
{
    struct buf key, nodes_key;
    struct slice name;

    buf_init(&key, 1024);
    buf_init(&nodes_key, 1024);
    key_nodes(&nodes_key, n->prefix);
    store_pipe_add(n->store, 2, (struct slice[]){SLICE("SMEMBERS"), buf_slice(&nodes_key)});
    add_script(n, now, c, source, &key);
    while (slice_word(&peers, " ", &name))
        store_pipe_add(n->store, 3, (struct slice[]){SLICE("SADD"), buf_slice(&nodes_key), name});
    for (size_t i = 0; ledger_node_at(n->ledger, i, &name); i++)
        store_pipe_add(n->store, 3, (struct slice[]){SLICE("SADD"), buf_slice(&nodes_key), name});
    buf_fini(&key);
    buf_fini(&nodes_key);
}

/* The next stamp, above that one too. */
static int stamp_next(const struct push_node_hash *n, uint64_t above, int64_t counted_through,
                      int64_t pushed_through, struct err *err)
{
    struct ledger_meta meta = *ledger_meta(n->ledger);
    int rc = ledger_begin(n->ledger, err);

    if (meta.stamp_tried < above)
        meta.stamp_tried = above;
    meta.stamp_tried++;
    if (meta.claim_tried < push_node_claim(n))
        meta.claim_tried = push_node_claim(n);
    meta.counted_through = counted_through;
    meta.pushed_through = pushed_through;
    meta.lacks_rows = n->has_lost || n->lacks_rows;
    if (rc == 0 && (rc = ledger_meta_set(n->ledger, &meta, err)) == 0)
        rc = ledger_commit(n->ledger, err);
    if (rc < 0)
        ledger_rollback(n->ledger);
    return rc;
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

/* Redis has the claim: what is counted up to now belongs to the share. */
static int claim_note(struct push_node_hash *n, struct err *err)
{
    struct ledger_meta meta = *ledger_meta(n->ledger);
    struct ledger_share_info present;
    int rc = ledger_run_meet(n->ledger, err);

    if (rc < 0 || ledger_begin(n->ledger, err) < 0)
        return -1;
    (void)ledger_share_at(n->ledger, 0, &present);
    meta.stamp = meta.stamp_tried;
    rc = ledger_meta_set(n->ledger, &meta, err);
    if (rc == 0 && !present.has_met) {
        present.has_met = true;
        rc = ledger_share_set(n->ledger, 0, &present, err);
    }
    if (rc == 0)
        rc = ledger_run_met(n->ledger, err);
    if (rc == 0)
        rc = ledger_commit(n->ledger, err);
    if (rc < 0)
        ledger_rollback(n->ledger);
    n->claimed = meta.position.number;
    n->is_writing = true;
    return rc;
}

static void say_rival(const struct push_node_hash *n, const char *who, struct err *rival)
{
    (void)err_set(
        rival, EX_CONFIG,
        "node \"%.*s\" is written by another %s, too (%s): their counters are kept "
        "apart and none is lost, but no period becomes complete: give each machine a node "
        "name and a state_dir of its own",
        SLICE_FMT(ledger_node(n->ledger)), n->kind->program, who);
}

/* What a rival says of itself changes with each of its writings. */
static void rival_take(struct push_node_hash *n, struct slice text, struct push_node_found *found)
{
    int64_t now_ms = clock_monotonic_ms();

    text = slice_to(text, sizeof n->rival.text - 1);
    if (!slice_equal(text, slice_str(n->rival.text))) {
        (void)snprintf(n->rival.text, sizeof n->rival.text, "%.*s", SLICE_FMT(text));
        n->rival.changed_ms = now_ms;
    }
    if (text.len > 0 && now_ms - n->rival.changed_ms < RIVAL_QUIET_MS)
        say_rival(n, n->rival.text, &found->rival);
}

static void refuse_node(const struct push_node_hash *n, bool is_hash, struct err *refused)
{
    struct buf key;

    buf_init(&key, 1024);
    if (is_hash)
        push_node_key(n, ledger_node(n->ledger), &key);
    else
        key_nodes(&key, n->prefix);
    refuse(buf_slice(&key), refused);
    buf_fini(&key);
}

/* 1: written; 0: it was not as expected. */
static int take_replies(struct push_node_hash *n, redisReply **replies, size_t count,
                        const struct buf *peers, struct push_node_found *found, struct err *err)
{
    const redisReply *script = replies[1];

    for (size_t i = 0; i < count; i++) {
        if (is_wrong_type(replies[i]))
            refuse_node(n, i == 1, &found->refused);
        else if (replies[i]->type == REDIS_REPLY_ERROR)
            return store_refusal(n->store, replies[i], err);
    }
    if (script->type != REDIS_REPLY_ARRAY || script->elements == 0 ||
        script->element[0]->integer != 1)
        return 0;
    rival_take(n, element_text(script, 1), found);
    if (claim_note(n, err) < 0)
        return -1;
    if (peers != NULL && replies[0]->type == REDIS_REPLY_ARRAY &&
        take_peers(n, replies[0], buf_slice(peers), err) < 0)
        return -1;
    return 1;
}

static int trip(struct push_node_hash *n, const struct buf *peers, struct push_node_found *found,
                struct err *err)
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

/* `lists_peers`: the nodes once seen are listed again, and the set that was read is not kept. */
static int write_if(struct push_node_hash *n, const struct push_now *now, const struct condition *c,
                    bool lists_peers, struct push_node_found *found, struct err *err)
{
    struct buf peers, source;
    int rc;

    buf_init(&peers, PEERS_MAX_BYTES);
    buf_init(&source, PUSH_SOURCE_BYTES);
    rc = ledger_peers(n->ledger, &peers, err);
    if (rc == 0 && n->kind->has_source)
        rc = ledger_source(n->ledger, &source, err);
    if (rc == 0 && (peers.failed || source.failed))
        rc = err_set(err, EX_OSERR, "out of memory");
    if (rc == 0) {
        add_commands(n, now, c, buf_slice(&source), lists_peers ? buf_slice(&peers) : SLICE_NONE);
        rc = trip(n, lists_peers ? NULL : &peers, found, err);
    }
    buf_fini(&peers);
    buf_fini(&source);
    return rc;
}

/* The hash as this run left it. */
static int keep(struct push_node_hash *n, const struct push_now *now, int64_t through,
                struct push_node_found *found, struct err *err)
{
    char low[24], high[24];

    if (stamp_next(n, 0, now->counted_through, through, err) < 0)
        return -1;
    (void)snprintf(low, sizeof low, "%" PRIu64, ledger_meta(n->ledger)->stamp);
    (void)snprintf(high, sizeof high, "%" PRIu64, ledger_meta(n->ledger)->stamp_tried - 1);
    return write_if(
        n, now, &(struct condition){slice_str(n->id.run), slice_str(low), slice_str(high), false},
        false, found, err);
}

/* The hash as it was looked at, whoever left it. */
static int take(struct push_node_hash *n, const struct push_now *now, int64_t through,
                const struct push_node_look *look, struct push_node_found *found, struct err *err)
{
    bool is_loss = push_meet_is_loss(n, look, found);
    uint64_t above = 0;

    (void)slice_number(slice_str(look->stamp), &above);
    if (is_loss && look->pushed_through < through)
        through = look->pushed_through;
    if (stamp_next(n, above, now->counted_through, through, err) < 0)
        return -1;
    return write_if(n, now,
                    &(struct condition){slice_str(look->run), slice_str(look->stamp),
                                        slice_str(look->stamp), true},
                    is_loss, found, err);
}

/* Tells the one that writes the hash. */
static int rival_write(const struct push_node_hash *n, const struct push_now *now,
                       const struct push_node_look *look, struct push_node_found *found,
                       struct err *err)
{
    struct buf key, text;
    redisReply *reply;

    say_rival(n, look->host, &found->rival);
    buf_init(&key, 1024);
    buf_init(&text, 1024);
    push_node_key(n, ledger_node(n->ledger), &key);
    buf_addf(&text, "%s %" PRId64, n->id.host, now->now_s);
    reply = store_command(
        n->store, 4,
        (struct slice[]){SLICE("HSET"), buf_slice(&key), SLICE("_rival"), buf_slice(&text)},
        NODE_TIMEOUT_MS, err);
    buf_fini(&key);
    buf_fini(&text);
    if (reply == NULL)
        return -1;
    freeReplyObject(reply);
    return 0;
}

/* One try. 1: it is decided; 0: something changed in between. */
static int meet(struct push_node_hash *n, const struct push_now *now, int64_t through,
                struct push_node_found *found, struct err *err)
{
    enum learn_verdict verdict;
    struct push_node_look look;

    if (push_node_look(n, ledger_node(n->ledger), &look, &found->refused, err) < 0)
        return -1;
    found->state = NODE_REFUSED;
    if (found->refused.code != 0)
        return 1;
    if (push_meet_decide(n, &look, &verdict, err) < 0)
        return -1;
    switch (verdict) {
    case LEARN_WRITE:
    case LEARN_LOST:
        found->state = verdict == LEARN_LOST ? NODE_LOST : NODE_WRITTEN;
        return take(n, now, through, &look, found, err);
    case LEARN_WAIT:
        found->state = NODE_WAIT;
        return 1;
    case LEARN_NEW_SHARE:
        /* What the journal had when the run began belongs to the share that is left. */
        if (!now->is_caught_up) {
            found->state = NODE_WAIT;
            return 1;
        }
        return push_meet_leave(n, &look, &found->left, err);
    case LEARN_RIVAL:
        break;
    }
    found->state = NODE_RIVAL;
    return rival_write(n, now, &look, found, err) < 0 ? -1 : 1;
}

int push_node_write(struct push_node_hash *n, const struct push_now *now, int64_t pushed_through,
                    struct push_node_found *found, struct err *err)
{
    int rc = 0;

    *found = (struct push_node_found){.state = NODE_WRITTEN};
    if (n->is_writing)
        rc = keep(n, now, pushed_through, found, err);
    for (int i = 0; i < MEET_TRIES && rc == 0; i++)
        rc = meet(n, now, pushed_through, found, err);
    if (rc == 0)
        found->state = NODE_WAIT;
    return rc < 0 ? -1 : 0;
}
