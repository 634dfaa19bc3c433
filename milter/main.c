/* tollgated: options, and the order in which a daemon becomes one. Its manual: doc/tollgated.8. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/daemon.h"
#include "lib/sys/files.h"
#include "lib/sys/lock_file.h"
#include "lib/sys/log.h"
#include "lib/sys/privileges.h"
#include "lib/sys/signals.h"
#include "lib/sys/socket_name.h"
#include "milter/check.h"
#include "milter/engine.h"
#include "milter/listen.h"
#include "milter/repair.h"
#include "milter/tollgated.h"

enum { LOCK_WAIT_MS = 15000 }; /* for a predecessor to end */

static int complain(const struct err *err)
{
    return daemon_complain("tollgated", err);
}

static int load_sources(void *context, struct err *err)
{
    const struct settings *s = context;
    struct hosted *w = source_load(s, stderr, err);

    check_warn(s, w, stderr);
    hosted_free(w);
    return w != NULL ? 0 : -1;
}

/* A start, but for serving; sources are read with the privileges of `user`, as the daemon does. A
 * source that is missing or wrong is a fault; a server that is unreachable is not. */
static int test(struct settings *s)
{
    struct privileges_account account;
    struct err err = {0};
    int exit_code = check_machine(s, CHECK_TEST, stderr, &err) == 0 ? EX_OK : EX_CONFIG;

    if (privileges_find(s->user, &account, &err) != 0)
        return EX_CONFIG; /* check_machine has said so */
    if (privileges_try(&account, load_sources, s, &err) == 0)
        return exit_code;
    (void)complain(&err);
    return err.code == EX_UNAVAILABLE || err.code == EX_TEMPFAIL ? exit_code : EX_CONFIG;
}

/* The state directory and its lock, which is held until the process ends. */
static int own_state(const struct settings *s, const struct privileges_account *account,
                     struct err *err)
{
    char path[512];
    int lock;

    if (file_make_dir(s->state_dir, 0750, account->uid, account->gid, err) != 0)
        return -1;
    (void)snprintf(path, sizeof path, "%s/lock", s->state_dir);
    lock = lock_file_take(path, LOCK_WAIT_MS, err);
    if (lock < 0)
        return err_prefix(err, "state_dir");
    lock_file_sign(lock);
    return 0;
}

/* In a directory that others may change, root makes the socket as the account would. */
static int open_socket(const struct settings *s, const struct privileges_account *account,
                       struct err *err)
{
    bool is_root = account->name[0] != '\0';
    struct socket_name name;
    struct arena arena;
    bool is_shared;
    int done;

    arena_init(&arena, 4096);
    done = socket_name_parse(slice_str(s->milter.socket), &arena, &name, err);
    is_shared = done == 0 && name.family == SOCKET_UNIX && listen_is_shared(name.path);
    arena_fini(&arena);
    if (done != 0)
        return -1;
    if (!is_root || !is_shared)
        return engine_find(s)->open(s, is_root ? (int)account->uid : -1, err);
    done = privileges_files_as(account, s->milter.group, err);
    if (done == 0)
        done = engine_find(s)->open(s, -1, err);
    privileges_files_root(account);
    return done;
}

/* What may need root; then privileges are dropped. */
static int settle(const struct settings *s, struct err *err)
{
    struct privileges_account account;

    if (privileges_find(s->user, &account, err) != 0 || own_state(s, &account, err) != 0 ||
        signals_open(err) != 0)
        return -1;
    if (open_socket(s, &account, err) != 0)
        return -1;
    return privileges_become(&account, "", err);
}

static int start(struct tollgated *d, const char *file, struct settings *s, struct err *err)
{
    d->engine = engine_find(s);
    if (clock_zone_set(s->timezone, err) != 0 || check_machine(s, CHECK_START, NULL, err) != 0 ||
        settle(s, err) != 0) {
        settings_free(s);
        return -1;
    }
    return tollgated_open(d, file, s, err);
}

static int fail(struct tollgated *d, struct daemon_background *b, const struct err *err)
{
    int code = daemon_background_failed(b, err);

    tollgated_close(d);
    daemon_background_done(b, code);
    return code;
}

static int run(struct tollgated *d)
{
    struct err err = {0};

    if (tollgated_serve(d, &err) == 0) {
        tollgated_close(d);
        log_plain(LOG_NOTICE, "stopped");
        return EX_OK;
    }
    tollgated_close(d);
    log_event(LOG_ERR, "milter engine exited unexpectedly", LOG_ERROR("error", &err));
    return err.code;
}

static int serve(const struct daemon_options *o, struct settings *s)
{
    static struct tollgated daemon; /* static: libmilter's threads use it until the process ends */
    struct daemon_background background;
    struct err err = {0};
    int exit_code;

    signals_ignore();
    (void)umask(077);
    if (daemon_background_begin(&background, "tollgated", s, o->foreground, &exit_code) != 0) {
        settings_free(s);
        return exit_code;
    }
    if (start(&daemon, o->file, s, &err) != 0)
        return fail(&daemon, &background, &err);
    daemon_background_done(&background, EX_OK);
    log_event(LOG_NOTICE, "started", LOG_STR("version", PACKAGE_VERSION), LOG_STR("node", s->node),
              LOG_STR("socket", s->milter.socket));
    return run(&daemon);
}

/* With the lock and the account of a daemon, and its log on the terminal. */
static int repair(const struct settings *s)
{
    struct privileges_account account;
    struct err err = {0};

    (void)umask(077);
    log_open("tollgated", LOG_TARGET_STDERR, s->log.facility, s->log.level);
    if (clock_zone_set(s->timezone, &err) != 0 || privileges_find(s->user, &account, &err) != 0 ||
        own_state(s, &account, &err) != 0 || privileges_become(&account, "", &err) != 0 ||
        repair_run(s, stdout, &err) != 0)
        return complain(&err);
    return EX_OK;
}

enum { OPTION_REPAIR = 256 };

static int option_take(void *context, int value, const char *argument, FILE *complaints)
{
    bool *is_repair = context;

    (void)argument;
    (void)complaints;
    *is_repair = value == OPTION_REPAIR;
    return -1;
}

static int run_main(int argc, char **argv)
{
    static const struct option more[] = {{"repair", no_argument, NULL, OPTION_REPAIR},
                                         {NULL, 0, NULL, 0}};
    bool is_repair = false;
    const struct daemon_program program = {
        .name = "tollgated",
        .version = PACKAGE_VERSION,
        .commands = "       tollgated --repair           repair a damaged journal or a lost ledger "
                    "and exit\n",
        .more = more,
        .take = option_take,
        .context = &is_repair};
    struct daemon_options o;
    struct settings *s;
    int exit_code = daemon_options_read(argc, argv, &program, &o, stdout, stderr);

    if (exit_code >= 0)
        return exit_code;
    s = daemon_settings(&o, "tollgated", stderr, &exit_code);
    if (s == NULL)
        return exit_code;
    if (!o.print && !o.test && !is_repair)
        return serve(&o, s);
    if (is_repair)
        exit_code = repair(s);
    if (o.print)
        exit_code = daemon_settings_print(&o, s, "tollgated", stderr);
    if (o.test)
        exit_code = test(s);
    settings_free(s);
    return exit_code;
}

int main(int argc, char **argv)
{
    return daemon_main("tollgated", run_main, argc, argv);
}
