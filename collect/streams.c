#include "collect/streams.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "collect/activity.h"
#include "collect/scripts.h"
#include "lib/core/arena.h"
#include "lib/ledger/ledger_share.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/redis/store_refusal.h"
#include "lib/sys/clock.h"

#define TIMEOUT_MS      5000
#define LOOK_MS         60000 /* a stream that somebody removed is written again */
#define ENTRIES_AT_ONCE 100
#define ROW_WORDS       24
#define HEAD            6 /* keys and arguments before the entries */
#define ARENA_BYTES     ((size_t)8 << 20)
#define KEY_BYTES       1024

struct stream_state {
    enum records_list list;
    enum records_mark foreign;
    const char *kept;
    struct buf key, mark_key;
    bool is_known;   /* what Redis has, over this connection */
    char mark[24];   /* as Redis has it; "": none */
    int64_t next;    /* the row to be written next */
    int64_t look_ms; /* monotonic */
};

struct streams {
    const char *node;
    struct ledger *ledger;
    struct records *records;
    struct store *store;
    uint64_t generation;
    struct stream_state states[RECORDS_LISTS];
};

static const struct script script = {"streams", script_streams_source};

/* --- one to make, one to free ------------------------------------------------------------------
 */

void streams_free(struct streams *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < RECORDS_LISTS; i++) {
        buf_fini(&s->states[i].key);
        buf_fini(&s->states[i].mark_key);
    }
    free(s);
}

static void state_init(struct stream_state *state, enum records_list list, const char *prefix)
{
    bool refusals = list == RECORDS_REFUSALS;

    *state = (struct stream_state){
        .list = list,
        .foreign = refusals ? RECORDS_FOREIGN_REFUSALS : RECORDS_FOREIGN_ANOMALIES,
        .kept = refusals ? STREAMS_REFUSALS_KEPT : STREAMS_ANOMALIES_KEPT};
    buf_init(&state->key, KEY_BYTES);
    buf_init(&state->mark_key, KEY_BYTES);
    if (refusals)
        key_refusals(&state->key, prefix);
    else
        key_anomalies(&state->key, prefix);
    key_written(&state->mark_key, prefix, buf_slice(&state->key));
}

struct streams *streams_new(const char *prefix, const char *node, struct ledger *ledger,
                            struct records *records, struct store *store, struct err *err)
{
    struct streams *s = calloc(1, sizeof *s);

    if (s == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    s->node = node;
    s->ledger = ledger;
    s->records = records;
    s->store = store;
    for (size_t i = 0; i < RECORDS_LISTS; i++)
        state_init(&s->states[i], (enum records_list)i, prefix);
    return s;
}

void streams_look(struct streams *s)
{
    for (size_t i = 0; i < RECORDS_LISTS; i++)
        s->states[i].is_known = false;
}

/* --- what Redis has ----------------------------------------------------------------------------
 */

static struct slice share_of(const struct streams *s)
{
    struct ledger_share_info info;

