#include "collect/alarm.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "collect/activity.h"
#include "lib/core/period.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/sys/clock.h"
#include "lib/sys/notify.h"
#include "lib/sys/program.h"
#include "lib/throttle/account_change.h"

#define AT_ONCE     100
#define FIELDS_MAX  10
#define NAME_BYTES  4096
#define WORDS_BYTES ((size_t)64 << 10)
#define ARENA_BYTES ((size_t)1 << 20)
#define KEEP_MS     "7200000" /* that an hour's anomaly was told */

struct alarm {
    const struct settings *settings;
    struct records *records;
    struct store *store;
    pid_t program;            /* 0: none runs */
    int64_t program_until_ms; /* monotonic */
    int64_t done;             /* while rows are read: the last one dealt with */
};

void alarm_free(struct alarm *a)
{
    free(a);
}

struct alarm *alarm_new(const struct settings *s, struct records *records, struct store *store,
                        struct err *err)
{
    struct alarm *a = calloc(1, sizeof *a);

    if (a == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    *a = (struct alarm){.settings = s, .records = records, .store = store};
    return a;
}

void alarm_reload(struct alarm *a, const struct settings *s)
{
    a->settings = s;
}

static bool is_fresh(const struct anomaly *found)
{
    return found->time_ms >= clock_unix_ms() - ALARM_FRESH_MS;
}

static bool acts(const struct alarm *a, const struct anomaly *found)
{
    return a->settings->throttle.on_anomaly >= 0 && is_fresh(found);
}

static size_t fields_make(const struct alarm *a, const struct anomaly *found,
                          char hour[PERIOD_TEXT], struct log_field fields[FIELDS_MAX])
{
    size_t n = 0;

    period_name(PERIOD_HOUR, (time_t)(found->hour_ms / 1000), hour);
    fields[n++] = LOG_TEXT("domain", found->subject.domain);
    if (found->subject.user.len > 0)
        fields[n++] = LOG_TEXT("user", found->subject.user);
    fields[n++] = LOG_STR("metric", activity_metric_name(found->metric));
    fields[n++] = LOG_NUM("value", found->value);
    fields[n++] = LOG_NUM("usual", found->usual);
    fields[n++] = LOG_NUM("threshold", found->threshold);
    fields[n++] = LOG_STR("hour", hour);
    if (acts(a, found))
        fields[n++] = LOG_STR(
            "action", limit_action_name((enum limit_action)a->settings->throttle.on_anomaly));
    return n;
}

/* --- the program -------------------------------------------------------------------------------
 */

/* True: one is running. */
static bool program_runs(struct alarm *a)
{
    int status = 0;
    pid_t ended;

    if (a->program == 0)
        return false;
    ended = waitpid(a->program, &status, WNOHANG);
    if (ended == 0 && clock_monotonic_ms() < a->program_until_ms)
        return true;
    if (ended == 0) {
        (void)kill(-a->program, SIGKILL);
        while (waitpid(a->program, &status, 0) < 0 && errno == EINTR)
            ;
        log_event(LOG_WARNING, "throttle.notify failed", LOG_STR("why", "it took too long"));
    } else if (status != 0) {
        log_event(
            LOG_WARNING, "throttle.notify failed",
            LOG_NUM("status", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)));
    }
    a->program = 0;
    return false;
}

/* True for the first of its hour, metric and subject on all nodes, and where Redis does not answer:
 * a second message is better than none. */
static bool is_first(struct alarm *a, const struct anomaly *found, const char *hour)
{
    const struct settings *s = a->settings;
    redisReply *reply;
    struct buf key;
    bool first;

    buf_init(&key, NAME_BYTES);
    key_window(&key, s->store.prefix, found->subject.domain, activity_metric_name(found->metric),
               SLICE("hour"), found->subject.user);
    buf_addf(&key, ":anomaly:%s", hour);
    reply = store_command(a->store, 6,
                          (struct slice[]){SLICE("SET"), buf_slice(&key), SLICE("1"), SLICE("NX"),
                                           SLICE("PX"), SLICE(KEEP_MS)},
                          s->store.timeout_ms, NULL);
    first = reply == NULL || reply->type != REDIS_REPLY_NIL;
    if (reply != NULL)
        freeReplyObject(reply);
    buf_fini(&key);
    return first;
}

