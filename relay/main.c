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
#include "relay/queue_command.h"
#include "relay/scheduler.h"
#include "relay/server.h"
#include "relay/tls.h"

#define GRACE_MS   10000
#define REFRESH_MS 3000

struct options {
    const char *file;
    bool foreground, test, print;
};

static void usage(FILE *out)
{
    (void)fputs("usage: tollgate-relay [-ftThV] [-c file]\n"
                "       tollgate-relay [-c file] queue list|flush|hold|release|delete [id|all]\n"
                "       tollgate-relay user login <password\n"
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
    if (optind < argc && strcmp(argv[optind], "queue") != 0 && strcmp(argv[optind], "user") != 0) {
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

/* Where the queue is; makes nothing. */
static void queue_path(const struct settings *s, char *path, size_t room)
{
    if (s->relay.queue_dir[0] == '\0')
        (void)snprintf(path, room, "%s/relay/queue", s->state_dir);
    else
        (void)snprintf(path, room, "%s", s->relay.queue_dir);
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

static int open_tls(struct relay *relay, struct err *err)
{
    const struct settings *s = relay->settings;

    if (s->relay.tls_cert_file[0] == '\0' && s->relay.listen_tls.count > 0)
        return err_set(err, EX_CONFIG, "relay.listen_tls needs a certificate: set tls_cert_file");
    if (s->relay.tls_cert_file[0] != '\0') {
        relay->tls_server = tls_server_new(s, err);
        if (relay->tls_server == NULL)
            return -1;
    }
    relay->tls_client = tls_client_new(s, err);
    return relay->tls_client == NULL ? -1 : 0;
}

static int open_auth(struct relay *relay, struct err *err)
{
    const char *file = relay->settings->relay.users_file;

    if (file[0] == '\0')
        return 0;
    relay->auth = auth_new(file, err);
    return relay->auth == NULL ? -1 : 0;
}

static int prepare(struct relay *relay, struct err *err)
{
    const struct settings *s = relay->settings;
    char queue_dir[512];

    choose_hostname(relay);
    if (open_tls(relay, err) != 0 || open_auth(relay, err) != 0)
        return -1;
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

static void run(struct relay *relay, struct server *server, struct control *control)
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
    control_stop(control);
    scheduler_stop(relay->scheduler, GRACE_MS);
    log_plain(LOG_NOTICE, "stopped");
    settings_free(reloaded);
}

static int serve(struct relay *relay, const struct options *o)
{
    struct server *server;
    struct control *control;
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
    control = control_start(&relay->queue, relay->scheduler, &err);
    if (control == NULL)
        return complain(&err);
    run(relay, server, control);
    return EX_OK;
}

/* Prints a line for relay.users_file; the password is the first line of the standard input. */
static int run_user(const char *login)
{
    char password[1026];
    struct err err = {.code = 0};
    struct buf hash;
    int code = EX_OK;

    if (login == NULL || login[0] == '\0' || strpbrk(login, ":\r\n") != NULL) {
        usage(stderr);
        return EX_USAGE;
    }
    if (isatty(STDIN_FILENO))
        (void)fputs("password (it will be shown): ", stderr);
    if (fgets(password, sizeof password, stdin) == NULL)
        return EX_NOINPUT;
    password[strcspn(password, "\r\n")] = '\0';
    buf_init(&hash, 1024);
    if (auth_hash(password, &hash, &err) == 0)
        (void)printf("%s:%s\n", login, hash.data);
    else
        code = complain(&err);
    buf_fini(&hash);
    return code;
}

static int run_queue(const struct settings *s, int argc, char **argv)
{
    char path[512];

    queue_path(s, path, sizeof path);
    return queue_command(path, argc, argv);
}

static int run_daemon(struct settings *settings, const struct options *o)
{
    static struct relay relay;
    struct err err = {.code = 0};
    int code;

    if (zone_set(settings->timezone, &err) != 0)
        return complain(&err);
    relay.settings = settings;
    relay.queue.lock_fd = -1;
    code = serve(&relay, o);
    site_free(relay.site);
    auth_free(relay.auth);
    SSL_CTX_free(relay.tls_server);
    SSL_CTX_free(relay.tls_client);
    queue_close(&relay.queue);
    return code;
}

int main(int argc, char **argv)
{
    struct options o = {.file = settings_default_file};
    struct err err = {.code = 0};
    struct settings *settings;
    int code = parse_options(argc, argv, &o);

    if (code >= 0)
        return code;
    if (optind < argc && strcmp(argv[optind], "user") == 0)
        return run_user(argv[optind + 1]);
    settings = settings_load(o.file, stderr, &err);
    if (settings == NULL)
        return err.code == EX_CONFIG ? EX_CONFIG : complain(&err);
    if (policy_check(settings, &err) != 0) {
        (void)err_prefix(&err, "%s", o.file);
        code = complain(&err);
    } else if (optind < argc) {
        code = run_queue(settings, argc - optind - 1, argv + optind + 1);
    } else if (o.print || o.test) {
        if (o.print)
            settings_print(settings, stdout);
        code = EX_OK;
    } else {
        code = run_daemon(settings, &o);
    }
    settings_free(settings);
    return code;
}
