/* tollgate-collect: options, and the order in which a daemon becomes one. Its manual:
 * doc/tollgate-collect.8. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "collect/check.h"
#include "collect/collector.h"
#include "collect/explain.h"
#include "lib/core/period.h"
#include "lib/sys/clock.h"
#include "lib/sys/daemon.h"
#include "lib/sys/files.h"
#include "lib/sys/lock_file.h"
#include "lib/sys/log.h"
#include "lib/sys/privileges.h"
#include "lib/sys/signals.h"

#define NAME "tollgate-collect"

enum { LOCK_WAIT_MS = 15000 }; /* for a predecessor to end */
enum { OPTION_ONCE = 256, OPTION_FROM, OPTION_EXPLAIN, OPTION_COVERAGE };

/* What its own options say. */
struct asked {
    bool once;
    const char *from, *explain, *coverage;
};

static int complain(const struct err *err)
{
    return daemon_complain(NAME, err);
}

static int option_take(void *context, int value, const char *argument, FILE *complaints)
{
    struct asked *a = context;

    (void)complaints;
    if (value == OPTION_ONCE)
        a->once = true;
    else if (value == OPTION_FROM)
        a->from = argument;
    else if (value == OPTION_EXPLAIN)
        a->explain = argument;
    else
        a->coverage = argument;
    return -1;
}

/* --- without serving ---------------------------------------------------------------------------
 */

static int load_sources(void *context, struct err *err)
{
    const struct settings *s = context;
    struct hosts *h;

    if (check_logs(s, stderr, err) < 0)
        return -1;
    h = hosts_new(s, NULL, err);
    hosts_free(h);
    if (h == NULL)
        (void)fprintf(stderr, NAME ": %s\n", err->text);
    return h != NULL ? 0 : -1;
}

/* With the rights of the account. A server that is unreachable for now is no fault of the
 * configuration. */
static int test(struct settings *s)
{
    struct privileges_account account;
    struct err err = {0};

    if (privileges_find(s->collect.user, &account, &err) != 0) {
        (void)complain(&err);
        return EX_CONFIG;
    }
    if (privileges_try(&account, load_sources, s, &err) == 0)
        return EX_OK;
    return err.code == EX_UNAVAILABLE || err.code == EX_TEMPFAIL ? EX_OK : EX_CONFIG;
}

static int explain(const struct settings *s, const char *line)
{
    struct err err = {0};
    FILE *in = stdin;
    int rc;

    if (strcmp(line, "-") != 0)
        in = fmemopen((void *)(uintptr_t)line, strlen(line), "r");
    rc = in == NULL ? err_set(&err, EX_USAGE, "--explain: the line is empty")
                    : explain_lines(s, in, stdout, &err);
    if (in != NULL && in != stdin)
        (void)fclose(in);
    return rc == 0 ? EX_OK : complain(&err);
}

static int coverage(const struct settings *s, const char *path)
{
    struct err err = {0};

    return explain_coverage(s, path, stdout, &err) == 0 ? EX_OK : complain(&err);
}

/* --- serving -----------------------------------------------------------------------------------
 */

/* The directory of the ledger, below that of tollgated, and its lock, which is held until the
 * process ends. */
static int own_state(const struct settings *s, const struct privileges_account *account,
                     struct err *err)
{
    struct privileges_account milter;
    char dir[512], path[600];
    int lock;

    if (privileges_find(s->user, &milter, err) != 0 ||
        file_make_dir(s->state_dir, 0750, milter.uid, milter.gid, err) != 0 ||
        collector_dir(s, dir, sizeof dir, err) != 0 ||
        file_make_dir(dir, 0750, account->uid, account->gid, err) != 0)
        return -1;
    (void)snprintf(path, sizeof path, "%s/lock", dir);
    lock = lock_file_take(path, LOCK_WAIT_MS, err);
    if (lock < 0)
        return err_prefix(err, "state_dir");
    lock_file_sign(lock);
    return 0;
}

/* What may need root; then privileges are dropped. */
static int settle(const struct settings *s, struct err *err)
{
    struct privileges_account account;

    if (privileges_find(s->collect.user, &account, err) != 0 || own_state(s, &account, err) != 0 ||
        signals_open(err) != 0)
        return -1;
    return privileges_become(&account, "", err);
}