/* "user/recipients/hour" */
static void what_make(const struct anomaly *found, struct buf *what)
{
    buf_addf(what, "%s/%s/hour", found->subject.user.len > 0 ? "user" : "domain",
             activity_metric_name(found->metric));
}

static void program_begin(struct alarm *a, const struct anomaly *found,
                          const struct log_field *fields, size_t count)
{
    const char *argv[NOTIFY_WORDS];
    struct buf words, what;
    struct err err = {0};
    struct notify_event event = {
        .event = "anomaly", .account = found->subject.domain, .fields = fields, .count = count};

    buf_init(&words, WORDS_BYTES);
    buf_init(&what, NAME_BYTES);
    what_make(found, &what);
    event.what = buf_slice(&what);
    if (!notify_argv(a->settings->throttle.notify, &event, &words, argv))
        (void)err_set(&err, EX_OSERR, "out of memory");
    else
        a->program = program_start(argv, &(struct program_files){-1, -1, -1, -1}, &err);
    if (a->program <= 0) {
        a->program = 0;
        log_event(LOG_WARNING, "throttle.notify failed", LOG_ERROR("why", &err));
    }
    a->program_until_ms = clock_monotonic_ms() + NOTIFY_TIMEOUT_MS;
    buf_fini(&what);
    buf_fini(&words);
}

static int tell(void *context, const struct records_row *row, struct err *err)
{
    const struct anomaly *found = row->anomaly;
    struct log_field fields[FIELDS_MAX];
    struct alarm *a = context;
    char hour[PERIOD_TEXT];
    size_t count = fields_make(a, found, hour, fields);

    (void)err;
    log_fields(is_fresh(found) ? LOG_WARNING : LOG_NOTICE, "anomaly", fields, count);
    a->done = row->id;
    if (a->settings->throttle.notify[0] != '\0' && is_fresh(found) && is_first(a, found, hour))
        program_begin(a, found, fields, count);
    return a->program != 0;
}

/* 1: something was done; 0; -1. */
static int rows_do(struct alarm *a, enum records_mark mark, records_take *take, struct err *err)
{
    int64_t done, last;
    int rc;

    if (records_last(a->records, RECORDS_ANOMALIES, &last, err) < 0 ||
        records_mark_get(a->records, mark, &done, err) < 0)
        return -1;
    if (done >= last)
        return 0;
    a->done = done;
    rc = records_read(a->records, RECORDS_ANOMALIES, done + 1, AT_ONCE, take, a, err);
    if (rc == 0 && a->done == done)
        a->done = last; /* rows of a later version */
    if (a->done > done) {
        struct err later;

        if (records_mark_set(a->records, mark, a->done, rc < 0 ? &later : err) < 0)
            return -1;
    }
    return rc < 0 ? -1 : 1;
}

int alarm_tell(struct alarm *a, struct err *err)
{
    return program_runs(a) ? ALARM_WAITS : rows_do(a, RECORDS_TOLD, tell, err);
}

/* --- the limit ---------------------------------------------------------------------------------
 */

static void limit_make(const struct alarm *a, const struct anomaly *found, struct buf *reason,
                       struct limit *out)
{
    char hour[PERIOD_TEXT];
    bool is_user = found->subject.user.len > 0;

