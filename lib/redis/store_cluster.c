/*
 * A pipeline in a cluster. In rounds: each command that has no answer yet goes to the server that
 * is thought to have its slot, to all servers at once; whoever refuses to run one says where it
 * belongs (MOVED, ASK), that it has to wait (TRYAGAIN) or that it lacks the script (NOSCRIPT), and
 * the next round obeys. Rounds are bounded, and the deadline is one for all of them.
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/redis/cluster_read.h"
#include "lib/sys/clock.h"

#define ROUNDS_MAX     16
#define TRY_AGAIN_MS   10
#define TRIP_MAX_BYTES ((size_t)128 << 20) /* a pipeline, and sources of scripts */

/* What is known of a command of the pipeline so far. */
struct round_call {
    struct cluster_node *node;
    bool is_done, is_asking, needs_source;
};

/* What one server is sent in a round. */
struct round_trip {
    struct cluster_node *node;
    struct buf out;
    size_t first, count; /* of `got` and `order` */
    const struct script *sent[STORE_SCRIPTS_MAX];
    size_t sent_count;
};

struct rounds {
    struct store *st;
    struct cluster *c;
    redisReply **replies; /* the caller's, filled as they come */
    struct round_call *calls;
    struct round_trip *trips;
    struct link_trip *links; /* one a trip */
    redisReply **got;        /* of a round; ASKING has a reply of its own */
    size_t *order;           /* the call that got[i] answers; SIZE_MAX: ASKING */
    size_t trip_count, got_count, left;
    int64_t deadline_ms;
    bool has_to_wait;
};

/* --- a round: who gets what ------------------------------------------------------------------ */

/* Without a known owner any server will say who it is. */
static int choose(struct rounds *e, struct err *err)
{
    for (size_t i = 0; i < e->st->count; i++) {
        struct round_call *call = &e->calls[i];

        if (call->is_done || call->is_asking)
            continue;
        call->node = e->st->server > 0 && e->st->calls[i].slot == HASH_SLOT_NONE
                         ? cluster_master(e->c, e->st->server - 1)
                         : cluster_owner(e->c, e->st->calls[i].slot);
        if (call->node == NULL)
            call->node = cluster_owner(e->c, HASH_SLOT_NONE);
        if (call->node == NULL)
            return err_set(err, EX_UNAVAILABLE, "no server of the cluster is known");
    }
    return 0;
}

static int connect_all(struct rounds *e, struct err *err)
{
    for (size_t i = 0; i < e->st->count; i++)
        if (!e->calls[i].is_done &&
            cluster_read_connect(e->st, e->calls[i].node, e->deadline_ms, err) != 0)
            return -1;
    return 0;
}

static struct round_trip *trip_of(struct rounds *e, struct cluster_node *n)
{
    struct round_trip *t;

    for (size_t i = 0; i < e->trip_count; i++)
        if (e->trips[i].node == n)
            return &e->trips[i];
    t = &e->trips[e->trip_count++];
    *t = (struct round_trip){.node = n};
    buf_init(&t->out, TRIP_MAX_BYTES);
    return t;
}

/* The first call of a script that a server gets in a pipeline brings the source, a single one only
 * when it was missed. */
static bool needs_source(const struct rounds *e, struct round_trip *t, size_t i)
{
    const struct script *script = e->st->calls[i].script;

    if (script == NULL)
        return false;
    if (e->calls[i].needs_source)
        return true;
    if (e->st->count == 1)
        return false;
    for (size_t k = 0; k < t->sent_count; k++)
        if (t->sent[k] == script)
            return false;
    if (t->sent_count < STORE_SCRIPTS_MAX)
        t->sent[t->sent_count++] = script;
    return true;
}

/* EVALSHA with the digest's place taken by EVAL and the source: the words behind stay as they are.
 * The head is five lines: the count of words, and two words with their lengths. */
static void add_with_source(struct buf *out, struct slice command, const struct store_call *call)
{
    size_t len = strlen(call->script->source);
    struct slice line;

    for (int i = 0; i < 5; i++)
        (void)slice_cut(&command, '\n', &line);
    buf_addf(out, "*%zu\r\n$4\r\nEVAL\r\n$%zu\r\n", call->words, len);
    buf_add(out, (struct slice){call->script->source, len});
    buf_add_str(out, "\r\n");
    buf_add(out, command);
}

static void trip_add(struct rounds *e, struct round_trip *t, size_t i)
{
    const struct store_call *call = &e->st->calls[i];
    struct slice command = {e->st->out.data + call->begin, call->end - call->begin};

    if (e->calls[i].is_asking) {
        link_command_add(&t->out, 1, (struct slice[]){SLICE("ASKING")});
        e->order[e->got_count++] = SIZE_MAX;
    }
    if (needs_source(e, t, i))
        add_with_source(&t->out, command, call);
    else
        buf_add(&t->out, command);
    e->order[e->got_count++] = i;
}

