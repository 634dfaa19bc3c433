/* dispatch behind an engine that serves many connections in one thread: no call waits for a source
 * or a disk, and each is answered in the end. */
#include "t/tap.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/sys/log.h"
#include "t/milter/dispatch_fixture.h"

enum { WAIT_MS = 20000, STEP_MS = 20 };

static struct dispatch dispatch;
static struct journal *journal;
static struct errands *errands;
static char map_path[96];

/* A map that answers when the gate is open; shut for good, it hangs up. */
static atomic_bool gate, is_shut;
static atomic_uint asked;

/* What the engine has of a connection. */
struct peer {
    struct dispatch_connection *c;
    struct session_action last;
    unsigned resumed;
};

static void *map_serve(void *context)
{
    int fd = *(int *)context;
    char request[512];

    free(context);
    while (read(fd, request, sizeof request) > 0) {
        const char *reply =
            memmem(request, sizeof request, "known.test", 10) != NULL ? "3:OK ," : "9:NOTFOUND ,";

        (void)atomic_fetch_add(&asked, 1);
        while (!atomic_load(&gate) && !atomic_load(&is_shut))
            (void)usleep(1000);
        if (atomic_load(&is_shut) || write(fd, reply, strlen(reply)) < 0)
            break;
        memset(request, 0, sizeof request);
    }
    (void)close(fd);
    return NULL;
}

static void *map_run(void *context)
{
    int listener = *(int *)context;

    for (;;) {
        int *fd = malloc(sizeof *fd);
        pthread_t thread;

        *fd = accept(listener, NULL, NULL);
        if (*fd < 0) {
            free(fd);
            return NULL;
        }
        TG_ASSERT(pthread_create(&thread, NULL, map_serve, fd) == 0);
        (void)pthread_detach(thread);
    }
}

static int map_open(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(map_path, sizeof map_path, "%s/map", fixture_top);
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", map_path);
    TG_ASSERT(bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 64) == 0);
    return fd;
}

/* --- the engine ------------------------------------------------------------------------------- */

static void resumed(void *context, struct session_action a)
{
    struct peer *p = context;

    p->last = a;
    p->resumed++;
}

static void start(const char *more)
{
    struct err err = {0};
    struct snapshot *s = dispatch_fixture_snapshot(more);

    journal = fixture_open(0, (int)s->settings->ledger.sync);
    dispatch_init(&dispatch, &(struct dispatch_parts){.journal = journal, .snapshot = s});
    errands = dispatch_errands_new(&dispatch, &err);
    atomic_store(&gate, false);
    atomic_store(&is_shut, false);
}

static void stop(void)
{
    OK(errands_free(errands, WAIT_MS), "no errand is left");
    OK(dispatch_close(&dispatch, 0), "nor a call");
    dispatch_detach(&dispatch, true);
    IS_INT(atomic_load(&dispatch.sessions), 0, "nor a session");
    IS_INT(atomic_load(&dispatch.open_messages), 0, "nor a message");
    dispatch_fixture_free(&dispatch);
    journal_close(journal);
    fixture_clear();
}

static void enter(struct peer *p)
{
    *p = (struct peer){.c = dispatch_enter(&dispatch)};
    dispatch_wait_with(p->c, &(struct dispatch_waiter){errands, resumed, p});
}

static enum session_do say(struct peer *p, const char *to)
{
    p->resumed = 0;
    p->last = dispatch_fixture_message(p->c, to);
    return p->last.what;
}

static bool run_until_resumed(const struct peer *p)
{
    struct pollfd poller = {.fd = errands_fd(errands), .events = POLLIN};

    while (p->resumed == 0 && poll(&poller, 1, WAIT_MS) == 1)
        errands_run(errands);
    return p->resumed == 1;
}

static bool wait_until_asked(unsigned count)
{
    for (int i = 0; i < WAIT_MS && atomic_load(&asked) < count; i++)
        (void)usleep(1000);
    return atomic_load(&asked) >= count;
}

