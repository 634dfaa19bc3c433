#include "milter/meter.h"

#define RECORD_BYTES ((size_t)8 << 20)

static void batch_init(struct meter_batch *b)
{
    b->sessions = b->seconds = 0;
    visited_init(&b->places, METER_BYTES);
}

void meter_init(struct meter *m) TG_NO_THREAD_SAFETY
{
    mutex_init(&m->lock);
    batch_init(&m->batch);
}

void meter_fini(struct meter *m) TG_NO_THREAD_SAFETY
{
    visited_fini(&m->batch.places);
}

static void add_seconds(struct meter_batch *b, const struct visited_place *of, uint64_t seconds)
{
    struct visited_place *p = visited_find(&b->places, of->account, of->user);

    if (p != NULL)
        p->seconds += seconds;
}

bool meter_session(struct meter *m, const struct visited *v, bool is_first, int64_t from_ms,
                   int64_t to_ms)
{
    uint64_t seconds = to_ms > from_ms ? (uint64_t)(to_ms / 1000 - from_ms / 1000) : 0;
    bool is_due;

    meter_lock_take(&m->lock);
    m->batch.sessions += is_first;
    m->batch.seconds += seconds;
    for (const struct visited_place *p = NULL; seconds > 0 && (p = visited_next(v, p)) != NULL;)
        add_seconds(&m->batch, p, seconds);
    is_due = m->batch.places.map.count >= METER_PLACES;
    meter_lock_give(&m->lock);
    return is_due;
}

static bool is_empty(const struct meter_batch *b)
{
    return b->sessions == 0 && b->seconds == 0;
}

static int record_of(const struct meter_batch *b, struct arena *arena, struct record *r,
                     struct err *err)
{
    struct slice node = SLICE(ACCOUNT_NODE);

    *r = (struct record){.kind = RECORD_EVENT};
    if (record_amount_add(r, arena, node, SLICE_NONE, COUNTER_MILTER_SESSIONS, b->sessions, err) !=
            0 ||
        record_amount_add(r, arena, node, SLICE_NONE, COUNTER_MILTER_SESSION_SECONDS, b->seconds,
                          err) != 0)
        return -1;
    for (const struct visited_place *p = b->places.first; p != NULL; p = p->next) {
        if (record_amount_add(r, arena, p->account, p->user, COUNTER_SMTP_IN_CONNECTION_SECONDS,
                              p->seconds, err) != 0)
            return -1;
    }
    return 0;
}

static int batch_write(const struct meter_batch *b, struct journal *j, struct err *err)
{
    struct arena arena;
    struct record r;
    int result;

    arena_init(&arena, RECORD_BYTES);
    result = record_of(b, &arena, &r, err);
    if (result == 0)
        result = journal_append(j, &r, -1, err);
    arena_fini(&arena);
    return result;
}

static void put_back(struct meter *m, const struct meter_batch *b)
{
    meter_lock_take(&m->lock);
    m->batch.sessions += b->sessions;
    m->batch.seconds += b->seconds;
    for (const struct visited_place *p = b->places.first; p != NULL; p = p->next)
        add_seconds(&m->batch, p, p->seconds);
    meter_lock_give(&m->lock);
}

int meter_write(struct meter *m, struct journal *j, struct err *err)
{
    struct meter_batch b;
    int result;

    meter_lock_take(&m->lock);
    b = m->batch;
    if (!is_empty(&b))
        batch_init(&m->batch);
    meter_lock_give(&m->lock);
    if (is_empty(&b))
        return 0;
    result = batch_write(&b, j, err);
    if (result != 0)
        put_back(m, &b);
    visited_fini(&b.places);
    return result;
}
