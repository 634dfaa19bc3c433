#include "lib/admin/threshold.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "lib/admin/holder_over.h"
#include "lib/core/forecast.h"
#include "lib/core/period.h"
#include "lib/read/read_forecast.h"
#include "lib/read/read_reply.h"
#include "lib/redis/keys.h"
#include "lib/sys/notify.h"

#define ARENA_BYTES ((size_t)256 << 20)
#define KEY_BYTES   4096
#define CLAIM_MS    INT64_C(60000) /* longer than NOTIFY_TIMEOUT_MS */
#define DAY_MS      INT64_C(86400000)
#define FIELDS      14

struct threshold_look {
    const struct setup *setup;
    struct reader *r;
    struct holder_over over;
    char month[PERIOD_TEXT];
    int64_t month_left_ms;
    struct arena arena;
};

/* --- which ----------------------------------------------------------------------------------- */

/* The highest one that is not above `percent`; 0: none. */
static uint64_t threshold_of(const struct settings *s, uint64_t percent)
{
    uint64_t highest = 0, one;

    for (size_t i = 0; i < s->throttle.notify_at.count; i++) {
        if (slice_number(slice_str(s->throttle.notify_at.items[i]), &one) && one <= percent &&
            one > highest)
            highest = one;
    }
    return highest;
}

static uint64_t lowest(const struct settings *s)
{
    uint64_t found = UINT64_MAX, one;

    for (size_t i = 0; i < s->throttle.notify_at.count; i++) {
        if (slice_number(slice_str(s->throttle.notify_at.items[i]), &one) && one < found)
            found = one;
    }
    return found;
}

static void told_key(const struct threshold_look *w, const struct holder_over_row *row,
                     struct buf *key)
{
    buf_reset(key);
    key_window_told(key, w->r->prefix, row->account, limit_metric_name(row->usage.limit->metric),
                    w->month);
}

/* --- the store ------------------------------------------------------------------------------- */

/* Sets it for so long unless it is there. 1: it was not; -1: *err. */
static int claim(const struct threshold_look *w, struct slice key, int64_t ms, struct err *err)
{
    char ttl[24];
    redisReply *reply;
    int result;

    (void)snprintf(ttl, sizeof ttl, "%" PRId64, ms);
    reply = store_command(w->r->store, 6,
                          (const struct slice[]){SLICE("SET"), key, SLICE("1"), SLICE("NX"),
                                                 SLICE("PX"), slice_str(ttl)},
                          read_timeout_ms(w->r), err);
    if (reply == NULL)
        return -1;
    result = reply->type == REDIS_REPLY_NIL ? 0 : 1;
    if (result == 1 && read_expect(w->r, reply, REDIS_REPLY_STATUS, key, err) != 0)
        result = -1;
    freeReplyObject(reply);
    return result;
}

/* And lets go of the claim. */
static int told_write(const struct threshold_look *w, struct slice told, struct slice claimed,
                      uint64_t threshold, struct err *err)
{
    char value[24], ttl[24];
    redisReply *replies[2];
    int result;

    (void)snprintf(value, sizeof value, "%" PRIu64, threshold);
    (void)snprintf(ttl, sizeof ttl, "%" PRId64, w->month_left_ms + DAY_MS);
    store_pipe_add(
        w->r->store, 5,
        (const struct slice[]){SLICE("SET"), told, slice_str(value), SLICE("PX"), slice_str(ttl)});
    store_pipe_add(w->r->store, 2, (const struct slice[]){SLICE("DEL"), claimed});
    if (read_trip(w->r, replies, err) != 0)
        return -1;
    result = read_expect(w->r, replies[0], REDIS_REPLY_STATUS, told, err);
    read_free(replies, 2);
    return result;
}