/* One trip a server; its replies lie together in `got`. */
static int build(struct rounds *e, struct err *err)
{
    bool failed = false;

    for (size_t i = 0; i < e->st->count; i++)
        if (!e->calls[i].is_done)
            (void)trip_of(e, e->calls[i].node);
    for (size_t k = 0; k < e->trip_count; k++) {
        struct round_trip *t = &e->trips[k];

        t->first = e->got_count;
        for (size_t i = 0; i < e->st->count; i++)
            if (!e->calls[i].is_done && e->calls[i].node == t->node)
                trip_add(e, t, i);
        t->count = e->got_count - t->first;
        failed = failed || t->out.failed;
    }
    return failed ? err_set(err, EX_SOFTWARE, "out of memory") : 0;
}

/* --- a round: what comes back ---------------------------------------------------------------- */

static int trip_failed(const struct rounds *e, size_t k, struct err *err)
{
    struct cluster_node *n = e->trips[k].node;
    struct endpoint endpoint = store_endpoint(e->st, n->host, n->port);
    char where[ENDPOINT_TEXT];

    transport_endpoint_text(&endpoint, where);
    return err_set(err, EX_UNAVAILABLE, "%s: %s", where, e->links[k].err.text);
}

/* Runs the trips. -1 where one failed: of those commands it is not known whether they ran. */
static int travel(struct rounds *e, struct err *err)
{
    int result = 0;

    for (size_t k = 0; k < e->trip_count; k++) {
        struct round_trip *t = &e->trips[k];

        e->links[k] = (struct link_trip){.link = &t->node->redis,
                                         .out = buf_slice(&t->out),
                                         .replies = e->got + t->first,
                                         .want = t->count};
    }
    link_trips(e->links, e->trip_count, e->deadline_ms);
    for (size_t k = 0; k < e->trip_count; k++) {
        struct cluster_node *n = e->trips[k].node;

        if (!e->links[k].is_failed) {
            cluster_node_settle(n);
            continue;
        }
        cluster_node_fail(n, clock_monotonic_ms(), e->links[k].err.text);
        memset(e->got + e->trips[k].first, 0, e->trips[k].count * sizeof(*e->got));
        e->c->is_stale = true;
        result = trip_failed(e, k, err);
    }
    return result;
}

static int redirect(struct rounds *e, struct round_call *call, const struct cluster_redirect *to,
                    bool is_moved, struct err *err)
{
    struct slice host = to->host.len > 0 ? to->host : slice_str(call->node->host);
    struct cluster_node *n = cluster_node_of(e->c, host, to->port);

    if (n == NULL)
        return err_set(err, EX_UNAVAILABLE, "the cluster names more servers than it can have");
    if (is_moved) {
        n->is_master = true;
        cluster_owner_set(e->c, to->slot, n);
        e->c->is_stale = true;
    }
    call->node = n;
    call->is_asking = !is_moved;
    return 0;
}

/* Takes one reply; -1 where the whole pipeline fails by it. */
static int take(struct rounds *e, size_t i, redisReply *reply, struct err *err)
{
    struct round_call *call = &e->calls[i];
    struct cluster_redirect to;
    enum cluster_answer answer = cluster_map_answer(reply, &to);

    call->is_asking = false;
    switch (answer) {
    case CLUSTER_MOVED:
    case CLUSTER_ASK:
        return redirect(e, call, &to, answer == CLUSTER_MOVED, err);
    case CLUSTER_TRY_AGAIN:
        e->has_to_wait = true;
        return 0;
    case CLUSTER_READ_ONLY:
    case CLUSTER_DOWN:
        e->c->is_stale = true;
        return err_set(err, EX_UNAVAILABLE, "%.*s",
                       SLICE_FMT(slice_to(link_reply_text(reply), 200)));
    case CLUSTER_NO_SCRIPT:
        if (e->st->calls[i].script == NULL || call->needs_source)
            break;
        call->needs_source = true;
        return 0;
    case CLUSTER_ANSWER:
        break;
    }
    e->replies[i] = reply;
    call->is_done = true;
    e->left--;
    return 0;
}

/* Takes all replies of a round; frees those that are no answers. */
static int take_all(struct rounds *e, struct err *err)
{
    int result = 0;

    for (size_t g = 0; g < e->got_count; g++) {
        size_t i = e->order[g];

        if (e->got[g] == NULL)
            continue;
        if (i != SIZE_MAX && take(e, i, e->got[g], err) != 0)
            result = -1;
        if (i == SIZE_MAX || !e->calls[i].is_done)
            freeReplyObject(e->got[g]);
    }
    return result;
}