static int start(struct collector *c, const char *file, struct settings *s,
                 const struct collector_options *options, struct err *err)
{
    if (clock_zone_set(s->timezone, err) != 0 || settle(s, err) != 0 ||
        check_logs(s, NULL, err) != 0) {
        settings_free(s);
        return -1;
    }
    return collector_open(c, file, s, options, err);
}

static int fail(struct collector *c, struct daemon_background *b, const struct err *err)
{
    int code = daemon_background_failed(b, err);

    collector_close(c);
    daemon_background_done(b, code);
    return code;
}

static int run(struct collector *c)
{
    struct err err = {0};
    int rc = collector_serve(c, &err);

    collector_close(c);
    if (rc != 0)
        return complain(&err);
    log_plain(LOG_NOTICE, "stopped");
    return EX_OK;
}

static int serve(const struct daemon_options *o, struct settings *s,
                 const struct collector_options *options)
{
    bool foreground = o->foreground || options->once;
    struct daemon_background background;
    struct collector collector = {.file = NULL};
    struct err err = {0};
    int exit_code;

    signals_ignore();
    (void)umask(077);
    if (daemon_background_begin(&background, NAME, s, foreground, &exit_code) != 0) {
        settings_free(s);
        return exit_code;
    }
    if (start(&collector, o->file, s, options, &err) != 0)
        return fail(&collector, &background, &err);
    daemon_background_done(&background, EX_OK);
    log_event(LOG_NOTICE, "started", LOG_STR("version", PACKAGE_VERSION), LOG_STR("node", s->node),
              LOG_NUM("sources", s->collect.sources.count));
    return run(&collector);
}

/* --- what was asked for ------------------------------------------------------------------------
 */

static int options_make(const struct asked *a, const struct settings *s,
                        struct collector_options *out, struct err *err)
{
    time_t start, end;

    *out = (struct collector_options){.once = a->once};
    if (a->from == NULL)
        return 0;
    if (clock_zone_set(s->timezone, err) < 0 ||
        period_date_parse(slice_str(a->from), (time_t)(clock_unix_ms() / 1000), &start, &end, err) <
            0)
        return err_prefix(err, "--from");
    out->since_ms = (int64_t)start * 1000;
    return 0;
}

/* What is done without serving: -1 where nothing of that was asked for. */
static int look(const struct daemon_options *o, const struct asked *a, struct settings *s)
{
    int exit_code = -1;

    if (o->print)
        exit_code = daemon_settings_print(o, s, NAME, stderr);
    if (o->test)
        exit_code = test(s);
    if (exit_code <= EX_OK && a->explain != NULL)
        exit_code = explain(s, a->explain);
    if (exit_code <= EX_OK && a->coverage != NULL)
        exit_code = coverage(s, a->coverage);
    return exit_code;
}

static int answer(const struct daemon_options *o, const struct asked *a, struct settings *s)
{
    struct collector_options options;
    struct err err = {0};
    int exit_code = look(o, a, s);

    if (exit_code < 0 && options_make(a, s, &options, &err) == 0)
        return serve(o, s, &options);
    if (exit_code < 0) {
        (void)complain(&err);
        exit_code = EX_USAGE;
    }
    settings_free(s);
    return exit_code;
}

static int run_main(int argc, char **argv)
{
    static const struct option more[] = {{"once", no_argument, NULL, OPTION_ONCE},
                                         {"from", required_argument, NULL, OPTION_FROM},
                                         {"explain", required_argument, NULL, OPTION_EXPLAIN},
                                         {"coverage", required_argument, NULL, OPTION_COVERAGE},
                                         {NULL, 0, NULL, 0}};
    struct asked asked = {.once = false};
    const struct daemon_program program = {
        .name = NAME,
        .version = PACKAGE_VERSION,
        .commands =
            "       " NAME " --once              read what there is, push it, and exit\n"
            "       " NAME " --from DATE         begin with what was logged since then\n"
            "       " NAME " --explain LINE|-    say how lines are read and what they count\n"
            "       " NAME " --coverage FILE     say how much of a log is understood\n",
        .more = more,
        .take = option_take,
        .context = &asked};
    struct daemon_options o;
    struct settings *s;
    int exit_code = daemon_options_read(argc, argv, &program, &o, stdout, stderr);

    if (exit_code >= 0)
        return exit_code;
    s = daemon_settings(&o, NAME, stderr, &exit_code);
    return s == NULL ? exit_code : answer(&o, &asked, s);
}

int main(int argc, char **argv)
{
    return daemon_main(NAME, run_main, argc, argv);
}