    return ledger_share_at(s->ledger, 0, &info) ? info.share_id : SLICE("");
}

/* replies: the mark, whether there are marks, whether there is a stream. The row that was written
 * last. */
static int last_find(struct streams *s, struct stream_state *state, redisReply *const replies[3],
                     int64_t *last, struct err *err)
{
    uint64_t mark = 0;

    for (int i = 0; i < 3; i++) {
        if (replies[i]->type == REDIS_REPLY_ERROR)
            return store_refusal(s->store, replies[i], err);
    }
    state->mark[0] = '\0';
    *last = 0;
    if (replies[0]->type == REDIS_REPLY_STRING) {
        struct slice text = link_reply_text(replies[0]);

        (void)snprintf(state->mark, sizeof state->mark, "%.*s", SLICE_FMT(text));
        if (replies[2]->integer > 0 && slice_number(text, &mark) && mark < INT64_MAX)
            *last = (int64_t)mark;
        return 0;
    }
    return replies[1]->integer > 0 ? records_mark_get(s->records, state->foreign, last, err) : 0;
}

static int look(struct streams *s, struct stream_state *state, int64_t newest, struct err *err)
{
    int64_t last, oldest = newest - strtoll(state->kept, NULL, 10);
    struct slice mark_key = buf_slice(&state->mark_key);
    redisReply *replies[3];
    int rc;

    store_pipe_add(s->store, 3, (struct slice[]){SLICE("HGET"), mark_key, share_of(s)});
    store_pipe_add(s->store, 2, (struct slice[]){SLICE("EXISTS"), mark_key});
    store_pipe_add(s->store, 2, (struct slice[]){SLICE("EXISTS"), buf_slice(&state->key)});
    if (store_pipe_run(s->store, replies, TIMEOUT_MS, err) < 0)
        return -1;
    rc = last_find(s, state, replies, &last, err);
    for (int i = 0; i < 3; i++)
        freeReplyObject(replies[i]);
    if (rc < 0)
        return -1;
    state->next = (last > oldest ? last : oldest) + 1;
    if (state->next < 1)
        state->next = 1;
    state->is_known = true;
    state->look_ms = clock_monotonic_ms() + LOOK_MS;
    return 0;
}

/* --- entries -----------------------------------------------------------------------------------
 */

/* The words of a call, as they are gathered. */
struct stream_call {
    struct arena arena;
    const char *node;
    struct slice words[HEAD + ENTRIES_AT_ONCE * (ROW_WORDS + 1)];
    size_t count, entry; /* entry: where the number of words of the present one stands */
    int64_t last;
    bool failed;
};

static void word_add(struct stream_call *c, struct slice text)
{
    struct slice copied = arena_copy(&c->arena, text);

    c->failed = c->failed || (copied.ptr == NULL && text.len > 0);
    c->words[c->count++] = copied.ptr != NULL ? copied : SLICE("");
}

static void text_add(struct stream_call *c, const char *name, struct slice text)
{
    if (text.len == 0)
        return;
    c->words[c->count++] = slice_str(name);
    word_add(c, text);
}

static void number_add(struct stream_call *c, const char *name, uint64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    text_add(c, name, slice_str(text));
}

static void refusal_add(struct stream_call *c, const struct refusal *r)
{
    text_add(c, "provider", r->provider);
    text_add(c, "relay", r->relay);
    text_add(c, "list", r->list);
    text_add(c, "domain", r->domain);
    text_add(c, "text", r->text);
    number_add(c, "greeting", r->is_greeting);
}

static void anomaly_add(struct stream_call *c, const struct anomaly *a)
{
    bool is_login = a->subject.user.len > 0;
    char factor[32];

    text_add(c, "kind", is_login ? SLICE("login") : SLICE("domain"));
    text_add(c, "subject", is_login ? a->subject.user : a->subject.domain);
    text_add(c, "metric", slice_str(activity_metric_name(a->metric)));
    number_add(c, "value", a->value);
    number_add(c, "usual", a->usual);
    number_add(c, "threshold", a->threshold);
    if (a->usual == 0)
        return;
    (void)snprintf(factor, sizeof factor, "%.1f", (double)a->value / (double)a->usual);
    text_add(c, "factor", slice_str(factor));
}

static int row_add(void *context, const struct records_row *row, struct err *err)
{
    struct stream_call *c = context;
    int64_t time_ms = row->refusal != NULL ? row->refusal->time_ms : row->anomaly->time_ms;
    char words[24];

    (void)err;
    c->entry = c->count++;
    text_add(c, "node", slice_str(c->node));
    number_add(c, "time_ms", time_ms > 0 ? (uint64_t)time_ms : 0);
    if (row->refusal != NULL)
        refusal_add(c, row->refusal);
    else
        anomaly_add(c, row->anomaly);
    (void)snprintf(words, sizeof words, "%zu", c->count - c->entry - 1);
    c->words[c->entry] = arena_copy(&c->arena, slice_str(words));
    c->failed = c->failed || c->words[c->entry].ptr == NULL;
    c->last = row->id;
    return 0;
}

/* 1: written; 0: Redis has another mark; -1. */
static int call_run(struct streams *s, struct stream_state *state, struct stream_call *c,
                    struct err *err)
{
    char last[24];
    redisReply *reply;
    int rc;

    (void)snprintf(last, sizeof last, "%" PRId64, c->last);
    c->words[0] = buf_slice(&state->key);
    c->words[1] = buf_slice(&state->mark_key);
    c->words[2] = share_of(s);
    c->words[3] = slice_str(state->kept);
    c->words[4] = slice_str(state->mark);
    c->words[5] = slice_str(last);
    reply = store_script(s->store, &script, 2, c->count, c->words, TIMEOUT_MS, err);
    if (reply == NULL)
        return -1;
    rc =
        reply->type == REDIS_REPLY_ERROR ? store_refusal(s->store, reply, err) : reply->integer > 0;
    freeReplyObject(reply);
    if (rc > 0) {
        (void)snprintf(state->mark, sizeof state->mark, "%s", last);
        state->next = c->last + 1;
    }
    return rc;
}

static int rows_write(struct streams *s, struct stream_state *state, int64_t newest,
                      struct err *err)
{
    struct stream_call *c = malloc(sizeof *c);
    int rc;

    if (c == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    c->node = s->node;
    c->count = HEAD;
    c->failed = false;
    arena_init(&c->arena, ARENA_BYTES);
    rc = records_read(s->records, state->list, state->next, ENTRIES_AT_ONCE, row_add, c, err);
    if (rc == 0 && c->failed)
        rc = err_set(err, EX_OSERR, "out of memory for refusals and anomalies");
    if (rc == 0 && c->count > HEAD)
        state->is_known = (rc = call_run(s, state, c, err)) > 0;
    else if (rc == 0)
        state->next = newest + 1; /* rows of a later version */
    arena_fini(&c->arena);
    free(c);
    return rc < 0 ? -1 : 1;
}

/* --- steps -------------------------------------------------------------------------------------
 */

static int state_step(struct streams *s, struct stream_state *state, struct err *err)
{
    int64_t newest;

    if (records_last(s->records, state->list, &newest, err) < 0)
        return -1;
    if (newest == 0)
        return 0;
    if ((!state->is_known || clock_monotonic_ms() >= state->look_ms) &&
        look(s, state, newest, err) < 0)
        return -1;
    return state->next <= newest ? rows_write(s, state, newest, err) : 0;
}

int streams_step(struct streams *s, struct err *err)
{
    bool has_more = false;

    if (store_generation(s->store) == 0)
        return 0;
    if (store_generation(s->store) != s->generation)
        streams_look(s);
    s->generation = store_generation(s->store);
    for (size_t i = 0; i < RECORDS_LISTS; i++) {
        int rc = state_step(s, &s->states[i], err);

        if (rc < 0) {
            s->states[i].is_known = false;
            return -1;
        }
        has_more = has_more || rc > 0;
    }
    return has_more;
}
