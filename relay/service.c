#include "relay/service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"
#include "lib/sys/clock.h"
#include "lib/sys/files.h"
#include "lib/sys/log.h"
#include "lib/sys/privileges.h"
#include "lib/sys/relay_queue.h"
#include "relay/control.h"
#include "relay/policy.h"
#include "relay/scheduler.h"
#include "relay/server.h"
#include "relay/tls.h"

#define GRACE_MS      10000
#define REFRESH_MS    3000
#define QUEUE_WAIT_MS 5000 /* for a previous process to end */

struct service {
    struct relay relay;
    struct settings *reloaded; /* those in force since the last reload; NULL: there was none */
    struct server *server;
    struct relay_control *control;
    bool drained;
};

/* --- signals --------------------------------------------------------------------------------- */

static int wake_pipe[2] = {-1, -1}; /* one byte for each signal: 's' to stop, 'r' to reload */

static void on_signal(int number)
{
    char byte = number == SIGTERM || number == SIGINT ? 's' : 'r';
    int saved = errno;

    (void)!write(wake_pipe[1], &byte, 1);
    errno = saved;
}

int service_catch_signals(struct err *err)
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

/* The signals since the last call: 's' wins. */
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

/* --- the way up ------------------------------------------------------------------------------ */

static void choose_names(struct relay *relay)
{
    const struct settings *s = relay->settings;

    if (s->relay.maildir_root[0] == '\0')
        (void)snprintf(relay->maildir_root, sizeof relay->maildir_root, "%s/relay/maildir",
                       s->state_dir);
    else
        (void)snprintf(relay->maildir_root, sizeof relay->maildir_root, "%s",
                       s->relay.maildir_root);
    if (s->relay.hostname[0] != '\0')
        (void)snprintf(relay->hostname, sizeof relay->hostname, "%s", s->relay.hostname);
    else if (gethostname(relay->hostname, sizeof relay->hostname - 1) != 0)
        (void)snprintf(relay->hostname, sizeof relay->hostname, "localhost");
}

static int make_dirs(const struct relay *relay, const struct privileges_account *account,
                     struct err *err)
{
    const struct settings *s = relay->settings;
    char queue_dir[512], own[600];

    relay_queue_dir(s, queue_dir, sizeof queue_dir);
    (void)snprintf(own, sizeof own, "%s/relay", s->state_dir);
    if (s->relay.queue_dir[0] == '\0' || s->relay.maildir_root[0] == '\0') {
        if (file_make_dir(s->state_dir, 0750, account->uid, account->gid, err) != 0 ||
            file_make_dir(own, 0700, account->uid, account->gid, err) != 0)
            return -1;
    }
    return file_make_dir(queue_dir, 0700, account->uid, account->gid, err) == 0 &&
                   file_make_dir(relay->maildir_root, 0700, account->uid, account->gid, err) == 0
               ? 0
               : -1;
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

/* What may need root; then privileges are dropped. */
static int open_first(struct service *s, struct err *err)
{
    struct privileges_account account;

    if (privileges_find(s->relay.settings->user, &account, err) != 0 ||
        make_dirs(&s->relay, &account, err) != 0 || open_tls(&s->relay, err) != 0)
        return -1;
    s->server = server_open(&s->relay, err);
    if (s->server == NULL)
        return -1;
    return privileges_become(&account, "", err);
}

/* A file that the configuration names and that cannot be read is a fault of the configuration. */
static int open_sources(struct relay *relay, struct err *err)
{
    const char *users = relay->settings->relay.users_file;

    if (users[0] == '\0' || (relay->auth = auth_new(users, err)) != NULL)
        relay->hosting = hosting_new(relay->settings, err);
    if (relay->hosting != NULL)
        return 0;
    if (err->code == EX_NOINPUT)
        err->code = EX_CONFIG;
    return -1;
}

static int open_then(struct relay *relay, struct err *err)
{
    char queue_dir[512];

    relay_queue_dir(relay->settings, queue_dir, sizeof queue_dir);
    return queue_open(&relay->queue, queue_dir, QUEUE_WAIT_MS, err) == 0 ? open_sources(relay, err)
                                                                         : -1;
}

int service_check_as_root(const struct settings *s, struct err *err)
{
    struct relay relay = {.settings = s};
    int result = s->relay.listen.count + s->relay.listen_tls.count > 0
                     ? open_tls(&relay, err)
                     : err_set(err, EX_CONFIG, SERVER_NO_LISTENER);

    SSL_CTX_free(relay.tls_server);
    SSL_CTX_free(relay.tls_client);
    return result;
}

int service_check(const struct settings *s, struct err *err)
{
    struct relay relay = {.settings = s};
    int result = open_sources(&relay, err);

    hosting_free(relay.hosting);
    auth_free(relay.auth);
    return result;
}

static int start_threads(struct service *s, struct err *err)
{
    if (scheduler_start(&s->relay, err) == NULL)
        return -1;
    s->control = control_start(&s->relay.queue, s->relay.scheduler, err);
    return s->control == NULL ? -1 : 0;
}

struct service *service_open(const struct settings *settings, struct err *err)
{
    struct service *s = calloc(1, sizeof *s);