static void round_begin(struct rounds *e)
{
    for (size_t k = 0; k < e->trip_count; k++)
        buf_fini(&e->trips[k].out);
    e->trip_count = e->got_count = 0;
    e->has_to_wait = false;
}

static int round_run(struct rounds *e, struct err *err)
{
    int result;

    if (build(e, err) != 0)
        return -1;
    memset(e->got, 0, e->got_count * sizeof(*e->got));
    result = travel(e, err);
    return take_all(e, result == 0 ? err : NULL) != 0 ? -1 : result;
}

/* --- the pipeline ---------------------------------------------------------------------------- */

/* Chooses servers and has links to them. Nothing was sent yet, so a server that cannot be reached
 * may be replaced by the one that has its slots now. */
static int prepare(struct rounds *e, struct err *err)
{
    if (choose(e, err) == 0 && connect_all(e, err) == 0)
        return 0;
    e->c->is_stale = true;
    for (size_t i = 0; i < e->st->count; i++)
        if (e->calls[i].is_asking)
            return -1;
    if (cluster_read_map(e->st, e->deadline_ms, NULL) != 0 || choose(e, err) != 0)
        return -1;
    return connect_all(e, err);
}

static void wait_a_moment(const struct rounds *e)
{
    int64_t left = e->deadline_ms - clock_monotonic_ms();

    if (e->has_to_wait && left > 0)
        clock_sleep_ms(left < TRY_AGAIN_MS ? left : TRY_AGAIN_MS);
}

static int run_rounds(struct rounds *e, struct err *err)
{
    for (int round = 0; e->left > 0; round++) {
        if (round == ROUNDS_MAX)
            return err_set(err, EX_UNAVAILABLE,
                           "the servers of the cluster send commands on to one another without "
                           "end");
        wait_a_moment(e);
        round_begin(e);
        if (clock_monotonic_ms() >= e->deadline_ms)
            return err_set(err, EX_UNAVAILABLE, "no answer in time");
        if (prepare(e, err) != 0 || round_run(e, err) != 0)
            return -1;
    }
    return 0;
}

static bool make_room(struct rounds *e)
{
    size_t count = e->st->count;

    e->calls = calloc(count, sizeof *e->calls);
    e->got = calloc(count * 2, sizeof(*e->got));
    e->order = calloc(count * 2, sizeof *e->order);
    count = count < CLUSTER_NODES_MAX ? count : CLUSTER_NODES_MAX;
    e->trips = calloc(count, sizeof *e->trips);
    e->links = calloc(count, sizeof *e->links);
    return e->calls != NULL && e->got != NULL && e->order != NULL && e->trips != NULL &&
           e->links != NULL;
}

static void rounds_fini(struct rounds *e)
{
    if (e->trips != NULL)
        round_begin(e);
    free(e->calls);
    free(e->got);
    free(e->order);
    free(e->trips);
    free(e->links);
}

static void drop_replies(struct rounds *e)
{
    for (size_t i = 0; i < e->st->count; i++) {
        if (e->calls[i].is_done)
            freeReplyObject(e->replies[i]);
        e->replies[i] = NULL;
    }
}

static int run(struct store *st, redisReply **replies, int64_t deadline_ms, struct err *err)
{
    struct rounds e = {.st = st,
                       .c = st->cluster,
                       .replies = replies,
                       .left = st->count,
                       .deadline_ms = deadline_ms};
    int result;

    if (!make_room(&e)) {
        rounds_fini(&e);
        return err_set(err, EX_OSERR, "out of memory");
    }
    result = run_rounds(&e, err);
    if (result != 0)
        drop_replies(&e);
    rounds_fini(&e);
    return result;
}

/* The servers as they are now. One that does not answer costs the time of a call once, then it
 * pauses; the store as a whole pauses only while none has a link. */
static int be_ready(struct store *st, int64_t deadline_ms, struct err *err)
{
    struct cluster *c = st->cluster;

    cluster_sweep(c);
    if (cluster_close_stale(c))
        c->is_stale = true;
    if (!cluster_has_open(c) && !store_is_worth_trying(st))
        return err_set(err, EX_UNAVAILABLE, "redis at %s is unreachable: %s", st->where,
                       st->last_error);
    if (cluster_read_map(st, deadline_ms, err) != 0)
        return store_back_off(st, err);
    return 0;
}

int store_cluster_run(struct store *st, redisReply **replies, int64_t deadline_ms, struct err *err)
{
    if (be_ready(st, deadline_ms, err) != 0)
        return -1;
    if (run(st, replies, deadline_ms, err) != 0)
        return store_back_off(st, err);
    store_settle(st);
    return 0;
}
