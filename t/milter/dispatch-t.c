/* dispatch: once it is closed and detached, calls reach nothing that may be freed, whatever threads
 * an engine has left. Under the sanitizers a call that does is a use after free. */
#include "t/tap.h"

#include <pthread.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "t/milter/dispatch_fixture.h"

enum { THREADS = 4, BEFORE = 200, AFTER = 100, WAIT_MS = 20000 };

static struct dispatch dispatch;
static atomic_uint accepted, refused, other;
static atomic_bool ending;

static void count(const struct session_action *a)
{
    if (a->what == SESSION_CONTINUE)
        (void)atomic_fetch_add(&accepted, 1);
    else if (a->what == SESSION_REPLY && strcmp(a->code, "451") == 0 &&
             strcmp(a->enhanced, "4.3.2") == 0)
        (void)atomic_fetch_add(&refused, 1);
    else
        (void)atomic_fetch_add(&other, 1);
}

/* An engine's thread that does not hear of the end. */
static void *run_engine(void *unused)
{
    struct dispatch_connection *kept = dispatch_enter(&dispatch);

    while (!atomic_load(&ending)) {
        struct dispatch_connection *c = dispatch_enter(&dispatch);
        struct session_action a = dispatch_fixture_message(c, "<bob@example.com>");

        count(&a);
        dispatch_leave(c);
        a = dispatch_fixture_message(kept, "<bob@example.com>"); /* its session spans the end */
        count(&a);
    }
    dispatch_leave(kept);
    return unused;
}

static bool wait_until_above(atomic_uint *counter, unsigned n)
{
    int64_t until_ms = clock_monotonic_ms() + WAIT_MS;

    while (atomic_load(counter) <= n && clock_monotonic_ms() < until_ms)
        clock_sleep_ms(1);
    return atomic_load(counter) > n;
}

static void test_close(void)
{
    pthread_t threads[THREADS];
    struct journal *j = fixture_open(0, SYNC_NEVER);
    uint64_t next;
    unsigned before;

    dispatch_init(&dispatch, &(struct dispatch_parts){.journal = j,
                                                      .snapshot = dispatch_fixture_snapshot("")});
    for (int i = 0; i < THREADS; i++)
        TG_ASSERT(pthread_create(&threads[i], NULL, run_engine, NULL) == 0);
    OK(wait_until_above(&accepted, BEFORE), "messages are accepted");
    OK(dispatch_close(&dispatch, WAIT_MS), "no call is left");
    dispatch_detach(&dispatch, true);
    before = atomic_load(&accepted);
    (void)journal_now(j, &next);
    OK(next - 1 >= before, "each accepted one is in the journal");
    journal_close(j);
    OK(wait_until_above(&refused, AFTER), "what comes later is deferred");
    atomic_store(&ending, true);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    OK(atomic_load(&accepted) - before <= THREADS, "none is accepted, but what had its answer");
    IS_INT(atomic_load(&other), 0, "there is no other answer");
    IS_INT(atomic_load(&dispatch.open_messages), 0, "no message is left open");
    IS_INT(atomic_load(&dispatch.sessions), 0, "no session is left");
    dispatch_fixture_free(&dispatch);
}

int main(void)
{
    fixture_init();
    log_open("dispatch-t", LOG_TARGET_STDERR, LOG_MAIL, LOG_ERR);
    test_close();
    fixture_fini();
    return tap_done();
}
