#include "relay/scheduler.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/mutex.h"
#include "relay/deliver.h"
#include "relay/due.h"

/* A message for hosted recipients alone is done in no time; one that goes elsewhere may keep its
 * thread for minutes. So some threads are never given to the latter. */
enum kind { KIND_HERE, KIND_OUT, KINDS };

struct worker {
    char id[QUEUE_ID_BYTES]; /* what it delivers; "": it is idle */
    enum kind kind;
    bool flush_again; /* a flush came during the attempt: try again at once */
};

MUTEX_NAME(scheduler_lock)

struct scheduler {
    struct relay *relay;
    pthread_t *threads; /* of the thread that starts and stops the scheduler, as thread_count */
    size_t thread_count;
    size_t out_max; /* fixed before the threads start */
    struct mutex lock;
    pthread_cond_t changed; /* of any field below */
    struct due due[KINDS] MUTEX_GUARDS(scheduler_lock);
    struct worker *
        workers MUTEX_GUARDS(scheduler_lock); /* one a thread, worker_count of them in use */
    size_t worker_count MUTEX_GUARDS(scheduler_lock);
    size_t running MUTEX_GUARDS(scheduler_lock);  /* threads */
    size_t out_busy MUTEX_GUARDS(scheduler_lock); /* threads that deliver a message of KIND_OUT */
    bool is_stopping MUTEX_GUARDS(scheduler_lock);
};

/* --- the threads ----------------------------------------------------------------------------- */

/* The kind whose first is due the earliest, of those that a thread may take now; KINDS: none. */
static enum kind earliest(const struct scheduler *s) TG_REQUIRES(scheduler_lock)
{
    enum kind best = KINDS;

    for (enum kind k = KIND_HERE; k < KINDS; k++) {
        const struct due_entry *e = due_first(&s->due[k]);

        if (e == NULL || (k == KIND_OUT && s->out_busy >= s->out_max))
            continue;
        if (best == KINDS || e->due_ms < due_first(&s->due[best])->due_ms)
            best = k;
    }
    return best;
}

/* Waits for a message that is due, and takes it. False: the scheduler stops. */
static bool next_due(struct scheduler *s, struct worker *w) TG_REQUIRES(scheduler_lock)
{
    while (!s->is_stopping) {
        enum kind k = earliest(s);

        if (k == KINDS) {
            scheduler_lock_wait(&s->lock, &s->changed);
        } else if (due_first(&s->due[k])->due_ms > clock_monotonic_ms()) {
            (void)scheduler_lock_wait_until(&s->lock, &s->changed, due_first(&s->due[k])->due_ms);
        } else {
            due_take(&s->due[k], w->id);
            w->kind = k;
            s->out_busy += k == KIND_OUT;
            return true;
        }
    }
    return false;
}

static void say_waits(struct slice id)
{
    log_event(LOG_ERR, "out of memory: message waits for a restart", LOG_TEXT("qid", id));
}

/* From Unix time, which is what a queue file has, to the monotonic clock, which nobody sets. A time
 * that the clock of another day made too late is that of the longest pause. */
static int64_t due_of(const struct scheduler *s, int64_t next_ms)
{
    int64_t wait_ms = next_ms - clock_unix_ms(), most_ms = s->relay->settings->relay.retry_max_ms;

    return clock_monotonic_ms() + (wait_ms < 0 ? 0 : wait_ms > most_ms ? most_ms : wait_ms);
}

/* What is left after an attempt goes elsewhere, most likely. */
static bool put_back(struct scheduler *s, struct worker *w, int64_t next_ms)
    TG_REQUIRES(scheduler_lock)
{
    bool done = next_ms == 0 || due_add(&s->due[KIND_OUT], slice_str(w->id),
                                        w->flush_again ? 0 : due_of(s, next_ms));

    s->out_busy -= w->kind == KIND_OUT;
    *w = (struct worker){.id = ""};
    return done;
}

static void add_bounce(void *user, struct slice id)
{
    scheduler_add(user, id, true);
}

/* With the lock, which is given back meanwhile. */
static void deliver(struct scheduler *s, struct worker *w) TG_REQUIRES(scheduler_lock)
{
    char id[QUEUE_ID_BYTES];
    int64_t next_ms;
    bool done;

    memcpy(id, w->id, sizeof id);
    scheduler_lock_give(&s->lock);
    next_ms = deliver_message(s->relay, slice_str(id), (struct deliver_bounced){add_bounce, s});
    scheduler_lock_take(&s->lock);
    done = put_back(s, w, next_ms);
    (void)pthread_cond_broadcast(&s->changed);
    if (done)
        return;
    scheduler_lock_give(&s->lock);
    say_waits(slice_str(id));
    scheduler_lock_take(&s->lock);
}

static void *work(void *data)
{
    struct scheduler *s = data;
    struct worker *w;

    scheduler_lock_take(&s->lock);
    w = &s->workers[s->worker_count++];
    s->running++;
    while (next_due(s, w))
        deliver(s, w);
    s->running--;
    (void)pthread_cond_broadcast(&s->changed);
    scheduler_lock_give(&s->lock);
    return NULL;
}