    period_name(PERIOD_HOUR, (time_t)(found->hour_ms / 1000), hour);
    buf_addf(
        reason,
        "anomaly: %" PRIu64 " %s in the hour %s, usual at most %" PRIu64 ", threshold %" PRIu64,
        found->value, activity_metric_name(found->metric), hour, found->usual, found->threshold);
    *out = (struct limit){.scope = is_user ? LIMIT_USER : LIMIT_DOMAIN,
                          .metric = METRIC_RECIPIENTS,
                          .max = found->recipients,
                          .window_ms = INT64_C(59) * 60 * 1000,
                          .per = SLICE(ALARM_WINDOW),
                          .action = (enum limit_action)a->settings->throttle.on_anomaly,
                          .subject = found->subject.user,
                          .until_s = clock_unix_ms() / 1000 + ALARM_LIMIT_S,
                          .reason = buf_slice(reason),
                          .author = SLICE(ALARM_AUTHOR)};
}

/* What is set under that name. 1; 0: nothing; -1. */
static int present_find(struct alarm *a, struct slice domain, const struct limit *l,
                        struct arena *arena, struct limit *out, struct err *err)
{
    const struct settings *s = a->settings;
    struct buf key, name;
    struct slice field;
    redisReply *reply;
    int rc = 0;

    buf_init(&key, NAME_BYTES);
    buf_init(&name, NAME_BYTES);
    key_limits(&key, s->store.prefix, domain);
    limit_field(l, &name);
    field = arena_copy(arena, buf_slice(&name));
    reply = store_command(a->store, 3, (struct slice[]){SLICE("HGET"), buf_slice(&key), field},
                          s->store.timeout_ms, err);
    if (reply == NULL)
        rc = -1;
    else if (reply->type == REDIS_REPLY_STRING &&
             limit_parse_override(field, arena_copy(arena, link_reply_text(reply)), arena, out,
                                  NULL) == 0)
        rc = 1;
    if (reply != NULL)
        freeReplyObject(reply);
    buf_fini(&name);
    buf_fini(&key);
    return rc;
}

static void limit_log(const struct anomaly *found, const struct limit *l, const char *event)
{
    log_event(LOG_NOTICE, event, LOG_TEXT("domain", found->subject.domain),
              LOG_TEXT("user", found->subject.user), LOG_NUM("recipients", l->max),
              LOG_STR("per", ALARM_WINDOW), LOG_STR("action", limit_action_name(l->action)));
}

static int limit_set(struct alarm *a, const struct anomaly *found, struct arena *arena,
                     struct err *err)
{
    const struct account_change change = {.store = a->store,
                                          .prefix = a->settings->store.prefix,
                                          .holder = found->subject.domain,
                                          .timeout_ms = a->settings->store.timeout_ms};
    struct limit l, present;
    struct buf reason;
    int rc;

    buf_init(&reason, NAME_BYTES);
    limit_make(a, found, &reason, &l);
    rc = present_find(a, found->subject.domain, &l, arena, &present, err);
    if (rc == 1 && present.until_s != 0 && present.until_s <= clock_unix_ms() / 1000)
        rc = 0;
    if (rc == 1 && !slice_equal(present.author, SLICE(ALARM_AUTHOR))) {
        limit_log(found, &present, "no limit for this anomaly: somebody else has set one");
    } else if (rc >= 0) {
        if (rc == 1 && present.max < l.max)
            l.max = present.max;
        rc = account_change_override_set(&change, &l, err);
        if (rc == 0)
            limit_log(found, &l, "limit set for 24 hours, for an anomaly");
    }
    buf_fini(&reason);
    return rc < 0 ? -1 : 0;
}

/* A key of another type is reported, and waits for nobody. */
static int act(void *context, const struct records_row *row, struct err *err)
{
    struct alarm *a = context;
    struct arena arena;
    int rc = 0;

    arena_init(&arena, ARENA_BYTES);
    if (acts(a, row->anomaly))
        rc = limit_set(a, row->anomaly, &arena, err);
    arena_fini(&arena);
    if (rc < 0 && err->code == EX_DATAERR) {
        log_event(LOG_ERR, "no limit for this anomaly", LOG_ERROR("error", err));
        rc = 0;
    }
    if (rc == 0)
        a->done = row->id;
    return rc;
}

int alarm_act(struct alarm *a, struct err *err)
{
    return rows_do(a, RECORDS_ACTED, act, err);
}
