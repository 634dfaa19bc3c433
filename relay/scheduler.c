#include "relay/scheduler.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "relay/deliver.h"

struct entry {
    char id[QUEUE_ID_BYTES];
    int64_t due_ms; /* Unix time */
};

struct scheduler {
    struct relay *relay;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    struct entry *heap; /* the earliest first */
    size_t count, room;
    char (*busy)[QUEUE_ID_BYTES]; /* by thread: what it delivers; "" */
    bool *flush_again;            /* by thread: a flush came while it was busy */
    bool is_stopping;
    pthread_t *threads;
    size_t thread_count, running;
};

/* --- the heap -------------------------------------------------------------------------------- */

static void swap(struct entry *a, struct entry *b)
{
    struct entry c = *a;

    *a = *b;
    *b = c;
}

static void sift_up(struct scheduler *s, size_t i)
{
    while (i > 0 && s->heap[i].due_ms < s->heap[(i - 1) / 2].due_ms) {
        swap(&s->heap[i], &s->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

static void sift_down(struct scheduler *s, size_t i)
{
    for (;;) {
        size_t least = i;

        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < s->count; child++) {
            if (s->heap[child].due_ms < s->heap[least].due_ms)
                least = child;
        }
        if (least == i)
            return;
        swap(&s->heap[i], &s->heap[least]);
        i = least;
    }
}

static bool push(struct scheduler *s, struct slice id, int64_t due_ms)
{
    struct entry *e;

    if (id.len >= QUEUE_ID_BYTES)
        return false;
    if (s->count == s->room) {
        size_t room = s->room == 0 ? 64 : s->room * 2;
        struct entry *heap = reallocarray(s->heap, room, sizeof *heap);

        if (heap == NULL)
            return false;
        s->heap = heap;
        s->room = room;
    }
    e = &s->heap[s->count];
    memcpy(e->id, id.ptr, id.len);
    e->id[id.len] = '\0';
    e->due_ms = due_ms;
    sift_up(s, s->count++);
    return true;
}

static void remove_at(struct scheduler *s, size_t i)
{
    s->heap[i] = s->heap[--s->count];
    if (i < s->count) {
        sift_up(s, i);
        sift_down(s, i);
    }
}

/* --- the threads ----------------------------------------------------------------------------- */

static void wait_until(struct scheduler *s, int64_t due_ms)
{
    struct timespec t = {.tv_sec = (time_t)(due_ms / 1000),
                         .tv_nsec = (long)(due_ms % 1000) * 1000000};

    (void)pthread_cond_timedwait(&s->changed, &s->lock, &t);
}

/* Waits for a message that is due, and marks it as busy. False: the scheduler stops. */
static bool next_due(struct scheduler *s, size_t thread)
{
    while (!s->is_stopping) {
        if (s->count == 0) {
            (void)pthread_cond_wait(&s->changed, &s->lock);
        } else if (s->heap[0].due_ms > clock_unix_ms()) {
            wait_until(s, s->heap[0].due_ms);
        } else {
            memcpy(s->busy[thread], s->heap[0].id, QUEUE_ID_BYTES);
            remove_at(s, 0);
            return true;
        }
    }
    return false;
}

static size_t take_number(struct scheduler *s)
{
    return s->running++;
}

static void *work(void *data)
{
    struct scheduler *s = data;
    size_t thread;

    (void)pthread_mutex_lock(&s->lock);
    thread = take_number(s);
    while (next_due(s, thread)) {
        int64_t next_ms;

        (void)pthread_mutex_unlock(&s->lock);
        next_ms = deliver_message(s->relay, slice_str(s->busy[thread]));
        (void)pthread_mutex_lock(&s->lock);
        if (next_ms > 0 && !push(s, slice_str(s->busy[thread]),
                                 s->flush_again[thread] ? clock_unix_ms() : next_ms))
            log_event(LOG_ERR, "out of memory: message waits for a restart",
                      LOG_STR("qid", s->busy[thread]));
        s->busy[thread][0] = '\0';
        s->flush_again[thread] = false;
        (void)pthread_cond_broadcast(&s->changed);
    }
    s->running--;
    (void)pthread_cond_broadcast(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
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
    if (!push(s, id, f.envelope.next_ms))
        log_event(LOG_ERR, "out of memory: message waits for a restart", LOG_TEXT("qid", id));
    queue_unload(&f);
    return 0;
}

static int start_threads(struct scheduler *s, struct err *err)
{
    size_t count = (size_t)s->relay->settings->relay.deliveries_max;

    s->busy = calloc(count, sizeof *s->busy);
    s->flush_again = calloc(count, sizeof *s->flush_again);
    s->threads = calloc(count, sizeof *s->threads);
    if (s->busy == NULL || s->flush_again == NULL || s->threads == NULL)
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
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->changed, NULL);
    relay->scheduler = s;
    if (queue_each(&relay->queue, add_queued, s, err) == 0 && start_threads(s, err) == 0)
        return s;
    (void)scheduler_stop(s, 0);
    relay->scheduler = NULL;
    return NULL;
}

bool scheduler_stop(struct scheduler *s, int64_t grace_ms)
{
    int64_t end_ms = clock_unix_ms() + grace_ms;
    bool all_ended;

    (void)pthread_mutex_lock(&s->lock);
    s->is_stopping = true;
    (void)pthread_cond_broadcast(&s->changed);
    while (s->running > 0 && clock_unix_ms() < end_ms)
        wait_until(s, end_ms);
    all_ended = s->running == 0;
    (void)pthread_mutex_unlock(&s->lock);
    /* A thread that hangs on a slow server is left behind: the process ends, the message stays
     * queued. */
    if (!all_ended)
        return false;
    for (size_t i = 0; i < s->thread_count; i++)
        (void)pthread_join(s->threads[i], NULL);
    (void)pthread_cond_destroy(&s->changed);
    (void)pthread_mutex_destroy(&s->lock);
    free(s->busy);
    free(s->flush_again);
    free(s->threads);
    free(s->heap);
    free(s);
    return true;
}

/* --- from outside ---------------------------------------------------------------------------- */

void scheduler_add(struct scheduler *s, struct slice id, int64_t due_ms)
{
    bool added;

    (void)pthread_mutex_lock(&s->lock);
    added = push(s, id, due_ms);
    (void)pthread_cond_signal(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
    if (!added)
        log_event(LOG_ERR, "out of memory: message waits for a restart", LOG_TEXT("qid", id));
}

static bool matches(struct slice id, const char *other)
{
    return id.len == 0 || slice_equal(id, slice_str(other));
}

size_t scheduler_flush(struct scheduler *s, struct slice id)
{
    size_t n = 0;

    (void)pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->count; i++) {
        if (matches(id, s->heap[i].id)) {
            s->heap[i].due_ms = 0;
            sift_up(s, i);
            n++;
        }
    }
    for (size_t i = 0; i < s->thread_count; i++) {
        if (s->busy[i][0] != '\0' && matches(id, s->busy[i])) {
            s->flush_again[i] = true;
            n++;
        }
    }
    (void)pthread_cond_broadcast(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
    return n;
}

bool scheduler_take(struct scheduler *s, struct slice id)
{
    bool free_now = true;

    (void)pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->thread_count; i++)
        free_now = free_now && !slice_equal(id, slice_str(s->busy[i]));
    for (size_t i = 0; free_now && i < s->count; i++) {
        if (slice_equal(id, slice_str(s->heap[i].id))) {
            remove_at(s, i);
            break;
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
    return free_now;
}
