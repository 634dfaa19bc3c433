#include "lib/throttle/violation_log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/period.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/redis/store.h"
#include "lib/sys/clock.h"
#include "lib/sys/mutex.h"
#include "lib/sys/notify.h"

#define COMPLAIN_MS       INT64_C(60000)
#define NAME_BYTES        4096
#define DOMAIN_STREAM_MAX "1000"
#define ALL_STREAM_MAX    "100000"

struct violation_event {
    struct violation_event *next;
    struct violation v;
    char texts[]; /* what its slices point to */
};

MUTEX_NAME(violation_log_lock)

struct violation_log {
    struct mutex lock;
    pthread_cond_t wake; /* the queue or `ending` has changed */
    struct violation_event *first MUTEX_GUARDS(violation_log_lock),
        **last MUTEX_GUARDS(violation_log_lock);
    size_t count MUTEX_GUARDS(violation_log_lock); /* of the queue */
    struct violation_event *
        peaks MUTEX_GUARDS(violation_log_lock); /* a list, to be queued at peaks_due_ms */
    size_t peak_count MUTEX_GUARDS(violation_log_lock);
    int64_t peaks_due_ms MUTEX_GUARDS(violation_log_lock); /* monotonic */
    bool ending MUTEX_GUARDS(violation_log_lock);
    char *notify MUTEX_GUARDS(violation_log_lock);     /* throttle.notify; empty: none */
    uint64_t dropped MUTEX_GUARDS(violation_log_lock); /* since they were logged last */

    /* of the thread alone */
    struct store *store;
    char *prefix;
    int64_t timeout_ms, complained_ms; /* complained: monotonic; 0: never */
    pthread_t thread;
};

/* --- the streams ---------------------------------------------------------------------------- */

static void stream_add(struct violation_log *e, struct slice key, const char *max,
                       const struct violation *v)
{
    struct log_field fields[VIOLATION_FIELDS_MAX];
    char numbers[VIOLATION_FIELDS_MAX + 1][24];
    struct slice argv[8 + 2 * VIOLATION_FIELDS_MAX + 4];
    struct buf text;
    size_t argc = 0, count;

    buf_init(&text, NAME_BYTES);
    count = violation_fields(v, &text, fields);
    fields[count++] = LOG_STR("event", violation_event(v));
    argv[argc++] = SLICE("XADD");
    argv[argc++] = key;
    argv[argc++] = SLICE("MAXLEN");
    argv[argc++] = SLICE("~");
    argv[argc++] = slice_str(max);
    argv[argc++] = SLICE("*");
    argv[argc++] = SLICE("time_ms");
    (void)snprintf(numbers[count], 24, "%" PRId64, v->time_ms);
    argv[argc++] = slice_str(numbers[count]);
    for (size_t i = 0; i < count; i++) {
        argv[argc++] = slice_str(fields[i].key);
        argv[argc++] = notify_field_text(&fields[i], numbers[i]);
    }
    store_pipe_add(e->store, argc, argv);
    buf_fini(&text);
}

static void complain(struct violation_log *e, const char *what, struct slice why)
{
    int64_t now_ms = clock_monotonic_ms();

    if (e->complained_ms != 0 && now_ms - e->complained_ms < COMPLAIN_MS)
        return;
    e->complained_ms = now_ms;
    log_event(LOG_WARNING, what, LOG_TEXT("why", why));
}

static void streams_add(struct violation_log *e, const struct violation *v)
{
    redisReply *replies[2];
    struct err err = {0};
    struct buf key;

    buf_init(&key, NAME_BYTES);
    key_account_violations(&key, e->prefix, v->domain);
    stream_add(e, buf_slice(&key), DOMAIN_STREAM_MAX, v);
    buf_reset(&key);
    key_violations(&key, e->prefix);
    stream_add(e, buf_slice(&key), ALL_STREAM_MAX, v);
    buf_fini(&key);
    if (store_pipe_run(e->store, replies, e->timeout_ms, &err) != 0) {
        complain(e, "violations are missing in the store's streams", slice_str(err.text));
        return;
    }
    for (int i = 0; i < 2; i++) {
        if (replies[i]->type == REDIS_REPLY_ERROR)
            complain(e, "violations are missing in the store's streams",
                     link_reply_text(replies[i]));
        freeReplyObject(replies[i]);
    }
}

/* --- the notify program --------------------------------------------------------------------- */

static int64_t window_left_ms(const struct violation *v)
{
    if (v->window_ms != LIMIT_WINDOW_MONTH)
        return v->window_ms;
    return (int64_t)period_end(PERIOD_MONTH, (time_t)(v->time_ms / 1000)) * 1000 - v->time_ms;
}

/* True for the first of its account, limit and window on all nodes, and where the store does not
 * answer: a second message is better than none. */
