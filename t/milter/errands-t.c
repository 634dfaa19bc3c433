/* errands: what blocks is done by other threads, and ends in the loop's own. */
#include "t/tap.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "milter/errands.h"

enum { MANY = 200, WAIT_MS = 20000 };

/* A task that ends when the gate is open. */
struct task {
    struct errand errand;
    atomic_bool *gate;
    bool is_over_there; /* not done in the loop's thread */
    bool is_here;       /* handed over in it */
    int again;          /* times that it is still to be begun */
};

static pthread_t loop;
static struct errands *errands;
static atomic_bool open_gate = true, closed_gate;
static unsigned ended;

static struct task *task_of(struct errand *e)
{
    return (struct task *)(void *)((char *)e - offsetof(struct task, errand));
}

static void work(struct errand *e)
{
    struct task *t = task_of(e);

    while (!atomic_load(t->gate))
        (void)usleep(1000);
    t->is_over_there = pthread_equal(pthread_self(), loop) == 0;
}

static void done(struct errand *e)
{
    struct task *t = task_of(e);

    t->is_here = pthread_equal(pthread_self(), loop) != 0;
    ended++;
    if (t->again-- > 0)
        errands_begin(errands, ERRAND_SOURCES, e);
}

static struct task task_make(atomic_bool *gate, int again)
{
    return (struct task){.errand = {.work = work, .done = done}, .gate = gate, .again = again};
}

static bool run_until(unsigned count)
{
    struct pollfd p = {.fd = errands_fd(errands), .events = POLLIN};

    while (ended < count && poll(&p, 1, WAIT_MS) == 1)
        errands_run(errands);
    return ended >= count;
}

static void start(void)
{
    struct err err = {0};

    errands = errands_new(&err);
    ended = 0;
}

static void test_many(void)
{
    static struct task tasks[MANY];
    unsigned there = 0, here = 0;

    start();
    for (int i = 0; i < MANY; i++) {
        tasks[i] = task_make(&open_gate, 1);
        errands_begin(errands, (enum errand_lane)(i % ERRAND_LANES), &tasks[i].errand);
    }
    OK(run_until(2 * MANY), "each ends, and may be begun again where it ends");
    for (int i = 0; i < MANY; i++) {
        there += tasks[i].is_over_there;
        here += tasks[i].is_here;
    }
    IS_INT(there, MANY, "the work is done in other threads");
    IS_INT(here, MANY, "the end is told in the loop's");
    OK(errands_free(errands, 0), "nothing is left");
}

/* A loop that waits on the set itself, with a descriptor of its own in it. */
static void test_shared_set(void)
{
    struct task task = task_make(&open_gate, 0);
    int own = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &own};
    unsigned taken = 0;

    start();
    OK(epoll_ctl(errands_fd(errands), EPOLL_CTL_ADD, own, &e) == 0, "a descriptor of the loop's");
    errands_begin(errands, ERRAND_STORE, &task.errand);
    while (ended == 0 && epoll_wait(errands_fd(errands), &e, 1, WAIT_MS) == 1) {
        if (errands_take(errands, e.data.ptr))
            taken++;
    }
    OK(ended == 1 && taken == 1, "the end of an errand is an event of the set");
    (void)epoll_wait(errands_fd(errands), &e, 1, WAIT_MS);
    OK(!errands_take(errands, e.data.ptr) && e.data.ptr == &own, "the loop's event is not taken");
    (void)close(own);
    OK(errands_free(errands, 0), "nothing is left");
}

/* More than there are threads. */
static void test_lanes(void)
{
    static struct task stuck[MANY];
    struct task other = task_make(&open_gate, 0);

    start();
    for (int i = 0; i < MANY; i++) {
        stuck[i] = task_make(&closed_gate, 0);
        errands_begin(errands, ERRAND_SOURCES, &stuck[i].errand);
    }
    errands_begin(errands, ERRAND_STORE, &other.errand);
    OK(run_until(1) && other.is_here, "a lane that hangs does not hold up another");
    IS_INT(ended, 1, "and nothing of it has ended");
    atomic_store(&closed_gate, true);
    OK(run_until(MANY + 1), "what waited its turn ends, too");
    OK(errands_free(errands, 0), "nothing is left");
    atomic_store(&closed_gate, false);
}

static void *open_later(void *gate)
{
    (void)usleep(100000);
    atomic_store((atomic_bool *)gate, true);
    return NULL;
}

static void test_free(void)
{
    static struct task slow;
    pthread_t opener;
    struct errands *stuck;

    start();
    slow = task_make(&closed_gate, 0);
    errands_begin(errands, ERRAND_STORE, &slow.errand);
    (void)pthread_create(&opener, NULL, open_later, &closed_gate);
    OK(errands_free(errands, WAIT_MS) && slow.is_here, "the end awaits what is under way");
    (void)pthread_join(opener, NULL);
    atomic_store(&closed_gate, false);
    start();
    slow = task_make(&closed_gate, 0);
    errands_begin(errands, ERRAND_STORE, &slow.errand);
    stuck = errands;
    OK(!errands_free(stuck, 10) && !slow.is_here, "but not for ever");
    atomic_store(&closed_gate, true);
    OK(errands_free(stuck, WAIT_MS) && slow.is_here, "it can be tried again");
}

int main(void)
{
    loop = pthread_self();
    test_many();
    test_shared_set();
    test_lanes();
    test_free();
    return tap_done();
}