    if (s == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    s->drained = true;
    s->relay.settings = settings;
    s->relay.queue.lock_fd = -1;
    choose_names(&s->relay);
    if (open_first(s, err) == 0 && open_then(&s->relay, err) == 0 && start_threads(s, err) == 0)
        return s;
    service_close(s);
    return NULL;
}

/* --- serving --------------------------------------------------------------------------------- */

/* What the table of settings says: domains, forwarders, logins, networks and the log; the settings
 * of the group relay need a restart. False: a source is being written; to be tried again. */
static bool reload(struct service *s)
{
    struct err err = {.code = 0};
    struct settings *fresh = settings_load(s->relay.settings->file, NULL, &err);

    if (fresh == NULL || policy_check(fresh, &err) != 0 ||
        settings_keep_fixed(fresh, s->relay.settings, &err) != 0 ||
        hosting_reload(s->relay.hosting, fresh, &err) != 0) {
        settings_free(fresh);
        if (err.code == EX_TEMPFAIL)
            return false;
        log_event(LOG_ERR, "not reloaded: the old configuration stays in force",
                  LOG_ERROR("error", &err));
        return true;
    }
    settings_free(s->reloaded);
    s->reloaded = fresh;
    log_open("tollgate-relay", (enum log_target)fresh->log.target, fresh->log.facility,
             fresh->log.level);
    log_event(LOG_NOTICE, "reloaded", LOG_STR("file", fresh->file));
    return true;
}

static void drain(struct service *s)
{
    log_plain(LOG_NOTICE, "stopping");
    s->drained = server_close(s->server, GRACE_MS);
    s->server = NULL;
    if (!s->drained)
        log_plain(LOG_WARNING, "sessions were still open");
    control_stop(s->control);
    s->control = NULL;
    s->drained = scheduler_stop(s->relay.scheduler, GRACE_MS) && s->drained;
    s->relay.scheduler = NULL;
    log_plain(LOG_NOTICE, "stopped");
}

void service_run(struct service *s)
{
    bool reload_is_due = false;
    char what = '\0';

    log_event(LOG_NOTICE, "started", LOG_STR("version", PACKAGE_VERSION),
              LOG_STR("hostname", s->relay.hostname), LOG_STR("queue", s->relay.queue.dir));
    while (what != 's') {
        if (server_run(s->server, wake_pipe[0], clock_monotonic_ms() + REFRESH_MS))
            what = woken();
        else
            hosting_refresh(s->relay.hosting);
        if (what == 'r' || reload_is_due)
            reload_is_due = !reload(s);
        what = what == 'r' ? '\0' : what;
    }
    drain(s);
}

void service_close(struct service *s)
{
    if (s->server != NULL)
        s->drained = server_close(s->server, 0) && s->drained;
    if (s->control != NULL)
        control_stop(s->control);
    if (s->relay.scheduler != NULL)
        s->drained = scheduler_stop(s->relay.scheduler, 0) && s->drained;
    if (!s->drained) /* a thread still uses all of it, and the process ends */
        return;
    hosting_free(s->relay.hosting);
    auth_free(s->relay.auth);
    SSL_CTX_free(s->relay.tls_server);
    SSL_CTX_free(s->relay.tls_client);
    queue_close(&s->relay.queue);
    settings_free(s->reloaded);
    free(s);
}
