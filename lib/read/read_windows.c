#include "lib/read/read_windows.h"

#include <sysexits.h>

#include "lib/read/read_reply.h"
#include "lib/redis/keys.h"

#define KEY_BYTES 4096

static void question_key(const struct reader *r, const struct window_question *q, struct buf *key)
{
    buf_reset(key);
    key_window(key, r->prefix, q->holder, limit_metric_name(q->limit->metric), q->limit->per,
               q->subject);
}

/* --- one window ------------------------------------------------------------------------------ */

static int field_take(const struct reader *r, struct slice key, struct slice field,
                      const redisReply *reply, struct window_now *w, struct err *err)
{
    uint64_t value, slot;
    bool is_slot = slice_number(field, &slot) && slot <= WINDOW_SLICES;
    bool is_ours = is_slot || slice_equal(field, SLICE("h")) || slice_equal(field, SLICE("s")) ||
                   slice_equal(field, SLICE("e"));

    if (!is_ours)
        return 0;
    if (read_number(r, reply, key, field, &value, err) != 0)
        return -1;
    if (is_slot)
        w->rolling.amount[slot] = value;
    else if (field.ptr[0] == 'h')
        w->rolling.head = (int64_t)value;
    else if (field.ptr[0] == 's')
        w->month_used = value;
    else
        w->month_end_ms = (int64_t)value;
    return 0;
}

/* A month that is over counts 0. The sum of a rolling window is made from its slices. */
static void window_settle(struct window_now *w)
{
    if (w->is_month && w->now_ms >= w->month_end_ms)
        w->month_used = 0;
    for (size_t i = 0; i <= WINDOW_SLICES; i++)
        w->rolling.sum += w->rolling.amount[i];
}

static int window_take(const struct reader *r, struct slice key, const struct window_question *q,
                       const redisReply *reply, int64_t now_ms, struct window_now *w,
                       struct err *err)
{
    *w = (struct window_now){.now_ms = now_ms,
                             .is_month = q->limit->window_ms == LIMIT_WINDOW_MONTH};
    if (!w->is_month)
        window_init(&w->rolling, q->limit->window_ms);
    if (read_expect(r, reply, REDIS_REPLY_ARRAY, key, err) != 0)
        return -1;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        if (field_take(r, key, link_reply_text(reply->element[i]), reply->element[i + 1], w, err) !=
            0)
            return -1;
    }
    window_settle(w);
    return 0;
}

/* --- many ------------------------------------------------------------------------------------ */

static int time_take(const struct reader *r, const redisReply *reply, int64_t *now_ms,
                     struct err *err)
{
    uint64_t s, us;

    if (read_expect(r, reply, REDIS_REPLY_ARRAY, SLICE("TIME"), err) != 0)
        return -1;
    if (reply->elements != 2 || !slice_number(link_reply_text(reply->element[0]), &s) ||
        !slice_number(link_reply_text(reply->element[1]), &us))
        return err_set(err, EX_UNAVAILABLE, "redis at %s: cannot parse the reply to TIME",
                       store_where(r->store));
    *now_ms = (int64_t)(s * 1000 + us / 1000);
    return 0;
}

static int read_some(struct reader *r, const struct window_question *questions, size_t count,
                     struct window_now *out, struct buf *key, struct err *err)
{
    redisReply *replies[READ_BATCH + 1];
    int64_t now_ms = 0;
    int result;

    store_pipe_add(r->store, 1, (const struct slice[]){SLICE("TIME")});
    for (size_t i = 0; i < count; i++) {
        question_key(r, &questions[i], key);
        store_pipe_add(r->store, 2, (const struct slice[]){SLICE("HGETALL"), buf_slice(key)});
    }
    if (read_trip(r, replies, err) != 0)
        return -1;
    result = time_take(r, replies[0], &now_ms, err);
    for (size_t i = 0; result == 0 && i < count; i++) {
        question_key(r, &questions[i], key);
        result =
            window_take(r, buf_slice(key), &questions[i], replies[i + 1], now_ms, &out[i], err);
    }
    read_free(replies, count + 1);
    return result;
}

int read_windows(struct reader *r, const struct window_question *questions, size_t count,
                 struct window_now *out, struct err *err)
{
    struct buf key;
    int result = 0;

    buf_init(&key, KEY_BYTES);
    for (size_t at = 0; result == 0 && at < count; at += READ_BATCH)
        result = read_some(r, questions + at, count - at < READ_BATCH ? count - at : READ_BATCH,
                           out + at, &key, err);
    buf_fini(&key);
    return result;
}

uint64_t read_window_used(struct window_now *w)
{
    return w->is_month ? w->month_used : window_used(&w->rolling, w->now_ms);
}

int64_t read_window_retry_ms(struct window_now *w, uint64_t max)
{
    if (max == 0)
        return -1;
    if (!w->is_month)
        return window_retry_ms(&w->rolling, w->now_ms, 1, max);
    return w->month_used < max ? 0 : w->month_end_ms - w->now_ms;
}