/* What each row's admin was told of; 0: of nothing. */
static int told_read_some(const struct threshold_look *w, size_t first, size_t count,
                          uint64_t *told, struct buf *key, struct err *err)
{
    redisReply *replies[READ_BATCH];
    int result = 0;

    for (size_t i = 0; i < count; i++) {
        told_key(w, &w->over.list[first + i], key);
        store_pipe_add(w->r->store, 2, (const struct slice[]){SLICE("GET"), buf_slice(key)});
    }
    if (read_trip(w->r, replies, err) != 0)
        return -1;
    for (size_t i = 0; result == 0 && i < count; i++) {
        told_key(w, &w->over.list[first + i], key);
        result =
            read_number(w->r, replies[i], buf_slice(key), SLICE("told"), &told[first + i], err);
    }
    read_free(replies, count);
    return result;
}

static int told_read(struct threshold_look *w, uint64_t **told, struct err *err)
{
    size_t count = w->over.count;
    struct buf key;
    int result = 0;

    *told = arena_array(&w->arena, count + 1, sizeof **told);
    if (*told == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    buf_init(&key, KEY_BYTES);
    for (size_t at = 0; result == 0 && at < count; at += READ_BATCH)
        result = told_read_some(w, at, count - at < READ_BATCH ? count - at : READ_BATCH, *told,
                                &key, err);
    buf_fini(&key);
    return result;
}

/* --- the program ----------------------------------------------------------------------------- */

struct threshold_texts {
    struct buf limit, name;
    char full_on[PERIOD_TEXT];
};

static size_t fields_make(const struct threshold_look *w, const struct holder_over_row *row,
                          uint64_t threshold, struct threshold_texts *t,
                          struct log_field fields[FIELDS])
{
    const struct usage_row *u = &row->usage;
    size_t n = 0;

    buf_addf(&t->limit, "%" PRIu64 "/month", u->limit->max);
    limit_name(u->limit, &t->name);
    fields[n++] = LOG_TEXT("domain", row->account);
    fields[n++] = LOG_STR("scope", limit_scope_name(u->limit->scope));
    fields[n++] = LOG_STR("metric", limit_metric_name(u->limit->metric));
    fields[n++] = LOG_TEXT("limit", buf_slice(&t->limit));
    fields[n++] = LOG_NUM("threshold", threshold);
    fields[n++] = LOG_NUM("percent", u->percent);
    fields[n++] = LOG_NUM("used", u->used);
    fields[n++] = LOG_STR("month", w->month);
    fields[n++] = LOG_STR("action", limit_action_name(u->limit->action));
    if (w->setup->rules->observe)
        fields[n++] = LOG_STR("observed", "yes");
    fields[n++] = LOG_TEXT("admin", hosted_admin(w->setup->hosted, row->account));
    if (u->has_forecast && u->over_s > 0) {
        period_name(PERIOD_DAY, (time_t)u->over_s, t->full_on);
        fields[n++] = LOG_STR("full_on", t->full_on);
    }
    TG_ASSERT(n <= FIELDS);
    return n;
}

static int program_run_for(const struct threshold_look *w, const struct holder_over_row *row,
                           uint64_t threshold, struct err *err)
{
    struct notify_event event = {.event = "threshold", .account = row->account};
    struct log_field fields[FIELDS];
    struct threshold_texts texts;
    int result;

    buf_init(&texts.limit, KEY_BYTES);
    buf_init(&texts.name, KEY_BYTES);
    event.fields = fields;
    event.count = fields_make(w, row, threshold, &texts, fields);
    event.what = buf_slice(&texts.name);
    result = notify_run(w->setup->settings->throttle.notify, &event, err);
    if (result == 0)
        log_fields(LOG_INFO, "an admin was told of a threshold", fields, event.count);
    buf_fini(&texts.name);
    buf_fini(&texts.limit);
    return result;
}

/* --- telling --------------------------------------------------------------------------------- */

enum threshold_result { TELL_FAILED = -2, TELL_NO_STORE = -1, TELL_NOT_OURS, TELL_DONE };

static enum threshold_result row_tell(struct threshold_look *w, size_t i, uint64_t threshold,
                                      struct slice told_name, struct slice claim_name,
                                      uint64_t *told, struct err *err)
{
    struct holder_over_row *row = &w->over.list[i];
    struct forecast_question q = {row->account, &row->usage};
    int is_ours = claim(w, claim_name, CLAIM_MS, err);
    struct buf key;

    if (is_ours != 1)
        return is_ours < 0 ? TELL_NO_STORE : TELL_NOT_OURS;
    /* Another node may have told it since all were read. */
    buf_init(&key, KEY_BYTES);
    is_ours = told_read_some(w, i, 1, told, &key, err);
    buf_fini(&key);
    if (is_ours != 0 || read_forecast(w->r, &q, 1, w->over.now_ms / 1000, err) != 0)
        return TELL_NO_STORE;
    if (told[i] < threshold && program_run_for(w, row, threshold, err) != 0)
        return TELL_FAILED;
    if (told[i] > threshold)
        threshold = told[i];
    return told_write(w, told_name, claim_name, threshold, err) == 0 ? TELL_DONE : TELL_NO_STORE;
}

/* The keys, then row_tell. */
static enum threshold_result row_tell_by(struct threshold_look *w, size_t i, uint64_t threshold,
                                         uint64_t *told, struct err *err)
{
    enum threshold_result result;
    struct buf key, claimed;

    buf_init(&key, KEY_BYTES);
    buf_init(&claimed, KEY_BYTES);
    told_key(w, &w->over.list[i], &key);
    buf_add(&claimed, buf_slice(&key));
    buf_add_str(&claimed, ":claim");
    result = row_tell(w, i, threshold, buf_slice(&key), buf_slice(&claimed), told, err);
    buf_fini(&claimed);
    buf_fini(&key);
    return result;
}

/* One that fails does not keep the others from being told. */
static int rows_tell(struct threshold_look *w, uint64_t *told, threshold_stop *stop, void *context,
                     struct err *err)
{
    enum threshold_result one = TELL_DONE;
    bool has_failed = false;
    size_t tried = 0;

    for (size_t i = 0; i < w->over.count && tried < THRESHOLD_MOST && !stop(context); i++) {
        uint64_t threshold = threshold_of(w->setup->settings, w->over.list[i].usage.percent);

        if (told[i] >= threshold)
            continue;
        one = row_tell_by(w, i, threshold, told, err);
        has_failed = has_failed || one == TELL_FAILED;
        tried += one != TELL_NOT_OURS;
        if (one == TELL_NO_STORE)
            break;
    }
    return has_failed || one == TELL_NO_STORE ? -1 : 0;
}

static int rows_read(struct threshold_look *w, int64_t now_s, struct err *err)
{
    struct holder_over_question q = {
        .percent = lowest(w->setup->settings), .admins = true, .now_s = now_s};
    time_t at;

    if (holder_over_read(w->setup, w->r, &q, &w->arena, &w->over, err) != 0)
        return -1;
    at = (time_t)(w->over.now_ms / 1000);
    period_name(PERIOD_MONTH, at, w->month);
    w->month_left_ms = (int64_t)period_end(PERIOD_MONTH, at) * 1000 - w->over.now_ms;
    return 0;
}

static int turn_take(const struct threshold_look *w, struct err *err)
{
    struct buf key;
    int result;

    buf_init(&key, KEY_BYTES);
    key_telling(&key, w->r->prefix);
    result = claim(w, buf_slice(&key), w->setup->settings->throttle.notify_every_ms * 9 / 10, err);
    buf_fini(&key);
    return result;
}

int threshold_look(const struct setup *s, struct reader *r, int64_t now_s, threshold_stop *stop,
                   void *context, struct err *err)
{
    struct threshold_look w = {.setup = s, .r = r};
    uint64_t *told;
    int result;

    if (s->settings->throttle.notify[0] == '\0' || s->settings->throttle.notify_at.count == 0 ||
        s->hosted->admins.count == 0)
        return 0;
    result = turn_take(&w, err);
    if (result != 1)
        return result;
    arena_init(&w.arena, ARENA_BYTES);
    result = rows_read(&w, now_s, err);
    if (result == 0)
        result = told_read(&w, &told, err);
    if (result == 0)
        result = rows_tell(&w, told, stop, context, err);
    arena_fini(&w.arena);
    return result;
}
