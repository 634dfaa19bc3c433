#include "lib/read/read_forecast.h"

#include <string.h>

#include "lib/core/forecast.h"
#include "lib/read/read_reply.h"
#include "lib/redis/keys.h"

#define ROWS_AT_ONCE (READ_BATCH / FORECAST_DAYS)
#define TEXT_BYTES   65536

struct forecasting {
    struct reader *r;
    const struct forecast_question *asked[ROWS_AT_ONCE];
    size_t count;
    char days[FORECAST_DAYS][PERIOD_TEXT]; /* [0]: yesterday */
    int64_t now_s;
    struct buf key, fields;
};

void read_forecast_counters(enum limit_metric metric, struct counter_list *out)
{
    static const enum counter of[METRIC_COUNT][2] = {
        [METRIC_RECIPIENTS] = {COUNTER_OUT_RECIPIENTS, COUNTER_FORWARD_RECIPIENTS},
        [METRIC_MESSAGES] = {COUNTER_OUT_MESSAGES, COUNTER_FORWARD_MESSAGES},
        [METRIC_BYTES] = {COUNTER_OUT_BYTES, COUNTER_FORWARD_BYTES},
        [METRIC_BOUNCES] = {COUNTER_BOUNCES_RECEIVED},
    };

    out->count = metric == METRIC_BOUNCES ? 1 : 2;
    memcpy(out->ids, of[metric], out->count * sizeof out->ids[0]);
}

static bool gets_forecast(const struct forecast_question *q)
{
    const struct limit *l = q->row->limit;

    return l->window_ms == LIMIT_WINDOW_MONTH && q->row->used < l->max && q->holder.len > 0 &&
           q->holder.ptr[0] != '@';
}

/* --- asking ---------------------------------------------------------------------------------- */

static struct slice day_key(struct forecasting *w, const struct forecast_question *q, size_t day)
{
    struct slice name = slice_str(w->days[day]);

    buf_reset(&w->key);
    if (q->row->user.len > 0)
        key_users(&w->key, w->r->prefix, q->holder, PERIOD_DAY, name);
    else
        key_counters(&w->key, w->r->prefix, q->holder, PERIOD_DAY, name);
    return buf_slice(&w->key);
}

static void day_ask(struct forecasting *w, const struct forecast_question *q, size_t day)
{
    struct slice argv[4] = {SLICE("HMGET"), day_key(w, q, day)};
    struct counter_list counters;
    size_t begin[3] = {0};

    read_forecast_counters(q->row->limit->metric, &counters);
    buf_reset(&w->fields);
    for (size_t i = 0; i < counters.count; i++) {
        if (q->row->user.len > 0)
            buf_addf(&w->fields, "%.*s ", SLICE_FMT(q->row->user));
        buf_add_str(&w->fields, counter_table[counters.ids[i]].name);
        begin[i + 1] = w->fields.len;
    }
    for (size_t i = 0; i < counters.count; i++)
        argv[2 + i] = (struct slice){w->fields.data + begin[i], begin[i + 1] - begin[i]};
    store_pipe_add(w->r->store, 2 + counters.count, argv);
    w->r->cost++;
}

/* --- taking ---------------------------------------------------------------------------------- */

static int day_take(struct forecasting *w, const struct forecast_question *q, size_t day,
                    const redisReply *reply, struct forecast *f, struct err *err)
{
    struct counter_list counters;
    struct tally sum = {.value = {0}};

    read_forecast_counters(q->row->limit->metric, &counters);
    if (read_take_counters(w->r, reply, day_key(w, q, day), &counters, &sum, err) != 0)
        return -1;
    for (size_t i = 0; i < counters.count; i++)
        f->amount[day] += sum.value[counters.ids[i]];
    return 0;
}

static int row_take(struct forecasting *w, const struct forecast_question *q,
                    redisReply *const *replies, struct err *err)
{
    struct forecast f = {.known = 0};

    for (size_t day = 0; day < FORECAST_DAYS; day++) {
        if (day_take(w, q, day, replies[day], &f, err) != 0)
            return -1;
    }
    forecast_settle(&f);
    q->row->over_s = forecast_reaches_s(&f, q->row->used, q->row->limit->max, w->now_s);
    q->row->has_forecast = true;
    return 0;
}

static int asked_read(struct forecasting *w, struct err *err)
{
    redisReply *replies[READ_BATCH];
    int result = 0;

    for (size_t i = 0; i < w->count; i++) {
        for (size_t day = 0; day < FORECAST_DAYS; day++)
            day_ask(w, w->asked[i], day);
    }
    if (read_trip(w->r, replies, err) != 0)
        return -1;
    for (size_t i = 0; result == 0 && i < w->count; i++)
        result = row_take(w, w->asked[i], replies + i * FORECAST_DAYS, err);
    read_free(replies, w->count * FORECAST_DAYS);
    w->count = 0;
    return result;
}

/* --------------------------------------------------------------------------------------------- */

int read_forecast(struct reader *r, const struct forecast_question *questions, size_t count,
                  int64_t now_s, struct err *err)
{
    struct forecasting w = {.r = r, .now_s = now_s};
    int result = 0;

    for (int day = 0; day < FORECAST_DAYS; day++)
        period_name(PERIOD_DAY, period_step(PERIOD_DAY, (time_t)now_s, -1 - day), w.days[day]);
    buf_init(&w.key, TEXT_BYTES);
    buf_init(&w.fields, TEXT_BYTES);
    for (size_t i = 0; result == 0 && i < count; i++) {
        if (gets_forecast(&questions[i]))
            w.asked[w.count++] = &questions[i];
        if (w.count == ROWS_AT_ONCE)
            result = asked_read(&w, err);
    }
    if (result == 0 && w.count > 0)
        result = asked_read(&w, err);
    buf_fini(&w.fields);
    buf_fini(&w.key);
    return result;
}