static bool notify_is_first(struct violation_log *e, const struct violation *v)
{
    char ttl[24];
    struct buf key;
    redisReply *reply;
    bool first;

    buf_init(&key, NAME_BYTES);
    key_window(&key, e->prefix, v->domain, limit_metric_name(v->metric), v->per,
               violation_subject(v));
    buf_addf(&key, ":%s:%" PRIu64, v->soft ? "soft" : "notified", v->max);
    (void)snprintf(ttl, sizeof ttl, "%" PRId64, window_left_ms(v) > 0 ? window_left_ms(v) : 1);
    reply = store_command(e->store, 6,
                          (struct slice[]){SLICE("SET"), buf_slice(&key), SLICE("1"), SLICE("NX"),
                                           SLICE("PX"), slice_str(ttl)},
                          e->timeout_ms, NULL);
    first = reply == NULL || reply->type != REDIS_REPLY_NIL;
    if (reply != NULL)
        freeReplyObject(reply);
    buf_fini(&key);
    return first;
}

static void program_run_for(struct violation_log *e, const char *program, const struct violation *v)
{
    struct log_field fields[VIOLATION_FIELDS_MAX];
    struct limit limit = {.scope = v->scope, .metric = v->metric, .per = v->per};
    struct notify_event event = {.event = v->soft ? "soft" : "violation", .account = v->domain};
    struct buf name, text;
    struct err err = {0};

    buf_init(&name, NAME_BYTES);
    buf_init(&text, NAME_BYTES);
    limit_name(&limit, &name);
    event.what = buf_slice(&name);
    event.fields = fields;
    event.count = violation_fields(v, &text, fields);
    if (notify_run(program, &event, &err) != 0)
        complain(e, "throttle.notify failed", slice_str(err.text));
    buf_fini(&name);
    buf_fini(&text);
}

/* --- the thread ----------------------------------------------------------------------------- */

static void event_report(struct violation_log *e, const struct violation *v, const char *program)
{
    streams_add(e, v);
    if (program[0] != '\0' && (v->crossing || v->soft) && notify_is_first(e, v))
        program_run_for(e, program, v);
}

static bool is_due(const struct violation_log *e) TG_REQUIRES(violation_log_lock)
{
    return e->first != NULL || e->ending ||
           (e->peaks != NULL && clock_monotonic_ms() >= e->peaks_due_ms);
}

/* The peaks become the queue, which is empty. */
static void peaks_queue(struct violation_log *e) TG_REQUIRES(violation_log_lock)
{
    e->first = e->peaks;
    e->last = &e->first;
    while (*e->last != NULL)
        e->last = &(*e->last)->next;
    e->count = e->peak_count;
    e->peaks = NULL;
    e->peak_count = 0;
}

/* The next event; NULL at the end. *program is the caller's to free. */
static struct violation_event *event_wait(struct violation_log *e, char **program)
    TG_REQUIRES(violation_log_lock)
{
    struct violation_event *event;

    while (!is_due(e)) {
        if (e->peaks == NULL)
            violation_log_lock_wait(&e->lock, &e->wake);
        else
            (void)violation_log_lock_wait_until(&e->lock, &e->wake, e->peaks_due_ms);
    }
    if (e->first == NULL)
        peaks_queue(e);
    event = e->first;
    if (event == NULL)
        return NULL;
    e->first = event->next;
    if (e->first == NULL)
        e->last = &e->first;
    e->count--;
    *program = strdup(e->ending ? "" : e->notify);
    return event;
}

static void *violation_log_run(void *context)
{
    struct violation_log *e = context;
    struct violation_event *event;
    char *program;
    uint64_t dropped;

    violation_log_lock_take(&e->lock);
    while ((event = event_wait(e, &program)) != NULL) {
        bool skip = e->ending && !store_is_worth_trying(e->store);

        dropped = e->dropped;
        e->dropped = 0;
        violation_log_lock_give(&e->lock);
        if (dropped > 0)
            log_event(LOG_WARNING, "violations came too fast, some are not reported",
                      LOG_NUM("dropped", dropped));
        if (!skip)
            event_report(e, &event->v, program == NULL ? "" : program);
        free(event);
        free(program);
        violation_log_lock_take(&e->lock);
    }
    violation_log_lock_give(&e->lock);
    return NULL;
}

/* The thread is not running yet. */
static bool start(struct violation_log *e, const struct settings *s,
                  struct err *err) TG_NO_THREAD_SAFETY
{
    e->timeout_ms = s->store.timeout_ms;
    e->prefix = strdup(s->store.prefix);
    e->notify = strdup(s->throttle.notify);
    if (e->prefix == NULL || e->notify == NULL)
        return err_set(err, EX_OSERR, "out of memory") == 0;
    e->store = store_new(s, err);
    if (e->store == NULL)
        return false;
    return pthread_create(&e->thread, NULL, violation_log_run, e) == 0 ||
           err_set(err, EX_OSERR, "cannot start a thread") == 0;
}

