/* dispatch: once it is closed and detached, calls reach nothing that may be freed, whatever threads
 * an engine has left. Under the sanitizers a call that does is a use after free. */
#include "t/tap.h"

#include <pthread.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "milter/dispatch.h"
#include "milter/maintenance.h"
#include "t/sys/journal_fixture.h"

enum { THREADS = 4, BEFORE = 200, AFTER = 100, WAIT_MS = 20000 };

static struct dispatch dispatch;
static atomic_uint accepted, refused, other;
static atomic_bool ending;

static struct snapshot *load_snapshot(void)
{
    char conf[128], domains[128];
    struct err err = {0};
    struct snapshot_settings *shared;
    struct snapshot *snapshot;
    struct settings *s;
    FILE *f;

    (void)snprintf(conf, sizeof conf, "%s/tollgate.conf", fixture_top);
    (void)snprintf(domains, sizeof domains, "%s/domains", fixture_top);
    f = fopen(domains, "w");
    (void)fputs("example.com\n", f);
    (void)fclose(f);
    f = fopen(conf, "w");
    (void)fprintf(f, "state_dir = \"%s\"; hosted: { domains = [\"file:%s\"]; };\n", fixture_top,
                  domains);
    (void)fclose(f);
    s = settings_load(conf, stderr, &err);
    shared = snapshot_settings_new(s, &err);
    snapshot = maintenance_snapshot_load(shared, NULL, &err);
    (void)unlink(conf);
    (void)unlink(domains);
    return snapshot;
}

static struct session_action one_message(struct dispatch_connection *c)
{
    struct session_client client = {SLICE("mx.test"), FAMILY_INET, 25, SLICE("192.0.2.1")};
    struct session_macros macros = {.queue_id = SLICE("Q1")};
    struct session_action a = dispatch_connect(c, &client, &macros);

    if (a.what == SESSION_CONTINUE)
        a = dispatch_mail(c, SLICE("<x@far.test>"), &macros);
    if (a.what == SESSION_CONTINUE)
        a = dispatch_rcpt(c, SLICE("<bob@example.com>"), &macros);
    dispatch_body(c, 100);
    return a.what == SESSION_CONTINUE ? dispatch_end(c, &macros) : a;
}

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
        struct session_action a = one_message(c);

        count(&a);
        dispatch_leave(c);
        a = one_message(kept); /* its session spans the end */
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

    dispatch_init(&dispatch, &(struct dispatch_parts){.journal = j, .snapshot = load_snapshot()});
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
    snapshot_drop(dispatch_snapshot(&dispatch));
}

int main(void)
{
    fixture_init();
    log_open("dispatch-t", LOG_TARGET_STDERR, LOG_MAIL, LOG_ERR);
    test_close();
    fixture_fini();
    return tap_done();
}