static void add(struct scheduler *s, enum kind kind, struct slice id, int64_t due_ms)
{
    bool added;

    scheduler_lock_take(&s->lock);
    added = due_add(&s->due[kind], id, due_ms);
    (void)pthread_cond_broadcast(&s->changed);
    scheduler_lock_give(&s->lock);
    if (!added)
        say_waits(id);
}

static int add_queued(void *user, struct slice id, bool held)
{
    struct scheduler *s = user;
    struct queue_file f;
    struct err err = {.code = 0};

    if (held)
        return 0;
    if (queue_load(&s->relay->queue, id, &f, &err) != 0) {
        log_event(LOG_ERR, "message cannot be read", LOG_TEXT("qid", id), LOG_ERROR("error", &err));
        return 0;
    }
    add(s, KIND_OUT, id, due_of(s, f.envelope.next_ms));
    queue_unload(&f);
    return 0;
}

/* No thread has the fields before the first is started. */
static int start_threads(struct scheduler *s, struct err *err) TG_NO_THREAD_SAFETY
{
    size_t count = (size_t)s->relay->settings->relay.deliveries_max;

    s->workers = calloc(count, sizeof *s->workers);
    s->threads = calloc(count, sizeof *s->threads);
    s->out_max = count > 1 ? count - (count + 4) / 5 : 1;
    if (s->workers == NULL || s->threads == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    while (s->thread_count < count) {
        if (pthread_create(&s->threads[s->thread_count], NULL, work, s) != 0)
            return err_set(err, EX_OSERR, "cannot start a thread for deliveries");
        s->thread_count++;
    }
    return 0;
}

struct scheduler *scheduler_start(struct relay *relay, struct err *err)
{
    struct scheduler *s = calloc(1, sizeof *s);

    if (s == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    s->relay = relay;
    mutex_init(&s->lock);
    mutex_condition_init(&s->changed);
    relay->scheduler = s;
    if (queue_each(&relay->queue, add_queued, s, err) == 0 && start_threads(s, err) == 0)
        return s;
    (void)scheduler_stop(s, 0);
    relay->scheduler = NULL;
    return NULL;
}

/* After the last thread has given the lock back. */
static void scheduler_free(struct scheduler *s) TG_NO_THREAD_SAFETY
{
    for (size_t i = 0; i < s->thread_count; i++)
        (void)pthread_join(s->threads[i], NULL);
    (void)pthread_cond_destroy(&s->changed);
    mutex_fini(&s->lock);
    free(s->workers);
    free(s->threads);
    due_fini(&s->due[KIND_HERE]);
    due_fini(&s->due[KIND_OUT]);
    free(s);
}

bool scheduler_stop(struct scheduler *s, int64_t grace_ms)
{
    int64_t end_ms = clock_monotonic_ms() + grace_ms;
    bool all_ended;

    scheduler_lock_take(&s->lock);
    s->is_stopping = true;
    (void)pthread_cond_broadcast(&s->changed);
    while (s->running > 0 && clock_monotonic_ms() < end_ms)
        (void)scheduler_lock_wait_until(&s->lock, &s->changed, end_ms);
    all_ended = s->running == 0;
    scheduler_lock_give(&s->lock);
    /* A thread that hangs on a slow server is left behind: the process ends, the message stays
     * queued. */
    if (all_ended)
        scheduler_free(s);
    return all_ended;
}

/* --- from outside ---------------------------------------------------------------------------- */

void scheduler_add(struct scheduler *s, struct slice id, bool goes_out)
{
    add(s, goes_out ? KIND_OUT : KIND_HERE, id, 0);
}

static bool matches(struct slice id, const struct worker *w)
{
    return w->id[0] != '\0' && (id.len == 0 || slice_equal(id, slice_str(w->id)));
}

size_t scheduler_flush(struct scheduler *s, struct slice id)
{
    size_t n;

    scheduler_lock_take(&s->lock);
    n = due_hasten(&s->due[KIND_HERE], id) + due_hasten(&s->due[KIND_OUT], id);
    for (size_t i = 0; i < s->worker_count; i++) {
        if (matches(id, &s->workers[i])) {
            s->workers[i].flush_again = true;
            n++;
        }
    }
    (void)pthread_cond_broadcast(&s->changed);
    scheduler_lock_give(&s->lock);
    return n;
}

bool scheduler_take(struct scheduler *s, struct slice id)
{
    bool is_free = true;

    scheduler_lock_take(&s->lock);
    for (size_t i = 0; i < s->worker_count; i++)
        is_free = is_free && !matches(id, &s->workers[i]);
    if (is_free && !due_remove(&s->due[KIND_HERE], id))
        (void)due_remove(&s->due[KIND_OUT], id);
    scheduler_lock_give(&s->lock);
    return is_free;
}
