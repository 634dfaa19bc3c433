/*
 * path-bench [MESSAGES [DOMAINS [THREADS]]]
 *
 * The way of a message behind the engines: session, classification, record, journal and log line,
 * without a milter protocol and without limits. Prints the processor time of a message, and of its
 * write(2) alone. What each function of it takes: valgrind --tool=callgrind
 * --toggle-collect=path_bench_run.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/sys/log.h"
#include "milter/dispatch.h"
#include "milter/maintenance.h"

enum { HEADERS = 9, BODY_BYTES = 2000, PER_SESSION = 10, NAME_BYTES = 64 };

static struct {
    char dir[64];
    struct dispatch dispatch;
    int messages, domains, threads;
} bench;

static void fail(const char *what)
{
    (void)fprintf(stderr, "path-bench: %s\n", what);
    exit(EX_OSERR);
}

static double cpu_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static FILE *file_make(const char *name, char path[128])
{
    FILE *f;

    (void)snprintf(path, 128, "%s/%s", bench.dir, name);
    f = fopen(path, "w");
    if (f == NULL)
        fail(path);
    return f;
}

static struct snapshot *site_load(void)
{
    char conf[128], domains[128];
    FILE *f = file_make("domains", domains);
    struct err err = {0};
    struct snapshot_settings *shared;
    struct snapshot *snapshot;
    struct settings *s;

    for (int i = 1; i <= bench.domains; i++)
        (void)fprintf(f, "d%d.test\n", i);
    (void)fclose(f);
    f = file_make("tollgate.conf", conf);
    (void)fprintf(f, "state_dir = \"%s\"; hosted: { domains = [\"file:%s\"]; };\n", bench.dir,
                  domains);
    (void)fclose(f);
    s = settings_load(conf, stderr, &err);
    shared = s == NULL ? NULL : snapshot_settings_new(s, &err);
    snapshot = shared == NULL ? NULL : maintenance_snapshot_load(shared, NULL, &err);
    if (snapshot == NULL)
        fail(err.text);
    (void)unlink(conf);
    (void)unlink(domains);
    return snapshot;
}

static void message(struct dispatch_connection *c, int number)
{
    char login[NAME_BYTES], path[NAME_BYTES + 2], queue_id[NAME_BYTES];
    struct session_macros mail = {.auth_authen = SLICE_NONE}, rcpt = {.rcpt_mailer = SLICE("smtp")},
                          end = {.queue_id = SLICE_NONE};
    struct session_action a;

    (void)snprintf(login, sizeof login, "alice@d%d.test", number % bench.domains + 1);
    (void)snprintf(path, sizeof path, "<%s>", login);
    (void)snprintf(queue_id, sizeof queue_id, "4b%010X", (unsigned)number);
    mail.auth_authen = mail.mail_addr = slice_str(login);
    rcpt.rcpt_addr = SLICE("bob@elsewhere.test");
    end.queue_id = slice_str(queue_id);
    a = dispatch_mail(c, slice_str(path), &mail);
    if (a.what == SESSION_CONTINUE)
        a = dispatch_rcpt(c, SLICE("<bob@elsewhere.test>"), &rcpt);
    for (int i = 0; i < HEADERS; i++)
        dispatch_header(c, SLICE("X-Header"), SLICE(" a value of some length, as a header has it"));
    dispatch_body(c, BODY_BYTES);
    if (a.what == SESSION_CONTINUE)
        a = dispatch_end(c, &end);
    if (a.what != SESSION_CONTINUE)
        fail("a message is refused");
    dispatch_abort(c);
}

static void session(int from, int to)
{
    struct session_client client = {SLICE("client.test"), FAMILY_INET, 4000, SLICE("203.0.113.9")};
    struct session_macros macros = {.version = SLICE("Postfix 3.7.11")};
    struct dispatch_connection *c = dispatch_enter(&bench.dispatch);

    if (c == NULL)
        fail("out of memory");
    (void)dispatch_connect(c, &client, &macros);
    (void)dispatch_helo(c);
    for (int i = from; i < to; i++)
        message(c, i);
    dispatch_leave(c);
}

/* Named, so that callgrind can be told to count here alone. */
void *path_bench_run(void *unused);
void *path_bench_run(void *unused)
{
    for (int i = 0; i < bench.messages / bench.threads; i += PER_SESSION)
        session(i, i + PER_SESSION);
    return unused;
}

static void run(void)
{
    pthread_t threads[64];

    for (int i = 0; i < bench.threads; i++) {
        if (pthread_create(&threads[i], NULL, path_bench_run, NULL) != 0)
            fail("no thread");
    }
    for (int i = 0; i < bench.threads; i++)
        (void)pthread_join(threads[i], NULL);
}

static void clear(void)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf %s", bench.dir);
    if (system(command) != 0)
        fail("the folder cannot be removed");
}

int main(int argc, char **argv)
{
    struct journal *j;
    struct err err;
    char dir[128];
    double from;

    bench.messages = argc > 1 ? atoi(argv[1]) : 100000;
    bench.domains = argc > 2 ? atoi(argv[2]) : 1000;
    bench.threads = argc > 3 ? atoi(argv[3]) : 1;
    if (bench.messages < 1 || bench.domains < 1 || bench.threads < 1 || bench.threads > 64) {
        (void)fprintf(stderr, "usage: path-bench [MESSAGES [DOMAINS [THREADS]]]\n");
        return EX_USAGE;
    }
    (void)snprintf(bench.dir, sizeof bench.dir, "/tmp/tg-path-XXXXXX");
    if (mkdtemp(bench.dir) == NULL)
        fail("no folder in /tmp");
    log_open("path-bench", LOG_TARGET_STDERR, LOG_MAIL,
             getenv("TG_LOG_INFO") != NULL ? LOG_INFO : LOG_ERR);
    (void)snprintf(dir, sizeof dir, "%s/journal", bench.dir);
    j = journal_open(&(struct journal_config){.dir = dir, .sync = SYNC_NEVER}, &err);
    if (j == NULL)
        fail(err.text);
    dispatch_init(&bench.dispatch, &(struct dispatch_parts){.journal = j, .snapshot = site_load()});
    from = cpu_us();
    run();
    (void)printf("%.2f us of processor time a message\n", (cpu_us() - from) / bench.messages);
    snapshot_drop(dispatch_snapshot(&bench.dispatch));
    journal_close(j);
    clear();
    return EX_OK;
}
