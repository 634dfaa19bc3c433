#include "collect/gap_push.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/redis/store_refusal.h"
#include "lib/sys/clock.h"

#define TIMEOUT_MS 5000
#define TRIP_GAPS  100
/* The last ones may still get another end. */
#define OPEN_GAPS 100

struct gap_push {
    struct collect_db *db;
    struct store *store;
    struct buf key;
    uint64_t generation; /* of the connection that has them */
    int64_t next;        /* number of the gap that is to be pushed next */
    int64_t last;        /* the last one that there was then; 0: nothing is under way */
    uint64_t seen_changes;
    int64_t again_ms; /* monotonic */
};

void gap_push_free(struct gap_push *g)
{
    if (g == NULL)
        return;
    buf_fini(&g->key);
    free(g);
}

struct gap_push *gap_push_new(const char *prefix, const char *node, struct collect_db *db,
                              struct store *store, struct err *err)
{
    struct gap_push *g = calloc(1, sizeof *g);

    if (g == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    g->db = db;
    g->store = store;
    buf_init(&g->key, 1024);
    key_gaps(&g->key, prefix, slice_str(node));
    return g;
}

static int gap_add(void *context, const struct collect_gap *gap, struct err *err)
{
    struct gap_push *g = context;
    char number[24];
    struct buf value;

    (void)err;
    buf_init(&value, 4096);
    (void)snprintf(number, sizeof number, "%" PRId64, gap->number);
    buf_addf(&value, "%" PRId64 " %" PRId64 " %" PRIu64 " %.*s: %.*s", gap->from_ms / 1000,
             gap->to_ms / 1000, gap->lost, SLICE_FMT(gap->source), SLICE_FMT(gap->reason));
    store_pipe_add(
        g->store, 4,
        (struct slice[]){SLICE("HSET"), buf_slice(&g->key), slice_str(number), buf_slice(&value)});
    buf_fini(&value);
    g->next = gap->number + 1;
    return 0;
}

static int trip(struct gap_push *g, struct err *err)
{
    size_t count = store_pipe_count(g->store);
    redisReply *replies[TRIP_GAPS * 2];
    int rc = 0;

    if (count == 0)
        return 0;
    if (store_pipe_run(g->store, replies, TIMEOUT_MS, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (rc == 0 && replies[i]->type == REDIS_REPLY_ERROR)
            rc = store_refusal(g->store, replies[i], err);
        freeReplyObject(replies[i]);
    }
    return rc;
}

/* The numbers that have left the newest ones. */
static void old_remove(struct gap_push *g, int64_t from, int64_t before)
{
    for (int64_t i = from > 0 ? from : 1; i < before; i++) {
        char number[24];

        (void)snprintf(number, sizeof number, "%" PRId64, i);
        store_pipe_add(g->store, 3,
                       (struct slice[]){SLICE("HDEL"), buf_slice(&g->key), slice_str(number)});
    }
}

static void begin(struct gap_push *g, const struct collect_totals *totals, bool all)
{
    int64_t oldest = totals->last_gap - GAP_PUSH_KEPT + 1;
    int64_t from = all ? oldest : g->next - OPEN_GAPS;

    g->last = totals->last_gap;
    if (from < oldest)
        from = oldest;
    g->next = from > 0 ? from : 1;
    old_remove(g, oldest - TRIP_GAPS, oldest);
}

int gap_push_step(struct gap_push *g, struct err *err)
{
    bool is_new = store_generation(g->store) != g->generation;
    int64_t now_ms = clock_monotonic_ms();
    struct collect_totals totals;

    if (store_generation(g->store) == 0 || collect_db_totals(g->db, &totals, err) < 0)
        return store_generation(g->store) == 0 ? 0 : -1;
    if (is_new || now_ms >= g->again_ms) {
        begin(g, &totals, true);
        g->generation = store_generation(g->store);
        g->again_ms = now_ms + GAP_PUSH_EVERY_MS;
    } else if (totals.gap_changes != g->seen_changes) {
        begin(g, &totals, false);
    }
    g->seen_changes = totals.gap_changes;
    if (g->next > g->last)
        return trip(g, err);
    if (collect_db_gaps(g->db, g->next, TRIP_GAPS, gap_add, g, err) < 0) {
        store_pipe_reset(g->store);
        return -1;
    }
    if (trip(g, err) < 0) {
        g->generation = 0; /* all again */
        return -1;
    }
    return g->next <= g->last;
}
