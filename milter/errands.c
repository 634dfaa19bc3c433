#include "milter/errands.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/mutex.h"

enum { THREADS_MAX = 32, EVENTS_MAX = 8 };

MUTEX_NAME(errands_lock)

struct errand_queue {
    struct errand *first, *last;
};

struct lane {
    struct errands *home;
    pthread_cond_t wake;
    pthread_t threads[THREADS_MAX];
    struct errand_queue queue MUTEX_GUARDS(errands_lock);
    unsigned queued MUTEX_GUARDS(errands_lock);
    unsigned idle MUTEX_GUARDS(errands_lock); /* threads that wait for work */
    unsigned count;                           /* of threads; the loop's */
};

struct errands {
    struct mutex lock;
    struct lane lanes[ERRAND_LANES];
    struct errand_queue ended MUTEX_GUARDS(errands_lock);
    bool ending MUTEX_GUARDS(errands_lock);
    unsigned under_way; /* begun, `done` not called yet; the loop's */
    int told;           /* readable while something has ended */
    int epoll;          /* of it, of the guest's, and of the loop's */
    struct errands_guest guest;
};

static void queue_add(struct errand_queue *q, struct errand *e)
{
    e->next = NULL;
    if (q->first == NULL)
        q->first = e;
    else
        q->last->next = e;
    q->last = e;
}

static struct errand *queue_take(struct errand_queue *q)
{
    struct errand *e = q->first;

    if (e != NULL)
        q->first = e->next;
    return e;
}

/* --- the threads ------------------------------------------------------------------------------ */

static void end_tell(struct errands *e, struct errand *errand)
{
    const uint64_t one = 1;
    bool is_first;

    errands_lock_take(&e->lock);
    is_first = e->ended.first == NULL;
    queue_add(&e->ended, errand);
    errands_lock_give(&e->lock);
    if (is_first)
        TG_ASSERT(write(e->told, &one, sizeof one) == (ssize_t)sizeof one);
}

/* NULL: the end. */
static struct errand *next_of(struct lane *l) TG_REQUIRES(errands_lock)
{
    struct errand *errand;

    while (!l->home->ending && l->queue.first == NULL) {
        l->idle++;
        errands_lock_wait(&l->home->lock, &l->wake);
        l->idle--;
    }
    errand = queue_take(&l->queue);
    l->queued -= errand != NULL;
    return errand;
}

static void *lane_run(void *context)
{
    struct lane *l = context;
    struct errand *errand;

    for (;;) {
        errands_lock_take(&l->home->lock);
        errand = next_of(l);
        errands_lock_give(&l->home->lock);
        if (errand == NULL)
            return NULL;
        errand->work(errand);
        end_tell(l->home, errand);
    }
}

/* False: there is none, nor can one be started. */
static bool has_thread(struct lane *l, bool wants_another)
{
    if (wants_another && l->count < THREADS_MAX &&
        pthread_create(&l->threads[l->count], NULL, lane_run, l) == 0)
        l->count++;
    return l->count > 0;
}

void errands_begin(struct errands *e, enum errand_lane lane, struct errand *errand)
{
    struct lane *l = &e->lanes[lane];
    bool wants_another;

    e->under_way++;
    errands_lock_take(&e->lock);
    wants_another = l->queued >= l->idle;
    errands_lock_give(&e->lock);
    if (!has_thread(l, wants_another)) {
        errand->work(errand);
        end_tell(e, errand);
        return;
    }
    errands_lock_take(&e->lock);
    queue_add(&l->queue, errand);
    l->queued++;
    (void)pthread_cond_signal(&l->wake);
    errands_lock_give(&e->lock);
}

/* --- the loop --------------------------------------------------------------------------------- */

static bool descriptors_make(struct errands *e)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &e->told};

    e->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    e->epoll = epoll_create1(EPOLL_CLOEXEC);
    return e->told >= 0 && e->epoll >= 0 &&
           epoll_ctl(e->epoll, EPOLL_CTL_ADD, e->told, &event) == 0;
}

static void descriptors_close(struct errands *e)
{
    if (e->told >= 0)
        (void)close(e->told);
    if (e->epoll >= 0)
        (void)close(e->epoll);
}

struct errands *errands_new(struct err *err) TG_NO_THREAD_SAFETY /* not shared yet */
{
    struct errands *e = calloc(1, sizeof *e);

    if (e == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    if (!descriptors_make(e)) {
        (void)err_set(err, EX_OSERR, "eventfd, epoll: %s", strerror(errno));
        descriptors_close(e);
        free(e);
        return NULL;
    }
    mutex_init(&e->lock);
    for (int i = 0; i < ERRAND_LANES; i++) {
        e->lanes[i].home = e;
        mutex_condition_init(&e->lanes[i].wake);
    }
    return e;
}

void errands_serve(struct errands *e, const struct errands_guest *guest)
{
    e->guest = *guest;
}

void *errands_guest(const struct errands *e)
{
    return e->guest.guest;
}

void errands_guest_begin(struct errands *e)
{
    e->under_way++;
}

void errands_guest_end(struct errands *e)
{
    e->under_way--;
}

int errands_fd(const struct errands *e)
{
    return e->epoll;
}

static void ended_run(struct errands *e)
{
    struct errand_queue ended;
    struct errand *errand;
    uint64_t count;

    if (read(e->told, &count, sizeof count) < 0)
        return;
    errands_lock_take(&e->lock);
    ended = e->ended;
    e->ended.first = NULL;
    errands_lock_give(&e->lock);
    while ((errand = queue_take(&ended)) != NULL) {
        e->under_way--;
        errand->done(errand);
    }
}

void errands_gather(struct errands *e, bool on)
{
    if (e->guest.gather != NULL)
        e->guest.gather(e->guest.guest, on);
}

bool errands_take(struct errands *e, const void *data)
{
    if (data == &e->told)
        ended_run(e);
    else if (data == e)
        e->guest.run(e->guest.guest);
    else
        return false;
    return true;
}

void errands_run(struct errands *e)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(e->epoll, events, EVENTS_MAX, 0);

    for (int i = 0; i < count; i++)
        (void)!errands_take(e, events[i].data.ptr); /* at the end of a loop it has no others */
}

static void await_all(struct errands *e, int64_t until_ms)
{
    int64_t left_ms;

    while (e->under_way > 0 && (left_ms = until_ms - clock_monotonic_ms()) > 0) {
        struct pollfd p = {.fd = e->epoll, .events = POLLIN};

        (void)poll(&p, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
        errands_run(e);
    }
}

bool errands_free(struct errands *e, int64_t wait_ms)
{
    if (e == NULL)
        return true;
    await_all(e, clock_monotonic_ms() + wait_ms);
    errands_lock_take(&e->lock);
    e->ending = true;
    for (int i = 0; i < ERRAND_LANES; i++)
        (void)pthread_cond_broadcast(&e->lanes[i].wake);
    errands_lock_give(&e->lock);
    if (e->under_way > 0)
        return false;
    for (int i = 0; i < ERRAND_LANES; i++) {
        while (e->lanes[i].count > 0)
            (void)pthread_join(e->lanes[i].threads[--e->lanes[i].count], NULL);
        (void)pthread_cond_destroy(&e->lanes[i].wake);
    }
    if (e->guest.free != NULL)
        e->guest.free(e->guest.guest);
    mutex_fini(&e->lock);
    descriptors_close(e);
    free(e);
    return true;
}