/* The thread is not running any more. */
static void release(struct violation_log *e) TG_NO_THREAD_SAFETY
{
    if (e->store != NULL)
        store_free(e->store);
    (void)pthread_cond_destroy(&e->wake);
    mutex_fini(&e->lock);
    free(e->prefix);
    free(e->notify);
    free(e);
}

struct violation_log *violation_log_new(const struct settings *s,
                                        struct err *err) TG_NO_THREAD_SAFETY /* not shared yet */
{
    struct violation_log *e = calloc(1, sizeof *e);

    if (e == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    e->last = &e->first;
    mutex_init(&e->lock);
    mutex_condition_init(&e->wake);
    if (start(e, s, err))
        return e;
    release(e);
    return NULL;
}

void violation_log_free(struct violation_log *e)
{
    if (e == NULL)
        return;
    violation_log_lock_take(&e->lock);
    e->ending = true;
    (void)pthread_cond_signal(&e->wake);
    violation_log_lock_give(&e->lock);
    (void)pthread_join(e->thread, NULL);
    release(e);
}

void violation_log_reload(struct violation_log *e, const struct settings *s)
{
    char *notify = strdup(s->throttle.notify);

    violation_log_lock_take(&e->lock);
    if (notify != NULL) {
        free(e->notify);
        e->notify = notify;
    }
    violation_log_lock_give(&e->lock);
}

static struct slice keep(char **at, struct slice s)
{
    struct slice kept = {*at, s.len};

    if (s.len > 0)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return kept;
}

static struct violation_event *event_copy(const struct violation *v)
{
    size_t size = v->domain.len + v->user.len + v->per.len + v->queue_id.len + v->client.len +
                  v->sender.len + v->login.len;
    struct violation_event *event = malloc(sizeof *event + size);
    char *at;

    if (event == NULL)
        return NULL;
    at = event->texts;
    event->next = NULL;
    event->v = *v;
    event->v.domain = keep(&at, v->domain);
    event->v.user = keep(&at, v->user);
    event->v.per = keep(&at, v->per);
    event->v.queue_id = keep(&at, v->queue_id);
    event->v.client = keep(&at, v->client);
    event->v.sender = keep(&at, v->sender);
    event->v.login = keep(&at, v->login);
    return event;
}

void violation_log_add(struct violation_log *e, const struct violation *v)
{
    struct violation_event *event = event_copy(v);

    violation_log_lock_take(&e->lock);
    if (event == NULL || e->count >= VIOLATION_LOG_MAX) {
        e->dropped++;
        free(event);
    } else {
        *e->last = event;
        e->last = &event->next;
        e->count++;
        (void)pthread_cond_signal(&e->wake);
    }
    violation_log_lock_give(&e->lock);
}

static bool is_same_window(const struct violation *a, const struct violation *b)
{
    return a->scope == b->scope && a->metric == b->metric && a->window_ms == b->window_ms &&
           a->max == b->max && a->action == b->action && a->observed == b->observed &&
           slice_equal(a->domain, b->domain) &&
           slice_equal(violation_subject(a), violation_subject(b));
}

/* Raises the peak of the window, if there is one; false: there is none. */
static bool peak_raise(struct violation_log *e, const struct violation *v)
    TG_REQUIRES(violation_log_lock)
{
    for (struct violation_event *p = e->peaks; p != NULL; p = p->next) {
        if (!is_same_window(&p->v, v))
            continue;
        if (v->used + v->wanted > p->v.used + p->v.wanted) {
            p->v.used = v->used;
            p->v.wanted = v->wanted;
            p->v.time_ms = v->time_ms;
        }
        return true;
    }
    return false;
}

static void peak_add(struct violation_log *e, struct violation_event *event)
    TG_REQUIRES(violation_log_lock)
{
    if (e->peaks == NULL) {
        e->peaks_due_ms = clock_monotonic_ms() + VIOLATION_LOG_PEAK_MS;
        (void)pthread_cond_signal(&e->wake);
    }
    event->next = e->peaks;
    e->peaks = event;
    e->peak_count++;
}

void violation_log_peak(struct violation_log *e, const struct violation *v)
{
    struct violation_event *event;

    violation_log_lock_take(&e->lock);
    if (!peak_raise(e, v)) {
        event = e->peak_count < VIOLATION_LOG_PEAKS_MAX ? event_copy(v) : NULL;
        if (event == NULL) {
            e->dropped++;
        } else {
            event->v.peak = true;
            event->v.crossing = event->v.soft = false;
            peak_add(e, event);
        }
    }
    violation_log_lock_give(&e->lock);
}
