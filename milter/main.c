/* tollgated: options, and the order in which a daemon becomes one. Its manual: doc/tollgated.8. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "milter/engine.h"
#include "milter/events.h"
#include "milter/process.h"
#include "milter/tollgated.h"

enum { LOCK_WAIT_MS = 15000 }; /* for the one before us to end */

struct options {
    const char *file;
    bool foreground, test, print;
};

static const char usage[] = "usage: tollgated [-f] [-c FILE]     serve; -f: in the foreground\n"
                            "       tollgated -t [-c FILE]       test the configuration and exit\n"
                            "       tollgated -T [-c FILE]       print the configuration and exit\n"
                            "       tollgated -h | -V            this help; the version\n";

static void parse_options(struct options *o, int argc, char **argv)
{
    int option;

    *o = (struct options){.file = settings_default_file};
    while ((option = getopt(argc, argv, "+c:fhtTV")) != -1) {
        if (option == 'c')
            o->file = optarg;
        else if (option == 'f')
            o->foreground = true;
        else if (option == 't')
            o->test = true;
        else if (option == 'T')
            o->print = true;
        else if (option == 'V')
            exit(printf("tollgated %s\n", PACKAGE_VERSION) > 0 ? EX_OK : EX_IOERR);
        else
            exit(fputs(usage, option == 'h' ? stdout : stderr) != EOF && option == 'h' ? EX_OK
                                                                                       : EX_USAGE);
    }
    if (optind < argc) {
        (void)fprintf(stderr, "tollgated: no argument is taken: %s\n%s", argv[optind], usage);
        exit(EX_USAGE);
    }
}

static int complain(const struct err *err)
{
    (void)fprintf(stderr, "tollgated: %s\n", err->text);
    return err->code != 0 ? err->code : EX_SOFTWARE;
}

/* Faults have been told, unless the file itself cannot be read; which is no less a fault of the
 * configuration. */
static struct settings *read_settings(const char *file, int *exit_code)
{
    struct err err = {0};
    struct settings *s = settings_load(file, stderr, &err);

    if (s == NULL && err.code != EX_CONFIG)
        (void)complain(&err);
    *exit_code = s != NULL ? EX_OK : EX_CONFIG;
    return s;
}

/* What is missing or wrong in a source is a fault; a server that is away is not. */
static int test_sources(const struct settings *s)
{
    struct err err = {0};
    struct world *w = world_load(s, stderr, &err);

    if (w != NULL) {
        world_free(w);
        return EX_OK;
    }
    (void)complain(&err);
    return err.code == EX_UNAVAILABLE || err.code == EX_TEMPFAIL ? EX_OK : EX_CONFIG;
}

/* All that root may be needed for, then root no more. */
static int settle(const struct settings *s, struct err *err)
{
    struct account account;

    if (account_find(s->user, &account, err) != 0 ||
        state_dir_make(s->state_dir, &account, err) != 0 ||
        state_dir_lock(s->state_dir, LOCK_WAIT_MS, err) != 0 || events_open(err) != 0 ||
        engine_open(s, account.name[0] != '\0' ? (int)account.uid : -1, err) != 0)
        return -1;
    state_dir_lock_sign();
    return account_become(&account, err);
}

static int start(struct tollgated *d, const struct options *o, struct settings *s, struct err *err)
{
    if (zone_set(s->timezone, err) != 0 || (!o->foreground && background_begin(err) != 0) ||
        settle(s, err) != 0) {
        settings_free(s);
        return -1;
    }
    log_open("tollgated", (enum log_target)s->log.target, s->log.facility, s->log.level);
    return tollgated_open(d, o->file, s, err);
}

/* A failed start is told to whoever started us, and to the log. */
static int fail(struct tollgated *d, const struct err *err)
{
    log_event(LOG_ERR, "cannot start", LOG_ERROR("error", err));
    tollgated_close(d);
    background_done(complain(err));
    return err->code != 0 ? err->code : EX_SOFTWARE;
}

static int serve(const struct options *o, struct settings *s)
{
    static struct tollgated daemon; /* libmilter's threads use it to the last moment */
    struct err err = {0};
    int done;

    events_ignore();
    (void)umask(077);
    if (start(&daemon, o, s, &err) != 0)
        return fail(&daemon, &err);
    background_done(EX_OK);
    log_event(LOG_NOTICE, "started", LOG_STR("version", PACKAGE_VERSION), LOG_STR("node", s->node),
              LOG_STR("socket", s->milter.socket));
    done = tollgated_serve(&daemon, &err);
    tollgated_close(&daemon);
    if (done != 0)
        log_event(LOG_ERR, "ended by itself", LOG_ERROR("error", &err));
    else
        log_plain(LOG_NOTICE, "stopped");
    return done == 0 ? EX_OK : err.code;
}

int main(int argc, char **argv)
{
    struct options o;
    struct settings *s;
    int exit_code;

    parse_options(&o, argc, argv);
    s = read_settings(o.file, &exit_code);
    if (s == NULL)
        return exit_code;
    if (o.print)
        settings_print(s, stdout);
    if (o.test)
        exit_code = test_sources(s);
    if (!o.print && !o.test)
        return serve(&o, s);
    settings_free(s);
    return exit_code;
}