static uint64_t records(void)
{
    uint64_t next;

    (void)journal_now(journal, &next);
    return next - 1;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_sources(void)
{
    char more[160];
    struct peer one, two, other;

    (void)snprintf(more, sizeof more, ", \"socketmap:unix:%s:domains\"", map_path);
    start(more);
    enter(&one);
    enter(&two);
    enter(&other);
    IS_INT(say(&one, "<a@known.test>"), SESSION_WAIT, "a question to a map: the call waits");
    IS_INT(say(&two, "<b@two.known.test>"), SESSION_WAIT, "another");
    IS_INT(say(&other, "<bob@example.com>"), SESSION_CONTINUE, "what needs no map goes on");
    IS_INT(records(), 1, "and is counted");
    IS_INT(atomic_load(&dispatch.open_messages), 2, "those that wait are under way");
    OK(!dispatch_close(&dispatch, STEP_MS), "and a close awaits them");
    atomic_store(&dispatch.closed, false);
    atomic_store(&gate, true);
    OK(run_until_resumed(&one) && run_until_resumed(&two), "both are resumed");
    OK(one.last.what == SESSION_CONTINUE && two.last.what == SESSION_CONTINUE, "and accepted");
    IS_INT(records(), 3, "and counted");
    IS_INT(say(&one, "<c@known.test>"), SESSION_CONTINUE, "an answer that is known needs no wait");
    dispatch_leave(one.c);
    dispatch_leave(two.c);
    dispatch_leave(other.c);
    stop();
}

static void test_source_fails(void)
{
    char more[160];
    struct peer p;

    (void)snprintf(more, sizeof more, ", \"socketmap:unix:%s:domains\"", map_path);
    start(more);
    enter(&p);
    atomic_store(&is_shut, true);
    IS_INT(say(&p, "<a@known.test>"), SESSION_WAIT, "a map that hangs up");
    OK(run_until_resumed(&p) && p.last.what == SESSION_REPLY && strcmp(p.last.code, "451") == 0,
       "the message is deferred");
    dispatch_leave(p.c);
    stop();
}

/* The MTA goes away while its message waits. */
static void test_left(void)
{
    char more[160];
    struct peer p;

    (void)snprintf(more, sizeof more, ", \"socketmap:unix:%s:domains\"", map_path);
    start(more);
    enter(&p);
    atomic_store(&asked, 0);
    IS_INT(say(&p, "<a@known.test>"), SESSION_WAIT, "a message waits");
    OK(wait_until_asked(1), "its map is asked");
    dispatch_leave(p.c);
    OK(!dispatch_close(&dispatch, STEP_MS), "what it uses is not let go yet");
    atomic_store(&dispatch.closed, false);
    OK(!errands_free(errands, STEP_MS), "nor are its errands");
    atomic_store(&gate, true);
    OK(errands_free(errands, WAIT_MS), "until the map answers");
    errands = NULL;
    IS_INT(p.resumed, 0, "the engine hears no more of it");
    IS_INT(records(), 0, "it counts nowhere");
    stop();
}

static void test_sync(void)
{
    struct peer p;

    start("ledger: { sync = \"always\"; };");
    enter(&p);
    IS_INT(say(&p, "<bob@example.com>"), SESSION_WAIT, "a sync of the disk is waited for");
    OK(run_until_resumed(&p) && p.last.what == SESSION_CONTINUE, "the message is accepted");
    IS_INT(records(), 1, "and on the disk");
    IS_INT(say(&p, "<bob@example.com>"), SESSION_WAIT, "the next one");
    dispatch_leave(p.c);
    OK(errands_free(errands, WAIT_MS), "a record that is begun is written");
    errands = NULL;
    IS_INT(records(), 2, "though nobody awaits its answer");
    stop();
}

int main(void)
{
    pthread_t map;
    int listener;

    fixture_init();
    log_open("dispatch_wait-t", LOG_TARGET_STDERR, LOG_MAIL, LOG_CRIT);
    listener = map_open();
    TG_ASSERT(pthread_create(&map, NULL, map_run, &listener) == 0);
    test_sources();
    test_source_fails();
    test_left();
    test_sync();
    (void)shutdown(listener, SHUT_RDWR);
    (void)pthread_join(map, NULL);
    (void)close(listener);
    (void)unlink(map_path);
    fixture_fini();
    return tap_done();
}
