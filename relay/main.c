/* tollgate-relay: a small SMTP relay. doc/tollgate-relay.8 says what it does. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "relay/policy.h"
#include "relay/scheduler.h"
#include "relay/server.h"

#define GRACE_MS   10000
#define REFRESH_MS 3000

struct options {
    const char *file;
    bool foreground, test, print;
};

static void usage(FILE *out)
{
    (void)fputs("usage: tollgate-relay [-ftThV] [-c file]\n"
                "  -c file  configuration (default: " SYSCONFDIR "/tollgate/tollgate.conf)\n"
                "  -f       stay in the foreground\n"
                "  -t       test the configuration and exit\n"
                "  -T       print the effective configuration and exit\n"
                "  -V, -h   version, this help\n",
                out);
}

/* Returns -1 to go on, else the exit code. */
static int parse_options(int argc, char **argv, struct options *o)
{
    int c;

    while ((c = getopt(argc, argv, "c:ftTVh")) != -1) {
        switch (c) {
        case 'c':
            o->file = optarg;
            break;
        case 'f':
            o->foreground = true;
            break;
        case 't':
            o->test = true;
            break;
        case 'T':
            o->print = true;
            break;
        case 'V':
            (void)puts("tollgate-relay " PACKAGE_VERSION);
            return EX_OK;
        case 'h':
            usage(stdout);
            return EX_OK;
        default:
            usage(stderr);
            return EX_USAGE;
        }
    }
    if (optind < argc) {
        usage(stderr);
        return EX_USAGE;
    }
    return -1;
}

static int complain(const struct err *err)
{
    (void)fprintf(stderr, "tollgate-relay: %s\n", err->text);
    return err->code != 0 ? err->code : EX_SOFTWARE;
}

/* --- what it runs on ------------------------------------------------------------------------- */

static int make_dir(const char *path, struct err *err)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    return err_set(err, EX_CANTCREAT, "cannot make the directory %s: %s", path, strerror(errno));
}

/* A directory of its own below state_dir, unless the setting names another. */
static int choose_dir(const struct settings *s, const char *setting, const char *name, char *path,
                      size_t room, struct err *err)
{
    (void)snprintf(path, room, "%s/relay", s->state_dir);
    if (setting[0] == '\0' && (make_dir(s->state_dir, err) != 0 || make_dir(path, err) != 0))
        return -1;
    if (setting[0] == '\0')
        (void)snprintf(path, room, "%s/relay/%s", s->state_dir, name);
    else
        (void)snprintf(path, room, "%s", setting);
    return make_dir(path, err);
}

static void choose_hostname(struct relay *relay)
{
    const char *name = relay->settings->relay.hostname;

    if (name[0] != '\0')
        (void)snprintf(relay->hostname, sizeof relay->hostname, "%s", name);
    else if (gethostname(relay->hostname, sizeof relay->hostname - 1) != 0)
        (void)snprintf(relay->hostname, sizeof relay->hostname, "localhost");
}

static int prepare(struct relay *relay, struct err *err)
{
    const struct settings *s = relay->settings;
    char queue_dir[512];

    choose_hostname(relay);
    if (choose_dir(s, s->relay.maildir_root, "maildir", relay->maildir_root,
                   sizeof relay->maildir_root, err) != 0 ||
        choose_dir(s, s->relay.queue_dir, "queue", queue_dir, sizeof queue_dir, err) != 0 ||
        queue_open(&relay->queue, queue_dir, err) != 0)
        return -1;
    relay->site = site_new(s, err);
    return relay->site == NULL ? -1 : 0;
}

/* --- signals --------------------------------------------------------------------------------- */

static int wake_pipe[2]; /* one byte a signal: 's' to stop, 'r' to reload */

static void on_signal(int number)
{
    char byte = number == SIGTERM || number == SIGINT ? 's' : 'r';
    int saved = errno;

    (void)!write(wake_pipe[1], &byte, 1);
    errno = saved;
}

static int catch_signals(struct err *err)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    if (pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return err_set(err, EX_OSERR, "cannot make a pipe: %s", strerror(errno));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        (void)sigaction(numbers[i], &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    return 0;
}

/* What stands in the pipe: 's' wins. */
static char woken(void)
{
    char bytes[64], what = '\0';
    ssize_t n;

    while ((n = read(wake_pipe[0], bytes, sizeof bytes)) > 0) {
        if (memchr(bytes, 's', (size_t)n) != NULL)
            what = 's';
        else if (what == '\0')
            what = 'r';
    }
    return what;
}

/* --- running --------------------------------------------------------------------------------- */

/* Domains, forwarders, logins and networks are taken anew; the relay's own settings need a restart.
 */
static void reload(struct relay *relay, struct settings **reloaded)
{
    struct err err = {.code = 0};
    struct settings *s = settings_load(relay->settings->file, NULL, &err);

    if (s == NULL || policy_check(s, &err) != 0 || site_reload(relay->site, s, &err) != 0) {
        log_event(LOG_ERR, "not reloaded: the old configuration stays", LOG_ERROR("error", &err));
        settings_free(s);
        return;
    }
    settings_free(*reloaded);
    *reloaded = s;
    log_event(LOG_NOTICE, "reloaded", LOG_STR("file", s->file));
}

static void run(struct relay *relay, struct server *server)
{
    struct settings *reloaded = NULL;
    char what = '\0';

    log_event(LOG_NOTICE, "started", LOG_STR("version", PACKAGE_VERSION),
              LOG_STR("hostname", relay->hostname), LOG_STR("queue", relay->queue.dir));
    while (what != 's') {
        if (!server_run(server, wake_pipe[0], clock_monotonic_ms() + REFRESH_MS)) {
            site_refresh(relay->site);
            continue;
        }
        what = woken();
        if (what == 'r')
            reload(relay, &reloaded);
    }
    log_plain(LOG_NOTICE, "stopping");
    if (!server_close(server, GRACE_MS))
        log_plain(LOG_WARNING, "sessions were still open");
    scheduler_stop(relay->scheduler, GRACE_MS);
    log_plain(LOG_NOTICE, "stopped");
    settings_free(reloaded);
}

static int serve(struct relay *relay, const struct options *o)
{
    struct server *server;
    struct err err = {.code = 0};

    if (prepare(relay, &err) != 0 || catch_signals(&err) != 0)
        return complain(&err);
    server = server_open(relay, &err);
    if (server == NULL)
        return complain(&err);
    if (!o->foreground && daemon(0, 0) != 0)
        return complain(&err);
    log_open("tollgate-relay", (enum log_target)relay->settings->log.target,
             relay->settings->log.facility, relay->settings->log.level);
    if (scheduler_start(relay, &err) == NULL)
        return complain(&err);
    run(relay, server);
    return EX_OK;
}

int main(int argc, char **argv)
{
    struct options o = {.file = settings_default_file};
    struct err err = {.code = 0};
    struct settings *settings;
    static struct relay relay;
    int code = parse_options(argc, argv, &o);

    if (code >= 0)
        return code;
    settings = settings_load(o.file, stderr, &err);
    if (settings == NULL)
        return err.code == EX_CONFIG ? EX_CONFIG : complain(&err);
    if (policy_check(settings, &err) != 0) {
        (void)err_prefix(&err, "%s", o.file);
        return complain(&err);
    }
    if (o.print)
        settings_print(settings, stdout);
    if (o.print || o.test)
        return EX_OK;
    if (zone_set(settings->timezone, &err) != 0)
        return complain(&err);
    relay.settings = settings;
    code = serve(&relay, &o);
    site_free(relay.site);
    queue_close(&relay.queue);
    settings_free(settings);
    return code;
}
